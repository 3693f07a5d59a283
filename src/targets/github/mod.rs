//! GitHubStatus: marks commits as pending, good or bad. `docs/spec/github.md` gives the rules by number.
//!
//! `settings` reads the table, `status` is what is kept and sent; this file decides and sends.
//!
//! Invariant: statuses of one builder go out in the order of its events, and a pending one that a later one follows is
//! not sent.

mod settings;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::answer::{outcome, unanswered};
use super::{Context, Fault, FaultCode, Outcome, Outgoing, Parts, Prepared, Silence, Target, Wanted};
use crate::config::Reader;
use crate::interpolate::{RenderError, Scope, Text};
use crate::model::{Build, Builder, Event, tags_match};
use crate::outbound::Request;

use settings::{GithubSettings, Repository};
use status::{State, StoredStatus, cut, local, spoken};

/// So many requests at once (GS-API-09).
const AT_ONCE: usize = 5;
/// So many statuses of a builder are looked at together, to leave out those that others replace.
const RUN: u32 = 50;

/// Makes a target from the n-th `[[github]]` table.
pub fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let settings = settings::read(reader, index, parts)?;
    Some(Arc::new(GithubTarget { settings, turns: Semaphore::new(AT_ONCE) }))
}

/// One `[[github]]` table at work.
struct GithubTarget {
    settings: GithubSettings,
    turns: Semaphore,
}

impl GithubTarget {
    /// The status of a build, or why it gets none (GS-SKIP).
    fn status(&self, build: &Build, context: &Context) -> Result<Result<StoredStatus, Silence>, RenderError> {
        let settings = &self.settings;
        let properties = build.all_properties();
        let mut scope = Scope::new(&properties, &build.source_stamps);
        let render = |text: &Text| text.render(&scope).map(|text| text.trim().to_owned());
        let (owner, name) = match &settings.repository {
            Repository::OwnerAndName(owner, name) => (render(owner)?, render(name)?),
            Repository::Both(both) => match render(both)?.split('/').collect::<Vec<_>>().as_slice() {
                [owner, name] => ((*owner).to_owned(), (*name).to_owned()),
                _ => Default::default(),
            },
        };
        let why = |text: &str| Ok(Err(Silence::Unaddressed { why: text.to_owned() }));
        if owner.is_empty() || name.is_empty() {
            return why("its repository is not known: `repo` must come to `owner/name`");
        }
        let sha = render(&settings.sha)?;
        if sha.is_empty() {
            return why("GitHubStatus: No revision found.");
        }
        let state = match build.results {
            Some(_) => settings.mapping.state(build.results),
            None => State::Pending,
        };
        let target_url = build.url.clone().or_else(|| context.caller.status.url_for(&build.id()));
        let status_context = render(&settings.context)?;
        let offered = offered(build, state, [&owner, &name, &sha], target_url.as_deref());
        scope.keywords = Some(&offered);
        let description =
            if build.results.is_some() { &settings.end_description } else { &settings.start_description };
        let description = cut(&description.render(&scope)?);
        let context = status_context;
        Ok(Ok(StoredStatus { owner, name, sha, state, context, description, target_url }))
    }

    /// GS-API-01 to GS-API-07.
    async fn post(&self, status: &StoredStatus, outgoing: Outgoing<'_>) -> Outcome {
        let settings = &self.settings;
        let mut url = settings.base_url.clone();
        let path = ["repos", &status.owner, &status.name, "statuses", &status.sha];
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let request = Request::post(url, "application/json", status.body().to_string())
            .header(ACCEPT, "application/vnd.github+json")
            .and_then(|request| request.secret_header(AUTHORIZATION, "token ", &settings.token));
        let sent = match request {
            Ok(request) => {
                let _turn = self.turns.acquire().await;
                settings.client.send(request).await
            }
            Err(error) => Err(error),
        };
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Outcome::Deferred { fault: unanswered(&error), not_before: None },
        };
        let StoredStatus { owner, name, sha, state, .. } = status;
        let state = state.name();
        match outcome(&response, outgoing.now) {
            Outcome::Delivered(_) => {
                Outcome::Delivered(format!("Status \"{state}\" sent for {owner}/{name} at {sha}."))
            }
            Outcome::Refused(fault) => {
                let hint = match response.status.as_u16() {
                    401 | 404 => "; token lacks repo:status or wrong owner/name",
                    _ => "",
                };
                let text = format!(
                    "Fail to send status \"{state}\" for {owner}/{name} at {sha}. {}{hint}",
                    fault.text
                );
                Outcome::Refused(Fault { text, ..fault })
            }
            other => other,
        }
    }
}

