//! Who asked the CI for what, and what came of it.

use serde::Serialize;

use campanile_model::Timestamp;

/// One thing that somebody asked of the CI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// `IRC user <ada> on channel #ci`.
    pub who: String,
    /// `irc.example.org/#ci`.
    pub place: String,
    /// `force linux: forced: by ...`.
    pub what: String,
    /// What the CI answered, or why nothing came of it.
    pub answer: String,
}
