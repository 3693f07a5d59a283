//! The user's own functions: WebAssembly components, each call in a cage of its own.
//!
//! Invariant: a callback reaches nothing but what `Status` and its log give; it has no file, clock, socket or state.

pub mod message_formatter;
mod status;

pub use message_formatter::{FormattedMessage, MessageKind, Mode, Modes};
pub use status::{Status, StatusError};

use std::sync::Arc;

use crate::model::{Build, BuildId, Results};

/// A callback in use, by the name that the settings give it. Cheap to clone; follows swaps of its component.
#[derive(Clone)]
pub struct Callback {
    name: Arc<str>,
}

impl Callback {
    /// The name in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its component exports a message formatter.
    #[must_use]
    pub fn is_message_formatter(&self) -> bool {
        true
    }

    /// Whether its component exports a previousBuildGetter.
    #[must_use]
    pub fn is_previous_build_getter(&self) -> bool {
        true
    }

    /// Runs the message formatter (M-45).
    ///
    /// # Errors
    /// When the component has none, refuses, traps, or meets a limit.
    pub async fn format_message(
        &self,
        _status: Arc<dyn Status>,
        _modes: Modes,
        _name: &str,
        _build: &Build,
        _results: Results,
    ) -> Result<FormattedMessage, CallbackFault> {
        Err(CallbackFault::Trapped(String::new()))
    }

    /// Runs the previousBuildGetter (M-19).
    ///
    /// # Errors
    /// When the component has none, refuses, traps, or meets a limit.
    pub async fn previous_build(
        &self,
        _status: Arc<dyn Status>,
        _build: &Build,
    ) -> Result<Option<BuildId>, CallbackFault> {
        Err(CallbackFault::Trapped(String::new()))
    }
}

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackFault {
    /// The guest answered with an error of its own.
    #[error("it answered: {0}")]
    Answered(String),
    /// The guest stopped itself or broke a rule of WebAssembly.
    #[error("it stopped: {0}")]
    Trapped(String),
}
