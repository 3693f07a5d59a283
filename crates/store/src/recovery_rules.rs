//! Duties of every store when a far side is back, a person steps in, a target goes, or the clock is set.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::conformance::{LEASE, T, at, each, put, settle, settled, started, to};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Stores so many deliveries of `mail`, with this key, and has an attempt of each end in this way.
async fn waiting(
    store: &dyn Store,
    count: usize,
    key: Option<&str>,
    settlement: &Settlement,
) -> Vec<DeliveryId> {
    settled_each(store, key, &vec![settlement.clone(); count]).await
}

/// Stores deliveries of `mail`, with this key, and has an attempt of each end in its own way.
async fn settled_each(store: &dyn Store, key: Option<&str>, settlements: &[Settlement]) -> Vec<DeliveryId> {
    for (number, _) in (1..).zip(settlements) {
        put(store, 0, vec![to(started("linux", number), &[("mail", key)])]).await;
    }
    let ids = store.delivery_ids(T, &query(Some(DeliveryState::Waiting))).await.unwrap();
    for delivery in store.claim("me", &each(100), LEASE, at(0)).await.unwrap() {
        let index = ids.iter().position(|id| *id == delivery.id).unwrap();
        store.settle(&delivery.lease(), settlements[index].clone(), at(1)).await.unwrap();
    }
    ids
}

fn query(state: Option<DeliveryState>) -> DeliveryQuery {
    let page = Page { limit: 100, before: None };
    DeliveryQuery { state, target: Some("mail".into()), event: None, since: None, until: None, page }
}

async fn due_at(store: &dyn Store, now: i64) -> Vec<DeliveryId> {
    store.claim("me", &each(100), LEASE, at(now)).await.unwrap().iter().map(|delivery| delivery.id).collect()
}

/// The first one at once, each of the others a second later.
fn each_second(ids: &[DeliveryId]) -> Vec<(DeliveryId, Duration)> {
    (0..).zip(ids).map(|(second, id)| (*id, SECOND * second)).collect()
}

fn later(wait: Wait) -> Settlement {
    Settlement { not_before: at(500), wait, ..settled(DeliveryState::Waiting) }
}

pub(super) async fn what_waits_for_the_far_side_is_due_one_after_the_other(store: &dyn Store) {
    let ids = waiting(store, 3, None, &later(Wait::ForFarSide)).await;
    put(store, 2, vec![to(started("mac", 1), &[("mail", None)])]).await;
    let own = due_at(store, 2).await[0];
    settle(store, own, later(Wait::OfItsOwn), at(3)).await;
    assert_eq!(store.retry_now("other", "mail", 9, SECOND, at(10)).await.unwrap(), 0);
    assert_eq!(store.retry_now(T, "irc", 9, SECOND, at(10)).await.unwrap(), 0);
    assert_eq!(store.retry_now(T, "mail", 2, SECOND, at(10)).await.unwrap(), 2, "M-DLV-04");
    assert_eq!(
        store.retry_now(T, "mail", 2, SECOND, at(12)).await.unwrap(),
        1,
        "M-DLV-04: the first two are due"
    );
    assert_eq!(due_at(store, 9).await, [0; 0]);
    for (second, id) in (10..).zip(&ids) {
        assert_eq!(due_at(store, second).await, [*id], "M-DLV-04");
    }
    assert_eq!(due_at(store, 499).await, ids, "their leases ran out; the other's time is its own");
    assert_eq!(due_at(store, 500).await, [own]);
}

pub(super) async fn a_person_hurries_what_waits_and_what_is_dead(store: &dyn Store) {
    let (own, dead) = (later(Wait::OfItsOwn), settled(DeliveryState::Dead));
    let ids = settled_each(store, None, &[own.clone(), own, dead.clone(), dead]).await;
    assert_eq!(store.delivery_ids(T, &query(Some(DeliveryState::Dead))).await.unwrap(), ids[2..]);
    let since = DeliveryQuery { since: Some(at(1)), ..query(None) };
    let until = DeliveryQuery { until: Some(at(1)), ..query(None) };
    assert_eq!(store.delivery_ids(T, &since).await.unwrap(), [0; 0]);
    assert_eq!(store.delivery_ids(T, &until).await.unwrap(), ids);
    assert_eq!(store.retry(T, &each_second(&ids), at(10)).await.unwrap(), 4, "M-DLV-05");
    for (second, id) in (10..).zip(&ids) {
        assert_eq!(due_at(store, second).await, [*id], "M-DLV-05");
    }
    let created = async |id| store.delivery(T, id).await.unwrap().unwrap().0.created;
    assert_eq!((created(ids[0]).await, created(ids[3]).await), (at(0), at(10)), "M-DLV-05");
    assert_eq!(store.retry(T, &each_second(&ids), at(20)).await.unwrap(), 0, "they are leased");
}

