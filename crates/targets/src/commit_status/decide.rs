//! Decides what an event comes to as statuses: of which commits, in which state, in whose words (GS-EV, GS-SKIP).
//!
//! Pure but for the log: everything that it goes by is in the [`News`] and the settings.

use std::collections::BTreeMap;

use serde_json::Value;

use super::commit_ref::{self, CommitRef, StampRules};
use super::description::{distinct, duration_text, local_time, truncated};
use super::forge::{About, Forge, Occasion};
use super::payload::StoredStatus;
use super::settings::{Addressing, Repository, Shared};
use crate::{Decision, Fault, FaultCode, Silence};
use campanile_model::interpolate::{RenderError, Scope, Text};
use campanile_model::{Build, SourceStamp, body_text, line_text};

/// An event that forges may be told of, with all that is to be known of it.
pub(super) struct News {
    pub(super) occasion: Occasion,
    /// The build, or the one that is asked for.
    pub(super) build: Build,
    /// The page of the build, or of the request.
    pub(super) url: Option<String>,
    /// The CI's front page.
    pub(super) front_page: Option<String>,
}

/// Decides on the statuses of an event.
///
/// # Errors
/// A permanent fault when a template can't be rendered (GS-SKIP-03).
pub(super) fn decide<F: Forge>(
    forge: &F,
    shared: &Shared,
    news: News,
) -> Result<Decision<Vec<StoredStatus>>, Fault> {
    let News { occasion, build, url, front_page } = news;
    if let Some(silence) = shared.build_filter.refuses(&build) {
        return Ok(Decision::Silent(silence));
    }
    let url = url.or_else(|| front_page.filter(|_| F::DEFAULTS.needs_url));
    statuses(forge, shared, (occasion, &build, url)).map_err(|error| {
        let which = match occasion {
            Occasion::Requested => "pending",
            Occasion::Cancelled => "cancelled",
            Occasion::Started => "start",
            Occasion::Finished(_) => "finish",
        };
        let text = format!("While sending {which} status to {} for {}. {error}", F::TITLE, build.builder);
        Fault::permanent(FaultCode::Content, text)
    })
}

/// Makes a status for each commit.
fn statuses<F: Forge>(
    forge: &F,
    shared: &Shared,
    (occasion, build, url): (Occasion, &Build, Option<String>),
) -> Result<Decision<Vec<StoredStatus>>, RenderError> {
    if F::DEFAULTS.needs_url && url.is_none() {
        let why = format!(
            "{} takes no status without a link, and nothing says where the build's page is: tell of the build's `url`, or \
             say in `[server] url_style` how the CI's pages are addressed",
            F::TITLE
        );
        return Ok(Decision::Silent(Silence::Unaddressed { why }));
    }
    let is_build = matches!(occasion, Occasion::Started | Occasion::Finished(_));
    let properties = if is_build { build.all_properties() } else { build.properties_before_start() };
    let stamps = &build.source_stamps;
    let about = About {
        occasion,
        builder: &build.builder,
        build: is_build.then_some(build),
        properties: &properties,
        stamps,
    };
    let scope = Scope::new(&properties, stamps);
    let status_context = distinct(line_text(&shared.context.render(&scope)?).trim());
    let (commits, mut skipped) = match &shared.addressing {
        Addressing::EachStamp => {
            let hosts = shared.hosts.as_deref();
            let wanted = StampRules {
                project_first: F::DEFAULTS.project_first,
                needs_repository: forge.needs_repository(),
                hosts,
            };
            commit_ref::of_stamps(&about, &status_context, wanted)
        }
        Addressing::Own => (forge.own_commits(&about), Vec::new()),
        Addressing::Templates { repository, sha } => {
            match by_templates::<F>(&about, &scope, (repository, sha.as_ref()), shared.hosts.as_deref())? {
                Decision::Send(commit) => (vec![commit], Vec::new()),
                Decision::Silent(why) => return Ok(Decision::Silent(Silence::Unaddressed { why })),
            }
        }
    };
    let state = match occasion {
        Occasion::Requested => F::STATE_NAMES.requested,
        Occasion::Started => F::STATE_NAMES.running,
        Occasion::Cancelled => shared.mapping.state(Some(campanile_model::Results::Cancelled)),
        Occasion::Finished(results) => shared.mapping.state(results),
    };
    let description = match (occasion, &shared.requests, &shared.start_description) {
        (Occasion::Requested, Some(texts), _) => &texts.pending,
        (Occasion::Cancelled, Some(texts), _) => &texts.cancelled,
        (Occasion::Started, _, Some(text)) => text,
        _ => &shared.end_description,
    };
    let mut statuses = Vec::with_capacity(commits.len());
    for commit in commits {
        let keywords = keywords(&about, build, state, &commit, url.as_deref());
        let scope = Scope { keywords: Some(&keywords), ..Scope::new(&properties, stamps) };
        let is_comment = F::STATE_NAMES.states.is_empty();
        let rendered = description.render(&scope)?;
        let fit = if is_comment { body_text(&rendered) } else { line_text(&rendered) };
        let description = truncated(&fit, F::DEFAULTS.max_description);
        if is_comment && description.trim().is_empty() {
            // A comment that says nothing is none.
            let seen = "a build of which nothing is to be said".to_owned();
            return Ok(Decision::Silent(Silence::Mode { seen }));
        }
        match forge.details(&about, &commit, &scope)? {
            Decision::Send(details) => statuses.push(StoredStatus {
                owner: commit.owner,
                name: commit.name,
                sha: commit.sha,
                state: state.to_owned(),
                context: status_context.clone(),
                description,
                target_url: url.clone(),
                details,
            }),
            Decision::Silent(why) => skipped.push(why),
        }
    }
    for line in &skipped {
        tracing::info!(target = shared.name, builder = build.builder, "{line}");
    }
    if statuses.is_empty() {
        let why = if skipped.is_empty() { "it has no source stamps".to_owned() } else { skipped.join(" ") };
        return Ok(Decision::Silent(Silence::Unaddressed { why }));
    }
    Ok(Decision::Send(statuses))
}

