//! The bytes of a mail: headers, text and attachments (M-55 to M-64). Whatever the texts hold, the form stays right.

use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType};
use lettre::message::{Body, MultiPart, SinglePart};

use super::address::Address;
use super::headers::{self, Extra};
use super::recipients::Recipients;
use super::size_limit::{AttachedPart, AttachmentKind};
use campanile_callbacks::MessageKind;
use campanile_model::{Build, Timestamp};

/// The parts of a mail before it is written.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) from: &'a Address,
    pub(super) recipients: &'a Recipients,
    pub(super) subject: &'a str,
    pub(super) date: Timestamp,
    pub(super) message_id: &'a str,
    /// Root of the mail's thread, as a Message-ID, if mails are to be shown in threads (M-X-16).
    pub(super) thread: Option<&'a str>,
    pub(super) kind: MessageKind,
    pub(super) body: &'a str,
    /// Plain text beside a page.
    pub(super) alternative: Option<&'a str>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) extra: &'a [Extra],
}

/// A file in a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attachment {
    /// File name, any text (M-58).
    pub(super) name: String,
    /// Log or patch.
    pub(super) kind: AttachmentKind,
    /// URL at which it can be seen too.
    pub(super) url: Option<String>,
    pub(super) content: Content,
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A text; when blank, it is sent as bytes without a type.
    Text(String),
    /// Nothing: with so many bytes, it is only named (M-X-15).
    TooLarge(u64),
}

/// The patches of builds, each with its page, one attachment for each that differs (M-56).
pub(super) fn patches<'a>(builds: impl IntoIterator<Item = (&'a Build, Option<String>)>) -> Vec<Attachment> {
    let mut attachments: Vec<Attachment> = Vec::new();
    for (build, url) in builds {
        for patch in build.source_stamps.iter().filter_map(|stamp| stamp.patch.as_ref()) {
            if !attachments
                .iter()
                .any(|known| matches!(&known.content, Content::Text(text) if *text == patch.body))
            {
                attachments.push(Attachment {
                    name: format!("source patch {}", attachments.len()),
                    kind: AttachmentKind::Patch,
                    url: url.clone(),
                    content: Content::Text(patch.body.clone()),
                });
            }
        }
    }
    attachments
}

