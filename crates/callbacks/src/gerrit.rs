//! The GerritStatusPush callbacks: reviewCB, startCB and summaryCB (G-CB).

use serde::Serialize;
use serde_json::Value;

use super::Status;
use super::bindings::gerrit_summary::exports::campanile::notifier::summary_callback as wit;
use super::bindings::host::campanile::notifier::reviews;
use super::call::ITEM_COST;
use super::callback::{CallCost, Callback, sandboxed_call};
use super::caller::Caller;
use super::convert;
use super::error::CallbackError;
use super::kind::Kind;
use campanile_model::{Build, Results};

/// A Gerrit review: a text and votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Review {
    /// The text.
    pub message: String,
    /// Votes by label.
    pub labels: Vec<(String, i32)>,
}

/// One build of a set, as summaryCB gets it.
#[derive(Clone, Debug)]
pub struct BuildInfo {
    /// The builder's name.
    pub name: String,
    /// Outcome of the build.
    pub results: Results,
    /// The outcome as a word, such as `build successful`.
    pub results_text: String,
    /// The build's text, joined.
    pub text: String,
    /// Its page.
    pub url: Option<String>,
    /// The build itself.
    pub build: Build,
}

impl Callback {
    /// Runs reviewCB on a finished build; none: no review is sent.
    ///
    /// # Errors
    /// When the component has none, refuses, traps, or meets a limit.
    pub async fn review_build(
        &self,
        caller: &Caller,
        builder: &str,
        build: &Build,
        results: Results,
        arg: Option<&Value>,
    ) -> Result<(Option<Review>, CallCost), CallbackError> {
        let record = convert::build(build, &*caller.status);
        let (builder, results, arg) =
            (builder.to_owned(), convert::results(results), arg.map(Value::to_string));
        let (answer, cost) =
            sandboxed_call!(self, caller, review_callback, Kind::ReviewCallback, |store, instance| {
                let exports = instance.campanile_notifier_review_callback();
                exports.call_review_build(&mut store, &builder, &record, results, arg.as_ref())
            });
        Ok((self.review(answer)?, cost))
    }

    /// Runs startCB on a build that began; none: nothing is sent.
    ///
    /// # Errors
    /// As `review_build`.
    pub async fn announce_start(
        &self,
        caller: &Caller,
        builder: &str,
        build: &Build,
        arg: Option<&Value>,
    ) -> Result<(Option<String>, CallCost), CallbackError> {
        let record = convert::build(build, &*caller.status);
        let (builder, arg) = (builder.to_owned(), arg.map(Value::to_string));
        let (answer, cost) =
            sandboxed_call!(self, caller, start_callback, Kind::StartCallback, |store, instance| {
                let exports = instance.campanile_notifier_start_callback();
                exports.call_announce_start(&mut store, &builder, &record, arg.as_ref())
            });
        let message = answer.map_err(CallbackError::answered)?;
        self.within_output(message.as_ref().map_or(0, String::len))?;
        Ok((message, cost))
    }

    /// Runs summaryCB on the builds of a complete set.
    ///
    /// # Errors
    /// As `review_build`.
    pub async fn summarize(
        &self,
        caller: &Caller,
        builds: &[BuildInfo],
        results: Results,
        arg: Option<&Value>,
    ) -> Result<(Option<Review>, CallCost), CallbackError> {
        let builds: Vec<_> = builds.iter().map(|info| build_info(info, &*caller.status)).collect();
        let (results, arg) = (convert::results(results), arg.map(Value::to_string));
        let (answer, cost) =
            sandboxed_call!(self, caller, summary_callback, Kind::SummaryCallback, |store, instance| {
                let exports = instance.campanile_notifier_summary_callback();
                exports.call_summarize(&mut store, &builds, results, arg.as_ref())
            });
        Ok((self.review(answer)?, cost))
    }

    fn review(
        &self,
        answer: Result<Option<reviews::Review>, String>,
    ) -> Result<Option<Review>, CallbackError> {
        let Some(review) = answer.map_err(CallbackError::answered)? else { return Ok(None) };
        let labels: Vec<_> = review.labels.into_iter().map(|label| (label.name, label.score)).collect();
        self.within_output(
            review.message.len() + labels.iter().map(|(name, _)| ITEM_COST + name.len()).sum::<usize>(),
        )?;
        Ok(Some(Review { message: review.message, labels }))
    }
}

fn build_info(info: &BuildInfo, status: &dyn Status) -> wit::BuildInfo {
    wit::BuildInfo {
        name: info.name.clone(),
        results: convert::results(info.results),
        results_text: info.results_text.clone(),
        text: info.text.clone(),
        url: info.url.clone(),
        build: convert::build(&info.build, status),
    }
}
