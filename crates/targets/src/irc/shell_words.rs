//! Splits arguments as a shell would (I-ARG-01).

/// The words of a text: blanks part them, quotes and backslashes keep them together; `#` is like any other letter.
///
/// # Errors
/// For a quote without its end, or a backslash with nothing behind it.
pub(super) fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(rest.next().ok_or("No escaped character")?),
            '\'' | '"' => quoted(c, &mut rest, word.get_or_insert_default())?,
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), &'static str> {
    const OPEN: &str = "No closing quotation";
    loop {
        match rest.next().ok_or(OPEN)? {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match rest.next().ok_or("No escaped character")? {
                c @ ('"' | '\\') => word.push(c),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_arg_01_as_a_shell_splits() {
        for (text, wanted) in [
            ("", &[][..]),
            ("  a   b ", &["a", "b"]),
            ("\"my builder\" 'x \"y\\'", &["my builder", "x \"y\\"]),
            ("a\\ b #c", &["a b", "#c"]),
            ("\"a \\\"b\\\" \\n\"", &["a \"b\" \\n"]),
            ("a''b ''", &["ab", ""]),
        ] {
            assert_eq!(words(text).unwrap(), wanted, "{text}");
        }
        assert_eq!(words("it's"), Err("No closing quotation"));
        assert_eq!(words("a\\"), Err("No escaped character"));
        assert_eq!(words("\"a\\"), Err("No escaped character"));
    }
}
