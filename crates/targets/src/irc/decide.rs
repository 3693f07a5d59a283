//! Decides whether a contact wants to hear of a build, by the events that it has asked for (I-EVT-01 to I-EVT-05,
//! I-ADD-04). Pure.

use std::collections::BTreeSet;

use campanile_model::Results;

/// Results that transitions go between (I-EVT-02).
const TURNING: [Results; 4] = [Results::Success, Results::Warnings, Results::Failure, Results::Exception];

/// An event that can be asked for. Ordered by its name, as listings are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Notify(String);

/// The events that a contact has asked for.
pub(super) type NotifySet = BTreeSet<Notify>;

impl Notify {
    /// Finds the event of this name: case counts (I-EVT-02).
    pub(super) fn parse(name: &str) -> Option<Self> {
        const PLAIN: [&str; 11] = [
            "started",
            "finished",
            "success",
            "warnings",
            "failure",
            "exception",
            "cancelled",
            "problem",
            "recovery",
            "worse",
            "better",
        ];
        let known = PLAIN.contains(&name) || {
            TURNING.iter().any(|from| TURNING.iter().any(|to| transition(*from, *to) == name))
        };
        known.then(|| Self(name.to_owned()))
    }

    /// The name as people write it.
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

/// Name of a transition: `successToFailure`.
fn transition(from: Results, to: Results) -> String {
    let mut name = format!("{from}To");
    let mut letters = to.name().chars();
    name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
    name.push_str(letters.as_str());
    name
}

/// Says whether the begin of a build is asked for.
pub(super) fn wants_start(set: &NotifySet) -> bool {
    set.iter().any(|event| event.name() == "started")
}

/// Says whether the end of any build is asked for. Cheap, since it is asked of each event that comes in; the result and
/// the build before decide later.
pub(super) fn may_want_finish(set: &NotifySet) -> bool {
    set.iter().any(|event| event.name() != "started")
}

/// Says whether a decision hangs on the build before.
pub(super) fn needs_previous(set: &NotifySet) -> bool {
    let turns = |event: &Notify| {
        event.name().contains("To") || matches!(event.name(), "problem" | "recovery" | "worse" | "better")
    };
    set.iter().any(turns)
}

/// Says whether the end of a build with these results is asked for; `previous` are those of the build before (I-EVT-03,
/// I-EVT-04).
pub(super) fn wants_finish(set: &NotifySet, results: Option<Results>, previous: Option<Results>) -> bool {
    set.iter().any(|event| match (event.name(), results) {
        ("started", _) => false,
        ("finished", _) => true,
        (_, None) => false,
        (name, Some(now)) => name == now.name() || previous.is_some_and(|then| turned(name, then, now)),
    })
}

fn turned(name: &str, then: Results, now: Results) -> bool {
    let good = |results| matches!(results, Results::Success | Results::Warnings);
    let bad = |results| matches!(results, Results::Failure | Results::Exception);
    match name {
        "problem" => good(then) && bad(now),
        "recovery" => bad(then) && good(now),
        "worse" => severity(now).zip(severity(then)).is_some_and(|(now, then)| now > then),
        "better" => severity(now).zip(severity(then)).is_some_and(|(now, then)| now < then),
        _ => transition(then, now) == name,
    }
}

/// Weight of a result, from harmless to grave (I-ADD-04). A retry stands for no result and has none.
fn severity(results: Results) -> Option<u8> {
    Some(match results {
        Results::Skipped => 0,
        Results::Success => 1,
        Results::Warnings => 2,
        Results::Failure => 3,
        Results::Cancelled => 4,
        Results::Exception => 5,
        Results::Retry => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> NotifySet {
        names.iter().map(|name| Notify::parse(name).unwrap_or_else(|| panic!("{name}"))).collect()
    }

    #[test]
    fn i_evt_01_i_evt_02_names_as_whole_words_with_their_case() {
        for name in [
            "started",
            "finished",
            "success",
            "warnings",
            "failure",
            "exception",
            "successToFailure",
            "failureToFailure",
            "exceptionToWarnings",
            "cancelled",
            "worse",
        ] {
            assert!(Notify::parse(name).is_some(), "{name}");
        }
        for name in [
            "",
            "Success",
            "successTofailure",
            "successToRetry",
            "retry",
            "retryToSuccess",
            "xToY",
            "success ",
        ] {
            assert!(Notify::parse(name).is_none(), "{name}");
        }
    }

    #[test]
    fn i_evt_03_finished_result_or_transition() {
        use Results::{Failure, Success, Warnings};
        assert!(wants_finish(&set(&["finished"]), Some(Success), None));
        assert!(wants_finish(&set(&["failure"]), Some(Failure), None));
        assert!(!wants_finish(&set(&["failure", "started"]), Some(Success), None));
        let turn = set(&["successToFailure"]);
        assert!(wants_finish(&turn, Some(Failure), Some(Success)));
        assert!(!wants_finish(&turn, Some(Failure), Some(Warnings)));
        assert!(!wants_finish(&turn, Some(Failure), None));
        assert!(wants_start(&set(&["started"])) && !wants_start(&set(&["finished"])));
        assert!(needs_previous(&turn) && !needs_previous(&set(&["finished", "failure"])));
    }

    #[test]
    fn i_evt_04_retries_cancelled_and_skipped_builds_match_finished_and_never_fail_the_rule() {
        let turns = set(&["successToFailure", "success", "failure", "warnings", "exception"]);
        for results in [Results::Retry, Results::Cancelled, Results::Skipped] {
            assert!(wants_finish(&set(&["finished"]), Some(results), Some(Results::Success)));
            assert!(!wants_finish(&turns, Some(results), Some(Results::Success)));
        }
    }

    #[test]
    fn i_add_04_problem_recovery_worse_better() {
        use Results::{Cancelled, Exception, Failure, Success, Warnings};
        let wants = |name: &str, then, now| wants_finish(&set(&[name]), Some(now), Some(then));
        assert!(wants("problem", Success, Failure) && wants("problem", Warnings, Exception));
        assert!(!wants("problem", Failure, Failure) && !wants("problem", Success, Cancelled));
        assert!(wants("recovery", Exception, Warnings) && !wants("recovery", Success, Success));
        assert!(wants("worse", Success, Warnings) && wants("worse", Cancelled, Exception));
        assert!(wants("better", Failure, Success) && !wants("better", Success, Success));
        assert!(wants("cancelled", Success, Cancelled));
    }
}
