//! Takes typed values out of a table, and notes what is missing, mistyped or unknown.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Document, Node, Value};
use super::spelling::{is_camel_case_of, quoted_list};
use super::units::{parse_duration, parse_size};
use super::{FileScope, Location, Problems, RegularFile, Secret, Severity};

/// Size of the largest file of a secret, in bytes.
const MAX_SECRET: u64 = 1 << 20;
/// Memory of a compiled regular expression, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// One table that is being read. `finish` reports the keys that nobody asked for.
///
/// Keys are named in snake_case; the manual's camelCase spelling of the same key is accepted too.
pub struct Reader<'a> {
    document: &'a Document,
    problems: &'a Problems,
    path: String,
    line: usize,
    table: &'a BTreeMap<String, Node>,
    asked: RefCell<Vec<String>>,
}

/// One value whose type is the asker's business, with its location.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    document: &'a Document,
    problems: &'a Problems,
    node: &'a Node,
}

impl<'a> Reader<'a> {
    /// The whole document.
    #[must_use]
    pub fn root(document: &'a Document, problems: &'a Problems) -> Self {
        static EMPTY: BTreeMap<String, Node> = BTreeMap::new();
        let table = match &document.root.value {
            Value::Table(table) => table,
            _ => &EMPTY,
        };
        Self { document, problems, path: String::new(), line: 1, table, asked: RefCell::default() }
    }

