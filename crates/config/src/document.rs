//! A TOML file as a tree whose every value knows its line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{FileScope, Location, Problems, RegularFile, Severity};

/// Size of the largest settings file, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// The same of a tenant's, as much as comes by the API.
const MAX_TENANTS_FILE: u64 = 1 << 20;

/// A settings file, read and parsed.
#[derive(Debug)]
pub struct Document {
    pub(super) file: PathBuf,
    pub(super) root: Node,
    pub(super) file_scope: FileScope,
    /// A folder, and one with files that are about to be put there.
    staged: Option<(PathBuf, PathBuf)>,
}

/// A value and its line.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    /// None for what JSON has no number for: infinities and the like.
    Float(Option<serde_json::Number>),
    Boolean(bool),
    /// As it is written.
    Datetime(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    /// As JSON; dates become texts.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Text(text) | Value::Datetime(text) => text.clone().into(),
            Value::Integer(integer) => (*integer).into(),
            Value::Float(number) => number.clone().map_or(serde_json::Value::Null, serde_json::Value::Number),
            Value::Boolean(boolean) => (*boolean).into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(table) => table
                .iter()
                .map(|(key, node)| (key.clone(), node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

impl Value {
    /// Name of its type, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Datetime(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Document {
    /// Reads and parses a file; what is wrong goes to `problems`, and what can still be read comes back.
    #[must_use]
    pub fn read(file: &Path, problems: &Problems) -> Option<Self> {
        Self::read_up_to(file, MAX_FILE, problems)
    }

    /// As [`read`](Self::read), for the settings of a tenant.
    #[must_use]
    pub fn read_tenants(file: &Path, problems: &Problems) -> Option<Self> {
        Self::read_up_to(file, MAX_TENANTS_FILE, problems)
    }

    fn read_up_to(file: &Path, max: u64, problems: &Problems) -> Option<Self> {
        match RegularFile::new(file).read_text(max) {
            Ok(source) => Some(Self::parse(file, &source, problems)),
            Err(error) => {
                let location = Location { file: file.to_owned(), line: 1 };
                problems.add(Severity::Error, location, format!("cannot be read: {error}"));
                None
            }
        }
    }

    /// Parses text that stands for a file.
    #[must_use]
    pub fn parse(file: &Path, source: &str, problems: &Problems) -> Self {
        let lines = LineIndex::new(source);
        let (table, errors) = DeTable::parse_recoverable(source);
        for error in errors {
            let line = error.span().map_or(1, |span| lines.line(span.start));
            let text = error.message().trim().replace('\n', ", ");
            problems.add(Severity::Error, Location { file: file.to_owned(), line }, text);
        }
        let root = Node { line: 1, value: Value::Table(lines.table(table.get_ref())) };
        Self { file: file.to_owned(), root, file_scope: FileScope::Machine, staged: None }
    }

    /// The same as a tenant's, who may name files of this folder only.
    #[must_use]
    pub fn confined_to(self, folder: &Path) -> Self {
        Self { file_scope: FileScope::Folder(folder.to_owned()), ..self }
    }

    /// The same, where `folder` is as it will be: what lies in `staged` is about to be put there.
    #[must_use]
    pub fn with_staged(self, folder: &Path, staged: &Path) -> Self {
        Self { staged: Some((folder.to_owned(), staged.to_owned())), ..self }
    }

    /// The place of a file as of now.
    pub(super) fn located(&self, path: PathBuf) -> PathBuf {
        let Some((folder, staged)) = &self.staged else { return path };
        let staged = path.strip_prefix(folder).ok().map(|below| staged.join(below));
        staged.filter(|staged| staged.is_file()).unwrap_or(path)
    }

    /// The file at a path, opened no further than these settings reach.
    pub(super) fn regular_file(&self, path: &Path) -> RegularFile {
        match &self.file_scope {
            // What is staged lies beside that folder, and was just written by the engine.
            FileScope::Folder(folder) if path.starts_with(folder) => {
                RegularFile::beneath(path.to_owned(), folder)
            }
            _ => RegularFile::new(path),
        }
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The folder that relative paths in the file start at.
    #[must_use]
    pub fn folder(&self) -> &Path {
        if let FileScope::Folder(folder) = &self.file_scope {
            return folder;
        }
        self.file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

/// Byte offsets of line starts.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn new(source: &str) -> Self {
        Self(std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|&start| start <= offset).max(1)
    }

    fn table(&self, table: &DeTable<'_>) -> BTreeMap<String, Node> {
        table
            .iter()
            .map(|(key, value)| {
                // A table's own span starts at its header or brace, a value's after the `=`: the key is what people look for.
                let node = Node { line: self.line(key.span().start), value: self.value(value.get_ref()) };
                (key.get_ref().to_string(), node)
            })
            .collect()
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(integer) => {
                let digits = integer.as_str().replace('_', "");
                i64::from_str_radix(&digits, integer.radix()).map_or(Value::Text(digits), Value::Integer)
            }
            DeValue::Float(number) => Value::Float(
                number.as_str().replace('_', "").parse().ok().and_then(serde_json::Number::from_f64),
            ),
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(date) => Value::Datetime(date.to_string()),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| Node {
                        line: self.line(item.span().start),
                        value: self.value(item.get_ref()),
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}
