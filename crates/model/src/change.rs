//! One change to a source tree, as a hook or a poller reports it (M-CH-01 to M-CH-06).

use serde::{Deserialize, Serialize};

use super::{Properties, Timestamp};

/// A change: one commit, or one pull request, by one author.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Given by the store, counting up; 0 before that. Changes order by it (M-CH-06).
    pub number: u64,
    /// Author; blank when not known (H-CH-05).
    pub who: String,
    /// Committer, if it is told apart from the author.
    #[serde(deserialize_with = "super::lenient_json::unless_blank")]
    pub committer: Option<String>,
    /// Paths touched, in the sender's order.
    pub files: Vec<String>,
    /// Commit message.
    pub comments: String,
    /// Revision; absent means the tip.
    #[serde(deserialize_with = "super::lenient_json::unless_blank")]
    pub revision: Option<String>,
    /// Branch; absent means the default one.
    #[serde(deserialize_with = "super::lenient_json::unless_blank")]
    pub branch: Option<String>,
    /// Time of the commit, or as near to it as the sender says.
    pub when: Timestamp,
    /// Free grouping, such as `pull` or `tag`.
    #[serde(deserialize_with = "super::lenient_json::unless_blank")]
    pub category: Option<String>,
    /// Page that shows it; blank if none.
    pub revlink: String,
    /// Repository; may be blank.
    pub repository: String,
    /// Project; may be blank.
    pub project: String,
    /// Codebase; blank in single-codebase set-ups.
    pub codebase: String,
    /// Properties, source `Change`.
    pub properties: Properties,
    /// Revision that the branch was at before the push that this came with, if the forge says so: pushes may be told of late,
    /// twice, or in another order than they were made (M-CH-10).
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "super::lenient_json::unless_blank")]
    pub before: Option<String>,
    /// Kind of user name that the author is: `git`, `hg`... (H-GEN-16).
    pub src: Option<String>,
}

impl Change {
    /// Puts a time in the future back to now (M-CH-02); returns whether it had to.
    pub fn clamp_time(&mut self, now: Timestamp) -> bool {
        let future = self.when > now;
        if future {
            self.when = now;
        }
        future
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_ch_02_a_time_in_the_future_becomes_now() {
        let (past, now) = (Timestamp::from_seconds(5), Timestamp::from_seconds(9));
        let mut change = Change { when: past, ..Change::default() };
        assert!(!change.clamp_time(now));
        assert_eq!(change.when, past);
        change.when = Timestamp::from_seconds(10);
        assert!(change.clamp_time(now));
        assert_eq!(change.when, now);
    }
}
