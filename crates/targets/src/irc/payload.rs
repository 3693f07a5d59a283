//! The stored form of an announcement: texts by recipient, from the moment it is prepared until it has arrived.

use campanile_irc::OutgoingMessage;
use serde::{Deserialize, Serialize};

use super::bot::Messages;
use crate::{Fault, payload};

/// An announcement as it is stored. Cutting it into lines is left to the connection, which knows how long they may be.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    pub(super) to: Vec<Recipient>,
}

/// Texts for one channel or person.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipient {
    /// Lower-cased (I-OUT-01).
    pub(super) contact: String,
    /// One message each; never empty.
    pub(super) lines: Vec<String>,
}

impl Announcement {
    /// Reads what was stored.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        payload::from_bytes(bytes)
    }

    /// Writes the bytes to store.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        payload::to_bytes("what is to be said", self)
    }

    /// Gives it to a connection.
    pub(super) fn into_messages(self) -> Messages {
        let texts = |lines: Vec<String>| lines.into_iter().map(OutgoingMessage::Text).collect();
        self.to.into_iter().map(|recipient| (recipient.contact, texts(recipient.lines))).collect()
    }
}
