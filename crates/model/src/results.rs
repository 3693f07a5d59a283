//! Outcomes of builds and steps, and how they add up (M-RES-01 to M-RES-08).

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// Outcome of a build, a step or a buildset. An outcome that is absent means "still running" (M-RES-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Results {
    /// Everything worked.
    Success = 0,
    /// It worked, with complaints.
    Warnings = 1,
    /// It did not work.
    Failure = 2,
    /// It was not run.
    Skipped = 3,
    /// The machinery around it broke.
    Exception = 4,
    /// It was lost and another build stands for it.
    Retry = 5,
    /// Somebody stopped it.
    Cancelled = 6,
}

impl Results {
    /// All seven, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Success,
        Self::Warnings,
        Self::Failure,
        Self::Skipped,
        Self::Exception,
        Self::Retry,
        Self::Cancelled,
    ];

    /// Worst first (M-RES-04).
    const RANKING: [Self; 7] = [
        Self::Cancelled,
        Self::Retry,
        Self::Exception,
        Self::Failure,
        Self::Warnings,
        Self::Success,
        Self::Skipped,
    ];

    /// The fixed integer of M-RES-01.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The outcome with this integer, if there is one.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        usize::try_from(code).ok().and_then(|index| Self::ALL.get(index).copied())
    }

    /// The lower-case name of M-RES-01.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warnings => "warnings",
            Self::Failure => "failure",
            Self::Skipped => "skipped",
            Self::Exception => "exception",
            Self::Retry => "retry",
            Self::Cancelled => "cancelled",
        }
    }

    /// The outcome with this lower-case name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|results| results.name() == name)
    }

    /// Name shown for a code that came from outside (M-RES-03).
    #[must_use]
    pub fn display_code(code: Option<i64>) -> &'static str {
        match code {
            None => "not finished",
            Some(code) => Self::from_code(code).map_or("Invalid status", Self::name),
        }
    }

    /// The worse of two outcomes; an absent one never wins (M-RES-04).
    #[must_use]
    pub fn worst_of(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        Self::RANKING.into_iter().find(|&results| Some(results) == a || Some(results) == b)
    }

    /// Result of a build from its steps' outcomes (M-RES-05, M-RES-06).
    pub fn of_steps(steps: impl IntoIterator<Item = (Self, StepFlags)>) -> Self {
        steps.into_iter().fold(Self::Success, |sum, (results, flags)| {
            Self::worst_of(Some(sum), Some(flags.contribution(results))).unwrap_or(sum)
        })
    }

    /// Result of a buildset from the outcomes of its requests (M-RES-07, first rule).
    pub fn of_buildset(requests: impl IntoIterator<Item = Self>) -> Self {
        let good = |results| matches!(results, Self::Success | Self::Warnings);
        if requests.into_iter().all(good) { Self::Success } else { Self::Failure }
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Effect of a step's outcome on its build (M-RES-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepFlags {
    /// A failure stops the build.
    pub halt_on_failure: bool,
    /// A failure fails the build.
    pub flunk_on_failure: bool,
    /// Warnings fail the build.
    pub flunk_on_warnings: bool,
    /// A failure gives the build warnings.
    pub warn_on_failure: bool,
    /// Warnings give the build warnings.
    pub warn_on_warnings: bool,
}

impl Default for StepFlags {
    fn default() -> Self {
        Self {
            halt_on_failure: false,
            flunk_on_failure: true,
            flunk_on_warnings: false,
            warn_on_failure: false,
            warn_on_warnings: false,
        }
    }
}

impl StepFlags {
    /// Effect that a step's outcome has on its build.
    #[must_use]
    pub fn contribution(self, results: Results) -> Results {
        let (flunk, warn) = match results {
            Results::Failure => (self.flunk_on_failure, self.warn_on_failure),
            Results::Warnings => (self.flunk_on_warnings, self.warn_on_warnings),
            other => return other,
        };
        match (flunk, warn) {
            (true, _) => Results::Failure,
            (false, true) => Results::Warnings,
            (false, false) => Results::Success,
        }
    }

    /// True if a step with this outcome ends its build.
    #[must_use]
    pub fn stops_build(self, results: Results) -> bool {
        match results {
            Results::Failure => self.halt_on_failure,
            Results::Exception | Results::Retry | Results::Cancelled => true,
            Results::Success | Results::Warnings | Results::Skipped => false,
        }
    }
}

/// A text or number that is none of the seven outcomes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a result; use success, warnings, failure, skipped, exception, retry or cancelled")]
pub struct ParseResultsError(pub String);

impl std::str::FromStr for Results {
    type Err = ParseResultsError;

