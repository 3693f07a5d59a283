//! Retention: removes rows older than the settings keep, in the background and in small steps.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, Stop, Tenant};
use campanile_store::{PruneCursor, Retention, StoreError};

/// Finished builds that stay of each builder: the previous build is asked for however long ago it was.
const KEPT_BUILDS: u32 = 20;
/// Shortest and longest pause between two walks.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(600);
/// Longest pause while a tenant's store is full: within this it learns that there is room again.
const RECOUNT_PAUSE: Duration = Duration::from_secs(30);
/// Pause between two steps, in times of the last step's length. The store has one writer: without pauses a long walk
/// would take it from those who bring events.
const PAUSE_FACTOR: u32 = 4;

impl Engine {
    /// Walks through the store again and again, until `stop` says so.
    pub async fn run_retention(self: Arc<Self>, mut stop: Stop) {
        while stop.borrow().is_none() {
            let retention = self.retention();
            let walk = async {
                let shortest = retention.of.values().copied().chain(retention.keep).min();
                if shortest.is_some()
                    && let Err(error) = self.prune(&retention).await
                {
                    tracing::error!("retention failed: {error}");
                }
                self.count_bytes().await;
                let pause = shortest.map_or(MAX_PAUSE, |keep| (keep / 20).clamp(MIN_PAUSE, MAX_PAUSE));
                let pause = if self.is_any_near_full() { pause.min(RECOUNT_PAUSE) } else { pause };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    // Another tenant may keep things for another time.
                    () = self.recount.notified() => {}
                }
            };
            tokio::select! {
                _ = stop.changed() => {}
                () = walk => {}
            }
        }
    }

    /// The times for which rows are kept: the operator's, and a tenant's own where its limits say less.
    fn retention(&self) -> Retention {
        let tenants = self.tenants();
        let keep = self.tenant().keep();
        let of = |tenant: &Arc<Tenant>| Some((tenant.name().to_owned(), tenant.limits().keep?));
        let of = tenants.iter().filter_map(of).filter(|(_, own)| keep.is_none_or(|keep| *own < keep));
        Retention { keep, of: of.collect(), builds: KEPT_BUILDS }
    }

    /// Counts the stored bytes of tenants that have a limit of them.
    async fn count_bytes(&self) {
        for tenant in self.tenants().iter().filter(|tenant| tenant.limits().stored_bytes.is_some()) {
            match self.store.stored_bytes(tenant.name()).await {
                Ok(bytes) => tenant.usage().set_bytes(bytes),
                Err(error) => {
                    tracing::error!(tenant = tenant.name(), "stored bytes cannot be counted: {error}");
                }
            }
        }
    }

    /// True if a tenant waits for room.
    fn is_any_near_full(&self) -> bool {
        let is_full = |tenant: &Arc<Tenant>| tenant.usage().admit_bytes(tenant.limits(), 1).is_err();
        self.tenants().iter().any(is_full)
    }

    /// Walks once through all that is kept, and removes what is too old.
    async fn prune(&self, retention: &Retention) -> Result<(), StoreError> {
        let (mut from, mut removed) = (PruneCursor::default(), 0);
        loop {
            let began = Instant::now();
            let pruned = self.store.prune(retention, from, self.clock.now()).await?;
            self.metrics.pruned(&pruned);
            removed += pruned.counts().iter().map(|(_, count)| count).sum::<u64>();
            let Some(next) = pruned.next else { break };
            from = next;
            tokio::time::sleep(began.elapsed() * PAUSE_FACTOR).await;
        }
        if removed > 0 {
            tracing::info!(rows = removed, "retention removed what was too old");
        }
        Ok(())
    }
}
