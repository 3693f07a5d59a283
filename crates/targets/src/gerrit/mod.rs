//! GerritStatusPush: reviews of changes in Gerrit. `docs/spec/gerrit.md` gives the rules by number.
//!
//! `find` tells which patch set a build was about, `prepare` whose words are said of it (`defaults` are the built-in
//! ones), `review` is what is kept and the forms that Gerrit takes it in, `posting` hands it over: `by_ssh` on the one
//! kept connection of `ssh`, with what `version` tells, or `by_rest`. `verify` is a target of its own, for the
//! verify-status plugin.
//!
//! Invariant: a review of a change goes out after all earlier ones of that change.

mod by_rest;
mod by_ssh;
mod defaults;
mod find;
mod posting;
mod prepare;
mod review;
mod settings;
mod ssh;
#[cfg(test)]
mod tests;
mod verify;
mod version;

pub use verify::from_settings as verify_status_from_settings;

use std::sync::Arc;

use async_trait::async_trait;

use super::build_filter::unknown_builders;
use super::{Context, Fault, Outcome, Outgoing, Parts, Prepared, Silence, Target, Wanted};
use campanile_config::Reader;
use campanile_model::{Builder, Event};

use posting::Way;
use review::StoredReview;
use settings::GerritSettings;

/// Makes a target from the n-th `[[gerrit]]` table.
pub fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let settings = settings::read(reader, index, parts)?;
    let way = Way::new(&settings.door);
    Some(Arc::new(GerritTarget { settings, way }))
}

/// One `[[gerrit]]` table at work.
struct GerritTarget {
    settings: GerritSettings,
    way: Way,
}

/// Which change a buildset is about is known only with its builds, so that summaries keep the whole target in order: a
/// vote that overtakes a newer one could let something broken in.
fn all_in_order() -> Wanted {
    Wanted::in_order("")
}

#[async_trait]
impl Target for GerritTarget {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn wants(&self, event: &Event) -> Option<Wanted> {
        let settings = &self.settings;
        let build = match event {
            Event::BuildStarted { build } if settings.start.is_some() => build,
            Event::BuildFinished { build } if settings.review.are_there() => build,
            Event::BuildsetComplete { .. } if settings.summary.are_there() => return Some(all_in_order()),
            _ => return None,
        };
        if settings.summary.are_there() {
            return Some(all_in_order());
        }
        let change = find::change_of(&build.properties, &build.source_stamps);
        let key =
            change.map_or(format!("{}/{}", build.builder, build.number), |change| format!("change {change}"));
        Some(Wanted::in_order(key))
    }

    fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        unknown_builders(self.settings.builders.as_ref(), builders)
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
                prepare::summed_up(&self.settings, buildset, context).await
            }
            other => Ok(Prepared::Silent(Silence::Mode { seen: format!("the event `{}`", other.name()) })),
        }
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        match StoredReview::from_bytes(outgoing.message) {
            Ok(review) => posting::post_all(&self.way, &self.settings, review, outgoing.now).await,
            Err(fault) => Outcome::Refused(fault),
        }
    }

    async fn probe(&self) -> Result<String, Fault> {
        match &self.way {
            Way::Ssh(ssh) => ssh.probe().await,
            Way::Rest(rest) => rest.probe().await,
        }
    }

    async fn close(&self) {
        if let Way::Ssh(ssh) = &self.way {
            ssh.close().await;
        }
    }
}
