//! The order in which claimed deliveries go out: tenants take turns, and none has more in flight than its quota.
//!
//! Deliveries are claimed ahead of need and wait here, by tenant. All of it is in memory: after a crash their leases are
//! given back at the next start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use campanile_store::{ClaimQuota, Delivery};

/// Claimed deliveries per slot from which on tenants get one at a time. Each tenant's quota may be all that there is, so
/// with many tenants twice the quota of each would be claimed: deliveries that lie here until their leases run out.
const MAX_CLAIMED_PER_SLOT: usize = 8;

/// Claimed deliveries that wait for a slot, by tenant.
#[derive(Default)]
pub(super) struct FairScheduler {
    queues: BTreeMap<String, TenantQueue>,
    /// Number of slots given so far.
    slots: u64,
}

/// One tenant's claimed deliveries.
#[derive(Default)]
struct TenantQueue {
    claimed: VecDeque<(Delivery, Instant)>,
    in_flight: Arc<AtomicUsize>,
    /// Number of the last slot that it got.
    last_slot: u64,
    /// True if the last claim brought as many as it asked for: the store may have more.
    more: bool,
}

/// A delivery that may go out now.
pub(super) struct Slot {
    pub(super) delivery: Delivery,
    /// Time of the claim, at the latest: its lease is at least that old.
    pub(super) claimed: Instant,
    pub(super) guard: InFlightGuard,
}

/// Counts one delivery as in flight for as long as it lives. On drop, so that a cut-off task gives its slot back too.
pub(super) struct InFlightGuard(Arc<AtomicUsize>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl FairScheduler {
    /// True if no claimed delivery waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.values().all(|queue| queue.claimed.is_empty())
    }

    fn len(&self) -> usize {
        self.queues.values().map(|queue| queue.claimed.len()).sum()
    }

    /// True if a tenant that may have more in the store is about to run out of claimed deliveries.
    pub(super) fn needs_more(&self, quota: &ClaimQuota) -> bool {
        self.queues.iter().any(|(tenant, queue)| queue.more && queue.claimed.len() < quota_of(quota, tenant))
    }

    /// The deliveries of each tenant to claim, `quota` being what it may have in flight. With `all`, of every tenant;
    /// else of those that may have more.
    ///
    /// A tenant that has less than its quota is filled up to twice of it: each claim is a transaction, and one for each
    /// delivery would have the store do nothing else.
    pub(super) fn claim_quota(&mut self, quota: &ClaimQuota, all: bool, concurrency: usize) -> ClaimQuota {
        if all {
            // Tenants that have enough are not asked for now. Without this note nobody would ask again for what has
            // just come, and it would lie in the store until the next news.
            for (tenant, queue) in &mut self.queues {
                queue.more |= queue.claimed.len() >= quota_of(quota, tenant);
            }
        }
        let is_crowded = self.len() > MAX_CLAIMED_PER_SLOT * concurrency;
        let wanted = quota.iter().map(|(tenant, quota)| {
            let (quota, queue) = (*quota as usize, self.queues.get(tenant));
            let claimed = queue.map_or(0, |queue| queue.claimed.len());
            let ahead = if is_crowded { 1 } else { 2 * quota };
            let is_asked = claimed < quota && (all || queue.is_some_and(|queue| queue.more));
            let wanted = if is_asked { ahead.saturating_sub(claimed) } else { 0 };
            (tenant.clone(), u32::try_from(wanted).unwrap_or(u32::MAX))
        });
        wanted.filter(|(_, wanted)| *wanted > 0).collect()
    }

    /// Takes the deliveries that a claim of `wanted` brought.
    pub(super) fn add(&mut self, wanted: &ClaimQuota, claimed: Vec<Delivery>, now: Instant) {
        let mut brought = BTreeMap::<String, u32>::new();
        for delivery in claimed {
            *brought.entry(delivery.tenant.clone()).or_default() += 1;
            self.queues.entry(delivery.tenant.clone()).or_default().claimed.push_back((delivery, now));
        }
        for (tenant, wanted) in wanted {
            if let Some(queue) = self.queues.get_mut(tenant) {
                queue.more = brought.get(tenant) == Some(wanted);
            }
        }
        self.queues.retain(|_, queue| !queue.is_idle());
    }

    /// Gives a slot to the tenant with the fewest deliveries in flight, and of several such to the one whose last slot
    /// was longest ago. None if nobody may have one.
    ///
    /// The fewest first, and not just one after the other: of a tenant whose targets hang much is in flight already, so
    /// it comes last, and the slots that are left go to those who can use them.
    pub(super) fn next(&mut self, quota: &ClaimQuota) -> Option<Slot> {
        let may = |tenant: &str, queue: &TenantQueue| {
            !queue.claimed.is_empty() && queue.in_flight() < quota_of(quota, tenant)
        };
        let ready = self.queues.iter_mut().filter(|(tenant, queue)| may(tenant, queue));
        let (_, queue) = ready.min_by_key(|(_, queue)| (queue.in_flight(), queue.last_slot))?;
        let (delivery, claimed) = queue.claimed.pop_front()?;
        self.slots += 1;
        queue.last_slot = self.slots;
        queue.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Slot { delivery, claimed, guard: InFlightGuard(Arc::clone(&queue.in_flight)) })
    }
}

