//! Allocates numbers for builds whose sender has none, or uses them twice.

use tokio::sync::Mutex;

use super::problem::Problem;
use campanile_engine::{Engine, Tenant};
use campanile_inbound::ingest::{BuildNumbering, ParsedBatch};
use campanile_model::{Build, BuildId, Event};
use campanile_store::Appended;

/// Earlier builds of a builder that are searched for a run; one before them is taken for new.
const MAX_RUNS: u32 = 20;
/// Most attempts of a run under its number; later ones are not stored.
const MAX_ATTEMPTS: u64 = 99;

/// An allocator that serves one request at a time.
///
/// Two requests of one run may come at once. If both searched before either had stored, each would find its number
/// free, and the run would become two builds.
#[derive(Default)]
pub(super) struct NumberAllocator(Mutex<()>);

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
        let _one_at_a_time = self.0.lock().await;
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
        Ok(Some(engine.ingest(tenant, events, dedup_key).await?))
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
            let mut all = store.running_builds(tenant, &build.builder).await?;
            let end = BuildId { builder: build.builder.clone(), number: u64::MAX };
            all.extend(store.earlier_builds(tenant, &end, MAX_RUNS).await?);
            free = all.iter().map(|one| one.number).max().unwrap_or_default() + 1;
            let run = build.properties.value(by);
            known.extend(all.into_iter().filter(|one| one.properties.value(by) == run));
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
