//! Threads of their own for guests that would hold up others: interpreters, and calls that turn out to be long.
//!
//! A lane is one thread, not more: two interpreters side by side in one process are slower than one after the other,
//! because each page that they write makes the other threads stop (docs/callbacks.md). It gives way to the engine's own
//! threads, where quick callbacks run.

use std::future::Future;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};

/// How far a lane stands back behind other threads, as `nice` counts.
const NICENESS: i32 = 10;

/// One thread that runs calls away from the others.
pub(super) struct CallLane {
    handle: Handle,
    turn: Semaphore,
    /// Dropped with the lane; then its thread ends.
    _stop: oneshot::Sender<()>,
}

/// The thread is gone.
#[derive(Debug)]
pub(super) struct Closed;

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
        Ok(Self { handle, turn: Semaphore::new(1), _stop: stop })
    }

    /// To be held by an interpreter's call, whose time counts from then on.
    pub(super) async fn turn(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.turn.acquire().await.expect("the semaphore is never closed")
    }

    /// Runs a future on the lane's thread. It is dropped when its caller goes away.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Closed> {
        AbortOnDrop(self.handle.spawn(work)).finish().await
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    async fn finish(mut self) -> Result<T, Closed> {
        (&mut self.0).await.map_err(|_| Closed)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
