//! Why a look failed. All of it may pass: a poller tries again until somebody changes the settings.

use std::time::Duration;

use campanile_outbound::OutboundError;

/// Why a look failed, for the one who must act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PollError {
    /// A program can't be run at all.
    #[error("cannot run `{program}`: {reason}")]
    NoProgram {
        /// Its name or path.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// A program says that it failed.
    #[error("`{program}` failed: {said}")]
    Program {
        /// Its name and what it was to do.
        program: String,
        /// What it said, on one line.
        said: String,
    },
    /// A program took too long and was ended.
    #[error("`{program}` did not end within {} s", limit.as_secs())]
    Timeout {
        /// Its name and what it was to do.
        program: String,
        /// How long it had.
        limit: Duration,
    },
    /// A request has no answer.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// What came back is not what was asked for.
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
            Self::Outbound(OutboundError::Forbidden { .. } | OutboundError::Address(_)) => "forbidden",
            Self::Content(_) => "content",
            Self::Local(_) => "local",
        }
    }
}
