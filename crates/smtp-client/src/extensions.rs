//! The extensions that a relay offers in its reply to EHLO.

use std::fmt;

/// Extensions that matter to those who send; none after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EhloExtensions {
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// 8BITMIME (RFC 6152): content with bytes above 127.
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531): addresses and headers in UTF-8.
    pub smtp_utf8: bool,
    /// PIPELINING (RFC 2920): several commands before their replies.
    pub pipelining: bool,
    /// SIZE (RFC 1870): the size of a message is said with its sender.
    pub size: bool,
    /// Largest message in bytes, if the relay has a limit and tells it.
    pub max_bytes: Option<u64>,
    /// AUTH (RFC 4954): names of login mechanisms, in capitals, in the relay's order.
    pub auth_mechanisms: Vec<String>,
}

impl EhloExtensions {
    /// Reads the lines of the reply; the first one is a greeting. Words that stand for nothing here are passed over.
    pub(crate) fn read(lines: &[String]) -> Self {
        let mut extensions = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // Before RFC 2554 it was `AUTH=LOGIN`, and old clients still ask for it.
            let line = line.replacen("AUTH=", "AUTH ", 1);
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => extensions.starttls = true,
                Some("8BITMIME") => extensions.eight_bit_mime = true,
                Some("SMTPUTF8") => extensions.smtp_utf8 = true,
                Some("PIPELINING") => extensions.pipelining = true,
                Some("SIZE") => {
                    extensions.size = true;
                    // RFC 1870: zero stands for no limit.
                    extensions.max_bytes =
                        words.next().and_then(|size| size.parse().ok()).filter(|&size| size > 0);
                }
                Some("AUTH") => {
                    for word in words {
                        if !extensions.auth_mechanisms.iter().any(|known| known == word) {
                            extensions.auth_mechanisms.push(word.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        extensions
    }

    /// True if this mechanism, in capitals, is offered.
    pub(crate) fn has_mechanism(&self, mechanism: &str) -> bool {
        self.auth_mechanisms.iter().any(|offered| offered == mechanism)
    }
}

/// For people: `STARTTLS, SIZE 10240000, AUTH PLAIN LOGIN`.
impl fmt::Display for EhloExtensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = [
            (self.starttls, "STARTTLS"),
            (self.eight_bit_mime, "8BITMIME"),
            (self.smtp_utf8, "SMTPUTF8"),
            (self.pipelining, "PIPELINING"),
        ];
        let mut words: Vec<String> =
            flags.into_iter().filter(|(offered, _)| *offered).map(|(_, name)| name.to_owned()).collect();
        match self.max_bytes {
            Some(bytes) => words.push(format!("SIZE {bytes}")),
            None if self.size => words.push("SIZE".to_owned()),
            None => {}
        }
        if !self.auth_mechanisms.is_empty() {
            // The words are the relay's own.
            words.push(super::error::sanitized(&format!("AUTH {}", self.auth_mechanisms.join(" "))));
        }
        if words.is_empty() { f.write_str("no extensions") } else { f.write_str(&words.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> EhloExtensions {
        EhloExtensions::read(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn m_70_what_relays_offer() {
        let extensions = read(&[
            "mx.example.org STARTTLS",
            "size 10240000",
            "AUTH PLAIN login",
            "AUTH=LOGIN PLAIN CRAM-MD5",
            "8BITMIME",
            "SMTPUTF8",
            "PIPELINING",
            "X-NEW",
        ]);
        assert_eq!(
            extensions.to_string(),
            "8BITMIME, SMTPUTF8, PIPELINING, SIZE 10240000, AUTH PLAIN LOGIN CRAM-MD5"
        );
        assert!(
            extensions.has_mechanism("LOGIN") && !extensions.has_mechanism("XOAUTH2") && !extensions.starttls
        );
        assert_eq!(read(&["mx"]).to_string(), "no extensions");
        for (line, max_bytes) in [("SIZE 0", None), ("SIZE", None), ("SIZE x", None), ("SIZE 1", Some(1))] {
            assert_eq!(read(&["mx", line]).max_bytes, max_bytes, "{line}");
        }
    }
}
