//! Reads a template's text; gathers all errors instead of stopping at the first (sections 1, 2 and 6).

use super::error::{MAX_DEPTH, MAX_WIDTH};
use super::{Form, TemplateError, TemplateErrorKind};

/// The selectors of section 3.
pub(super) const SELECTORS: [&str; 6] = ["prop", "src", "kw", "worker", "slave", "secret"];

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// Copied unchanged (N-LEX-05).
    Literal(String),
    /// `%(...)s`.
    Keyed(Substitution),
    /// The next of the positional arguments.
    Positional { index: usize, format: Format },
}

/// One `%(...)s`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Substitution {
    pub(super) selector: Selector,
    pub(super) modifier: Modifier,
    pub(super) format: Format,
}

/// Source of a value (section 3).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Selector {
    Property(String),
    Source { codebase: String, attribute: String },
    Keyword(String),
    Worker(String),
    Secret(String),
}

/// Treatment of a value, or of its absence (section 4).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Modifier {
    /// Nothing, or `-`: the replacement when it is missing.
    DefaultIfMissing(Vec<Part>),
    /// `~`: the replacement when it is missing or not true.
    DefaultIfFalse(Vec<Part>),
    /// `+`: the replacement when it exists.
    ReplaceIfExists(Vec<Part>),
    /// `?`: one text when it exists, another when not.
    TernaryIfExists { yes: Vec<Part>, no: Vec<Part> },
    /// `#?`: one text when it is true, another when not.
    TernaryIfTrue { yes: Vec<Part>, no: Vec<Part> },
    /// The older form without a default: it has to exist (N-OLD-01).
    Required,
}

/// Width and precision, in characters (N-LEX-02).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
    pub(super) align: Align,
}

/// Side of its width that a text stands at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    #[default]
    Right,
}

/// Reads a whole template.
pub(super) fn parse(source: &str, form: Form, arguments: usize) -> Result<Vec<Part>, Vec<TemplateError>> {
    let mut parser = Parser { source, form, errors: Vec::new(), places: 0 };
    let parts = parser.parts(source, 0);
    if form == Form::Positional && parser.places != arguments {
        let kind = TemplateErrorKind::ArgumentCount { wanted: parser.places, given: arguments };
        parser.errors.push(TemplateError { column: 1, kind });
    }
    if parser.errors.is_empty() { Ok(parts) } else { Err(parser.errors) }
}

struct Parser<'a> {
    source: &'a str,
    form: Form,
    errors: Vec<TemplateError>,
    /// Number of bare `%s` so far.
    places: usize,
}

impl<'a> Parser<'a> {
    /// Notes an error. `at` is a part of the source; its address tells where in the source it begins.
    fn error(&mut self, at: &'a str, kind: TemplateErrorKind) {
        let offset = (at.as_ptr() as usize).saturating_sub(self.source.as_ptr() as usize);
        let column = self.source.get(..offset).map_or(0, |before| before.chars().count()) + 1;
        self.errors.push(TemplateError { column, kind });
    }

    fn parts(&mut self, text: &'a str, depth: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            let after = from.strip_prefix('%').unwrap_or(from);
            if let Some(after) = after.strip_prefix('%') {
                literal.push('%');
                rest = after;
                continue;
            }
            let (part, after) = match after.strip_prefix('(') {
                Some(inside) => self.keyed(from, inside, depth),
                None => self.bare(from, after),
            };
            if let Some(part) = part {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(part);
            }
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        parts
    }

    /// `%s` and what is like it; gives back the text after it.
    fn bare(&mut self, from: &'a str, after: &'a str) -> (Option<Part>, &'a str) {
        match read_format(after) {
            Ok((format, after)) if self.form == Form::Positional => {
                let index = self.places;
                self.places += 1;
                (Some(Part::Positional { index, format }), after)
            }
            Ok((_, after)) => {
                self.error(from, TemplateErrorKind::BarePercent);
                (None, after)
            }
            Err(_) => {
                self.error(from, TemplateErrorKind::LonePercent);
                (None, after)
            }
        }
    }

