//! What an event comes to as a review: whose words, of which patch sets (G-EV).

use super::defaults::{self, infos};
use super::find::{PatchSet, Unaddressed, patch_sets};
use super::review::StoredReview;
use super::settings::{GerritSettings, Words};
use campanile_callbacks::{CallCost, CallbackError, Review};
use campanile_model::{Build, Buildset, Results};

/// Of a build that has begun (G-EV-01).
pub(super) async fn started(
    settings: &GerritSettings,
    build: &Build,
    context: &Context,
) -> Result<Prepared, Fault> {
    let sets = match addressed(settings, build) {
        Ok(sets) => sets,
        Err(silence) => return Ok(Prepared::Silent(silence)),
    };
    let Some(callback) = &settings.start else { return Ok(Prepared::Silent(nothing_to_say())) };
    let arg = settings.start_arg.as_ref();
    let said = callback.announce_start(&context.caller, &build.builder, build, arg).await;
    let said =
        said.map(|(message, report)| (message.map(|message| Review { message, labels: Vec::new() }), report));
    match asked(settings, "start_cb", callback.name(), said)? {
        Some((review, version)) => stored(review, sets, Some(version)),
        // A start is no news worth a built-in text.
        None => Ok(Prepared::Silent(nothing_to_say())),
    }
}

/// Of a build that has ended (G-EV-01).
pub(super) async fn finished(
    settings: &GerritSettings,
    build: &Build,
    context: &Context,
) -> Result<Prepared, Fault> {
    let sets = match addressed(settings, build) {
        Ok(sets) => sets,
        Err(silence) => return Ok(Prepared::Silent(silence)),
    };
    let Some(results) = build.results else { return Ok(Prepared::Silent(nothing_to_say())) };
    let own = || defaults::review(&build.builder, results, settings.warnings_pass);
    let Words::Callback(callback) = &settings.review else { return stored(own(), sets, None) };
    let arg = settings.review_arg.as_ref();
    let said = callback.review_build(&context.caller, &build.builder, build, results, arg).await;
    match asked(settings, "review_cb", callback.name(), said)? {
        Some((review, version)) => stored(review, sets, Some(version)),
        None => stored(own(), sets, None),
    }
}

/// Of a complete buildset (G-EV-02 to G-EV-06): addressed like the first of its builds that can be.
pub(super) async fn summed_up(
    settings: &GerritSettings,
    buildset: &Buildset,
    context: &Context,
) -> Result<Prepared, Fault> {
    let status = &context.caller.status;
    let builds = status.builds_of_buildset(buildset.bsid).await;
    let mut builds = builds.map_err(|error| Fault::transient(FaultCode::Store, error.to_string()))?;
    let all = Results::of_buildset(builds.iter().filter_map(|build| build.results));
    builds.retain(|build| is_reported(settings, build));
    let mut sets = Vec::new();
    let mut why_not = Vec::new();
    for build in &builds {
        match patch_sets(build) {
            Ok(found) if sets.is_empty() => sets = found,
            Ok(_) => {}
            Err(Unaddressed(why)) => why_not.push(format!("{}: {why}", build.id())),
        }
    }
    let infos = infos(&builds, &**status);
    if sets.is_empty() || infos.is_empty() {
        return Ok(Prepared::Silent(Silence::WholeBuildset { of_each: why_not }));
    }
    let own = || Some(defaults::summary(&infos, settings.warnings_pass));
    let Words::Callback(callback) = &settings.summary else { return stored(own(), sets, None) };
    let results = buildset.results.unwrap_or(all);
    let arg = settings.summary_arg.as_ref();
    let said = callback.summarize(&context.caller, &infos, results, arg).await;
    match asked(settings, "summary_cb", callback.name(), said)? {
        Some((review, version)) => stored(review, sets, Some(version)),
        None => stored(own(), sets, None),
    }
}

/// What a callback said, with its version; none where the built-in words are to stand for a failed one.
fn asked(
    settings: &GerritSettings,
    key: &str,
    name: &str,
    said: Result<(Option<Review>, CallCost), CallbackError>,
) -> Result<Option<(Option<Review>, String)>, Fault> {
    match said {
        Ok((review, report)) => Ok(Some((review, report.version))),
        Err(fault) => {
            let text =
                format!("gerrit target `{}`: `{key}`, the callback `{name}`, failed: {fault}", settings.name);
            tracing::warn!("{text}");
            settings.on_callback_error.judge(text)?;
            Ok(None)
        }
    }
}

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

fn addressed(settings: &GerritSettings, build: &Build) -> Result<Vec<PatchSet>, Silence> {
    if !is_reported(settings, build) {
        return Err(Silence::Builders);
    }
    patch_sets(build).map_err(|Unaddressed(why)| Silence::Unaddressed { why })
}

/// G-CFG-12.
fn is_reported(settings: &GerritSettings, build: &Build) -> bool {
    settings.builders.as_ref().is_none_or(|builders| builders.contains(&build.builder))
}
