//! Problems of the settings: gathered, so that all of them can be told at once.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;

/// A position in a settings file: the file and a line in it, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The settings file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Weight of a problem: an error keeps the settings from being used.
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
    /// Position of the value that it is about.
    pub location: Location,
    /// Its weight.
    pub severity: Severity,
    /// The problem and its remedy, in one sentence without a final dot.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}: {severity}: {}", self.location, self.text)
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
    pub fn add(&self, severity: Severity, location: Location, text: impl Into<String>) {
        self.0.borrow_mut().push(Problem { location, severity, text: text.into() });
    }

    /// True if one of them keeps the settings from being used.
    #[must_use]
    pub fn any_error(&self) -> bool {
        self.0.borrow().iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All of them, by location.
    #[must_use]
    pub fn into_sorted(self) -> Vec<Problem> {
        let mut problems = self.0.into_inner();
        problems.sort_by(|a, b| (&a.location, a.severity).cmp(&(&b.location, b.severity)));
        problems.dedup();
        problems
    }
}
