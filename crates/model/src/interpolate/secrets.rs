//! Secrets that templates use, and how they are kept out of everything people read (N-SEL-06, N-SEL-07).

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, PoisonError};

type Lookup<'a> = dyn Fn(&str) -> Option<String> + Send + Sync + 'a;

/// A secret store as one rendering sees it; remembers what was used.
pub struct Secrets<'a> {
    lookup: Box<Lookup<'a>>,
    used: Mutex<Redactions>,
}

impl<'a> Secrets<'a> {
    /// Looks secrets up by name.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'a) -> Self {
        Self { lookup: Box::new(lookup), used: Mutex::new(Redactions::default()) }
    }

    pub(super) fn reveal(&self, name: &str) -> Option<String> {
        let value = (self.lookup)(name)?;
        // The list is only ever added to, so one left by a panicking thread is as good as any.
        self.used.lock().unwrap_or_else(PoisonError::into_inner).add(name, &value);
        Some(value)
    }

    /// Everything used so far, to be kept out of logs and messages.
    #[must_use]
    pub fn used(&self) -> Redactions {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// Values to keep out of texts, longest first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redactions(Vec<Redaction>);

#[derive(Clone, PartialEq, Eq)]
struct Redaction {
    name: String,
    value: String,
}

impl Redactions {
    /// Adds a secret. A blank one is ignored: to replace it would ruin every text.
    pub fn add(&mut self, name: &str, value: &str) {
        if value.trim().is_empty() || self.0.iter().any(|known| known.value == value) {
            return;
        }
        let at = self.0.partition_point(|known| known.value.len() >= value.len());
        self.0.insert(at, Redaction { name: name.to_owned(), value: value.to_owned() });
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|secret| self.add(&secret.name, &secret.value));
    }

    /// True if there is nothing to keep out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with every secret replaced by its name in angle brackets, the longest first.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.0.iter().any(|secret| text.contains(&secret.value)) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        redact_into(text, &self.0, &mut out);
        Cow::Owned(out)
    }
}

/// Replaces secrets in `text`, longest first. The text between two finds is searched for the shorter ones only: names
/// put in are never searched.
fn redact_into(text: &str, secrets: &[Redaction], out: &mut String) {
    let Some((longest, shorter)) = secrets.split_first() else {
        out.push_str(text);
        return;
    };
    for (index, piece) in text.split(longest.value.as_str()).enumerate() {
        if index > 0 {
            out.extend(["<", &longest.name, ">"]);
        }
        redact_into(piece, shorter, out);
    }
}

impl fmt::Debug for Redactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|secret| &secret.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_sel_07_longest_first_and_blank_ones_ignored() {
        let mut redactions = Redactions::default();
        for (name, value) in [("short", "abc"), ("blank", "  "), ("long", "abcdef"), ("self", "long")] {
            redactions.add(name, value);
        }
        assert_eq!(redactions.redact("x abcdef  abc"), "x <long>  <short>");
        assert!(matches!(redactions.redact("a  b"), Cow::Borrowed("a  b")));
    }

    #[test]
    fn n_sel_07_nothing_prints_a_value() {
        let secrets = Secrets::new(|name| (name == "key").then(|| "hunter2".to_owned()));
        assert_eq!(secrets.reveal("key").as_deref(), Some("hunter2"));
        assert_eq!(secrets.reveal("other"), None);
        assert_eq!(format!("{secrets:?} {:?}", secrets.used()), r#"Secrets { .. } ["key"]"#);
        let mut all = Redactions::default();
        all.extend(&secrets.used());
        assert_eq!(all.redact("it is hunter2"), "it is <key>");
    }

    proptest::proptest! {
        #[test]
        fn n_sel_07_no_secret_survives(text in "[abx]{0,30}", a in "[ab]{1,4}", b in "[ab]{1,4}") {
            let mut redactions = Redactions::default();
            redactions.add("1", &a);
            redactions.add("2", &b);
            let out = redactions.redact(&text).into_owned();
            proptest::prop_assert!(!out.contains(&a) && !out.contains(&b), "{}", out);
        }
    }
}
