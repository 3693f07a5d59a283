//! Sum of the announcements that were missed while there was no connection: a channel wants to know, and not to be flooded
//! (I-RC-05).

use campanile_irc::split;

/// At most so many of the newest are told.
const NEWEST: usize = 20;
/// They take at most so many lines.
const LINES: usize = 5;
/// Stands between two texts in one line.
const BETWEEN: &str = " | ";

/// Lines for a contact that missed something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) lines: Vec<String>,
    /// So many of the oldest texts are left out.
    pub(super) left_out: usize,
}

/// Puts texts, oldest first, into lines with room for so many bytes: one each if there are few, else as many of the
/// newest as fit into all the lines, and how many are left out.
pub(super) fn digest(texts: &[&str], room: usize) -> Digest {
    let height = |lines: &[String]| lines.iter().map(|line| split(line, room).len()).sum::<usize>();
    let lines: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    if texts.len() <= LINES && height(&lines) <= LINES {
        return Digest { lines, left_out: 0 };
    }
    let mut left_out = texts.len().saturating_sub(NEWEST);
    loop {
        let told = texts.get(left_out..).unwrap_or_default();
        let lines = packed(told, left_out, room);
        // However long it is, the newest one is told.
        if told.len() <= 1 || height(&lines) <= LINES {
            return Digest { lines, left_out };
        }
        left_out += 1;
    }
}

fn packed(texts: &[&str], left_out: usize, room: usize) -> Vec<String> {
    let note = match left_out {
        0 => None,
        1 => Some("1 older message is left out".to_owned()),
        more => Some(format!("{more} older messages are left out")),
    };
    let mut lines: Vec<String> = Vec::new();
    for text in note.as_deref().into_iter().chain(texts.iter().copied()) {
        match lines.last_mut() {
            Some(line) if line.len() + BETWEEN.len() + text.len() <= room => {
                line.push_str(BETWEEN);
                line.push_str(text);
            }
            _ => lines.push(text.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digested(count: usize, length: usize, room: usize) -> Digest {
        let texts: Vec<String> = (1..=count).map(|number| format!("{number:>length$}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        digest(&texts, room)
    }

    #[test]
    fn i_rc_05_few_are_told_line_by_line() {
        assert_eq!(
            digested(5, 3, 100),
            Digest { lines: ["  1", "  2", "  3", "  4", "  5"].map(String::from).into(), left_out: 0 }
        );
        assert_eq!(digested(0, 3, 100), Digest { lines: Vec::new(), left_out: 0 });
    }

    #[test]
    fn i_rc_05_many_share_lines_and_the_newest_twenty_count() {
        let Digest { lines, left_out } = digested(6, 2, 12);
        assert_eq!((lines.join("/"), left_out), (" 1 |  2 |  3/ 4 |  5 |  6".to_owned(), 0));
        let Digest { lines, left_out } = digested(40, 2, 400);
        assert_eq!(left_out, 20);
        assert!(lines[0].starts_with("20 older messages are left out | 21 | 22"), "{lines:?}");
        assert!(lines[0].ends_with("| 40") && lines.len() == 1, "{lines:?}");
    }

    #[test]
    fn i_rc_05_what_does_not_fit_into_five_lines_is_left_out_but_never_the_newest() {
        let Digest { lines, left_out } = digested(10, 60, 100);
        assert_eq!((lines.len(), left_out), (5, 5), "{lines:?}");
        assert!(lines[4].ends_with("10"));
        assert!(lines[0].starts_with("5 older messages are left out | "), "{lines:?}");
        let Digest { lines, left_out } = digested(2, 2_000, 100);
        assert_eq!((left_out, lines.len()), (1, 2));
        assert!(lines[1].ends_with('2'));
    }

    proptest::proptest! {
        #[test]
        fn never_more_than_five_lines_of_what_fits(
            lengths in proptest::collection::vec(1_usize..90, 0..60),
            room in 100_usize..450,
        ) {
            let texts: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let Digest { lines, left_out } = digest(&texts, room);
            proptest::prop_assert!(lines.len() <= LINES && lines.iter().all(|line| line.len() <= room));
            proptest::prop_assert!(texts.len() - left_out <= NEWEST);
            let told: usize = lines.iter().map(|line| line.matches('x').count()).sum();
            let newest: usize = lengths[left_out..].iter().sum();
            proptest::prop_assert_eq!(told, newest);
        }
    }
}
