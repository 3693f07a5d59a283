//! One macro per callback: it turns a plain function into the component's export.
//!
//! A component may export several callbacks: one macro for each, side by side in one crate.

mod chat;
mod gerrit;
mod hook;
mod mail;
mod push;

pub use gerrit::{ReviewRequest, StartRequest, SummaryRequest};
pub use mail::MessageRequest;
