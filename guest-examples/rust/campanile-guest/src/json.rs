//! The little JSON that callbacks need: writing text, and reading a property's value as text.

use crate::Property;
use std::fmt::Write as _;

/// Appends `text` as a JSON string with its quotes.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A property's value for people: a JSON string without its quotes and escapes, any other value as it stands.
pub fn property_text(property: &Property) -> String {
    unquote(property.value.trim()).unwrap_or_else(|| property.value.clone())
}

/// The text of a JSON string; `None` if `json` is no JSON string.
pub fn unquote(json: &str) -> Option<String> {
    let inside = json.strip_prefix('"')?.strip_suffix('"').filter(|_| json.len() > 1)?;
    let mut out = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => out.push(escaped(&mut chars)?),
            c => out.push(c),
        }
    }
    Some(out)
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => return unicode(chars),
        c @ ('"' | '\\' | '/') => c,
        _ => return None,
    })
}

fn unicode(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = hex(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    // The first half of a pair: its other half must follow.
    let mut ahead = chars.clone();
    if ahead.next() == Some('\\')
        && ahead.next() == Some('u')
        && let Some(second @ 0xdc00..0xe000) = hex(&mut ahead)
    {
        *chars = ahead;
        return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
    }
    Some(char::REPLACEMENT_CHARACTER)
}

fn hex(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |sum, _| Some(sum * 16 + chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::{push_string, unquote};

    #[test]
    fn what_is_written_reads_back() {
        let text = "a\"b\\c\n\r\t\u{1}é😀/";
        let mut json = String::new();
        push_string(&mut json, text);
        assert_eq!(json, "\"a\\\"b\\\\c\\n\\r\\t\\u0001é😀/\"");
        assert_eq!(unquote(&json).as_deref(), Some(text));
    }

    #[test]
    fn escapes_are_read() {
        assert_eq!(unquote(r#""\u00e9\ud83d\ude00\/\ud83d""#).as_deref(), Some("é😀/\u{fffd}"));
    }

    #[test]
    fn what_is_no_string_is_none() {
        for json in ["1", "\"", "", "\"a\"b\"", "\"\\x\"", "\"\\u12\"", "null"] {
            assert_eq!(unquote(json), None, "{json}");
        }
    }
}
