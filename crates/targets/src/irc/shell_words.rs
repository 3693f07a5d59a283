//! Splits arguments as a shell would (I-ARG-01).

/// Splits a text into words: blanks part them, quotes and backslashes keep them together; `#` is like any other letter.
///
/// # Errors
/// When a quote has no end, or a backslash nothing behind it; in the words that a shell user knows.
pub(super) fn shell_words(text: &str) -> Result<Vec<String>, &'static str> {
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
            assert_eq!(shell_words(text).unwrap(), wanted, "{text}");
        }
        assert_eq!(shell_words("it's"), Err("No closing quotation"));
        assert_eq!(shell_words("a\\"), Err("No escaped character"));
        assert_eq!(shell_words("\"a\\"), Err("No escaped character"));
    }
}
