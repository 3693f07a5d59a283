//! Parts of commits that all dialects share: author, files, refs, and the overrides in a request's address
//! (H-CH-01 to H-CH-08, H-GEN-17, H-GEN-18).

use std::collections::{BTreeMap, HashSet};

use super::HookError;
use super::arguments::Arguments;
use super::json::Json;
use super::request::RawHook;
use campanile_config::Reader;
use campanile_model::Change;
pub(super) use campanile_model::one_line;

/// `NAME <EMAIL>` of an object with `name` and `email`; blank when neither is there (H-CH-04).
pub(super) fn author(author: &Json<'_>) -> Result<String, HookError> {
    person(author, "name", "email")
}

/// The same of an object whose fields have other names.
pub(super) fn person(
    object: &Json<'_>,
    name: &'static str,
    email: &'static str,
) -> Result<String, HookError> {
    let text = |key: &'static str| Ok::<_, HookError>(one_line(object.at(key)?.text()?.unwrap_or_default()));
    Ok(match (text(name)?, text(email)?) {
        (name, email) if email.is_empty() => name,
        (name, email) if name.is_empty() => email,
        (name, email) => format!("{name} <{email}>"),
    })
}

/// `added`, then `modified`, then `removed`, each path once (H-CH-03).
pub(super) fn files(commit: &Json<'_>) -> Result<Vec<String>, HookError> {
    let mut files = Vec::new();
    for key in ["added", "modified", "removed"] {
        texts(&commit.at(key)?, &mut files)?;
    }
    Ok(once_each(files))
}

/// Adds the texts of a list.
pub(super) fn texts(list: &Json<'_>, into: &mut Vec<String>) -> Result<(), HookError> {
    for item in list.list()? {
        into.extend(item.required()?.text()?.map(ToOwned::to_owned));
    }
    Ok(())
}

/// Drops what was there before, keeping the order (H-CH-03).
pub(super) fn once_each(mut files: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    files
}

/// True for a ref that is gone: it says so, or its new revision is empty or all zeros (H-CH-08).
pub(super) fn is_deletion(deleted: Option<bool>, after: Option<&str>) -> bool {
    deleted == Some(true) || after.is_some_and(|after| after.bytes().all(|byte| byte == b'0'))
}

/// `project`, `codebase` and `category` of the request's query or form, which win over the payload even when blank (H-GEN-17).
#[derive(Debug, Default)]
pub(super) struct Overrides {
    project: Option<String>,
    codebase: Option<String>,
    category: Option<String>,
}

impl Overrides {
    pub(super) fn read(request: &RawHook) -> Self {
        // A form that cannot be read has been refused for its payload before.
        let arguments = Arguments::read(request).unwrap_or_default();
        let first = |name| arguments.first(name).map(ToOwned::to_owned);
        Self { project: first("project"), codebase: first("codebase"), category: first("category") }
    }

    pub(super) fn apply(&self, change: &mut Change) {
        if let Some(project) = &self.project {
            change.project.clone_from(project);
        }
        if let Some(codebase) = &self.codebase {
            change.codebase.clone_from(codebase);
        }
        if let Some(category) = &self.category {
            change.category = Some(category.clone()).filter(|category| !category.is_empty());
        }
    }
}

/// The option `codebase`: one for all, or one for each repository (H-GEN-18).
#[derive(Clone, Debug, Default)]
pub(super) enum Codebases {
    #[default]
    None,
    All(String),
    ByRepository(BTreeMap<String, String>),
}

impl Codebases {
    pub(super) fn read(options: &Reader<'_>) -> Self {
        let Some(item) = options.item("codebase") else { return Self::None };
        if let Some(text) = item.as_text() {
            return Self::All(text.to_owned());
        }
        let Some(table) = item.table("codebase") else {
            options.error("codebase", "`codebase` must be a text, or a table from repository to text");
            return Self::None;
        };
        let text = |(repository, item): (&str, campanile_config::Item<'_>)| {
            Some((repository.to_owned(), item.text(&format!("codebase.{repository}"))?))
        };
        Self::ByRepository(table.entries().into_iter().filter_map(text).collect())
    }

    /// The codebase of the first of these names that has one; blank if none has.
    pub(super) fn of(&self, names: &[&str]) -> String {
        match self {
            Self::None => String::new(),
            Self::All(codebase) => codebase.clone(),
            Self::ByRepository(map) => {
                names.iter().find_map(|name| map.get(*name)).cloned().unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::hooks::testing::{get, post};
    use serde_json::{Value, json};

    fn author_of(person: &Value) -> String {
        author(&Json::top("x", person).unwrap()).unwrap()
    }

    #[test]
    fn h_ch_04_an_author_is_what_there_is_of_name_and_address() {
        assert_eq!(author_of(&json!({"name": "Ada", "email": "ada@example.org"})), "Ada <ada@example.org>");
        assert_eq!(author_of(&json!({"name": "Ada", "email": null})), "Ada");
        assert_eq!(author_of(&json!({"name": " ", "email": "ada@example.org"})), "ada@example.org");
        assert_eq!(author_of(&json!({"username": "ada"})), "");
    }

    #[test]
    fn h_ch_05_line_breaks_in_an_author_become_one_space() {
        let person = json!({"name": "Ada\r\nBcc: eve@example.org\n", "email": "a\u{2028}b"});
        assert_eq!(author_of(&person), "Ada Bcc: eve@example.org <a b>");
        assert_eq!(one_line(" \r\n "), "");
    }

    #[test]
    fn h_ch_03_files_are_added_modified_removed_each_once() {
        let commit = json!({"removed": ["r", "a"], "added": ["b", "a", "b"], "modified": ["m"]});
        assert_eq!(files(&Json::top("x", &commit).unwrap()).unwrap(), ["b", "a", "m", "r"]);
        let commit = json!({"added": ["a", 5]});
        let error = files(&Json::top("x", &commit).unwrap()).unwrap_err();
        assert_eq!(error.message, "x: added[1]: must be a text, not a number");
    }

    #[test]
    fn h_ch_08_zeros_of_any_number_are_a_deletion() {
        for zeros in ["", "0", &"0".repeat(40), &"0".repeat(64)] {
            assert!(is_deletion(None, Some(zeros)), "{zeros:?}");
        }
        assert!(is_deletion(Some(true), Some("de8251ff")));
        assert!(is_deletion(Some(true), None));
        assert!(!is_deletion(Some(false), Some("00a0")));
        assert!(!is_deletion(None, None));
    }

    #[test]
    fn h_gen_17_query_values_win_even_when_blank() {
        let mut change = Change { project: "p".into(), category: Some("tag".into()), ..Change::default() };
        Overrides::read(&get("")).apply(&mut change);
        assert_eq!((change.project.as_str(), change.category.as_deref()), ("p", Some("tag")));
        Overrides::read(&get("project=&codebase=c&category=")).apply(&mut change);
        assert_eq!((change.project.as_str(), change.codebase.as_str(), change.category), ("", "c", None));
        let form = post("application/x-www-form-urlencoded", "payload=%7B%7D&project=bells");
        let mut change = Change::default();
        Overrides::read(&RawHook { query: "project=query".to_owned(), ..form }).apply(&mut change);
        assert_eq!(change.project, "bells", "a field beside the payload");
    }
}
