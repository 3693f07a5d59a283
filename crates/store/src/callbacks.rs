//! What is kept of callbacks: their versions, which one is in use, and the calls that logged or failed.

use serde::Serialize;

use campanile_model::Timestamp;

/// A kept version, without its component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct KeptVersion {
    /// Digest of the component, sha256 in hex.
    pub digest: String,
    /// Where it came from: `file` or `pushed`.
    pub origin: String,
    /// Bytes of the component.
    pub size: u64,
    /// When it was put to use last.
    pub at: Timestamp,
}

/// Which version of a callback is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// The callback's name.
    pub callback: String,
    /// Digest of the version.
    pub digest: String,
    /// Digest of the settings' own file when that was decided.
    pub file_digest: Option<String>,
}

/// A call that logged or failed.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CallEntry {
    /// The callback's name.
    pub callback: String,
    /// Digest of the version that was called.
    pub version: String,
    /// The delivery that it was for.
    pub delivery: Option<i64>,
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: String,
    /// Wall time in microseconds.
    pub micros: u64,
    /// Bytes of guest memory at its peak.
    pub peak_memory: u64,
    /// `[{"level": …, "text": …}, …]`.
    pub lines: serde_json::Value,
}
