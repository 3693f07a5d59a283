//! Helpers of the forms: typed reading with paths in errors, names of people, outcomes of steps.

use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::Value;

use super::native::{EventsError, bad, wrong};
use campanile_model::{
    Build, BuildId, Event, Properties, Results, Timestamp, build_text, one_line, read_json,
};

/// The body as JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, EventsError> {
    if body.trim_ascii().is_empty() {
        return Err(bad("$", "the body is empty"));
    }
    read_json(body).map_err(|error| bad("$", error.to_string()))
}

/// A value as a `T`.
pub(super) fn typed<T: for<'de> Deserialize<'de>>(value: &Value, path: &str) -> Result<T, EventsError> {
    if !value.is_object() {
        return Err(bad(path, "must be an object"));
    }
    T::deserialize(value).map_err(|error| match wrong::<T>(value) {
        Some((inner, reason)) if !inner.is_empty() => bad(format!("{path}.{inner}"), reason),
        _ => bad(path, error.to_string()),
    })
}

/// A header's text; none if it is absent, blank or no text.
pub(super) fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

/// The body's media type, without parameters, in lower case.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> String {
    let given = header_text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// `NAME <EMAIL>`, or what there is of it.
pub(super) fn person(name: Option<&str>, email: Option<&str>) -> String {
    let name = one_line(name.unwrap_or_default());
    // GitLab has no other word for an address that it keeps to itself.
    let email = one_line(email.unwrap_or_default());
    match (name.as_str(), email.as_str()) {
        (_, "" | "[REDACTED]") => name,
        ("", _) => email,
        _ => format!("{name} <{email}>"),
    }
}

/// A builder's name: on one line, and there.
pub(super) fn builder_name(path: &str, parts: &[&str]) -> Result<String, EventsError> {
    let name = parts.iter().map(|part| one_line(part)).filter(|part| !part.is_empty()).collect::<Vec<_>>();
    if name.is_empty() { Err(bad(path, "must not be blank")) } else { Ok(name.join("/")) }
}

/// A number that a builder's builds can have: it must fit the store.
pub(super) fn build_number(path: &str, number: Option<u64>) -> Result<u64, EventsError> {
    number
        .filter(|number| i64::try_from(*number).is_ok())
        .ok_or_else(|| bad(path, "is out of the range of build numbers"))
}

/// A run's number and which attempt at it this is, as one number that rises with both.
pub(super) fn attempt_number(path: &str, run: u64, attempt: u64) -> Result<u64, EventsError> {
    if attempt == 0 || attempt >= ATTEMPTS {
        return Err(bad(path, format!("attempt {attempt}: must be from 1 to {}", ATTEMPTS - 1)));
    }
    build_number(path, run.checked_mul(ATTEMPTS).and_then(|number| number.checked_add(attempt)))
}

/// No run is tried so often; ours, where the sender does not count.
const ATTEMPTS: u64 = 100;

/// The event of a build that began, or that ended.
pub(super) fn build_event(mut build: Build, results: Option<Results>) -> Event {
    build.started = build.started.filter(Timestamp::is_known);
    build.finished = build.finished.filter(Timestamp::is_known);
    for step in &mut build.steps {
        step.started = step.started.filter(Timestamp::is_known);
        step.finished = step.finished.filter(Timestamp::is_known);
    }
    build.results = results;
    match results {
        None => Event::BuildStarted { build: Box::new(build) },
        Some(results) => {
            if build.text.is_empty() {
                build.text = build_text(results, build.steps.iter().map(|step| step.text2.as_slice()));
            }
            Event::BuildFinished { build: Box::new(build) }
        }
    }
}

/// Sets a property unless there is nothing to set.
pub(super) fn set(properties: &mut Properties, source: &str, name: &str, value: Option<impl Into<Value>>) {
    match value.map(Into::into) {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(value) => properties.set(name, value, source),
    }
}

/// Seconds since the epoch, of which zero and less stand for none.
pub(super) fn moment(seconds: Option<i64>) -> Option<Timestamp> {
    seconds.filter(|seconds| *seconds > 0).map(Timestamp::from_seconds)
}

/// A build's name.
pub(super) fn id(builder: &str, number: u64) -> BuildId {
    BuildId { builder: builder.to_owned(), number }
}
