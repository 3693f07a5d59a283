//! Long texts in lines that servers pass on whole (I-OUT-05).

/// Character that starts and ends a coloured run (mIRC). After it, up to two digits name the colour.
pub const COLOUR: char = '\x03';

/// Bytes that servers take of a line, its end and the sender's prefix included. More is cut off without a word.
const LINE: usize = 512;
/// Room that there is however long names get. Such a line may be cut; no text at all would never end.
const LEAST_ROOM: usize = 24;

/// Bytes for text in a line that others see as `:nick!user@host VERB TO :text`; `prefix` counts the first part.
pub(crate) fn room(prefix: usize, verb: &str, to: &str) -> usize {
    let around = prefix + verb.len() + 1 + to.len() + " :".len() + "\r\n".len();
    LINE.saturating_sub(around).max(LEAST_ROOM)
}

/// Splits a text into pieces of at most `room` bytes: after spaces where there are any, never within a character, and
/// with a colour that is cut closed at the line's end and opened again on the next: clients begin each line uncoloured.
/// Without those colours, the pieces joined are the text.
#[must_use]
pub fn split(text: &str, room: usize) -> Vec<String> {
    let room = room.max(LEAST_ROOM);
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut colour = String::new();
    while !rest.is_empty() {
        // Takes one token at least, so that it ends: see `LEAST_ROOM`.
        let (taken, after) = piece(rest, &colour, room);
        let (head, tail) = rest.split_at(taken);
        let end = if after.is_empty() { "" } else { "\x03" };
        pieces.push(format!("{colour}{head}{end}"));
        rest = tail;
        colour = reopened(after);
    }
    pieces
}

/// A colour's code in two digits: the text that follows may begin with a digit, which would be taken for part of it.
fn reopened(code: &str) -> String {
    match code.strip_prefix(COLOUR) {
        Some(number) => format!("{COLOUR}{number:0>2}"),
        None => String::new(),
    }
}

/// Counts the bytes of `rest` that fit behind the colour that is open, and gives the colour that is open after them.
fn piece<'t>(rest: &'t str, open: &'t str, room: usize) -> (usize, &'t str) {
    let fits = |taken: usize, colour: &str| open.len() + taken + usize::from(!colour.is_empty()) <= room;
    let (mut taken, mut colour) = (0, open);
    let mut at_space = None;
    while let Some((token, next_colour)) = token(rest.get(taken..).unwrap_or_default(), colour) {
        if taken > 0 && !fits(taken + token.len(), next_colour) {
            return at_space.unwrap_or((taken, colour));
        }
        (taken, colour) = (taken + token.len(), next_colour);
        if token == " " {
            at_space = Some((taken, colour));
        }
    }
    (taken, colour)
}

/// The next character, or colour code, and the colour that is open after it.
fn token<'t>(rest: &'t str, colour: &'t str) -> Option<(&'t str, &'t str)> {
    let first = rest.chars().next()?;
    if first != COLOUR {
        return Some((rest.get(..first.len_utf8())?, colour));
    }
    let digits = rest.bytes().skip(1).take(2).take_while(u8::is_ascii_digit).count();
    let code = rest.get(..1 + digits)?;
    Some((code, if digits == 0 { "" } else { code }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_out_05_after_spaces_and_with_colours_opened_again() {
        assert_eq!(split("", 100), [""; 0]);
        assert_eq!(split("one two three four five six", 24), ["one two three four five ", "six"]);
        assert_eq!(split(&"x".repeat(50), 24), ["x".repeat(24), "x".repeat(24), "xx".to_owned()]);
        let pieces = split("build [\x0304failed compile and test again\x03] end", 24);
        assert_eq!(
            pieces,
            ["build [\x0304failed \x03", "\x0304compile and test \x03", "\x0304again\x03] end"]
        );
    }

    /// As a client shows it.
    fn plain(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((token, _)) = token(rest, "") {
            if !token.starts_with(COLOUR) {
                plain.push_str(token);
            }
            rest = &rest[token.len()..];
        }
        plain
    }

    fn open_after(text: &str) -> &str {
        let (mut rest, mut colour) = (text, "");
        while let Some((token, after)) = token(rest, colour) {
            (rest, colour) = (&rest[token.len()..], after);
        }
        colour
    }

    proptest::proptest! {
        /// I-OUT-05: any text, any prefix.
        #[test]
        fn every_line_fits_and_all_lines_are_the_text(
            text in "(\\PC{0,9}| |\x03[0-9]{0,3}|ü|\u{1F514}){0,300}",
            prefix in 0_usize..300,
            to in "#[a-z]{0,50}",
        ) {
            let room = room(prefix, "PRIVMSG", &to);
            let lines = split(&text, room);
            for line in &lines {
                proptest::prop_assert!(line.len() <= room, "{} > {room}: {line:?}", line.len());
                proptest::prop_assert!(prefix + "PRIVMSG ".len() + to.len() + 4 + line.len() <= LINE);
                // What is open at the end of a line would colour the rest of the screen.
                proptest::prop_assert_eq!(open_after(line), "");
            }
            proptest::prop_assert_eq!(plain(&lines.concat()), plain(&text));
        }
    }
}
