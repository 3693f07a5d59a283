//! Texts from outside, fit for a line of a mail: of one line, of a certain length, without control characters.

use campanile_guest::escape;

/// Most characters of a name: of a builder, a branch, a step, a log, a person.
pub(crate) const NAME: usize = 80;
/// Most characters of a sentence: the first line of a commit, a reason.
pub(crate) const SENTENCE: usize = 120;
/// Most bytes of an address that is linked to.
const ADDRESS: usize = 500;

/// `text` on one line, cut to `most` characters.
pub(crate) fn line(text: &str, most: usize) -> String {
    // A character takes four bytes at most; twice that leaves room for the spaces that go.
    let near = text.get(..text.floor_char_boundary(most * 8)).unwrap_or(text);
    let flat = escape::header(near);
    cut(flat.split_whitespace().collect::<Vec<_>>().join(" ").chars(), most)
}

/// `text` with its spaces, which mean something in a log, cut to `most` characters.
pub(crate) fn log_line(text: &str, most: usize) -> String {
    cut(text.chars().filter(|c| *c == '\t' || !c.is_control()), most)
}

/// The name of `NAME <ADDRESS>`; a text of another form stays whole.
pub(crate) fn person(user: &str) -> String {
    let name = user.split_once('<').map_or(user, |(name, _)| name).trim();
    line(if name.is_empty() { user } else { name }, NAME)
}

/// The first seven characters of a hash; what is no hash stays as it is, up to 20 characters.
pub(crate) fn revision(revision: &str) -> String {
    let is_hash = revision.len() >= 20 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    let short = revision.get(..7).filter(|_| is_hash);
    short.map_or_else(|| line(revision, 20), str::to_owned)
}

/// An address that may be linked to: of the web, printable, not too long. Anything else, such as `javascript:`, is none.
pub(crate) fn web_address(url: Option<String>) -> Option<String> {
    url.filter(|url| {
        let is_web = ["http://", "https://"]
            .iter()
            .any(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        is_web && url.len() <= ADDRESS && !url.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

/// The time between two moments as `1h 2m 3s`; none if either is not known. A feed that tells of ends only leaves the
/// start at zero.
pub(crate) fn duration(started: Option<f64>, finished: Option<f64>) -> Option<String> {
    let seconds = finished? - started.filter(|at| *at > 0.0)?;
    // Years are no length of a build, and what is not a number is in no range.
    if !(0.0..1e8).contains(&seconds) {
        return None;
    }
    // In range by the check above; the fraction is meant to go.
    let seconds = seconds as u64;
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let mut told: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if told.is_empty() {
        told.push("0s".to_owned());
    }
    Some(told.join(" "))
}

/// The names in a row, those past the tenth as a number.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The first `most` characters, without those that would turn the direction of what follows: a commit text could make the
/// rest of the mail read backwards.
fn cut(text: impl Iterator<Item = char>, most: usize) -> String {
    let mut shown = text.filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
    let mut out: String = shown.by_ref().take(most).collect();
    if shown.next().is_some() {
        out.truncate(out.trim_end().len());
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_a_certain_length() {
        assert_eq!(line("  fix\r\nBcc: x\u{1b}[31m  it ", 40), "fix Bcc: x[31m it");
        assert_eq!(line("ünïcödé", 3), "ünï…");
        assert_eq!(line(&"\u{1f514}".repeat(1_000_000), 2), "\u{1f514}\u{1f514}…");
        assert_eq!(line("a \u{202e}b\u{2069} עברית", 40), "a b עברית");
        assert_eq!(log_line("  a\tb\u{0}\u{7}c", 9), "  a\tbc");
        assert_eq!(log_line("abcdef", 3), "abc…");
    }

    #[test]
    fn people_and_revisions_are_short() {
        assert_eq!(person("Ada Lovelace <ada@example.org>"), "Ada Lovelace");
        assert_eq!(person("<ada@example.org>"), "<ada@example.org>");
        assert_eq!(revision("9f8e7d6c5b4a39281706f5e4d3c2b1a098765432"), "9f8e7d6");
        assert_eq!(revision("r1234"), "r1234");
        assert_eq!(revision("release-2026-with-a-very-long-name"), "release-2026-with-a-…");
    }

    #[test]
    fn only_addresses_of_the_web_are_linked_to() {
        let checked = |url: &str| web_address(Some(url.to_owned())).is_some();
        assert!(checked("https://ci.example/x?a=1&b=2") && checked("HTTP://ci.example"));
        for odd in ["javascript:alert(1)", "data:text/html,x", "/builds/1", "https://x/ a", ""] {
            assert!(!checked(odd), "{odd}");
        }
        assert!(!checked(&format!("https://{}", "x".repeat(600))));
    }

    #[test]
    fn durations_of_what_has_a_start_and_an_end() {
        for (seconds, told) in
            [(0.9, "0s"), (59.0, "59s"), (125.0, "2m 5s"), (3600.0, "1h"), (90_061.0, "25h 1m 1s")]
        {
            assert_eq!(duration(Some(10.0), Some(10.0 + seconds)).as_deref(), Some(told));
        }
        for (started, finished) in [
            (None, Some(1.0)),
            (Some(1.0), None),
            (Some(0.0), Some(1.8e9)),
            (Some(2.0), Some(1.0)),
            (Some(1.0), Some(f64::NAN)),
        ] {
            assert_eq!(duration(started, finished), None);
        }
    }

    #[test]
    fn many_names_end_in_a_number() {
        let names: Vec<String> = (1..=12).map(|n| format!("n{n}")).collect();
        assert_eq!(listed(&names), "n1, n2, n3, n4, n5, n6, n7, n8, n9, n10 and 2 more");
        assert_eq!(listed(&[]), "");
    }
}
