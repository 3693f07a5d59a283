//! An SMTP client: hands a message to a relay and tells what became of each recipient.
//!
//! Relays answer for each recipient by itself, and those who send to many have to know: who was accepted has the
//! message, who was refused never gets it, who was deferred is to be tried again, alone. [`Relay::send`] gives
//! [`RecipientResults`] with these three lists, and an error only when nobody got the message.
//!
//! A [`Relay`] keeps connections and uses them again; agrees on TLS from the first byte, by STARTTLS, or not at all;
//! logs in by CRAM-MD5, PLAIN or LOGIN, and tells no password over a line that others can read; sends commands together
//! where the relay can have them so (PIPELINING). What a message's bytes are is up to its [`MessageContent`], which is
//! asked once the relay has told its extensions: so a message can be smaller for a relay with less room, or in ASCII
//! for one that knows nothing else.
//!
//! Reading order: `relay` (connections made ready, and kept by `pool`), `transaction` (one message on one connection),
//! `connection` (commands and replies as bytes), `extensions`, `login`, `error`.
//!
//! Invariant: knows nothing of builds, targets or what is in a message. It tries once: the only thing done again is a
//! kept connection that died before anything was said on it. When to try again is for the caller to say.

mod connection;
mod error;
mod extensions;
mod login;
mod pool;
mod relay;
#[cfg(test)]
mod silence_tests;
mod transaction;

pub use error::{ConnectError, SendError, SmtpError, TransactionError};
pub use extensions::EhloExtensions;
pub use login::{Credentials, Mechanism};
pub use pool::MAX_CONNECTIONS;
pub use relay::{Encryption, ProbeReport, Relay, RelayConfig};
pub use transaction::{Message, MessageContent, MessageTooLarge, RecipientError, RecipientResults};
