//! The Interpolate mini-language: text with `%(...)s` substitutions, resolved per build.
//!
//! A template is read once, when settings are loaded, with all its errors at once; rendering is pure: the same
//! build gives the same text. `docs/spec/interpolate.md` gives the rules by number.
//!
//! Invariant: knows the model and nothing else; does no I/O, secrets come through a lookup that it is handed.

mod error;
mod lint;
mod parse;
mod render;
mod secrets;
mod text;

#[cfg(test)]
mod real_bodies;
#[cfg(test)]
mod vectors;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::{Properties, SourceStamp, is_true};

pub use error::{RenderError, TemplateError, TemplateErrorKind};
pub use lint::TemplateWarning;
pub use secrets::{Redactions, Secrets};
pub use text::{Text, TextError};

use parse::Part;

/// A text with substitutions, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: String,
    form: Form,
    parts: Vec<Part>,
    positional: Vec<Argument>,
    keywords: BTreeMap<String, Argument>,
}

/// Form in which a template's substitutions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `%(selector:name)s`.
    Keyed,
    /// Bare `%s`, filled from a list in order (N-POS-01).
    Positional,
    /// `%(name)s`, properties only (N-OLD-01).
    Old,
}

/// Argument bound to a template's `%s` or `kw` (N-SEL-04, N-POS-01).
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A fixed value.
    Value(Value),
    /// A property of the build.
    Property(PropertyRef),
    /// Another template, with arguments of its own.
    Template(Template),
}

/// A property that keeps its type, with a default (N-POS-05).
#[derive(Clone, Debug, PartialEq)]
pub struct PropertyRef {
    /// The property's name.
    pub name: String,
    /// Stands in for a property that was never set.
    pub default: Value,
    /// The default also stands in for a value that does not count as true.
    pub default_when_false: bool,
}

impl PropertyRef {
    /// A property whose default is null, also used when it is not true.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), default: Value::Null, default_when_false: true }
    }

    /// Its value, untouched, or the default (N-POS-05).
    #[must_use]
    pub fn value<'a>(&'a self, properties: &'a Properties) -> &'a Value {
        properties
            .value(&self.name)
            .filter(|value| !self.default_when_false || is_true(value))
            .unwrap_or(&self.default)
    }
}

/// Facts that a template is rendered over: a snapshot of one build.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// Properties of the build, for `prop`.
    pub properties: &'a Properties,
    /// Source stamps of the build, for `src`.
    pub source_stamps: &'a [SourceStamp],
    /// Facts of the worker, for `worker` and `slave`.
    pub worker: Option<&'a Map<String, Value>>,
    /// Values rendered by the host, for `kw`; those bound to the template win.
    pub keywords: Option<&'a BTreeMap<String, Value>>,
    /// The secret store, for `secret`.
    pub secrets: Option<&'a Secrets<'a>>,
    /// Zone of the times inside `%(src::changes)s`.
    pub zone: TimeZone,
}

impl<'a> Scope<'a> {
    /// Properties and source stamps, and nothing of the rest; times in UTC.
    #[must_use]
    pub fn new(properties: &'a Properties, source_stamps: &'a [SourceStamp]) -> Self {
        Self { properties, source_stamps, worker: None, keywords: None, secrets: None, zone: TimeZone::UTC }
    }
}

impl Template {
    /// Reads a template without arguments.
    ///
    /// # Errors
    /// All errors of the text, those of nested templates too (section 6).
    pub fn parse(source: &str) -> Result<Self, Vec<TemplateError>> {
        Self::with_arguments(source, Vec::new(), BTreeMap::new())
    }

    /// Reads a template and binds its arguments, of which only one kind may be given (N-POS-01, N-POS-02).
    ///
    /// # Errors
    /// All errors of the text, both kinds of arguments, or another count of them than the text wants.
    pub fn with_arguments(
        source: &str,
        positional: Vec<Argument>,
        keywords: BTreeMap<String, Argument>,
    ) -> Result<Self, Vec<TemplateError>> {
        if !positional.is_empty() && !keywords.is_empty() {
            return Err(vec![TemplateError { column: 1, kind: TemplateErrorKind::BothArguments }]);
        }
        let form = if positional.is_empty() { Form::Keyed } else { Form::Positional };
        let parts = parse::parse(source, form, positional.len())?;
        Ok(Self { source: source.to_owned(), form, parts, positional, keywords })
    }

    /// Reads the older form, `%(name)s` over properties, as migrated settings have it (N-OLD-01).
    ///
    /// # Errors
    /// All errors of the text.
    pub fn parse_old(source: &str) -> Result<Self, Vec<TemplateError>> {
        let parts = parse::parse(source, Form::Old, 0)?;
        Ok(Self {
            source: source.to_owned(),
            form: Form::Old,
            parts,
            positional: Vec::new(),
            keywords: BTreeMap::new(),
        })
    }

    /// Binds a keyword argument, for `%(kw:name)s` (N-SEL-04).
    #[must_use]
    pub fn keyword(mut self, name: impl Into<String>, argument: Argument) -> Self {
        self.keywords.insert(name.into(), argument);
        self
    }

    /// The text as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The template's text for one build (section 4).
    ///
    /// # Errors
    /// A secret that is not to be had (N-SEL-06), or a property that the older form misses (N-OLD-01).
    pub fn render(&self, scope: &Scope<'_>) -> Result<String, RenderError> {
        let mut out = String::with_capacity(self.source.len());
        render::push_template(self, scope, &mut out)?;
        Ok(out)
    }

    /// Names of all properties that it may read, in nested templates and arguments too.
    #[must_use]
    pub fn properties_read(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        lint::collect_properties(self, &mut names);
        names
    }
}
