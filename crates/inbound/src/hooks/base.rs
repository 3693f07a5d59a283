//! The dialect `base`: one change from plain arguments (H-BASE-01 to H-BASE-06).

use serde_json::{Map, Value};

use super::arguments::Arguments;
use super::commit::{Codebases, once_each, one_line, texts};
use super::json::Json;
use super::request::{MediaType, Method, RawHook, Verified};
use super::{Dialect, HookError, HookOutcome, ParsedHook};
use campanile_config::Reader;
use campanile_model::{Change, Timestamp, read_json};

const NAME: &str = "base";

/// The arguments that are looked at; all others are ignored (H-BASE-02, H-BASE-03).
const ARGUMENTS: [&str; 15] = [
    "author",
    "who",
    "files",
    "properties",
    "comments",
    "revision",
    "when",
    "when_timestamp",
    "branch",
    "category",
    "revlink",
    "repository",
    "project",
    "codebase",
    "committer",
];

struct Base {
    codebases: Codebases,
}

/// Makes the dialect from its options: `codebase` (H-GEN-18).
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    Box::new(Base { codebases: options.map(Codebases::read).unwrap_or_default() })
}

impl Dialect for Base {
    fn name(&self) -> &'static str {
        NAME
    }

    /// No header is looked at and no sender proven: the guard of all hooks is all there is.
    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<ParsedHook, HookError> {
        let values = Value::Object(values(hook.request())?);
        let mut change = change(&Json::top(NAME, &values)?, now)?;
        if values.get("codebase").is_none() {
            change.codebase = self.codebases.of(&[&change.repository]);
        }
        change.clamp_time(now);
        Ok(HookOutcome::Changes(vec![change]).into())
    }
}

fn change(values: &Json<'_>, now: Timestamp) -> Result<Change, HookError> {
    let word = |name: &'static str| Ok::<_, HookError>(values.at(name)?.word()?.unwrap_or_default());
    let present =
        |name: &'static str| Ok::<_, HookError>(values.at(name)?.word()?.filter(|text| !text.is_empty()));
    let mut author = one_line(&word("author")?);
    if author.is_empty() {
        author = one_line(&word("who")?);
    }
    let mut files = Vec::new();
    texts(&values.at("files")?, &mut files)?;
    let mut change = Change {
        who: author,
        committer: present("committer")?.map(|name| one_line(&name)).filter(|name| !name.is_empty()),
        files: once_each(files),
        comments: word("comments")?,
        revision: present("revision")?,
        branch: present("branch")?,
        when: match when(&values.at("when_timestamp")?)? {
            Some(when) => when,
            None => when(&values.at("when")?)?.unwrap_or(now),
        },
        category: present("category")?,
        revlink: word("revlink")?,
        repository: word("repository")?,
        project: word("project")?,
        codebase: word("codebase")?,
        ..Change::default()
    };
    let properties = values.at("properties")?;
    match properties.value() {
        None => {}
        Some(Value::Object(map)) => {
            for (name, value) in map {
                change.properties.set(name.clone(), value.clone(), "Change");
            }
        }
        Some(_) => return Err(properties.error("must be a JSON object")),
    }
    Ok(change)
}

/// Seconds since the epoch, as a number or as its text, or a date (H-BASE-04); blank counts as absent.
fn when(place: &Json<'_>) -> Result<Option<Timestamp>, HookError> {
    let Some(text) = place.value().and_then(Value::as_str) else { return place.date() };
    let text = text.trim();
    let decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+'));
    match text.parse::<f64>() {
        _ if text.is_empty() => Ok(None),
        Ok(seconds) if decimal => Ok(Timestamp::from_seconds_f64(seconds.trunc())),
        _ => place.date(),
    }
}

