//! Workers: prepare and store the messages of claimed deliveries, send them, and settle what came of it.
//!
//! A delivery belongs to whoever has its lease. A message is stored before it is first sent, so that every later attempt,
//! also after a crash, sends the same bytes.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::leases::{HeldLeases, LEASE};
use super::retry::{self, FailedAttempt, Next};
use super::store_retry::{Progress, until_stored};
use super::{Engine, NODE, Tenant, build_changes, spans};
use campanile_model::{Event, Timestamp, TraceContext};
use campanile_outbound::trace;
use campanile_store::{Delivery, DeliveryState, Lease, Settlement, StoreError, Wait};
use campanile_targets::{Bundle, Fault, FaultCode, Outcome, Outgoing, Permanence, Prepared, Silence, Target};

/// Limit of time for an attempt, and for preparing its message before; one that takes longer has failed.
const MAX_ATTEMPT: Duration = Duration::from_secs(600);
/// Limit of deliveries of a batch that are prepared at once.
const PREPARED_AT_ONCE: usize = 64;
/// Pause before the second look for the changes of a build's revision; each further one is as long as the wait was so far.
const FIRST_CHANGE_LOOK: Duration = Duration::from_millis(500);

impl Engine {
    pub(super) fn target_of(&self, delivery: &Delivery) -> Option<Arc<dyn Target>> {
        self.tenant_named(&delivery.tenant)?.target(&delivery.target).cloned()
    }

