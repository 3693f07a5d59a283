//! Tasks of the store beside its callers: they end with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// The tasks of an open store. They are cut off when the last clone is dropped, or at `end`.
#[derive(Clone, Debug, Default)]
pub(super) struct StoreTasks(Arc<Mutex<JoinSet<()>>>);

impl StoreTasks {
    /// Starts a task that nobody waits for. A panic of an earlier one is logged here.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended {
                tracing::error!("store: a task beside it failed; this is a bug in campanile: {error}");
            }
        }
        tasks.spawn(work);
    }

    /// Cuts all of them off, and waits until they are gone.
    pub(super) async fn end(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        tasks.shutdown().await;
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
