//! Refusals of requests.

use campanile_model::escape_controls;

/// The refusal of a request, as its sender is answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {message}")]
pub struct HookError {
    /// The HTTP status to answer.
    pub status: u16,
    /// The answer's text, for the person who set up the sender: one line, in which control characters of the request
    /// are escaped (H-GEN-14, H-GEN-15).
    pub message: String,
}

impl HookError {
    /// 400.
    pub(super) fn bad_request(message: impl AsRef<str>) -> Self {
        Self { status: 400, message: escape_controls(message.as_ref()) }
    }

    /// 403.
    pub(super) fn forbidden(message: impl AsRef<str>) -> Self {
        Self { status: 403, message: escape_controls(message.as_ref()) }
    }
}