    /// Sees a claimed delivery, and those behind it that go out together with it, through to their settlement. A panic in
    /// a target counts as a transient fault.
    ///
    /// Cancelled, it leaves leases behind and messages that may or may not have gone out.
    pub(super) async fn process_delivery(&self, first: Delivery) {
        let mut leases = self.leases.hold(first.lease());
        let batch = self.claim_batch(first, &mut leases).await;
        // Caught here and not by a task of its own, which would go on sending when this one is cut off. A panic leaves
        // nothing half done that is used again: what an attempt has of its own is dropped.
        let attempting = AssertUnwindSafe(self.attempt_in_turn(&batch)).catch_unwind();
        let attempted = tokio::select! {
            attempted = attempting => attempted,
            () = leases.lost() => return self.give_up(&batch).await,
        };
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
                untouched.push(delivery.lease());
                continue;
            };
            is_back |= self.record_settlement(delivery, &settlement);
            settling.push(self.settle(delivery, settlement));
        }
        // At once, so that they share a transaction.
        futures_util::future::join_all(settling).await;
        // After that: what this batch held up is due too.
        if let (true, Some(first)) = (is_back, batch.first()) {
            self.recover(first);
        }
        self.give_back(&untouched).await;
    }

    /// Gives up what has become somebody else's, or was ended: the rest of the batch goes back.
    async fn give_up(&self, batch: &[Delivery]) {
        let Some(Delivery { id, tenant, target, .. }) = batch.first() else { return };
        tracing::warn!(tenant, delivery = id, target, "delivery stopped: its lease was lost");
        let leases: Vec<_> = batch.iter().map(Delivery::lease).collect();
        self.give_back(&leases).await;
    }

    /// Gives deliveries back for which no attempt was made: they are due as they were before.
    pub(super) async fn give_back(&self, leases: &[Lease]) {
        if !leases.is_empty()
            && let Err(error) = self.store.release_unattempted(leases).await
        {
            let ids: Vec<_> = leases.iter().map(|lease| lease.delivery).collect();
            tracing::error!(deliveries = ?ids, "deliveries wait for their leases to run out: {error}");
        }
    }

    /// Stores a settlement. A store that takes nothing just now is asked again until it does, for as long as the engine
    /// runs: meanwhile nobody else begins with the delivery.
    async fn settle(&self, delivery: &Delivery, settlement: Settlement) {
        let Delivery { id, tenant, target, .. } = delivery;
        let (lease, now) = (delivery.lease(), self.clock.now());
        let log = |progress: Progress<'_>| match progress {
            Progress::Failing(error) => tracing::warn!(
                tenant,
                delivery = id,
                target,
                "delivery cannot be settled yet, tried again each second: {error}"
            ),
            Progress::Done { failures } => {
                tracing::info!(tenant, delivery = id, target, failures, "delivery settled at last");
            }
            Progress::Closed(error) => {
                tracing::error!(tenant, delivery = id, target, "delivery cannot be settled: {error}");
            }
        };
        // The same lease and time each time: should one that failed be stored all the same, it counts once.
        until_stored(|| self.store.settle(&lease, settlement.clone(), now), log).await;
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
    async fn claim_batch(&self, first: Delivery, leases: &mut HeldLeases) -> Vec<Delivery> {
        // A suspect goes alone: in company, nobody could tell what the engine dies of.
        let longest =
            self.target_of(&first).filter(|_| !first.is_suspect).map_or(1, |target| target.max_batch());
        let mut batch = vec![first];
        if let (Some(first), true) = (batch.first(), longest > 1)
            && first.ordering_key.is_some()
        {
            match self.store.claim_run(NODE, &first.lease(), longest - 1, LEASE, self.clock.now()).await {
                Ok(mut more) => {
                    let suspects = more.iter().position(|delivery| delivery.is_suspect).unwrap_or(more.len());
                    let later = more.split_off(suspects);
                    leases.add(more.iter().map(Delivery::lease));
                    batch.extend(more);
                    self.give_back(&later.iter().map(Delivery::lease).collect::<Vec<_>>()).await;
                }
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
    pub(super) async fn attempt(&self, batch: &[Delivery]) -> Vec<Option<Settlement>> {
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
        if let Err((index, settlement)) = self.bundle(&*target, &mut ready).await {
            settlements.get_mut(index).into_iter().for_each(|place| *place = Some(settlement.clone()));
            return settlements;
        }
        let (began, elapsed) = (self.clock.now(), Instant::now());
        let outgoing: Vec<_> = ready.iter().map(|ready| ready.outgoing(began)).collect();
        let traces: Vec<_> = ready.iter().map(|ready| self.span_of(ready.delivery)).collect();
        // Of a batch that goes out at once, the first one's trace goes along.
        let sending = trace::within(traces.first().copied().flatten(), target.send_batch(&outgoing));
        let sending = tokio::time::timeout(MAX_ATTEMPT, sending);
        let sent = self.cleared_by_time(batch, sending).await;
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

    /// Has a batch put together where its messages go out as one, and stores that before anything is sent. Fails with the
    /// index of the first delivery, and its settlement.
    async fn bundle(
        &self,
        target: &dyn Target,
        ready: &mut [PreparedDelivery<'_>],
    ) -> Result<(), (usize, Settlement)> {
        let now = self.clock.now();
        let outgoing: Vec<_> = ready.iter().map(|ready| ready.outgoing(now)).collect();
        let bundled = tokio::time::timeout(MAX_ATTEMPT, target.bundle(&outgoing)).await;
        let bundled = bundled.unwrap_or_else(|_| {
            Err(Fault::transient(FaultCode::Timeout, "the batch was not put together within 10 minutes"))
        });
        let Some(first) = ready.first_mut() else { return Ok(()) };
        let fault = match bundled {
            Ok(None) => return Ok(()),
            Ok(Some(Bundle { message, version })) => {
                match self.store.save_message(&first.delivery.lease(), &message, version.as_deref()).await {
                    Ok(()) => {
                        (first.message, first.version) = (message, version);
                        return Ok(());
                    }
                    Err(error) => store_fault(&error),
                }
            }
            Err(fault) => fault,
        };
        Err((first.index, self.settle_fault(first.delivery, &fault, None)))
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
        // Callbacks wait for each other without a limit, and a slot that is never given back is lost.
        let preparing = tokio::time::timeout(MAX_ATTEMPT, self.prepare(delivery, target)).await;
        let prepared = preparing.unwrap_or_else(|_| {
            Err(Fault::transient(FaultCode::Timeout, "the message was not written within 10 minutes").into())
        });
        match prepared {
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
            let saved = self.store.save_message(&delivery.lease(), message, version.as_deref()).await;
            saved.map_err(|error| store_fault(&error))?;
        }
        target.prepared(&event);
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
        self.note_rest(delivery, &outcome);
        match outcome {
            Outcome::Delivered(receipt) => self.settle_delivered(None, receipt),
            Outcome::Partial { receipt, refused } => {
                let text = format!("{receipt}; not to all: {}", refused.join("; "));
                self.settle_delivered(Some("partly"), text)
            }
            Outcome::Remainder { message, fault, not_before } => {
                match self.store.save_message(&delivery.lease(), &message, ready.version.as_deref()).await {
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

    /// Has a target rest whose far side asks for it, and ends that when something gets through.
    fn note_rest(&self, delivery: &Delivery, outcome: &Outcome) {
        let (tenant, target) = (&*delivery.tenant, &*delivery.target);
        match outcome {
            Outcome::Deferred { fault, not_before } | Outcome::Remainder { fault, not_before, .. } => {
                let of = self.tenant_named(tenant).unwrap_or_else(|| self.tenant());
                let longest = of.retry_policy(target).longest;
                let rest = self.rests.asked((tenant, target), fault, *not_before, longest, self.clock.now());
                if let Some(rest) = rest {
                    let seconds = rest.as_secs();
                    tracing::warn!(
                        tenant,
                        target,
                        seconds,
                        "target rests: its far side asks to be left alone"
                    );
                }
            }
            Outcome::Delivered(_) | Outcome::Partial { .. } => {
                if self.rests.got_through(tenant, target) {
                    tracing::info!(tenant, target, "target has rested: its far side takes messages again");
                }
            }
            Outcome::Refused(_) | Outcome::Silent(_) => {}
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

impl PreparedDelivery<'_> {
    fn outgoing(&self, now: Timestamp) -> Outgoing<'_> {
        let Delivery { created, attempts, .. } = self.delivery;
        Outgoing { message: &self.message, age: now.since(*created), failures: *attempts, now }
    }
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
