//! Backfill from the Buildbot master: changes and steps of a build, its logs, and builds before it, when they are needed
//! and nobody has told of them. Never while events are taken in: these must not wait for the master.
//!
//! Changes, steps and logs go into the store, and stay. Earlier builds don't: the event of one of them may still be on its
//! way, and the store would take it for a repetition. Answers are remembered, misses for a short time.

use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;

use campanile_ci::buildbot::{ConnectedMaster, MasterError};
use campanile_model::{Build, BuildId, Event, LogRef, Results, Timestamp};
use campanile_store::{Store, StoreError};
use campanile_targets::{Fault, FaultCode};

/// Limit of answers of each kind that are remembered.
const MAX_ANSWERS: u64 = 1_000;
/// Time for which a miss is remembered: longer than one message takes that asks for the same thing again and again, and
/// short beside the life of a build.
const MISS_LIFETIME: Duration = Duration::from_secs(60);
/// Least and greatest number of earlier builds that are asked for at once.
const EARLIER: (u32, u32) = (10, 100);

/// One tenant's master, and its answers.
pub(super) struct MasterBackfill {
    connected: ConnectedMaster,
    store: Arc<dyn Store>,
    tenant: Arc<str>,
    /// Builds as the master has them; none if it knows no more. By build, and by its end: there is more to know then.
    builds: Cache<(BuildId, bool), Option<Arc<Build>>>,
    /// True for logs that are in the store now.
    logs: Cache<LogRef, bool>,
    /// Builds before one, so many of them at most.
    earlier: Cache<(BuildId, u32), Arc<[Build]>>,
}

/// The reason why the master's answer is missing.
#[derive(Debug, thiserror::Error)]
enum BackfillError {
    #[error(transparent)]
    Master(#[from] MasterError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MasterBackfill {
    /// Makes a backfill for a tenant; asks nothing yet.
    pub(super) fn new(connected: ConnectedMaster, store: Arc<dyn Store>, tenant: Arc<str>) -> Self {
        Self {
            connected,
            store,
            tenant,
            builds: answers(Option::is_none),
            logs: answers(|is_stored| !is_stored),
            earlier: answers(|builds| builds.is_empty()),
        }
    }

    /// Completes the build of an event. A master that does not answer is waited for, up to the patience that the settings
    /// have; then the event goes on without.
    ///
    /// # Errors
    /// A transient fault, while there is patience.
    pub(super) async fn complete_event(
        &self,
        event: &mut Event,
        created: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else { return Ok(()) };
        let Err(error) = self.complete(build).await else { return Ok(()) };
        let (id, master) = (build.id(), self.connected.master.origin());
        let text = format!("cannot ask the Buildbot at {master} for changes and steps of {id}: {error}");
        if now < created.after(self.connected.patience) {
            return Err(Fault::transient(FaultCode::Connection, text));
        }
        tracing::warn!(tenant = &*self.tenant, build = %id, "build is incomplete: {text}; going on without them");
        Ok(())
    }

    /// Completes a build for those who can do without: a master that does not answer is not waited for.
    pub(super) async fn complete_if_possible(&self, build: &mut Build) {
        if let Err(error) = self.complete(build).await {
            tracing::debug!(tenant = &*self.tenant, build = %build.id(), "build is incomplete: {error}");
        }
    }

    async fn complete(&self, build: &mut Build) -> Result<(), Arc<BackfillError>> {
        if !lacks_something(build) {
            return Ok(());
        }
        let key = (build.id(), build.is_finished());
        if let Some(whole) = self.builds.try_get_with(key, self.fetch_build(build)).await? {
            build.fill_from(&whole);
        }
        Ok(())
    }

    /// Fetches what a build lacks, from the store or else the master; none if there is nothing more. What the master has
    /// goes into the store.
    async fn fetch_build(&self, build: &Build) -> Result<Option<Arc<Build>>, BackfillError> {
        let id = build.id();
        let mut whole = build.clone();
        if let Some(known) = self.store.build(&self.tenant, &id).await? {
            whole.fill_from(&known);
        }
        if !lacks_something(&whole) {
            return Ok(Some(Arc::new(whole)));
        }
        let master = &self.connected.master;
        if whole.source_stamps.iter().any(|stamp| stamp.changes.is_empty()) {
            for change in or_default(master.changes(&id).await)? {
                let stamp = whole.source_stamps.iter_mut().find(|stamp| stamp.codebase == change.codebase);
                if let Some(stamp) = stamp.filter(|stamp| !stamp.changes.contains(&change)) {
                    stamp.changes.push(change);
                }
            }
        }
        if whole.is_finished() && whole.steps.is_empty() {
            whole.steps = or_default(master.steps(&id).await)?;
        }
        if whole == *build {
            return Ok(None);
        }
        self.store.complete_build(&self.tenant, &whole).await?;
        Ok(Some(Arc::new(whole)))
    }

    /// Puts a log into the store that is not there. True if it is there now.
    pub(super) async fn fetch_log(&self, log: &LogRef) -> bool {
        match self.logs.try_get_with(log.clone(), self.store_log(log)).await {
            Ok(is_stored) => is_stored,
            Err(error) => {
                let (tenant, LogRef { build, step, log }) = (&*self.tenant, log);
                tracing::warn!(tenant, %build, step, log, "log cannot be fetched from the master: {error}");
                false
            }
        }
    }

    /// Copies a log from the master into the store, page by page. False if either of them does not know the build.
    async fn store_log(&self, log: &LogRef) -> Result<bool, BackfillError> {
        if self.store.build(&self.tenant, &log.build).await?.is_none() {
            return Ok(false);
        }
        let Some(mut pages) = or_default(self.connected.master.log(log).await)? else { return Ok(false) };
        let mut stored = self.store.write_log(&self.tenant, log).await?;
        while let Some(page) = pages.next().await? {
            stored.write(page.as_bytes()).await?;
        }
        stored.finish().await?;
        Ok(true)
    }

    /// Completes the builds before one, `known` being those of the store, with those that the store never heard of.
    pub(super) async fn earlier_builds(&self, before: &BuildId, limit: u32, known: Vec<Build>) -> Vec<Build> {
        if limit == 0 || has_no_gaps(before, limit, &known) {
            return known;
        }
        let count = limit.clamp(EARLIER.0, EARLIER.1);
        let asking = async {
            let theirs = or_default(self.connected.master.earlier_builds(before, count).await)?;
            Ok::<Arc<[Build]>, MasterError>(theirs.into())
        };
        match self.earlier.try_get_with((before.clone(), count), asking).await {
            Ok(theirs) => merged(known, &theirs, limit),
            Err(error) => {
                let tenant = &*self.tenant;
                tracing::warn!(tenant, build = %before, "builds before it cannot be asked for: {error}");
                known
            }
        }
    }
}

/// Takes a thing that the master has never heard of for an empty answer: asking again would not help.
fn or_default<T: Default>(answer: Result<T, MasterError>) -> Result<T, MasterError> {
    match answer {
        Err(MasterError::Unknown(_)) => Ok(T::default()),
        answer => answer,
    }
}

/// True if the master may know more of a build than was told.
fn lacks_something(build: &Build) -> bool {
    let lacks_changes = build.source_stamps.iter().any(|stamp| stamp.changes.is_empty());
    lacks_changes || (build.is_finished() && build.steps.is_empty())
}

/// True if nothing can be missing: the numbers go down one by one, to the first build if they are fewer than asked for.
fn has_no_gaps(before: &BuildId, limit: u32, known: &[Build]) -> bool {
    if before.number == u64::MAX {
        // Which one is the last is not known from numbers; one that was told is as good as any.
        return !known.is_empty();
    }
    let mut expected = before.number;
    for build in known {
        expected = expected.saturating_sub(1);
        if build.number != expected {
            return false;
        }
    }
    known.len() >= usize::try_from(limit).unwrap_or(usize::MAX) || expected <= 1
}

/// Merges two lists, newest build first. Of one that both have, that which was told: targets have acted on it.
fn merged(mut known: Vec<Build>, theirs: &[Build], limit: u32) -> Vec<Build> {
    for build in theirs.iter().filter(|build| build.results != Some(Results::Retry)) {
        if !known.iter().any(|one| one.number == build.number) {
            known.push(build.clone());
        }
    }
    known.sort_by_key(|build| std::cmp::Reverse(build.number));
    known.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    known
}

/// Makes a cache of answers. Those who ask for what is being asked for wait for the same answer, and errors are not
/// remembered. A miss is forgotten after a while: the master may know more by then.
fn answers<K, V>(is_miss: fn(&V) -> bool) -> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(MAX_ANSWERS).expire_after(ExpireMisses(is_miss)).build()
}

