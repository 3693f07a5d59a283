//! Mails that are too large (M-X-15): attachments are left out, the largest logs first, then the patches, and a
//! closing note names each with its URL.

use std::ops::Range;

use lettre::message::header::ContentType;
use serde::{Deserialize, Serialize};

use super::payload::StoredMail;
use crate::{Fault, FaultCode};

/// An attachment within the bytes of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AttachedPart {
    /// File name.
    pub(super) name: String,
    /// Log or patch.
    pub(super) kind: AttachmentKind,
    /// URL at which it can be seen.
    pub(super) url: Option<String>,
    /// Bytes of its content.
    pub(super) bytes: u64,
    /// From its boundary to the next one; nothing, if it was too large from the beginning.
    pub(super) place: Range<usize>,
}

/// Kinds of attachments, in the order that they are left out in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum AttachmentKind {
    Log,
    Patch,
}

/// The reason for leaving something out, as the note says it.
#[derive(Clone, Copy)]
enum Reason {
    Settings(u64),
    Relay(u64),
    Refused,
}

impl StoredMail {
    /// Returns the mail in at most `max` bytes, as the settings of the target want it.
    pub(super) fn limited(self, target: &str, max: u64) -> Result<Self, Fault> {
        let whole = self.envelope.parts.iter().all(|part| !part.place.is_empty());
        if whole && self.raw.len() as u64 <= max {
            return Ok(self);
        }
        self.cut(Some(max), Reason::Settings(max)).ok_or_else(|| {
            let text = format!(
                "mail target `{target}`: the text alone has more bytes than `max_message_bytes` ({max}): \
                 raise it, or have a shorter text written"
            );
            Fault::permanent(FaultCode::Content, text)
        })
    }

    /// Returns the mail for a relay that takes no more than `max` bytes; none if the text alone has more.
    pub(super) fn cut_to(&self, max: u64) -> Option<Self> {
        self.cut(Some(max), Reason::Relay(max))
    }

    /// Returns the mail with its text only; none if there is nothing to leave out.
    pub(super) fn without_attachments(&self) -> Option<Self> {
        self.cut(None, Reason::Refused)
    }

    fn cut(&self, max: Option<u64>, reason: Reason) -> Option<Self> {
        let parts = &self.envelope.parts;
        let (mut order, mut gone): (Vec<&AttachedPart>, Vec<&AttachedPart>) =
            parts.iter().partition(|part| !part.place.is_empty());
        order.sort_by_key(|part| (part.kind, std::cmp::Reverse(part.place.len())));
        let fits = |cut: &Self| max.is_none_or(|max| cut.raw.len() as u64 <= max);
        let mut left = self.raw.len();
        let mut order = order.into_iter();
        loop {
            // The note still comes on top; without a limit, everything goes.
            let enough = max.map_or(gone.len() == parts.len(), |max| left as u64 <= max);
            if enough
                && !gone.is_empty()
                && let Some(cut) = self.without(&gone, reason).filter(fits)
            {
                return Some(cut);
            }
            let part = order.next()?;
            gone.push(part);
            left = left.checked_sub(part.place.len())?;
        }
    }

    /// Returns the mail without these parts, and with the note about them behind the last one.
    fn without(&self, gone: &[&AttachedPart], reason: Reason) -> Option<Self> {
        let parts = &self.envelope.parts;
        let (first, last) = (parts.first()?, parts.last()?);
        let mut raw = self.raw.get(..first.place.start)?.to_vec();
        let mut kept = Vec::new();
        for part in parts.iter().filter(|part| !gone.contains(part)) {
            let start = raw.len();
            raw.extend_from_slice(self.raw.get(part.place.clone())?);
            kept.push(AttachedPart { place: start..raw.len(), ..part.clone() });
        }
        let boundary = self.raw.get(first.place.clone())?.split(|&byte| byte == b'\r').next()?;
        raw.extend_from_slice(boundary);
        raw.extend_from_slice(b"\r\n");
        let gone = parts.iter().filter(|part| gone.contains(part));
        raw.extend_from_slice(&note(gone, reason));
        raw.extend_from_slice(self.raw.get(last.place.end..)?);
        let mut envelope = self.envelope.clone();
        envelope.parts = kept;
        Some(Self { envelope, raw })
    }
}

