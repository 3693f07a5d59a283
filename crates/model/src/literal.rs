//! Values as text, the way build scripts have always seen them: Python literals (N-EV-02).

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Appends a value as text: texts as they are, null as nothing, the rest as Python literals (N-EV-01, N-EV-02).
pub(crate) fn push_value_text(value: &Value, out: &mut String) {
    match value {
        Value::Null => {}
        Value::String(text) => out.push_str(text),
        other => push_literal(other, out),
    }
}

/// A value as text; see [`push_value_text`].
#[must_use]
pub(crate) fn value_text(value: &Value) -> String {
    let mut out = String::new();
    push_value_text(value, &mut out);
    out
}

/// True for a value that counts as true: not null, false, 0, nor anything empty (N-EV, section 4).
#[must_use]
pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

fn push_literal(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => push_number(number, out),
        Value::String(text) => push_quoted(text, out),
        Value::Array(list) => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_literal(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                push_quoted(key, out);
                out.push_str(": ");
                push_literal(item, out);
            }
            out.push('}');
        }
    }
}

/// Single quotes, unless the text has some and no double ones.
fn push_quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            // Writing to a String cannot fail.
            c if c.is_control() => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
}

/// Integers in decimal; floats as the shortest text that reads back, laid out as Python does.
fn push_number(number: &Number, out: &mut String) {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        out.push_str(&number.to_string());
        return;
    };
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a String cannot fail.
    let _ = if (-4..16).contains(&exponent) || float == 0.0 {
        write!(out, "{float:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{mantissa}e{sign}{:02}", exponent.abs())
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn n_ev_02_values_are_python_literals() {
        for (value, text) in [
            (json!("a'b"), "a'b"),
            (json!(null), ""),
            (json!(5), "5"),
            (json!(-5), "-5"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(true), "True"),
            (json!(["a", "b"]), "['a', 'b']"),
            (json!({"k": 1}), "{'k': 1}"),
            (json!({"k": null, "b": [false, {}]}), "{'b': [False, {}], 'k': None}"),
            (json!(["it's", "say \"it's\"", "a\\\n\u{7}ü"]), r#"["it's", 'say "it\'s"', 'a\\\n\x07ü']"#),
            (json!(0.1), "0.1"),
            (json!(1.0), "1.0"),
            (json!(-0.0), "-0.0"),
            (json!(1e15), "1000000000000000.0"),
            (json!(1e16), "1e+16"),
            (json!(1.5e300), "1.5e+300"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
        ] {
            assert_eq!(value_text(&value), text, "{value}");
        }
    }
}
