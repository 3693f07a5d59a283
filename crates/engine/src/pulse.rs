//! Whether the engine is alive: not that its process is there, but that it does its work.

use super::Engine;
use campanile_store::StoreError;

impl Engine {
    /// Returns when the store has taken a write and deliveries have been looked for: never, if that hangs.
    ///
    /// # Errors
    /// When the store takes no writes.
    pub async fn pulse(&self) -> Result<(), StoreError> {
        let mut turns = self.turns.subscribe();
        self.wake.notify_one();
        // Fails only when the engine is gone.
        let _ = turns.changed().await;
        self.store.ping().await
    }
}
