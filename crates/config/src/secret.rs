//! Secrets: texts that never reach logs, errors or callbacks.

use std::fmt;

use subtle::ConstantTimeEq;

/// Random bytes of the operating system's generator, fit for secrets; none if the machine gives none.
#[must_use]
pub fn random_bytes<const BYTES: usize>() -> Option<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A secret text. Its `Debug` shows nothing, it has no `Display`, and it is compared in constant time.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes over a text that is to stay secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one caller that has to hand it to the far side.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True if there is nothing in it but white space: no secret at all.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Compares with `other` in constant time, so that the time does not tell at which byte they differ. A blank one
    /// matches nothing.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        bool::from(self.0.as_bytes().ct_eq(other)) && !self.is_blank()
    }
}

/// True if one of these secrets is what was sent. Every one is tried, so that the time does not tell which is in use.
#[must_use]
pub fn is_one_of(sent: &[u8], secrets: &[Secret]) -> bool {
    secrets.iter().filter(|secret| secret.matches(sent)).count() > 0
}

/// A far side's words with these secrets made unreadable: some quote what they were sent, and that quote would end up in
/// records and logs. Every protocol's words go through here.
#[must_use]
pub fn mask<'s>(text: &str, secrets: impl IntoIterator<Item = &'s Secret>) -> String {
    let mut secrets: Vec<&str> =
        secrets.into_iter().filter(|secret| !secret.is_blank()).map(Secret::expose).collect();
    // One may be a part of another, which would then be readable but for that part.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_covers_the_longer_secret_first() {
        let secrets = ["tower", "bell-tower", ""].map(Secret::new);
        assert_eq!(mask("sent bell-tower, tower", &secrets), "sent ***, ***");
    }

    #[test]
    fn a_secret_shows_nothing_and_compares_by_content() {
        let secret = Secret::new("bell-tower");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert!(secret.matches(b"bell-tower"));
        assert!(!secret.matches(b"bell-towe"));
        assert!(!secret.matches(b""));
        for blank in ["", " ", "\r\n"] {
            assert!(!Secret::new(blank).matches(blank.as_bytes()));
        }
    }
}
