//! Lists of names in settings: exact ones, patterns, and what is left out again (M-FLT-01).

use std::collections::BTreeSet;

use campanile_config::Reader;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Most names of a list.
const MAX_NAMES: usize = 1_000;
/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 256;

/// Names that something must have, and must not have.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameFilter {
    wanted: Names,
    /// Those with a `!`, without it.
    refused: Names,
}

/// Names and patterns of names.
#[derive(Clone, Debug, Default)]
struct Names {
    /// As they stand in the settings: each of them is also the name that it is, letter by letter.
    all: BTreeSet<String>,
    globs: GlobSet,
}

impl NameFilter {
    /// Reads the lists of names at these keys as one; none if none is there. Patterns that cannot be read, and names that
    /// can never match, are noted.
    pub(crate) fn read(reader: &Reader<'_>, keys: &[&str]) -> Option<Self> {
        let key = keys.iter().find(|key| reader.item(key).is_some())?;
        let names: Vec<String> = keys.iter().filter_map(|key| reader.texts(key)).flatten().collect();
        let error = |text: String| reader.error(key, format!("`{key}`: {text}"));
        if names.len() > MAX_NAMES {
            error(format!("{} names, and {MAX_NAMES} at most: write patterns", names.len()));
            return None;
        }
        let filter = match Self::new(&names) {
            Ok(filter) => filter,
            Err(errors) => {
                errors.into_iter().for_each(error);
                return None;
            }
        };
        for name in filter.impossible() {
            reader.warning(key, format!("`{key}`: `{name}` can never match, since it is left out again"));
        }
        Some(filter)
    }

    /// Makes a filter of names as they stand in the settings. Fails with a text for each that is no pattern.
    pub(crate) fn new(names: &[String]) -> Result<Self, Vec<String>> {
        let (refused, wanted): (Vec<&str>, Vec<&str>) =
            names.iter().map(String::as_str).partition(|name| name.starts_with('!'));
        let refused: Vec<&str> = refused.into_iter().filter_map(|name| name.strip_prefix('!')).collect();
        match (Names::new(&wanted), Names::new(&refused)) {
            (Ok(wanted), Ok(refused)) => Ok(Self { wanted, refused }),
            (wanted, refused) => Err(wanted.err().into_iter().chain(refused.err()).flatten().collect()),
        }
    }

    /// True if what has these names passes: none of them is left out, and one is wanted. A list that only leaves out
    /// lets through what has no name at all.
    pub(crate) fn passes<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> bool {
        let mut is_wanted = self.wanted.all.is_empty() && !self.refused.all.is_empty();
        let only_leaves_out = is_wanted;
        for name in names {
            if self.refused.has(name) {
                return false;
            }
            is_wanted |= only_leaves_out || self.wanted.has(name);
        }
        is_wanted
    }

    /// True if nothing is named: nothing passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.all.is_empty() && self.refused.all.is_empty()
    }

    /// Lists the wanted names and patterns that none of the known names is, or fits.
    pub(crate) fn unknown<'a>(&'a self, known: &[&str]) -> Vec<&'a str> {
        let alone = |name: &&String| {
            Names::new(&[name.as_str()]).is_ok_and(|name| !known.iter().any(|known| name.has(known)))
        };
        self.wanted.all.iter().filter(alone).map(String::as_str).collect()
    }

    /// Lists the wanted names that are left out again.
    pub(crate) fn impossible(&self) -> Vec<&str> {
        let is_left_out = |name: &&String| self.refused.all.contains(*name) || self.refused.has(name);
        self.wanted.all.iter().filter(is_left_out).map(String::as_str).collect()
    }

    /// True if each wanted name is left out again: nothing can pass.
    pub(crate) fn lets_nothing_through(&self) -> bool {
        self.is_empty() || !self.wanted.all.is_empty() && self.impossible().len() == self.wanted.all.len()
    }
}

impl PartialEq for NameFilter {
    fn eq(&self, other: &Self) -> bool {
        self.wanted.all == other.wanted.all && self.refused.all == other.refused.all
    }
}

impl Eq for NameFilter {}

