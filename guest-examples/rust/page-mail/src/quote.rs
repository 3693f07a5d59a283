//! The steps that made the build end as it did, each with the end of its log.

use crate::outcome::Outcome;
use crate::text::{self, NAME};
use campanile_guest::{Build, LogSummary, Results, Status, Step, escape, flat};

/// Most steps that are quoted: one failure often brings about others, and the first says why.
const STEPS: usize = 3;
/// Most lines of a log.
const LINES: u32 = 30;
/// Most characters of a line: tools that write all into one would push everything else out of sight.
const LINE: usize = 300;
/// Most bytes of a log's end, as html. Three of them and the rest of the page stay far below the 102 KB where mail
/// programs cut a mail off.
const BYTES: usize = 8_000;

/// A step that made its build end as it did.
pub(crate) struct Quote {
    pub(crate) step: String,
    pub(crate) outcome: Outcome,
    /// Its log's end, if it has a log that can be read and is not empty.
    pub(crate) log: Option<LogEnd>,
}

/// The last lines of a log.
pub(crate) struct LogEnd {
    pub(crate) name: String,
    /// Page that shows the whole of it.
    pub(crate) url: Option<String>,
    pub(crate) lines: Vec<String>,
    /// Lines of the whole log, as far as the engine knows.
    total: u64,
}

impl LogEnd {
    /// The part of the log that is shown, as the beginning of a phrase.
    pub(crate) fn extent(&self) -> String {
        match self.lines.len() {
            shown if self.total > shown as u64 => format!("the last {shown} of {} lines", self.total),
            _ => "the end".to_owned(),
        }
    }
}

/// Reads the quotes of a build; of one that is well there are none.
pub(crate) fn read(build: &Build, results: Results, status: &dyn Status) -> Vec<Quote> {
    let page = flat::url(build, status);
    let quoted = telling_steps(build, results).into_iter().take(STEPS).map(|step| Quote {
        step: text::line(&step.name, NAME),
        outcome: Outcome::of(step.results),
        log: telling_log(step).and_then(|log| read_log(build, step, log, page.as_deref(), status)),
    });
    quoted.collect()
}

/// Steps that ended badly, or with warnings as the build did. If a build failed and no step says so, it is the last one
/// without an end that has a log: whoever reports by hand sends a log and says no more of its step.
pub(crate) fn telling_steps(build: &Build, results: Results) -> Vec<&Step> {
    let ended = |bad: &[Results]| -> Vec<&Step> {
        build.steps.iter().filter(|step| step.results.is_some_and(|end| bad.contains(&end))).collect()
    };
    match results {
        Results::Warnings => ended(&[Results::Warnings]),
        Results::Failure | Results::Exception => {
            let failed = ended(&[Results::Failure, Results::Exception]);
            if !failed.is_empty() {
                return failed;
            }
            let is_open = |step: &&Step| step.results.is_none() && !step.logs.is_empty();
            build.steps.iter().rev().find(is_open).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The log that says most, by the name that it has in the field; else the last one.
fn telling_log(step: &Step) -> Option<&LogSummary> {
    step.logs.iter().find(|log| log.name == "stdio").or(step.logs.last())
}

fn read_log(
    build: &Build,
    step: &Step,
    log: &LogSummary,
    page: Option<&str>,
    status: &dyn Status,
) -> Option<LogEnd> {
    let tail = status.log_tail(&build.id, &step.name, &log.name, LINES).ok()?;
    let mut bytes = 0;
    let mut lines: Vec<String> = tail
        .trim_end()
        .lines()
        .rev()
        .take(LINES as usize)
        .map(|line| text::log_line(line, LINE))
        .take_while(|line| {
            bytes += escape::html(line).len() + 1;
            bytes <= BYTES
        })
        .collect();
    lines.reverse();
    let url = text::web_address(flat::log_url(page, &step.name, &log.name, log.url.as_deref()));
    let end = LogEnd { name: text::line(&log.name, NAME), url, lines, total: log.lines };
    (!end.lines.is_empty()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::read;
    use campanile_guest::Results;
    use campanile_guest::testing::{FixedStatus, build};

    #[test]
    fn a_failed_step_is_quoted_with_the_end_of_its_log() {
        let quotes = read(&build(Results::Failure), Results::Failure, &FixedStatus::default());
        assert_eq!(quotes.len(), 1);
        assert_eq!((&*quotes[0].step, quotes[0].outcome.verb), ("make all", "failed"));
        let log = quotes[0].log.as_ref().expect("it has a log");
        assert_eq!(log.extent(), "the last 30 of 100 lines");
        assert_eq!(log.lines.last().map(String::as_str), Some("line <100>"));
        assert_eq!(
            log.url.as_deref(),
            Some("https://ci.example/builders/linux/builds/7/steps/make%20all/logs/stdio")
        );
    }

    #[test]
    fn a_log_that_was_sent_without_a_word_on_its_step_is_quoted() {
        let mut build = build(Results::Failure);
        build.steps[1].results = None;
        let quotes = read(&build, Results::Failure, &FixedStatus::default());
        assert_eq!((&*quotes[0].step, quotes[0].outcome.verb), ("make all", "did not finish"));
    }

    #[test]
    fn nothing_is_quoted_of_a_build_that_is_well() {
        for results in [Results::Success, Results::Cancelled] {
            assert!(read(&build(results), results, &FixedStatus::default()).is_empty());
        }
        assert_eq!(read(&build(Results::Warnings), Results::Warnings, &FixedStatus::default()).len(), 1);
    }
}
