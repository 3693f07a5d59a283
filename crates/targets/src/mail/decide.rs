//! The decision whether a build is told of: filter, outcome, previous build, mode (section 2 of the rules).

use super::settings::MailSettings;
use super::{Context, Fault, Silence, mode, previous_build};
use crate::Decision;
use campanile_callbacks::Modes;
use campanile_model::{Build, Results};

/// A build that is told of.
#[derive(Clone, Debug)]
pub(super) struct MailedBuild<'a> {
    pub(super) build: &'a Build,
    pub(super) results: Results,
    /// Outcome of the build before, if the modes ask for it and there is one.
    pub(super) previous: Option<Results>,
    /// Outcome that it is compared with for what is news.
    pub(super) compared: Option<Results>,
}

/// Decides on a finished build. The one part that isn't pure: the build before is looked for only once all else has
/// been let through, since that reads the store and may call a callback.
pub(super) async fn decide<'a>(
    settings: &MailSettings,
    build: &'a Build,
    context: &Context,
) -> Result<Decision<MailedBuild<'a>>, Fault> {
    let results = match admit(settings, build) {
        Ok(results) => results,
        Err(silence) => return Ok(Decision::Silent(silence)),
    };
    let previous = if mode::needs_previous(settings.modes) {
        previous_build::results(settings, build, context).await?
    } else {
        None
    };
    Ok(match compare(settings.modes, results, previous) {
        Ok(()) => {
            let compared = previous_build::compared(settings, build, previous, context).await?;
            Decision::Send(MailedBuild { build, results, previous, compared })
        }
        Err(silence) => Decision::Silent(silence),
    })
}

/// Lets a build through that the filter wants and that has an outcome, which it returns.
fn admit(settings: &MailSettings, build: &Build) -> Result<Results, Silence> {
    if let Some(silence) = settings.build_filter.refuses(build) {
        return Err(silence);
    }
    match build.results {
        Some(Results::Retry) => Err(Silence::Retry),
        Some(results) => Ok(results),
        None => Err(Silence::Mode { seen: "a build without a result".to_owned() }),
    }
}

/// Lets outcomes through that one of the modes asks for.
fn compare(modes: Modes, results: Results, previous: Option<Results>) -> Result<(), Silence> {
    if mode::asks(modes, results, previous) {
        return Ok(());
    }
    let seen = match previous {
        Some(previous) => format!("{results} after {previous}"),
        None if mode::needs_previous(modes) => format!("{results} with no build before"),
        None => results.to_string(),
    };
    Err(Silence::Mode { seen })
}
