//! GerritStatusPush: reviews of changes in Gerrit. `docs/spec/gerrit.md` gives the rules by number.
//!
//! `decide` tells what is reviewed, `patch_set` which patch set a build was about, `prepare` asks the callback that
//! words it (`defaults` are the built-in reviews), `payload` is the stored form, with the forms that Gerrit takes it
//! in, and `send` hands it over: by `ssh`, with the abilities of the server's `version`, or by `rest`. `verify_status`
//! is a target of its own, for the verify-status plugin.
//!
//! Invariant: a review of a change goes out after all earlier ones of that change.

mod decide;
mod defaults;
mod patch_set;
mod payload;
mod prepare;
mod rest;
mod send;
mod settings;
mod ssh;
#[cfg(test)]
mod tests;
mod verify_status;
mod version;

pub(crate) use verify_status::from_settings as verify_status_from_settings;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Context, Fault, Outcome, Outgoing, Parts, Prepared, Silence, Target, Wanted};
use campanile_config::Reader;
use campanile_model::{Builder, Event};

use payload::StoredReview;
use send::Transport;
use settings::GerritSettings;

/// Makes a target of the n-th `[[gerrit]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let settings = settings::read(reader, index, parts)?;
    let transport = Transport::new(&settings.transport);
    Some(Arc::new(GerritTarget { settings, transport }))
}

/// One `[[gerrit]]` table at work.
struct GerritTarget {
    settings: GerritSettings,
    transport: Transport,
}

#[async_trait]
impl Target for GerritTarget {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn wants(&self, event: &Event) -> Option<Wanted> {
        decide::wants(&self.settings, event)
    }

    fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        self.settings.build_filter.unknown_names(builders)
    }

    fn unwanted(&self, event: &Event) -> String {
        match event {
            Event::BuildStarted { .. } => "there is no `start_cb`".to_owned(),
            Event::BuildFinished { .. } => {
                "there is no `review_cb`: builds are reviewed by buildset, not one by one".to_owned()
            }
            Event::BuildsetComplete { .. } => "there is no `summary_cb`".to_owned(),
            _ => "Gerrit is told of builds and buildsets only".to_owned(),
        }
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        match event {
            Event::BuildStarted { build } => prepare::started(&self.settings, build, context).await,
            Event::BuildFinished { build } => prepare::finished(&self.settings, build, context).await,
            Event::BuildsetComplete { buildset } => {
                prepare::completed(&self.settings, buildset, context).await
            }
            other => Ok(Prepared::Silent(Silence::Mode { seen: format!("the event `{}`", other.name()) })),
        }
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        match StoredReview::from_bytes(outgoing.message) {
            Ok(review) => send::post_all(&self.transport, &self.settings, review, outgoing.now).await,
            Err(fault) => Outcome::Refused(fault),
        }
    }

    async fn probe(&self) -> Result<String, Fault> {
        match &self.transport {
            Transport::Ssh(ssh) => ssh.probe().await,
            Transport::Rest(rest) => rest.probe().await,
        }
    }

    async fn close(&self) {
        if let Transport::Ssh(ssh) = &self.transport {
            ssh.close().await;
        }
    }
}
