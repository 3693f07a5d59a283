//! Buildsets and build requests (M-SET).

use serde::{Deserialize, Serialize};

use super::{Properties, Results, SourceStamp, Timestamp};

/// A wish for builds of several builders on the same sources (M-SET-01).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Buildset {
    /// Identity at the sender.
    pub bsid: u64,
    /// The `try` id, or another name given from outside.
    pub external_idstring: Option<String>,
    /// Reason for which it was asked for.
    pub reason: String,
    /// Time at which it was asked for.
    pub submitted_at: Timestamp,
    /// All its requests are complete.
    pub complete: bool,
    /// Time at which they were.
    pub complete_at: Option<Timestamp>,
    /// Outcome; absent until complete.
    pub results: Option<Results>,
    /// Source stamps to build.
    pub source_stamps: Vec<SourceStamp>,
    /// Properties for all its builds.
    pub properties: Properties,
}

/// A wish for one build of one builder (M-SET-02).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
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
    /// A build has been started for it.
    pub claimed: bool,
    /// Time at which that was.
    pub claimed_at: Option<Timestamp>,
    /// It is over.
    pub complete: bool,
    /// Outcome; absent until complete.
    pub results: Option<Results>,
    /// Time at which it was asked for.
    pub submitted_at: Timestamp,
    /// Time at which it was over.
    pub complete_at: Option<Timestamp>,
    /// Another build waits for it.
    pub waited_for: bool,
}

impl Buildset {
    /// The outcome of a set with these requests; none while one of them is incomplete (M-SET-05, M-RES-07).
    ///
    /// A set without requests is complete at once, and a success. What the sender says of a set wins over this.
    #[must_use]
    pub fn outcome(requests: &[BuildRequest]) -> Option<Results> {
        let ended = requests.iter().map(|request| request.results.filter(|_| request.complete));
        ended.collect::<Option<Vec<_>>>().map(Results::of_buildset)
    }

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
    fn m_set_05_complete_when_no_request_is_incomplete() {
        let request = |complete, results| BuildRequest { complete, results, ..BuildRequest::default() };
        let success = request(true, Some(Results::Success));
        assert_eq!(Buildset::outcome(&[]), Some(Results::Success));
        assert_eq!(Buildset::outcome(&[success.clone(), request(false, None)]), None);
        let failure = request(true, Some(Results::Failure));
        assert_eq!(Buildset::outcome(&[success, failure]), Some(Results::Failure));
    }

    #[test]
    fn m_set_06_merged_reasons_are_distinct_and_in_order() {
        assert_eq!(Buildset::merged_reason(["push", "", "force", "push"]), "push, force");
        assert_eq!(Buildset::merged_reason([]), "");
    }
}
