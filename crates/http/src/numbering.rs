//! Numbers for builds whose sender has none, or uses them twice.

use tokio::sync::Mutex;

use super::answer::Problem;
use campanile_engine::{Engine, Tenant};
use campanile_inbound::ingest::{BuildNumbering, ParsedBatch};
use campanile_model::{Build, BuildId, Event};
use campanile_store::Appended;

/// A run that ended before so many others of its builder is not looked for any more.
const LOOKED_AT: u32 = 20;
/// How often a run can be tried again under its number.
const ATTEMPTS: u64 = 99;

/// Gives numbers, one request at a time: who comes next sees what was stored before.
#[derive(Default)]
pub(super) struct Numbering(Mutex<()>);

impl Numbering {
    /// Numbers what is told, and stores it. None if it says nothing new of builds that are known.
    pub(super) async fn store(
        &self,
        (engine, tenant): (&Engine, &Tenant),
        told: ParsedBatch,
        dedup_key: Option<String>,
    ) -> Result<Option<Appended>, Problem> {
        if told.numbers == BuildNumbering::Given {
            return Ok(Some(engine.ingest(tenant, told.events, dedup_key).await?));
        }
        let _one_at_a_time = self.0.lock().await;
        let mut events = Vec::with_capacity(told.events.len());
        for mut event in told.events {
            if let Event::BuildStarted { build } | Event::BuildFinished { build } = &mut event {
                let Some(number) = number((engine, tenant), build, told.numbers).await? else { continue };
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

/// The number of a build; none if what is told of it is known already.
async fn number(
    (engine, tenant): (&Engine, &Tenant),
    build: &Build,
    numbers: BuildNumbering,
) -> Result<Option<u64>, Problem> {
    let (store, tenant) = (engine.store(), tenant.name());
    let (mut known, mut free) = (Vec::new(), build.number);
    match numbers {
        BuildNumbering::Given => {}
        BuildNumbering::Counted { by } => {
            let mut all = store.running_builds(tenant, &build.builder).await?;
            let end = BuildId { builder: build.builder.clone(), number: u64::MAX };
            all.extend(store.earlier_builds(tenant, &end, LOOKED_AT).await?);
            free = all.iter().map(|one| one.number).max().unwrap_or_default() + 1;
            let run = build.properties.value(by);
            known.extend(all.into_iter().filter(|one| one.properties.value(by) == run));
        }
        BuildNumbering::Attempts => {
            let most = free.saturating_add(ATTEMPTS - 1);
            while let Some(one) =
                store.build(tenant, &BuildId { builder: build.builder.clone(), number: free }).await?
            {
                known.push(one);
                if free == most {
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
            (is_news && numbers == BuildNumbering::Attempts).then_some(free)
        }
    })
}
