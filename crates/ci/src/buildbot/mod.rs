//! A Buildbot master: its JSON, and a client of its REST API.
//!
//! `bodies` has the types of its JSON and their meaning in the model; `master` is the client, with session and cooldown;
//! `queries` the requests; `settings` reads its address.
//!
//! Invariant: keeps nothing but its session and the numbers of its builders. The use of an answer is for others to
//! decide.

mod bodies;
mod master;
mod queries;
mod settings;

pub use bodies::{BuildbotBuild, BuildbotBuildset, BuildbotBuildsetReport, BuildbotRequestReport, results};
pub use master::{Master, MasterError};
pub use queries::{ForceScheduler, LogPages};
pub use settings::{ConnectedMaster, address, from_settings};