    fn from_str(text: &str) -> Result<Self, ParseResultsError> {
        Self::from_name(text).ok_or_else(|| ParseResultsError(text.to_owned()))
    }
}

impl Serialize for Results {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Results {
    /// Takes the name or the code.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrCode;

        impl Visitor<'_> for NameOrCode {
            type Value = Results;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a result name (`success`, `failure`...) or its code from 0 to 6")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Results, E> {
                name.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, code: i64) -> Result<Results, E> {
                Results::from_code(code).ok_or_else(|| E::custom(ParseResultsError(code.to_string())))
            }

            fn visit_u64<E: de::Error>(self, code: u64) -> Result<Results, E> {
                self.visit_i64(i64::try_from(code).unwrap_or(i64::MAX))
            }
        }

        deserializer.deserialize_any(NameOrCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_res_01_m_res_02_codes_and_names_are_fixed() {
        let table: Vec<_> = Results::ALL.iter().map(|r| (r.code(), r.name())).collect();
        assert_eq!(
            table,
            [
                (0, "success"),
                (1, "warnings"),
                (2, "failure"),
                (3, "skipped"),
                (4, "exception"),
                (5, "retry"),
                (6, "cancelled")
            ]
        );
    }

    #[test]
    fn m_res_03_display_of_foreign_codes() {
        assert_eq!(Results::display_code(None), "not finished");
        assert_eq!(Results::display_code(Some(2)), "failure");
        assert_eq!(Results::display_code(Some(7)), "Invalid status");
        assert_eq!(Results::display_code(Some(-1)), "Invalid status");
    }

    #[test]
    fn m_res_04_worst_of_every_pair() {
        let worst_first = ["cancelled", "retry", "exception", "failure", "warnings", "success", "skipped"];
        for (i, a) in worst_first.iter().enumerate() {
            for (j, b) in worst_first.iter().enumerate() {
                let worst = worst_first[i.min(j)];
                let got = Results::worst_of(Results::from_name(a), Results::from_name(b));
                assert_eq!(got.map(Results::name), Some(worst), "{a} and {b}");
            }
            let a = Results::from_name(a);
            assert_eq!(Results::worst_of(a, None), a);
            assert_eq!(Results::worst_of(None, a), a);
        }
        assert_eq!(Results::worst_of(None, None), None);
    }

    #[test]
    fn m_res_05_contribution_follows_the_flags() {
        let default = StepFlags::default();
        assert_eq!(default.contribution(Results::Failure), Results::Failure);
        assert_eq!(default.contribution(Results::Warnings), Results::Success);
        assert!(!default.stops_build(Results::Failure));
        let warn =
            StepFlags { flunk_on_failure: false, warn_on_failure: true, warn_on_warnings: true, ..default };
        assert_eq!(warn.contribution(Results::Failure), Results::Warnings);
        assert_eq!(warn.contribution(Results::Warnings), Results::Warnings);
        let harsh = StepFlags { flunk_on_warnings: true, halt_on_failure: true, ..default };
        assert_eq!(harsh.contribution(Results::Warnings), Results::Failure);
        assert!(harsh.stops_build(Results::Failure));
        for results in [Results::Exception, Results::Retry, Results::Cancelled] {
            assert_eq!(default.contribution(results), results);
            assert!(default.stops_build(results));
        }
    }

    #[test]
    fn m_res_06_a_skipped_step_never_changes_a_build() {
        let flags = StepFlags::default();
        assert_eq!(Results::of_steps([]), Results::Success);
        assert_eq!(Results::of_steps([(Results::Skipped, flags)]), Results::Success);
        assert_eq!(
            Results::of_steps([
                (Results::Success, flags),
                (Results::Failure, flags),
                (Results::Skipped, flags)
            ]),
            Results::Failure
        );
    }

    #[test]
    fn m_res_07_a_buildset_succeeds_or_fails() {
        assert_eq!(Results::of_buildset([]), Results::Success);
        assert_eq!(Results::of_buildset([Results::Success, Results::Warnings]), Results::Success);
        assert_eq!(Results::of_buildset([Results::Success, Results::Skipped]), Results::Failure);
    }

    #[test]
    fn reads_names_and_codes_and_refuses_the_rest() {
        assert_eq!(serde_json::from_str::<Results>("\"retry\"").ok(), Some(Results::Retry));
        assert_eq!(serde_json::from_str::<Results>("6").ok(), Some(Results::Cancelled));
        let error = serde_json::from_str::<Results>("\"Failure\"").map_err(|e| e.to_string());
        assert!(error.is_err_and(|text| text.contains("`Failure` is not a result")));
        assert!(serde_json::from_str::<Results>("7").is_err());
    }
}