pub(super) async fn dead_ones_of_a_key_wait_again_in_their_order(store: &dyn Store) {
    let ids = waiting(store, 4, Some("k"), &settled(DeliveryState::Dead)).await;
    let second = due_at(store, 2).await;
    settle(store, second[0], settled(DeliveryState::Dead), at(2)).await;
    // The third one could go now, and must not overtake those before it.
    assert_eq!(
        store
            .retry(T, &ids[..2].iter().map(|id| (*id, Duration::ZERO)).collect::<Vec<_>>(), at(3))
            .await
            .unwrap(),
        2
    );
    for id in &ids {
        assert_eq!(due_at(store, 4).await, [*id]);
        settle(store, *id, settled(DeliveryState::Delivered), at(4)).await;
    }
}

pub(super) async fn one_that_is_put_off_for_long_leaves_its_order(store: &dyn Store) {
    let ids = waiting(store, 3, Some("k"), &later(Wait::OutOfOrder)).await;
    assert_eq!(due_at(store, 2).await, [ids[1]], "M-DLV-01");
    settle(store, ids[1], settled(DeliveryState::Delivered), at(3)).await;
    assert_eq!(due_at(store, 4).await, [ids[2]]);
    settle(store, ids[2], later(Wait::OfItsOwn), at(5)).await;
    assert_eq!(due_at(store, 500).await, [ids[0], ids[2]]);
}

pub(super) async fn dropped_ones_free_those_behind_them(store: &dyn Store) {
    let ids = waiting(store, 3, Some("k"), &later(Wait::ForFarSide)).await;
    assert_eq!(store.drop_waiting("other", &ids, "enough").await.unwrap(), 0);
    assert_eq!(store.drop_waiting(T, &ids[..1], "enough").await.unwrap(), 1, "M-DLV-05");
    let (dropped, _) = store.delivery(T, ids[0]).await.unwrap().unwrap();
    assert_eq!((dropped.state, dropped.code.as_deref()), (DeliveryState::Silent, Some("dropped")));
    assert_eq!(dropped.text.as_deref(), Some("enough"));
    assert_eq!(due_at(store, 2).await, [ids[1]]);
    assert_eq!(store.drop_waiting(T, &ids, "enough").await.unwrap(), 1, "one is leased");
}

pub(super) async fn a_target_is_gone_and_back(store: &dyn Store) {
    let ids = waiting(store, 2, None, &later(Wait::ForFarSide)).await;
    assert_eq!(store.orphaned_since(T, "mail", at(5)).await.unwrap(), at(5));
    assert_eq!(store.orphaned_since(T, "mail", at(9)).await.unwrap(), at(5), "M-DLV-07");
    let targets = ["mail".to_owned(), "irc".to_owned()];
    assert_eq!(store.adopt("other", &targets).await.unwrap(), [""; 0]);
    assert_eq!(store.adopt(T, &targets).await.unwrap(), ["mail"]);
    assert_eq!(store.adopt(T, &targets).await.unwrap(), [""; 0], "it was there all the time");
    assert_eq!(store.retry_now(T, "mail", 9, SECOND, at(10)).await.unwrap(), 2);
    assert_eq!(due_at(store, 11).await, ids);
    assert_eq!(store.orphaned_since(T, "mail", at(20)).await.unwrap(), at(20));
}

pub(super) async fn times_of_what_waits_go_with_the_clock(store: &dyn Store) {
    assert_eq!(store.last_tick().await.unwrap(), None);
    let ids = settled_each(store, None, &[later(Wait::ForFarSide), settled(DeliveryState::Dead)]).await;
    store.orphaned_since(T, "irc", at(5)).await.unwrap();
    store.tick(0, at(6)).await.unwrap();
    assert_eq!(store.last_tick().await.unwrap(), Some(at(6)));
    store.tick(-100_000_000, at(-94)).await.unwrap();
    assert_eq!(store.last_tick().await.unwrap(), Some(at(-94)));
    let times = async |id| {
        let (delivery, _) = store.delivery(T, id).await.unwrap().unwrap();
        (delivery.created, delivery.not_before)
    };
    assert_eq!(times(ids[0]).await, (at(-100), at(400)), "M-DLV-06");
    assert_eq!(times(ids[1]).await.0, at(0), "what is over stays");
    assert_eq!(store.orphaned_since(T, "irc", at(0)).await.unwrap(), at(-95));
}
