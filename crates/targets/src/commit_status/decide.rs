//! What an event comes to as statuses: of which commits, in which state, in whose words (GS-EV, GS-SKIP).

use std::collections::BTreeMap;

use serde_json::Value;

use super::forge::{About, Forge, Occasion};
use super::place::{self, Place};
use super::settings::{Addressing, Repository, Shared};
use super::status::{StoredStatus, cut, local, spoken};
use crate::payload;
use crate::{Context, Fault, FaultCode, Prepared, Silence};
use campanile_model::interpolate::{RenderError, Scope, Text};
use campanile_model::{Build, BuildRequest, Event, Properties, SourceStamp};

/// The statuses of an event, or why there are none.
pub(super) async fn prepare<F: Forge>(
    forge: &F,
    shared: &Shared,
    event: &Event,
    context: &Context,
) -> Result<Prepared, Fault> {
    let status = &context.caller.status;
    let build_url = |build: &Build| build.url.clone().or_else(|| status.url_for(&build.id()));
    let (occasion, build, url) = match event {
        Event::BuildStarted { build } => (Occasion::Started, (**build).clone(), build_url(build)),
        Event::BuildFinished { build } => {
            (Occasion::Finished(build.results), (**build).clone(), build_url(build))
        }
        Event::RequestSubmitted { request } | Event::RequestCancelled { request } => {
            let is_new = matches!(event, Event::RequestSubmitted { .. });
            let occasion = if is_new { Occasion::Requested } else { Occasion::Cancelled };
            let Some(build) = requested(request, context).await? else {
                let why = format!("buildset {} of the request is not known", request.bsid);
                return Ok(Prepared::Silent(Silence::Unaddressed { why }));
            };
            (occasion, build, status.url_for_request(request.brid))
        }
        other => {
            return Ok(Prepared::Silent(Silence::Mode { seen: format!("the event `{}`", other.name()) }));
        }
    };
    if let Some(silence) = shared.chosen.refuses(&build) {
        return Ok(Prepared::Silent(silence));
    }
    let url = url.or_else(|| status.url().filter(|_| F::USUAL.needs_url).map(str::to_owned));
    match statuses(forge, shared, (occasion, &build, url)) {
        Ok(Ok(statuses)) => {
            Ok(Prepared::Message { message: payload::to_bytes("the status", &statuses)?, version: None })
        }
        Ok(Err(silence)) => Ok(Prepared::Silent(silence)),
        Err(error) => {
            let which = match occasion {
                Occasion::Requested => "pending",
                Occasion::Cancelled => "cancelled",
                Occasion::Started => "start",
                Occasion::Finished(_) => "finish",
            };
            let text = format!("While sending {which} status to {} for {}. {error}", F::TITLE, build.builder);
            Err(Fault::permanent(FaultCode::Content, text))
        }
    }
}

/// The build that was asked for, as far as its buildset tells of it; none if that is not known.
async fn requested(request: &BuildRequest, context: &Context) -> Result<Option<Build>, Fault> {
    let status = &context.caller.status;
    let store =
        |error: campanile_callbacks::StatusError| Fault::transient(FaultCode::Store, error.to_string());
    let Some(buildset) = status.buildset(request.bsid).await.map_err(store)? else { return Ok(None) };
    let builders = status.builders().await.map_err(store)?;
    let builder = builders.into_iter().find(|builder| builder.name == request.builder);
    Ok(Some(Build {
        tags: builder.map(|builder| builder.tags).unwrap_or_default(),
        started: request.submitted_at,
        properties: buildset.properties,
        source_stamps: buildset.source_stamps,
        ..Build::new(request.builder.as_str(), 0)
    }))
}

