//! The bytes that a delivery keeps from the moment it is prepared until it is settled: JSON of the target's own.

use serde::{Deserialize, Serialize};

use super::{Fault, FaultCode};

/// The bytes of `value`; `what` names it for people, such as `the review`.
pub(super) fn to_bytes<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(value)
        .map_err(|error| Fault::permanent(FaultCode::Content, format!("{what} cannot be kept: {error}")))
}

/// Reads what was kept.
pub(super) fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// What was kept is not what was written.
pub(super) fn unreadable(error: impl std::fmt::Display) -> Fault {
    Fault::permanent(FaultCode::Content, format!("what was kept cannot be read: {error}"))
}