/// The closing note: a part of its own, which mail programs show below the text.
fn note<'a>(gone: impl Iterator<Item = &'a AttachedPart>, reason: Reason) -> Vec<u8> {
    let mut text = match reason {
        Reason::Settings(max) => {
            format!("Left out: this mail may have {max} bytes at most (max_message_bytes):\r\n")
        }
        Reason::Relay(max) => format!("Left out: the mail relay takes {max} bytes at most:\r\n"),
        Reason::Refused => "Left out: the mail relay did not take them:\r\n".to_owned(),
    };
    for part in gone {
        text.push_str(&format!("- {}, {} bytes", part.name, part.bytes));
        if let Some(url) = &part.url {
            text.push_str(&format!(": {}", super::subject::one_line(url)));
        }
        text.push_str("\r\n");
    }
    super::mime::text_part(ContentType::TEXT_PLAIN, &text).formatted()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::payload::Envelope;
    use super::*;

    /// A mail with a text and parts of so many bytes.
    fn mail(parts: &[(&str, AttachmentKind, usize)]) -> StoredMail {
        let mut raw = b"Subject: x\r\n\r\n--B\r\n\r\ntext\r\n".to_vec();
        let mut found = Vec::new();
        for &(name, kind, bytes) in parts {
            let start = raw.len();
            raw.extend_from_slice(format!("--B\r\n\r\n{}{}\r\n", name, "x".repeat(bytes)).as_bytes());
            let (url, bytes) =
                ((kind == AttachmentKind::Log).then(|| format!("http://x/{name}")), bytes as u64);
            found.push(AttachedPart { name: name.to_owned(), kind, url, bytes, place: start..raw.len() });
        }
        raw.extend_from_slice(b"--B--\r\n");
        StoredMail { envelope: Envelope { parts: found, ..Envelope::default() }, raw }
    }

    fn names(mail: &StoredMail) -> Vec<&str> {
        mail.envelope.parts.iter().map(|part| part.name.as_str()).collect()
    }

    #[test]
    fn m_x_15_the_largest_logs_go_first_then_patches() {
        let whole = mail(&[
            ("patch", AttachmentKind::Patch, 9000),
            ("small", AttachmentKind::Log, 1000),
            ("large", AttachmentKind::Log, 8000),
        ]);
        assert_eq!(whole.clone().limited("t", 1 << 20).unwrap(), whole);
        for (max, kept) in [(11_000, vec!["patch", "small"]), (10_000, vec!["patch"]), (9000, vec![])] {
            let cut = whole.clone().limited("t", max).unwrap();
            assert_eq!(names(&cut), kept, "{max}");
            assert!(cut.raw.len() as u64 <= max);
            let text = String::from_utf8(cut.raw.clone()).unwrap();
            assert!(text.contains(&format!("Left out: this mail may have {max} bytes at most")));
            assert!(text.contains("- large, 8000 bytes: http://x/large\r\n"));
            for part in &cut.envelope.parts {
                let bytes = cut.raw.get(part.place.clone()).unwrap();
                assert!(bytes.starts_with(format!("--B\r\n\r\n{}x", part.name).as_bytes()));
            }
            assert!(text.ends_with("--B--\r\n") && text.contains("text\r\n"));
        }
    }

    #[test]
    fn m_x_15_a_relay_with_less_room_gets_less() {
        let whole = mail(&[
            ("a", AttachmentKind::Log, 3000),
            ("b", AttachmentKind::Log, 2000),
            ("p", AttachmentKind::Patch, 100),
        ]);
        let cut = whole.clone().limited("t", 4000).unwrap();
        let again = cut.cut_to(1000).unwrap();
        assert_eq!(names(&again), ["p"]);
        let text = String::from_utf8(again.raw.clone()).unwrap();
        assert!(
            text.contains("(max_message_bytes):") && text.contains("the mail relay takes 1000 bytes at most")
        );
        assert_eq!(names(&again.without_attachments().unwrap()), Vec::<&str>::new());
        assert_eq!(again.without_attachments().unwrap().without_attachments(), None);
    }

    #[test]
    fn m_x_15_what_was_never_read_is_named_too() {
        let mut whole = mail(&[("a", AttachmentKind::Log, 500), ("p", AttachmentKind::Patch, 100)]);
        let end = whole.envelope.parts[0].place.end;
        let unread = AttachedPart {
            name: "b".to_owned(),
            kind: AttachmentKind::Log,
            url: None,
            bytes: 9 << 20,
            place: end..end,
        };
        whole.envelope.parts.insert(1, unread);
        let cut = whole.limited("t", 1 << 20).unwrap();
        assert_eq!(names(&cut), ["a", "p"]);
        assert!(String::from_utf8(cut.raw).unwrap().contains("- b, 9437184 bytes\r\n"));
    }

    #[test]
    fn m_x_15_a_text_that_is_too_long_is_a_fault() {
        let fault = mail(&[("a", AttachmentKind::Log, 10)]).limited("t", 40).unwrap_err();
        assert_eq!(fault.code, FaultCode::Content);
        assert!(fault.text.contains("`max_message_bytes` (40)"), "{fault}");
        assert_eq!(mail(&[]).cut_to(10), None);
    }

    #[test]
    fn places_that_are_wrong_cut_nothing() {
        let mut damaged = mail(&[("a", AttachmentKind::Log, 1000)]);
        damaged.envelope.parts[0].place = 5..5_000_000;
        assert_eq!(damaged.cut_to(100), None);
        assert_eq!(damaged.without_attachments(), None);
    }
}
