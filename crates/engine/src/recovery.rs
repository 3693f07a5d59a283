//! Recovery: what waits goes on, since a far side is back, a person asks for it, a target is in the settings
//! again, or the clock was set.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::pace::{self, Pace, Progress};
use super::{Clock, Engine, Tenant};
use campanile_store::{Delivery, DeliveryId, DeliveryState, Settlement, Store, StoreError, Wait};
use campanile_targets::FaultCode;

/// A far side that was away for a shorter time than this was not: what failed comes again soon by itself. Without this
/// bound one bad message among good ones would be tried again with each of them.
const SHORTEST_OUTAGE: Duration = Duration::from_secs(10);
/// Interval at which the store is told that the engine is at work.
const TICK: Duration = Duration::from_secs(60);
/// Most of a stop that counts towards the age of what waits.
const COUNTED_STOP: Duration = Duration::from_secs(86_400);
/// Interval at which it is looked if a target is still gone. Settings that are read anew don't wait for it.
const ORPHAN_CHECK: Duration = Duration::from_secs(3_600);

/// A target's far side, as far as its last attempts tell.
#[derive(Default)]
struct Health {
    /// The last attempt failed.
    is_failing: bool,
    /// Something got through since the engine began.
    was_up: bool,
    /// Since then nothing got through.
    down_since: Option<Instant>,
    progress: Progress,
    recovery: Recovery,
}

/// The state of a target's recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Recovery {
    #[default]
    None,
    /// The deliveries that wait are becoming due.
    UnderWay,
    /// It was broken off, since the far side went away again: it goes on with the next message that gets through.
    BrokenOff,
}

/// Targets' far sides, by tenant and name.
#[derive(Default)]
pub(super) struct TargetHealth(Mutex<HashMap<(String, String), Health>>);

impl TargetHealth {
    /// Notes the outcome of an attempt; true if it shows that a far side is back that was away. Where none was made,
    /// nothing is known of it.
    pub(super) fn record(&self, tenant: &str, target: &str, settled: &Settlement) -> bool {
        if !settled.attempted {
            return false;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let health = all.entry((tenant.to_owned(), target.to_owned())).or_default();
        health.is_failing = settled.state == DeliveryState::Waiting;
        match settled.state {
            DeliveryState::Waiting => health.progress.failed += 1,
            DeliveryState::Delivered => health.progress.delivered += 1,
            _ => {}
        }
        match settled.state {
            DeliveryState::Waiting if settled.wait == Wait::ForFarSide => {
                health.down_since.get_or_insert_with(Instant::now);
                false
            }
            DeliveryState::Delivered => {
                let outage = health.down_since.take();
                // What was before the engine began is not known.
                let first = !std::mem::replace(&mut health.was_up, true);
                let was_away = outage.is_some_and(|since| since.elapsed() >= SHORTEST_OUTAGE);
                first || was_away || health.recovery == Recovery::BrokenOff
            }
            _ => false,
        }
    }

    pub(super) fn is_failing(&self, tenant: &str, target: &str) -> bool {
        self.with(tenant, target, |health| health.is_failing)
    }

    fn progress(&self, tenant: &str, target: &str) -> Progress {
        self.with(tenant, target, |health| health.progress)
    }

    /// Begins a recovery; false if one is under way.
    fn begin(&self, tenant: &str, target: &str) -> bool {
        self.with(tenant, target, |health| {
            std::mem::replace(&mut health.recovery, Recovery::UnderWay) != Recovery::UnderWay
        })
    }

    fn end(&self, tenant: &str, target: &str, recovery: Recovery) {
        self.with(tenant, target, |health| health.recovery = recovery);
    }

    fn with<T>(&self, tenant: &str, target: &str, f: impl FnOnce(&mut Health) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f(all.entry((tenant.to_owned(), target.to_owned())).or_default())
    }
}

/// All that makes what waits for a target due, piece by piece.
struct Releaser {
    store: Arc<dyn Store>,
    wake: Arc<Notify>,
    clock: Clock,
    health: Arc<TargetHealth>,
    tenant: String,
    target: String,
}

impl Releaser {
    /// Makes what waits due in its order, at a pace that goes by how it goes. A failure is logged.
    async fn release_all(self) {
        let (tenant, target) = (&*self.tenant, &*self.target);
        let mut pace = Pace::new(self.health.progress(tenant, target));
        let mut deliveries = 0;
        let recovery = loop {
            let (most, spacing) = pace.wave();
            if most > 0 {
                match self.store.retry_now(tenant, target, most, spacing, self.clock.now()).await {
                    Ok(count) => {
                        deliveries += count;
                        pace.released(count);
                        self.wake.notify_one();
                        if count < most.into() {
                            break Recovery::None;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(
                            tenant,
                            target,
                            "target is back, but what waits goes out at its own time: {error}"
                        );
                        break Recovery::BrokenOff;
                    }
                }
            }
            tokio::time::sleep(pace::STEP).await;
            if pace.adapt(self.health.progress(tenant, target)).is_err() {
                tracing::warn!(tenant, target, deliveries, "target is away again: the rest waits");
                break Recovery::BrokenOff;
            }
        };
        self.health.end(tenant, target, recovery);
        if deliveries > 0 && recovery == Recovery::None {
            tracing::info!(tenant, target, deliveries, "target is back: what waited for it is due");
        }
    }
}

impl Engine {
    /// Begins to make due what waits for a target, after an attempt has shown that its far side is back.
    pub(super) fn recover(&self, first: &Delivery) {
        // One with a cooldown has a single queue: its next one comes after that anyway, and not sooner.
        if self.target_of(first).is_some_and(|target| target.cooldown().is_none()) {
            self.make_due(&first.tenant, &first.target);
        }
    }

