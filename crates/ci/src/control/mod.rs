//! The control of a CI: forces and stops builds there, and shuts it down, on behalf of people.
//!
//! `settings` reads `[control]`; `http` and `buildbot` are the two ways to reach a CI. The caller gets the CI's own
//! answer, or the reason for which there is none.
//!
//! Invariant: asks once. A force that was asked for twice is two builds.

mod buildbot;
mod http;
mod settings;

use async_trait::async_trait;

use campanile_model::BuildId;

pub use settings::{ControlSettings, from_settings};

/// The person who asks, and the place where; for the CI's reason texts and the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// `IRC user <ada> on channel #ci`.
    pub who: String,
    /// `irc.example.org/#ci`.
    pub place: String,
}

/// A build that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Force {
    /// The builder's name.
    pub builder: String,
    /// The branch; absent for the CI's own default.
    pub branch: Option<String>,
    /// The revision; absent for the newest.
    pub revision: Option<String>,
    /// Names and values.
    pub properties: Vec<(String, String)>,
    /// The person and the purpose, in the words that the build is to show (I-CMD-38).
    pub reason: String,
}

/// The CI's reply to a force: numbers by which the build can be recognised when it begins. Empty if it gives none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForceReply {
    /// The buildset that came of it.
    pub buildset: Option<u64>,
    /// The requests in it.
    pub requests: Vec<u64>,
    /// The CI's words.
    pub said: String,
}

/// A request about the CI's end (I-CMD-26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Only ask for the state.
    Check,
    /// No new builds; end when the running ones have.
    Start,
    /// Take `Start` back.
    Stop,
    /// End at once.
    Now,
}

impl Shutdown {
    /// The word that people say.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Now => "now",
        }
    }
}

/// State of a CI with regard to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// It does.
    Running,
    /// It ends when what runs has ended.
    ShuttingDown,
}

/// Reasons for which nothing came of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The settings name no way to the CI, or none for this request.
    #[error("control is not enabled: `[control]` in the settings does not say how")]
    NotConfigured,
    /// The CI said no.
    #[error("the CI refused: {0}")]
    Refused(String),
    /// The CI did not answer. It may have done as it was asked: the request is not repeated.
    #[error("the CI did not answer: {0}")]
    Unreachable(String),
}

/// A way to steer a CI.
#[async_trait]
pub trait Control: Send + Sync {
    /// Asks for a build.
    async fn force(&self, asker: &Asker, force: &Force) -> Result<ForceReply, ControlError>;
    /// Stops a running build; gives the CI's words.
    async fn stop(&self, asker: &Asker, build: &BuildId, reason: &str) -> Result<String, ControlError>;
    /// Takes a request of a builder back that has not begun; gives the CI's words.
    async fn cancel(
        &self,
        asker: &Asker,
        builder: &str,
        request: u64,
        reason: &str,
    ) -> Result<String, ControlError>;
    /// Ends the CI, or only asks for its state; gives the state after it.
    async fn shutdown(&self, asker: &Asker, what: Shutdown) -> Result<Lifecycle, ControlError>;
}

/// Settings without `[control]`.
pub struct NotConfigured;

#[async_trait]
impl Control for NotConfigured {
    async fn force(&self, _: &Asker, _: &Force) -> Result<ForceReply, ControlError> {
        Err(ControlError::NotConfigured)
    }

    async fn stop(&self, _: &Asker, _: &BuildId, _: &str) -> Result<String, ControlError> {
        Err(ControlError::NotConfigured)
    }

    async fn cancel(&self, _: &Asker, _: &str, _: u64, _: &str) -> Result<String, ControlError> {
        Err(ControlError::NotConfigured)
    }

    async fn shutdown(&self, _: &Asker, _: Shutdown) -> Result<Lifecycle, ControlError> {
        Err(ControlError::NotConfigured)
    }
}
