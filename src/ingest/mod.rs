//! Bodies of other systems become events. One file a form; `native` is our own.
//!
//! Invariant: pure; what is wrong with a body is said with its place, and then none of it is taken.

pub mod buildbot;
mod native;

pub use native::{BadEvents, Form, parse};
