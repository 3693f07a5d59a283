//! Campanile, a notifier engine for continuous integration.
#![deny(unsafe_code)]

pub mod model;
pub mod store;
