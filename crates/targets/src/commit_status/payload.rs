//! The stored form of a delivery: a list of statuses, one for each commit.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::states::StateNames;
use crate::{Fault, payload};

/// Things that only one forge is told: stored with the status.
pub(super) type Details = Map<String, Value>;

/// A status, or a comment, of one commit.
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
    /// Things that only this forge is told.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) details: Details,
}

/// Writes statuses as a delivery's message.
pub(super) fn to_bytes(statuses: &[StoredStatus]) -> Result<Vec<u8>, Fault> {
    payload::to_bytes("the status", statuses)
}

/// Reads a delivery's message.
pub(super) fn from_bytes(message: &[u8]) -> Result<Vec<StoredStatus>, Fault> {
    payload::from_bytes(message)
}

impl StoredStatus {
    /// Names the commit, for people.
    pub(super) fn subject(&self) -> String {
        if self.name.is_empty() {
            return self.sha.clone();
        }
        format!("{}/{} at {}", self.owner, self.name, self.sha)
    }

    /// Gives a detail that is a text.
    pub(super) fn detail(&self, name: &str) -> Option<&str> {
        self.details.get(name)?.as_str()
    }

    /// True if a later one takes the place of this one before it is sent (GS-API-08).
    ///
    /// Only what isn't over is left out: a forge that is told of an end without its beginning shows the right thing,
    /// one that is told of a beginning after its end shows a build that never ends.
    pub(super) fn is_replaced_by(&self, later: &Self, names: &StateNames) -> bool {
        names.transient.contains(&self.state.as_str())
            && (&self.owner, &self.name, &self.sha, &self.context)
                == (&later.owner, &later.name, &later.sha, &later.context)
    }
}