    /// `%(key)s`, of which `inside` is what follows the parenthesis; gives back the text after it.
    fn keyed(&mut self, from: &'a str, inside: &'a str, depth: usize) -> (Option<Part>, &'a str) {
        let Some((key, after)) = split_outside_parentheses(inside, ')') else {
            self.error(from, TemplateErrorKind::Unclosed(excerpt(inside)));
            return (None, "");
        };
        let (format, after) = match read_format(after) {
            Ok((format, after)) => (Some(format), after),
            Err(FormatError::NoLetter) => {
                self.error(from, TemplateErrorKind::NoLetter(excerpt(key)));
                (None, after)
            }
            Err(FormatError::TooWide) => {
                self.error(from, TemplateErrorKind::TooWide(excerpt(key)));
                (None, after)
            }
        };
        if depth >= MAX_DEPTH {
            self.error(from, TemplateErrorKind::TooDeep);
            return (None, after);
        }
        let read = match self.form {
            Form::Keyed => self.key(from, key, depth),
            Form::Old => Some(old_key(key)),
            Form::Positional => {
                self.error(from, TemplateErrorKind::KeyedPositional(excerpt(key)));
                None
            }
        };
        let part = read
            .zip(format)
            .map(|((selector, modifier), format)| Part::Keyed(Substitution { selector, modifier, format }));
        (part, after)
    }

    /// `selector:rest` (section 2).
    fn key(&mut self, from: &'a str, key: &'a str, depth: usize) -> Option<(Selector, Modifier)> {
        let Some((selector, arg)) = key.split_once(':') else {
            self.error(from, TemplateErrorKind::NoSelector(key.to_owned()));
            return None;
        };
        if !SELECTORS.contains(&selector) {
            self.error(from, TemplateErrorKind::UnknownSelector(selector.to_owned()));
            return None;
        }
        let (name, mut how) = split_modifier(arg);
        let selected = match selector {
            "prop" => self.name(from, name, TemplateErrorKind::PropertyName, arg).map(Selector::Property),
            "kw" => self.name(from, name, TemplateErrorKind::KeywordName, arg).map(Selector::Keyword),
            "secret" => self.name(from, name, TemplateErrorKind::SecretName, arg).map(Selector::Secret),
            "src" => {
                let Some(rest) = how else {
                    self.error(from, TemplateErrorKind::NoAttribute(arg.to_owned()));
                    return None;
                };
                let (attribute, rest) = split_modifier(rest);
                how = rest;
                let codebase = self.name(from, name, TemplateErrorKind::CodebaseName, arg);
                let attribute = self.name(from, attribute, TemplateErrorKind::AttributeName, arg);
                codebase.zip(attribute).map(|(codebase, attribute)| Selector::Source { codebase, attribute })
            }
            _ => self.name(from, name, TemplateErrorKind::WorkerName, arg).map(Selector::Worker),
        };
        // Read even when the name is wrong, so that its errors are told too.
        let modifier = self.modifier(from, how, depth);
        selected.zip(modifier)
    }