/// Writes the mail, with CRLF at all line ends. Returns its bytes, and the ranges of its attachments in them.
pub(super) fn render(draft: Draft<'_>) -> (Vec<u8>, Vec<AttachedPart>) {
    let mut ours = vec![("Message-ID", draft.message_id), ("Auto-Submitted", "auto-generated")];
    if let Some(thread) = draft.thread {
        ours.extend([("In-Reply-To", thread), ("References", thread)]);
    }
    let mut head = headers::line("Date", &date(draft.date));
    head.push_str(&headers::line("Subject", draft.subject));
    head.push_str(&headers::list("From", &[draft.from.header()]));
    let written = |addresses: &[Address]| addresses.iter().map(Address::header).collect::<Vec<_>>();
    head.push_str(&headers::list("To", &written(&draft.recipients.to)));
    if !draft.recipients.cc.is_empty() {
        head.push_str(&headers::list("Cc", &written(&draft.recipients.cc)));
    }
    for (name, value) in ours {
        if !draft.extra.iter().any(|extra| extra.name.eq_ignore_ascii_case(name)) {
            head.push_str(&headers::line(name, value));
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    for extra in draft.extra {
        // One of each: a second one of the same name would make readers disagree about which counts.
        if !seen.iter().any(|name| name.eq_ignore_ascii_case(&extra.name)) {
            head.push_str(&extra.line());
            seen.push(&extra.name);
        }
    }
    head.push_str("MIME-Version: 1.0\r\n");
    let mut raw = head.into_bytes();
    let parts = content(&mut raw, draft.kind, draft.body, draft.alternative, draft.attachments);
    (raw, parts)
}

/// The parts: one, or several under `multipart/mixed` (M-55).
fn content(
    raw: &mut Vec<u8>,
    kind: MessageKind,
    body: &str,
    alternative: Option<&str>,
    attachments: Vec<Attachment>,
) -> Vec<AttachedPart> {
    let text = |kind: MessageKind, body: &str| {
        let kind = match kind {
            MessageKind::Plain => ContentType::TEXT_PLAIN,
            MessageKind::Html => ContentType::TEXT_HTML,
        };
        text_part(kind, body)
    };
    let main = text(kind, body);
    let main = match (kind, alternative) {
        (MessageKind::Html, Some(plain)) => {
            MultiPart::alternative().singlepart(text(MessageKind::Plain, plain)).singlepart(main).formatted()
        }
        _ => main.formatted(),
    };
    if attachments.is_empty() {
        raw.extend_from_slice(&main);
        return Vec::new();
    }
    // Written by hand, since it must be known later where each part is. No text can hold what nobody can foresee.
    let boundary = format!("----campanile-{}", uuid::Uuid::now_v7().simple());
    raw.extend_from_slice(
        format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n").as_bytes(),
    );
    raw.extend_from_slice(&main);
    let mut parts = Vec::with_capacity(attachments.len());
    for Attachment { name, kind, url, content } in attachments {
        let start = raw.len();
        let name = file_name(&name);
        let bytes = match content {
            Content::Text(text) => {
                let bytes = text.len() as u64;
                raw.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                raw.extend_from_slice(&file(&name, &text).formatted());
                bytes
            }
            Content::TooLarge(bytes) => bytes,
        };
        parts.push(AttachedPart { name, kind, url, bytes, place: start..raw.len() });
    }
    raw.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    parts
}

/// A text: as it is where it travels so, else in the shorter one of the two encodings (M-63, M-64).
pub(super) fn text_part(kind: ContentType, text: &str) -> SinglePart {
    let text = clean(text);
    let body = if travels(&text) {
        Body::new_with_encoding(text, ContentTransferEncoding::SevenBit).unwrap_or_else(Body::new)
    } else {
        Body::new(text)
    };
    SinglePart::builder().content_type(kind).body(body)
}

/// True if a text with CRLF line ends goes through any relay as it is: ASCII with short lines.
fn travels(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~'))
        && text.split("\r\n").all(|line| line.len() <= 998)
}

/// An attachment: a text as UTF-8, base64 unless it travels as it is (M-56, M-58, M-63).
fn file(name: &str, text: &str) -> SinglePart {
    let disposition = ContentDisposition::attachment(name);
    if text.is_empty() {
        let bytes = Body::new(Vec::new());
        return SinglePart::builder().content_type(octets()).header(disposition).body(bytes);
    }
    let text = crlf(text);
    let encoding =
        if travels(&text) { ContentTransferEncoding::SevenBit } else { ContentTransferEncoding::Base64 };
    let body = Body::new_with_encoding(text, encoding)
        // Base64 takes everything, and what travels has short lines of ASCII.
        .unwrap_or_else(Body::new);
    SinglePart::builder().content_type(ContentType::TEXT_PLAIN).header(disposition).body(body)
}

fn octets() -> ContentType {
    ContentType::parse("application/octet-stream").unwrap_or(ContentType::TEXT_PLAIN)
}

/// A file name without what could lead out of a folder or out of the header, or pass for an encoded word (M-58).
fn file_name(name: &str) -> String {
    let separates = |c: char| c.is_control() || matches!(c, '/' | '\\' | '\u{2028}' | '\u{2029}');
    let name: String = name.chars().take(120).map(|c| if separates(c) { '_' } else { c }).collect();
    let name = name.trim().replace("=?", "=_");
    if name.trim_matches('.').is_empty() { "attachment".to_owned() } else { name }
}

/// A text that mail can carry: CRLF line ends, U+FFFD for what neither XML nor mail has a place for (M-63, M-64).
fn clean(text: &str) -> String {
    let carried = |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.chars().all(carried) {
        return crlf(text);
    }
    let text: String =
        text.chars().map(|c| if carried(c) { c } else { char::REPLACEMENT_CHARACTER }).collect();
    crlf(&text)
}

fn crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push_str("\r\n");
            }
            '\n' => out.push_str("\r\n"),
            c => out.push(c),
        }
    }
    out
}

