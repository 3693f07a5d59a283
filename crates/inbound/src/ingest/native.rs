//! Native events: one object, an array of them, or one a line (NDJSON).

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use campanile_model::{
    Build, BuildId, BuildRequest, Builder, Buildset, Change, Event, Step, Worker, lenient_json,
};

/// No more events are taken in one request.
const MAX_EVENTS: usize = 10_000;

/// Form of the events in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One object, or an array of objects.
    Json,
    /// One object a line.
    Lines,
}

/// An error in a body, with its path: `$[3].build.number: missing field`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct EventsError {
    /// JSON path from the body's start; in NDJSON the index is the line's, from 0.
    pub path: String,
    /// The error at that path.
    pub reason: String,
}

/// Reads a body. With one bad event in it, none is taken.
///
/// # Errors
/// Says where the first bad event is, and what is wrong with it.
pub fn parse(body: &[u8], form: Form) -> Result<Vec<Event>, EventsError> {
    let body = lenient_json(body);
    let text = std::str::from_utf8(&body).map_err(|error| bad("$", format!("not UTF-8: {error}")))?;
    let pieces: Vec<(String, &str)> = match form {
        Form::Lines => text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(index, line)| (format!("$[{index}]"), line))
            .collect(),
        Form::Json if text.trim_start().starts_with('[') => {
            let items: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|error| bad("$", error.to_string()))?;
            items.into_iter().enumerate().map(|(index, item)| (format!("$[{index}]"), item.get())).collect()
        }
        Form::Json => vec![("$".to_owned(), text)],
    };
    if pieces.len() > MAX_EVENTS {
        return Err(bad("$", format!("{} events in one request: send at most {MAX_EVENTS}", pieces.len())));
    }
    pieces.into_iter().map(|(path, piece)| parse_one(&path, piece)).collect()
}

fn parse_one(path: &str, text: &str) -> Result<Event, EventsError> {
    let event: Event = serde_json::from_str(text).map_err(|error| diagnose(path, text, &error))?;
    complain(&event).map_or(Ok(event), |(field, reason)| Err(bad(format!("{path}.{field}"), reason)))
}

/// Checks the rules that the types alone don't hold.
fn complain(event: &Event) -> Option<(&'static str, String)> {
    let blank =
        |field: &'static str, name: &str| name.is_empty().then(|| (field, "must not be blank".to_owned()));
    match event {
        Event::BuildFinished { build } => {
            blank("build.builder", &build.builder).or_else(|| match build.results {
                Some(_) => None,
                None => Some(("build.results", "missing: a finished build has a result".to_owned())),
            })
        }
        Event::BuildStarted { build } => blank("build.builder", &build.builder),
        Event::StepStarted { build, step } | Event::StepFinished { build, step } => {
            blank("build.builder", &build.builder).or_else(|| blank("step.name", &step.name))
        }
        Event::BuilderAdded { builder } => blank("builder.name", &builder.name),
        Event::WorkerConnected { worker }
        | Event::WorkerDisconnected { worker }
        | Event::WorkerPaused { worker }
        | Event::WorkerUnpaused { worker }
        | Event::WorkerMissing { worker } => blank("worker.name", &worker.name),
        _ => None,
    }
}

/// Finds the place of what serde only said in general: the parts of an event are tried one by one.
fn diagnose(path: &str, text: &str, error: &serde_json::Error) -> EventsError {
    let object: Map<String, Value> = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return bad(path, "must be an object with the key `event`"),
        Err(syntax) => return bad(path, syntax.to_string()),
    };
    let name = match object.get("event") {
        Some(Value::String(name)) => name,
        Some(_) => return bad(format!("{path}.event"), "must be a text, such as `buildFinished`"),
        None => return bad(format!("{path}.event"), "missing: name what happened, such as `buildFinished`"),
    };
    let renamed = name.replacen("slave", "worker", 1);
    if !Event::NAMES.contains(&renamed.as_str()) {
        let known = Event::NAMES.join("`, `");
        return bad(format!("{path}.event"), format!("unknown event `{name}`: known are `{known}`"));
    }
    let whole_build = matches!(name.as_str(), "buildStarted" | "buildFinished");
    for (key, value) in &object {
        let found = match key.as_str() {
            "build" if whole_build => wrong::<Build>(value),
            "build" => wrong::<BuildId>(value),
            "builder" if name == "builderAdded" => wrong::<Builder>(value),
            "buildset" => wrong::<Buildset>(value),
            "request" => wrong::<BuildRequest>(value),
            "change" => wrong::<Change>(value),
            "step" if matches!(name.as_str(), "stepStarted" | "stepFinished") => wrong::<Step>(value),
            "worker" => wrong::<Worker>(value),
            _ => None,
        };
        if let Some((inner, reason)) = found {
            let dot = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
            return bad(format!("{path}.{key}{dot}{inner}"), reason);
        }
    }
    bad(path, error.to_string())
}

