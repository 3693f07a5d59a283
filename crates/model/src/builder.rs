//! Builders and workers (M-BLD, M-WK).

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// A builder: one configuration, many builds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Builder {
    /// Unique name.
    pub name: String,
    /// Its purpose.
    pub description: Option<String>,
    /// Tags; none match nothing (M-BLD-04).
    pub tags: Vec<String>,
    /// Its state.
    pub state: BuilderState,
    /// Names of the workers it may use.
    pub workers: Vec<String>,
}

/// State of a builder; the initial one is offline (M-BLD-03).
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
    /// Person who looks after it.
    pub admin: Option<String>,
    /// Machine that it runs on.
    pub host: Option<String>,
    /// Address at which to reach it.
    pub access_uri: Option<String>,
    /// Its software's version.
    pub version: Option<String>,
    /// It is connected.
    pub connected: bool,
    /// It takes no new builds.
    pub paused: bool,
    /// Time at which it last said something.
    pub last_message: Option<Timestamp>,
    /// Addresses of people to tell when it goes missing.
    pub notify: Vec<String>,
}