/// A date as mail has it, in UTC (M-59).
fn date(when: Timestamp) -> String {
    let when = jiff::Timestamp::from_second(when.as_seconds()).unwrap_or_default();
    when.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use campanile_model::{Patch, SourceStamp};

    fn raw(subject: &str, name: &str, body: &str, extra: &[Extra], attachments: Vec<Attachment>) -> String {
        let from = Address::parse_sender("CI <ci@localhost>").unwrap();
        let to = Address::parse(&format!("{name} <a@x.org>"))
            .unwrap_or_else(|_| Address::parse("a@x.org").unwrap());
        let recipients = Recipients { to: vec![to], cc: vec![Address::parse("list@x.org").unwrap()] };
        let draft = Draft {
            from: &from,
            recipients: &recipients,
            subject,
            date: Timestamp::from_seconds(1_397_948_626),
            message_id: "<1@localhost>",
            thread: None,
            kind: MessageKind::Plain,
            body,
            alternative: None,
            attachments,
            extra,
        };
        String::from_utf8(render(draft).0).unwrap()
    }

    fn attachment(name: &str, text: &str) -> Attachment {
        Attachment {
            name: name.to_owned(),
            kind: AttachmentKind::Log,
            url: None,
            content: Content::Text(text.to_owned()),
        }
    }

    /// Names of the headers, after unfolding.
    fn header_names(raw: &str) -> Vec<String> {
        let (head, _) = raw.split_once("\r\n\r\n").unwrap();
        let lines = head.split("\r\n").filter(|line| !line.starts_with(' '));
        lines.map(|line| line.split_once(':').unwrap().0.to_owned()).collect()
    }

    const NAMES: [&str; 10] = [
        "Date",
        "Subject",
        "From",
        "To",
        "Cc",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];

    #[test]
    fn m_59_headers_of_a_plain_mail() {
        insta::assert_snapshot!(raw("a subject", "Ada", "text\n.\n\n", &[], Vec::new()).replace('\r', ""), @r"
        Date: Sat, 19 Apr 2014 23:03:46 +0000
        Subject: a subject
        From: CI <ci@localhost>
        To: Ada <a@x.org>
        Cc: list@x.org
        Message-ID: <1@localhost>
        Auto-Submitted: auto-generated
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        text
        .
        ");
    }

    #[test]
    fn m_56_patches_are_attached_and_counted() {
        let mut build = Build::new("b", 1);
        let stamp = |body: &str| SourceStamp {
            patch: Some(Patch { body: body.to_owned(), ..Patch::default() }),
            ..SourceStamp::default()
        };
        build.source_stamps = vec![stamp("+a\n"), SourceStamp::default(), stamp("+ü\n"), stamp("")];
        let raw = raw("s", "Ada", "text", &[], patches([(&build, None)]));
        assert!(raw.contains("Content-Type: multipart/mixed;"), "{raw}");
        for n in 0..3 {
            assert!(raw.contains(&format!("filename=\"source patch {n}\"")), "{raw}");
        }
        assert!(raw.contains("7bit\r\n\r\n+a\r\n"));
        assert!(raw.contains("K8O8DQo="), "{raw}");
        assert!(raw.contains("application/octet-stream"));
    }

    #[test]
    fn m_58_file_names_lead_nowhere() {
        assert_eq!(file_name("../../etc/passwd\n"), ".._.._etc_passwd_");
        assert_eq!(file_name(".."), "attachment");
        assert_eq!(file_name("=?utf-8?q?x?="), "=_utf-8?q?x?=");
        let raw = raw("s", "Ada", "t", &[], vec![attachment("Ü\"\r\nX: y", "t")]);
        assert!(raw.contains("filename*") && !raw.contains("\nX: y"), "{raw}");
    }

    #[test]
    fn m_60_one_may_replace_ours() {
        let extra = Extra::checked("message-id", "<mine@x.org>").unwrap();
        let raw = raw("s", "Ada", "t", &[extra.clone(), extra], Vec::new());
        assert_eq!(raw.to_lowercase().matches("message-id:").count(), 1);
    }

    #[test]
    fn m_63_long_lines_and_other_scripts_travel() {
        for body in ["x".repeat(5000), "ü\n".repeat(20), "日本語 ".repeat(900)] {
            let raw = raw("s", "Ada", &body, &[], vec![attachment("log", &body)]);
            assert!(raw.is_ascii() && raw.split("\r\n").all(|line| line.len() <= 998));
        }
    }

    #[test]
    fn m_64_what_mail_cannot_carry() {
        assert_eq!(clean("a\0b\tc\rd\r\ne\nf"), "a\u{fffd}b\tc\r\nd\r\ne\r\nf");
    }

    proptest::proptest! {
        #[test]
        fn no_text_adds_a_header_or_a_long_line(
            subject in "[\\x00-\\x7füx\u{2028} ]{0,300}",
            name in "[\\x20-\\x7fü\\r\\n]{0,60}",
            value in "[\\x00-\\x7fü]{0,300}",
            body in "[\\x00-\\x7fü\\r\\n]{0,1500}",
        ) {
            let extra = Extra { name: "X-Any".to_owned(), value };
            let raw = raw(&subject, &name, &body, &[extra], Vec::new());
            let mut wanted: Vec<&str> = NAMES.to_vec();
            wanted.insert(7, "X-Any");
            let mut names = header_names(&raw);
            let mut wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
            names.sort_unstable();
            wanted.sort_unstable();
            proptest::prop_assert_eq!(names, wanted);
            for line in raw.split("\r\n") {
                proptest::prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{:?}", line);
            }
        }
    }
}
