//! Versions of Gerrit, and their abilities (G-VER, G-CMD-06, G-CMD-08).

/// A version, as far as it tells what a server can do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(Vec<u32>);

impl Version {
    /// Reads the leading dotted numbers; the rest says nothing about abilities (G-VER-03).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = Vec::new();
        for part in text.trim().split('.') {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let Some(number) = part.get(..digits).and_then(|digits| digits.parse().ok()) else { break };
            numbers.push(number);
            if digits < part.len() {
                break;
            }
        }
        (!numbers.is_empty()).then_some(Self(numbers))
    }

    /// Reads the output of `gerrit version` (G-VER-01).
    pub(super) fn from_output(output: &str) -> Option<Self> {
        Self::parse(output.trim_start().strip_prefix("gerrit version ")?)
    }

    fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let part = |index: usize| self.0.get(index).copied().unwrap_or(0);
        (part(0), part(1)) >= (major, minor)
    }

    /// True if it takes labels of any name, by `--label` (G-CMD-06).
    pub(super) fn has_labels(&self) -> bool {
        self.is_at_least(2, 6)
    }

    /// True if it takes reviews as JSON on standard input (G-CMD-10).
    pub(super) fn takes_json(&self) -> bool {
        self.is_at_least(2, 11)
    }

    /// True if it takes `--tag` (G-CMD-08).
    pub(super) fn has_tags(&self) -> bool {
        self.is_at_least(2, 13)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g_ver_01_g_ver_03_leading_numbers_count() {
        for (text, numbers) in [
            ("gerrit version 2.14-rc0-2-gabc\n", &[2, 14][..]),
            ("gerrit version 3.9.1-dirty", &[3, 9, 1]),
            ("gerrit version 2.6", &[2, 6]),
            ("gerrit version 3.10.2\r\n", &[3, 10, 2]),
            ("gerrit version 2.5.rc1", &[2, 5]),
        ] {
            assert_eq!(Version::from_output(text), Some(Version(numbers.to_vec())), "{text}");
        }
        for text in ["", "gerrit version ", "gerrit version (unknown)", "3.9", "fatal: no"] {
            assert_eq!(Version::from_output(text), None, "{text}");
        }
    }

    #[test]
    fn g_ver_03_numbers_are_compared_as_numbers() {
        let version = |text: &str| Version::parse(text).unwrap();
        assert!(version("2.10").has_labels() && !version("2.5.9").has_labels() && version("3").has_labels());
        assert!(!version("2.12").has_tags() && version("2.13.1").has_tags() && version("3.0").has_tags());
        assert!(version("2.11").takes_json() && !version("2.10").takes_json());
    }
}
