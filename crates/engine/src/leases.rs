//! Leases of deliveries that somebody is at work on: renewed while the work goes on; work whose lease is lost is stopped.
//!
//! A lease is short, so that nothing waits long for one that nobody holds any more, and work may be long: a relay has
//! minutes for each of its answers. Two at work on one delivery would send it twice.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Engine;
use campanile_store::{DeliveryId, Lease};

/// Time of a lease.
pub(super) const LEASE: Duration = Duration::from_secs(60);
/// Interval at which leases are renewed: a store that takes nothing for half a minute costs none.
const RENEW_EVERY: Duration = Duration::from_secs(15);

/// Leases of all work under way, each with the token that stops its work.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<DeliveryId, (Lease, CancellationToken)>>);

/// The leases of one piece of work. They are not renewed any more when this is dropped.
pub(super) struct HeldLeases {
    leases: Arc<Leases>,
    ids: Vec<DeliveryId>,
    lost: CancellationToken,
}

impl Leases {
    /// Has a lease renewed from now on.
    pub(super) fn hold(self: &Arc<Self>, lease: Lease) -> HeldLeases {
        let mut held =
            HeldLeases { leases: Arc::clone(self), ids: Vec::new(), lost: CancellationToken::new() };
        held.add([lease]);
        held
    }

    /// True if somebody here is at work on a delivery. Should its lease run out all the same, since the store took no
    /// renewals, it must not be begun a second time.
    pub(super) fn holds(&self, id: DeliveryId) -> bool {
        self.all().contains_key(&id)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<DeliveryId, (Lease, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldLeases {
    /// Has further leases of the same work renewed.
    pub(super) fn add(&mut self, leases: impl IntoIterator<Item = Lease>) {
        let mut all = self.leases.all();
        for lease in leases {
            self.ids.push(lease.delivery);
            all.insert(lease.delivery, (lease, self.lost.clone()));
        }
    }

    /// Waits until one of them is lost. Cancel safe.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl Drop for HeldLeases {
    fn drop(&mut self) {
        let mut all = self.leases.all();
        for id in &self.ids {
            all.remove(id);
        }
    }
}

impl Engine {
    /// Renews the leases of all work under way, for ever.
    pub(super) async fn keep_leases(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let held = self.leases.all().clone();
            if held.is_empty() {
                continue;
            }
            let leases: Vec<_> = held.values().map(|(lease, _)| lease.clone()).collect();
            match self.store.renew(&leases, LEASE, self.clock.now()).await {
                Ok(kept) => {
                    let kept: HashSet<_> = kept.into_iter().collect();
                    // By the tokens of before: what was settled meanwhile, and claimed anew, is other work.
                    let lost = held.values().filter(|(lease, _)| !kept.contains(&lease.delivery));
                    lost.for_each(|(_, lost)| lost.cancel());
                }
                Err(error) => tracing::warn!(deliveries = leases.len(), "leases cannot be renewed: {error}"),
            }
        }
    }
}