/// What descriptions may use beside properties (GS-DESC-02, GS-DESC-03).
fn offered(
    build: &Build,
    state: State,
    [owner, name, sha]: [&str; 3],
    url: Option<&str>,
) -> BTreeMap<String, Value> {
    let running = || "In progress".to_owned();
    let ended = build.finished.filter(|_| build.results.is_some());
    let values: [(&str, Value); 10] = [
        ("state", state.name().into()),
        ("builderName", build.builder.as_str().into()),
        ("buildNumber", build.number.into()),
        ("startDateTime", local(build.started).into()),
        ("endDateTime", ended.map_or_else(running, local).into()),
        ("duration", ended.map_or_else(running, |at| spoken(at.since(build.started))).into()),
        ("repoOwner", owner.into()),
        ("repoName", name.into()),
        ("sha", sha.into()),
        ("targetURL", url.into()),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[async_trait]
impl Target for GithubTarget {
    fn name(&self) -> &str {
        &self.settings.name
    }

    /// In the order of the builder: what a build is of is known only when it is prepared.
    fn wants(&self, event: &Event) -> Option<Wanted> {
        let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else { return None };
        Some(Wanted::in_order(&*build.builder))
    }

    fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        let named = self.settings.builders.iter().flatten();
        let unknown = named.filter(|name| !builders.iter().any(|builder| builder.name == **name));
        unknown.map(|name| format!("no builder is known that is called `{name}`")).collect()
    }

    fn unwanted(&self, _: &Event) -> String {
        "GitHub is told of builds that begin and end only".to_owned()
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else {
            return Ok(Prepared::Silent(Silence::Mode { seen: format!("the event `{}`", event.name()) }));
        };
        if self.settings.builders.as_ref().is_some_and(|builders| !builders.contains(&build.builder)) {
            return Ok(Prepared::Silent(Silence::Builders));
        }
        if !tags_match(&build.tags, &self.settings.tags) {
            return Ok(Prepared::Silent(Silence::Tags));
        }
        match self.status(build, context) {
            Ok(Ok(status)) => Ok(Prepared::Message { message: status.to_bytes()?, version: None }),
            Ok(Err(silence)) => Ok(Prepared::Silent(silence)),
            Err(error) => {
                let which = if build.results.is_some() { "finish" } else { "start" };
                let builder = &build.builder;
                let text = format!("While sending {which} status to GitHub for {builder}. {error}");
                Err(Fault::lasting(FaultCode::Content, text))
            }
        }
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        match StoredStatus::from_bytes(outgoing.message) {
            Ok(status) => self.post(&status, outgoing).await,
            Err(fault) => Outcome::Refused(fault),
        }
    }

    fn run_length(&self) -> u32 {
        RUN
    }

    /// GS-API-08: in their order, without the pending ones that a later one replaces.
    async fn send_run(&self, run: &[Outgoing<'_>]) -> Vec<Outcome> {
        let read: Vec<_> = run.iter().map(|outgoing| StoredStatus::from_bytes(outgoing.message)).collect();
        let mut outcomes = Vec::with_capacity(run.len());
        for (place, (status, outgoing)) in read.iter().zip(run).enumerate() {
            let later = read.get(place + 1..).unwrap_or_default();
            let outcome = match status {
                Err(fault) => Outcome::Refused(fault.clone()),
                Ok(status) if later.iter().flatten().any(|later| status.is_replaced_by(later)) => {
                    Outcome::Silent(Silence::Overtaken)
                }
                Ok(status) => self.post(status, *outgoing).await,
            };
            let is_over = matches!(outcome, Outcome::Deferred { .. });
            outcomes.push(outcome);
            if is_over {
                break;
            }
        }
        outcomes
    }

    async fn probe(&self) -> Result<String, Fault> {
        let settings = &self.settings;
        let url = settings
            .base_url
            .join("rate_limit")
            .map_err(|error| Fault::lasting(FaultCode::Rejected, format!("`base_url`: {error}")))?;
        let request = Request::get(url)
            .header(ACCEPT, "application/vnd.github+json")
            .and_then(|request| request.secret_header(AUTHORIZATION, "token ", &settings.token));
        let sent = match request {
            Ok(request) => settings.client.send(request).await,
            Err(error) => Err(error),
        };
        let response = sent.map_err(|error| unanswered(&error))?;
        match outcome(&response, crate::model::Timestamp::default()) {
            Outcome::Delivered(_) => Ok(format!("{} takes the token", response.origin)),
            Outcome::Refused(fault) | Outcome::Deferred { fault, .. } => Err(fault),
            other => Err(Fault::passing(FaultCode::Rejected, format!("{other:?}"))),
        }
    }
}
