//! What GitHub is told of a commit: states, descriptions, and the form in which a status is kept (GS-MAP, GS-DESC).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{Results, Timestamp};
use crate::targets::{Fault, FaultCode};

/// Longer descriptions are refused by GitHub (GS-DESC-01).
const LONGEST: usize = 140;

/// What a commit can be marked as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Pending,
    Success,
    Failure,
    Error,
}

impl State {
    pub(super) const ALL: [Self; 4] = [Self::Pending, Self::Success, Self::Failure, Self::Error];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }
}

/// Which result is which state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping(BTreeMap<&'static str, State>);

impl Mapping {
    /// GS-MAP-01.
    pub(super) fn modern() -> Self {
        let state = |results: &Results| match results {
            Results::Success | Results::Warnings | Results::Skipped => State::Success,
            Results::Failure => State::Failure,
            Results::Retry => State::Pending,
            Results::Exception | Results::Cancelled => State::Error,
        };
        Self(Results::ALL.iter().map(|results| (results.name(), state(results))).collect())
    }

    /// GS-MAP-01, as the first version had it.
    pub(super) fn of_2014() -> Self {
        let state = |results: &Results| match results {
            Results::Success => State::Success,
            Results::Failure => State::Failure,
            _ => State::Error,
        };
        Self(Results::ALL.iter().map(|results| (results.name(), state(results))).collect())
    }

    /// GS-MAP-02: one result goes elsewhere.
    pub(super) fn set(&mut self, results: Results, state: State) {
        self.0.insert(results.name(), state);
    }

    /// The state of a build; one without a result is an error.
    pub(super) fn state(&self, results: Option<Results>) -> State {
        results.and_then(|results| self.0.get(results.name()).copied()).unwrap_or(State::Error)
    }
}

/// A status as it is kept until GitHub has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredStatus {
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) sha: String,
    pub(super) state: State,
    pub(super) context: String,
    pub(super) description: String,
    pub(super) target_url: Option<String>,
}

impl StoredStatus {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|error| {
            Fault::lasting(FaultCode::Content, format!("the status cannot be kept: {error}"))
        })
    }

    /// Reads what was kept.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        serde_json::from_slice(bytes).map_err(|error| {
            Fault::lasting(FaultCode::Content, format!("what was kept cannot be read: {error}"))
        })
    }

    /// GS-API-03.
    pub(super) fn body(&self) -> Value {
        let mut body =
            json!({"state": self.state.name(), "description": self.description, "context": self.context});
        if let (Some(url), Some(body)) = (&self.target_url, body.as_object_mut()) {
            body.insert("target_url".to_owned(), url.as_str().into());
        }
        body
    }

    /// Whether a later one takes the place of this one before it is sent (GS-API-08).
    pub(super) fn is_replaced_by(&self, later: &Self) -> bool {
        self.state == State::Pending
            && (&self.owner, &self.name, &self.sha, &self.context)
                == (&later.owner, &later.name, &later.sha, &later.context)
    }
}

/// GS-DESC-01.
pub(super) fn cut(description: &str) -> String {
    if description.chars().count() <= LONGEST {
        return description.to_owned();
    }
    description.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// GS-DESC-03: `2014-04-19 23:03:46`, with a fraction if it has one, in the zone of this machine.
pub(super) fn local(at: Timestamp) -> String {
    let Ok(stamp) = jiff::Timestamp::from_microsecond(at.as_micros()) else { return String::new() };
    let zoned = stamp.to_zoned(jiff::tz::TimeZone::system());
    let fraction = at.as_micros().rem_euclid(1_000_000);
    let format = if fraction == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S.%6f" };
    zoned.strftime(format).to_string()
}

/// GS-DESC-04.
pub(super) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 86_400, "days"),
        (seconds / 3_600 % 24, "hours"),
        (seconds / 60 % 60, "minutes"),
        (seconds % 60, "seconds"),
    ];
    let told: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if told.is_empty() { "super fast".to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gs_map_01_gs_map_02_states_of_results() {
        let states = |mapping: &Mapping| {
            Results::ALL.into_iter().map(|results| mapping.state(Some(results)).name()).collect::<Vec<_>>()
        };
        let modern = ["success", "success", "failure", "success", "error", "pending", "error"];
        assert_eq!(states(&Mapping::modern()), modern);
        let old = ["success", "error", "failure", "error", "error", "error", "error"];
        assert_eq!(states(&Mapping::of_2014()), old);
        let mut own = Mapping::modern();
        own.set(Results::Warnings, State::Failure);
        assert_eq!(states(&own)[1], "failure");
        assert_eq!(own.state(None), State::Error);
    }

    #[test]
    fn gs_desc_01_long_descriptions_are_cut() {
        assert_eq!(cut(&"ü".repeat(140)), "ü".repeat(140));
        assert_eq!(cut(&"ü".repeat(141)), format!("{}…", "ü".repeat(139)));
    }

    #[test]
    fn gs_desc_04_durations() {
        for (seconds, text) in [
            (0, "super fast"),
            (1, "1 seconds"),
            (60, "1 minutes"),
            (61, "1 minutes, 1 seconds"),
            (3_600, "1 hours"),
            (3_660, "1 hours, 1 minutes"),
            (3_661, "1 hours, 1 minutes, 1 seconds"),
            (86_400, "1 days"),
            (86_401, "1 days, 1 seconds"),
        ] {
            assert_eq!(spoken(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn gs_api_03_gs_api_08_the_body_and_what_replaces_it() {
        let status = |state, context: &str, url: Option<&str>| StoredStatus {
            owner: "o".into(),
            name: "n".into(),
            sha: "abcd".into(),
            state,
            context: context.into(),
            description: "d".into(),
            target_url: url.map(str::to_owned),
        };
        let pending = status(State::Pending, "a", None);
        assert_eq!(pending.body(), json!({"state": "pending", "description": "d", "context": "a"}));
        let done = status(State::Success, "a", Some("https://ci/"));
        assert_eq!(done.body()["target_url"], "https://ci/");
        assert!(pending.is_replaced_by(&done) && !done.is_replaced_by(&pending));
        assert!(!pending.is_replaced_by(&status(State::Success, "b", None)));
        assert_eq!(StoredStatus::from_bytes(&done.to_bytes().unwrap()).unwrap(), done);
    }
}
