//! Sees deliveries through: claims what is due, prepares it, keeps the message, sends it, notes what it came to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::retry::{self, Failed, Next};
use super::scheduler::{FairScheduler, Slot};
use super::{Engine, NODE, now, spans};
use campanile_model::{Timestamp, TraceContext};
use campanile_outbound::trace;
use campanile_store::{ClaimQuota, Delivery, DeliveryState, Settlement, StoreError};
use campanile_targets::{Fault, FaultCode, Outcome, Outgoing, Permanence, Prepared, Silence, Target};

/// A lease outlives the longest attempt, and some waiting before it.
const LEASE: Duration = Duration::from_secs(900);
/// An attempt that takes longer has failed.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(600);
/// So many deliveries of a run are prepared at once.
const PREPARED_AT_ONCE: usize = 64;
/// How long to wait for news when nothing is due; wake-ups make this a safety net only.
const IDLE: Duration = Duration::from_secs(5);

impl Engine {
    /// Delivers until `stop` says so; then finishes what is under way, for `drain` at most, and gives the rest back.
    ///
    /// # Errors
    /// When the store can't be asked at all at the start or the end.
    pub async fn run_deliveries(
        self: Arc<Self>,
        concurrency: usize,
        mut stop: watch::Receiver<bool>,
        drain: Duration,
    ) -> Result<(), StoreError> {
        self.store.release(NODE).await?;
        for tenant in self.tenants().iter() {
            self.open_targets(tenant, None).await;
        }
        let mut under_way = JoinSet::new();
        let mut turns = FairScheduler::default();
        let mut news = true;
        while !*stop.borrow() {
            self.turns.send_modify(|turns| *turns = turns.wrapping_add(1));
            while under_way.try_join_next().is_some() {}
            let shares = self.tenants().shares(concurrency);
            if news || turns.want_more(&shares) {
                news = !self.claim_more(&mut turns, &shares, news, concurrency).await;
            }
            while under_way.len() < concurrency
                && let Some(Slot { delivery, claimed, held }) = turns.next(&shares)
            {
                if claimed.elapsed() > LEASE - LONGEST_ATTEMPT {
                    // An attempt could outlive its lease: it is claimed anew when that has run out.
                    continue;
                }
                let engine = Arc::clone(&self);
                under_way.spawn(async move {
                    let ordered = delivery.ordering_key.is_some();
                    engine.process_delivery(delivery).await;
                    drop(held);
                    if ordered {
                        // Its end may be what another one of the same key waits for.
                        engine.wake.notify_one();
                    }
                });
            }
            let waiting = async {
                if news {
                    return true;
                }
                if turns.is_empty() {
                    let due = self.until_next_due(&shares).await;
                    // Either way there may be something to claim.
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = tokio::time::sleep(due) => {}
                    }
                    return true;
                }
                tokio::select! {
                    () = self.wake.notified() => true,
                    // There is room for another one.
                    Some(_) = under_way.join_next() => false,
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                more = waiting => news |= more,
            }
        }
        let drained =
            tokio::time::timeout(drain, async { while under_way.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!("{} deliveries were cut off and go out after the next start", under_way.len());
            under_way.shutdown().await;
        }
        for tenant in self.tenants().iter() {
            for target in tenant.targets() {
                target.close().await;
            }
        }
        self.store.release(NODE).await
    }

    /// Claims what tenants lack, of everybody or of those that are known to have more. False if the store failed.
    async fn claim_more(
        &self,
        turns: &mut FairScheduler,
        shares: &ClaimQuota,
        all: bool,
        concurrency: usize,
    ) -> bool {
        let wanted = turns.wanted(shares, all, concurrency);
        if wanted.is_empty() {
            return true;
        }
        match self.store.claim(NODE, &wanted, LEASE, now()).await {
            Ok(claimed) => {
                turns.add(&wanted, claimed, Instant::now());
                true
            }
            Err(error) => {
                tracing::error!("cannot claim deliveries: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
                false
            }
        }
    }

    async fn until_next_due(&self, shares: &ClaimQuota) -> Duration {
        let due = self.store.due().await.unwrap_or_default().into_iter();
        let due = due.filter(|(tenant, _)| shares.contains_key(tenant)).map(|(_, due)| due).min();
        due.map_or(IDLE, |due| due.since(now()).clamp(Duration::from_millis(1), IDLE))
    }

    fn target_of(&self, delivery: &Delivery) -> Option<Arc<dyn Target>> {
        self.tenant_named(&delivery.tenant)?.target(&delivery.target).cloned()
    }

    /// A delivery, and those behind it that go out together with it, from their claim to their settlement. A panic in
    /// a target counts as a fault that may pass.
    async fn process_delivery(self: &Arc<Self>, first: Delivery) {
        let run = Arc::new(self.run_behind(first).await);
        let (engine, attempt) = (Arc::clone(self), Arc::clone(&run));
        let attempted = tokio::spawn(async move { engine.attempt(&attempt).await }).await;
        let settlements = attempted.unwrap_or_else(|panic| {
            let Some(first) = run.first() else { return Vec::new() };
            tracing::error!(delivery = first.id, target = first.target, "a target panicked: {panic}");
            let fault =
                Fault::transient(FaultCode::Local, "the target failed inside; this is a bug in campanile");
            vec![Some(self.settle_fault(first, &fault, None))]
        });
        self.apply_cooldown(&run, &settlements).await;
        let mut settling = Vec::with_capacity(run.len());
        let mut untouched = Vec::new();
        for (delivery, settlement) in
            run.iter().zip(settlements.into_iter().chain(std::iter::repeat_with(|| None)))
        {
            match settlement {
                Some(settlement) => {
                    self.note(delivery, &settlement);
                    settling.push(async move {
                        if let Err(error) = self.store.settle(delivery.id, settlement, now()).await {
                            // The lease runs out and the same message goes out once more, with the same Message-ID.
                            let id = delivery.id;
                            tracing::error!(delivery = id, "cannot note what became of a delivery: {error}");
                        }
                    });
                }
                None => untouched.push(delivery.id),
            }
        }
        // At once, so that they share a transaction.
        futures_util::future::join_all(settling).await;
        if !untouched.is_empty()
            && let Err(error) = self.store.release_unattempted(NODE, &untouched).await
        {
            tracing::error!(
                "cannot give deliveries back, which go out when their leases have run out: {error}"
            );
        }
    }

    /// What waits behind those that a target took over is not due at once, if the target wants to be left alone. Before
    /// they are settled: until then nobody can claim it.
    async fn apply_cooldown(&self, run: &[Delivery], settlements: &[Option<Settlement>]) {
        let taken = settlements.iter().flatten().any(|settled| settled.state == DeliveryState::Delivered);
        if let (true, Some(first)) = (taken, run.first())
            && let Some(key) = &first.ordering_key
            && let Some(rest) = self.target_of(first).and_then(|target| target.cooldown())
            && let Err(error) =
                self.store.defer_target(&first.tenant, &first.target, key, now().after(rest)).await
        {
            tracing::error!("cannot note that a target rests: {error}");
        }
    }

    /// A claimed delivery, and as many of those behind it as its target takes at once.
    async fn run_behind(&self, first: Delivery) -> Vec<Delivery> {
        let longest = self.target_of(&first).map_or(1, |target| target.max_batch());
        let mut run = vec![first];
        if let (Some(first), true) = (run.first(), longest > 1)
            && first.ordering_key.is_some()
        {
            match self.store.claim_run(NODE, first.id, longest - 1, LEASE, now()).await {
                Ok(more) => run.extend(more),
                Err(error) => tracing::error!("cannot claim what waits behind a delivery: {error}"),
            }
        }
        run
    }

    /// Readies the deliveries of a run and hands them over. None for those that nothing was done about.
    async fn attempt(&self, run: &[Delivery]) -> Vec<Option<Settlement>> {
        let Some(first) = run.first() else { return Vec::new() };
        let Some(target) = self.target_of(first) else {
            let text = format!("there is no target `{}` in the settings any more", first.target);
            let fault = Fault::permanent(FaultCode::TargetGone, text);
            return run.iter().map(|delivery| Some(self.settle_fault(delivery, &fault, None))).collect();
        };
        let mut settlements = Vec::with_capacity(run.len());
        let mut ready = Vec::with_capacity(run.len());
        // Side by side, so that keeping their messages shares transactions.
        let preparing: Vec<_> = run.iter().map(|delivery| self.message(delivery, &*target)).collect();
        let mut messages = stream::iter(preparing).buffered(PREPARED_AT_ONCE);
        for delivery in run {
            let Some(message) = messages.next().await else { break };
            match message {
                Ok((message, version)) => {
                    ready.push(Ready { place: settlements.len(), delivery, message, version });
                    settlements.push(None);
                }
                Err(settlement) => {
                    let waits = settlement.state == DeliveryState::Waiting;
                    settlements.push(Some(settlement));
                    if waits {
                        break;
                    }
                }
            }
        }
        let (began, clock) = (now(), Instant::now());
        let outgoing: Vec<_> = ready
            .iter()
            .map(|Ready { delivery, message, .. }| Outgoing {
                message,
                age: began.since(delivery.created),
                failures: delivery.attempts,
                now: began,
            })
            .collect();
        let traces: Vec<_> = ready.iter().map(|ready| self.part_of(ready.delivery)).collect();
        // Of a run that goes out at once, the first one's trace goes along.
        let sending = trace::within(traces.first().copied().flatten(), target.send_batch(&outgoing));
        let sent = tokio::time::timeout(LONGEST_ATTEMPT, sending).await;
        self.metrics.sent(&first.tenant, &first.target, clock.elapsed());
        let outcomes = sent.unwrap_or_else(|_| {
            let fault = Fault::transient(FaultCode::Timeout, "the attempt took longer than 10 minutes");
            vec![Outcome::Deferred { fault, not_before: None }]
        });
        for ((ready, outcome), trace) in ready.iter().zip(outcomes).zip(traces) {
            spans::sent(&self.telemetry, trace, ready.delivery, began, &outcome);
            if let Some(settlement) = settlements.get_mut(ready.place) {
                *settlement = Some(self.settlement(ready, outcome).await);
            }
        }
        settlements
    }

    /// The bytes to send and the callback version that wrote them, or what the delivery comes to without any.
    async fn message(
        &self,
        delivery: &Delivery,
        target: &dyn Target,
    ) -> Result<(Vec<u8>, Option<String>), Settlement> {
        if let Some(after) = target.max_age().filter(|age| now() > delivery.created.after(*age)) {
            return Err(settle_silence(&Silence::Expired { after }));
        }
        if let Some(message) = &delivery.message {
            return Ok((message.clone(), delivery.callback_version.clone()));
        }
        match self.prepare(delivery, target).await {
            Ok(Prepared::Message { message, version }) => Ok((message, version)),
            Ok(Prepared::Silent(silence)) => Err(settle_silence(&silence)),
            Err(fault) => Err(self.settle_fault(delivery, &fault, None)),
        }
    }

    async fn settlement(&self, ready: &Ready<'_>, outcome: Outcome) -> Settlement {
        let delivery = ready.delivery;
        match outcome {
            Outcome::Delivered(receipt) => settle_delivered(None, receipt),
            Outcome::Partial { receipt, refused } => {
                settle_delivered(Some("partly"), format!("{receipt}; not to all: {}", refused.join("; ")))
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
            Outcome::Silent(silence) => settle_silence(&silence),
        }
    }

    /// Prepares the message and keeps it: from then on every attempt sends just these bytes.
    async fn prepare(&self, delivery: &Delivery, target: &dyn Target) -> Result<Prepared, Fault> {
        let stored = match delivery.event() {
            Ok(None) => self.store.event(&delivery.tenant, delivery.event).await,
            other => other,
        };
        let Some(mut event) = stored.map_err(|error| store_fault(&error))? else {
            return Err(Fault::permanent(FaultCode::Store, "its event is no longer in the store"));
        };
        let Some(tenant) = self.tenant_named(&delivery.tenant) else {
            return Err(Fault::permanent(FaultCode::TargetGone, "its tenant is not here any more"));
        };
        if let Some(fetched) = tenant.fetched() {
            fetched.complete_event(&mut event, delivery.created, now()).await?;
        }
        let (began, trace) = (now(), self.part_of(delivery));
        let prepared = trace::within(trace, target.prepare(&event, &tenant.context(delivery))).await;
        let error = prepared.as_ref().err().map(|fault| fault.text.clone());
        spans::prepared(&self.telemetry, trace, delivery, began, error);
        let prepared = prepared?;
        if let Prepared::Message { message, version } = &prepared {
            let saved = self.store.save_message(delivery.id, message, version.as_deref()).await;
            saved.map_err(|error| store_fault(&error))?;
        }
        Ok(prepared)
    }

    /// Where something stands that is done for a delivery.
    fn part_of(&self, delivery: &Delivery) -> Option<TraceContext> {
        self.telemetry.begin(delivery.trace)
    }

    fn settle_fault(&self, delivery: &Delivery, fault: &Fault, not_before: Option<Timestamp>) -> Settlement {
        let failed = Failed {
            attempt: delivery.attempts.saturating_add(1),
            created: delivery.created,
            fault,
            not_before,
            now: now(),
        };
        let tenant = self.tenant_named(&delivery.tenant).unwrap_or_else(|| self.tenant());
        let (state, not_before) =
            match retry::next(&tenant.retry_policy(&delivery.target), failed, fastrand::f64()) {
                Next::At(at) => (DeliveryState::Waiting, at),
                Next::Dead => (DeliveryState::Dead, failed.now),
            };
        Settlement {
            state,
            attempted: true,
            code: Some(fault.code.name().to_owned()),
            text: fault.text.clone(),
            not_before,
        }
    }

    fn note(&self, delivery: &Delivery, settlement: &Settlement) {
        let code = settlement.code.as_deref().unwrap_or("");
        let (state, text) = (settlement.state, &settlement.text);
        let Delivery { id, tenant, target, subject, .. } = delivery;
        self.metrics.delivery(tenant, target, state.name(), code);
        self.failing.note(tenant, target, settlement);
        match state {
            DeliveryState::Delivered => {
                self.metrics.delivered_after(now().since(delivery.created));
                tracing::info!(tenant, delivery = id, target, subject, "delivered: {text}");
            }
            DeliveryState::Silent => {
                tracing::debug!(tenant, delivery = id, target, subject, code, "nothing sent: {text}");
            }
            DeliveryState::Waiting => {
                tracing::warn!(
                    tenant,
                    delivery = id,
                    target,
                    subject,
                    code,
                    "failed, to be tried again: {text}"
                );
            }
            DeliveryState::Dead => {
                tracing::error!(tenant, delivery = id, target, subject, code, "given up: {text}");
            }
        }
    }
}

/// A delivery of a run that has its message.
struct Ready<'a> {
    /// In the run.
    place: usize,
    delivery: &'a Delivery,
    message: Vec<u8>,
    version: Option<String>,
}

fn store_fault(error: &StoreError) -> Fault {
    Fault::transient(FaultCode::Store, error.to_string())
}

fn settle_silence(silence: &Silence) -> Settlement {
    Settlement {
        state: DeliveryState::Silent,
        attempted: false,
        code: Some(silence.code().to_owned()),
        text: silence.to_string(),
        not_before: now(),
    }
}

fn settle_delivered(code: Option<&str>, text: String) -> Settlement {
    Settlement {
        state: DeliveryState::Delivered,
        attempted: true,
        code: code.map(str::to_owned),
        text,
        not_before: now(),
    }
}
