//! Results and modes in the words that Buildbot's users know.

use crate::{Mode, Results};

/// `success`, `warnings`, `failure`, `skipped`, `exception`, `retry` or `cancelled`.
pub fn result(results: Results) -> &'static str {
    match results {
        Results::Success => "success",
        Results::Warnings => "warnings",
        Results::Failure => "failure",
        Results::Skipped => "skipped",
        Results::Exception => "exception",
        Results::Retry => "retry",
        Results::Cancelled => "cancelled",
    }
}

/// The word of [`result`] with a capital, as in `Failure`.
pub fn title_case(results: Results) -> &'static str {
    match results {
        Results::Success => "Success",
        Results::Warnings => "Warnings",
        Results::Failure => "Failure",
        Results::Skipped => "Skipped",
        Results::Exception => "Exception",
        Results::Retry => "Retry",
        Results::Cancelled => "Cancelled",
    }
}

/// The modes of a set, in the contract's order.
pub fn modes(mode: Mode) -> Vec<&'static str> {
    [
        (Mode::CHANGE, "change"),
        (Mode::FAILING, "failing"),
        (Mode::PASSING, "passing"),
        (Mode::PROBLEM, "problem"),
        (Mode::WARNINGS, "warnings"),
        (Mode::EXCEPTION, "exception"),
        (Mode::CANCELLED, "cancelled"),
    ]
    .into_iter()
    .filter(|(flag, _)| mode.contains(*flag))
    .map(|(_, word)| word)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::modes;
    use crate::Mode;

    #[test]
    fn modes_come_in_the_contracts_order() {
        assert_eq!(modes(Mode::WARNINGS | Mode::CHANGE), ["change", "warnings"]);
        assert!(modes(Mode::empty()).is_empty());
    }
}
