//! Polling of repositories and feeds: each poller at its times and when it is told to, never twice at once.
//!
//! The changes that a look found and the state that it leaves go into the store in one transaction. So a kill at any point
//! repeats a look, and neither loses a change nor takes it twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::retry::{self, FailedAttempt, Jitter, Next, Policy};
use super::{Engine, IngestError, LimitError, Stop, Tenant};
use campanile_inbound::pollers::{PollError, Poller};
use campanile_model::Event;
use campanile_store::{Batch, Seen, StoreError};
use campanile_targets::{Fault, FaultCode};

/// Retry policy of failed looks: before their next regular time, with growing pauses up to ten minutes.
const RETRY: Policy = Policy {
    first: Duration::from_secs(10),
    longest: Duration::from_secs(600),
    // A poller never gives up.
    max_age: Some(Duration::from_secs(3_600)),
    jitter: Jitter::Full,
};

/// Tenant and name of a poller.
type Key = (String, String);

/// State of a poller's loop, which the next loop of the same name goes on with after a reload.
#[derive(Clone, Copy, Default)]
struct LoopState {
    /// Time of the next regular look, and the interval by which it was reckoned.
    due: Option<(Instant, Duration)>,
    /// True if it is to look at once: somebody asked for it, or a look was cancelled.
    at_once: bool,
}

/// The reason why a look failed.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Poll(#[from] PollError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl From<IngestError> for LookError {
    fn from(why: IngestError) -> Self {
        match why {
            IngestError::Limit(over) => Self::Limit(over),
            IngestError::Store(error) => Self::Store(error),
        }
    }
}

impl LookError {
    /// Label of the metric.
    fn code(&self) -> &'static str {
        match self {
            Self::Poll(fault) => fault.code(),
            Self::Store(_) => "store",
            Self::Limit(_) => "limit",
        }
    }
}

/// Waits for so many loops to end, and collects their states.
async fn join_loops(
    loops: &mut JoinSet<(Key, LoopState)>,
    count: usize,
    states: &mut BTreeMap<Key, LoopState>,
) {
    for _ in 0..count {
        match loops.join_next().await {
            Some(Ok((key, state))) => drop(states.insert(key, state)),
            Some(Err(panic)) => tracing::error!("poller panicked: {panic}"),
            None => break,
        }
    }
}

impl Engine {
    /// Runs all pollers until `stop` says so, and follows reloads. A poller that stays the same is not disturbed by one:
    /// its loop goes on, a look that is under way included.
    pub async fn run_pollers(self: Arc<Self>, mut stop: Stop) {
        let mut running: BTreeMap<Key, (Arc<Poller>, watch::Sender<bool>)> = BTreeMap::new();
        let mut states: BTreeMap<Key, LoopState> = BTreeMap::new();
        let mut loops = JoinSet::new();
        let mut launched = false;
        while stop.borrow().is_none() {
            // Before the tenants are read: a change that comes while loops are started must not be missed.
            let replaced = self.replaced.notified();
            let tenants = self.tenants();
            let named = tenants.iter().flat_map(|tenant| {
                let key = |poller: &Arc<Poller>| (tenant.name().to_owned(), poller.name.clone());
                tenant.pollers().iter().map(move |poller| (key(poller), Arc::clone(poller)))
            });
            let named: BTreeMap<Key, Arc<Poller>> = named.collect();
            let mut halted = 0;
            running.retain(|key, (poller, halt)| {
                let stays = named.get(key).is_some_and(|named| Arc::ptr_eq(named, poller));
                if !stays {
                    halted += 1;
                    // Its loop listens for as long as it runs.
                    let _ = halt.send(true);
                }
                stays
            });
            // They have ended before others of their names begin: never two at one source.
            join_loops(&mut loops, halted, &mut states).await;
            for (key, poller) in named {
                if running.contains_key(&key) {
                    continue;
                }
                let mut state = states.remove(&key).unwrap_or_default();
                state.at_once |= poller.schedule.at_launch && !launched;
                let (halt, halted) = watch::channel(false);
                loops.spawn(Arc::clone(&self).run_poller(key.clone(), Arc::clone(&poller), state, halted));
                running.insert(key, (poller, halt));
            }
            states.clear();
            launched = true;
            tokio::select! {
                _ = stop.changed() => {}
                () = replaced => {}
            }
        }
        for (_, halt) in running.values() {
            let _ = halt.send(true);
        }
        join_loops(&mut loops, running.len(), &mut states).await;
    }

    /// Has these pollers of a tenant look now, or once more after a look that is under way (H-PO-06). Unknown names are
    /// passed over.
    pub fn poll_now(&self, tenant: &Tenant, names: &[String]) {
        for poller in tenant.pollers().iter().filter(|poller| names.contains(&poller.name)) {
            poller.wake.notify_one();
        }
    }

