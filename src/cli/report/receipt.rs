//! The engine's answer to news of a build, in words and as an exit code.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::output::printable;
use campanile_model::Event;

/// Exit code for a number that was told of before with other content.
const NUMBER_USED: u8 = 3;

/// An answer to one event.
pub(super) struct Receipt {
    subject: String,
    answer: Value,
}

impl Receipt {
    /// Reads the answer to an event, which may be the last of several.
    pub(super) fn new(event: &Event, answer: Value) -> Self {
        let build = event.build_id().map(|id| format!("{}/{}", id.builder, id.number)).unwrap_or_default();
        if matches!(event, Event::BuildStarted { .. }) {
            return Self::of_start(&build, answer);
        }
        Self { subject: printable(&build), answer }
    }

    /// Reads the answer to the start of a build.
    pub(super) fn of_start(build: &str, answer: Value) -> Self {
        Self { subject: printable(&format!("the start of {build}")), answer }
    }

    pub(super) fn json(&self) -> &Value {
        &self.answer
    }

    /// The sentence for whoever told; none where there is a warning instead.
    pub(super) fn sentence(&self) -> Option<String> {
        if self.warning().is_some() {
            return None;
        }
        let subject = &self.subject;
        if self.is_repeated() {
            return Some(format!("{subject} was told before: nobody is told twice"));
        }
        let targets: Vec<String> = self.rows("deliveries").filter_map(target).collect();
        Some(match targets.as_slice() {
            [] => format!("told of {subject}; no target asks for that"),
            [one] => format!("told of {subject}; {one} waits"),
            [first @ .., last] => format!("told of {subject}; {} and {last} wait", first.join(", ")),
        })
    }

    /// The sentence about a number that was told of before with other content.
    pub(super) fn warning(&self) -> Option<String> {
        let differs: Vec<String> = self
            .rows("repeated")
            .filter_map(|row| row.get("differs")?.as_array())
            .flatten()
            .filter_map(|field| Some(printable(field.as_str()?)))
            .collect();
        if differs.is_empty() {
            return None;
        }
        let otherwise = if differs.iter().any(|field| field == "finished") {
            "it is over".to_owned()
        } else {
            format!("it was told of before with other {}", differs.join(", "))
        };
        Some(format!(
            "{} is not taken: {otherwise}; give every run a number of its own, also one that is run again",
            self.subject
        ))
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        if self.warning().is_some() { ExitCode::from(NUMBER_USED) } else { ExitCode::SUCCESS }
    }

    /// True if the event, the last of its request, repeated a known fact.
    fn is_repeated(&self) -> bool {
        let duplicate = self.answer.get("duplicate").and_then(Value::as_bool).unwrap_or_default();
        let ids = self.answer.get("ids").and_then(Value::as_array);
        duplicate || ids.and_then(|ids| ids.last()).is_some_and(Value::is_null)
    }

    fn rows(&self, list: &str) -> impl Iterator<Item = &Value> {
        self.answer.get(list).and_then(Value::as_array).into_iter().flatten()
    }
}

/// Names the target of a delivery: "mail `developers`".
fn target(delivery: &Value) -> Option<String> {
    let text = |field| delivery.get(field).and_then(Value::as_str).map(printable);
    let name = format!("`{}`", text("target")?);
    Some(match text("kind") {
        Some(kind) => format!("{kind} {name}"),
        None => name,
    })
}
