//! Output that was made for a terminal, as text that reads well anywhere (M-LOG-03).

use super::legible::is_unfit;

/// Takes out what steers a terminal: colours and other escape sequences, with the texts of links kept; of a line that
/// was written over again and again after a carriage return, its last state stays. Line ends become `\n`; other control
/// characters but tabs go, and those that turn the direction of text.
#[must_use]
pub fn plain_output(output: &str) -> String {
    let stripped = anstream::adapter::strip_str(output).to_string();
    let mut text = String::with_capacity(stripped.len());
    for line in stripped.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let line = line.trim_end_matches('\r');
        let last_state = line.rsplit('\r').next().unwrap_or(line);
        text.extend(last_state.chars().filter(|&character| character == '\t' || !is_unfit(character)));
        text.push_str(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_log_03_what_steers_a_terminal_goes() {
        for (output, text) in [
            ("\u{1b}[1m\u{1b}[38;5;9merror\u{1b}[0m: no bell\n", "error: no bell\n"),
            ("\u{1b}[2K[##--] 50%\r[####] 100%\n", "[####] 100%\n"),
            ("section_start:1:tests\r\u{1b}[0Krunning tests\r\n", "running tests\n"),
            ("see \u{1b}]8;;https://x.org\u{1b}\\the page\u{1b}]8;;\u{7}.\tok\n", "see the page.\tok\n"),
            ("a\0b\u{7}\u{c}c\u{fffd}ü", "abc\u{fffd}ü"),
            ("one\r\ntwo\r\r\n\nthree", "one\ntwo\n\nthree"),
            ("cut off \u{1b}[38;5", "cut off "),
            ("ok\u{202e}dekcah\u{2069}", "okdekcah"),
        ] {
            assert_eq!(plain_output(output), text, "{output:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn m_log_03_plain_output_stays_as_it_is(output in "[\\x00-\\x7fü\u{9b}]{0,60}") {
            let text = plain_output(&output);
            let steers = text.contains(['\u{1b}', '\r', '\0']);
            proptest::prop_assert!(!steers);
            proptest::prop_assert_eq!(plain_output(&text), text);
        }
    }
}