    /// Has the delivery loop make due what waits for a target, at its pace.
    pub(super) fn make_due(&self, tenant: &str, target: &str) {
        self.returned.note(tenant, target);
        self.wake.notify_one();
    }

    /// Begins to make due what waits for targets that are back, but for those for which that is being done.
    pub(super) fn recover_returned(&self, releases: &mut JoinSet<()>) {
        while releases.try_join_next().is_some() {}
        for (tenant, target) in self.returned.take() {
            if self.health.begin(&tenant, &target) {
                let releaser = Releaser {
                    store: Arc::clone(&self.store),
                    wake: Arc::clone(&self.wake),
                    clock: self.clock.clone(),
                    health: Arc::clone(&self.health),
                    tenant,
                    target,
                };
                releases.spawn(releaser.release_all());
            }
        }
    }

    /// Writes the end of its target's rest into a delivery that waits for it, for people.
    pub fn show_rest(&self, delivery: &mut Delivery) {
        if delivery.state != DeliveryState::Waiting {
            return;
        }
        if let Some(left) = self.rests.left(&delivery.tenant, &delivery.target) {
            let end = self.clock.now().after(left);
            delivery.not_before = delivery.not_before.max(end);
            if let Some(behind) = &mut delivery.behind {
                behind.not_before = behind.not_before.max(end);
            }
            let text = delivery.text.get_or_insert_default();
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str("its target rests, as its far side asked for");
        }
    }

    /// Makes deliveries due, one after the other in the order of their ids: dead and delivered ones wait again and have
    /// their whole age before them, waiting ones are hurried. Returns their number; the others are silent, are being
    /// sent, or are none of the tenant's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retry(&self, tenant: &Tenant, ids: &[DeliveryId]) -> Result<u64, StoreError> {
        let timed: Vec<_> = ids.iter().copied().zip(pace::by_hand()).collect();
        let retried = self.store.retry(tenant.name(), &timed, self.clock.now()).await?;
        self.rests.end(tenant.name());
        self.wake.notify_one();
        Ok(retried)
    }

    /// Ends deliveries that wait, on the request of `who`; nothing of them is sent any more. Returns their number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn drop_waiting(
        &self,
        tenant: &Tenant,
        ids: &[DeliveryId],
        who: &str,
    ) -> Result<u64, StoreError> {
        let text = format!("dropped by {who} at {}", self.clock.now());
        let dropped = self.store.drop_waiting(tenant.name(), ids, &text).await?;
        self.wake.notify_one();
        Ok(dropped)
    }

