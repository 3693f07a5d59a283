//! Whitelists: the parts of a payload that become properties (H-XGH-12).

use regex::Regex;
use serde_json::Value;

use campanile_config::Reader;
use campanile_model::Properties;

/// Shell patterns over the dotted names of a payload's leaves.
#[derive(Clone, Debug, Default)]
pub(super) struct Whitelist(Vec<Regex>);

impl Whitelist {
    /// Reads the patterns of an option; one that cannot be is noted.
    pub(super) fn read(options: &Reader<'_>, key: &str) -> Self {
        let patterns = options.texts(key).unwrap_or_default();
        Self(
            patterns
                .iter()
                .filter_map(|pattern| match compile(pattern) {
                    Ok(compiled) => Some(compiled),
                    Err(_) => {
                        options.error(key, format!("`{key}`: `{pattern}` is not a pattern"));
                        None
                    }
                })
                .collect(),
        )
    }

    /// The leaves that a pattern matches whole, under their full names.
    pub(super) fn properties(&self, prefix: &str, value: Option<&Value>) -> Properties {
        let mut properties = Properties::new();
        if let (Some(value), false) = (value, self.0.is_empty()) {
            self.gather(&mut prefix.to_owned(), value, &mut properties);
        }
        properties
    }

    fn gather(&self, name: &mut String, value: &Value, properties: &mut Properties) {
        let Value::Object(members) = value else {
            if self.0.iter().any(|pattern| pattern.is_match(name)) {
                properties.set(name.clone(), value.clone(), "Change");
            }
            return;
        };
        for (key, value) in members {
            let length = name.len();
            name.push('.');
            name.push_str(key);
            self.gather(name, value, properties);
            name.truncate(length);
        }
    }
}

/// `*` any text, dots too; `?` one character; `[abc]`, `[a-z]`, `[!abc]`; anything else stands for itself.
fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    let mut expression = String::from(r"(?s)\A");
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' => match class(rest) {
                Some((class, after)) => {
                    expression.push_str(&class);
                    rest = after;
                }
                None => expression.push_str(r"\["),
            },
            _ => expression.push_str(&regex::escape(character.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push_str(r"\z");
    Regex::new(&expression)
}

/// The class that begins after a `[`, and what follows it; none if it is never closed. A first `]` stands for itself.
fn class(rest: &str) -> Option<(String, &str)> {
    let (negated, inner) = rest.strip_prefix('!').map_or(("", rest), |inner| ("^", inner));
    let first = inner.chars().next()?.len_utf8();
    let end = first + inner.get(first..)?.find(']')?;
    let mut class = format!("[{negated}");
    for character in inner.get(..end)?.chars() {
        if character != '-' && !character.is_alphanumeric() {
            class.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
        } else {
            class.push(character);
        }
    }
    class.push(']');
    Some((class, inner.get(end + 1..)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn h_xgh_12_shell_patterns_match_whole_names() {
        let matches = |pattern: &str, name: &str| compile(pattern).unwrap().is_match(name);
        assert!(matches("github.number", "github.number") && !matches("github.number", "github.number2"));
        assert!(matches("github.head.repo.*", "github.head.repo.owner.login"));
        assert!(!matches("github.Number", "github.number") && !matches("github?number", "githubb.number"));
        assert!(matches("a[bc-e]?", "adé") && !matches("a[!bc]", "ab") && matches("a[!bc]", "ax"));
        assert!(matches("a[", "a[") && matches("a[]x]", "a]") && matches("a[^&&~[]", "a&"));
        assert!(matches("*", "line\nbreak"));
    }

    #[test]
    fn h_xgh_12_lists_and_scalars_are_leaves() {
        let list = Whitelist(vec![compile("github.a*").unwrap()]);
        let payload = json!({"a": {"b": 1, "c": {}, "d": [{"e": 1}], "n": null}, "z": 1});
        let properties = list.properties("github", Some(&payload));
        let names: Vec<_> =
            properties.iter().map(|(name, property)| (name, property.value.to_string())).collect();
        let wanted = [("github.a.b", "1"), ("github.a.d", r#"[{"e":1}]"#), ("github.a.n", "null")];
        assert_eq!(names, wanted.map(|(name, value)| (name, value.to_owned())));
        assert!(Whitelist::default().properties("github", Some(&payload)).is_empty());
    }
    proptest::proptest! {
        #[test]
        fn any_pattern_is_read_without_a_panic(pattern in "\\PC{0,12}|[\\[\\]!a-c^&~*?-]{0,12}", name in "\\PC{0,12}") {
            let _ = compile(&pattern).map(|compiled| compiled.is_match(&name));
        }
    }
}