    fn name(
        &mut self,
        from: &'a str,
        name: &str,
        kind: fn(String) -> TemplateErrorKind,
        arg: &str,
    ) -> Option<String> {
        // Dots and dashes: the Gerrit source makes names such as `event.change.id` (N-KEY-02).
        if name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-')) {
            return Some(name.to_owned());
        }
        self.error(from, kind(arg.to_owned()));
        None
    }

    /// The longest marker at the very start decides, nothing later does (N-T-2).
    fn modifier(&mut self, from: &'a str, how: Option<&'a str>, depth: usize) -> Option<Modifier> {
        let Some(how) = how else { return Some(Modifier::DefaultIfMissing(Vec::new())) };
        if let Some(tail) = how.strip_prefix("#?") {
            let (yes, no) = self.ternary(from, tail, depth)?;
            return Some(Modifier::TernaryIfTrue { yes, no });
        }
        let mut chars = how.chars();
        let first = chars.next();
        let tail = chars.as_str();
        Some(match first {
            Some('-') => Modifier::DefaultIfMissing(self.parts(tail, depth + 1)),
            Some('~') => Modifier::DefaultIfFalse(self.parts(tail, depth + 1)),
            Some('+') => Modifier::ReplaceIfExists(self.parts(tail, depth + 1)),
            Some('?') => {
                let (yes, no) = self.ternary(from, tail, depth)?;
                Modifier::TernaryIfExists { yes, no }
            }
            other => {
                self.error(
                    from,
                    TemplateErrorKind::UnknownModifier(other.map(String::from).unwrap_or_default()),
                );
                return None;
            }
        })
    }

    /// Any one character, the text for yes, the character again, the text for no (N-KEY-05).
    fn ternary(&mut self, from: &'a str, tail: &'a str, depth: usize) -> Option<(Vec<Part>, Vec<Part>)> {
        let mut chars = tail.chars();
        let delimiter = chars.next();
        let tail = chars.as_str();
        if delimiter == Some('(') {
            self.error(from, TemplateErrorKind::TernaryDelimiter);
            return None;
        }
        let Some((yes, no)) = delimiter.and_then(|delimiter| split_outside_parentheses(tail, delimiter))
        else {
            let delimiter = delimiter.map(String::from).unwrap_or_default();
            self.error(from, TemplateErrorKind::Ternary { tail: tail.to_owned(), delimiter });
            return None;
        };
        Some((self.parts(yes, depth + 1), self.parts(no, depth + 1)))
    }
}

/// The older form: the last marker splits, for colons may be part of names (N-OLD-01).
fn old_key(key: &str) -> (Selector, Modifier) {
    let splits = [":-", ":~", ":+"].into_iter().filter_map(|marker| Some((key.rsplit_once(marker)?, marker)));
    let Some(((name, replacement), marker)) = splits.max_by_key(|((name, _), _)| name.len()) else {
        return (Selector::Property(key.to_owned()), Modifier::Required);
    };
    let replacement = vec![Part::Literal(replacement.to_owned())];
    let modifier = match marker {
        ":-" => Modifier::DefaultIfMissing(replacement),
        ":~" => Modifier::DefaultIfFalse(replacement),
        _ => Modifier::ReplaceIfExists(replacement),
    };
    (Selector::Property(name.to_owned()), modifier)
}

fn split_modifier(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((name, how)) => (name, Some(how)),
        None => (text, None),
    }
}

/// The texts before and after the first `wanted` that is outside of any parentheses.
fn split_outside_parentheses(text: &str, wanted: char) -> Option<(&str, &str)> {
    let mut open = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            c if c == wanted && open == 0 => return Some((text.get(..at)?, text.get(at + c.len_utf8()..)?)),
            '(' => open += 1,
            ')' => open = open.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

enum FormatError {
    NoLetter,
    TooWide,
}

/// Flags, width, precision and `s`, and the text after them (N-LEX-02).
///
/// A space is no flag here, unlike in C: it would change nothing, and `%(prop:x) started` is a forgotten letter.
fn read_format(text: &str) -> Result<(Format, &str), FormatError> {
    let flags_end = text.find(|c| !matches!(c, '-' | '+' | '#' | '0')).unwrap_or(text.len());
    let (flags, rest) = text.split_at(flags_end);
    let (width, rest) = read_number(rest)?;
    let (precision, rest) = match rest.strip_prefix('.') {
        Some(rest) => read_number(rest).map(|(precision, rest)| (Some(precision), rest))?,
        None => (None, rest),
    };
    let rest = rest.strip_prefix('s').ok_or(FormatError::NoLetter)?;
    let align = if flags.contains('-') { Align::Left } else { Align::Right };
    Ok((Format { width, precision, align }, rest))
}

fn read_number(text: &str) -> Result<(usize, &str), FormatError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Ok((0, rest));
    }
    let number = digits.parse().ok().filter(|&number| number <= MAX_WIDTH).ok_or(FormatError::TooWide)?;
    Ok((number, rest))
}

/// Enough of a text to find it again.
fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
