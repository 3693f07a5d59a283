//! The stored form of a delivery, from `prepare` until it is settled: JSON, whose fields are the target's own.
//!
//! Deliveries outlive upgrades: a field may be added with a default, none may be renamed.

use serde::{Deserialize, Serialize};

use crate::{Fault, FaultCode};

/// Writes `value` as bytes; `what` names it for people, such as `the review`.
pub(crate) fn to_bytes<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value)
        .map_err(|error| Fault::permanent(FaultCode::Content, format!("{what} cannot be kept: {error}")))
}

/// Reads a stored form.
pub(crate) fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// Makes the fault of a stored form that can't be read.
pub(crate) fn unreadable(error: impl std::fmt::Display) -> Fault {
    Fault::permanent(FaultCode::Content, format!("what was kept cannot be read: {error}"))
}
