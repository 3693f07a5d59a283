//! Colours and other formatting within a text, as clients of IRC read them.

/// The text without its formatting codes.
pub(crate) fn without_formatting(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            // Bold, end, fixed width, inverse, italic, struck through, underlined.
            '\x02' | '\x0f' | '\x11' | '\x16' | '\x1d' | '\x1e' | '\x1f' => {}
            '\x03' => skip_colours(&mut rest, 2, char::is_ascii_digit),
            '\x04' => skip_colours(&mut rest, 6, char::is_ascii_hexdigit),
            _ => plain.push(character),
        }
    }
    plain
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Passes over a colour, and a comma and a second one behind it.
fn skip_colours(rest: &mut Rest<'_>, digits: usize, is_digit: fn(&char) -> bool) {
    if skip(rest, digits, is_digit) == 0 {
        return;
    }
    let mut ahead = rest.clone();
    if ahead.next() == Some(',') && skip(&mut ahead, digits, is_digit) > 0 {
        *rest = ahead;
    }
}

fn skip(rest: &mut Rest<'_>, digits: usize, is_digit: fn(&char) -> bool) -> usize {
    (0..digits).take_while(|_| rest.next_if(is_digit).is_some()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_and_text_stays() {
        for (text, plain) in [
            ("Failure [\x0304failed 3 tests\x03]", "Failure [failed 3 tests]"),
            ("\x0304,12red\x03, 7", "red, 7"),
            ("\x034,x \x02b\x0f \x04ff0000,00ff00hex\x04", ",x b hex"),
            ("\x03123", "3"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_formatting(text), plain, "{text:?}");
        }
    }
}