    /// Runs one poller's loop until it is halted; gives its state.
    async fn run_poller(
        self: Arc<Self>,
        key: Key,
        poller: Arc<Poller>,
        mut state: LoopState,
        mut halted: watch::Receiver<bool>,
    ) -> (Key, LoopState) {
        let schedule = poller.schedule;
        // The times go on as they were, unless the interval is another one.
        state.due = schedule.interval.map(|interval| match state.due {
            Some((due, by)) if by == interval => (due, interval),
            _ => (Instant::now() + interval, interval),
        });
        let mut delay = schedule.delay(fastrand::f64());
        let mut failures = 0;
        let mut again: Option<Instant> = None;
        loop {
            let regular = state.due.map(|(due, _)| due + delay);
            let next = [regular, again].into_iter().flatten().min();
            let due = async {
                match next {
                    _ if state.at_once => {}
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = halted.wait_for(|halted| *halted) => break,
                () = due => {}
                () = poller.wake.notified() => {}
            }
            // A look counts for every time that has come by now, and does not move the times after it (H-PO-07).
            if let Some((due, interval)) = &mut state.due
                && *due + delay <= Instant::now()
            {
                while *due <= Instant::now() {
                    *due += *interval;
                }
                delay = schedule.delay(fastrand::f64());
            }
            // Until it is over: if it is cancelled, the next loop must look again.
            state.at_once = true;
            let looked = tokio::select! {
                biased;
                _ = halted.wait_for(|halted| *halted) => break,
                looked = self.poll(&key.0, &poller) => looked,
            };
            (state.at_once, again) = match looked {
                Ok(more) => {
                    failures = 0;
                    (more, None)
                }
                Err(failure) => {
                    failures += 1;
                    (false, Some(Instant::now() + self.pause_after(&key.0, &poller, failures, &failure)))
                }
            };
        }
        // A wish that came during the last look would be lost with this loop.
        state.at_once |= poller.wake.notified().now_or_never().is_some();
        (key, state)
    }

    /// Looks once and ingests the changes found. True if there are more.
    async fn poll(&self, tenant: &str, poller: &Poller) -> Result<bool, LookError> {
        let began = Instant::now();
        let Some(tenant) = self.tenant_named(tenant) else { return Ok(false) };
        let source = poller.source.address();
        let known = self.store.seen(tenant.name(), &poller.name, source).await?;
        let look = poller.source.poll(known.as_ref(), self.clock.now()).await?;
        let (tenant_name, poller_name) = (tenant.name(), &poller.label);
        for note in &look.notes {
            tracing::warn!(tenant = tenant_name, poller = poller_name, "poll: {note}");
        }
        let found = look.changes.len();
        if found > 0 || known.as_ref() != Some(&look.state) {
            let events = look
                .changes
                .into_iter()
                .map(|change| Event::ChangeAdded { change: Box::new(change) })
                .collect();
            let seen = Seen { poller: poller.name.clone(), source: source.to_owned(), state: look.state };
            self.ingest_batch(&tenant, events, Batch { seen: Some(seen), ..Batch::default() }).await?;
        }
        self.metrics.polled(tenant.name(), &poller.label, found, began.elapsed(), self.clock.now());
        let time = began.elapsed();
        if found > 0 {
            tracing::info!(
                tenant = tenant_name,
                poller = poller_name,
                changes = found,
                ?time,
                "poll found changes"
            );
        } else {
            tracing::debug!(tenant = tenant_name, poller = poller_name, ?time, "poll found nothing new");
        }
        Ok(look.more)
    }

    /// Counts and logs a failed look; gives the pause before the next one.
    fn pause_after(&self, tenant: &str, poller: &Poller, failures: u32, failure: &LookError) -> Duration {
        let fault = Fault::transient(FaultCode::Connection, failure.to_string());
        let at = self.clock.now();
        let failed =
            FailedAttempt { attempt: failures, created: at, fault: &fault, not_before: None, now: at };
        let pause = match retry::next(&RETRY, failed, fastrand::f64()) {
            Next::At(again) => again.since(at),
            Next::Dead => RETRY.longest,
        };
        // Never at once: what just failed hardly works now.
        let pause = pause.max(Duration::from_secs(1));
        self.metrics.poll_failed(tenant, &poller.label, failure.code());
        tracing::warn!(
            tenant,
            poller = poller.label,
            code = failure.code(),
            failures,
            "poll failed, to be tried again in {} s: {failure}",
            pause.as_secs()
        );
        pause
    }
}
