//! Errors of calls.

use std::time::Duration;

use super::call::shortened;
use super::kind::Kind;

/// Bytes of a guest's own error text that are taken.
pub(super) const MAX_TEXT: usize = 2 << 10;

/// Reasons for a call to give no answer, in words for the one who wrote the callback.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// The settings name no component, and none was pushed yet.
    #[error("it has no component yet: push one with `campanile callbacks push`")]
    Empty,
    /// The component has no such callback.
    #[error("it exports no {}", .0.name())]
    NotExported(Kind),
    /// The guest answered with an error of its own.
    #[error("it answered: {0}")]
    Answered(String),
    /// The guest stopped itself or broke a rule of WebAssembly.
    #[error("it stopped: {0}")]
    Trapped(String),
    /// The deadline passed.
    #[error("it took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It asked for more than it may have.
    #[error("{0}")]
    OverLimit(String),
}

impl CallbackError {
    /// The error of a guest's own, as much of its text as people read: it is kept and sent wherever an error is told.
    pub(super) fn answered(text: String) -> Self {
        Self::Answered(shortened(text, MAX_TEXT))
    }

    /// The outcome in the record of the call.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Empty | Self::NotExported(_) | Self::Answered(_) => "answered-error",
            Self::Trapped(_) => "trapped",
            Self::TimedOut(_) => "timed-out",
            Self::OverLimit(_) => "over-limit",
        }
    }
}
