//! The build before: the choice of the one that counts as that (M-18 to M-20), and its outcome.

use super::body::callback_text;
use super::settings::MailSettings;
use super::{Context, Fault, store_fault};
use campanile_callbacks::{Status, StatusError};
use campanile_config::Reader;
use campanile_model::{Build, Results};

/// Most builds that are looked through.
const MAX_BUILDS_BACK: usize = 500;

/// The rule for the build that counts as the one before, unless a callback says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PreviousBuild {
    /// The builder's finished build with the next lower number.
    Number,
    /// The newest of those with the same branch in every codebase (M-18).
    #[default]
    Branch,
}

impl PreviousBuild {
    /// Reads `previous_build`.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        match reader.text("previous_build").as_deref() {
            Some("number") => Self::Number,
            None | Some("branch") => Self::Branch,
            Some(other) => {
                reader.error(
                    "previous_build",
                    format!("`previous_build` must be `number` or `branch`, not `{other}`"),
                );
                Self::default()
            }
        }
    }

    /// Outcome of the newest earlier build that counts by this rule, and whose outcome does too.
    async fn of(
        self,
        build: &Build,
        status: &dyn Status,
        counts: fn(Results) -> bool,
    ) -> Result<Option<Results>, StatusError> {
        let is_meant = |other: &Build| self == Self::Number || build.is_of_same_branches(other);
        walk_back(build, status, |other| other.results.filter(|results| is_meant(&other) && counts(*results)))
            .await
    }
}

/// Walks through the finished builds of the same builder before this one, newest first, until `visit` has an answer; 500
/// of them at most.
pub(super) async fn walk_back<T>(
    build: &Build,
    status: &dyn Status,
    mut visit: impl FnMut(Build) -> Option<T> + Send,
) -> Result<Option<T>, StatusError> {
    // The answer is near as a rule: the first look is at one build, later ones at more.
    let (mut before, mut page, mut seen) = (build.id(), 1, 0);
    while seen < MAX_BUILDS_BACK {
        let earlier = status.earlier_builds(&before, page).await?;
        let Some(oldest) = earlier.last() else { break };
        before = oldest.id();
        seen += earlier.len();
        page = (page * 10).min(100);
        if let Some(found) = earlier.into_iter().find_map(&mut visit) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Outcome of the build before: by the callback if there is one (M-19, M-20), else by the settings' rule.
pub(super) async fn results(
    settings: &MailSettings,
    build: &Build,
    context: &Context,
) -> Result<Option<Results>, Fault> {
    let status = &context.caller.status;
    if let Some(getter) = &settings.previous_build_getter {
        match getter.previous_build(&context.caller, build).await {
            Ok((None, _)) => return Ok(None),
            Ok((Some(id), _)) => {
                let named = status.build(&id).await.map_err(|error| store_fault(&error))?;
                let finished = named.filter(Build::is_finished).and_then(|build| build.results);
                // One that was lost came to nothing, as with the built-in rule.
                return Ok(finished.filter(|results| *results != Results::Retry));
            }
            Err(fault) => {
                let text = callback_text(settings, "previousBuildGetter", getter.name(), &fault);
                settings.on_callback_error.judge(&text)?;
                tracing::warn!(
                    target = settings.name,
                    build = %build.id(),
                    callback = getter.name(),
                    "mail: the previousBuildGetter failed, the settings' own rule is used: {fault}"
                );
            }
        }
    }
    settings.previous_build.of(build, &**status, |_| true).await.map_err(|error| store_fault(&error))
}

/// Outcome that a build is compared with for what is news (M-52): that of the build before, or, if that one says nothing of
/// the sources, of the last one by the settings' rule that does.
pub(super) async fn compared(
    settings: &MailSettings,
    build: &Build,
    previous: Option<Results>,
    context: &Context,
) -> Result<Option<Results>, Fault> {
    match previous {
        Some(results) if !says_something(results) => {
            let status = &*context.caller.status;
            let found = settings.previous_build.of(build, status, says_something).await;
            found.map_err(|error| store_fault(&error))
        }
        previous => Ok(previous),
    }
}

/// True if a build that ended so says something of its sources.
fn says_something(results: Results) -> bool {
    matches!(results, Results::Success | Results::Warnings | Results::Failure | Results::Exception)
}
