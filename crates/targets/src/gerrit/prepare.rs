//! Prepares the review of an event: asks callbacks, or takes the built-in one (G-EV).

use super::decide;
use super::defaults::{self, infos};
use super::patch_set::PatchSet;
use super::payload::StoredReview;
use super::settings::{GerritSettings, Wording};
use crate::{Context, Decision, Fault, FaultCode, Prepared, Silence};
use campanile_callbacks::{CallCost, CallbackError, Review};
use campanile_model::{Build, Buildset, Results};

/// Prepares the review of a build that has begun (G-EV-01).
pub(super) async fn started(
    settings: &GerritSettings,
    build: &Build,
    context: &Context,
) -> Result<Prepared, Fault> {
    let sets = match decide::of_build(settings, build) {
        Decision::Send(sets) => sets,
        Decision::Silent(silence) => return Ok(Prepared::Silent(silence)),
    };
    let Some(callback) = &settings.start else { return Ok(Prepared::Silent(nothing_to_say())) };
    let arg = settings.start_arg.as_ref();
    let returned = callback.announce_start(&context.caller, &build.builder, build, arg).await;
    let returned = returned
        .map(|(message, report)| (message.map(|message| Review { message, labels: Vec::new() }), report));
    match answered(settings, "start_cb", callback.name(), returned)? {
        Answered::ByCallback(review, version) => stored(review, sets, Some(version)),
        // A start is no news worth a built-in text.
        Answered::UseBuiltIn => Ok(Prepared::Silent(nothing_to_say())),
    }
}

/// Prepares the review of a build that has ended (G-EV-01).
pub(super) async fn finished(
    settings: &GerritSettings,
    build: &Build,
    context: &Context,
) -> Result<Prepared, Fault> {
    let sets = match decide::of_build(settings, build) {
        Decision::Send(sets) => sets,
        Decision::Silent(silence) => return Ok(Prepared::Silent(silence)),
    };
    let Some(results) = build.results else { return Ok(Prepared::Silent(nothing_to_say())) };
    let built_in = || defaults::review(&build.builder, results, settings.warnings_pass);
    let Wording::Callback(callback) = &settings.review else { return stored(built_in(), sets, None) };
    let arg = settings.review_arg.as_ref();
    let returned = callback.review_build(&context.caller, &build.builder, build, results, arg).await;
    match answered(settings, "review_cb", callback.name(), returned)? {
        Answered::ByCallback(review, version) => stored(review, sets, Some(version)),
        Answered::UseBuiltIn => stored(built_in(), sets, None),
    }
}

/// Prepares the summary of a complete buildset (G-EV-02 to G-EV-06): addressed like the first of its builds that can
/// be.
pub(super) async fn completed(
    settings: &GerritSettings,
    buildset: &Buildset,
    context: &Context,
) -> Result<Prepared, Fault> {
    let status = &context.caller.status;
    let builds = status.builds_of_buildset(buildset.bsid).await;
    let mut builds = builds.map_err(|error| Fault::transient(FaultCode::Store, error.to_string()))?;
    // Of all builds, also of those that are not told of.
    let results = result_of(buildset, builds.iter().filter_map(|build| build.results));
    builds.retain(|build| settings.build_filter.refuses(build).is_none());
    let (sets, why_not) = decide::of_buildset(&builds);
    let infos = infos(&builds, &**status);
    if sets.is_empty() || infos.is_empty() {
        return Ok(Prepared::Silent(Silence::WholeBuildset { of_each: why_not }));
    }
    let built_in = || Some(defaults::summary(&infos, settings.warnings_pass));
    let Wording::Callback(callback) = &settings.summary else { return stored(built_in(), sets, None) };
    let arg = settings.summary_arg.as_ref();
    let returned = callback.summarize(&context.caller, &infos, results, arg).await;
    match answered(settings, "summary_cb", callback.name(), returned)? {
        Answered::ByCallback(review, version) => stored(review, sets, Some(version)),
        Answered::UseBuiltIn => stored(built_in(), sets, None),
    }
}

/// The result of asking a callback for a review.
enum Answered {
    /// Its review, if it has one, and its version.
    ByCallback(Option<Review>, String),
    /// It failed, and the built-in review is to take its place.
    UseBuiltIn,
}

/// Takes in what a callback returned. A failure is logged, and is a fault where no built-in review takes its place.
fn answered(
    settings: &GerritSettings,
    key: &str,
    name: &str,
    returned: Result<(Option<Review>, CallCost), CallbackError>,
) -> Result<Answered, Fault> {
    match returned {
        Ok((review, report)) => Ok(Answered::ByCallback(review, report.version)),
        Err(error) => {
            let text =
                format!("gerrit target `{}`: `{key}`, the callback `{name}`, failed: {error}", settings.name);
            tracing::warn!(target = settings.name, callback = name, "{text}");
            settings.on_callback_error.judge(text)?;
            Ok(Answered::UseBuiltIn)
        }
    }
}

/// Tells the result of a buildset: the sender's, else the worst of its builds' (G-EV-05).
pub(super) fn result_of(buildset: &Buildset, builds: impl IntoIterator<Item = Results>) -> Results {
    buildset.results.unwrap_or_else(|| Results::of_buildset(builds))
}

/// Puts a review into its stored form; silent if there is nothing to say.
fn stored(review: Option<Review>, sets: Vec<PatchSet>, version: Option<String>) -> Result<Prepared, Fault> {
    let review = match review {
        Some(review) => StoredReview::new(&review, sets)?,
        None => None,
    };
    match review {
        Some(review) => Ok(Prepared::Message { message: review.to_bytes()?, version }),
        None => Ok(Prepared::Silent(nothing_to_say())),
    }
}

fn nothing_to_say() -> Silence {
    Silence::Mode { seen: "a build that nothing is to be said of".to_owned() }
}
