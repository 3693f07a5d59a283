//! Header lines: folding and encoding (M-62), and those that settings and formatters add (M-60, M-61).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::address::Address;
use super::subject::one_line;
use campanile_model::interpolate::{Scope, Template};

/// Column at which lines are folded.
const WIDTH: usize = 76;
/// Bytes of text in one encoded word, so that a line of one fits.
const WORD: usize = 39;

/// Writes a header's line or lines, with their CRLF. The value may be any text: it cannot begin a header of its own.
pub(super) fn line(name: &str, value: &str) -> String {
    let value = one_line(value);
    let value = value.trim();
    // A word that looks encoded would be shown as something else, and one that is too long could not be folded.
    let plain = value.is_ascii()
        && !value.contains("=?")
        && value.split(' ').all(|word| word.len() < 800)
        && !value.contains(&" ".repeat(100));
    if plain { folded(name, value) } else { unstructured(name, value) }
}

/// Writes a header whose value is already in its final form, in pieces between which lines may be broken.
pub(super) fn list(name: &str, pieces: &[String]) -> String {
    format!("{name}: {}\r\n", pieces.join(",\r\n "))
}

fn unstructured(name: &str, value: &str) -> String {
    // The longest encoded word has 64 characters.
    let first = if name.len() + 2 + 64 > WIDTH + 2 { "\r\n " } else { "" };
    format!("{name}: {first}{}\r\n", encoded_words(value).join("\r\n "))
}

fn folded(name: &str, value: &str) -> String {
    let mut out = format!("{name}:");
    let mut column = out.len();
    let mut blanks = 1;
    for word in value.split(' ') {
        if word.is_empty() {
            blanks += 1;
            continue;
        }
        if column + blanks + word.len() > WIDTH && column > name.len() + 1 {
            out.push_str("\r\n");
            column = 0;
        }
        out.push_str(&" ".repeat(blanks));
        out.push_str(word);
        column += blanks + word.len();
        blanks = 1;
    }
    out.push_str("\r\n");
    out
}

/// Encodes a text as RFC 2047 words, each of whole characters.
pub(super) fn encoded_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chunk = String::new();
    let mut push = |chunk: &mut String| {
        if !chunk.is_empty() {
            words.push(format!("=?utf-8?b?{}?=", STANDARD.encode(chunk.as_bytes())));
            chunk.clear();
        }
    };
    for c in text.chars() {
        if chunk.len() + c.len_utf8() > WORD {
            push(&mut chunk);
        }
        chunk.push(c);
    }
    push(&mut chunk);
    words
}

/// The longest value of an extra header, in bytes.
const MAX_VALUE: usize = 8 << 10;
/// The longest that all extra headers of a mail are together, in bytes: relays take no more.
pub(super) const MAX_VALUES: usize = 64 << 10;

/// A header that settings or a formatter add, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extra {
    /// Its name.
    pub(super) name: String,
    /// Its value, any text.
    pub(super) value: String,
}

impl Extra {
    /// Makes a header under the rules of M-60; none, and a line in the log, when it may not be added.
    pub(super) fn checked(name: &str, value: &str) -> Option<Self> {
        if !is_name(name) {
            tracing::warn!(header = ?name, "mail: an extra header is left out: that is no name for a header");
            return None;
        }
        if is_ours(name) {
            tracing::warn!(header = name, "mail: an extra header is left out: the mail has it already");
            return None;
        }
        if value.len() > MAX_VALUE {
            let bytes = value.len();
            tracing::warn!(
                header = name,
                bytes,
                "mail: an extra header is left out: it is longer than {MAX_VALUE} bytes"
            );
            return None;
        }
        Some(Self { name: name.to_owned(), value: one_line(value).trim().to_owned() })
    }

    /// Its line. Of the header that holds an address, only the display name is encoded.
    pub(super) fn line(&self) -> String {
        let address = self.name.eq_ignore_ascii_case("Reply-To").then(|| Address::parse(&self.value).ok());
        match address.flatten() {
            Some(address) => format!("{}: {}\r\n", self.name, address.header()),
            None => line(&self.name, &self.value),
        }
    }
}

/// True if a text is a header's name (M-60).
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 76 && name.bytes().all(|byte| matches!(byte, b'!'..=b'9' | b';'..=b'~'))
}

/// True if every mail has this header already, or counts as having it (M-60).
pub(super) fn is_ours(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // Whoever sends and receives is the settings' business, also when a mail is sent on.
    let traced =
        ["content-", "resent-", "received", "return-path", "sender", "dkim-", "arc-", "authentication-"];
    traced.iter().any(|start| name.starts_with(start))
        || ["date", "subject", "from", "to", "cc", "bcc", "mime-version"].contains(&name.as_str())
}

