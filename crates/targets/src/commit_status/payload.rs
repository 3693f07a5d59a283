//! What a forge is told of a commit: descriptions, and the form in which statuses are kept (GS-MAP, GS-DESC).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::forge::{Details, StateOf, Words};
use campanile_model::{Results, Timestamp};

/// Which result is which state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    states: BTreeMap<&'static str, &'static str>,
    unknown: &'static str,
}

impl Mapping {
    /// GS-MAP-01.
    pub(super) fn new(words: &Words, state: Option<StateOf>) -> Self {
        let states =
            |state: StateOf| Results::ALL.iter().map(|results| (results.name(), state(*results))).collect();
        Self { states: state.map(states).unwrap_or_default(), unknown: words.unknown }
    }

    /// GS-MAP-02: one result goes elsewhere.
    pub(super) fn set(&mut self, results: Results, state: &'static str) {
        self.states.insert(results.name(), state);
    }

    /// The state of a build that ended.
    pub(super) fn state(&self, results: Option<Results>) -> &'static str {
        results.and_then(|results| self.states.get(results.name()).copied()).unwrap_or(self.unknown)
    }
}

/// A status as it is kept until the forge has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredStatus {
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) sha: String,
    pub(super) state: String,
    pub(super) context: String,
    pub(super) description: String,
    pub(super) target_url: Option<String>,
    /// What this forge is told beside.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) details: Details,
}

impl StoredStatus {
    /// Which commit, for people.
    pub(super) fn subject(&self) -> String {
        format!("{}/{} at {}", self.owner, self.name, self.sha)
    }

    /// A detail that is a text.
    pub(super) fn detail(&self, name: &str) -> Option<&str> {
        self.details.get(name)?.as_str()
    }

    /// Whether a later one takes the place of this one before it is sent (GS-API-08).
    pub(super) fn is_replaced_by(&self, later: &Self, words: &Words) -> bool {
        words.passing.contains(&self.state.as_str())
            && (&self.owner, &self.name, &self.sha, &self.context)
                == (&later.owner, &later.name, &later.sha, &later.context)
    }
}

/// GS-DESC-01.
pub(super) fn cut(description: &str, longest: usize) -> String {
    if description.chars().count() <= longest {
        return description.to_owned();
    }
    description.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// GS-DESC-03: `2014-04-19 23:03:46`, with a fraction if it has one, in the zone of this machine.
pub(super) fn local(at: Timestamp) -> String {
    at.to_text(&jiff::tz::TimeZone::system())
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
    fn gs_desc_01_long_descriptions_are_cut() {
        assert_eq!(cut(&"ü".repeat(140), 140), "ü".repeat(140));
        assert_eq!(cut(&"ü".repeat(141), 140), format!("{}…", "ü".repeat(139)));
    }

    #[test]
    fn gs_desc_03_times_have_a_fraction_if_they_need_one() {
        let at = Timestamp::from_seconds(1_397_948_626);
        let whole = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", local(at)).unwrap();
        let zoned = whole.to_zoned(jiff::tz::TimeZone::system()).unwrap();
        assert_eq!(zoned.timestamp().as_second(), 1_397_948_626);
        assert_eq!(local(at.after(Duration::from_micros(1_500))), format!("{}.001500", local(at)));
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
}
