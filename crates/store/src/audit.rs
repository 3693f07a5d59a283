//! The audit log: requests to the CI, who made them, and their results.

use serde::Serialize;

use campanile_model::Timestamp;

/// One request that somebody made to the CI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Time of the request.
    pub at: Timestamp,
    /// Person, as shown: `IRC user <ada> on channel #ci`.
    pub who: String,
    /// Network and channel, or another way in: `irc.example.org/#ci`.
    pub place: String,
    /// Request: `force linux: forced: by ...`.
    pub what: String,
    /// Answer of the CI, or the reason for which there was none.
    pub answer: String,
}
