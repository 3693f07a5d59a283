//! All that comes in: [`hooks`] read what forges post, [`ingest`] what CI systems tell of builds, [`pollers`] look for
//! what nobody tells.
//!
//! Invariant: hooks and ingest are pure: a request in, changes or events out. Nothing here knows a target or the
//! engine.

pub mod hooks;
pub mod ingest;
pub mod pollers;
