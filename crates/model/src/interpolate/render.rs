//! Resolves a template over one build (section 4). Appends to one text; a value is inserted once and never read again.

use std::borrow::Cow;

use serde_json::Value;

use crate::{Dicts, Links, is_true, push_value_text};

use super::parse::{Align, Format, Modifier, Part, Selector, Substitution};
use super::{Argument, RenderError, Scope, Template};

/// The longest text that a template makes, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Appends a template's text.
pub(super) fn push_template(
    template: &Template,
    scope: &Scope<'_>,
    out: &mut String,
) -> Result<(), RenderError> {
    Renderer { template, scope }.push_parts(&template.parts, out)
}

#[derive(Clone, Copy)]
struct Renderer<'a> {
    template: &'a Template,
    scope: &'a Scope<'a>,
}

/// A value that exists.
enum Found<'a> {
    Value(Cow<'a, Value>),
    Text(Cow<'a, str>),
}

impl Found<'_> {
    fn is_true(&self) -> bool {
        match self {
            Self::Value(value) => is_true(value),
            Self::Text(text) => !text.is_empty(),
        }
    }

    fn push(&self, out: &mut String) {
        match self {
            Self::Value(value) => push_value_text(value, out),
            Self::Text(text) => out.push_str(text),
        }
    }
}

impl<'a> Renderer<'a> {
    fn push_parts(self, parts: &'a [Part], out: &mut String) -> Result<(), RenderError> {
        for part in parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Keyed(substitution) => {
                    push_formatted(substitution.format, out, |out| self.push_keyed(substitution, out))?;
                }
                Part::Positional { index, format } => {
                    let argument = self.template.positional.get(*index);
                    let argument = argument.expect("arguments were counted when the template was read");
                    let found = self.argument(argument)?;
                    push_formatted(*format, out, |out| {
                        found.push(out);
                        Ok(())
                    })?;
                }
            }
            if out.len() > MAX_TEXT {
                return Err(RenderError::TooLong);
            }
        }
        Ok(())
    }

    /// The table of section 4. Only the chosen branch is evaluated (N-EV-04).
    fn push_keyed(self, substitution: &'a Substitution, out: &mut String) -> Result<(), RenderError> {
        let found = self.find(&substitution.selector)?;
        let truth = found.as_ref().is_some_and(Found::is_true);
        let chosen = match (&substitution.modifier, &found) {
            (Modifier::DefaultIfMissing(_) | Modifier::Required, Some(value)) => {
                value.push(out);
                return Ok(());
            }
            (Modifier::DefaultIfFalse(_), Some(value)) if truth => {
                value.push(out);
                return Ok(());
            }
            (Modifier::DefaultIfMissing(replacement), None) | (Modifier::DefaultIfFalse(replacement), _) => {
                replacement
            }
            (Modifier::ReplaceIfExists(replacement), Some(_)) => replacement,
            (Modifier::ReplaceIfExists(_), None) => return Ok(()),
            (Modifier::TernaryIfExists { yes, .. }, Some(_)) => yes,
            (Modifier::TernaryIfExists { no, .. }, None) => no,
            (Modifier::TernaryIfTrue { yes, no }, _) => {
                if truth {
                    yes
                } else {
                    no
                }
            }
            (Modifier::Required, None) => return Err(missing(&substitution.selector)),
        };
        self.push_parts(chosen, out)
    }

    fn find(self, selector: &'a Selector) -> Result<Option<Found<'a>>, RenderError> {
        let value = |value| Found::Value(Cow::Borrowed(value));
        Ok(match selector {
            Selector::Property(name) => self.scope.properties.value(name).map(value),
            Selector::Source { codebase, attribute } => self.source(codebase, attribute),
            Selector::Worker(name) => self.scope.worker.and_then(|worker| worker.get(name)).map(value),
            Selector::Keyword(name) => match self.template.keywords.get(name) {
                Some(argument) => Some(self.argument(argument)?),
                None => self.scope.keywords.and_then(|keywords| keywords.get(name)).map(value),
            },
            Selector::Secret(name) => {
                let store = self.scope.secrets.ok_or_else(|| RenderError::NoSecretStore(name.clone()))?;
                let secret = store.reveal(name).ok_or_else(|| RenderError::MissingSecret(name.clone()))?;
                Some(Found::Text(Cow::Owned(secret)))
            }
        })
    }

    /// The requested revision, not the one checked out (N-SEL-03).
    fn source(self, codebase: &str, attribute: &str) -> Option<Found<'a>> {
        let stamp = self.scope.source_stamps.iter().find(|stamp| stamp.codebase == codebase)?;
        let text = |text: &'a str| Some(Found::Text(Cow::Borrowed(text)));
        let text_or_null = |text: &'a Option<String>| match text {
            Some(text) => Found::Text(Cow::Borrowed(text)),
            None => Found::Value(Cow::Owned(Value::Null)),
        };
        match attribute {
            "revision" => Some(text_or_null(&stamp.revision)),
            "branch" => Some(text_or_null(&stamp.branch)),
            "repository" => text(&stamp.repository),
            "project" => text(&stamp.project),
            "codebase" => text(&stamp.codebase),
            _ => {
                let dicts = Dicts { links: Links::default(), zone: self.scope.zone.clone() };
                dicts.source_stamp_attribute(stamp, attribute).map(|value| Found::Value(Cow::Owned(value)))
            }
        }
    }

    /// Templates given as arguments see the same build, and arguments of their own.
    fn argument(self, argument: &'a Argument) -> Result<Found<'a>, RenderError> {
        Ok(match argument {
            Argument::Value(value) => Found::Value(Cow::Borrowed(value)),
            Argument::Property(property) => {
                Found::Value(Cow::Borrowed(property.value(self.scope.properties)))
            }
            Argument::Template(template) => Found::Text(Cow::Owned(template.render(self.scope)?)),
        })
    }
}

fn missing(selector: &Selector) -> RenderError {
    match selector {
        Selector::Property(name)
        | Selector::Keyword(name)
        | Selector::Worker(name)
        | Selector::Secret(name) => RenderError::MissingProperty(name.clone()),
        Selector::Source { attribute, .. } => RenderError::MissingProperty(attribute.clone()),
    }
}

/// Cuts what is appended to the precision, then fills it up to the width; both count characters.
fn push_formatted(
    format: Format,
    out: &mut String,
    push: impl FnOnce(&mut String) -> Result<(), RenderError>,
) -> Result<(), RenderError> {
    let start = out.len();
    push(out)?;
    if let Some(precision) = format.precision {
        let end = out.get(start..).and_then(|text| text.char_indices().nth(precision)).map(|(at, _)| at);
        out.truncate(end.map_or(out.len(), |end| start + end));
    }
    if format.width > 0 {
        let length = out.get(start..).map_or(0, |text| text.chars().count());
        let filling = " ".repeat(format.width.saturating_sub(length));
        match format.align {
            Align::Left => out.push_str(&filling),
            Align::Right => out.insert_str(start, &filling),
        }
    }
    Ok(())
}
