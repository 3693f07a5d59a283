//! The order in which claimed deliveries go out: tenants take turns, a tenant's targets take turns, and a far side that
//! hangs holds up nobody but itself.
//!
//! Deliveries are claimed ahead of need and wait here, by target. All of it is in memory: after a crash their leases are
//! given back at the next start.
//!
//! An attempt takes one of its target's slots for as long as it lasts. It takes one of its tenant's and of the engine's
//! only until it is slow ([`InFlight::becomes_slow`]): from then on it waits for somebody else's answer, which costs a
//! socket and a task, and no time of anybody's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::slots::{Slots, TenantSlots};
use campanile_store::{ClaimQuota, Delivery, Lease, TenantQuota};

/// Claimed deliveries per slot from which on targets get one at a time. Each of them may claim as many as it has slots,
/// so with many targets twice as many of each would be claimed: deliveries that lie here until their leases run out.
const MAX_CLAIMED_PER_SLOT: usize = 8;
/// Attempts under way for each slot of a tenant or the engine, slow ones included: they have sockets and memory.
const MAX_IN_FLIGHT_PER_SLOT: usize = 16;

/// Claimed deliveries that wait for a slot.
#[derive(Default)]
pub(super) struct FairScheduler {
    tenants: BTreeMap<String, TenantQueue>,
    in_flight: Arc<Counts>,
    /// Number of slots given so far.
    slots: u64,
}

/// One tenant's claimed deliveries, by target.
#[derive(Default)]
struct TenantQueue {
    targets: BTreeMap<String, TargetQueue>,
    in_flight: Arc<Counts>,
    /// Number of the last slot that it got.
    last_slot: u64,
}

/// One target's claimed deliveries.
#[derive(Default)]
struct TargetQueue {
    claimed: VecDeque<(Delivery, Instant)>,
    in_flight: Arc<Counts>,
    last_slot: u64,
    /// True if the last claim brought as many as it asked for: the store may have more.
    more: bool,
}

/// Attempts under way.
#[derive(Default)]
struct Counts {
    all: AtomicUsize,
    slow: AtomicUsize,
}

impl Counts {
    fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    fn slow(&self) -> usize {
        self.slow.load(Ordering::Relaxed)
    }

    /// Those that take slots of the tenant and the engine.
    fn brisk(&self) -> usize {
        self.all().saturating_sub(self.slow())
    }
}

/// A delivery that may go out now.
pub(super) struct Slot {
    pub(super) delivery: Delivery,
    /// Time of the claim, at the latest: its lease is at least that old.
    pub(super) claimed: Instant,
    pub(super) in_flight: InFlight,
}

/// Counts one attempt as under way for as long as it lives. On drop, so that a cut-off task gives its slots back too.
pub(super) struct InFlight {
    /// The target's, the tenant's and the engine's.
    counts: [Arc<Counts>; 3],
    is_slow: bool,
}

impl InFlight {
    fn begin(counts: [Arc<Counts>; 3]) -> Self {
        for count in &counts {
            count.all.fetch_add(1, Ordering::Relaxed);
        }
        Self { counts, is_slow: false }
    }