impl Names {
    fn new(names: &[&str]) -> Result<Self, Vec<String>> {
        let (mut globs, mut errors) = (GlobSetBuilder::new(), Vec::new());
        for name in names {
            if name.trim().is_empty() {
                errors.push("a blank name: take it out".to_owned());
            } else if is_pattern(name) {
                match pattern(name) {
                    Ok(glob) => drop(globs.add(glob)),
                    Err(error) => errors.push(error),
                }
            }
        }
        let globs = globs.build().map_err(|error| vec![format!("the patterns are too large: {error}")]);
        match globs {
            Ok(globs) if errors.is_empty() => {
                Ok(Self { all: names.iter().map(|name| (*name).to_owned()).collect(), globs })
            }
            Ok(_) => Err(errors),
            Err(more) => Err(errors.into_iter().chain(more).collect()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.all.contains(name) || self.globs.is_match(name)
    }
}

/// True if a name has letters that mean something else than themselves.
fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{', '\\'])
}

fn pattern(name: &str) -> Result<globset::Glob, String> {
    if name.len() > MAX_PATTERN {
        return Err(format!("a pattern of {} bytes: {MAX_PATTERN} at most", name.len()));
    }
    let glob = GlobBuilder::new(name).literal_separator(true).backslash_escape(true).build();
    glob.map_err(|error| {
        format!("`{name}` is no pattern: {}; a `\\` before a letter has it stand for itself", error.kind())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(names: &[&str]) -> NameFilter {
        NameFilter::new(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn m_flt_01_names_patterns_and_what_is_left_out() {
        for (names, passing, others) in [
            (&["main"][..], &["main"][..], &["Main", "mains", "release/main", ""][..]),
            (&["release/*"], &["release/1.0"], &["release", "release/1/0", "main"]),
            (&["release/**"], &["release/1.0", "release/1/0"], &["main"]),
            (&["**/main"], &["main", "a/main", "a/b/main"], &["mainly"]),
            (&["release/*", "!release/old-*"], &["release/1.0"], &["release/old-1", "main"]),
            (&["!main"], &["topic", "release/1.0"], &["main"]),
            (&["!release/old-*", "release/*"], &["release/1.0"], &["release/old-1"]),
            (&["linux-{gcc,clang}-?"], &["linux-gcc-9", "linux-clang-9"], &["linux-gcc-10"]),
            (&["c++ [asan]"], &["c++ [asan]", "c++ a"], &["c++ x"]),
            (&["\\*", "\\!odd"], &["*", "!odd"], &["x", "odd"]),
            (&[], &[], &["main"]),
        ] {
            let filter = filter(names);
            for name in passing {
                assert!(filter.passes([*name]), "{names:?} {name}");
            }
            for name in others {
                assert!(!filter.passes([*name]), "{names:?} {name}");
            }
        }
    }

    #[test]
    fn m_flt_01_of_several_names_one_must_be_wanted_and_none_left_out() {
        let tags = filter(&["fast", "!flaky"]);
        assert!(tags.passes(["slow", "fast"]));
        assert!(!tags.passes(["fast", "flaky"]));
        assert!(!tags.passes([]));
        assert!(filter(&["!flaky"]).passes([]));
        assert!(!filter(&[]).passes([]));
    }

    #[test]
    fn m_flt_02_names_that_can_never_match() {
        assert_eq!(filter(&["main", "next", "!m*"]).impossible(), ["main"]);
        assert_eq!(filter(&["release/*", "!release/*"]).impossible(), ["release/*"]);
        assert!(filter(&["main", "!m*"]).lets_nothing_through());
        assert!(!filter(&["main", "next", "!m*"]).lets_nothing_through());
        assert!(!filter(&["!main"]).lets_nothing_through());
        assert!(filter(&[]).lets_nothing_through());
        assert_eq!(filter(&["linux-*", "mac", "!x"]).unknown(&["linux-gcc"]), ["mac"]);
    }

    #[test]
    fn m_flt_01_what_is_no_pattern_is_an_error() {
        let errors = |name: &str| NameFilter::new(&[name.to_owned()]).unwrap_err().join("");
        assert_eq!(
            errors("[asan"),
            "`[asan` is no pattern: unclosed character class; missing ']'; a `\\` before a letter has it stand for \
             itself"
        );
        assert_eq!(errors("!"), "a blank name: take it out");
        assert!(errors(&"*".repeat(300)).starts_with("a pattern of 300 bytes"));
    }
}
