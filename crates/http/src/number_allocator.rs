//! Allocates numbers for builds whose sender has none, or uses them twice.

use std::collections::BTreeSet;

use super::problem::Problem;
use campanile_callbacks::FairSemaphore;
use campanile_engine::{Engine, Tenant};
use campanile_inbound::ingest::{BuildNumbering, ParsedBatch};
use campanile_model::{Build, BuildId, Event};
use campanile_store::Appended;

/// Most attempts of a run under its number; later ones are not stored.
const MAX_ATTEMPTS: u64 = 99;

/// An allocator that serves one request for a builder at a time.
///
/// Two requests of one run may come at once. If both searched before either had stored, each would find its number
/// free, and the run would become two builds.
pub(super) struct NumberAllocator {
    /// Locks by tenant and builder: nobody waits for what others' builders have.
    builders: FairSemaphore<(String, String)>,
}

impl Default for NumberAllocator {
    fn default() -> Self {
        // More than there are requests under way.
        Self { builders: FairSemaphore::new(1 << 20, 1) }
    }
}

impl NumberAllocator {
    /// Numbers the builds of a batch, and stores it. None if it says nothing new of builds that are known.
    ///
    /// Cancel safe: dropped while it waits, the batch is stored as a whole or not at all.
    pub(super) async fn store(
        &self,
        (engine, tenant): (&Engine, &Tenant),
        batch: ParsedBatch,
        dedup_key: Option<String>,
    ) -> Result<Option<Appended>, Problem> {
        if batch.numbers == BuildNumbering::Given {
            return Ok(Some(engine.ingest(tenant, batch.events, dedup_key).await?));
        }
        let mut locks = Vec::new();
        // In one order, or two batches about the same builders would wait for each other.
        for builder in
            batch.events.iter().filter_map(build_of).map(|build| &build.builder).collect::<BTreeSet<_>>()
        {
            locks.push(self.builders.acquire((tenant.name().to_owned(), builder.clone())).await);
        }
        let mut events = Vec::with_capacity(batch.events.len());
        for mut event in batch.events {
            if let Event::BuildStarted { build } | Event::BuildFinished { build } = &mut event {
                let Some(number) = allocate((engine, tenant), build, batch.numbers).await? else { continue };
                build.number = number;
            }
            events.push(event);
        }
        if events.is_empty() {
            return Ok(None);
        }
        let appended = engine.ingest(tenant, events, dedup_key).await?;
        // Only when it is stored may others search.
        drop(locks);
        Ok(Some(appended))
    }
}

/// The build that an event numbers.
fn build_of(event: &Event) -> Option<&Build> {
    match event {
        Event::BuildStarted { build } | Event::BuildFinished { build } => Some(build),
        _ => None,
    }
}

/// Finds the number for a build's event; none if the event is known already.
async fn allocate(
    (engine, tenant): (&Engine, &Tenant),
    build: &Build,
    numbering: BuildNumbering,
) -> Result<Option<u64>, Problem> {
    let (store, tenant) = (engine.store(), tenant.name());
    let (mut known, mut free) = (Vec::new(), build.number);
    match numbering {
        BuildNumbering::Given => {}
        BuildNumbering::Counted { by } => {
            let name = build.properties.value(by).and_then(|value| value.as_str()).unwrap_or_default();
            let run = store.run(tenant, &build.builder, by, name).await?;
            free = run.last.unwrap_or_default().saturating_add(1);
            known = run.builds;
        }
        BuildNumbering::Attempts => {
            let last = free.saturating_add(MAX_ATTEMPTS - 1);
            while let Some(one) =
                store.build(tenant, &BuildId { builder: build.builder.clone(), number: free }).await?
            {
                known.push(one);
                if free == last {
                    return Ok(None);
                }
                free += 1;
            }
        }
    }
    Ok(match known.iter().find(|one| !one.is_finished()) {
        // It is known to run; told again it would be announced again.
        Some(running) => build.results.is_some().then_some(running.number),
        None if known.is_empty() => Some(free),
        // What comes after an end is late, unless it is another end.
        None => {
            let is_news = build.results.is_some() && known.iter().all(|one| one.finished != build.finished);
            (is_news && numbering == BuildNumbering::Attempts).then_some(free)
        }
    })
}
