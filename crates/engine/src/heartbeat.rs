//! Proof of life: not that the process is there, but that it does its work.

use super::Engine;
use campanile_store::StoreError;

impl Engine {
    /// Returns when deliveries have been looked for once more and the store has taken a write: never, if one of them
    /// hangs. The caller sets the limit of time.
    ///
    /// # Errors
    /// When the store takes no writes.
    pub async fn heartbeat(&self) -> Result<(), StoreError> {
        let mut passes = self.passes.subscribe();
        self.wake.notify_one();
        // Fails only when the engine is gone.
        let _ = passes.changed().await;
        self.store.ping().await
    }
}
