//! An IRC client for bots that have to know whether a message has arrived. IRC itself has no receipts: this client asks
//! for one by a PING behind each message, which the server answers only after it has worked on everything before it.
//!
//! Reading order: `settings` (server, identity, channels), `message` (lines, parsed and encoded), `split` (long texts in
//! lines that fit), `formatting` (colours), `outbox` (rate, and receipts), `registration` (capabilities, SASL, nicknames), `channels`
//! (membership), `event` (what goes into a session, and comes out), `session` (one connection's side of the protocol),
//! `connection` (bytes, by TCP or TLS), `client` (a session over a connection), `backoff` (the wait before the next one).
//!
//! Numbers such as I-CON-05 are sentences of `docs/spec/irc.md`.
//!
//! Invariant: `session` and all that it is made of are pure: lines and the time go in, lines and events come out.
//!
//! Invariant: knows nothing of builds, targets or their tables. It connects once; when to try again is the caller's.

mod backoff;
mod channels;
mod client;
mod connection;
mod event;
mod formatting;
mod message;
mod outbox;
mod registration;
mod session;
mod settings;
#[cfg(test)]
mod silence_tests;
mod split;
#[cfg(test)]
mod tests;

pub use backoff::{Backoff, Delays};
pub use client::Client;
pub use connection::{Connection, ConnectionError};
pub use event::{OutgoingMessage, Refusal, SessionEvent};
pub use message::{Prefix, is_channel, is_word, same_name};
pub use outbox::{Rate, Ticket};
pub use session::Session;
pub use settings::{AccountAuth, Channel, ClientSettings, ServerSettings};
pub use split::{COLOUR, split};