/// All arguments as JSON values: those of the query and of a form are texts, except the two that hold JSON.
fn values(hook: &RawHook) -> Result<Map<String, Value>, HookError> {
    let arguments = Arguments::read(hook)?;
    let mut values = Map::new();
    for name in ARGUMENTS {
        let Some(text) = arguments.first(name) else { continue };
        let value = match name {
            "files" | "properties" if text.trim().is_empty() => continue,
            "files" | "properties" => read_json(text.as_bytes())
                .map_err(|error| HookError::bad_request(format!("{NAME}: {name}: not JSON: {error}")))?,
            _ => text.into(),
        };
        values.insert(name.to_owned(), value);
    }
    if hook.method == Method::Post && hook.media_type() == MediaType::Json {
        let body: Value = read_json(&hook.body)
            .map_err(|error| HookError::bad_request(format!("{NAME}: the body is not JSON: {error}")))?;
        let Value::Object(members) = body else {
            return Err(HookError::bad_request(format!("{NAME}: the body must be a JSON object")));
        };
        values.extend(members);
    }
    Ok(values)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hooks::testing::{NOW, get, post, run};
    use serde_json::json;

    fn one(hook: RawHook) -> Change {
        let mut parsed = run(from_options(None).as_ref(), hook).unwrap();
        assert_eq!(parsed.changes.len(), 1);
        parsed.changes.remove(0)
    }

    fn refusal(hook: RawHook) -> String {
        let rejection = run(from_options(None).as_ref(), hook).unwrap_err();
        assert_eq!(rejection.status, 400);
        rejection.message
    }

    /// Fields that nobody sends are blank, absent or now.
    #[test]
    fn h_base_01_h_ch_01_no_arguments_make_one_change_of_defaults() {
        let empty = Change { when: NOW, ..Change::default() };
        assert_eq!(one(get("")), empty);
        assert_eq!(one(post("application/x-www-form-urlencoded", "")), empty);
        assert_eq!(one(post("text/plain", "revision=5")), empty);
    }

    // Found by fuzzing.
    #[test]
    fn h_gen_14_a_refusal_is_one_line_whatever_it_quotes() {
        let form = post("application/x-www-form-urlencoded", "when=12%0A03%00116");
        assert!(refusal(form).starts_with("base: when: `12\\n03\\u{0}116` is not a date"));
    }

    fn everything() -> Change {
        let mut change = Change {
            who: "Ada".into(),
            committer: Some("Bob".into()),
            files: vec!["b".into(), "a é".into()],
            comments: "ring".into(),
            revision: Some("42".into()),
            branch: Some("dev".into()),
            when: Timestamp::from_seconds(1_203_116_237),
            category: Some("cat".into()),
            revlink: "https://x/42".into(),
            repository: "repo".into(),
            project: "proj".into(),
            codebase: "core".into(),
            ..Change::default()
        };
        change.properties.set("p", json!({"q": [1]}), "Change");
        change
    }

    /// Properties of any JSON, with the source `Change`, and other scripts.
    #[test]
    fn h_base_02_h_base_06_h_ch_09_all_arguments_as_a_form() {
        let form = "author=Ada&who=no&committer=Bob&files=%5B%22b%22,%22a%20%C3%A9%22,%22b%22%5D&comments=ring\
                    &revision=42&branch=dev&when=1203116237.9&category=cat&revlink=https://x/42&repository=repo\
                    &project=proj&codebase=core&properties=%7B%22p%22:%7B%22q%22:%5B1%5D%7D%7D&isdir=1&number=9&at=x";
        assert_eq!(one(post("application/x-www-form-urlencoded", form)), everything());
        assert_eq!(one(get(form)), everything());
    }

    #[test]
    fn h_base_02_all_arguments_as_json_over_those_of_the_query() {
        let body = json!({
            "author": "Ada", "committer": "Bob", "files": ["b", "a é"], "comments": "ring", "revision": 42,
            "branch": "dev", "when": 5, "when_timestamp": 1_203_116_237, "category": "cat",
            "revlink": "https://x/42", "repository": "repo", "project": "proj", "codebase": "core",
            "properties": {"p": {"q": [1]}}, "unknown": null,
        });
        let hook = RawHook { query: "author=Eve".into(), ..post("application/json", &body.to_string()) };
        assert_eq!(one(hook), everything());
    }

    #[test]
    fn h_base_02_a_blank_author_gives_way_to_who() {
        assert_eq!(one(get("author=+&who=Ada%0D%0AX")).who, "Ada X");
        assert_eq!(one(get("who=Ada")).who, "Ada");
    }

    #[test]
    fn h_base_03_blank_revision_branch_and_category_are_absent() {
        let change = one(get("revision=&branch=&category=&files=&properties=&when="));
        assert_eq!(change, Change { when: NOW, ..Change::default() });
    }

    #[test]
    fn h_base_04_bad_arguments_are_named() {
        assert!(refusal(get("files=a.c")).starts_with("base: files: not JSON"));
        assert_eq!(refusal(get("files=%7B%7D")), "base: files: must be a list, not an object");
        assert_eq!(refusal(get("files=[1]")), "base: files[0]: must be a text, not a number");
        assert_eq!(refusal(get("properties=[]")), "base: properties: must be a JSON object");
        assert!(refusal(get("when=soon")).starts_with("base: when: `soon` is not a date"));
        assert!(refusal(get("when=inf")).starts_with("base: when: "));
        assert!(refusal(post("application/json", "{")).starts_with("base: the body is not JSON"));
        assert_eq!(refusal(post("application/json", "[]")), "base: the body must be a JSON object");
        assert_eq!(
            refusal(post("application/json", "{\"branch\":[]}")),
            "base: branch: must be a text, not a list"
        );
    }

    #[test]
    fn h_base_04_when_takes_dates_and_m_ch_02_never_the_future() {
        assert_eq!(one(get("when=2008-02-15T14:57:17-08:00")).when.as_seconds(), 1_203_116_237);
        assert_eq!(one(get("when=99999999999")).when, NOW);
    }

    #[test]
    fn h_base_05_no_src_and_no_delivery_id() {
        assert_eq!(one(get("author=ada")).src, None);
    }
}