/// Expiry of misses, which this function tells from answers.
struct ExpireMisses<V>(fn(&V) -> bool);

impl<K, V> Expiry<K, V> for ExpireMisses<V> {
    fn expire_after_create(&self, _: &K, value: &V, _: Instant) -> Option<Duration> {
        (self.0)(value).then_some(MISS_LIFETIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builds(numbers: &[u64]) -> Vec<Build> {
        numbers.iter().map(|number| Build::new("linux", *number)).collect()
    }

    #[test]
    fn gaps_are_seen() {
        let before = |number| BuildId { builder: "linux".to_owned(), number };
        for (number, limit, known, whole) in [
            (7, 1, &[6][..], true),
            (7, 1, &[5], false),
            (7, 1, &[], false),
            (1, 1, &[], true),
            (7, 3, &[6, 5, 4], true),
            (7, 3, &[6, 4, 3], false),
            (7, 3, &[6, 5], false),
            (3, 5, &[2, 1], true),
            (u64::MAX, 1, &[3], true),
            (u64::MAX, 1, &[], false),
        ] {
            assert_eq!(has_no_gaps(&before(number), limit, &builds(known)), whole, "{number} {known:?}");
        }
    }

    #[test]
    fn what_was_told_wins_and_retries_are_no_previous_builds() {
        let mut theirs = builds(&[6, 5, 4, 3]);
        theirs[1].results = Some(Results::Retry);
        theirs[2].reason = "theirs".to_owned();
        let mut known = builds(&[4]);
        known[0].reason = "told".to_owned();
        let all = merged(known, &theirs, 3);
        let numbers: Vec<u64> = all.iter().map(|build| build.number).collect();
        assert_eq!(numbers, [6, 4, 3]);
        assert_eq!(all[1].reason, "told");
    }
}
