//! A Buildbot master, as others of us meet it: its JSON, and its REST API.
//!
//! `bodies` is what its JSON means; `master` asks it and tells it; `questions` is what is worth asking; `settings` reads
//! where it is.
//!
//! Invariant: keeps nothing but its session and the numbers of its builders. What an answer is good for is for others
//! to say.

mod bodies;
mod master;
mod questions;
mod settings;

pub use bodies::{TheirBuild, TheirBuildset, TheirSet, TheirWish, results};
pub use master::{Master, MasterError};
pub use questions::{ForceScheduler, TheirLogs};
pub use settings::{Connected, address, from_settings};
