//! Removes what is older than the settings keep, in the background and in small steps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Engine, now};
use crate::store::{PruneFrom, Retention, StoreError};

/// Of each builder so many finished builds stay: what the previous build was is asked for however long ago it was.
const BUILDS: u32 = 20;
/// How often to look for what is old, at most and at least.
const OFTENEST: Duration = Duration::from_secs(1);
const SELDOMEST: Duration = Duration::from_secs(600);
/// Between two steps the store is left to others for so many times as long as the last step took.
const REST: u32 = 4;

impl Engine {
    /// Removes what is old until `stop` says so.
    pub async fn run_retention(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let keep = self.tenant().keep();
            let walk = async {
                if let Some(keep) = keep
                    && let Err(error) = self.prune(keep).await
                {
                    tracing::error!("cannot remove what is old: {error}");
                }
                let pause = keep.map_or(SELDOMEST, |keep| (keep / 20).clamp(OFTENEST, SELDOMEST));
                tokio::time::sleep(pause).await;
            };
            tokio::select! {
                _ = stop.changed() => {}
                () = walk => {}
            }
        }
    }

    /// One walk through all that is kept.
    async fn prune(&self, keep: Duration) -> Result<(), StoreError> {
        let retention = Retention { keep, builds: BUILDS };
        let (mut from, mut removed) = (PruneFrom::default(), 0);
        loop {
            let began = Instant::now();
            let pruned = self.store.prune(&retention, from, now()).await?;
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
