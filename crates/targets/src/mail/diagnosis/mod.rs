//! Facts that a mail tells beside the finished build itself: since when its builder is broken, and the last lines of the
//! logs of what failed.

mod failure_run;
mod log_quote;
#[cfg(test)]
mod tests;

use super::{Fault, store_fault};
use campanile_callbacks::Status;
use campanile_model::{Build, Results};

pub(super) use failure_run::{FailureRun, short_name};
pub(super) use log_quote::{LogEnd, LogQuote, shortened};

/// The diagnosis of a build, read from the store once for all that is written about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Diagnosis {
    /// The run of failures that the build belongs to, or that it ended.
    pub(super) run: Option<FailureRun>,
    /// Steps that made the build end as it did, in their order, with the end of their logs.
    pub(super) quotes: Vec<LogQuote>,
}

impl Diagnosis {
    /// A diagnosis of nobody's, with everything that there can be in one.
    pub(super) fn sample() -> Self {
        let log = LogEnd { name: "stdio".to_owned(), url: None, lines: vec!["text".to_owned()], total: 9 };
        let quote = LogQuote { step: "compile".to_owned(), results: Some(Results::Failure), log: Some(log) };
        let run = FailureRun {
            first: 5,
            url: None,
            by: vec!["ada".to_owned()],
            builds: 3,
            worked_last: Some(4),
            is_over: false,
        };
        Self { run: Some(run), quotes: vec![quote] }
    }

    /// Reads it from the store.
    pub(super) async fn read(build: &Build, results: Results, status: &dyn Status) -> Result<Self, Fault> {
        Ok(Self {
            run: FailureRun::read(build, results, status).await.map_err(|error| store_fault(&error))?,
            quotes: log_quote::read(build, results, status).await.map_err(|error| store_fault(&error))?,
        })
    }
}
