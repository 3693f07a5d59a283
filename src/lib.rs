//! Campanile, a notifier engine for continuous integration.
#![deny(unsafe_code)]

pub mod callbacks;
pub mod config;
pub mod interpolate;
pub mod model;
pub mod store;
pub mod targets;
