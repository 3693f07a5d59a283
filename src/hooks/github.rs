//! The dialect `github`: pushes, and what its signature and options say (H-GH-01 to H-GH-13, H-XGH-01 to H-XGH-12).

use serde_json::Value;

use super::commit::{Overrides, author, files, is_deletion};
use super::github_options::{GithubOptions, NonDistinct, ProjectSource, Tags};
use super::github_pull_request::pull_request;
use super::json::Json;
use super::request::{Method, RawHook, Verified};
use super::signature::{self, Unsigned};
use super::{BOTH_METHODS, Dialect, Parsed, Rejection, payload};
use crate::config::Reader;
use crate::model::{Change, Properties, Timestamp};

pub(super) const NAME: &str = "github";

/// Properties of a push go with each of its commits; more than this many bytes of them in all is refused.
const MAX_COPIED: usize = 64 << 20;

struct Github(GithubOptions);

/// Makes the dialect from its options.
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    Box::new(Github(GithubOptions::read(options)))
}

/// What an event came to.
pub(super) enum Outcome {
    Changes(Vec<Change>),
    /// And why.
    Nothing(String),
}

impl Dialect for Github {
    fn name(&self) -> &'static str {
        NAME
    }

    fn methods(&self) -> &'static [Method] {
        BOTH_METHODS
    }

    fn has_secret(&self) -> bool {
        !self.0.secrets.is_empty()
    }

    fn verify(&self, request: RawHook) -> Result<Verified, Rejection> {
        if self.has_secret() {
            // A GET has its payload in the query, which no signature covers.
            if request.method == Method::Get && self.0.unsigned == Unsigned::Refuse {
                return Err(Rejection::forbidden("Request has no required signature"));
            }
            signature::check(&request, &self.0.secrets, self.0.unsigned)?;
        }
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<Parsed, Rejection> {
        let request = hook.request();
        let event = request.header("x-github-event").unwrap_or_else(|| "push".to_owned());
        // Read even where it is ignored: a ping then already tells that the hook is set up wrongly.
        let value = payload::read(NAME, request)?;
        let outcome = match event.as_str() {
            "push" => self.push(&value, now)?,
            "pull_request" => pull_request(&self.0, &value, now)?,
            "ping" | "workflow_run" => Outcome::Nothing(format!("`{event}' makes no changes")),
            _ => Outcome::Nothing(format!("Ignored event: {event}")),
        };
        let delivery_id = request.delivery_id();
        let mut changes = match outcome {
            Outcome::Nothing(note) => {
                return Ok(Parsed { event: Some(event), note: Some(note), delivery_id, ..Parsed::default() });
            }
            Outcome::Changes(changes) => changes,
        };
        let overrides = Overrides::read(&request.query);
        for change in &mut changes {
            change.properties.set("event", event.clone(), "Change");
            overrides.apply(change);
            change.clamp_time(now);
        }
        Ok(Parsed { changes, event: Some(event), delivery_id, ..Parsed::default() })
    }
}