    /// The table's name with its parents', such as `change_hooks.dialects`; blank for the whole file.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The folder that relative paths start at.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.document.folder()
    }

    /// The value of a key, under its name or its camelCase one.
    pub fn item(&self, key: &str) -> Option<Item<'a>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.iter().any(|known| known == key) {
            asked.push(key.to_owned());
        }
        let camel = self.table.iter().find(|(given, _)| is_camel_case_of(given, key));
        let node = match (self.table.get(key), camel) {
            (Some(_), Some((camel, twice))) => {
                drop(asked);
                self.report(
                    Severity::Error,
                    twice.line,
                    format!("`{camel}` is `{key}` again: keep one of them"),
                );
                Some(twice)
            }
            (node, other) => node.or(other.map(|(_, node)| node)),
        }?;
        Some(Item { document: self.document, problems: self.problems, node })
    }

    /// A text.
    pub fn text(&self, key: &str) -> Option<String> {
        self.item(key)?.text(key)
    }

    /// A text that must be there.
    pub fn required_text(&self, key: &str) -> Option<String> {
        if self.item(key).is_none() {
            self.error(key, format!("`{key}` is missing{}", self.of_table()));
        }
        self.text(key)
    }

    /// A boolean.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        let item = self.item(key)?;
        match item.node.value {
            Value::Boolean(boolean) => Some(boolean),
            _ => item.wrong_type(key, "true or false"),
        }
    }

    /// An integer within bounds.
    pub fn integer(&self, key: &str, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let item = self.item(key)?;
        match item.node.value {
            Value::Integer(integer) if bounds.contains(&integer) => Some(integer),
            Value::Integer(_) => {
                item.error(format!("`{key}` must be from {} to {}", bounds.start(), bounds.end()));
                None
            }
            _ => item.wrong_type(key, "an integer"),
        }
    }

    /// A length of time: `"250ms"`, `"10s"`, `"5m"`, `"24h"`, `"7d"`.
    pub fn duration(&self, key: &str) -> Option<Duration> {
        let item = self.item(key)?;
        let parsed = match &item.node.value {
            Value::Text(text) => parse_duration(text),
            _ => None,
        };
        parsed.or_else(|| item.wrong_type(key, "a length of time such as \"250ms\", \"10s\" or \"24h\""))
    }

    /// A size in bytes: a number, or `"64 MiB"`.
    pub fn size(&self, key: &str) -> Option<u64> {
        let item = self.item(key)?;
        let parsed = match &item.node.value {
            Value::Text(text) => parse_size(text),
            Value::Integer(bytes) => u64::try_from(*bytes).ok(),
            _ => None,
        };
        parsed.or_else(|| item.wrong_type(key, "a size such as 1048576 or \"64 MiB\""))
    }

    /// A list of texts. A bare text is an error, not a list of one (M-T-10).
    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        self.item(key)?.texts(key)
    }

    /// A list of values of any type.
    pub fn list(&self, key: &str) -> Option<Vec<Item<'a>>> {
        let item = self.item(key)?;
        item.list().or_else(|| item.wrong_type(key, "a list"))
    }

    /// A path; a relative one starts at the file's folder. A tenant's must stay within its folder.
    pub fn file(&self, key: &str) -> Option<PathBuf> {
        self.text(key).and_then(|path| self.path_at(key, &path))
    }

    /// The path that a value of `key` names, as [`Reader::file`] takes it.
    pub fn path_at(&self, key: &str, path: &str) -> Option<PathBuf> {
        match self.document.file_scope.file(self.folder(), path) {
            Ok(path) => Some(self.document.located(path)),
            Err(objection) => {
                self.error(key, format!("`{key}`: {objection}"));
                None
            }
        }
    }

    /// The file at a path of these settings. A tenant's is opened beneath the tenant's folder.
    #[must_use]
    pub fn regular_file(&self, path: &Path) -> RegularFile {
        self.document.regular_file(path)
    }

    /// A size in bytes, which tenants may set to `most` at most.
    pub fn size_up_to(&self, key: &str, most: u64) -> Option<u64> {
        let size = self.size(key)?;
        if self.is_tenants() && size > most {
            let (unit, shift) = if most >= 1 << 20 { ("MiB", 20) } else { ("KiB", 10) };
            self.error(
                key,
                format!("`{key}` may be {} {unit} at most in a tenant's settings", most >> shift),
            );
            return None;
        }
        Some(size)
    }

    /// A regular expression, which may take 1 MiB when it is compiled; an error is noted at `key`.
    pub fn pattern(&self, key: &str, pattern: &str) -> Option<regex::Regex> {
        let compiled = regex::RegexBuilder::new(pattern).size_limit(MAX_PATTERN).build();
        let told = |error: regex::Error| match error {
            regex::Error::CompiledTooBig(_) => {
                format!("`{key}`: a regular expression takes more than 1 MiB: repeat less in it")
            }
            error => format!("`{key}` is no regular expression: {error}"),
        };
        compiled.map_err(|error| self.error(key, told(error))).ok()
    }

    /// True for a tenant's settings, false for the operator's own.
    #[must_use]
    pub fn is_tenants(&self) -> bool {
        self.document.file_scope != FileScope::Machine
    }

    /// Notes an error at a key that tenants' settings can't have; true if these are a tenant's.
    pub fn deny_to_tenants(&self, key: &str, what: &str) -> bool {
        if self.is_tenants() {
            self.error(key, format!("`{key}`: {what}: only the operator's own settings can have this"));
        }
        self.is_tenants()
    }

    /// A secret: `{ env = "NAME" }`, `{ file = "path" }`, or, with a warning, the text itself.
    pub fn secret(&self, key: &str) -> Option<Secret> {
        self.item(key)?.secret(key)
    }

    /// `user` with `password`; none if there is neither, or only one of them, which is an error.
    pub fn login(&self) -> Option<(String, Secret)> {
        let (key, other) = match (self.text("user"), self.secret("password")) {
            (Some(user), Some(password)) => return Some((user, password)),
            (None, None) => return None,
            (Some(_), None) => ("user", "password"),
            (None, Some(_)) => ("password", "user"),
        };
        self.error(key, format!("`{key}` needs `{other}` beside it"));
        None
    }

    /// One secret or a list of them, for rotation.
    pub fn secrets(&self, key: &str) -> Vec<Secret> {
        let Some(item) = self.item(key) else { return Vec::new() };
        match item.list() {
            Some(items) => items.iter().filter_map(|item| item.secret(key)).collect(),
            None => item.secret(key).into_iter().collect(),
        }
    }

    /// A table of its own.
    pub fn table(&self, key: &str) -> Option<Reader<'a>> {
        let item = self.item(key)?;
        item.table(&self.join(key)).or_else(|| item.wrong_type(key, "a table"))
    }

    /// The tables of `[[key]]`.
    pub fn tables(&self, key: &str) -> Vec<Reader<'a>> {
        let Some(item) = self.item(key) else { return Vec::new() };
        let path = self.join(key);
        let tables = item.list().and_then(|items| items.iter().map(|item| item.table(&path)).collect());
        tables
            .or_else(|| item.wrong_type(key, &format!("a list of tables, `[[{path}]]`")))
            .unwrap_or_default()
    }

    /// Every key with its value, for tables whose keys are names of the user's.
    pub fn entries(&self) -> Vec<(&'a str, Item<'a>)> {
        let mut asked = self.asked.borrow_mut();
        self.table
            .iter()
            .map(|(key, node)| {
                asked.push(key.clone());
                (key.as_str(), Item { document: self.document, problems: self.problems, node })
            })
            .collect()
    }

    /// Notes an error at a key, or at the table if the key is not there.
    pub fn error(&self, key: &str, text: impl Into<String>) {
        self.report(Severity::Error, self.line_of(key), text);
    }

    /// Notes a warning at a key, or at the table if the key is not there.
    pub fn warning(&self, key: &str, text: impl Into<String>) {
        self.report(Severity::Warning, self.line_of(key), text);
    }

    /// Notes an error for every key that nobody asked for, with the nearest known one (M-01).
    pub fn finish(self) {
        let asked = self.asked.borrow();
        for (key, node) in self.table {
            if asked.iter().any(|known| known == key || is_camel_case_of(key, known)) {
                continue;
            }
            let hint = match campanile_model::nearest(key, asked.iter().map(String::as_str)) {
                Some(known) => format!(": did you mean `{known}`?"),
                None if asked.is_empty() => String::new(),
                None => format!(": known are {}", quoted_list(&asked)),
            };
            self.report(Severity::Error, node.line, format!("unknown key `{key}`{}{hint}", self.of_table()));
        }
    }

    fn of_table(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) }
    }

    fn join(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn line_of(&self, key: &str) -> usize {
        let camel =
            || self.table.iter().find(|(given, _)| is_camel_case_of(given, key)).map(|(_, node)| node);
        let node = self.table.get(key).or_else(camel);
        node.map_or(self.line, |node| node.line)
    }

    fn report(&self, severity: Severity, line: usize, text: impl Into<String>) {
        self.problems.add(severity, Location { file: self.document.file.clone(), line }, text);
    }
}

