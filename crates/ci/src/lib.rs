//! The continuous integration system as the other parts speak to it: a Buildbot master's client, and the control by which
//! builds are forced and stopped there.
//!
//! Invariant: knows nothing of events on their way in nor of targets; both use it.

pub mod buildbot;
pub mod control;
