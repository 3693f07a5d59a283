//! Builders and workers (M-BLD, M-WK).

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What builds: one configuration, many builds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Builder {
    /// Unique name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Tags; none match nothing (M-BLD-04).
    pub tags: Vec<String>,
    /// What it is doing.
    pub state: BuilderState,
    /// Names of the workers it may use.
    pub workers: Vec<String>,
}

/// What a builder is doing; the initial state is offline (M-BLD-03).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BuilderState {
    /// No worker is attached.
    #[default]
    Offline,
    /// At least one build is running.
    Building,
    /// Waiting for work.
    Idle,
}

/// A machine that runs builds (M-WK-01).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Worker {
    /// Unique name.
    pub name: String,
    /// Who looks after it.
    pub admin: Option<String>,
    /// What machine it is.
    pub host: Option<String>,
    /// How to reach it.
    pub access_uri: Option<String>,
    /// Its software's version.
    pub version: Option<String>,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it takes no new builds.
    pub paused: bool,
    /// When it last said something.
    pub last_message: Option<Timestamp>,
    /// Who wants to know when it goes missing.
    pub notify: Vec<String>,
}
