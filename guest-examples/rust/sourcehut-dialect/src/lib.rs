//! A hook dialect for git.sr.ht: each pushed branch or tag is one change, its newest commit.
//!
//! The sender decides by a query of its own what it sends; `README.md` has the query that goes with this.

mod diff;
mod options;

use campanile_guest::{Change, HookRequest, Parsed, Property, Rejection, json, time};
use options::Options;
use serde_json::Value;

/// Changes of a `GIT_POST_RECEIVE`; every other event is noted and makes none.
pub fn parse(request: &HookRequest, options: &str) -> Result<Parsed, Rejection> {
    let options = Options::read(options)?;
    if !request.method.eq_ignore_ascii_case("POST") {
        return Err(Rejection::new(405, "sourcehut: only POST is taken"));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| bad(&format!("the body is not JSON: {error}")))?;
    if let Some(message) = body.pointer("/errors/0/message").and_then(Value::as_str) {
        return Err(bad(&format!("the hook's query failed: {message}")));
    }
    let hook = Place { path: "data.webhook".to_owned(), value: body.pointer("/data/webhook") };
    hook.object()?;
    let event = match hook.at("event").value {
        None => request.header("x-webhook-event").ok_or_else(|| bad("there is no `data.webhook.event`"))?,
        Some(_) => hook.at("event").text()?,
    };
    if event != "GIT_POST_RECEIVE" {
        return Ok(Parsed::nothing(format!("Ignored event: {event}")));
    }
    push(&hook, &options)
}

campanile_guest::hook_dialect!(parse);

fn push(hook: &Place<'_>, options: &Options) -> Result<Parsed, Rejection> {
    let repository = hook.at("repository");
    let project =
        format!("{}/{}", repository.at("owner").at("canonicalName").text()?, repository.at("name").text()?);
    let template = Change {
        who: hook.at("pusher").at("canonicalName").optional_text()?.unwrap_or_default().to_owned(),
        committer: None,
        revision: None,
        branch: None,
        when: hook.at("date").optional_time()?.unwrap_or_default(),
        files: Vec::new(),
        comments: String::new(),
        revlink: None,
        repository: format!("{}/{project}", options.origin),
        project: options.project.clone().unwrap_or(project),
        codebase: options.codebase.clone(),
        category: None,
        properties: vec![property("event", "GIT_POST_RECEIVE")],
    };
    let updates = hook.at("updates");
    let list = updates.value.and_then(Value::as_array).ok_or_else(|| updates.wrong("a list"))?;
    let mut changes = Vec::new();
    let mut passed_over = Vec::new();
    for (i, update) in list.iter().enumerate() {
        let update = Place { path: format!("{}[{i}]", updates.path), value: Some(update) };
        match change(&update, &template)? {
            Pushed::Change(change) => changes.push(*change),
            Pushed::Nothing(why) => passed_over.push(why),
        }
    }
    if changes.is_empty() {
        passed_over.push("no changes in the push".to_owned());
        return Ok(Parsed::nothing(passed_over.join("; ")));
    }
    Ok(Parsed::git(changes))
}

/// What one updated reference comes to.
enum Pushed {
    Change(Box<Change>),
    Nothing(String),
}

fn change(update: &Place<'_>, template: &Change) -> Result<Pushed, Rejection> {
    let commit = update.at("new");
    let name = match update.at("ref").value {
        None | Some(Value::Null) => return Ok(Pushed::Nothing("a reference was deleted".to_owned())),
        Some(_) => update.at("ref").at("name").text()?,
    };
    let (branch, category) = match (name.strip_prefix("refs/heads/"), name.strip_prefix("refs/tags/")) {
        (Some(branch), _) => (branch, None),
        (_, Some(tag)) => (tag, Some("tag".to_owned())),
        _ => return Ok(Pushed::Nothing(format!("`{name}` is neither a branch nor a tag"))),
    };
    if commit.value.is_none_or(Value::is_null) {
        return Ok(Pushed::Nothing(format!("`{name}` was deleted")));
    }
    let revision = commit.at("id").text()?;
    let author = commit.at("author");
    let committer = commit.at("committer");
    // A tag with a message of its own is no commit, and has no author: its pusher stands in.
    let who = person(&author)?.unwrap_or_else(|| template.who.clone());
    Ok(Pushed::Change(Box::new(Change {
        committer: person(&committer)?.filter(|committer| *committer != who),
        who,
        revision: Some(revision.to_owned()),
        branch: Some(branch.to_owned()),
        when: match committer.at("time").optional_time()? {
            Some(when) => when,
            None => author.at("time").optional_time()?.unwrap_or(template.when),
        },
        files: diff::files(update.at("diff").optional_text()?.unwrap_or_default()),
        comments: commit.at("message").optional_text()?.unwrap_or_default().to_owned(),
        revlink: Some(format!("{}/commit/{revision}", template.repository)),
        category,
        ..template.clone()
    })))
}

/// `NAME <MAIL>`, or the one of both that is there.
fn person(place: &Place<'_>) -> Result<Option<String>, Rejection> {
    let name = place.at("name").optional_text()?.filter(|name| !name.is_empty());
    let email = place.at("email").optional_text()?.filter(|email| !email.is_empty());
    Ok(match (name, email) {
        (Some(name), Some(email)) => Some(format!("{name} <{email}>")),
        (one, other) => one.or(other).map(str::to_owned),
    })
}

fn property(name: &str, text: &str) -> Property {
    let mut value = String::new();
    json::push_string(&mut value, text);
    Property { name: name.to_owned(), value, source: "Change".to_owned() }
}

fn bad(message: &str) -> Rejection {
    Rejection::new(400, format!("sourcehut: {message}"))
}

/// A place in the payload, so that a complaint can say where.
struct Place<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Place<'a> {
    fn at(&self, name: &str) -> Self {
        let value = self.value.and_then(|value| value.get(name));
        Self { path: format!("{}.{name}", self.path), value }
    }

    fn object(&self) -> Result<(), Rejection> {
        self.value.filter(|value| value.is_object()).map(drop).ok_or_else(|| self.wrong("an object"))
    }

    fn text(&self) -> Result<&'a str, Rejection> {
        let text = self.value.and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| self.wrong("a text"))
    }

    fn optional_text(&self) -> Result<Option<&'a str>, Rejection> {
        match self.value {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong("a text")),
        }
    }

    fn optional_time(&self) -> Result<Option<f64>, Rejection> {
        let Some(text) = self.optional_text()? else { return Ok(None) };
        time::rfc3339(text).map(Some).ok_or_else(|| self.wrong("a time as RFC 3339 has it"))
    }

    fn wrong(&self, wanted: &str) -> Rejection {
        bad(&match self.value {
            None => format!(
                "there is no `{}`; is the hook's query the one that goes with this dialect?",
                self.path
            ),
            Some(_) => format!("`{}` must be {wanted}", self.path),
        })
    }
}

#[cfg(test)]
mod tests;
