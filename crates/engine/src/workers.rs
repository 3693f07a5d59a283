//! Workers: claim due deliveries, prepare and store their messages, send them, and settle what came of it.
//!
//! A delivery belongs to whoever has its lease. A message is stored before it is first sent, so that every later attempt,
//! also after a crash, sends the same bytes.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::retry::{self, FailedAttempt, Next};
use super::scheduler::{FairScheduler, Slot};
use super::{Engine, NODE, Tenant, build_changes, spans};
use campanile_model::{Event, Timestamp, TraceContext};
use campanile_outbound::trace;
use campanile_store::{ClaimQuota, Delivery, DeliveryState, Settlement, StoreError, Wait};
use campanile_targets::{Fault, FaultCode, Outcome, Outgoing, Permanence, Prepared, Silence, Target};

/// Time of a lease: the longest attempt, and what may pass between the claim and its beginning.
const LEASE: Duration = Duration::from_secs(900);
/// Limit of time for an attempt; one that takes longer has failed.
const MAX_ATTEMPT: Duration = Duration::from_secs(600);
/// Limit of deliveries of a batch that are prepared at once.
const PREPARED_AT_ONCE: usize = 64;
/// Longest wait for news when nothing is due. A safety net: whoever stores something wakes the workers.
const IDLE: Duration = Duration::from_secs(5);
/// Longest time between two looks at all tenants while claimed deliveries wait for slots.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause before the second look for the changes of a build's revision; each further one is as long as the wait was so far.
const FIRST_CHANGE_LOOK: Duration = Duration::from_millis(500);
/// Pause after a claim or a settlement that failed: a store that is full or locked is not asked in a loop.
const STORE_PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// Delivers until `stop` says so; then finishes what is in flight, for `drain` at most, and gives the rest back.
    /// Only one call at a time: leases that this node had before are given back at the start.
    ///
    /// # Errors
    /// When the store can't be asked at all at the start or the end.
    pub async fn run_deliveries(
        self: Arc<Self>,
        concurrency: usize,
        mut stop: watch::Receiver<bool>,
        drain: Duration,
    ) -> Result<(), StoreError> {
        // Left by a crash: without this they would wait for their leases to run out.
        self.store.release(NODE).await?;
        self.resume_clock().await?;
        for tenant in self.tenants().iter() {
            self.open_targets(tenant, None).await;
        }
        let mut in_flight = JoinSet::new();
        let mut scheduler = FairScheduler::default();
        let mut news = true;
        let mut looked = Instant::now();
        let mut ticked = looked;
        while !*stop.borrow() {
            self.passes.send_modify(|passes| *passes = passes.wrapping_add(1));
            while in_flight.try_join_next().is_some() {}
            self.follow_clock(&mut ticked).await;
            let quota = self.tenants().in_flight_quota(concurrency);
            if news {
                looked = Instant::now();
            }
            if news || scheduler.needs_more(&quota) {
                news = !self.claim(&mut scheduler, &quota, news, concurrency).await;
            }
            while in_flight.len() < concurrency
                && let Some(Slot { delivery, claimed, guard }) = scheduler.next(&quota)
            {
                if claimed.elapsed() > LEASE - MAX_ATTEMPT {
                    // An attempt could outlive its lease, and then two would be made at once. Left alone, it is claimed
                    // anew when the lease has run out.
                    continue;
                }
                let engine = Arc::clone(&self);
                in_flight.spawn(async move {
                    let is_ordered = delivery.ordering_key.is_some();
                    engine.process_delivery(delivery, claimed).await;
                    // Before the wake-up: who is woken must find the slot free.
                    drop(guard);
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
                if scheduler.is_empty() {
                    let due = self.until_next_due(&quota).await;
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = tokio::time::sleep(due) => {}
                    }
                    return true;
                }
                tokio::select! {
                    () = self.wake.notified() => true,
                    // There is a slot for one of those that are claimed.
                    Some(_) = in_flight.join_next() => false,
                    // Nobody wakes us when the time of a retry has come: as long as one tenant's deliveries hang here or
                    // flood us, those of all others would stay in the store.
                    () = tokio::time::sleep_until(looked + LOOK_EVERY) => true,
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                more = waiting => news |= more,
            }
        }
        let finished = async { while in_flight.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, finished).await.is_err() {
            let count = in_flight.len();
            tracing::warn!(deliveries = count, "deliveries were cut off: they go out after the next start");
            // Before the leases are given back: whoever claims them next must be the only one at it.
            in_flight.shutdown().await;
        }
        for tenant in self.tenants().iter() {
            for target in tenant.targets() {
                target.close().await;
            }
        }
        self.store.tick(0, self.clock.now()).await?;
        self.store.release(NODE).await
    }

    /// Claims deliveries that tenants lack: of all tenants, or of those that may have more. False if the store failed.
    async fn claim(
        &self,
        scheduler: &mut FairScheduler,
        quota: &ClaimQuota,
        all: bool,
        concurrency: usize,
    ) -> bool {
        let wanted = scheduler.claim_quota(quota, all, concurrency);
        if wanted.is_empty() {
            return true;
        }
        // Taken before the claim: the lease must not look younger than it is.
        let began = Instant::now();
        match self.store.claim(NODE, &wanted, LEASE, self.clock.now()).await {
            Ok(claimed) => {
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

    /// The time until the next delivery of these tenants is due, `IDLE` at most.
    async fn until_next_due(&self, quota: &ClaimQuota) -> Duration {
        let due = self.store.due().await.unwrap_or_default().into_iter();
        let due = due.filter(|(tenant, _)| quota.contains_key(tenant)).map(|(_, due)| due).min();
        due.map_or(IDLE, |due| due.since(self.clock.now()).clamp(Duration::from_millis(1), IDLE))
    }

    pub(super) fn target_of(&self, delivery: &Delivery) -> Option<Arc<dyn Target>> {
        self.tenant_named(&delivery.tenant)?.target(&delivery.target).cloned()
    }

    /// Sees a claimed delivery, and those behind it that go out together with it, through to their settlement. A panic in
    /// a target counts as a transient fault.
    ///
    /// Cancelled, it leaves leases behind and messages that may or may not have gone out.
    async fn process_delivery(&self, first: Delivery, claimed: Instant) {
        let batch = self.claim_batch(first).await;
        // Caught here and not by a task of its own, which would go on sending when this one is cut off. A panic leaves
        // nothing half done that is used again: what an attempt has of its own is dropped.
        let attempted = AssertUnwindSafe(self.attempt(&batch)).catch_unwind().await;
        let settlements = attempted.unwrap_or_else(|panic| {
            let Some(first) = batch.first() else { return Vec::new() };
            let Delivery { id, tenant, target, .. } = first;
            tracing::error!(tenant, delivery = id, target, "target panicked: {}", panic_text(&*panic));
            let fault =
                Fault::transient(FaultCode::Local, "the target failed inside; this is a bug in campanile");
            vec![Some(self.settle_fault(first, &fault, None))]
        });
        self.apply_cooldown(&batch, &settlements).await;
        let mut settling = Vec::with_capacity(batch.len());
        let mut untouched = Vec::new();
        let mut is_back = false;
        let settlements = settlements.into_iter().chain(std::iter::repeat_with(|| None));
        for (delivery, settlement) in batch.iter().zip(settlements) {
            let Some(settlement) = settlement else {
                untouched.push(delivery.id);
                continue;
            };
            is_back |= self.record_settlement(delivery, &settlement);
            settling.push(self.settle(delivery, settlement, claimed));
        }
        // At once, so that they share a transaction.
        futures_util::future::join_all(settling).await;
        // After that: what this batch held up is due too.
        if let (true, Some(first)) = (is_back, batch.first()) {
            self.recover(first).await;
        }
        if !untouched.is_empty()
            && let Err(error) = self.store.release_unattempted(NODE, &untouched).await
        {
            tracing::error!(deliveries = ?untouched, "deliveries wait for their leases to run out: {error}");
        }
    }

    /// Stores a settlement. A store that takes nothing just now is asked again until it does or the lease is lost: then the
    /// same message goes out once more, with the same Message-ID.
    async fn settle(&self, delivery: &Delivery, settlement: Settlement, claimed: Instant) {
        let Delivery { id, tenant, target, .. } = delivery;
        let now = self.clock.now();
        let mut failures = 0_u32;
        loop {
            let Err(error) = self.store.settle(*id, settlement.clone(), now).await else { break };
            failures += 1;
            if matches!(error, StoreError::Closed) || claimed.elapsed() + STORE_PAUSE > LEASE {
                return tracing::error!(tenant, delivery = id, target, "delivery cannot be settled: {error}");
            }
            if failures == 1 {
                tracing::warn!(
                    tenant,
                    delivery = id,
                    target,
                    "delivery cannot be settled yet, tried again each second: {error}"
                );
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
        if failures > 0 {
            tracing::info!(tenant, delivery = id, target, failures, "delivery settled at last");
        }
    }

    /// Has what waits behind a delivered batch wait for as long as its target wants to be left alone. Before the batch is
    /// settled: until then nobody can claim what is behind it.
    async fn apply_cooldown(&self, batch: &[Delivery], settlements: &[Option<Settlement>]) {
        let is_taken = settlements.iter().flatten().any(|settled| settled.state == DeliveryState::Delivered);
        let (true, Some(first)) = (is_taken, batch.first()) else { return };
        let Some(key) = &first.ordering_key else { return };
        let Some(cooldown) = self.target_of(first).and_then(|target| target.cooldown()) else { return };
        let (Delivery { tenant, target, .. }, until) = (first, self.clock.now().after(cooldown));
        if let Err(error) = self.store.defer_target(tenant, target, key, until).await {
            tracing::error!(tenant, target, "target gets its next message without a cooldown: {error}");
        }
    }

    /// A claimed delivery, and as many of those behind it, claimed now, as its target takes at once.
    async fn claim_batch(&self, first: Delivery) -> Vec<Delivery> {
        let longest = self.target_of(&first).map_or(1, |target| target.max_batch());
        let mut batch = vec![first];
        if let (Some(first), true) = (batch.first(), longest > 1)
            && first.ordering_key.is_some()
        {
            match self.store.claim_run(NODE, first.id, longest - 1, LEASE, self.clock.now()).await {
                Ok(more) => batch.extend(more),
                Err(error) => {
                    let Delivery { id, tenant, target, .. } = first;
                    tracing::error!(tenant, delivery = id, target, "delivery goes out alone: {error}");
                }
            }
        }
        batch
    }

    /// Prepares the deliveries of a batch and sends them. One settlement each, in their order; none for those that
    /// nothing was done about.
    async fn attempt(&self, batch: &[Delivery]) -> Vec<Option<Settlement>> {
        let Some(first) = batch.first() else { return Vec::new() };
        let Some(target) = self.target_of(first) else {
            let settled = batch.iter().map(|delivery| self.settle_orphan(delivery));
            return futures_util::future::join_all(settled).await.into_iter().map(Some).collect();
        };
        let mut settlements = Vec::with_capacity(batch.len());
        let mut ready = Vec::with_capacity(batch.len());
        // Side by side, so that storing their messages shares transactions.
        let preparing: Vec<_> = batch.iter().map(|delivery| self.message(delivery, &*target)).collect();
        let mut messages = stream::iter(preparing).buffered(PREPARED_AT_ONCE);
        for delivery in batch {
            let Some(message) = messages.next().await else { break };
            match message {
                Ok((message, version)) => {
                    ready.push(PreparedDelivery { index: settlements.len(), delivery, message, version });
                    settlements.push(None);
                }
                Err(settlement) => {
                    let waits = settlement.state == DeliveryState::Waiting;
                    settlements.push(Some(settlement));
                    if waits {
                        // Those behind it must not overtake it.
                        break;
                    }
                }
            }
        }
        let (began, elapsed) = (self.clock.now(), Instant::now());
        let outgoing: Vec<_> = ready
            .iter()
            .map(|PreparedDelivery { delivery, message, .. }| Outgoing {
                message,
                age: began.since(delivery.created),
                failures: delivery.attempts,
                now: began,
            })
            .collect();
        let traces: Vec<_> = ready.iter().map(|ready| self.span_of(ready.delivery)).collect();
        // Of a batch that goes out at once, the first one's trace goes along.
        let sending = trace::within(traces.first().copied().flatten(), target.send_batch(&outgoing));
        let sent = tokio::time::timeout(MAX_ATTEMPT, sending).await;
        self.metrics.sent(&first.tenant, &first.target, elapsed.elapsed());
        let outcomes = sent.unwrap_or_else(|_| {
            let fault = Fault::transient(FaultCode::Timeout, "the attempt took longer than 10 minutes");
            vec![Outcome::Deferred { fault, not_before: None }]
        });
        for ((ready, outcome), trace) in ready.iter().zip(outcomes).zip(traces) {
            spans::sent(&self.telemetry, trace, ready.delivery, began, &outcome);
            if let Some(settlement) = settlements.get_mut(ready.index) {
                *settlement = Some(self.settlement(ready, outcome).await);
            }
        }
        settlements
    }

    /// The bytes to send and the callback version that wrote them, or the settlement of a delivery that has none.
    async fn message(
        &self,
        delivery: &Delivery,
        target: &dyn Target,
    ) -> Result<(Vec<u8>, Option<String>), Settlement> {
        if let Some(after) = target.max_age().filter(|age| self.clock.now() > delivery.created.after(*age)) {
            return Err(self.settle_silence(&Silence::Expired { after }));
        }
        if let Some(message) = &delivery.message {
            return Ok((message.clone(), delivery.callback_version.clone()));
        }
        match self.prepare(delivery, target).await {
            Ok(Prepared::Message { message, version }) => Ok((message, version)),
            Ok(Prepared::Silent(silence)) => Err(self.settle_silence(&silence)),
            Err(Unprepared::Fault(fault)) => Err(self.settle_fault(delivery, &fault, None)),
            Err(Unprepared::LacksChanges { until }) => Err(self.settle_lack_of_changes(until)),
        }
    }

    /// Prepares the message and stores it: from then on every attempt sends just these bytes.
    async fn prepare(&self, delivery: &Delivery, target: &dyn Target) -> Result<Prepared, Unprepared> {
        let stored = match delivery.event() {
            Ok(None) => self.store.event(&delivery.tenant, delivery.event).await,
            other => other,
        };
        let Some(mut event) = stored.map_err(|error| store_fault(&error))? else {
            return Err(Fault::permanent(FaultCode::Store, "its event is no longer in the store").into());
        };
        let Some(tenant) = self.tenant_named(&delivery.tenant) else {
            return Err(Fault::permanent(FaultCode::TargetGone, "its tenant is not here any more").into());
        };
        if let Some(backfill) = tenant.backfill() {
            backfill.complete_event(&mut event, delivery.created, self.clock.now()).await?;
        }
        if target.tells_changes() {
            self.complete_changes(&tenant, delivery, &mut event).await?;
        }
        let (began, trace) = (self.clock.now(), self.span_of(delivery));
        let prepared = trace::within(trace, target.prepare(&event, &tenant.context(delivery, began))).await;
        let error = prepared.as_ref().err().map(|fault| fault.text.clone());
        spans::prepared(&self.telemetry, trace, delivery, began, error);
        let prepared = prepared?;
        if let Prepared::Message { message, version } = &prepared {
            let saved = self.store.save_message(delivery.id, message, version.as_deref()).await;
            saved.map_err(|error| store_fault(&error))?;
        }
        Ok(prepared)
    }

    /// Completes the build of an event with the changes that pushes told of. When nobody has told of its revision yet, the
    /// push may still be on its way, and the delivery waits for it for a short time.
    async fn complete_changes(
        &self,
        tenant: &Tenant,
        delivery: &Delivery,
        event: &mut Event,
    ) -> Result<(), Unprepared> {
        let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else { return Ok(()) };
        let completed = build_changes::complete(&*self.store, tenant.name(), build).await;
        let is_known = completed.map_err(|error| store_fault(&error))?;
        let (until, now) = (delivery.created.after(tenant.change_wait()), self.clock.now());
        if is_known || now >= until {
            return Ok(());
        }
        // Most pushes are told of in the first second; the longer it takes, the rarer it is looked for.
        let pause = now.since(delivery.created).max(FIRST_CHANGE_LOOK);
        Err(Unprepared::LacksChanges { until: now.after(pause).min(until) })
    }

    /// The settlement that an outcome leads to.
    async fn settlement(&self, ready: &PreparedDelivery<'_>, outcome: Outcome) -> Settlement {
        let delivery = ready.delivery;
        match outcome {
            Outcome::Delivered(receipt) => self.settle_delivered(None, receipt),
            Outcome::Partial { receipt, refused } => {
                let text = format!("{receipt}; not to all: {}", refused.join("; "));
                self.settle_delivered(Some("partly"), text)
            }
            Outcome::Remainder { message, fault, not_before } => {
                match self.store.save_message(delivery.id, &message, ready.version.as_deref()).await {
                    Ok(()) => self.settle_fault(delivery, &fault, not_before),
                    Err(error) => self.settle_fault(delivery, &store_fault(&error), None),
                }
            }
            Outcome::Deferred { fault, not_before } => self.settle_fault(delivery, &fault, not_before),
            Outcome::Refused(fault) => {
                self.settle_fault(delivery, &Fault { permanence: Permanence::Permanent, ..fault }, None)
            }
            Outcome::Silent(silence) => self.settle_silence(&silence),
        }
    }

    /// A span of its own for something that is done for a delivery, as part of the delivery's trace.
    fn span_of(&self, delivery: &Delivery) -> Option<TraceContext> {
        self.telemetry.child_of(delivery.trace)
    }

    fn settle_fault(&self, delivery: &Delivery, fault: &Fault, not_before: Option<Timestamp>) -> Settlement {
        let failed = FailedAttempt {
            attempt: delivery.attempts.saturating_add(1),
            created: delivery.created,
            fault,
            not_before,
            now: self.clock.now(),
        };
        let tenant = self.tenant_named(&delivery.tenant).unwrap_or_else(|| self.tenant());
        let (state, not_before) =
            match retry::next(&tenant.retry_policy(&delivery.target), failed, fastrand::f64()) {
                Next::At(at) => (DeliveryState::Waiting, at),
                Next::Dead => (DeliveryState::Dead, failed.now),
            };
        let patience = self.target_of(delivery).and_then(|target| target.order_patience());
        let wait = retry::wait(failed, patience);
        Settlement {
            state,
            attempted: true,
            code: Some(fault.code.name().to_owned()),
            text: fault.text.clone(),
            not_before,
            wait,
        }
    }

    fn settle_lack_of_changes(&self, not_before: Timestamp) -> Settlement {
        Settlement {
            state: DeliveryState::Waiting,
            attempted: false,
            code: None,
            text: "it waits for the push of its revision to be told of".to_owned(),
            not_before,
            wait: Wait::OfItsOwn,
        }
    }

    fn settle_silence(&self, silence: &Silence) -> Settlement {
        Settlement {
            state: DeliveryState::Silent,
            attempted: false,
            code: Some(silence.code().to_owned()),
            text: silence.to_string(),
            not_before: self.clock.now(),
            wait: Wait::default(),
        }
    }

    fn settle_delivered(&self, code: Option<&str>, text: String) -> Settlement {
        Settlement {
            state: DeliveryState::Delivered,
            attempted: true,
            code: code.map(str::to_owned),
            text,
            not_before: self.clock.now(),
            wait: Wait::default(),
        }
    }

    /// Counts and logs a settlement; true if it shows that a far side is back that was away.
    fn record_settlement(&self, delivery: &Delivery, settlement: &Settlement) -> bool {
        let code = settlement.code.as_deref().unwrap_or("");
        let (state, text) = (settlement.state, &settlement.text);
        let Delivery { id, tenant, target, subject, .. } = delivery;
        if state == DeliveryState::Waiting && settlement.code.is_none() {
            tracing::debug!(tenant, delivery = id, target, subject, "delivery waits: {text}");
            return false;
        }
        self.metrics.delivery(tenant, target, state.name(), code);
        let is_back = self.health.record(tenant, target, settlement);
        match state {
            DeliveryState::Delivered => {
                self.metrics.delivered_after(self.clock.now().since(delivery.created));
                tracing::info!(tenant, delivery = id, target, subject, "delivery delivered: {text}");
            }
            DeliveryState::Silent => {
                tracing::debug!(tenant, delivery = id, target, subject, code, "delivery silent: {text}");
            }
            DeliveryState::Waiting => {
                tracing::warn!(
                    tenant,
                    delivery = id,
                    target,
                    subject,
                    code,
                    "delivery failed, to be tried again: {text}"
                );
            }
            DeliveryState::Dead => {
                tracing::error!(tenant, delivery = id, target, subject, code, "delivery given up: {text}");
            }
        }
        is_back
    }
}

/// A delivery of a batch that has its message.
struct PreparedDelivery<'a> {
    /// Its index in the batch.
    index: usize,
    delivery: &'a Delivery,
    message: Vec<u8>,
    version: Option<String>,
}

/// The reason why a delivery has no message yet.
enum Unprepared {
    Fault(Fault),
    /// Changes of its build may still come; until then it waits.
    LacksChanges {
        until: Timestamp,
    },
}

impl From<Fault> for Unprepared {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn store_fault(error: &StoreError) -> Fault {
    Fault::transient(FaultCode::Store, error.to_string())
}

/// The text of a panic, which is what `panic!` was given.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it gave no reason")
}
