//! Buildsets and build requests (M-SET).

use serde::{Deserialize, Serialize};

use super::{Properties, Results, SourceStamp, Timestamp};

/// A wish for builds of several builders on the same sources (M-SET-01).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Buildset {
    /// Identity at the sender.
    pub bsid: u64,
    /// The `try` id, or another name given from outside.
    pub external_idstring: Option<String>,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub submitted_at: Timestamp,
    /// Whether all its requests are complete.
    pub complete: bool,
    /// When it became so.
    pub complete_at: Option<Timestamp>,
    /// Outcome; absent until complete.
    pub results: Option<Results>,
    /// What to build.
    pub source_stamps: Vec<SourceStamp>,
    /// Properties for all its builds.
    pub properties: Properties,
}

/// A wish for one build of one builder (M-SET-02).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuildRequest {
    /// Identity at the sender.
    pub brid: u64,
    /// Its buildset.
    pub bsid: u64,
    /// Builder's name.
    pub builder: String,
    /// Higher goes first.
    pub priority: i64,
    /// Whether a build has been started for it.
    pub claimed: bool,
    /// When that was.
    pub claimed_at: Option<Timestamp>,
    /// Whether it is over.
    pub complete: bool,
    /// Outcome; absent until complete.
    pub results: Option<Results>,
    /// When it was asked for.
    pub submitted_at: Timestamp,
    /// When it was over.
    pub complete_at: Option<Timestamp>,
    /// Whether another build waits for it.
    pub waited_for: bool,
}

impl Buildset {
    /// The reasons of merged requests as one text (M-SET-06).
    pub fn merged_reason<'a>(reasons: impl IntoIterator<Item = &'a str>) -> String {
        let mut distinct: Vec<&str> = Vec::new();
        for reason in reasons {
            if !reason.is_empty() && !distinct.contains(&reason) {
                distinct.push(reason);
            }
        }
        distinct.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_set_06_merged_reasons_are_distinct_and_in_order() {
        assert_eq!(Buildset::merged_reason(["push", "", "force", "push"]), "push, force");
        assert_eq!(Buildset::merged_reason([]), "");
    }
}
