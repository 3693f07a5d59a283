//! Statuses of commits at forges, and comments on pull requests. `docs/spec/github.md` gives the rules by number.
//!
//! A file a forge: `github`, `gitlab`, `bitbucket_cloud`, `bitbucket_server`, `gitea`, and `github_comment` and
//! `bitbucket_server_comment` beside them. `forge` is what they are to this machinery: `settings` reads what their
//! tables have in common, `prepare` decides what is told, of the commits that `place` finds, `status` is what is kept,
//! and `posting` hands it over. `credentials` are tokens and passwords; `github_app` gets tokens for an app.
//!
//! Invariant: statuses of one builder go out in the order of its events, and a pending one that a later one follows is
//! not sent.

pub mod bitbucket_cloud;
pub mod bitbucket_server;
pub mod bitbucket_server_comment;
mod credentials;
mod forge;
pub mod gitea;
pub mod github;
mod github_app;
pub mod github_comment;
pub mod gitlab;
mod place;
mod posting;
mod prepare;
mod settings;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::{Context, Fault, Outcome, Outgoing, Parts, Prepared, Silence, Target, Wanted, payload};
use campanile_config::Reader;
use campanile_model::{Builder, Event};

use forge::Forge;
use posting::Allowance;
use settings::Shared;
use status::StoredStatus;

/// So many requests at once (GS-API-09).
const AT_ONCE: usize = 5;
/// So many statuses of a builder are looked at together, to leave out those that others replace.
const RUN: u32 = 50;

/// One table at work.
struct StatusTarget<F> {
    shared: Shared,
    forge: F,
    turns: Semaphore,
    allowance: Allowance,
}

/// Makes a target from the n-th table of a forge.
fn target<F: Forge>(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let (shared, forge) = (settings::read::<F>(reader, index, parts), F::read(reader));
    let (shared, forge) = (shared?, forge?);
    Some(Arc::new(StatusTarget {
        shared,
        forge,
        turns: Semaphore::new(AT_ONCE),
        allowance: Allowance::default(),
    }))
}

#[async_trait]
impl<F: Forge> Target for StatusTarget<F> {
    fn name(&self) -> &str {
        &self.shared.name
    }

    /// In the order of the builder: what a build is of is known only when it is prepared.
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
        self.shared.chosen.unknown_names(builders)
    }

    fn unwanted(&self, event: &Event) -> String {
        match event {
            Event::BuildStarted { .. } => "there is no `start_description`".to_owned(),
            Event::RequestSubmitted { .. } | Event::RequestCancelled { .. }
                if F::USUAL.requests.is_some() =>
            {
                format!("{} is not told of requests: set `requests` for that", F::TITLE)
            }
            _ => format!("{} is told of builds that begin and end only", F::TITLE),
        }
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        prepare::prepare(&self.forge, &self.shared, event, context).await
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        match payload::from_bytes(outgoing.message) {
            Ok(statuses) => self.post_all(statuses, outgoing.now).await,
            Err(fault) => Outcome::Refused(fault),
        }
    }

    fn max_batch(&self) -> u32 {
        RUN
    }

    /// GS-API-08: in their order, without the pending ones that a later one replaces.
    async fn send_batch(&self, run: &[Outgoing<'_>]) -> Vec<Outcome> {
        let read: Vec<Result<Vec<StoredStatus>, Fault>> =
            run.iter().map(|outgoing| payload::from_bytes(outgoing.message)).collect();
        let mut outcomes = Vec::with_capacity(run.len());
        for (place, (statuses, outgoing)) in read.iter().zip(run).enumerate() {
            let outcome = match statuses {
                Err(fault) => Outcome::Refused(fault.clone()),
                Ok(statuses) => {
                    let later = read.get(place + 1..).unwrap_or_default().iter().flatten().flatten();
                    let is_due = |status: &&StoredStatus| {
                        !later.clone().any(|later| status.is_replaced_by(later, &F::WORDS))
                    };
                    let due: Vec<_> = statuses.iter().filter(is_due).cloned().collect();
                    if due.is_empty() {
                        Outcome::Silent(Silence::Overtaken)
                    } else {
                        self.post_all(due, outgoing.now).await
                    }
                }
            };
            let is_over = matches!(outcome, Outcome::Deferred { .. } | Outcome::Remainder { .. });
            outcomes.push(outcome);
            if is_over {
                break;
            }
        }
        outcomes
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.prove().await
    }
}
