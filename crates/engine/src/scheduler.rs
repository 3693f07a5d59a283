//! Whose delivery is next: tenants take turns, and none has more under way than its share.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use campanile_store::{ClaimQuota, Delivery};

/// Beyond so many claimed deliveries for each that can be under way, tenants get one at a time.
const PLENTY: usize = 8;

/// Claimed deliveries that wait for their turn.
#[derive(Default)]
pub(super) struct FairScheduler {
    lines: BTreeMap<String, TenantQueue>,
    /// Counts turns, to tell who had the last one longest ago.
    turn: u64,
}

/// A tenant's own.
#[derive(Default)]
struct TenantQueue {
    claimed: VecDeque<(Delivery, Instant)>,
    under_way: Arc<AtomicUsize>,
    last_turn: u64,
    /// Whether the last claim brought all that it could: there may be more.
    more: bool,
}

/// A delivery whose turn it is. It counts as under way for as long as this is held.
pub(super) struct Slot {
    pub(super) delivery: Delivery,
    pub(super) claimed: Instant,
    pub(super) held: InFlightGuard,
}

/// Counts one as under way.
pub(super) struct InFlightGuard(Arc<AtomicUsize>);

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl FairScheduler {
    /// Whether nothing that is claimed waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.values().all(|line| line.claimed.is_empty())
    }

    fn len(&self) -> usize {
        self.lines.values().map(|line| line.claimed.len()).sum()
    }

    /// Whether a tenant that has more in the store is about to run out of what is claimed.
    pub(super) fn want_more(&self, shares: &ClaimQuota) -> bool {
        self.lines.iter().any(|(tenant, line)| line.more && line.claimed.len() < share(shares, tenant))
    }

    /// How much of each tenant to claim, `shares` being what it may have under way: as much again is claimed ahead of
    /// need, because each claim is a transaction. With `all`, of everybody; else of those that are known to have more.
    pub(super) fn wanted(&mut self, shares: &ClaimQuota, all: bool, concurrency: usize) -> ClaimQuota {
        if all {
            // Of those that have enough nobody asks, so there may be more of them.
            for (tenant, line) in &mut self.lines {
                line.more |= line.claimed.len() >= share(shares, tenant);
            }
        }
        let plenty = self.len() > PLENTY * concurrency;
        let wanted = shares.iter().map(|(tenant, share)| {
            let (share, line) = (*share as usize, self.lines.get(tenant));
            let claimed = line.map_or(0, |line| line.claimed.len());
            let ahead = if plenty { 1 } else { 2 * share };
            let asked = claimed < share && (all || line.is_some_and(|line| line.more));
            (
                tenant.clone(),
                if asked { u32::try_from(ahead.saturating_sub(claimed)).unwrap_or(u32::MAX) } else { 0 },
            )
        });
        wanted.filter(|(_, wanted)| *wanted > 0).collect()
    }

    /// Takes what was claimed after `wanted` was asked for.
    pub(super) fn add(&mut self, wanted: &ClaimQuota, claimed: Vec<Delivery>, now: Instant) {
        let mut brought = BTreeMap::<String, u32>::new();
        for delivery in claimed {
            *brought.entry(delivery.tenant.clone()).or_default() += 1;
            self.lines.entry(delivery.tenant.clone()).or_default().claimed.push_back((delivery, now));
        }
        for (tenant, wanted) in wanted {
            if let Some(line) = self.lines.get_mut(tenant) {
                line.more = brought.get(tenant) == Some(wanted);
            }
        }
        self.lines.retain(|_, line| !line.is_idle());
    }

    /// The next one: of the tenant that has the fewest under way, and of several such the one whose last turn was
    /// longest ago.
    pub(super) fn next(&mut self, shares: &ClaimQuota) -> Option<Slot> {
        let may = |tenant: &str, line: &TenantQueue| {
            !line.claimed.is_empty() && line.under_way() < share(shares, tenant)
        };
        let ready = self.lines.iter_mut().filter(|(tenant, line)| may(tenant, line));
        let (_, line) = ready.min_by_key(|(_, line)| (line.under_way(), line.last_turn))?;
        let (delivery, claimed) = line.claimed.pop_front()?;
        self.turn += 1;
        line.last_turn = self.turn;
        line.under_way.fetch_add(1, Ordering::Relaxed);
        Some(Slot { delivery, claimed, held: InFlightGuard(Arc::clone(&line.under_way)) })
    }
}

impl TenantQueue {
    fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.claimed.is_empty() && self.under_way() == 0 && !self.more
    }
}

/// What a tenant may have under way. One that has just gone may finish what was claimed of it, one by one.
fn share(shares: &ClaimQuota, tenant: &str) -> usize {
    shares.get(tenant).map_or(1, |share| *share as usize)
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

    fn shares(of: &[(&str, u32)]) -> ClaimQuota {
        of.iter().map(|(tenant, share)| ((*tenant).to_owned(), *share)).collect()
    }

    #[test]
    fn a_newcomer_is_next_however_many_others_wait() {
        let shares = shares(&[("big", 8), ("small", 8)]);
        let mut turns = FairScheduler::default();
        let wanted = turns.wanted(&shares, true, 32);
        assert_eq!(wanted, self::shares(&[("big", 16), ("small", 16)]));
        turns.add(&wanted, (0..16).map(|id| delivery("big", id)).collect(), Instant::now());
        let held: Vec<Slot> = (0..8).map_while(|_| turns.next(&shares)).collect();
        assert_eq!(held.len(), 8);
        assert!(turns.next(&shares).is_none(), "the big one's share is under way");
        // News came: only of those is claimed that have not enough.
        let wanted = turns.wanted(&shares, true, 32);
        assert_eq!(wanted, self::shares(&[("small", 16)]));
        turns.add(&wanted, vec![delivery("small", 99)], Instant::now());
        assert_eq!(turns.next(&shares).map(|turn| turn.delivery.id), Some(99));
        drop(held);
        assert_eq!(turns.next(&shares).map(|turn| turn.delivery.id), Some(8));
        assert!(!turns.is_empty());
    }

    #[test]
    fn who_has_more_is_asked_for_again_before_running_out() {
        let shares = shares(&[("a", 2), ("b", 2)]);
        let mut turns = FairScheduler::default();
        let wanted = turns.wanted(&shares, true, 32);
        turns.add(
            &wanted,
            (0..4).map(|id| delivery("a", id)).chain([delivery("b", 9)]).collect(),
            Instant::now(),
        );
        assert!(!turns.want_more(&shares), "two are still claimed ahead");
        let mut order = Vec::new();
        while let Some(turn) = turns.next(&shares) {
            order.push(turn.delivery.id);
        }
        assert_eq!(order, [0, 9, 1, 2, 3], "in turns");
        assert!(turns.want_more(&shares));
        assert_eq!(turns.wanted(&shares, false, 32), self::shares(&[("a", 4)]));
    }

    #[test]
    fn what_was_claimed_of_a_tenant_that_is_gone_is_seen_through() {
        let mut turns = FairScheduler::default();
        turns.add(&shares(&[("gone", 2)]), vec![delivery("gone", 1), delivery("gone", 2)], Instant::now());
        let first = turns.next(&ClaimQuota::new()).unwrap();
        assert!(turns.next(&ClaimQuota::new()).is_none());
        drop(first);
        assert!(turns.next(&ClaimQuota::new()).is_some());
    }
}
