//! The engine in one process: targets that do as they are told, the real store in a file, and a clock that stands still
//! until a test moves it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod fairness;
mod fake_target;
mod harness;
mod leases;
mod ordering;
mod recovery;
mod rests;
mod shutdown;