impl<'a> Item<'a> {
    /// The value as a text; anything else is noted as wrong for `key`.
    #[must_use]
    pub fn text(self, key: &str) -> Option<String> {
        match &self.node.value {
            Value::Text(text) => Some(text.clone()),
            _ => self.wrong_type(key, "a text"),
        }
    }

    /// The value as a text, if it is one.
    #[must_use]
    pub fn as_text(self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a boolean, if it is one.
    #[must_use]
    pub fn as_boolean(self) -> Option<bool> {
        match self.node.value {
            Value::Boolean(boolean) => Some(boolean),
            _ => None,
        }
    }

    /// The value as a list of texts; anything else is noted as wrong for `key`.
    #[must_use]
    pub fn texts(self, key: &str) -> Option<Vec<String>> {
        match self.list() {
            Some(items) => Some(items.into_iter().filter_map(|item| item.text(key)).collect()),
            None => match self.as_text() {
                Some(text) => self.wrong_type(key, &format!("a list of texts: write [{text:?}]")),
                None => self.wrong_type(key, "a list of texts"),
            },
        }
    }

    /// The value as a list, if it is one.
    #[must_use]
    pub fn list(self) -> Option<Vec<Item<'a>>> {
        match &self.node.value {
            Value::List(items) => Some(items.iter().map(|node| Item { node, ..self }).collect()),
            _ => None,
        }
    }

