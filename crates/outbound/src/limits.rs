//! Limits of time for far sides, one table for every protocol that goes out (M-OUT-01).
//!
//! Short where nothing has been handed over yet: another attempt costs nothing then, and until it ends, one that hangs
//! holds a slot of its target. Long where the protocol says that the far side may be at work.

use std::time::Duration;

/// A TCP connection with the look-up of the name; by HTTP, TLS included. Of several addresses each gets its share.
pub const CONNECT: Duration = Duration::from_secs(10);
/// The handshake of TLS.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// A whole exchange by HTTP, where its request has no limit of its own.
pub const HTTP_EXCHANGE: Duration = Duration::from_secs(30);
/// Each answer of a mail relay before the first mail: the greeting, and those to EHLO, STARTTLS and AUTH. Relays let
/// strangers wait for some seconds, so that senders of spam give up.
pub const SMTP_LOGIN: Duration = Duration::from_secs(60);
/// Each answer of a mail relay within a mail, and each 64 KiB of one; RFC 5321 (4.5.3.2) wants five minutes.
pub const SMTP_REPLY: Duration = Duration::from_secs(300);
/// The first answer on a connection to a relay that was kept. Much shorter than on a fresh one: some firewalls forget
/// connections without a word, and a fresh one is near.
pub const SMTP_ALIVE: Duration = Duration::from_secs(30);
/// A relay's goodbye.
pub const SMTP_QUIT: Duration = Duration::from_secs(5);
/// The welcome of a chat server. It looks us up, and may ask our machine who we are, which ends after half a minute.
pub const IRC_WELCOME: Duration = Duration::from_secs(60);
/// A line that a chat server does not take.
pub const IRC_WRITE: Duration = Duration::from_secs(30);
/// Keys, and the log-in, of an SSH server.
pub const SSH_LOGIN: Duration = Duration::from_secs(30);
