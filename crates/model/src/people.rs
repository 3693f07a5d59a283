//! People of a build: those responsible for it, and those who want to hear of it (M-WHO-01 to M-WHO-04, M-28).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Build, Properties};

/// Names from the properties `owners` and `owner`, and what stood there that is no name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owners<'a> {
    /// Distinct names: those of `owners` first, then those of `owner`.
    pub names: Vec<String>,
    /// Values of other types, for a line in the log.
    pub ignored: Vec<&'a Value>,
}

/// Names in the properties `owners` and `owner`; either may be a text or a list, even of lists (M-WHO-03, M-WHO-04).
#[must_use]
pub fn owners(properties: &Properties) -> Owners<'_> {
    let mut owners = Owners::default();
    for value in ["owners", "owner"].iter().filter_map(|name| properties.value(name)) {
        flatten(value, &mut owners);
    }
    owners
}

fn flatten<'a>(value: &'a Value, owners: &mut Owners<'a>) {
    match value {
        Value::String(name) => push_distinct(name, &mut owners.names),
        // JSON that was read is at most 128 deep, so this recursion is bounded.
        Value::Array(list) => list.iter().for_each(|item| flatten(item, owners)),
        Value::Null => {}
        other => owners.ignored.push(other),
    }
}

fn push_distinct(name: &str, names: &mut Vec<String>) {
    if !name.is_empty() && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// Value of the property `owners` at a build's start: the `owner` of every merged request, sorted (M-WHO-02).
#[must_use]
pub fn gather_owners<'a>(requests: impl IntoIterator<Item = &'a Properties>) -> Vec<String> {
    let mut gathered = Owners::default();
    for value in requests.into_iter().filter_map(|properties| properties.value("owner")) {
        flatten(value, &mut gathered);
    }
    gathered.names.sort_unstable();
    gathered.names
}

/// A text that says something: both null and "" stand for none.
#[must_use]
pub fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A name on one line: line breaks become one space, white space around it goes, so blank is `''` (H-CH-05).
#[must_use]
pub fn one_line(text: &str) -> String {
    let is_break = |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut line = String::with_capacity(text.len());
    for part in text.split(is_break).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    line.trim().to_owned()
}

impl Build {
    /// The blamelist: distinct authors of its changes and of its patches, sorted (M-WHO-01).
    #[must_use]
    pub fn responsible_users(&self) -> Vec<String> {
        let authors = self.changes().map(|change| &change.who);
        let patchers = self.source_stamps.iter().filter_map(|stamp| stamp.patch.as_ref()).map(|p| &p.author);
        let distinct: BTreeSet<&String> = authors.chain(patchers).filter(|name| !name.is_empty()).collect();
        distinct.into_iter().cloned().collect()
    }

    /// Everybody who wants to hear of it: the blamelist, then `owners`, then `owner`, each once (M-28, M-TRAP-3).
    #[must_use]
    pub fn interested_users(&self) -> Vec<String> {
        let mut names = self.responsible_users();
        for owner in owners(&self.properties).names {
            push_distinct(&owner, &mut names);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, Patch, SourceStamp};
    use serde_json::json;

    fn build() -> Build {
        let change = |who: &str| Change { who: who.to_owned(), ..Change::default() };
        let mut build = Build::new("b", 1);
        build.source_stamps = vec![
            SourceStamp { changes: vec![change("zoe"), change("ada")], ..SourceStamp::default() },
            SourceStamp {
                codebase: "lib".to_owned(),
                changes: vec![change("ada"), change("")],
                patch: Some(Patch { author: "bob".to_owned(), ..Patch::default() }),
                ..SourceStamp::default()
            },
        ];
        build
    }

    #[test]
    fn m_who_01_the_blamelist_is_distinct_and_sorted() {
        assert_eq!(build().responsible_users(), ["ada", "bob", "zoe"]);
        assert!(Build::new("b", 1).responsible_users().is_empty());
    }

    #[test]
    fn m_who_02_owners_come_from_every_request() {
        let request = |owner| {
            let mut properties = Properties::new();
            properties.set("owner", owner, "Force");
            properties
        };
        let requests = [request(json!("zoe")), request(json!(["ada", "zoe"])), Properties::new()];
        assert_eq!(gather_owners(&requests), ["ada", "zoe"]);
    }

    #[test]
    fn m_who_03_no_owners_no_names() {
        assert_eq!(owners(&Properties::new()), Owners::default());
    }

    #[test]
    fn m_who_04_lists_are_flattened_and_nothing_fails() {
        let mut properties = Properties::new();
        properties.set("owner", json!(["ada", ["bob", 7], null, "ada"]), "Force");
        properties.set("owners", "eve", "Build");
        let found = owners(&properties);
        assert_eq!(found.names, ["eve", "ada", "bob"]);
        assert_eq!(found.ignored, [&json!(7)]);
    }

    #[test]
    fn m_28_interested_users_are_merged() {
        let mut build = build();
        build.properties.set("owners", json!(["kim", "ada"]), "Build");
        build.properties.set("owner", "lee", "Force");
        assert_eq!(build.interested_users(), ["ada", "bob", "zoe", "kim", "lee"]);
    }
}
