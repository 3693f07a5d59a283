//! Modes: pure decisions whether a build leads to a mail, over its outcome and the outcome before (M-09 to M-17).

use campanile_callbacks::{Mode, Modes};
use campanile_config::Item;
use campanile_model::Results;

/// The modes of a mail target that names none (M-15).
pub(super) fn default_modes() -> Modes {
    [Mode::Failing, Mode::Passing, Mode::Warnings].into_iter().collect()
}

/// True if one of the modes asks for the previous build (M-20).
pub(super) fn needs_previous(modes: Modes) -> bool {
    modes.contains(Mode::Change) || modes.contains(Mode::Problem)
}

/// True if any of the modes says yes (M-09, M-13, M-14). `previous` is absent when there is no earlier build.
pub(super) fn asks(modes: Modes, results: Results, previous: Option<Results>) -> bool {
    let says_yes = |mode| match mode {
        Mode::Change => previous.is_some_and(|previous| previous != results),
        Mode::Problem => is_new_failure(results, previous),
        Mode::Failing => results == Results::Failure,
        Mode::Passing => results == Results::Success,
        Mode::Warnings => results == Results::Warnings,
        Mode::Exception => results == Results::Exception,
        Mode::Cancelled => results == Results::Cancelled,
    };
    // Another build will stand for the request (M-17).
    results != Results::Retry && modes.iter().any(says_yes)
}

/// True for a failure after something else; a first build is none.
pub(super) fn is_new_failure(results: Results, previous: Option<Results>) -> bool {
    results == Results::Failure && previous.is_some_and(|previous| previous != Results::Failure)
}

/// Reads `mode`: one word, of which some stand for several (M-11), or a list of words that mean themselves (M-12).
pub(super) fn read(item: Item<'_>) -> Option<Modes> {
    if let Some(word) = item.as_text() {
        return match word {
            "all" => Some(Mode::ALL.into_iter().collect()),
            "warnings" => Some([Mode::Warnings, Mode::Failing].into_iter().collect()),
            word => one(item, word).map(|mode| Modes::default().with(mode)),
        };
    }
    let Some(items) = item.list() else {
        return item.wrong_type("mode", "one word or a list of words");
    };
    if items.is_empty() {
        item.warning("`mode` is empty: no mail will ever be sent");
    }
    let mut modes = Modes::default();
    for item in items {
        let word = item.text("mode")?;
        if word == "all" {
            item.error(
                "mode 'all' is not valid in an iterator and must be passed in as a separate string: write `mode = \"all\"`",
            );
            return None;
        }
        modes = modes.with(one(item, &word)?);
    }
    Some(modes)
}

fn one(item: Item<'_>, word: &str) -> Option<Mode> {
    let mode = Mode::ALL.into_iter().find(|mode| mode.name() == word);
    if mode.is_none() {
        let known: Vec<&str> = Mode::ALL.into_iter().map(Mode::name).collect();
        item.error(format!("mode {word} is not a valid mode: use {}, or \"all\" alone", known.join(", ")));
    }
    mode
}

#[cfg(test)]
mod tests {
    use super::*;
    use Results::{Cancelled, Exception, Failure, Retry, Skipped, Success, Warnings};

    fn only(mode: Mode) -> Modes {
        Modes::default().with(mode)
    }

    /// The verdicts of `change` and `problem`: rows are outcomes, columns are none and the six that can come before.
    const TABLE: [(Results, [&str; 7]); 7] = [
        (Success, ["", "", "C", "C", "C", "C", "C"]),
        (Warnings, ["", "C", "", "C", "C", "C", "C"]),
        (Failure, ["", "CP", "CP", "", "CP", "CP", "CP"]),
        (Skipped, ["", "C", "C", "C", "", "C", "C"]),
        (Exception, ["", "C", "C", "C", "C", "", "C"]),
        (Cancelled, ["", "C", "C", "C", "C", "C", ""]),
        (Retry, ["", "", "", "", "", "", ""]),
    ];
    const BEFORE: [Option<Results>; 7] =
        [None, Some(Success), Some(Warnings), Some(Failure), Some(Skipped), Some(Exception), Some(Cancelled)];

    #[test]
    fn m_10_m_13_plain_modes_ignore_the_previous_build() {
        let pairs = [
            (Mode::Failing, Failure),
            (Mode::Passing, Success),
            (Mode::Warnings, Warnings),
            (Mode::Exception, Exception),
            (Mode::Cancelled, Cancelled),
        ];
        for (mode, wanted) in pairs {
            for results in Results::ALL {
                for previous in BEFORE {
                    assert_eq!(asks(only(mode), results, previous), results == wanted, "{mode:?} {results}");
                }
            }
        }
    }

    #[test]
    fn m_14_change_and_problem_by_the_whole_table() {
        for (results, row) in TABLE {
            for (previous, cell) in BEFORE.into_iter().zip(row) {
                let seen = format!("{results} after {previous:?}");
                assert_eq!(asks(only(Mode::Change), results, previous), cell.contains('C'), "change: {seen}");
                assert_eq!(
                    asks(only(Mode::Problem), results, previous),
                    cell.contains('P'),
                    "problem: {seen}"
                );
            }
        }
    }

    #[test]
    fn m_15_default_modes() {
        let mailed: Vec<Results> = Results::ALL
            .into_iter()
            .filter(|&results| asks(default_modes(), results, Some(Failure)))
            .collect();
        assert_eq!(mailed, [Success, Warnings, Failure]);
    }

    #[test]
    fn m_16_skipped_is_mailed_only_by_change() {
        for mode in Mode::ALL {
            assert_eq!(asks(only(mode), Skipped, Some(Success)), mode == Mode::Change);
        }
    }

    #[test]
    fn m_17_retry_is_never_mailed() {
        let all: Modes = Mode::ALL.into_iter().collect();
        assert!(BEFORE.into_iter().all(|previous| !asks(all, Retry, previous)));
    }
}