impl Github {
    fn push(&self, value: &Value, now: Timestamp) -> Result<Outcome, Rejection> {
        let push = Json::top(NAME, value)?;
        let name = push.at("ref")?.required()?.text()?.unwrap_or_default();
        let branch = name.strip_prefix("refs/heads/").filter(|branch| !branch.is_empty());
        let tag = name.strip_prefix("refs/tags/").filter(|tag| !tag.is_empty());
        let kind = if tag.is_some() { "tag" } else { "branch" };
        let Some(short) = branch.or(tag) else {
            return Ok(Outcome::Nothing(format!("`{name}' is neither a branch nor a tag")));
        };
        if is_deletion(push.at("deleted")?.boolean()?, push.at("after")?.word()?.as_deref()) {
            return Ok(Outcome::Nothing(format!("{kind} `{short}' deleted")));
        }
        if tag.is_some() && self.0.tags == Tags::Nothing {
            return Ok(Outcome::Nothing(format!("tag `{short}' ignored")));
        }
        let repository = repository(&push)?;
        let commits = push.at("commits")?.required()?.list()?;
        let head = push.at("head_commit")?;
        if let Some(message) = head.at("message")?.text()?
            && let Some(reason) = skipped(&self.0, message)
        {
            return Ok(Outcome::Nothing(reason));
        }
        let commits = match (commits.is_empty(), head.value()) {
            (true, None) => return Ok(Outcome::Nothing(format!("no commits in the push to `{short}'"))),
            (true, Some(_)) => vec![head],
            (false, _) => self.taken(commits)?,
        };
        let (pushed, full_name) =
            (commits.len(), push.at("repository.full_name")?.text()?.unwrap_or_default());
        let template = Change {
            branch: Some(short.to_owned()),
            category: tag.map(|_| "tag".to_owned()),
            codebase: self.0.codebases.of(&[repository, full_name]),
            repository: repository.to_owned(),
            project: match self.0.project {
                ProjectSource::Payload => full_name.to_owned(),
                ProjectSource::Blank => String::new(),
            },
            properties: self.0.whitelist.properties(NAME, Some(value)),
            src: Some("git".to_owned()),
            ..Change::default()
        };
        if size(&template.properties).saturating_mul(pushed) > MAX_COPIED {
            let text = "github: commits: too many to give each the properties of `github_property_whitelist`";
            return Err(Rejection::bad_request(text));
        }
        if commits.is_empty() {
            return Ok(Outcome::Nothing(format!("no distinct commits in the push to `{short}'")));
        }
        let changes: Result<_, _> = commits.iter().map(|commit| change(commit, &template, now)).collect();
        changes.map(Outcome::Changes)
    }

    fn taken<'a>(&self, commits: Vec<Json<'a>>) -> Result<Vec<Json<'a>>, Rejection> {
        if self.0.non_distinct == NonDistinct::Keep {
            return Ok(commits);
        }
        let mut taken = Vec::with_capacity(commits.len());
        for commit in commits {
            if commit.at("distinct")?.boolean()? != Some(false) {
                taken.push(commit);
            }
        }
        Ok(taken)
    }
}

/// One commit of a push (H-GH-10).
fn change(commit: &Json<'_>, template: &Change, now: Timestamp) -> Result<Change, Rejection> {
    let commit = commit.clone().required()?;
    let mut change = template.clone();
    change.revision = commit.at("id")?.required()?.word()?;
    change.who = author(&commit.at("author")?)?;
    change.committer = Some(author(&commit.at("committer")?)?).filter(|committer| !committer.is_empty());
    change.comments = commit.at("message")?.required()?.text()?.unwrap_or_default().to_owned();
    change.when = commit.at("timestamp")?.date()?.unwrap_or(now);
    change.revlink = commit.at("url")?.text()?.unwrap_or_default().to_owned();
    change.files = files(&commit)?;
    let distinct = commit.at("distinct")?.boolean()?.unwrap_or(true);
    change.properties.set("github_distinct", distinct, "Change");
    Ok(change)
}

/// `repository.html_url`, else `repository.url` (H-GH-03).
pub(super) fn repository<'a>(payload: &Json<'a>) -> Result<&'a str, Rejection> {
    if let Some(page) = payload.at("repository.html_url")?.text()? {
        return Ok(page);
    }
    Ok(payload.at("repository.url")?.required()?.text()?.unwrap_or_default())
}

/// Why a text asks to be skipped, if it does (H-XGH-10).
pub(super) fn skipped(options: &GithubOptions, text: &str) -> Option<String> {
    let pattern = options.skips.iter().find(|pattern| pattern.is_match(text))?;
    Some(format!("skipped: the message matches `{pattern}'"))
}

fn size(properties: &Properties) -> usize {
    properties.iter().map(|(name, property)| name.len() + property.value.to_string().len()).sum()
}
