//! Removes what is older than the settings keep, in the background and in small steps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Engine, Tenant, now};
use campanile_store::{PruneCursor, Retention, StoreError};

/// Of each builder so many finished builds stay: what the previous build was is asked for however long ago it was.
const BUILDS: u32 = 20;
/// How often to look for what is old, at most and at least.
const OFTENEST: Duration = Duration::from_secs(1);
const SELDOMEST: Duration = Duration::from_secs(600);
/// A tenant whose store is full gets to know within this that it is not any more.
const RECOUNT: Duration = Duration::from_secs(30);
/// Between two steps the store is left to others for so many times as long as the last step took.
const REST: u32 = 4;

impl Engine {
    /// Removes what is old until `stop` says so.
    pub async fn run_retention(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let retention = self.retention();
            let walk = async {
                let shortest = retention.of.values().copied().chain(retention.keep).min();
                if shortest.is_some()
                    && let Err(error) = self.prune(&retention).await
                {
                    tracing::error!("cannot remove what is old: {error}");
                }
                self.count_bytes().await;
                let pause = shortest.map_or(SELDOMEST, |keep| (keep / 20).clamp(OFTENEST, SELDOMEST));
                let pause = if self.is_any_near_full() { pause.min(RECOUNT) } else { pause };
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

    /// How long things are kept: as the operator says, and no tenant's longer than its limits say.
    fn retention(&self) -> Retention {
        let tenants = self.tenants();
        let keep = self.tenant().keep();
        let of = |tenant: &Arc<Tenant>| Some((tenant.name().to_owned(), tenant.limits().keep?));
        let of = tenants.iter().filter_map(of).filter(|(_, own)| keep.is_none_or(|keep| *own < keep));
        Retention { keep, of: of.collect(), builds: BUILDS }
    }

    /// Counts what is kept of tenants that may keep so much only.
    async fn count_bytes(&self) {
        for tenant in self.tenants().iter().filter(|tenant| tenant.limits().stored_bytes.is_some()) {
            match self.store.stored_bytes(tenant.name()).await {
                Ok(bytes) => tenant.usage().set_bytes(bytes),
                Err(error) => tracing::error!(tenant = tenant.name(), "cannot count what is kept: {error}"),
            }
        }
    }

    /// Whether a tenant waits for room.
    fn is_any_near_full(&self) -> bool {
        let is_full = |tenant: &Arc<Tenant>| tenant.usage().admit_bytes(tenant.limits(), 1).is_err();
        self.tenants().iter().any(is_full)
    }

    /// One walk through all that is kept.
    async fn prune(&self, retention: &Retention) -> Result<(), StoreError> {
        let (mut from, mut removed) = (PruneCursor::default(), 0);
        loop {
            let began = Instant::now();
            let pruned = self.store.prune(retention, from, now()).await?;
            self.metrics.pruned(&pruned);
            removed += pruned.counts().iter().map(|(_, count)| count).sum::<u64>();
            let Some(next) = pruned.next else { break };
            from = next;
            tokio::time::sleep(began.elapsed() * REST).await;
        }
        if removed > 0 {
            tracing::info!(rows = removed, "removed what was too old to be kept");
        }
        Ok(())
    }
}
