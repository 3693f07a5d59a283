//! Recovery: what waits goes on, since a far side is back, a person asks for it, a target is in the settings
//! again, or the clock was set.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Engine, Tenant};
use campanile_model::Timestamp;
use campanile_store::{Delivery, DeliveryId, DeliveryState, Settlement, Store, StoreError, Wait};
use campanile_targets::FaultCode;

/// Time between two deliveries that become due together: a far side that has just come back gets ten a second of what
/// waits for it, and not all of it at once.
const SPACING: Duration = Duration::from_millis(100);
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
            DeliveryState::Waiting if settled.wait == Wait::ForFarSide => {
                health.down_since.get_or_insert_with(Instant::now);
                false
            }
            DeliveryState::Delivered => {
                let outage = health.down_since.take();
                // What was before the engine began is not known.
                let first = !std::mem::replace(&mut health.was_up, true);
                first || outage.is_some_and(|since| since.elapsed() >= SHORTEST_OUTAGE)
            }
            _ => false,
        }
    }

    pub(super) fn is_failing(&self, tenant: &str, target: &str) -> bool {
        let key = (tenant.to_owned(), target.to_owned());
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .is_some_and(|health| health.is_failing)
    }
}

/// Makes what waits for a target due in its order, since its far side is back. A failure is logged.
pub(super) async fn far_side_is_back(
    store: &dyn Store,
    wake: &Notify,
    tenant: &str,
    target: &str,
    now: Timestamp,
) {
    match store.retry_now(tenant, target, SPACING, now).await {
        Ok(0) => {}
        Ok(deliveries) => {
            tracing::info!(tenant, target, deliveries, "target is back: what waits for it is due");
            wake.notify_one();
        }
        Err(error) => {
            tracing::warn!(
                tenant,
                target,
                "target is back, but what waits goes out at its own time: {error}"
            );
        }
    }
}

impl Engine {
    /// Makes what waits for a target due, after an attempt has shown that its far side is back.
    pub(super) async fn recover(&self, first: &Delivery) {
        // One with a cooldown has a single queue: its next one comes after that anyway, and not sooner.
        if self.target_of(first).is_some_and(|target| target.cooldown().is_none()) {
            let (tenant, target) = (&first.tenant, &first.target);
            far_side_is_back(&*self.store, &self.wake, tenant, target, self.clock.now()).await;
        }
    }

    /// Makes deliveries due, one after the other in the order of their ids: dead and delivered ones wait again and have
    /// their whole age before them, waiting ones are hurried. Returns their number; the others are silent, are being
    /// sent, or are none of the tenant's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retry(&self, tenant: &Tenant, ids: &[DeliveryId]) -> Result<u64, StoreError> {
        let retried = self.store.retry(tenant.name(), ids, SPACING, self.clock.now()).await?;
        self.wake.notify_one();
        Ok(retried)
    }

    /// Ends deliveries that wait; nothing of them is sent any more. Returns their number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn drop_waiting(&self, tenant: &Tenant, ids: &[DeliveryId]) -> Result<u64, StoreError> {
        let dropped = self.store.drop_waiting(tenant.name(), ids, "dropped on somebody's request").await?;
        self.wake.notify_one();
        Ok(dropped)
    }

    /// Makes what waits for targets due that were gone from the settings and are there again.
    pub(super) async fn adopt_orphans(&self, tenant: &Tenant) {
        let targets: Vec<String> = tenant.targets().iter().map(|target| target.name().to_owned()).collect();
        match self.store.adopt(tenant.name(), &targets, SPACING, self.clock.now()).await {
            Ok(0) => {}
            Ok(deliveries) => {
                tracing::info!(
                    tenant = tenant.name(),
                    deliveries,
                    "targets are back in the settings: what waits is due"
                );
                self.wake.notify_one();
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

/// Targets whose sessions say that their far sides are back, until the delivery loop has seen to them: a session neither
/// waits for the store, nor leaves somebody behind who does.
#[derive(Default)]
pub(super) struct ReturnedTargets(Mutex<BTreeSet<(String, String)>>);

impl Engine {
    /// Makes due what waits for targets whose sessions have said that their far sides are back.
    pub(super) async fn recover_returned(&self) {
        let returned = std::mem::take(&mut *self.returned.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (tenant, target) in returned {
            far_side_is_back(&*self.store, &self.wake, &tenant, &target, self.clock.now()).await;
        }
    }
}

/// A way for a session to say that its far side is back.
pub(super) fn retry_now_of(engine: &Engine, tenant: &str, target: &str) -> Arc<dyn Fn() + Send + Sync> {
    let (returned, wake) = (Arc::clone(&engine.returned), Arc::clone(&engine.wake));
    let key = (tenant.to_owned(), target.to_owned());
    Arc::new(move || {
        returned.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        wake.notify_one();
    })
}
