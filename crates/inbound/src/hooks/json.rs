//! Reads payloads by path, and says which path is missing or of the wrong type (H-GEN-14).

use std::fmt;

use serde_json::Value;

use super::HookError;
use campanile_model::Timestamp;

/// A place in a payload: what stands there, if anything, and how to name it in an error. JSON null counts as absent.
///
/// Made for every field of every commit, so it allocates nothing: its path becomes a text only in an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'a> {
    dialect: &'a str,
    path: Path,
    value: Option<&'a Value>,
}

/// The way to a place. No dialect goes deeper than `commits[3].files[0].file`; what would not fit goes unnamed.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    parts: [Part; 8],
    length: usize,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    /// One or several keys, joined by dots.
    Keys(&'static str),
    Index(usize),
}

impl Default for Part {
    fn default() -> Self {
        Self::Keys("")
    }
}

impl Path {
    fn and(mut self, part: Part) -> Self {
        if let Some(free) = self.parts.get_mut(self.length) {
            *free = part;
            self.length += 1;
        }
        self
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.parts.iter().take(self.length).enumerate() {
            match part {
                Part::Keys(keys) if number == 0 => f.write_str(keys)?,
                Part::Keys(keys) => write!(f, ".{keys}")?,
                Part::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl<'a> Json<'a> {
    /// The top of a payload, which must be an object.
    pub(super) fn top(dialect: &'a str, value: &'a Value) -> Result<Self, HookError> {
        if value.is_object() {
            Ok(Self { dialect, path: Path::default(), value: Some(value) })
        } else {
            let kind = kind(value);
            Err(HookError::bad_request(format!("{dialect}: payload: must be an object, not {kind}")))
        }
    }

    /// The place at a path such as `repository.url`. What lies on the way must be an object or absent.
    pub(super) fn at(&self, path: &'static str) -> Result<Self, HookError> {
        let mut value = self.value;
        let mut gone = 0;
        for key in path.split('.') {
            value = match value {
                None => None,
                Some(Value::Object(object)) => object.get(key).filter(|value| !value.is_null()),
                Some(_) => {
                    let before = path.get(..gone).unwrap_or_default().trim_end_matches('.');
                    let path = if before.is_empty() { self.path } else { self.path.and(Part::Keys(before)) };
                    return Err(Self { path, value, ..*self }.mistyped("an object"));
                }
            };
            gone += key.len() + 1;
        }
        Ok(Self { path: self.path.and(Part::Keys(path)), value, ..*self })
    }

    /// The value at this path.
    pub(super) fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// Insists that something is here.
    pub(super) fn required(self) -> Result<Self, HookError> {
        if self.value.is_some() { Ok(self) } else { Err(self.error("missing")) }
    }

    /// A text.
    pub(super) fn text(&self) -> Result<Option<&'a str>, HookError> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.mistyped("a text")),
        }
    }

    /// A text; an integer becomes one (H-CH-07).
    pub(super) fn word(&self) -> Result<Option<String>, HookError> {
        match self.value {
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
            _ => Ok(self.text()?.map(ToOwned::to_owned)),
        }
    }

    /// A boolean.
    pub(super) fn boolean(&self) -> Result<Option<bool>, HookError> {
        match self.value {
            None => Ok(None),
            Some(Value::Bool(boolean)) => Ok(Some(*boolean)),
            Some(_) => Err(self.mistyped("true or false")),
        }
    }

    /// The places in a list; none when it is absent.
    pub(super) fn list(&self) -> Result<Vec<Self>, HookError> {
        match self.value {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items
                .iter()
                .enumerate()
                .map(|(n, value)| Self {
                    dialect: self.dialect,
                    path: self.path.and(Part::Index(n)),
                    value: Some(value).filter(|value| !value.is_null()),
                })
                .collect()),
            Some(_) => Err(self.mistyped("a list")),
        }
    }

    /// The list at a key that must be there. Null is an empty one: that is how servers in Go write it.
    pub(super) fn listed(&self, key: &'static str) -> Result<Vec<Self>, HookError> {
        let is_there = self.value.and_then(Value::as_object).is_some_and(|object| object.contains_key(key));
        let place = self.at(key)?;
        if is_there { place.list() } else { Err(place.error("missing")) }
    }

    /// A date or seconds since the epoch (H-CH-06), to whole seconds; none for the zeros that stand for no time.
    pub(super) fn date(&self) -> Result<Option<Timestamp>, HookError> {
        let told = self.told_date()?;
        Ok(told.filter(Timestamp::is_known))
    }

    fn told_date(&self) -> Result<Option<Timestamp>, HookError> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => {
                Timestamp::parse_date(text).map(Some).map_err(|error| self.error(&error.to_string()))
            }
            Some(Value::Number(number)) => {
                let seconds =
                    number.as_f64().and_then(|seconds| Timestamp::from_seconds_f64(seconds.trunc()));
                seconds.map(Some).ok_or_else(|| self.error("is not a date"))
            }
            Some(_) => Err(self.mistyped("a date")),
        }
    }

    /// The refusal that names this place: `github: repository.url: missing`.
    pub(super) fn error(&self, what: &str) -> HookError {
        HookError::bad_request(format!("{}: {}: {what}", self.dialect, self.path))
    }

    fn mistyped(&self, wanted: &str) -> HookError {
        self.error(&format!("must be {wanted}, not {}", self.value.map_or("absent", kind)))
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn h_gen_14_errors_name_the_dialect_the_path_and_what_is_wrong() {
        let payload = json!({"repository": {"url": 5, "none": null}, "commits": [{"id": true}], "n": 1});
        let top = Json::top("github", &payload).unwrap();
        let text =
            |path: &'static str| top.at(path).and_then(Json::required).and_then(|it| it.text().map(drop));
        assert_eq!(text("repository.name").unwrap_err().message, "github: repository.name: missing");
        assert_eq!(text("repository.none").unwrap_err().message, "github: repository.none: missing");
        assert_eq!(
            text("repository.url").unwrap_err().message,
            "github: repository.url: must be a text, not a number"
        );
        assert_eq!(text("n.x.y").unwrap_err().message, "github: n: must be an object, not a number");
        let commits = top.at("commits").unwrap().list().unwrap();
        let id = commits.first().unwrap().at("id").unwrap();
        assert_eq!(id.word().unwrap_err().message, "github: commits[0].id: must be a text, not a boolean");
        assert_eq!(
            Json::top("github", &json!([])).unwrap_err().message,
            "github: payload: must be an object, not a list"
        );
    }

    #[test]
    fn h_ch_06_numbers_are_seconds_and_fractions_are_dropped() {
        let payload = json!({"a": 1203116237, "b": 1203116237.9, "c": "2018-05-15 14:51:27 UTC", "d": "soon", "e": [],
                "zero": 0, "go": "0001-01-01T00:00:00Z"});
        let top = Json::top("x", &payload).unwrap();
        let date = |key: &'static str| top.at(key).unwrap().date().map(|date| date.unwrap().as_seconds());
        assert_eq!(date("a").unwrap(), 1_203_116_237);
        assert_eq!(date("b").unwrap(), 1_203_116_237);
        assert_eq!(date("c").unwrap(), 1_526_395_887);
        assert!(date("d").unwrap_err().message.starts_with("x: d: `soon` is not a date"));
        assert!(top.at("zero").unwrap().date().unwrap().is_none());
        assert!(top.at("go").unwrap().date().unwrap().is_none());
        assert_eq!(date("e").unwrap_err().message, "x: e: must be a date, not a list");
        assert!(top.at("none").unwrap().date().unwrap().is_none());
    }

    #[test]
    fn h_ch_07_integers_become_decimal_text() {
        let payload = json!({"a": 42, "b": "x", "c": 1.5, "d": 18446744073709551615_u64});
        let top = Json::top("x", &payload).unwrap();
        let word = |key: &'static str| top.at(key).unwrap().word();
        assert_eq!(word("a").unwrap().as_deref(), Some("42"));
        assert_eq!(word("b").unwrap().as_deref(), Some("x"));
        assert_eq!(word("d").unwrap().as_deref(), Some("18446744073709551615"));
        assert!(word("c").is_err());
    }
}
