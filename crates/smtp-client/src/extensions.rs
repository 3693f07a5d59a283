//! What a relay says that it can do, in its answer to EHLO.

use std::fmt;

/// The extensions of a relay that matter to mails, and the words for the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) starttls: bool,
    pub(super) eight_bit: bool,
    pub(super) utf8: bool,
    pub(super) pipelining: bool,
    /// Whether it knows SIZE.
    pub(super) sizes: bool,
    /// The largest mail that it takes, if it says so.
    pub(super) max_bytes: Option<u64>,
    /// Ways to log in, in capitals.
    pub(super) logins: Vec<String>,
}

impl Offers {
    /// Reads the lines of the answer; the first one is a greeting.
    pub(super) fn read(lines: &[String]) -> Self {
        let mut offers = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // Before RFC 2554 it was `AUTH=LOGIN`, and old clients still ask for it.
            let line = line.replacen("AUTH=", "AUTH ", 1);
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("PIPELINING") => offers.pipelining = true,
                Some("SIZE") => {
                    offers.sizes = true;
                    // RFC 1870: zero stands for no limit.
                    offers.max_bytes =
                        words.next().and_then(|size| size.parse().ok()).filter(|&size| size > 0);
                }
                Some("AUTH") => {
                    for word in words {
                        if !offers.logins.iter().any(|known| known == word) {
                            offers.logins.push(word.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        offers
    }

    /// Whether it offers this way to log in.
    pub(super) fn takes(&self, mechanism: &str) -> bool {
        self.logins.iter().any(|offered| offered == mechanism)
    }
}

/// For people: `STARTTLS, SIZE 10240000, AUTH PLAIN LOGIN`.
impl fmt::Display for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = [
            (self.starttls, "STARTTLS"),
            (self.eight_bit, "8BITMIME"),
            (self.utf8, "SMTPUTF8"),
            (self.pipelining, "PIPELINING"),
        ];
        let mut words: Vec<String> =
            flags.into_iter().filter(|(offered, _)| *offered).map(|(_, name)| name.to_owned()).collect();
        match self.max_bytes {
            Some(bytes) => words.push(format!("SIZE {bytes}")),
            None if self.sizes => words.push("SIZE".to_owned()),
            None => {}
        }
        if !self.logins.is_empty() {
            // The words are the relay's own.
            words.push(super::trouble::shown(&format!("AUTH {}", self.logins.join(" "))));
        }
        if words.is_empty() { f.write_str("no extensions") } else { f.write_str(&words.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Offers {
        Offers::read(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn m_70_what_relays_offer() {
        let offers = read(&[
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
            offers.to_string(),
            "8BITMIME, SMTPUTF8, PIPELINING, SIZE 10240000, AUTH PLAIN LOGIN CRAM-MD5"
        );
        assert!(offers.takes("LOGIN") && !offers.takes("XOAUTH2") && !offers.starttls);
        assert_eq!(read(&["mx"]).to_string(), "no extensions");
        for (line, max_bytes) in [("SIZE 0", None), ("SIZE", None), ("SIZE x", None), ("SIZE 1", Some(1))] {
            assert_eq!(read(&["mx", line]).max_bytes, max_bytes, "{line}");
        }
    }
}