    /// The value as a table, if it is one, to be read under the name `path`.
    #[must_use]
    pub fn table(self, path: &str) -> Option<Reader<'a>> {
        match &self.node.value {
            Value::Table(table) => Some(Reader {
                document: self.document,
                problems: self.problems,
                path: path.to_owned(),
                line: self.node.line,
                table,
                asked: RefCell::default(),
            }),
            _ => None,
        }
    }

    /// The value as a secret: by reference, or, with a warning, literal.
    #[must_use]
    pub fn secret(self, key: &str) -> Option<Secret> {
        if let Some(text) = self.as_text() {
            self.warning(format!(
                "`{key}` stands in the file itself: {{ env = \"NAME\" }} or {{ file = \"path\" }} is safer"
            ));
            return self.unless_blank(key, Secret::new(text));
        }
        let Some(table) = self.table(key) else {
            return self.wrong_type(key, "a secret: { env = \"NAME\" } or { file = \"path\" }");
        };
        let secret = match (table.text("env"), table.file("file")) {
            (Some(_), None) if table.deny_to_tenants("env", "it names the engine's own environment") => None,
            (Some(name), None) => self.secret_from_env(key, &name),
            (None, Some(path)) => self.secret_from_file(key, &path),
            _ => self.wrong_type(key, "a secret: { env = \"NAME\" } or { file = \"path\" }"),
        };
        table.finish();
        secret
    }

    /// The value as JSON, for those who read it with rules of their own.
    #[must_use]
    pub fn to_json(self) -> serde_json::Value {
        self.node.to_json()
    }

    /// Position of the value, for what is judged later.
    #[must_use]
    pub fn location(self) -> Location {
        Location { file: self.document.file.clone(), line: self.node.line }
    }

    /// Notes an error here.
    pub fn error(self, text: impl Into<String>) {
        self.report(Severity::Error, text);
    }

    /// Notes a warning here.
    pub fn warning(self, text: impl Into<String>) {
        self.report(Severity::Warning, text);
    }

    /// Notes that the value is of the wrong type; gives nothing, so that it can stand where a value is wanted.
    pub fn wrong_type<T>(self, key: &str, wanted: &str) -> Option<T> {
        self.error(format!("`{key}` must be {wanted}, not {}", self.node.value.kind()));
        None
    }

    #[allow(clippy::disallowed_methods)] // the one place where the environment is read: what a settings file names
    fn secret_from_env(self, key: &str, name: &str) -> Option<Secret> {
        match std::env::var(name) {
            Ok(text) => self.unless_blank(key, Secret::new(text)),
            Err(_) => {
                self.error(format!("`{key}`: the environment variable `{name}` is not set"));
                None
            }
        }
    }

    fn secret_from_file(self, key: &str, path: &Path) -> Option<Secret> {
        match self.document.regular_file(path).read_text(MAX_SECRET) {
            Ok(text) => self.unless_blank(key, Secret::new(text.trim_end_matches(['\r', '\n']))),
            Err(error) => {
                self.error(format!("`{key}`: cannot read `{}`: {error}", path.display()));
                None
            }
        }
    }

    /// Refuses a secret that everybody knows.
    fn unless_blank(self, key: &str, secret: Secret) -> Option<Secret> {
        if secret.is_blank() {
            self.error(format!(
                "`{key}` is blank: everybody knows that; write a secret, or take the key out"
            ));
            return None;
        }
        Some(secret)
    }

    fn report(self, severity: Severity, text: impl Into<String>) {
        self.problems.add(severity, self.location(), text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(source: &str, read: impl FnOnce(Reader<'_>) -> T) -> (T, Vec<String>) {
        let problems = Problems::new();
        let document = Document::parse(Path::new("campanile.toml"), source, &problems);
        let value = read(Reader::root(&document, &problems));
        (value, problems.into_sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn camel_case_is_the_same_key() {
        let (value, problems) = read("sendToInterestedUsers = false\n", |reader| {
            let value = reader.boolean("send_to_interested_users");
            reader.finish();
            value
        });
        assert_eq!((value, problems.as_slice()), (Some(false), &[] as &[String]));
    }

    #[test]
    fn m_01_unknown_keys_come_with_the_nearest_known_one() {
        let ((), problems) = read("fromaddr = \"a@b\"\n\nsubjct = \"x\"\n", |reader| {
            reader.text("fromaddr");
            reader.text("subject");
            reader.finish();
        });
        assert_eq!(problems, ["campanile.toml:3: error: unknown key `subjct`: did you mean `subject`?"]);
    }

    #[test]
    fn m_t_10_a_bare_text_is_no_list() {
        let (value, problems) = read("extra = \"a@b\"", |reader| reader.texts("extra"));
        assert_eq!(value, None);
        assert_eq!(
            problems,
            ["campanile.toml:1: error: `extra` must be a list of texts: write [\"a@b\"], not a text"]
        );
    }

    #[test]
    fn syntax_errors_have_their_line_and_the_rest_is_still_read() {
        let (value, problems) = read("a = 1\nb = = 2\nc = 3\n", |reader| reader.integer("c", 0..=9));
        assert_eq!(value, Some(3));
        assert!(
            problems.iter().any(|problem| problem.starts_with("campanile.toml:2: error:")),
            "{problems:?}"
        );
    }

    #[test]
    fn secrets_by_reference_only_without_a_warning() {
        let (secret, problems) =
            read("k = { env = \"CAMPANILE_NO_SUCH_VARIABLE\" }\n", |reader| reader.secret("k"));
        assert!(secret.is_none());
        assert_eq!(
            problems,
            [
                "campanile.toml:1: error: `k`: the environment variable `CAMPANILE_NO_SUCH_VARIABLE` is not set"
            ]
        );
        let (secret, problems) = read("k = \"open\"\n", |reader| reader.secret("k"));
        assert!(secret.is_some_and(|secret| secret.matches(b"open")));
        assert!(problems.iter().all(|problem| problem.contains("warning") && !problem.contains("open\"")));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(source in "[a-z\\[\\]=\"{}. \\n0-9_#']{0,80}") {
            let problems = Problems::new();
            let document = Document::parse(Path::new("x.toml"), &source, &problems);
            Reader::root(&document, &problems).finish();
        }
    }
}