impl TenantQueue {
    fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.claimed.is_empty() && self.in_flight() == 0 && !self.more
    }
}

/// The deliveries that a tenant may have in flight. One that has just gone may finish what was claimed of it, one by one.
fn quota_of(quota: &ClaimQuota, tenant: &str) -> usize {
    quota.get(tenant).map_or(1, |quota| *quota as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::Timestamp;
    use campanile_store::DeliveryState;

    fn delivery(tenant: &str, id: i64) -> Delivery {
        Delivery {
            id,
            tenant: tenant.to_owned(),
            event: id,
            event_name: "buildFinished".to_owned(),
            subject: String::new(),
            target: "mail".to_owned(),
            ordering_key: None,
            place: None,
            state: DeliveryState::Waiting,
            attempts: 0,
            created: Timestamp::default(),
            not_before: Timestamp::default(),
            code: None,
            text: None,
            callback_version: None,
            trace: None,
            message: None,
            payload: None,
        }
    }

    fn quota(of: &[(&str, u32)]) -> ClaimQuota {
        of.iter().map(|(tenant, quota)| ((*tenant).to_owned(), *quota)).collect()
    }

    #[test]
    fn a_newcomer_is_next_however_many_others_wait() {
        let quota = quota(&[("big", 8), ("small", 8)]);
        let mut scheduler = FairScheduler::default();
        let wanted = scheduler.claim_quota(&quota, true, 32);
        assert_eq!(wanted, self::quota(&[("big", 16), ("small", 16)]));
        scheduler.add(&wanted, (0..16).map(|id| delivery("big", id)).collect(), Instant::now());
        let held: Vec<Slot> = (0..8).map_while(|_| scheduler.next(&quota)).collect();
        assert_eq!(held.len(), 8);
        assert!(scheduler.next(&quota).is_none(), "the big one's quota is under way");
        // News came: only of those is claimed that have not enough.
        let wanted = scheduler.claim_quota(&quota, true, 32);
        assert_eq!(wanted, self::quota(&[("small", 16)]));
        scheduler.add(&wanted, vec![delivery("small", 99)], Instant::now());
        assert_eq!(scheduler.next(&quota).map(|slot| slot.delivery.id), Some(99));
        drop(held);
        assert_eq!(scheduler.next(&quota).map(|slot| slot.delivery.id), Some(8));
        assert!(!scheduler.is_empty());
    }

    #[test]
    fn who_has_more_is_asked_for_again_before_running_out() {
        let quota = quota(&[("a", 2), ("b", 2)]);
        let mut scheduler = FairScheduler::default();
        let wanted = scheduler.claim_quota(&quota, true, 32);
        scheduler.add(
            &wanted,
            (0..4).map(|id| delivery("a", id)).chain([delivery("b", 9)]).collect(),
            Instant::now(),
        );
        assert!(!scheduler.needs_more(&quota), "two are still claimed ahead");
        let mut order = Vec::new();
        while let Some(slot) = scheduler.next(&quota) {
            order.push(slot.delivery.id);
        }
        assert_eq!(order, [0, 9, 1, 2, 3], "in turns");
        assert!(scheduler.needs_more(&quota));
        assert_eq!(scheduler.claim_quota(&quota, false, 32), self::quota(&[("a", 4)]));
    }

    #[test]
    fn what_was_claimed_of_a_tenant_that_is_gone_is_seen_through() {
        let mut scheduler = FairScheduler::default();
        scheduler.add(&quota(&[("gone", 2)]), vec![delivery("gone", 1), delivery("gone", 2)], Instant::now());
        let first = scheduler.next(&ClaimQuota::new()).unwrap();
        assert!(scheduler.next(&ClaimQuota::new()).is_none());
        drop(first);
        assert!(scheduler.next(&ClaimQuota::new()).is_some());
    }
}