/// A status for each commit, or why there is none.
fn statuses<F: Forge>(
    forge: &F,
    shared: &Shared,
    (occasion, build, url): (Occasion, &Build, Option<String>),
) -> Result<Result<Vec<StoredStatus>, Silence>, RenderError> {
    let is_build = matches!(occasion, Occasion::Started | Occasion::Finished(_));
    let properties = if is_build { build.all_properties() } else { without_number(build) };
    let stamps = &build.source_stamps;
    let about = About {
        occasion,
        builder: &build.builder,
        build: is_build.then_some(build),
        properties: &properties,
        stamps,
    };
    let scope = Scope::new(&properties, stamps);
    let status_context = shared.context.render(&scope)?.trim().to_owned();
    let (places, mut skipped) = match &shared.addressing {
        Addressing::EachStamp => {
            let hosts = shared.hosts.as_deref();
            place::of_stamps(&about, &status_context, F::USUAL.project_first, hosts)
        }
        Addressing::Own => (forge.own_places(&about), Vec::new()),
        Addressing::Templates { repository, sha } => {
            match by_templates::<F>(&about, &scope, (repository, sha.as_ref()), shared.hosts.as_deref())? {
                Ok(place) => (vec![place], Vec::new()),
                Err(why) => return Ok(Err(Silence::Unaddressed { why })),
            }
        }
    };
    let state = match occasion {
        Occasion::Requested => F::WORDS.requested,
        Occasion::Started => F::WORDS.running,
        Occasion::Cancelled => shared.mapping.state(Some(campanile_model::Results::Cancelled)),
        Occasion::Finished(results) => shared.mapping.state(results),
    };
    let description = match (occasion, &shared.requests, &shared.start_description) {
        (Occasion::Requested, Some(texts), _) => &texts.pending,
        (Occasion::Cancelled, Some(texts), _) => &texts.cancelled,
        (Occasion::Started, _, Some(text)) => text,
        _ => &shared.end_description,
    };
    let mut statuses = Vec::with_capacity(places.len());
    for place in places {
        let offered = offered(&about, build, state, &place, url.as_deref());
        let scope = Scope { keywords: Some(&offered), ..Scope::new(&properties, stamps) };
        let description = cut(&description.render(&scope)?, F::USUAL.longest);
        if F::WORDS.states.is_empty() && description.trim().is_empty() {
            // A comment that says nothing is none.
            return Ok(Err(Silence::Mode { seen: "a build of which nothing is to be said".to_owned() }));
        }
        match forge.details(&about, &place, &scope)? {
            Ok(details) => statuses.push(StoredStatus {
                owner: place.owner,
                name: place.name,
                sha: place.sha,
                state: state.to_owned(),
                context: status_context.clone(),
                description,
                target_url: url.clone(),
                details,
            }),
            Err(why) => skipped.push(why),
        }
    }
    for line in &skipped {
        tracing::info!(target = shared.name, builder = build.builder, "{line}");
    }
    if statuses.is_empty() {
        let why = if skipped.is_empty() { "it has no source stamps".to_owned() } else { skipped.join(" ") };
        return Ok(Err(Silence::Unaddressed { why }));
    }
    Ok(Ok(statuses))
}

/// GS-CFG-14, GS-SKIP-01, GS-SKIP-02; else why not.
fn by_templates<F: Forge>(
    about: &About<'_>,
    scope: &Scope<'_>,
    (repository, sha): (&Repository, Option<&Text>),
    hosts: Option<&[String]>,
) -> Result<Result<Place, String>, RenderError> {
    let render = |text: &Text| text.render(scope).map(|text| text.trim().to_owned());
    let (owner, name) = match repository {
        Repository::OwnerAndName(owner, name) => (render(owner)?, render(name)?),
        Repository::Both(both) => match render(both)?.split('/').collect::<Vec<_>>().as_slice() {
            [owner, name] => ((*owner).to_owned(), (*name).to_owned()),
            _ => Default::default(),
        },
    };
    if owner.is_empty() || name.is_empty() {
        return Ok(Err("its repository is not known: `repo` must come to `owner/name`".to_owned()));
    }
    let main = about.stamps.iter().find(|stamp| stamp.codebase.is_empty());
    let stamp: Option<&SourceStamp> = main.or(match about.stamps {
        [only] => Some(only),
        _ => None,
    });
    if let (Some(hosts), Some(stamp)) = (hosts, stamp)
        && !place::is_at(stamp, hosts)
    {
        return Ok(Err("its repository is not at one of the `hosts`".to_owned()));
    }
    let branch = stamp.and_then(|stamp| place::branch(about.properties, about.stamps, stamp));
    let sha = match sha {
        Some(sha) => render(sha)?,
        None => stamp
            .and_then(|stamp| place::head(about.properties, stamp, branch.as_deref()))
            .or_else(|| main.and_then(|stamp| stamp.revision.clone()))
            .unwrap_or_default(),
    };
    if sha.trim().is_empty() {
        return Ok(Err(format!("{}Status: No revision found.", F::TITLE.replace(' ', ""))));
    }
    let issue = branch.as_deref().and_then(place::issue).map(str::to_owned);
    Ok(Ok(Place { owner, name, sha: sha.trim().to_owned(), branch, issue }))
}

/// What a build that was only asked for has of the properties of all builds.
fn without_number(build: &Build) -> Properties {
    let mut properties = Properties::new();
    for (name, property) in build.all_properties().iter() {
        let is_of_builds = matches!(name, "buildnumber" | "workername" | "slavename");
        if !is_of_builds || build.properties.get(name).is_some() {
            properties.set(name, property.value.clone(), property.source.as_str());
        }
    }
    properties
}

/// What descriptions may use beside properties (GS-DESC-02, GS-DESC-03).
fn offered(
    about: &About<'_>,
    build: &Build,
    state: &str,
    place: &Place,
    url: Option<&str>,
) -> BTreeMap<String, Value> {
    let running = || "In progress".to_owned();
    let ended = build.finished.filter(|_| matches!(about.occasion, Occasion::Finished(_)));
    let values: [(&str, Value); 10] = [
        ("state", state.into()),
        ("builderName", build.builder.as_str().into()),
        ("buildNumber", about.build.map(|build| build.number).into()),
        ("startDateTime", local(build.started).into()),
        ("endDateTime", ended.map_or_else(running, local).into()),
        ("duration", ended.map_or_else(running, |at| spoken(at.since(build.started))).into()),
        ("repoOwner", place.owner.as_str().into()),
        ("repoName", place.name.as_str().into()),
        ("sha", place.sha.as_str().into()),
        ("targetURL", url.into()),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
