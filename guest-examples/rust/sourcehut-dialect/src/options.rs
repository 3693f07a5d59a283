//! The options that the settings may give this dialect.

use campanile_guest::Rejection;
use serde_json::Value;

/// Where the repositories are, and what their changes are marked with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `origin`: the address of the service, without a final slash.
    pub(crate) origin: String,
    /// `project`: instead of the repository's own name, such as `~owner/name`.
    pub(crate) project: Option<String>,
    /// `codebase`.
    pub(crate) codebase: String,
}

impl Options {
    /// Reads a JSON object; `null` and no text at all leave every option at its default.
    pub(crate) fn read(json: &str) -> Result<Self, Rejection> {
        let mut options =
            Self { origin: "https://git.sr.ht".to_owned(), project: None, codebase: String::new() };
        if json.trim().is_empty() {
            return Ok(options);
        }
        let members = match serde_json::from_str(json) {
            Ok(Value::Null) => return Ok(options),
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(wrong("must be an object")),
            Err(error) => return Err(wrong(&format!("are not JSON: {error}"))),
        };
        for (name, value) in members {
            let Value::String(text) = value else {
                return Err(wrong(&format!("`{name}` must be a text")));
            };
            match &*name {
                "origin" => options.origin = text.trim_end_matches('/').to_owned(),
                "project" => options.project = Some(text),
                "codebase" => options.codebase = text,
                _ => return Err(wrong(&format!("`{name}` is none of `origin`, `project`, `codebase`"))),
            }
        }
        Ok(options)
    }
}

/// The sender can do nothing about the settings, so it is no fault of the request.
fn wrong(what: &str) -> Rejection {
    Rejection::new(500, format!("sourcehut: the options in the settings: {what}"))
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let read = Options::read(r#"{"origin": "https://git.example.org/", "codebase": "lib"}"#);
        let read = read.expect("both are known");
        assert_eq!((&*read.origin, &*read.codebase, read.project), ("https://git.example.org", "lib", None));
        assert_eq!(Options::read("").expect("nothing is fine"), Options::read("null").expect("so is null"));
        for json in ["{", "[]", r#"{"branch": "main"}"#, r#"{"origin": 1}"#] {
            assert_eq!(Options::read(json).expect_err(json).status, 500, "{json}");
        }
    }
}
