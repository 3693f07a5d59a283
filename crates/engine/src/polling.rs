//! Looks at what pollers name, each at its times and when told to, never twice at once.
//!
//! A look and what it found are one: the changes and what was seen go into the store in one transaction, so a kill at
//! any point repeats a look and neither loses a change nor takes it twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::retry::{self, Failed, Jitter, Next, Policy};
use super::{Engine, IngestError, LimitError, Tenant, now};
use campanile_inbound::pollers::{PollError, Poller};
use campanile_model::{Event, Timestamp};
use campanile_store::{Batch, Seen, StoreError};
use campanile_targets::{Fault, FaultCode};

/// A failed look is tried again before its next regular time, with growing pauses up to ten minutes.
const AGAIN: Policy = Policy {
    first: Duration::from_secs(10),
    longest: Duration::from_secs(600),
    // A poller never gives up.
    max_age: Some(Duration::from_secs(3_600)),
    jitter: Jitter::Full,
};

/// Tenant and name of a poller.
type Key = (String, String);

/// Where a poller stands between two runs of its loop, as over a reload.
#[derive(Clone, Copy, Default)]
struct Standing {
    /// When it regularly looks next, and by which interval that was reckoned.
    due: Option<(Instant, Duration)>,
    /// Whether it is to look at once: somebody wished it, or a look was broken off.
    at_once: bool,
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Poll(#[from] PollError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl From<IngestError> for Failure {
    fn from(why: IngestError) -> Self {
        match why {
            IngestError::Limit(over) => Self::Limit(over),
            IngestError::Store(error) => Self::Store(error),
        }
    }
}

impl Failure {
    fn code(&self) -> &'static str {
        match self {
            Self::Poll(fault) => fault.code(),
            Self::Store(_) => "store",
            Self::Limit(_) => "limit",
        }
    }
}

/// Waits for so many loops to end, and notes where they stood.
async fn gather(loops: &mut JoinSet<(Key, Standing)>, count: usize, standings: &mut BTreeMap<Key, Standing>) {
    for _ in 0..count {
        match loops.join_next().await {
            Some(Ok((key, standing))) => drop(standings.insert(key, standing)),
            Some(Err(panic)) => tracing::error!("a poller panicked: {panic}"),
            None => break,
        }
    }
}

impl Engine {
    /// Polls until `stop` says so; follows reloads. A poller that stays the same is not disturbed by one.
    pub async fn run_pollers(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut running: BTreeMap<Key, (Arc<Poller>, watch::Sender<bool>)> = BTreeMap::new();
        let mut standings: BTreeMap<Key, Standing> = BTreeMap::new();
        let mut loops = JoinSet::new();
        let mut launched = false;
        while !*stop.borrow() {
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
            gather(&mut loops, halted, &mut standings).await;
            for (key, poller) in named {
                if running.contains_key(&key) {
                    continue;
                }
                let mut standing = standings.remove(&key).unwrap_or_default();
                standing.at_once |= poller.schedule.at_launch && !launched;
                let (halt, halted) = watch::channel(false);
                loops.spawn(Arc::clone(&self).poll_on(key.clone(), Arc::clone(&poller), standing, halted));
                running.insert(key, (poller, halt));
            }
            standings.clear();
            launched = true;
            tokio::select! {
                _ = stop.changed() => {}
                () = replaced => {}
            }
        }
        for (_, halt) in running.values() {
            let _ = halt.send(true);
        }
        gather(&mut loops, running.len(), &mut standings).await;
    }

    /// Has these pollers of a tenant look now, or once more after a look that is under way (H-PO-06). Names that aren't
    /// there are passed over.
    pub fn poll_now(&self, tenant: &Tenant, names: &[String]) {
        for poller in tenant.pollers().iter().filter(|poller| names.contains(&poller.name)) {
            poller.wake.notify_one();
        }
    }

    /// One poller's loop, until it is halted; gives where it stood.
    async fn poll_on(
        self: Arc<Self>,
        key: Key,
        poller: Arc<Poller>,
        mut standing: Standing,
        mut halted: watch::Receiver<bool>,
    ) -> (Key, Standing) {
        let schedule = poller.schedule;
        // The times go on as they were, unless the interval is another one.
        standing.due = schedule.interval.map(|interval| match standing.due {
            Some((due, by)) if by == interval => (due, interval),
            _ => (Instant::now() + interval, interval),
        });
        let mut delay = schedule.delay(fastrand::f64());
        let mut failures = 0;
        let mut again: Option<Instant> = None;
        loop {
            let regular = standing.due.map(|(due, _)| due + delay);
            let next = [regular, again].into_iter().flatten().min();
            let due = async {
                match next {
                    _ if standing.at_once => {}
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
            if let Some((due, interval)) = &mut standing.due
                && *due + delay <= Instant::now()
            {
                while *due <= Instant::now() {
                    *due += *interval;
                }
                delay = schedule.delay(fastrand::f64());
            }
            standing.at_once = true;
            let looked = tokio::select! {
                biased;
                _ = halted.wait_for(|halted| *halted) => break,
                looked = self.poll(&key.0, &poller) => looked,
            };
            (standing.at_once, again) = match looked {
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
        standing.at_once |= poller.wake.notified().now_or_never().is_some();
        (key, standing)
    }

    /// Looks once and takes in what was found. True: there is more.
    async fn poll(&self, tenant: &str, poller: &Poller) -> Result<bool, Failure> {
        let began = Instant::now();
        let Some(tenant) = self.tenant_named(tenant) else { return Ok(false) };
        let source = poller.source.address();
        let known = self.store.seen(tenant.name(), &poller.name, source).await?;
        let look = poller.source.poll(known.as_ref(), now()).await?;
        for note in &look.notes {
            tracing::warn!(poller = poller.name, "poll: {note}");
        }
        let found = look.changes.len();
        if found > 0 || known.as_ref() != Some(&look.state) {
            let events = look
                .changes
                .into_iter()
                .map(|change| Event::ChangeAdded { change: Box::new(change) })
                .collect();
            let seen = Seen { poller: poller.name.clone(), source: source.to_owned(), state: look.state };
            self.ingest(&tenant, events, Batch { seen: Some(seen), ..Batch::default() }).await?;
        }
        self.metrics.polled(tenant.name(), &poller.name, found, began.elapsed(), now());
        if found > 0 {
            tracing::info!(poller = poller.name, changes = found, time = ?began.elapsed(), "polled");
        } else {
            tracing::debug!(poller = poller.name, time = ?began.elapsed(), "polled: nothing new");
        }
        Ok(look.more)
    }

    /// Says that a look failed, and how long to wait before the next one.
    fn pause_after(&self, tenant: &str, poller: &Poller, failures: u32, failure: &Failure) -> Duration {
        let fault = Fault::transient(FaultCode::Connection, failure.to_string());
        let at: Timestamp = now();
        let failed = Failed { attempt: failures, created: at, fault: &fault, not_before: None, now: at };
        let pause = match retry::next(&AGAIN, failed, fastrand::f64()) {
            Next::At(again) => again.since(at),
            Next::Dead => AGAIN.longest,
        };
        // Never at once: what just failed hardly works now.
        let pause = pause.max(Duration::from_secs(1));
        self.metrics.poll_failed(tenant, &poller.name, failure.code());
        tracing::warn!(
            tenant,
            poller = poller.name,
            code = failure.code(),
            failures,
            "poll failed, to be tried again in {} s: {failure}",
            pause.as_secs()
        );
        pause
    }
}
