//! Builds, their steps and the names of their logs (M-B, M-ST, M-LOG).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Properties, Results, SourceStamp, Timestamp};

/// A build's name: numbers count per builder and are never reused (M-BLD-05).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuildId {
    /// Builder's name.
    pub builder: String,
    /// Number within the builder.
    pub number: u64,
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.builder, self.number)
    }
}

/// One run of a builder. Results, text and finish time are absent until it is finished (M-B-02).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// Builder's name.
    pub builder: String,
    /// Number within the builder.
    pub number: u64,
    /// Page that shows it; wins over a computed one (M-URL-04).
    #[serde(default)]
    pub url: Option<String>,
    /// Tags of its builder.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Outcome; absent while it runs.
    #[serde(default)]
    pub results: Option<Results>,
    /// Words that describe the outcome (M-TXT-01).
    #[serde(default)]
    pub text: Vec<String>,
    /// Reason for which it was run.
    #[serde(default)]
    pub reason: String,
    /// Worker's name; `???` until assigned (M-B-02).
    #[serde(default = "unassigned")]
    pub worker: String,
    /// Time of its start; absent if nobody told of it (M-B-08).
    #[serde(default, deserialize_with = "super::timestamp::known")]
    pub started: Option<Timestamp>,
    /// Time of its end; absent while it runs.
    #[serde(default, deserialize_with = "super::timestamp::known")]
    pub finished: Option<Timestamp>,
    /// Properties.
    #[serde(default)]
    pub properties: Properties,
    /// One per codebase.
    #[serde(default)]
    pub source_stamps: Vec<SourceStamp>,
    /// Steps in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The buildset that asked for it.
    #[serde(default)]
    pub buildset: Option<u64>,
    /// Requests that it satisfies; several when they were merged (M-SET-03).
    #[serde(default)]
    pub requests: Vec<u64>,
}

fn unassigned() -> String {
    Build::NO_WORKER.to_owned()
}

impl Build {
    /// The name that stands for no worker (M-B-02).
    pub const NO_WORKER: &str = "???";

    /// A build of which only the name is known.
    #[must_use]
    pub fn new(builder: impl Into<String>, number: u64) -> Self {
        Self {
            builder: builder.into(),
            number,
            url: None,
            tags: Vec::new(),
            results: None,
            text: Vec::new(),
            reason: String::new(),
            worker: unassigned(),
            started: None,
            finished: None,
            properties: Properties::new(),
            source_stamps: Vec::new(),
            steps: Vec::new(),
            buildset: None,
            requests: Vec::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> BuildId {
        BuildId { builder: self.builder.clone(), number: self.number }
    }

    /// True if it is over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// The time that it took; absent if its start or its end is not known (M-B-08).
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        Some(self.finished?.since(self.started?))
    }

    /// The start of its earliest step, which it can't have begun after.
    #[must_use]
    pub fn first_step_started(&self) -> Option<Timestamp> {
        self.steps.iter().filter_map(|step| step.started).min()
    }

    /// Takes what it lacks from another telling of the same build: source stamps and their changes, and once it is over
    /// its steps.
    pub fn fill_from(&mut self, other: &Self) {
        self.fill_stamps(&other.source_stamps);
        if self.is_finished() && self.steps.is_empty() {
            self.steps.clone_from(&other.steps);
        }
    }

    /// Takes the changes that another telling of the same build has, in place of its own, with the repository and the
    /// project where it has none. Source stamps that are not there, or have no changes there, stay as they are.
    pub fn take_changes(&mut self, other: &Self) {
        for stamp in &mut self.source_stamps {
            let same = |other: &&SourceStamp| {
                other.codebase == stamp.codebase
                    && other.revision == stamp.revision
                    && !other.changes.is_empty()
            };
            let Some(other) = other.source_stamps.iter().find(same) else { continue };
            stamp.changes.clone_from(&other.changes);
            stamp.fill_place(&other.repository, &other.project);
        }
    }

    /// Takes source stamps, and changes of the same ones, where it has none.
    pub fn fill_stamps(&mut self, others: &[SourceStamp]) {
        if self.source_stamps.is_empty() {
            self.source_stamps = others.to_vec();
        }
        for stamp in self.source_stamps.iter_mut().filter(|stamp| stamp.changes.is_empty()) {
            let same =
                |other: &&SourceStamp| other.codebase == stamp.codebase && other.revision == stamp.revision;
            if let Some(other) = others.iter().find(same) {
                stamp.changes.clone_from(&other.changes);
            }
        }
    }
}

/// One step of a build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Unique within a build (M-ST-01).
    pub name: String,
    /// Words that describe it.
    pub text: Vec<String>,
    /// Words that it adds to the build's text.
    pub text2: Vec<String>,
    /// Outcome; absent while it runs.
    pub results: Option<Results>,
    /// Time of its start.
    #[serde(deserialize_with = "super::timestamp::known")]
    pub started: Option<Timestamp>,
    /// Time of its end; absent while it runs.
    #[serde(deserialize_with = "super::timestamp::known")]
    pub finished: Option<Timestamp>,
    /// Named links.
    pub urls: std::collections::BTreeMap<String, String>,
    /// Not shown to people by default.
    pub hidden: bool,
    /// Its logs, by name.
    pub logs: Vec<LogSummary>,
}

/// A log's name and size; its content is read from the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSummary {
    /// Usually `stdio`.
    pub name: String,
    /// Page that shows it.
    pub url: Option<String>,
    /// Lines kept.
    pub lines: u64,
    /// Bytes kept.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(times: &str) -> Build {
        let text = format!(r#"{{"builder": "linux", "number": 1{times}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn m_b_08_a_start_that_nobody_told_is_absent() {
        for (times, started) in [
            ("", None),
            (r#", "started": null"#, None),
            (r#", "started": 0, "finished": 0"#, None),
            (r#", "started": 5"#, Some(Timestamp::from_seconds(5))),
        ] {
            let build = read(times);
            assert_eq!((build.started, build.finished), (started, None), "{times}");
            let json = serde_json::to_value(&build).unwrap();
            assert_eq!(json["started"], serde_json::json!(started));
        }
    }

    #[test]
    fn m_b_08_a_duration_needs_both_times() {
        assert_eq!(read(r#", "finished": 9"#).duration(), None);
        assert_eq!(read(r#", "started": 5"#).duration(), None);
        assert_eq!(read(r#", "started": 5, "finished": 9"#).duration(), Some(Duration::from_secs(4)));
        assert_eq!(
            read(r#", "started": 9, "finished": 5"#).duration(),
            Some(Duration::ZERO),
            "clocks differ"
        );
    }
}
