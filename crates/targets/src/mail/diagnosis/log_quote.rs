//! The steps that made a build end as it did, each with the last lines of its log (M-73).

use campanile_callbacks::{Status, StatusError};
use campanile_model::{Build, LogRef, LogSummary, Results, Step, line_text, plain_output};

/// Most steps that are quoted: one failure often brings about others, and the first says why.
const MAX_STEPS: usize = 3;
/// Most lines of a log.
const MAX_LINES: usize = 30;
/// Most bytes that are read of a log, colours included.
const MAX_READ: usize = 64 * 1024;
/// Most characters of a line: tools that write all into one would push everything else out of sight.
const MAX_LINE: usize = 400;

/// A step that made its build end as it did, and the end of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct LogQuote {
    /// Name of the step.
    pub(in super::super) step: String,
    /// Outcome of the step; none if its end was never told.
    pub(in super::super) results: Option<Results>,
    /// Its log's end, if it has a log that is kept.
    pub(in super::super) log: Option<LogEnd>,
}

/// The last lines of a log, as plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct LogEnd {
    /// Name of the log.
    pub(in super::super) name: String,
    /// Page that shows it, if pages are known.
    pub(in super::super) url: Option<String>,
    /// Lines without their ends; the last one is not blank.
    pub(in super::super) lines: Vec<String>,
    /// Number of lines of the whole log without blank ones at its end, as far as it is known.
    pub(in super::super) total: u64,
}

impl LogEnd {
    /// Its part of the log, with a capital letter.
    pub(in super::super) fn extent(&self) -> String {
        let shown = self.lines.len();
        match usize::try_from(self.total).unwrap_or(usize::MAX) {
            total if total > shown => format!("The last {shown} of {total} lines"),
            _ => "The end".to_owned(),
        }
    }
}

impl LogQuote {
    /// The end of the step, as a verb.
    pub(in super::super) fn verb(&self) -> &'static str {
        match self.results {
            Some(Results::Warnings) => "had warnings",
            Some(Results::Exception) => "was stopped by an exception",
            Some(_) => "failed",
            None => "did not finish",
        }
    }
}

/// Reads the quotes of a build.
pub(super) async fn read(
    build: &Build,
    results: Results,
    status: &dyn Status,
) -> Result<Vec<LogQuote>, StatusError> {
    let mut quotes = Vec::new();
    for step in telling_steps(build, results) {
        let log = match telling_log(step, results) {
            Some(log) => log_end(build, step, log, status).await?,
            None => None,
        };
        quotes.push(LogQuote { step: line_text(&step.name).into_owned(), results: step.results, log });
    }
    Ok(quotes)
}

/// Steps that ended as the build did. If a build failed and no step did, it is the last one that has a log and no outcome:
/// whoever reports by hand sends a log and says no more of its step.
fn telling_steps(build: &Build, results: Results) -> Vec<&Step> {
    let is_failure = |step: &&Step| matches!(step.results, Some(Results::Failure | Results::Exception));
    let steps = || build.steps.iter().filter(|step| !step.hidden);
    match results {
        Results::Failure | Results::Exception => {
            let failed: Vec<&Step> = steps().filter(is_failure).take(MAX_STEPS).collect();
            if failed.is_empty() {
                steps()
                    .rev()
                    .find(|step| step.results.is_none() && !step.logs.is_empty())
                    .into_iter()
                    .collect()
            } else {
                failed
            }
        }
        Results::Warnings => {
            steps().filter(|step| step.results == Some(Results::Warnings)).take(MAX_STEPS).collect()
        }
        _ => Vec::new(),
    }
}

/// The log that says most about the outcome, by the names that logs have in the field; else the last one.
fn telling_log(step: &Step, results: Results) -> Option<&LogSummary> {
    let begins = |start: &str| step.logs.iter().find(|log| log.name.starts_with(start));
    let named = |name: &str| step.logs.iter().find(|log| log.name == name);
    let first = match results {
        Results::Warnings => begins("warnings"),
        Results::Exception => named("err.text"),
        _ => None,
    };
    first.or_else(|| named("stdio")).or(step.logs.last())
}

async fn log_end(
    build: &Build,
    step: &Step,
    log: &LogSummary,
    status: &dyn Status,
) -> Result<Option<LogEnd>, StatusError> {
    let place = LogRef { build: build.id(), step: step.name.clone(), log: log.name.clone() };
    // Blank lines at the end don't count, and there may be many: so it is not asked for just as many as are shown.
    let Some(tail) = status.log_tail(&place, u32::MAX, MAX_READ).await? else { return Ok(None) };
    let Some((lines, total)) = end_of(&tail, log.lines) else { return Ok(None) };
    let (name, url) = (line_text(&log.name).into_owned(), status.url_of_log(log, &place));
    Ok(Some(LogEnd { name, url, lines, total }))
}

/// The lines to show of a log of so many lines whose last bytes are these, and the number of its lines; neither counts
/// blank ones at its end. None if it has no others.
pub(super) fn end_of(tail: &str, lines: u64) -> Option<(Vec<String>, u64)> {
    // A tail ends within a character of the limit only when there was more.
    let is_whole = tail.len() + 4 < MAX_READ;
    let text = plain_output(tail);
    let all: Vec<&str> = text.trim_end().lines().collect();
    let (told, blank) = (all.len() as u64, text.lines().count().saturating_sub(all.len()) as u64);
    let total = if is_whole { told } else { lines.saturating_sub(blank).max(told) };
    let shown = all.get(all.len().saturating_sub(MAX_LINES)..).unwrap_or(&all);
    let mut lines: Vec<String> = shown.iter().map(|line| shortened(line, MAX_LINE)).collect();
    let first = lines.first_mut()?;
    if !is_whole && shown.len() == all.len() {
        // Its beginning may not have been read.
        first.insert(0, '…');
    }
    Some((lines, total))
}

/// A line that is cut behind so many characters.
pub(in super::super) fn shortened(line: &str, most: usize) -> String {
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(line)),
        None => line.to_owned(),
    }
}
