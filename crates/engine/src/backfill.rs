//! What nobody told, asked of the Buildbot master when it is needed: changes and steps of a build, its logs, and builds
//! before it. Never while news is taken in.
//!
//! Changes, steps and logs go into the store, and stay. Earlier builds don't: news of one of them may still be on its way,
//! and would count as told. What was asked for once is remembered, also that there was nothing.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use campanile_ci::buildbot::{ConnectedMaster, MasterError};
use campanile_model::{Build, BuildId, Event, LogRef, Results, Timestamp};
use campanile_store::{Store, StoreError};
use campanile_targets::{Fault, FaultCode};

/// So many answers of a kind are remembered.
const REMEMBERED: usize = 1_000;
/// So many earlier builds are asked for at least, and at most.
const EARLIER: (u32, u32) = (10, 100);

/// The master, and what it has said.
pub(super) struct MasterBackfill {
    connected: ConnectedMaster,
    store: Arc<dyn Store>,
    tenant: Arc<str>,
    /// By build, and whether it had ended.
    pieces: Remembered<(BuildId, bool), Option<Build>>,
    logs: Remembered<LogRef, bool>,
    earlier: Remembered<(BuildId, u32), Vec<Build>>,
}

/// Why a piece is not there.
#[derive(Debug, thiserror::Error)]
enum BackfillError {
    #[error(transparent)]
    Master(#[from] MasterError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MasterBackfill {
    pub(super) fn new(connected: ConnectedMaster, store: Arc<dyn Store>, tenant: Arc<str>) -> Self {
        Self {
            connected,
            store,
            tenant,
            pieces: Remembered::default(),
            logs: Remembered::default(),
            earlier: Remembered::default(),
        }
    }

    /// Completes a build that an event tells of. What the master does not say is waited for, up to the patience that the
    /// settings have; then the event goes on without.
    ///
    /// # Errors
    /// A fault that may pass, while there is patience.
    pub(super) async fn complete_event(
        &self,
        event: &mut Event,
        created: Timestamp,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else { return Ok(()) };
        let Err(missing) = self.complete(build).await else { return Ok(()) };
        let (id, master) = (build.id(), self.connected.master.origin());
        let text = format!("cannot ask the Buildbot at {master} for changes and steps of {id}: {missing}");
        if now < created.after(self.connected.patience) {
            return Err(Fault::transient(FaultCode::Connection, text));
        }
        tracing::warn!("{text}; going on without them");
        Ok(())
    }

    /// As `complete_event`, for those who can do without.
    pub(super) async fn complete_if_possible(&self, build: &mut Build) {
        if let Err(missing) = self.complete(build).await {
            tracing::debug!(build = %build.id(), "no changes and steps: {missing}");
        }
    }

    async fn complete(&self, build: &mut Build) -> Result<(), BackfillError> {
        if !lacks_something(build) {
            return Ok(());
        }
        let cell = self.pieces.cell((build.id(), build.is_finished()));
        let whole = cell.get_or_try_init(|| self.ask_for_pieces(build)).await?;
        if let Some(whole) = whole {
            build.fill_from(whole);
        }
        Ok(())
    }

    /// The build with what the store knows, or else the master; none if there is nothing more.
    async fn ask_for_pieces(&self, build: &Build) -> Result<Option<Build>, BackfillError> {
        let id = build.id();
        let mut whole = build.clone();
        if let Some(known) = self.store.build(&self.tenant, &id).await? {
            whole.fill_from(&known);
        }
        if !lacks_something(&whole) {
            return Ok(Some(whole));
        }
        let master = &self.connected.master;
        if whole.source_stamps.iter().any(|stamp| stamp.changes.is_empty()) {
            for change in or_nothing(master.changes(&id).await)? {
                let stamp = whole.source_stamps.iter_mut().find(|stamp| stamp.codebase == change.codebase);
                if let Some(stamp) = stamp.filter(|stamp| !stamp.changes.contains(&change)) {
                    stamp.changes.push(change);
                }
            }
        }
        if whole.is_finished() && whole.steps.is_empty() {
            whole.steps = or_nothing(master.steps(&id).await)?;
        }
        if whole == *build {
            return Ok(None);
        }
        self.store.complete_build(&self.tenant, &whole).await?;
        Ok(Some(whole))
    }

    /// Puts a log into the store that is not there. Whether it is there now.
    pub(super) async fn log(&self, place: &LogRef) -> bool {
        let cell = self.logs.cell(place.clone());
        match cell.get_or_try_init(|| self.ask_for_log(place)).await {
            Ok(is_there) => *is_there,
            Err(missing) => {
                let LogRef { build, step, log } = place;
                tracing::warn!("cannot fetch the log `{log}` of step `{step}` of {build}: {missing}");
                false
            }
        }
    }

    async fn ask_for_log(&self, place: &LogRef) -> Result<bool, BackfillError> {
        if self.store.build(&self.tenant, &place.build).await?.is_none() {
            return Ok(false);
        }
        let Some(mut pages) = or_nothing(self.connected.master.log(place).await)? else { return Ok(false) };
        let mut log = self.store.write_log(&self.tenant, place).await?;
        while let Some(page) = pages.next().await? {
            log.write(page.as_bytes()).await?;
        }
        log.finish().await?;
        Ok(true)
    }

    /// Builds before one, `known` being those of the store: completed with those that the store never heard of.
    pub(super) async fn earlier_builds(&self, before: &BuildId, limit: u32, known: Vec<Build>) -> Vec<Build> {
        if limit == 0 || has_no_gaps(before, limit, &known) {
            return known;
        }
        let count = limit.clamp(EARLIER.0, EARLIER.1);
        let cell = self.earlier.cell((before.clone(), count));
        let asked = cell
            .get_or_try_init(async || or_nothing(self.connected.master.earlier_builds(before, count).await));
        match asked.await {
            Ok(theirs) => merged(known, theirs, limit),
            Err(error) => {
                tracing::warn!("cannot ask for builds before {before}: {error}");
                known
            }
        }
    }
}

/// What the master has never heard of is nothing that it could say more about.
fn or_nothing<T: Default>(answer: Result<T, MasterError>) -> Result<T, MasterError> {
    match answer {
        Err(MasterError::Unknown(_)) => Ok(T::default()),
        answer => answer,
    }
}

fn lacks_something(build: &Build) -> bool {
    let lacks_changes = build.source_stamps.iter().any(|stamp| stamp.changes.is_empty());
    lacks_changes || (build.is_finished() && build.steps.is_empty())
}

/// Whether nothing can be missing: the numbers go down one by one, to the first build if they are fewer than asked for.
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

/// Newest first; of one that both have, what was told.
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

/// Answers by question, the newest ones. Whoever asks what somebody else is asking waits for the same answer.
struct Remembered<K, V>(Mutex<VecDeque<(K, Arc<OnceCell<V>>)>>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Remembered<K, V> {
    fn cell(&self, key: K) -> Arc<OnceCell<V>> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = cells.iter().rev().find(|(known, _)| *known == key) {
            return Arc::clone(cell);
        }
        let cell = Arc::new(OnceCell::new());
        cells.push_back((key, Arc::clone(&cell)));
        if cells.len() > REMEMBERED {
            cells.pop_front();
        }
        cell
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
