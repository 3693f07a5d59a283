//! Announcements in words of a channel's own: a callback's lines in place of the bot's, made fit for a chat (I-ADD-07).

use super::settings::IrcSettings;
use crate::Context;
use campanile_callbacks::Announcement;
use campanile_irc::COLOUR;

/// An announcement of more lines is cut.
const MOST_LINES: usize = 15;

/// An announcement's lines, and the version of the callback that worded them.
pub(super) struct Worded {
    pub(super) lines: Vec<String>,
    pub(super) version: Option<String>,
}

/// Has the bot's formatter word an announcement. Without one, or when it fails, the bot's own words stand: a chat is no
/// place for what went wrong in a callback, whose log has it.
pub(super) async fn worded(
    settings: &IrcSettings,
    announcement: &Announcement<'_>,
    context: &Context,
) -> Worded {
    let own = || Worded { lines: announcement.usual.to_vec(), version: None };
    let Some(formatter) = &settings.formatter else { return own() };
    match formatter.announce(&context.caller, announcement).await {
        Ok((lines, report)) => {
            let lines = fit(&lines, settings.wording.use_colors);
            Worded { lines, version: Some(report.version) }
        }
        Err(fault) => {
            let (target, network) = (&settings.name, settings.network());
            tracing::warn!(
                target,
                network,
                callback = formatter.name(),
                "IRC announcement in the bot's own words, the announce formatter failed: {fault}"
            );
            own()
        }
    }
}

/// Makes a callback's lines fit: no control characters but those of formatting, where that is wanted.
fn fit(lines: &[String], colours: bool) -> Vec<String> {
    let texts = lines.iter().flat_map(|text| text.lines()).map(|line| clean(line, colours));
    texts.filter(|line| !line.trim().is_empty()).take(MOST_LINES).collect()
}

/// Tells bold, colour, reset, reverse, italics, strikethrough and underline.
fn is_formatting(character: char) -> bool {
    matches!(character, '\x02' | COLOUR | '\x0f' | '\x16' | '\x1d' | '\x1e' | '\x1f')
}

fn clean(line: &str, colours: bool) -> String {
    let mut cleaned = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(character) = rest.next() {
        if is_formatting(character) {
            if colours {
                cleaned.push(character);
            } else if character == COLOUR {
                // The colour's number goes with it, and the background's.
                let mut digits = 0;
                while digits < 2 && rest.next_if(char::is_ascii_digit).is_some() {
                    digits += 1;
                }
                let mut ahead = rest.clone();
                if digits > 0 && ahead.next() == Some(',') && ahead.peek().is_some_and(char::is_ascii_digit) {
                    rest.next();
                    let _ =
                        rest.next_if(char::is_ascii_digit).and_then(|_| rest.next_if(char::is_ascii_digit));
                }
            }
        } else if !character.is_control() {
            cleaned.push(character);
        } else if character == '\t' {
            cleaned.push(' ');
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_add_07_lines_of_a_callback_are_made_fit() {
        let lines = |texts: &[&str], colours| {
            fit(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), colours)
        };
        assert_eq!(lines(&["a\r\nQUIT :b", " ", "", "c\td\0e"], true), ["a", "QUIT :b", "c de"]);
        assert_eq!(lines(&["\x01ACTION dies\x01"], true), ["ACTION dies"]);
        let coloured = "\x02bold\x0f \x0304,1red\x03 \x037,x \x03123";
        assert_eq!(lines(&[coloured], true), [coloured]);
        assert_eq!(lines(&[coloured], false), ["bold red ,x 3"]);
        assert_eq!(lines(&["x\n".repeat(40).as_str()], true).len(), MOST_LINES);
    }
}
