//! The numbers of the specification that a source file proves: in the names of its tests, or as literals of test code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::tokens::{Token, tokens};
use super::{is_number, plain};

/// A source file, as far as proofs go.
pub(super) struct File(pub(super) Vec<Token>);

impl File {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let source =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self(tokens(&source)))
    }

    /// Modules below `folder` that are declared here and compiled for tests only.
    pub(super) fn test_modules(&self, folder: &Path) -> Vec<PathBuf> {
        let mut modules = Vec::new();
        self.walk(|item| {
            if let (true, [module, Token::Word(name), Token::Mark(';'), ..]) = (item.for_tests, item.rest)
                && module.is_word("mod")
            {
                modules.push(folder.join(name));
            }
        });
        modules
    }

    /// Adds the numbers that are proven here; `whole` says that all of the file is test code.
    pub(super) fn prove(&self, whole: bool, proofs: &mut BTreeSet<String>) {
        self.walk(|item| match item.rest {
            [function, Token::Word(name), ..] if item.is_test && function.is_word("fn") => {
                proofs.extend(spelled_out(name));
            }
            [Token::Text(text), ..] if (whole || item.for_tests) && is_number(text) => {
                proofs.insert(plain(text));
            }
            _ => {}
        });
    }

    /// Visits every token outside of attributes.
    fn walk(&self, mut visit: impl FnMut(Item<'_>)) {
        let mut rest = self.0.as_slice();
        let mut depth = 0_usize;
        // Of the item that comes next.
        let (mut is_test, mut is_ignored, mut is_gated) = (false, false, false);
        // Depth of the braces around the item that is compiled for tests only.
        let mut gate: Option<usize> = None;
        while let Some(token) = rest.first() {
            if let [Token::Mark('#'), Token::Mark('['), ..] = rest {
                let length = attribute(rest);
                let attribute = &rest[2..length];
                is_test |= is_test_attribute(attribute);
                is_ignored |= attribute.first().is_some_and(|word| word.is_word("ignore"));
                is_gated |= attribute.first().is_some_and(|word| word.is_word("cfg"))
                    && attribute.iter().any(|word| word.is_word("test"))
                    && !attribute.iter().any(|word| word.is_word("not"));
                rest = &rest[length..];
                continue;
            }
            visit(Item { rest, is_test: is_test && !is_ignored, for_tests: gate.is_some() || is_gated });
            match token {
                Token::Mark('{') => {
                    if is_gated && gate.is_none() {
                        gate = Some(depth);
                    }
                    depth += 1;
                    (is_test, is_ignored, is_gated) = (false, false, false);
                }
                Token::Mark('}') => {
                    depth = depth.saturating_sub(1);
                    if gate == Some(depth) {
                        gate = None;
                    }
                    (is_test, is_ignored, is_gated) = (false, false, false);
                }
                Token::Mark(';') => (is_test, is_ignored, is_gated) = (false, false, false),
                Token::Word(word) if word == "fn" => (is_test, is_ignored) = (false, false),
                _ => {}
            }
            rest = &rest[1..];
        }
    }
}

/// The position of a walk over a file.
struct Item<'a> {
    /// This token and those after it.
    rest: &'a [Token],
    /// An attribute of this item makes it a test that is run.
    is_test: bool,
    /// This is compiled for tests only.
    for_tests: bool,
}

/// Length of the attribute that tokens begin with.
fn attribute(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('[') => depth += 1,
            Token::Mark(']') => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// True when an attribute, without its brackets, is `test` or a runtime's, such as `tokio::test(start_paused = true)`.
fn is_test_attribute(attribute: &[Token]) -> bool {
    let path = attribute.iter().take_while(|token| !matches!(token, Token::Mark('(' | ']')));
    let mut last = None;
    for token in path {
        match token {
            Token::Word(word) => last = Some(word.as_str()),
            Token::Mark(':') => {}
            _ => return false,
        }
    }
    last == Some("test")
}

/// Every number in the name of a function, as `plain` spells it: two in `m_13_m_21_silences`, none in `n_err_01_to_12`.
fn spelled_out(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split('_').collect();
    let is_digits =
        |at: usize| parts.get(at).is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let mut found = Vec::new();
    for end in (1..parts.len()).filter(|at| is_digits(*at)) {
        // `n_err_01_to_12`, and `n_err_01_to_n_err_12`.
        let range_to = |length: usize| {
            let letters = parts.get(end.saturating_sub(length)..end);
            parts.get(end + 1) == Some(&"to")
                && parts.get(end + 2..end + 2 + length) == letters
                && is_digits(end + 2 + length)
        };
        let range_from = |length: usize| {
            end >= length + 2 && parts[end - length - 1] == "to" && is_digits(end - length - 2)
        };
        let begins_range = (0..=3).any(range_to);
        let ends_range = (0..=3).any(range_from);
        if begins_range || ends_range {
            continue;
        }
        // A number ends with its digits (and perhaps a letter) and begins up to three words before them.
        for start in end.saturating_sub(3)..end {
            let letters = &parts[start..end];
            if letters.iter().all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic())) {
                found.push(parts[start..=end].join("_"));
            }
        }
    }
    found
}
