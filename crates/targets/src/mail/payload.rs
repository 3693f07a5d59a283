//! The stored form of a mail: one line of JSON with the envelope, then the mail's own bytes, which never change.

use serde::{Deserialize, Serialize};

use super::size_limit::AttachedPart;
use crate::{Fault, FaultCode};

/// A mail with those who are still to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredMail {
    /// Sender and recipients, and the results so far.
    pub(super) envelope: Envelope,
    /// The mail as RFC 5322 has it; the same bytes at every attempt.
    pub(super) raw: Vec<u8>,
}

/// The part of a mail that relays are told, with the results of earlier attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Envelope {
    /// Sender's bare address.
    pub(super) sender: String,
    /// Bare addresses still to be served.
    pub(super) recipients: Vec<String>,
    /// `Message-ID`, with its angle brackets; the same at every attempt (M-59).
    pub(super) message_id: String,
    /// Time of rendering, as text that sorts by time.
    pub(super) rendered: String,
    /// Number of recipients who have it already.
    #[serde(default)]
    pub(super) served: usize,
    /// Recipients who were refused for good at earlier attempts, each in a sentence.
    #[serde(default)]
    pub(super) refused: Vec<String>,
    /// Attachments that may be left out for a relay that has no room for them.
    #[serde(default)]
    pub(super) parts: Vec<AttachedPart>,
}

impl StoredMail {
    /// Returns the bytes to keep.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec(&self.envelope).expect("an envelope holds only texts and a number");
        bytes.reserve(1 + self.raw.len());
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.raw);
        bytes
    }

    /// Reads what `to_bytes` wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let damaged =
            || Fault::permanent(FaultCode::Local, "the stored mail cannot be read: its envelope is damaged");
        let end = bytes.iter().position(|&byte| byte == b'\n').ok_or_else(damaged)?;
        let (head, raw) = bytes.split_at(end);
        let envelope = serde_json::from_slice(head).map_err(|_| damaged())?;
        Ok(Self { envelope, raw: raw.get(1..).unwrap_or_default().to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_reads_back_byte_for_byte() {
        let mail = StoredMail {
            envelope: Envelope {
                sender: "ci@x.org".to_owned(),
                recipients: vec!["a\"@x.org".to_owned(), "ü@x.org".to_owned()],
                ..Envelope::default()
            },
            raw: b"Subject: x\r\n\r\n\n\xff".to_vec(),
        };
        assert_eq!(StoredMail::from_bytes(&mail.to_bytes()), Ok(mail));
        for damaged in [&b""[..], b"{}", b"{}\n", b"x\ny"] {
            assert!(StoredMail::from_bytes(damaged).is_err());
        }
    }
}
