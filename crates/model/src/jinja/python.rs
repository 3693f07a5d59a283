//! The parts of Python that templates of Buildbot use and minijinja has no form for, or another one (M-X-18).

use minijinja::{AutoEscape, Error, Output, State, Value};

/// Rewrites `'TEXT' % (VALUES)` as `'TEXT' | format(VALUES)`, which means the same. Lines stay where they are.
pub(super) fn with_format_filters(source: &str) -> String {
    rewritten(source, |before, rest| {
        let is_literal = before.trim_end().ends_with(['\'', '"']);
        let behind = rest.strip_prefix('%')?;
        (is_literal && behind.trim_start().starts_with('(')).then_some(("| format".to_owned(), 1))
    })
}

/// Rewrites `x['NAME']` as `x.NAME`, for those who look for names.
pub(super) fn with_dotted_names(source: &str) -> String {
    rewritten(source, |before, rest| {
        let is_lookup = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ']' | ')'));
        let inner = rest.strip_prefix('[').filter(|_| is_lookup)?;
        let (inside, _) = inner.split_once(']')?;
        let quoted = inside.trim();
        let name = ['\'', '"'].iter().find_map(|quote| quoted.strip_prefix(*quote)?.strip_suffix(*quote))?;
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| (format!(".{name}"), inside.len() + 2))
    })
}

/// Part of a source that is read.
enum Within {
    Text,
    Comment,
    /// An expression or a statement, with the quotation mark that its literal began with.
    Tag(Option<char>),
}

/// Copies a source; inside of tags and outside of literals, `rule` sees what has been copied and what comes, and may give
/// another text for so many bytes of it.
fn rewritten(source: &str, rule: impl Fn(&str, &str) -> Option<(String, usize)>) -> String {
    let mut out = String::with_capacity(source.len());
    let (mut within, mut at) = (Within::Text, 0);
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let mut step = rest.chars().next().map_or(1, char::len_utf8);
        within = match within {
            Within::Text if rest.starts_with("{#") => Within::Comment,
            Within::Comment if rest.starts_with("#}") => Within::Text,
            Within::Text if rest.starts_with("{{") || rest.starts_with("{%") => {
                step = 2;
                Within::Tag(None)
            }
            Within::Tag(None) if rest.starts_with("}}") || rest.starts_with("%}") => Within::Text,
            Within::Tag(None) => {
                if let Some((text, bytes)) = rule(&out, rest) {
                    out.push_str(&text);
                    at += bytes;
                    within = Within::Tag(None);
                    continue;
                }
                Within::Tag(rest.chars().next().filter(|c| matches!(c, '\'' | '"')))
            }
            Within::Tag(Some(quote)) => match rest.chars().next() {
                Some('\\') => {
                    step += rest.chars().nth(1).map_or(0, char::len_utf8);
                    Within::Tag(Some(quote))
                }
                Some(c) if c == quote => Within::Tag(None),
                _ => Within::Tag(Some(quote)),
            },
            same => same,
        };
        out.push_str(rest.get(..step).unwrap_or_default());
        at += step;
    }
    out
}

/// Writes a value; where values are escaped, with the entities that Jinja writes for Python.
pub(super) fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    if *state.auto_escape() != AutoEscape::Html || value.is_safe() || value.is_undefined() {
        return minijinja::escape_formatter(out, state, value);
    }
    let text = value.to_string();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['&', '<', '>', '\'', '"']) {
        let (plain, special) = rest.split_at(at);
        let entity = match special.as_bytes().first() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'\'') => "&#39;",
            _ => "&#34;",
        };
        out.write_str(plain)?;
        out.write_str(entity)?;
        rest = special.get(1..).unwrap_or_default();
    }
    out.write_str(rest)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_x_18_percent_behind_a_text_is_a_format() {
        for (source, wanted) in [
            ("{{ '(%s)' % (a or b) }}", "{{ '(%s)' | format (a or b) }}"),
            ("{{ \"%s\"%(a, b) }} 'x' % (y)", "{{ \"%s\"| format(a, b) }} 'x' % (y)"),
            ("{% if 'a' %}('b'){% endif %}", "{% if 'a' %}('b'){% endif %}"),
            ("{{ 'it\\'s % (x)' }}{# 'a' % (b) #}", "{{ 'it\\'s % (x)' }}{# 'a' % (b) #}"),
            ("{{ 7 % (2) }}", "{{ 7 % (2) }}"),
        ] {
            assert_eq!(with_format_filters(source), wanted);
        }
    }

    #[test]
    fn m_x_18_lookups_by_text_are_names() {
        for (source, wanted) in [
            ("{{ build['x'] [\"y\"] }}", "{{ build.x [\"y\"] }}"),
            ("{{ a['b'][ 'c' ].d }}", "{{ a.b.c.d }}"),
            ("{{ a.get('b', ['c'])[0] }} x['y']", "{{ a.get('b', ['c'])[0] }} x['y']"),
            ("{{ a['no name'] ~ \"b['c']\" }}", "{{ a['no name'] ~ \"b['c']\" }}"),
        ] {
            assert_eq!(with_dotted_names(source), wanted);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_source_breaks_it(source in "[{}%#'\"\\\\\\[\\]().ax ü\n]{0,60}") {
            let lines = |text: &str| text.lines().count();
            proptest::prop_assert_eq!(lines(&with_format_filters(&source)), lines(&source));
            let _ = with_dotted_names(&source);
        }
    }
}
