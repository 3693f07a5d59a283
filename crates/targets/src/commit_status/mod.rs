//! Statuses of commits at forges, and comments on pull requests. `docs/spec/github.md` gives the rules by number.
//!
//! A file a forge: `github`, `gitlab`, `bitbucket_cloud`, `bitbucket_server`, `gitea`, and `github_comment` and
//! `bitbucket_server_comment` beside them; `github_app` gets tokens for an app. `forge` is what they are to the
//! machinery: `settings` reads the keys that all tables have, `lookup` finds out what an event doesn't say, `decide`
//! makes statuses of it, of the commits that `commit_ref` finds, with the names of `states` and the texts of
//! `description`; `payload` is their stored form, and `send` hands it over.
//!
//! Invariant: statuses of one builder go out in the order of its events, and a pending one that a later one follows is
//! not sent.

pub(crate) mod bitbucket_cloud;
pub(crate) mod bitbucket_server;
pub(crate) mod bitbucket_server_comment;
mod commit_ref;
mod decide;
mod description;
mod forge;
pub(crate) mod gitea;
pub(crate) mod github;
mod github_app;
pub(crate) mod github_comment;
pub(crate) mod gitlab;
mod lookup;
mod payload;
mod send;
mod settings;
mod states;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::http::RateLimitWarning;
use crate::{Context, Decision, Fault, Outcome, Outgoing, Parts, Prepared, Target, Wanted};
use campanile_config::Reader;
use campanile_model::{Builder, Event};

use forge::Forge;
use settings::Shared;

/// The most requests at once (GS-API-09).
const MAX_CONCURRENT: usize = 5;
/// The most statuses of a builder that are looked at together, to leave out those that others replace.
const MAX_BATCH: u32 = 50;

/// One table at work.
struct StatusTarget<F> {
    shared: Shared,
    forge: F,
    /// One permit for each request that may be under way.
    slots: Semaphore,
    rate_limit: RateLimitWarning,
}

/// Makes a target of the n-th table of a forge.
fn target<F: Forge>(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let (shared, forge) = (settings::read::<F>(reader, index, parts), F::read(reader));
    let (shared, forge) = (shared?, forge?);
    Some(Arc::new(StatusTarget {
        shared,
        forge,
        slots: Semaphore::new(MAX_CONCURRENT),
        rate_limit: RateLimitWarning::default(),
    }))
}

#[async_trait]
impl<F: Forge> Target for StatusTarget<F> {
    fn name(&self) -> &str {
        &self.shared.name
    }

    /// A state must not wait for the push of its commit: the forge has that.
    fn tells_changes(&self) -> bool {
        false
    }

    /// Keeps the order of the builder: the commit that a build is about is known only when it is prepared, and a
    /// builder's order is at least as strict as that of its commits.
    fn wants(&self, event: &Event) -> Option<Wanted> {
        let builder = match event {
            Event::BuildStarted { build } if self.shared.start_description.is_some() => &build.builder,
            Event::BuildFinished { build } => &build.builder,
            Event::RequestSubmitted { request } | Event::RequestCancelled { request }
                if self.shared.requests.is_some() =>
            {
                &request.builder
            }
            _ => return None,
        };
        Some(Wanted::in_order(&**builder))
    }

    fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        self.shared.build_filter.unknown_names(builders)
    }

    fn unwanted(&self, event: &Event) -> String {
        match event {
            Event::BuildStarted { .. } => "there is no `start_description`".to_owned(),
            Event::RequestSubmitted { .. } | Event::RequestCancelled { .. }
                if F::DEFAULTS.requests.is_some() =>
            {
                format!("{} is not told of requests: set `requests` for that", F::TITLE)
            }
            _ => format!("{} is told of builds that begin and end only", F::TITLE),
        }
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        let decision = match lookup::news(event, context).await? {
            Decision::Send(news) => decide::decide(&self.forge, &self.shared, news)?,
            Decision::Silent(silence) => Decision::Silent(silence),
        };
        match decision {
            Decision::Send(statuses) => {
                Ok(Prepared::Message { message: payload::to_bytes(&statuses)?, version: None })
            }
            Decision::Silent(silence) => Ok(Prepared::Silent(silence)),
        }
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        self.send_one(outgoing).await
    }

    fn max_batch(&self) -> u32 {
        MAX_BATCH
    }

    async fn send_batch(&self, batch: &[Outgoing<'_>]) -> Vec<Outcome> {
        self.send_in_order(batch).await
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.probe_forge().await
    }
}