    /// Makes what waits for targets due that were gone from the settings and are there again.
    pub(super) async fn adopt_orphans(&self, tenant: &Tenant) {
        let targets: Vec<String> = tenant.targets().iter().map(|target| target.name().to_owned()).collect();
        match self.store.adopt(tenant.name(), &targets).await {
            Ok(back) => {
                for target in back {
                    tracing::info!(tenant = tenant.name(), target, "target is back in the settings");
                    self.make_due(tenant.name(), &target);
                }
            }
            Err(error) => {
                tracing::warn!(
                    tenant = tenant.name(),
                    "targets that are back get what waits within the hour: {error}"
                );
            }
        }
    }

    /// The settlement of a delivery whose target is not in the settings: it waits for a time, in which the target may
    /// come back, and is then dead.
    pub(super) async fn settle_orphan(&self, delivery: &Delivery) -> Settlement {
        let (now, grace) = (self.clock.now(), self.tenant().orphan_grace());
        let Delivery { tenant, target, .. } = delivery;
        let since = self.store.orphaned_since(tenant, target, now).await.unwrap_or_else(|error| {
            tracing::error!(tenant, target, "target is gone, and since when cannot be read: {error}");
            now
        });
        let end = since.after(grace);
        let (state, text) = if now < end {
            let text = format!(
                "there is no target `{target}` in the settings any more: put it back before {}, or end what waits by \
                 `campanile deliveries drop --target {target}`",
                end.to_rfc3339()
            );
            (DeliveryState::Waiting, text)
        } else {
            let text = format!("there is no target `{target}` in the settings since {}", since.to_rfc3339());
            (DeliveryState::Dead, text)
        };
        Settlement {
            state,
            attempted: false,
            code: Some(FaultCode::TargetGone.name().to_owned()),
            text,
            not_before: now.after(ORPHAN_CHECK).min(end),
            wait: Wait::ForFarSide,
        }
    }

    /// Takes up the store's times at a start: a clock that was set during the stop, and a long stop, count for no age.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn resume_clock(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let away = match self.store.last_tick().await? {
            Some(last) => now.as_micros().saturating_sub(last.as_micros()),
            None => 0,
        };
        let counted = i64::try_from(COUNTED_STOP.as_micros()).unwrap_or(i64::MAX);
        self.store.tick(away - away.clamp(0, counted), now).await
    }

    /// Looks if the system's clock was set, and then moves the times of what waits with it; tells the store once a
    /// minute that the engine is at work. `ticked` is when that was told last.
    pub(super) async fn follow_clock(&self, ticked: &mut Instant) {
        let set = self.clock.follow();
        if set.is_none() && ticked.elapsed() < TICK {
            return;
        }
        *ticked = Instant::now();
        let (shift, now) = set.unwrap_or_else(|| (0, self.clock.now()));
        match self.store.tick(shift, now).await {
            Ok(()) if shift != 0 => {
                self.clock.set(now);
                let seconds = shift / 1_000_000;
                tracing::warn!(seconds, "the system's clock was set: what waits keeps its age and its time");
            }
            Ok(()) => {}
            Err(error) => tracing::error!("store cannot be told that the engine is at work: {error}"),
        }
    }
}

/// Targets that are back, until the delivery loop has seen to them: who notes one neither waits for the store, nor leaves
/// somebody behind who does.
#[derive(Default)]
pub(super) struct ReturnedTargets(Mutex<BTreeSet<(String, String)>>);

impl ReturnedTargets {
    fn note(&self, tenant: &str, target: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((tenant.to_owned(), target.to_owned()));
    }

    fn take(&self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A way for a session to say that its far side is back.
pub(super) fn retry_now_of(engine: &Engine, tenant: &str, target: &str) -> Arc<dyn Fn() + Send + Sync> {
    let (returned, wake) = (Arc::clone(&engine.returned), Arc::clone(&engine.wake));
    let (tenant, target) = (tenant.to_owned(), target.to_owned());
    Arc::new(move || {
        returned.note(&tenant, &target);
        wake.notify_one();
    })
}