/// Path and reason of a value that is no `T`.
pub(super) fn wrong<'de, T: Deserialize<'de>>(value: &'de Value) -> Option<(String, String)> {
    let error = serde_path_to_error::deserialize::<_, T>(value).err()?;
    let path = match error.path().to_string() {
        path if path == "." => String::new(),
        path => path,
    };
    Some((path, error.into_inner().to_string()))
}

pub(super) fn bad(path: impl Into<String>, reason: impl Into<String>) -> EventsError {
    EventsError { path: path.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        parse(body.as_bytes(), Form::Json).map_err(|error| error.to_string()).expect_err("the body is bad")
    }

    #[test]
    fn one_many_and_lines() {
        let one = r#"{"event":"buildStarted","build":{"builder":"linux","number":1}}"#;
        let count = |body: String, form| parse(body.as_bytes(), form).map(|events| events.len());
        assert_eq!(count(one.to_owned(), Form::Json), Ok(1));
        assert_eq!(count(format!("[{one},{one}]"), Form::Json), Ok(2));
        assert_eq!(count(format!("{one}\n\n{one}\n"), Form::Lines), Ok(2));
        assert_eq!(count("[]".to_owned(), Form::Json), Ok(0));
    }

    #[test]
    fn every_error_has_its_place() {
        for (body, path) in [
            ("", "$: "),
            ("7", "$: must be an object"),
            ("{}", "$.event: missing"),
            (r#"{"event":7}"#, "$.event: must be a text"),
            (r#"{"event":"buildDone"}"#, "$.event: unknown event `buildDone`"),
            (r#"[{"event":"buildFinished","build":{"builder":"a","number":-1}}]"#, "$[0].build.number: "),
            (r#"{"event":"buildFinished","build":{"builder":"a","number":1}}"#, "$.build.results: missing"),
            (
                r#"{"event":"buildFinished","build":{"builder":"a","number":1,"results":"failed"}}"#,
                "$.build.results: `failed` is not a result",
            ),
            (
                r#"{"event":"buildFinished","build":{"builder":"a","number":1,"results":2,
                    "source_stamps":[{"changes":[{"when":"soon"}]}]}}"#,
                "$.build.source_stamps[0].changes[0].when: `soon` is not a date",
            ),
            (r#"{"event":"buildStarted","build":{"builder":"","number":1}}"#, "$.build.builder: must not"),
            (
                r#"{"event":"buildStarted","build":{"builder":"a","number":1,"colour":"red"}}"#,
                "$.build.colour: unknown",
            ),
            (
                r#"{"event":"stepStarted","build":{"builder":"a"},"step":{"name":"x"}}"#,
                "$.build: missing field `number`",
            ),
        ] {
            assert!(error(body).starts_with(path), "{body}: {}", error(body));
        }
    }

    #[test]
    fn m_ev_01_older_names_are_read() {
        let body = br#"{"event":"slaveConnected","worker":{"name":"w1"}}"#;
        let names = parse(body, Form::Json).map(|events| events.iter().map(Event::name).collect::<Vec<_>>());
        assert_eq!(names, Ok(vec!["workerConnected"]));
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let _ = parse(&body, Form::Json);
            let _ = parse(&body, Form::Lines);
        }

        #[test]
        fn no_fields_make_the_reader_panic(name in "buildStarted|logChunk|stepFinished|changeAdded", json in "[\\[\\]{}\":,a-z0-9]{0,40}") {
            let _ = parse(format!("{{\"event\":\"{name}\",\"build\":{json}}}").as_bytes(), Form::Json);
        }
    }
}