/// One entry of `extra_headers`.
#[derive(Clone, Debug)]
pub(super) struct ExtraTemplate {
    /// Its name.
    pub(super) name: Text,
    /// Its value.
    pub(super) value: Text,
}

/// A text as it is, or with substitutions (M-61).
#[derive(Clone, Debug)]
pub(super) enum Text {
    /// Taken literally, `%` included.
    Literal(String),
    /// With substitutions, as Interpolate has them.
    Template(Template),
}

impl Text {
    /// Reads a text; what has `%(` in it is Interpolate.
    pub(super) fn read(source: &str) -> Result<Self, Vec<campanile_model::interpolate::TemplateError>> {
        if source.contains("%(") {
            Template::parse(source).map(Self::Template)
        } else {
            Ok(Self::Literal(source.to_owned()))
        }
    }

    fn render(&self, scope: &Scope<'_>) -> Result<String, campanile_model::interpolate::RenderError> {
        match self {
            Self::Literal(text) => Ok(text.clone()),
            Self::Template(template) => template.render(scope),
        }
    }
}

impl ExtraTemplate {
    /// Renders the header for one build or buildset; left out when it has no text for it. A header never makes a mail fail.
    pub(super) fn render(&self, scope: &Scope<'_>) -> Option<Extra> {
        match (self.name.render(scope), self.value.render(scope)) {
            (Ok(name), Ok(value)) => Extra::checked(&name, &value),
            (Err(error), _) | (_, Err(error)) => {
                let builder = scope.properties.value("buildername");
                tracing::warn!(?builder, "mail: an extra header is left out: {error}");
                None
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use campanile_model::Properties;

    #[test]
    fn m_62_long_lines_are_folded_between_words() {
        let value = "word ".repeat(40);
        let text = line("Subject", &value);
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
        assert_eq!(text.replace("\r\n ", " ").trim_end(), format!("Subject: {}", value.trim()));
        assert_eq!(line("Subject", "a   b"), "Subject: a   b\r\n");
        assert_eq!(line("Subject", ""), "Subject:\r\n");
    }

    #[test]
    fn m_62_other_scripts_become_encoded_words() {
        assert_eq!(line("Subject", "grün"), "Subject: =?utf-8?b?Z3LDvG4=?=\r\n");
        let text = line("Subject", &"ü".repeat(500));
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
        assert!(line("Subject", &"x".repeat(5000)).lines().all(|line| line.len() <= 78));
        assert!(line("Subject", "=?utf-8?q?x?=").starts_with("Subject: =?utf-8?b?"));
    }

    #[test]
    fn m_60_which_headers_may_be_added() {
        for name in
            ["To", "CC", "bcc", "Content-Type", "MIME-version", "Subject", "From", "Date", "a b", "", "a:"]
        {
            assert_eq!(Extra::checked(name, "x"), None, "{name}");
        }
        for name in ["X-Campanile", "Message-ID", "auto-submitted", "Reply-To", "List-Id"] {
            assert!(Extra::checked(name, "x").is_some(), "{name}");
        }
    }

    #[test]
    fn m_61_values_are_rendered_and_stay_on_one_line() {
        let template = |name: &str, value: &str| ExtraTemplate {
            name: Text::read(name).unwrap(),
            value: Text::read(value).unwrap(),
        };
        let mut properties = Properties::new();
        properties.set("branch", "a\r\nBcc: x@y.z", "Build");
        let scope = Scope::new(&properties, &[]);
        let extra = template("X-Branch", "%(prop:branch)s").render(&scope).unwrap();
        assert_eq!(extra.line(), "X-Branch: a Bcc: x@y.z\r\n");
        assert_eq!(template("X-Rate", "100%").render(&scope).unwrap().value, "100%");
        assert_eq!(template("X-Secret", "%(secret:none)s").render(&scope), None);
        assert_eq!(template("%(prop:branch)s", "x").render(&scope), None);
    }

    proptest::proptest! {
        #[test]
        fn no_value_begins_a_header_of_its_own(value in "[\\x00-\\x7füx\u{2028} ]{0,200}") {
            let text = line("X-Any", &value);
            let body = text.strip_suffix("\r\n").unwrap();
            for (number, line) in body.split("\r\n").enumerate() {
                proptest::prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n']));
                proptest::prop_assert!(number == 0 || line.starts_with(' ') && !line.trim().is_empty());
            }
        }
    }
}
