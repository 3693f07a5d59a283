//! Fields that settings document as "string or Interpolate" (N-POS-04).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Argument, PropertyRef, RenderError, Scope, Template, TemplateError};

/// A text that is used as it is, or a template.
///
/// In settings a plain string is the first; `{ interpolate = "...", args = [...], kwargs = {...} }` is the second.
/// An argument is a value, such a table again, or `{ property = "...", default = ..., default_when_false = ... }`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Text {
    /// Used verbatim: a `%` in it means nothing.
    Plain(String),
    /// Rendered for each build.
    Template(Template),
}

/// A value that is neither a text nor a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Another type.
    #[error("expected a text or `{{ interpolate = \"...\" }}`")]
    Type,
    /// A word that is not known here.
    #[error("unknown word `{0}` beside `{1}`")]
    UnknownWord(String, &'static str),
    /// A word with a value of another type.
    #[error("`{0}` must be {1}")]
    WrongType(&'static str, &'static str),
    /// Errors of the template.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Template(Vec<TemplateError>),
}

impl Text {
    /// The text for one build.
    ///
    /// # Errors
    /// Those of [`Template::render`].
    pub fn render(&self, scope: &Scope<'_>) -> Result<Cow<'_, str>, RenderError> {
        match self {
            Self::Plain(text) => Ok(Cow::Borrowed(text)),
            Self::Template(template) => template.render(scope).map(Cow::Owned),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<Template> for Text {
    fn from(template: Template) -> Self {
        Self::Template(template)
    }
}

impl TryFrom<Value> for Text {
    type Error = TextError;

    fn try_from(value: Value) -> Result<Self, TextError> {
        match value {
            Value::String(text) => Ok(Self::Plain(text)),
            Value::Object(table) if table.contains_key("interpolate") => {
                read_template(table).map(Self::Template)
            }
            _ => Err(TextError::Type),
        }
    }
}

fn read_template(table: Map<String, Value>) -> Result<Template, TextError> {
    let mut source = String::new();
    let mut positional = Vec::new();
    let mut keywords = BTreeMap::new();
    for (word, value) in table {
        match (word.as_str(), value) {
            ("interpolate", Value::String(text)) => source = text,
            ("interpolate", _) => return Err(TextError::WrongType("interpolate", "a text")),
            ("args", Value::Array(list)) => {
                positional = list.into_iter().map(read_argument).collect::<Result<_, _>>()?;
            }
            ("args", _) => return Err(TextError::WrongType("args", "a list")),
            ("kwargs", Value::Object(map)) => {
                for (name, value) in map {
                    keywords.insert(name, read_argument(value)?);
                }
            }
            ("kwargs", _) => return Err(TextError::WrongType("kwargs", "a table")),
            _ => return Err(TextError::UnknownWord(word, "interpolate")),
        }
    }
    Template::with_arguments(&source, positional, keywords).map_err(TextError::Template)
}

fn read_argument(value: Value) -> Result<Argument, TextError> {
    match value {
        Value::Object(table) if table.contains_key("interpolate") => {
            read_template(table).map(Argument::Template)
        }
        Value::Object(table) if table.contains_key("property") => {
            read_property(table).map(Argument::Property)
        }
        value => Ok(Argument::Value(value)),
    }
}

fn read_property(table: Map<String, Value>) -> Result<PropertyRef, TextError> {
    let mut property = PropertyRef::new("");
    for (word, value) in table {
        match (word.as_str(), value) {
            ("property", Value::String(name)) => property.name = name,
            ("property", _) => return Err(TextError::WrongType("property", "a text")),
            ("default", value) => property.default = value,
            ("default_when_false", Value::Bool(value)) => property.default_when_false = value,
            ("default_when_false", _) => {
                return Err(TextError::WrongType("default_when_false", "true or false"));
            }
            _ => return Err(TextError::UnknownWord(word, "property")),
        }
    }
    Ok(property)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Properties;
    use serde_json::json;

    fn read(value: Value) -> Result<String, String> {
        let mut properties = Properties::new();
        properties.set("s", "x", "Build");
        let text = Text::try_from(value).map_err(|error| error.to_string())?;
        let rendered = text.render(&Scope::new(&properties, &[])).map_err(|error| error.to_string())?;
        Ok(rendered.into_owned())
    }

    #[test]
    fn n_pos_04_a_plain_text_is_verbatim() {
        assert_eq!(read(json!("100% %(prop:s)s %%")).as_deref(), Ok("100% %(prop:s)s %%"));
        assert_eq!(read(json!({"interpolate": "100%% %(prop:s)s"})).as_deref(), Ok("100% x"));
    }

    #[test]
    fn n_sel_04_and_n_pos_01_arguments_from_settings() {
        let keyed = json!({"interpolate": "%(kw:a)s %(kw:b)s %(kw:c)s", "kwargs": {
            "a": {"interpolate": "<%(prop:s)s>"}, "b": {"property": "m", "default": 7}, "c": ["v"]}});
        assert_eq!(read(keyed).as_deref(), Ok("<x> 7 ['v']"));
        let listed = json!({"interpolate": "%s-%3s", "args": [1, {"property": "s"}]});
        assert_eq!(read(listed).as_deref(), Ok("1-  x"));
    }

    #[test]
    fn n_err_13_settings_errors_say_what_to_write() {
        for (value, error) in [
            (json!(1), "expected a text or `{ interpolate = \"...\" }`"),
            (json!({"interpolate": 1}), "`interpolate` must be a text"),
            (json!({"interpolate": "", "kw": {}}), "unknown word `kw` beside `interpolate`"),
            (
                json!({"interpolate": "%(foo)s %(foo:x)s"}),
                "column 1: invalid Interpolate substitution without selector 'foo'; \
                 column 9: invalid Interpolate selector 'foo'",
            ),
            (
                json!({"interpolate": "", "args": [1], "kwargs": {"a": 1}}),
                "column 1: Interpolate takes either positional or keyword substitutions, not both.",
            ),
        ] {
            assert_eq!(read(value), Err(error.to_owned()));
        }
    }
}
