//! Mail addresses that have been checked (M-34), and their forms in headers (M-62) and in envelopes (M-66).

use std::fmt;

use super::headers;

/// An address with or without a display name. Holds no control characters, and nothing that ends it early in a header
/// or an SMTP command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    display: String,
    local: String,
    domain: String,
}

/// A text that is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mail address like `name@example.org` or `Name <name@example.org>`")]
pub(super) struct InvalidAddress;

impl Address {
    /// Reads an address whose domain has two labels or more (M-34).
    pub(super) fn parse(text: &str) -> Result<Self, InvalidAddress> {
        Self::read(text, 2)
    }

    /// Reads a sender, whose domain may be one label, as in `campanile@localhost`.
    pub(super) fn parse_sender(text: &str) -> Result<Self, InvalidAddress> {
        Self::read(text, 1)
    }

    fn read(text: &str, labels: usize) -> Result<Self, InvalidAddress> {
        if text.chars().any(char::is_control) {
            return Err(InvalidAddress);
        }
        let (display, bare) = match text.trim_end().strip_suffix('>') {
            Some(front) => front.rsplit_once('<').ok_or(InvalidAddress)?,
            None => ("", text),
        };
        // A list of addresses is none: it would be one of them with the others for a name.
        let is_list = !display.starts_with('"') && display.contains(['<', '>']);
        if is_list || !display.is_empty() && !display.ends_with(char::is_whitespace) {
            return Err(InvalidAddress);
        }
        let (local, domain) = bare.rsplit_once('@').ok_or(InvalidAddress)?;
        // RFC 5321 allows 64 and 255 octets; what is longer would also break the 998 octets of a header line.
        let fits = !local.is_empty() && local.len() <= 256 && domain.len() <= 256;
        if !fits || !local.chars().all(is_local) || !is_domain(domain, labels) {
            return Err(InvalidAddress);
        }
        Ok(Self { display: unquoted(display.trim()), local: local.to_owned(), domain: domain.to_owned() })
    }

    /// The address without its display name.
    pub(super) fn bare(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The domain, without a final dot.
    pub(super) fn domain(&self) -> &str {
        self.domain.strip_suffix('.').unwrap_or(&self.domain)
    }

    /// The form for relays: no display name and no final dot, which SMTP has no place for (M-66).
    pub(super) fn envelope(&self) -> String {
        format!("{}@{}", self.local, self.domain())
    }

    /// True if it has a display name.
    pub(super) fn is_named(&self) -> bool {
        !self.display.is_empty()
    }

    /// True if both reach the same mailbox (M-36): only the domain is compared without case.
    pub(super) fn is_same_mailbox(&self, other: &Self) -> bool {
        self.local == other.local && self.domain().eq_ignore_ascii_case(other.domain())
    }

    /// The form for headers: only the display name is ever encoded (M-62).
    pub(super) fn header(&self) -> String {
        if self.display.is_empty() {
            return self.bare();
        }
        let atoms = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
        let name = if !self.display.is_ascii() || self.display.contains("=?") || self.display.len() > 200 {
            headers::encoded_words(&self.display).join("\r\n ")
        } else if self.display.chars().all(atoms) {
            self.display.clone()
        } else {
            format!("\"{}\"", self.display.replace('\\', "\\\\").replace('"', "\\\""))
        };
        format!("{name} <{}>", self.bare())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_named() {
            write!(f, "{} <{}>", self.display, self.bare())
        } else {
            f.write_str(&self.bare())
        }
    }
}

/// Characters of a local part: narrower than "no white space" by what would end the address early in a header or in
/// `RCPT TO:<...>`.
fn is_local(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"<>()[]\\,;:@\"".contains(c)
}

/// True for so many labels or more of letters, digits and `-`, joined by single dots, with one final dot at most.
pub(super) fn is_domain(text: &str, labels: usize) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split('.').all(label) && text.split('.').count() >= labels
}

/// A display name without the quotes that only its written form needs.
fn unquoted(display: &str) -> String {
    let Some(inner) = display.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return display.to_owned();
    };
    let mut escaped = false;
    inner
        .chars()
        .filter(|&c| {
            escaped = c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_34_valid_addresses() {
        for text in [
            "foo+bar@example.com",
            "nobody@example.com.",
            "My Name <my.name@example.com>",
            "<my.name@example.com>",
            "My Name <my.name@example.com.>",
            "egypt@example.xn--wgbh1c",
            "<a@example.com> ",
        ] {
            assert!(Address::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn m_34_invalid_addresses() {
        for text in [
            "",
            "@",
            "foo",
            "foo@",
            "@example.com",
            "foo@invalid",
            "foobar@ex+ample.com",
            "foo bar@example.net",
            "Foo\nBar <foo@example.org>",
            "test@example..invalid",
            "foo@example.com\n",
            "Name<foo@example.com>",
            "foo@example.com> <bar@example.com",
            "a,b@example.com",
            "a>@example.com",
            "foo@example.com..",
            "<a@b.org>, <c@d.org>",
            "A <a@b.org>, C <c@d.org>",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_sender_may_be_local() {
        assert!(Address::parse_sender("campanile@localhost").is_ok());
        assert!(Address::parse_sender("CI <campanile@localhost>").is_ok());
        for text in ["campanile", "a@b@c", "a@", "a@b\r"] {
            assert!(Address::parse_sender(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn m_62_only_the_name_is_encoded() {
        let header = |text: &str| Address::parse(text).map(|address| address.header());
        assert_eq!(header("Bob <b@x.org>").as_deref(), Ok("Bob <b@x.org>"));
        assert_eq!(header("<b@x.org>").as_deref(), Ok("b@x.org"));
        assert_eq!(header("Doe, J. <b@x.org>").as_deref(), Ok("\"Doe, J.\" <b@x.org>"));
        assert_eq!(header("\"Doe, \\\"J\\\"\" <b@x.org>").as_deref(), Ok("\"Doe, \\\"J\\\"\" <b@x.org>"));
        assert_eq!(header("Jörg <b@x.org>").as_deref(), Ok("=?utf-8?b?SsO2cmc=?= <b@x.org>"));
    }

    #[test]
    fn m_66_relays_are_told_the_bare_address() {
        let address = Address::parse("My Name <my.name@Example.com.>");
        assert_eq!(address.map(|address| address.envelope()).as_deref(), Ok("my.name@Example.com"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_header_that_breaks(text in "\\PC{0,20}[<]?\\PC{1,8}@[a-z.]{1,8}[>]?") {
            if let Ok(address) = Address::parse(&text) {
                let unfolded = address.header().replace("\r\n ", " ");
                proptest::prop_assert!(!unfolded.chars().any(char::is_control));
                proptest::prop_assert!(!address.envelope().contains(['<', '>', ' ']));
            }
        }
    }
}
