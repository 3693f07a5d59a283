//! All that comes in: [`hooks`] read what forges post, [`ingest`] what CI systems tell of builds, [`pollers`] look for
//! what nobody tells.
//!
//! Invariant: hooks and ingest are pure: a request in, changes or events out. Nothing here knows a target or the
//! engine.

pub mod hooks;
pub mod ingest;
pub mod pollers;

/// The part of a sender's proof that its headers give, before a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderProof {
    /// All of it: they carry the secret itself.
    Whole,
    /// The rest needs the body, or nothing is asked for.
    WithBody,
}
