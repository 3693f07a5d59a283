//! What is wrong with the settings: gathered, so that all of it can be told at once.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

/// Where something stands: a file and a line in it, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The settings file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Whether a problem keeps the settings from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The settings cannot be used.
    Error,
    /// They can, but somebody should look.
    Warning,
}

/// One thing that is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub place: Place,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what to do, in one sentence without a final dot.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}: {severity}: {}", self.place, self.text)
    }
}

/// All problems found so far. Shared by everything that reads a part of the settings.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn add(&self, severity: Severity, place: Place, text: impl Into<String>) {
        self.0.borrow_mut().push(Problem { place, severity, text: text.into() });
    }

    /// Whether one of them keeps the settings from being used.
    #[must_use]
    pub fn any_error(&self) -> bool {
        self.0.borrow().iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them, by place.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by(|a, b| (&a.place, a.severity).cmp(&(&b.place, b.severity)));
        problems.dedup();
        problems
    }
}
