//! Decides which events are reviewed, of which patch sets, and in which order (G-EV, G-RUN-01). Pure.

use super::patch_set::{PatchSet, Unaddressed, change_of, patch_sets};
use super::settings::GerritSettings;
use crate::{Decision, Silence, Wanted};
use campanile_model::{Build, Event};

/// Keeps the whole target in order.
///
/// The change that a buildset is about is known only with its builds, so that summaries keep the whole target in
/// order: a vote that overtakes a newer one could let something broken in.
fn all_in_order() -> Wanted {
    Wanted::in_order("")
}

/// Tells the order that an event's review must keep; none if there is no review of such events.
pub(super) fn wants(settings: &GerritSettings, event: &Event) -> Option<Wanted> {
    let build = match event {
        Event::BuildStarted { build } if settings.start.is_some() => build,
        Event::BuildFinished { build } if settings.review.is_on() => build,
        Event::BuildsetComplete { .. } if settings.summary.is_on() => return Some(all_in_order()),
        _ => return None,
    };
    if settings.summary.is_on() {
        return Some(all_in_order());
    }
    let change = change_of(&build.properties, &build.source_stamps);
    let key =
        change.map_or(format!("{}/{}", build.builder, build.number), |change| format!("change {change}"));
    Some(Wanted::in_order(key))
}

/// Finds the patch sets that a build is reviewed for.
pub(super) fn of_build(settings: &GerritSettings, build: &Build) -> Decision<Vec<PatchSet>> {
    if let Some(silence) = settings.build_filter.refuses(build) {
        return Decision::Silent(silence);
    }
    match patch_sets(build) {
        Ok(sets) => Decision::Send(sets),
        Err(Unaddressed(why)) => Decision::Silent(Silence::Unaddressed { why }),
    }
}

/// Finds the patch sets of a buildset: those of the first of its builds that has any. Beside them stands, for each
/// build that has none, the reason.
pub(super) fn of_buildset(builds: &[Build]) -> (Vec<PatchSet>, Vec<String>) {
    let (mut sets, mut why_not) = (Vec::new(), Vec::new());
    for build in builds {
        match patch_sets(build) {
            Ok(found) if sets.is_empty() => sets = found,
            Ok(_) => {}
            Err(Unaddressed(why)) => why_not.push(format!("{}: {why}", build.id())),
        }
    }
    (sets, why_not)
}
