//! Threads of their own for guests that would hold up others: interpreters, and calls that turn out to be long.
//!
//! A lane is one thread, not more: two interpreters side by side in one process are slower than one after the other,
//! because each page that they write makes the other threads stop (docs/callbacks.md). It gives way to the engine's own
//! threads, where quick callbacks run.
//!
//! Interpreters and long calls have a lane each: a long call would hold up every interpreter, and most long calls are
//! loops that end at their deadline. Tenants take turns in both: in the first with calls, in the second with the stretches
//! of a call between two ticks.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::ready;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::fair_semaphore::{FairPermit, FairSemaphore, Share};

/// Niceness of a lane's thread: other threads go before it.
const NICENESS: i32 = 10;

/// One thread that runs calls away from the others.
pub(super) struct CallLane {
    handle: Handle,
    turns: FairSemaphore,
    /// Dropped with the lane; then its thread ends.
    _stop: oneshot::Sender<()>,
}

/// The lane's thread is gone, or the call panicked.
#[derive(Debug)]
pub(super) struct LaneClosedError;

impl CallLane {
    pub(super) fn start(name: &str) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            // On Linux this is for the thread alone. Without it, all goes on as well, only less quickly.
            let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
            // Ends when the other side is dropped.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { handle, turns: FairSemaphore::new(1, 1), _stop: stop })
    }

    /// The lane for one call alone, whose time counts from then on.
    pub(super) async fn acquire(&self, share: Share) -> FairPermit {
        self.turns.acquire(share).await
    }

    /// Runs a call beside others in turns, see [`in_turns`].
    pub(super) async fn run_in_turns<T: Send + 'static>(
        &self,
        share: Share,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, LaneClosedError> {
        self.run(in_turns(self.turns.clone(), share, work)).await
    }

    /// Runs a future on the lane's thread. It is dropped when its caller goes away.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, LaneClosedError> {
        AbortOnDrop(self.handle.spawn(work)).finish().await
    }
}

/// Runs a call beside others of its thread, in turns by tenant: each poll is a turn, and guests yield at each tick. One
/// tenant's sixty loops take no more of the thread than another's one call.
///
/// Deadlines run meanwhile: these calls have begun.
async fn in_turns<T>(turns: FairSemaphore, share: Share, work: impl Future<Output = T>) -> T {
    let (mut work, mut turn) = (pin!(work), Box::pin(turns.acquire(share)));
    poll_fn(|context| {
        let permit = ready!(turn.as_mut().poll(context));
        let polled = work.as_mut().poll(context);
        // The next turn is asked for when something wakes the call: one that sleeps keeps nobody waiting.
        turn.set(turns.acquire(share));
        drop(permit);
        polled
    })
    .await
}

/// Ends a call whose caller is gone: a task that is only detached would go on until its deadline, and hold up the lane.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    async fn finish(mut self) -> Result<T, LaneClosedError> {
        (&mut self.0).await.map_err(|_| LaneClosedError)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
