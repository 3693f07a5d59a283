//! Suspects: deliveries that were under way when an earlier run of the engine died, of which one may be the cause.
//!
//! A run has many deliveries under way, and a person may have killed it: to blame all would lose messages. So each suspect's
//! next attempt begins while no other one does, and is noted in the store before. Should the engine die of
//! the same one twice more, the store sets it aside (`Store::take_over`), and the next start is free of it.

use std::time::Duration;

use tokio::sync::{Mutex, RwLock};

use super::{Engine, NODE};
use campanile_store::{Delivery, POISON, Settlement, StoreError};

/// The time in which an attempt that is going to kill the engine is taken to do so once it is sending; and that for which a
/// suspect keeps others from beginning. Afterwards it waits for its far side like any other.
const OPENING: Duration = Duration::from_secs(1);

/// The beginnings of attempts: those of suspects one by one, all others together.
#[derive(Default)]
pub(super) struct AttemptOpenings {
    openings: RwLock<()>,
    /// One suspect asks at a time: those who wait behind it for their turn are let in before the next one.
    suspects: Mutex<()>,
}

impl Engine {
    /// Takes over what an earlier run had under way, and tells what it died of.
    pub(super) async fn take_over_deliveries(&self) -> Result<(), StoreError> {
        let taken = self.store.take_over(NODE, self.clock.now()).await?;
        if taken.suspects > 0 {
            let suspects = taken.suspects;
            tracing::warn!(
                suspects,
                "deliveries were under way when the engine died: they are begun one by one"
            );
        }
        for poisoned in taken.poisoned {
            let (tenant, target) = (&*poisoned.tenant, &*poisoned.target);
            self.metrics.delivery(tenant, target, "dead", POISON);
            tracing::error!(
                tenant,
                delivery = poisoned.delivery,
                target,
                code = POISON,
                "delivery given up: the engine died twice while it was at it; see `campanile deliveries retry`"
            );
        }
        Ok(())
    }

    /// Makes an attempt at a batch. A suspect, which is a batch of its own, begins while no other attempt does.
    pub(super) async fn attempt_in_turn(&self, batch: &[Delivery]) -> Vec<Option<Settlement>> {
        let suspect = batch.first().filter(|first| first.is_suspect);
        let mut attempting = std::pin::pin!(self.attempt(batch));
        let opened = match suspect {
            None => {
                let _opening = self.openings.openings.read().await;
                tokio::time::timeout(OPENING, &mut attempting).await
            }
            Some(suspect) => {
                let _turn = self.openings.suspects.lock().await;
                let _opening = self.openings.openings.write().await;
                if let Err(error) = self.store.begin_suspect(&suspect.lease()).await {
                    // Its lease runs out, or is renewed and it is tried again: nothing of it has begun.
                    tracing::warn!(
                        tenant = suspect.tenant,
                        delivery = suspect.id,
                        "delivery cannot begin: {error}"
                    );
                    return Vec::new();
                }
                tokio::time::timeout(OPENING, &mut attempting).await
            }
        };
        match opened {
            Ok(settlements) => settlements,
            Err(_) => attempting.await,
        }
    }

    /// Sends a batch. A suspect that the engine has survived sending for a while is none any more: whoever kills the engine
    /// while that waits for its far side does not blame it.
    pub(super) async fn cleared_by_time<T>(&self, batch: &[Delivery], sending: impl Future<Output = T>) -> T {
        let Some(suspect) = batch.first().filter(|first| first.is_suspect) else { return sending.await };
        let mut sending = std::pin::pin!(sending);
        if let Ok(sent) = tokio::time::timeout(OPENING, &mut sending).await {
            return sent;
        }
        let lease = suspect.lease();
        let clearing = async {
            if let Err(error) = self.store.clear_suspect(&lease).await {
                tracing::warn!(
                    tenant = lease.tenant,
                    delivery = lease.delivery,
                    "delivery stays suspect: {error}"
                );
            }
        };
        futures_util::future::join(sending, clearing).await.0
    }
}
