//! Callbacks in the store: their versions, the one in use, and the calls that logged or failed.

use serde::Serialize;

use campanile_model::Timestamp;

/// A kept version, without its component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct KeptVersion {
    /// Digest of the component, sha256 in hex.
    pub digest: String,
    /// Origin: `file` or `pushed`.
    pub origin: String,
    /// Size of the component in bytes, not compressed.
    pub size: u64,
    /// Time of its last activation.
    pub at: Timestamp,
}

/// The version of a callback that is called now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// The callback's name.
    pub callback: String,
    /// Digest of the version.
    pub digest: String,
    /// Digest of the settings' own file when that was decided: another file wins over this version.
    pub file_digest: Option<String>,
}

/// A call that logged or failed.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CallEntry {
    /// The callback's name.
    pub callback: String,
    /// Digest of the version that was called.
    pub version: String,
    /// Delivery that it was for; none for a preview or a trial.
    pub delivery: Option<i64>,
    /// Time of its end.
    pub at: Timestamp,
    /// Closed code of its end.
    pub outcome: String,
    /// Wall time in microseconds.
    pub micros: u64,
    /// Bytes of guest memory at its peak.
    pub peak_memory: u64,
    /// Logged lines: `[{"level": …, "text": …}, …]`.
    pub lines: serde_json::Value,
}
