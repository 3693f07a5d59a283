//! Repeats: the events of a request that told what was known already, and what they told otherwise than before.
//!
//! A number that is used twice is a mistake that nobody would notice otherwise: the second build is told to nobody.

use serde::Serialize;

use super::Tenant;
use campanile_model::{Build, Event, SourceStamp};
use campanile_store::{EventId, Store, StoreError};

/// Most repeats of a request that are looked at: each costs a read.
const MAX_REPEATS: usize = 100;

/// An event that repeated a known fact: it was not stored, and nobody is told.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Repeat {
    /// Place in the request, from 0.
    pub index: usize,
    /// Subject, as deliveries show it.
    pub subject: String,
    /// Fields in which it says something else than what is known; none if it is the same news once more. `finished`: it
    /// tells of the start of what is over.
    pub differs: Vec<&'static str>,
}

/// Compares the events that have no id, since they repeat known facts, with what is known; the first hundred.
///
/// A store that fails is logged and leaves repeats out: the request itself has been taken.
pub async fn repeats(
    tenant: &Tenant,
    store: &dyn Store,
    events: &[Event],
    ids: &[Option<EventId>],
) -> Vec<Repeat> {
    let mut repeats = Vec::new();
    let repeated = events.iter().zip(ids).enumerate().filter(|(_, (_, id))| id.is_none());
    for (index, (event, _)) in repeated.take(MAX_REPEATS) {
        match differences(tenant, store, event).await {
            Ok(differs) => repeats.push(Repeat { index, subject: event.subject(), differs }),
            Err(error) => {
                tracing::error!(tenant = tenant.name(), "repeated events cannot be compared: {error}");
                break;
            }
        }
    }
    repeats
}

async fn differences(
    tenant: &Tenant,
    store: &dyn Store,
    event: &Event,
) -> Result<Vec<&'static str>, StoreError> {
    Ok(match event {
        Event::BuildStarted { build } | Event::BuildFinished { build } => {
            let known = store.build(tenant.name(), &build.id()).await?;
            let Some(known) = known else { return Ok(Vec::new()) };
            let late = known.is_finished() && matches!(event, Event::BuildStarted { .. });
            let mut differs = build_differences(build, &known);
            differs.extend(late.then_some("finished"));
            differs
        }
        Event::BuildsetComplete { buildset } => {
            let known = store.buildset(tenant.name(), buildset.bsid).await?;
            let differs = known.is_some_and(|known| is_other(&buildset.results, &known.results));
            differs.then_some("results").into_iter().collect()
        }
        _ => Vec::new(),
    })
}

/// True if a value is told and another one than what is known. What is left out says nothing.
fn is_other<T: PartialEq>(told: &Option<T>, known: &Option<T>) -> bool {
    told.is_some() && told != known
}

/// Names the fields that a telling of a build has and that say something else than what is known of it. Times don't
/// count: who tells something a second time does it later. Nor do changes, which may have been found since.
fn build_differences(told: &Build, known: &Build) -> Vec<&'static str> {
    let text = |told: &str, known: &str| !told.is_empty() && told != known;
    let property = |(name, property): (&str, &campanile_model::Property)| {
        known.properties.value(name).is_none_or(|known| *known != property.value)
    };
    let step = |step: &campanile_model::Step| {
        let known = known.steps.iter().find(|known| known.name == step.name);
        known.is_none_or(|known| is_other(&step.results, &known.results))
    };
    let stamp = |told: &SourceStamp| !known.source_stamps.iter().any(|known| is_same_source(told, known));
    [
        ("results", is_other(&told.results, &known.results)),
        ("text", !told.text.is_empty() && told.text != known.text),
        ("url", is_other(&told.url, &known.url)),
        ("reason", text(&told.reason, &known.reason)),
        ("worker", told.worker != Build::NO_WORKER && text(&told.worker, &known.worker)),
        ("properties", told.properties.iter().any(property)),
        ("source_stamps", told.source_stamps.iter().any(stamp)),
        ("steps", told.steps.iter().any(step)),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

/// True if nothing that a source stamp names is named otherwise by a known one.
fn is_same_source(told: &SourceStamp, known: &SourceStamp) -> bool {
    let filled = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    told.codebase == known.codebase
        && !is_other(&filled(&told.branch), &filled(&known.branch))
        && !is_other(&filled(&told.revision), &filled(&known.revision))
        && (told.repository.is_empty() || told.repository == known.repository)
        && (told.project.is_empty() || told.project == known.project)
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::Results;

    fn build(change: impl FnOnce(&mut Build)) -> Build {
        let mut build = Build::new("linux", 7);
        build.results = Some(Results::Failure);
        build.text = vec!["failed".to_owned()];
        build.worker = "tower".to_owned();
        build.reason = "a push".to_owned();
        build.properties.set("event", "push", "report");
        let stamp = SourceStamp { revision: Some("1f0c2d".to_owned()), ..SourceStamp::default() };
        build.source_stamps.push(stamp);
        change(&mut build);
        build
    }

    #[test]
    fn m_ev_10_what_is_told_otherwise_is_named() {
        let known = build(|known| {
            known.source_stamps[0].branch = Some("main".to_owned());
            known.finished = Some(campanile_model::Timestamp::from_seconds(5));
        });
        let cases: [(Build, &[&str]); 6] = [
            (build(|_| ()), &[]),
            // The name alone says nothing, and a later end is no other news.
            (Build { results: None, ..Build::new("linux", 7) }, &[]),
            (build(|told| told.finished = Some(campanile_model::Timestamp::from_seconds(9))), &[]),
            (build(|told| told.results = Some(Results::Success)), &["results"]),
            (build(|told| told.source_stamps[0].revision = Some("77aa2b".to_owned())), &["source_stamps"]),
            (
                build(|told| {
                    told.worker = "bells".to_owned();
                    told.properties.set("event", "cron", "report");
                }),
                &["worker", "properties"],
            ),
        ];
        for (told, differs) in cases {
            assert_eq!(build_differences(&told, &known), differs, "{told:?}");
        }
    }
}
