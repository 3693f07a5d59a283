//! Campanile, a notifier engine for continuous integration.
//!
//! # Layout, in the order that news takes
//!
//! 1. [`hooks`] and [`ingest`]: what comes in becomes typed events; pure.
//! 2. [`store`]: events, what they project to, and deliveries, in one transaction.
//! 3. [`engine`]: which targets an event concerns, and every delivery until its end.
//! 4. [`targets`]: where notifications go; decide, write, send.
//! 5. [`callbacks`]: the user's own functions, as caged WebAssembly components.
//! 6. [`http`]: the door. [`cli`]: the commands.
//!
//! Below all of them: [`buildbot`], a master as others of us meet it; [`outbound`], the one HTTP client, with [`telemetry`]
//! that goes through it; [`config`] for settings, [`interpolate`] and
//! [`templates`] for the two template languages, [`model`] for the facts.
//!
//! Imports point one way: `cli -> http -> engine -> {targets, hooks, pollers, ingest} -> {store, callbacks, outbound,
//! config} -> interpolate -> model`.
#![deny(unsafe_code)]

pub mod buildbot;
pub mod callbacks;
pub mod cli;
pub mod config;
pub mod control;
pub mod engine;
pub mod hooks;
pub mod http;
pub mod ingest;
pub mod interpolate;
pub mod model;
pub mod outbound;
pub mod pollers;
pub mod store;
pub mod targets;
pub mod telemetry;
pub mod templates;
