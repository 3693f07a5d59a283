//! The stored forms of deliveries: packets, and bodies that tell of a build.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A packet: its bytes go out as they are stored (P-PKT-01).
#[derive(Serialize)]
pub(super) struct StoredPacket<'a> {
    pub(super) id: u64,
    pub(super) timestamp: String,
    pub(super) project: &'a str,
    pub(super) started: String,
    pub(super) event: &'static str,
    pub(super) payload: Map<String, Value>,
    pub(super) schema: &'static str,
}

/// The parts of a stored packet that are read when it goes out.
#[derive(Deserialize)]
pub(super) struct QueuedPacket<'a> {
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) timestamp: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) started: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) payload: &'a RawValue,
}

/// A body that tells of a build.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredBody {
    /// The same each time that it is sent, so that receivers know a repetition.
    pub(super) id: String,
    pub(super) is_json: bool,
    pub(super) body: String,
}
