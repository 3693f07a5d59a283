//! The one HTTP client for everything that goes out: what targets push, what pollers and look-ups fetch.
//!
//! Everybody who sends asks [`Outbound`] for a [`Client`], and gets the same rules: TLS by rustls, HTTP/2 where the far
//! side speaks it, connections kept, no redirects, no proxy of the environment's, an end to waiting and to reading, no
//! secret in an error. And a guard: a name or an address in the settings, or in an event, can't be used to reach what
//! is inside of the operator's network, unless the operator named that range (`[outbound] allow`).
//!
//! Reading order: `range` (what is inside), `names` (the resolver that connections use, and its guard), `dial`
//! (connections to everything but HTTP), `tls_connector` (TLS over those), `client`, `request`, `response`, `error`, and
//! `ssh` (commands on servers). `limits` says for all of them how long a far side is waited for.
//!
//! Invariant: knows nothing of targets, pollers or the engine. It sends once; when to try again is for others to say.

mod client;
mod dial;
mod error;
pub mod limits;
mod range;
mod request;
mod resolver;
mod response;
#[cfg(test)]
mod silence_tests;
mod ssh;
#[cfg(test)]
mod tests;
mod tls_connector;
pub mod trace;

pub use client::{Client, Outbound, Tls};
pub use dial::Dialer;
pub use error::OutboundError;
pub use range::{Allowed, NonPublicAddress};
pub use request::Request;
pub use resolver::{Resolver, SystemResolver};
pub use response::Response;
pub use ssh::{CommandOutput, SshClient, SshConfig, SshError, SshKeys};
pub use tls_connector::{TlsConnector, TlsError, tls_version};
