//! Errors of polls. All of them may pass: a poller tries again until somebody changes the settings.

use std::time::Duration;

use campanile_outbound::OutboundError;

/// Reasons for a poll to fail, for the one who must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// A program can't be run at all.
    #[error("cannot run `{program}`: {reason}")]
    NoProgram {
        /// Its name or path.
        program: String,
        /// The system's own words.
        reason: String,
    },
    /// A program says that it failed.
    #[error("`{program}` failed: {said}")]
    Program {
        /// Its name and what it was to do.
        program: String,
        /// Its own words, on one line.
        said: String,
    },
    /// A program took too long and was ended.
    #[error("`{program}` did not end within {} s", limit.as_secs())]
    Timeout {
        /// Its name and what it was to do.
        program: String,
        /// Time that it had.
        limit: Duration,
    },
    /// A request has no answer.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The answer is not of the form that was asked for.
    #[error("{0}")]
    Content(String),
    /// Files of this machine.
    #[error("{0}")]
    Local(String),
}

impl PollError {
    /// The code as counted; from a closed set.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoProgram { .. } => "no-program",
            Self::Program { .. } => "program",
            Self::Timeout { .. } | Self::Outbound(OutboundError::Timeout { .. }) => "timeout",
            Self::Outbound(OutboundError::Tls { .. }) => "tls",
            Self::Outbound(OutboundError::Connection { .. }) => "connection",
            Self::Outbound(
                OutboundError::Forbidden { .. } | OutboundError::Inside { .. } | OutboundError::Address(_),
            ) => "forbidden",
            Self::Content(_) => "content",
            Self::Local(_) => "local",
        }
    }
}
