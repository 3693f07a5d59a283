//! Whether a build is told of: filter, outcome, previous build, mode (section 2 of the rules).

use super::settings::MailSettings;
use super::{Context, Fault, Silence, mode, previous};
use campanile_model::{Build, Results};

/// A build that is told of.
#[derive(Clone, Debug)]
pub(super) struct BuildFilter<'a> {
    pub(super) build: &'a Build,
    pub(super) results: Results,
    /// What the build before came to, if the modes ask for it and there is one.
    pub(super) previous: Option<Results>,
}

/// A finished build, or why nothing is said about it.
pub(super) async fn choose<'a>(
    settings: &MailSettings,
    build: &'a Build,
    context: &Context,
) -> Result<Result<BuildFilter<'a>, Silence>, Fault> {
    if let Some(silence) = settings.filter.refuses(build) {
        return Ok(Err(silence));
    }
    let results = match build.results {
        Some(Results::Retry) => return Ok(Err(Silence::Retry)),
        Some(results) => results,
        None => return Ok(Err(Silence::Mode { seen: "a build without a result".to_owned() })),
    };
    let previous = if mode::needs_previous(settings.modes) {
        previous::results(settings, build, context).await?
    } else {
        None
    };
    if !mode::asks(settings.modes, results, previous) {
        return Ok(Err(Silence::Mode { seen: seen(settings, results, previous) }));
    }
    Ok(Ok(BuildFilter { build, results, previous }))
}

/// What was looked at, for the record of a silence.
fn seen(settings: &MailSettings, results: Results, previous: Option<Results>) -> String {
    match previous {
        Some(previous) => format!("{results} after {previous}"),
        None if mode::needs_previous(settings.modes) => format!("{results} with no build before"),
        None => results.to_string(),
    }
}
