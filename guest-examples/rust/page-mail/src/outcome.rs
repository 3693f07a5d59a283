//! Results in words, with a mark and a colour: nobody has to tell colours apart to read the mail.

use campanile_guest::{Results, words};

/// The looks of a result.
pub(crate) struct Outcome {
    /// The end of a sentence about a build or a step: `failed`.
    pub(crate) verb: &'static str,
    /// One word, which is also the name of its style class.
    pub(crate) word: &'static str,
    /// A sign to stand in front of a name.
    pub(crate) mark: &'static str,
    /// A colour that white is readable on, and that is readable on white.
    pub(crate) colour: &'static str,
}

/// The colour of what is neither good nor bad.
pub(crate) const GREY: &str = "#57606a";

impl Outcome {
    /// The looks of a result; without one, of a step that never ended.
    pub(crate) fn of(results: Option<Results>) -> Self {
        let (verb, mark, colour) = match results {
            Some(Results::Success) => ("succeeded", "✓", "#1a7f37"),
            Some(Results::Warnings) => ("had warnings", "!", "#9a6700"),
            Some(Results::Failure) => ("failed", "✗", "#cf222e"),
            Some(Results::Exception) => ("was stopped by an exception", "✗", "#8250df"),
            Some(Results::Skipped) => ("was skipped", "–", GREY),
            Some(Results::Retry) => ("will be tried again", "–", GREY),
            Some(Results::Cancelled) => ("was cancelled", "–", GREY),
            None => ("did not finish", "–", GREY),
        };
        Self { verb, word: results.map_or("unfinished", words::result), mark, colour }
    }
}