/// Finds the commit that templates name (GS-CFG-14, GS-SKIP-01, GS-SKIP-02); or says why there is none.
fn by_templates<F: Forge>(
    about: &About<'_>,
    scope: &Scope<'_>,
    (repository, sha): (&Repository, Option<&Text>),
    hosts: Option<&[String]>,
) -> Result<Decision<CommitRef, String>, RenderError> {
    let render = |text: &Text| text.render(scope).map(|text| text.trim().to_owned());
    let (owner, name) = match repository {
        Repository::OwnerAndName(owner, name) => (render(owner)?, render(name)?),
        Repository::Both(both) | Repository::OfStamp(both) => {
            match render(both)?.split('/').collect::<Vec<_>>().as_slice() {
                [owner, name] => ((*owner).to_owned(), (*name).to_owned()),
                _ => Default::default(),
            }
        }
    };
    let main = about.stamps.iter().find(|stamp| stamp.codebase.is_empty());
    let stamp: Option<&SourceStamp> = main.or(match about.stamps {
        [only] => Some(only),
        _ => None,
    });
    // A hook leaves the project blank by default, and then the address says the same.
    let by_address = || match (repository, stamp) {
        (Repository::OfStamp(_), Some(stamp)) => commit_ref::repository(stamp, true),
        _ => None,
    };
    let (owner, name) =
        if owner.is_empty() || name.is_empty() { by_address().unwrap_or_default() } else { (owner, name) };
    if owner.is_empty() || name.is_empty() {
        let why = "its repository is not known: `repo` must come to `owner/name`";
        return Ok(Decision::Silent(why.to_owned()));
    }
    if let (Some(hosts), Some(stamp)) = (hosts, stamp)
        && !commit_ref::is_at(stamp, hosts)
    {
        return Ok(Decision::Silent("its repository is not at one of the `hosts`".to_owned()));
    }
    let branch = stamp.and_then(|stamp| commit_ref::branch(about.properties, about.stamps, stamp));
    let sha = match sha {
        Some(sha) => render(sha)?,
        None => stamp
            .and_then(|stamp| commit_ref::head(about.properties, stamp, branch.as_deref()))
            .or_else(|| main.and_then(|stamp| stamp.revision.clone()))
            .unwrap_or_default(),
    };
    if sha.trim().is_empty() {
        let forge = F::TITLE.replace(' ', "");
        return Ok(Decision::Silent(format!("{forge}Status: No revision found.")));
    }
    let issue = branch.as_deref().and_then(commit_ref::issue).map(str::to_owned);
    Ok(Decision::Send(CommitRef { owner, name, sha: sha.trim().to_owned(), branch, issue }))
}

/// Gives the keywords that descriptions may use beside properties (GS-DESC-02, GS-DESC-03).
fn keywords(
    about: &About<'_>,
    build: &Build,
    state: &str,
    commit: &CommitRef,
    url: Option<&str>,
) -> BTreeMap<String, Value> {
    let running = || "In progress".to_owned();
    let ended = build.finished.filter(|_| matches!(about.occasion, Occasion::Finished(_)));
    // Of a start that nobody told there is nothing to say: the placeholders stay blank (GS-DESC-05).
    let duration = match ended {
        Some(at) => build.started.map(|started| duration_text(at.since(started))),
        None => Some(running()),
    };
    let values: [(&str, Value); 10] = [
        ("state", state.into()),
        ("builderName", build.builder.as_str().into()),
        ("buildNumber", about.build.map(|build| build.number).into()),
        ("startDateTime", build.started.map(local_time).into()),
        ("endDateTime", ended.map_or_else(running, local_time).into()),
        ("duration", duration.into()),
        ("repoOwner", commit.owner.as_str().into()),
        ("repoName", commit.name.as_str().into()),
        ("sha", commit.sha.as_str().into()),
        ("targetURL", url.into()),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
