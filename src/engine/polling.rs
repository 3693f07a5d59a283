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
use super::{Engine, now};
use crate::model::{Event, Timestamp};
use crate::pollers::{PollFault, Poller};
use crate::store::{Batch, Seen, StoreError};
use crate::targets::{Fault, FaultCode};

/// A failed look is tried again before its next regular time, with growing pauses up to ten minutes.
const AGAIN: Policy = Policy {
    first: Duration::from_secs(10),
    longest: Duration::from_secs(600),
    // A poller never gives up.
    max_age: Some(Duration::from_secs(3_600)),
    jitter: Jitter::Full,
};

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
    Poll(#[from] PollFault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure {
    fn code(&self) -> &'static str {
        match self {
            Self::Poll(fault) => fault.code(),
            Self::Store(_) => "store",
        }
    }
}

impl Engine {
    /// Polls until `stop` says so; follows reloads.
    pub async fn run_pollers(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut standings: BTreeMap<String, Standing> = BTreeMap::new();
        let mut launched = false;
        while !*stop.borrow() {
            let replaced = self.replaced.notified();
            let (halt, halted) = watch::channel(false);
            let mut loops = JoinSet::new();
            for poller in self.tenant().pollers() {
                let mut standing = standings.remove(&poller.name).unwrap_or_default();
                standing.at_once |= poller.schedule.at_launch && !launched;
                let (engine, poller) = (Arc::clone(&self), Arc::clone(poller));
                loops.spawn(engine.poll_on(poller, standing, halted.clone()));
            }
            launched = true;
            tokio::select! {
                _ = stop.changed() => {}
                () = replaced => {}
            }
            // The loops listen for as long as they run; with none there is nobody to tell.
            let _ = halt.send(true);
            standings.clear();
            while let Some(ended) = loops.join_next().await {
                match ended {
                    Ok((name, standing)) => drop(standings.insert(name, standing)),
                    Err(panic) => tracing::error!("a poller panicked: {panic}"),
                }
            }
        }
    }

    /// The names of all pollers there are.
    #[must_use]
    pub fn poller_names(&self) -> Vec<String> {
        self.tenant().pollers().iter().map(|poller| poller.name.clone()).collect()
    }

    /// Has these pollers look now, or once more after a look that is under way (H-PO-06). Names that aren't there are
    /// passed over.
    pub fn poll_now(&self, names: &[String]) {
        for poller in self.tenant().pollers().iter().filter(|poller| names.contains(&poller.name)) {
            poller.wish.notify_one();
        }
    }

    /// One poller's loop, until it is halted; gives where it stood.
    async fn poll_on(
        self: Arc<Self>,
        poller: Arc<Poller>,
        mut standing: Standing,
        mut halted: watch::Receiver<bool>,
    ) -> (String, Standing) {
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
                () = poller.wish.notified() => {}
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
                looked = self.poll(&poller) => looked,
            };
            (standing.at_once, again) = match looked {
                Ok(more) => {
                    failures = 0;
                    (more, None)
                }
                Err(failure) => {
                    failures += 1;
                    (false, Some(Instant::now() + self.pause_after(&poller, failures, &failure)))
                }
            };
        }
        standing.at_once |= poller.wish.notified().now_or_never().is_some();
        (poller.name.clone(), standing)
    }

    /// Looks once and takes in what was found. True: there is more.
    async fn poll(&self, poller: &Poller) -> Result<bool, Failure> {
        let began = Instant::now();
        let tenant = self.tenant();
        let source = poller.source.address();
        let known = self.store.seen(tenant.name(), &poller.name, source).await?;
        let look = poller.source.look(known.as_ref(), now()).await?;
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
            self.take_in(events, Batch { seen: Some(seen), ..Batch::default() }).await?;
        }
        self.metrics.polled(&poller.name, found, began.elapsed(), now());
        if found > 0 {
            tracing::info!(poller = poller.name, changes = found, time = ?began.elapsed(), "polled");
        } else {
            tracing::debug!(poller = poller.name, time = ?began.elapsed(), "polled: nothing new");
        }
        Ok(look.more)
    }

    /// Says that a look failed, and how long to wait before the next one.
    fn pause_after(&self, poller: &Poller, failures: u32, failure: &Failure) -> Duration {
        let fault = Fault::passing(FaultCode::Connection, failure.to_string());
        let at: Timestamp = now();
        let failed = Failed { attempt: failures, created: at, fault: &fault, not_before: None, now: at };
        let pause = match retry::next(&AGAIN, failed, fastrand::f64()) {
            Next::At(again) => again.since(at),
            Next::Dead => AGAIN.longest,
        };
        // Never at once: what just failed hardly works now.
        let pause = pause.max(Duration::from_secs(1));
        self.metrics.poll_failed(&poller.name, failure.code());
        tracing::warn!(
            poller = poller.name,
            code = failure.code(),
            failures,
            "poll failed, to be tried again in {} s: {failure}",
            pause.as_secs()
        );
        pause
    }
}
