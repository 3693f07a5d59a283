//! The loop of deliveries: claims what is due, gives slots to it, and at a stop finishes what is under way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::leases::LEASE;
use super::scheduler::{FairScheduler, Slot};
use super::slots::Slots;
use super::store_retry::{Progress, STORE_PAUSE, until_stored};
use super::{Engine, NODE, Stop};
use campanile_store::StoreError;

/// Longest wait for news when nothing is due. A safety net: whoever stores something wakes the workers.
const IDLE: Duration = Duration::from_secs(5);
/// Longest time between two looks at all targets while claimed deliveries wait for slots.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time after which an attempt is slow: it holds its target's slot only.
const SLOW: Duration = Duration::from_millis(500);
/// Longest time for targets to take leave of their far sides at a stop.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

impl Engine {
    /// Delivers until `stop` says so; then finishes what is under way, until the time that it says at most, and gives the
    /// rest back. Only one call at a time: leases that this node had before are given back at the start.
    ///
    /// # Errors
    /// When what is claimed can't be given back at the end.
    pub async fn run_deliveries(
        self: Arc<Self>,
        concurrency: usize,
        mut stop: Stop,
    ) -> Result<(), StoreError> {
        self.take_over_store(&mut stop).await;
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self).keep_leases());
        let mut releases = JoinSet::new();
        let mut in_flight = JoinSet::new();
        let mut scheduler = FairScheduler::default();
        let freed = Arc::new(Notify::new());
        let mut stuck = BTreeSet::new();
        let mut news = true;
        let mut looked = Instant::now();
        let mut ticked = looked;
        while stop.borrow().is_none() {
            self.passes.send_modify(|passes| *passes = passes.wrapping_add(1));
            while in_flight.try_join_next().is_some() {}
            self.follow_clock(&mut ticked).await;
            self.recover_returned(&mut releases);
            let mut slots = self.tenants().slots(concurrency);
            let rested = self.rests.take_slots(&mut slots);
            self.give_back(&scheduler.take_stuck(&slots)).await;
            note_stuck(&mut stuck, scheduler.stuck(&slots));
            if news {
                looked = Instant::now();
            }
            if news || scheduler.needs_more(&slots) {
                news = !self.claim(&mut scheduler, &slots, news).await;
            }
            while let Some(Slot { delivery, claimed, in_flight: mut counted }) = scheduler.next(&slots) {
                if claimed.elapsed() > LEASE / 2 {
                    // It waited here for so long that its lease may end before it is renewed.
                    self.give_back(&[delivery.lease()]).await;
                    news = true;
                    continue;
                }
                let (engine, freed) = (Arc::clone(&self), Arc::clone(&freed));
                in_flight.spawn(async move {
                    let is_ordered = delivery.ordering_key.is_some();
                    let mut work = std::pin::pin!(engine.process_delivery(delivery));
                    if tokio::time::timeout(SLOW, &mut work).await.is_err() {
                        counted.becomes_slow();
                        freed.notify_one();
                        work.await;
                    }
                    // Before the wake-up: who is woken must find the slot free.
                    drop(counted);
                    freed.notify_one();
                    if is_ordered {
                        // The next one of its key is due from now on, which nobody else would tell.
                        engine.wake.notify_one();
                    }
                });
            }
            // True if there may be something new to claim.
            let waiting = async {
                if news {
                    return true;
                }
                // Nobody wakes us when the time of a retry has come.
                let look = if scheduler.is_empty() {
                    Instant::now() + self.until_next_due(&slots, &stuck).await
                } else {
                    looked + LOOK_EVERY
                };
                let look = rested.map_or(look, |end| look.min(end));
                tokio::select! {
                    () = self.wake.notified() => true,
                    () = freed.notified() => false,
                    () = tokio::time::sleep_until(look) => true,
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                more = waiting => news |= more,
            }
        }
        // At once, and not at the end: should the process be killed before that, they wait for nothing.
        self.give_back(&scheduler.take_all()).await;
        let finished = async { while in_flight.join_next().await.is_some() {} };
        let deadline = stop.borrow().unwrap_or_else(Instant::now);
        if tokio::time::timeout_at(deadline, finished).await.is_err() {
            let count = in_flight.len();
            tracing::warn!(deliveries = count, "deliveries were cut off: they go out after the next start");
            // Before the leases are given back: whoever claims them next must be the only one at it.
            in_flight.shutdown().await;
        }
        tasks.shutdown().await;
        self.close_targets().await;
        self.store.tick(0, self.clock.now()).await?;
        self.store.release(NODE).await
    }

    /// Gives back what a crash left leased, and takes up the store's times. A store that takes nothing just now is asked
    /// again: there is nothing to be done without it.
    async fn take_over_store(&self, stop: &mut Stop) {
        let take_over = async || {
            // The supervisor's watchdog is about a loop that hangs; this one does not.
            self.passes.send_modify(|passes| *passes = passes.wrapping_add(1));
            self.take_over_deliveries().await?;
            self.resume_clock().await
        };
        let log = |progress: Progress<'_>| match progress {
            Progress::Failing(error) => {
                tracing::error!("deliveries cannot begin yet, tried again each second: {error}");
            }
            Progress::Done { failures } => tracing::info!(failures, "deliveries begin at last"),
            Progress::Closed(error) => tracing::error!("deliveries cannot begin: {error}"),
        };
        tokio::select! {
            () = until_stored(take_over, log) => {}
            // Whoever could stop us may be gone: then there is nobody to tell.
            _ = stop.wait_for(Option::is_some) => {}
        }
    }

    /// Claims deliveries that targets lack: of all of them, or of those that may have more. False if the store failed.
    async fn claim(&self, scheduler: &mut FairScheduler, slots: &Slots, all: bool) -> bool {
        let wanted = scheduler.claim_quota(slots, all);
        if wanted.is_empty() {
            return true;
        }
        // Taken before the claim: the lease must not look younger than it is.
        let began = Instant::now();
        match self.store.claim(NODE, &wanted, LEASE, self.clock.now()).await {
            Ok(mut claimed) => {
                claimed.retain(|delivery| !self.leases.holds(delivery.id));
                scheduler.add(&wanted, claimed, began);
                true
            }
            Err(error) => {
                tracing::error!("deliveries cannot be claimed: {error}");
                tokio::time::sleep(STORE_PAUSE).await;
                false
            }
        }
    }

    /// The time until the next delivery of these tenants is due, `IDLE` at most. What waits for a target that is stuck or
    /// rests is none: it would be due all the time.
    async fn until_next_due(&self, slots: &Slots, stuck: &BTreeSet<(String, String)>) -> Duration {
        let due = self.store.due().await.unwrap_or_default().into_iter();
        let due = due.filter(|of| slots.tenants.contains_key(&of.tenant));
        let due = due.filter(|of| slots.of(&of.tenant, &of.target) > 0);
        let due =
            due.map(|of| (of.due, (of.tenant, of.target))).filter(|(_, target)| !stuck.contains(target));
        let due = due.map(|(due, _)| due).min();
        due.map_or(IDLE, |due| due.since(self.clock.now()).clamp(Duration::from_millis(1), IDLE))
    }

    async fn close_targets(&self) {
        let tenants = self.tenants();
        let closing = tenants.iter().flat_map(|tenant| tenant.targets()).map(|target| target.close());
        let closing = futures_util::future::join_all(closing);
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!("targets are left without taking leave of their far sides");
        }
    }
}

/// Logs which targets' far sides have begun to hang, and which go on.
fn note_stuck(before: &mut BTreeSet<(String, String)>, now: BTreeSet<(String, String)>) {
    for (tenant, target) in now.difference(before) {
        tracing::warn!(tenant, target, "target is slow: all its slots wait for its far side");
    }
    for (tenant, target) in before.difference(&now) {
        tracing::info!(tenant, target, "target has slots again");
    }
    *before = now;
}