    /// Leaves its tenant's slot and the engine's to others; its target's it keeps.
    pub(super) fn becomes_slow(&mut self) {
        if !std::mem::replace(&mut self.is_slow, true) {
            for count in &self.counts {
                count.slow.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        for count in &self.counts {
            count.all.fetch_sub(1, Ordering::Relaxed);
            if self.is_slow {
                count.slow.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl FairScheduler {
    /// True if no claimed delivery waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.queues().map(|(.., queue)| queue.claimed.len()).sum()
    }

    fn queues(&self) -> impl Iterator<Item = (&str, &str, &TargetQueue)> {
        self.tenants.iter().flat_map(|(tenant, queue)| {
            queue.targets.iter().map(move |(target, queue)| (tenant.as_str(), target.as_str(), queue))
        })
    }

    /// True if a target that may have more in the store is about to run out of claimed deliveries.
    pub(super) fn needs_more(&self, slots: &Slots) -> bool {
        self.queues().any(|(tenant, target, queue)| queue.more && queue.wants_some(slots.of(tenant, target)))
    }

    /// The deliveries of each target to claim. With `all`, of every target; else of those that may have more.
    ///
    /// A target that has less than its slots is filled up to twice of them: each claim is a transaction, and one for each
    /// delivery would have the store do nothing else. One whose attempts all hang is not asked for: what is claimed could
    /// not begin.
    pub(super) fn claim_quota(&mut self, slots: &Slots, all: bool) -> ClaimQuota {
        let is_crowded = self.len() > MAX_CLAIMED_PER_SLOT * slots.engine;
        let ahead = |slots: usize| if is_crowded { 1 } else { 2 * slots };
        let mut quotas = ClaimQuota::new();
        for (tenant, of_tenant) in &slots.tenants {
            let queues = self.tenants.get_mut(tenant).map(|queue| &mut queue.targets);
            let mut targets = BTreeMap::new();
            for (target, queue) in queues.into_iter().flatten() {
                let max = of_tenant.of(target);
                let is_wanting = queue.wants_some(max);
                // Targets that have enough are not asked for now. Without this note nobody would ask again for what
                // has just come, and it would lie in the store until the next news.
                queue.more |= all && !is_wanting;
                let is_asked = is_wanting && (all || queue.more);
                let wanted = if is_asked { ahead(max).saturating_sub(queue.claimed.len()) } else { 0 };
                targets.insert(target.clone(), count(wanted));
            }
            if all {
                for (target, max) in &of_tenant.targets {
                    targets.entry(target.clone()).or_insert_with(|| count(ahead(*max)));
                }
            }
            let quota = TenantQuota { each: if all { count(ahead(of_tenant.each)) } else { 0 }, targets };
            if !quota.is_empty() {
                quotas.insert(tenant.clone(), quota);
            }
        }
        quotas
    }

    /// Takes the deliveries that a claim of `wanted` brought.
    pub(super) fn add(&mut self, wanted: &ClaimQuota, claimed: Vec<Delivery>, now: Instant) {
        let mut brought = BTreeMap::<(String, String), u32>::new();
        for delivery in claimed {
            *brought.entry((delivery.tenant.clone(), delivery.target.clone())).or_default() += 1;
            let tenant = self.tenants.entry(delivery.tenant.clone()).or_default();
            let target = tenant.targets.entry(delivery.target.clone()).or_default();
            target.claimed.push_back((delivery, now));
        }
        for (tenant, queue) in &mut self.tenants {
            let Some(quota) = wanted.get(tenant) else { continue };
            for (target, queue) in &mut queue.targets {
                let wanted = quota.of(target);
                if wanted > 0 {
                    let key = (tenant.clone(), target.clone());
                    queue.more = brought.get(&key).is_some_and(|brought| *brought >= wanted);
                }
            }
            queue.targets.retain(|_, queue| !queue.is_idle());
        }
        self.tenants.retain(|_, queue| !queue.targets.is_empty());
    }

    /// Takes out what is claimed of targets all of whose attempts hang, and of those that rest: it cannot begin, and belongs back in the store,
    /// where a person, a queue that is full or another start can have it.
    pub(super) fn take_stuck(&mut self, slots: &Slots) -> Vec<Lease> {
        let mut leases = Vec::new();
        for (tenant, queue) in &mut self.tenants {
            for (target, queue) in &mut queue.targets {
                if queue.is_stuck(slots.of(tenant, target)) && !queue.claimed.is_empty() {
                    queue.more = true;
                    leases.extend(queue.claimed.drain(..).map(|(delivery, _)| delivery.lease()));
                }
            }
        }
        leases
    }

    /// Takes out all that is claimed and has not begun.
    pub(super) fn take_all(&mut self) -> Vec<Lease> {
        let queues = self.tenants.values_mut().flat_map(|queue| queue.targets.values_mut());
        queues.flat_map(|queue| queue.claimed.drain(..).map(|(delivery, _)| delivery.lease())).collect()
    }

    /// Gives a slot to the tenant with the fewest attempts that are not slow, and within it to such a target; of several
    /// to the one whose last slot was longest ago. None if nobody may have one.
    ///
    /// The fewest first, and not just one after the other: the slots that are left go to those who can use them.
    pub(super) fn next(&mut self, slots: &Slots) -> Option<Slot> {
        if self.in_flight.brisk() >= slots.engine {
            return None;
        }
        let is_full = self.in_flight.all() >= slots.engine * MAX_IN_FLIGHT_PER_SLOT;
        let ready = self.tenants.iter_mut().filter(|(tenant, queue)| {
            // However many far sides hang: who has nothing under way gets one more.
            (!is_full || queue.in_flight.all() == 0) && queue.may_begin(slots.of_tenant(tenant))
        });
        let (tenant, queue) = ready.min_by_key(|(_, queue)| (queue.in_flight.brisk(), queue.last_slot))?;
        let of_tenant = slots.of_tenant(tenant);
        let ready = queue.targets.iter_mut().filter(|(target, queue)| queue.may_begin(of_tenant.of(target)));
        let (_, target) = ready.min_by_key(|(_, queue)| (queue.in_flight.brisk(), queue.last_slot))?;
        let (delivery, claimed) = target.claimed.pop_front()?;
        self.slots += 1;
        (queue.last_slot, target.last_slot) = (self.slots, self.slots);
        let counts = [&target.in_flight, &queue.in_flight, &self.in_flight].map(Arc::clone);
        Some(Slot { delivery, claimed, in_flight: InFlight::begin(counts) })
    }

    /// Targets whose attempts all hang, by tenant, for the log. One that has no slots rests.
    pub(super) fn stuck(&self, slots: &Slots) -> BTreeSet<(String, String)> {
        let stuck = self.queues().filter(|(tenant, target, queue)| {
            let slots = slots.of(tenant, target);
            slots > 0 && queue.is_stuck(slots)
        });
        stuck.map(|(tenant, target, _)| (tenant.to_owned(), target.to_owned())).collect()
    }
}

impl TenantQueue {
    fn may_begin(&self, slots: &TenantSlots) -> bool {
        self.in_flight.brisk() < slots.max
            && self.in_flight.all() < slots.max * MAX_IN_FLIGHT_PER_SLOT
            && self.targets.iter().any(|(target, queue)| queue.may_begin(slots.of(target)))
    }
}

impl TargetQueue {
    fn may_begin(&self, slots: usize) -> bool {
        !self.claimed.is_empty() && self.in_flight.all() < slots
    }

    fn is_stuck(&self, slots: usize) -> bool {
        self.in_flight.slow() >= slots
    }

    fn wants_some(&self, slots: usize) -> bool {
        self.claimed.len() < slots && !self.is_stuck(slots)
    }

    fn is_idle(&self) -> bool {
        self.claimed.is_empty() && self.in_flight.all() == 0 && !self.more
    }
}

fn count(deliveries: usize) -> u32 {
    u32::try_from(deliveries).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::Timestamp;
    use campanile_store::DeliveryState;

    fn delivery(tenant: &str, target: &str, id: i64) -> Delivery {
        Delivery {
            id,
            tenant: tenant.to_owned(),
            event: id,
            event_name: "buildFinished".to_owned(),
            subject: String::new(),
            target: target.to_owned(),
            ordering_key: None,
            place: None,
            state: DeliveryState::Waiting,
            attempts: 0,
            created: Timestamp::default(),
            not_before: Timestamp::default(),
            behind: None,
            code: None,
            text: None,
            callback_version: None,
            trace: None,
            message: None,
            lease_token: None,
            is_suspect: false,
            payload: None,
        }
    }

    fn slots(engine: usize, of: &[(&str, usize)]) -> Slots {
        let tenants = of.iter().map(|(tenant, max)| ((*tenant).to_owned(), TenantSlots::new(*max)));
        Slots { engine, tenants: tenants.collect() }
    }

    fn each(of: &[(&str, u32)]) -> ClaimQuota {
        of.iter().map(|(tenant, quota)| ((*tenant).to_owned(), TenantQuota::each(*quota))).collect()
    }

    fn all_of(scheduler: &mut FairScheduler, slots: &Slots) -> Vec<Slot> {
        std::iter::from_fn(|| scheduler.next(slots)).collect()
    }

    fn ids(slots: &[Slot]) -> Vec<i64> {
        slots.iter().map(|slot| slot.delivery.id).collect()
    }

    #[test]
    fn a_newcomer_is_next_however_many_others_wait() {
        let slots = slots(32, &[("big", 8), ("small", 8)]);
        let mut scheduler = FairScheduler::default();
        let wanted = scheduler.claim_quota(&slots, true);
        assert_eq!(wanted, each(&[("big", 16), ("small", 16)]));
        scheduler.add(&wanted, (0..16).map(|id| delivery("big", "mail", id)).collect(), Instant::now());
        let held = all_of(&mut scheduler, &slots);
        assert_eq!(held.len(), 8, "the big one's slots are taken");
        // News came: only of those is claimed that have not enough.
        let wanted = scheduler.claim_quota(&slots, true);
        assert_eq!(wanted["big"].of("mail"), 0);
        assert_eq!((wanted["big"].of("push"), wanted["small"].of("mail")), (16, 16));
        scheduler.add(&wanted, vec![delivery("small", "mail", 99)], Instant::now());
        assert_eq!(scheduler.next(&slots).map(|slot| slot.delivery.id), Some(99));
        drop(held);
        assert_eq!(scheduler.next(&slots).map(|slot| slot.delivery.id), Some(8));
        assert!(!scheduler.is_empty());
        assert_eq!(scheduler.take_all().len(), 7);
        assert!(scheduler.is_empty());
    }

    #[test]
    fn who_has_more_is_asked_for_again_before_running_out() {
        let slots = slots(32, &[("a", 2), ("b", 2)]);
        let mut scheduler = FairScheduler::default();
        let wanted = scheduler.claim_quota(&slots, true);
        let claimed = (0..4).map(|id| delivery("a", "mail", id)).chain([delivery("b", "mail", 9)]);
        scheduler.add(&wanted, claimed.collect(), Instant::now());
        assert!(!scheduler.needs_more(&slots), "two are still claimed ahead");
        let mut order = Vec::new();
        while let Some(slot) = scheduler.next(&slots) {
            order.push(slot.delivery.id);
        }
        assert_eq!(order, [0, 9, 1, 2, 3], "in turns");
        assert!(scheduler.needs_more(&slots));
        let again = scheduler.claim_quota(&slots, false);
        assert_eq!((again["a"].of("mail"), again["a"].each, again.len()), (4, 0, 1));
    }

    #[test]
    fn what_was_claimed_of_a_tenant_that_is_gone_is_seen_through() {
        let mut scheduler = FairScheduler::default();
        let claimed = vec![delivery("gone", "mail", 1), delivery("gone", "mail", 2)];
        scheduler.add(&each(&[("gone", 2)]), claimed, Instant::now());
        let slots = slots(4, &[]);
        let first = scheduler.next(&slots).unwrap();
        assert!(scheduler.next(&slots).is_none());
        drop(first);
        assert!(scheduler.next(&slots).is_some());
    }

    #[test]
    fn m_dlv_08_targets_of_a_tenant_take_turns() {
        let slots = slots(4, &[("a", 4)]);
        let mut scheduler = FairScheduler::default();
        let claimed = (0..4).map(|id| delivery("a", "mail", id));
        let claimed = claimed.chain((10..14).map(|id| delivery("a", "push", id))).collect();
        scheduler.add(&each(&[("a", 8)]), claimed, Instant::now());
        assert_eq!(ids(&all_of(&mut scheduler, &slots)), [0, 10, 1, 11]);
    }

    #[test]
    fn m_dlv_08_attempts_that_hang_hold_their_targets_slots_only() {
        let mut slots = slots(4, &[("a", 4), ("b", 4)]);
        slots.tenants.get_mut("a").unwrap().targets.insert("mail".to_owned(), 3);
        let mut scheduler = FairScheduler::default();
        let claimed = (0..6).map(|id| delivery("a", "mail", id)).chain([delivery("a", "push", 10)]).collect();
        scheduler.add(&each(&[("a", 8)]), claimed, Instant::now());
        let mut held = all_of(&mut scheduler, &slots);
        assert_eq!(ids(&held), [0, 10, 1, 2], "three of mail, and the other");
        scheduler.add(&each(&[("b", 8)]), vec![delivery("b", "mail", 20)], Instant::now());
        assert!(scheduler.next(&slots).is_none(), "the engine's slots are taken");
        assert!(scheduler.take_stuck(&slots).is_empty());
        held.iter_mut().for_each(|slot| slot.in_flight.becomes_slow());
        assert_eq!(ids(&all_of(&mut scheduler, &slots)), [20]);
        assert_eq!(scheduler.stuck(&slots), [("a".to_owned(), "mail".to_owned())].into());
        let stuck: Vec<_> = scheduler.take_stuck(&slots).iter().map(|lease| lease.delivery).collect();
        assert_eq!(stuck, [3, 4, 5], "they cannot begin");
        let wanted = scheduler.claim_quota(&slots, true);
        assert_eq!((wanted["a"].of("mail"), wanted["a"].of("push")), (0, 8));
        assert!(!scheduler.needs_more(&slots));
        held.remove(0);
        assert!(scheduler.needs_more(&slots), "there is a slot again");
    }

    #[test]
    fn m_dlv_08_who_has_nothing_under_way_gets_one_however_many_hang() {
        let slots = slots(1, &[("a", 99), ("b", 1)]);
        let mut scheduler = FairScheduler::default();
        let claimed = (0..99).map(|id| delivery("a", &format!("target {id}"), id));
        scheduler.add(&each(&[("a", 1)]), claimed.collect(), Instant::now());
        let mut held = Vec::new();
        while let Some(mut slot) = scheduler.next(&slots) {
            slot.in_flight.becomes_slow();
            held.push(slot);
        }
        assert_eq!(held.len(), MAX_IN_FLIGHT_PER_SLOT);
        scheduler.add(&each(&[("b", 1)]), vec![delivery("b", "mail", 100)], Instant::now());
        assert_eq!(scheduler.next(&slots).map(|slot| slot.delivery.id), Some(100));
    }
}
