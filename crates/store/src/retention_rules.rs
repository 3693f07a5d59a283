//! Duties of every store with old rows, beside `conformance`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use super::conformance::{
    LEASE, T, at, bid, builds_of, each, finished, log_ref, put, put_one, settled, started, to,
};
use super::*;
use campanile_model::Results;

/// Walks to the end; the sums of what went.
async fn prune(store: &dyn Store, keep: u64, now: i64) -> Vec<(&'static str, u64)> {
    let retention = Retention { keep: Some(Duration::from_secs(keep)), of: BTreeMap::new(), builds: 3 };
    let (mut from, mut sums) = (PruneCursor::default(), Vec::new());
    for _ in 0..100 {
        let pruned = store.prune(&retention, from, at(now)).await.unwrap();
        sums.extend(pruned.counts().into_iter().filter(|(_, count)| *count > 0));
        match pruned.next {
            Some(next) => from = next,
            None => return sums,
        }
    }
    panic!("the walk has no end");
}

pub(super) async fn what_is_old_goes_and_what_is_needed_stays(store: &dyn Store) {
    let change = || Event::ChangeAdded { change: Box::default() };
    let set = |complete| Buildset { bsid: 7, complete, ..Buildset::default() };
    let request = || campanile_model::BuildRequest { brid: 8, ..Default::default() };
    put(store, 0, vec![to(change(), &[]), to(change(), &[])]).await;
    put_one(store, 0, Event::BuildsetSubmitted { buildset: set(false) }).await;
    put_one(store, 0, Event::RequestSubmitted { request: request() }).await;
    put_one(store, 1, Event::BuildsetComplete { buildset: set(true) }).await;
    put_one(store, 1, started("mac", 1)).await;
    for number in 1..=8 {
        let results = if number == 7 { Results::Retry } else { Results::Success };
        put(store, 2, vec![to(finished("linux", number, results), &[("mail", None)])]).await;
    }
    let mut upload = store.write_log(T, &log_ref("stdio")).await.unwrap();
    upload.write(b"text\n").await.unwrap();
    upload.finish().await.unwrap();
    let who = AuditEntry {
        at: at(2),
        who: "ada".into(),
        place: "irc".into(),
        what: "force".into(),
        answer: "done".into(),
    };
    store.record_audit(T, who.clone()).await.unwrap();
    store.record_audit(T, AuditEntry { at: at(900), ..who }).await.unwrap();
    let version = KeptVersion { digest: "d".into(), origin: "o".into(), size: 1, at: at(2) };
    let in_use = InUse { callback: "c".into(), digest: "d".into(), file_digest: None };
    store.use_version(T, in_use, version, b"component".to_vec()).await.unwrap();
    let claimed = store.claim("me", &each(99), LEASE, at(3)).await.unwrap();
    assert_eq!(claimed.len(), 8);
    for delivery in &claimed[1..] {
        let done = Settlement { not_before: at(3), ..settled(DeliveryState::Delivered) };
        store.settle(&delivery.lease(), done, at(3)).await.unwrap();
    }

    // Nothing is old yet.
    assert_eq!(prune(store, 1000, 1000).await, []);
    // One delivery has yet to be prepared: what it may ask for stays, and the news that nobody waits for goes. The last
    // delivery stays too, for its number.
    assert_eq!(prune(store, 100, 1000).await, [("events", 8), ("deliveries", 6), ("audit", 1)]);
    assert_eq!(store.changes(T, Page { limit: 9, before: None }).await.unwrap().len(), 2);
    assert!(store.buildset(T, 7).await.unwrap().is_some());
    let waiting = store.deliveries(T, &deliveries_of("mail")).await.unwrap();
    assert_eq!(
        waiting.iter().map(|d| (d.id, d.state)).collect::<Vec<_>>(),
        [(claimed[7].id, DeliveryState::Delivered), (claimed[0].id, DeliveryState::Waiting)]
    );
    assert!(store.event(T, claimed[0].event).await.unwrap().is_some());
    let counts = store.delivery_counts().await.unwrap();
    assert_eq!(counts.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 1, 0, 0]);
    assert_eq!(store.builds(T, &builds_of("linux")).await.unwrap().len(), 8);

    // With its message it needs nothing more: the newest three that can be a previous build stay, and what runs.
    store.save_message(&claimed[0].lease(), b"m", None).await.unwrap();
    let gone = prune(store, 100, 1000).await;
    assert_eq!(gone, [("events", 4), ("changes", 1), ("requests", 2), ("builds", 4)]);
    let numbers: Vec<_> =
        store.builds(T, &builds_of("linux")).await.unwrap().iter().map(|b| b.number).collect();
    assert_eq!(numbers, [8, 7, 6, 5]);
    assert_eq!(store.earlier_builds(T, &bid("linux", 9), 3).await.unwrap().len(), 3);
    assert_eq!(store.running_builds(T, "mac").await.unwrap().len(), 1);
    assert_eq!(store.log_tail(T, &log_ref("stdio"), 1, 9).await.unwrap(), None);
    assert_eq!(store.versions_in_use(T).await.unwrap().len(), 1);
    assert_eq!(store.component(T, "c", "d").await.unwrap().as_deref(), Some(&b"component"[..]));
    assert_eq!(store.audit(T, Page { limit: 9, before: None }).await.unwrap().len(), 1);
    assert_eq!(prune(store, 100, 1000).await, []);
    // Settled long ago, and yet the newest: numbers go on from it.
    let last = put(store, 1001, vec![to(change(), &[("mail", None)])]).await[0].unwrap();
    let Some(Event::ChangeAdded { change }) = store.event(T, last).await.unwrap() else { panic!() };
    assert_eq!((change.number, last > claimed[7].event), (3, true));
    let newest = store.deliveries(T, &deliveries_of("mail")).await.unwrap().remove(0);
    assert!(newest.id > claimed[7].id);
}

fn deliveries_of(target: &str) -> DeliveryQuery {
    DeliveryQuery {
        state: None,
        target: Some(target.to_owned()),
        event: None,
        since: None,
        until: None,
        page: Page { limit: 99, before: None },
    }
}

/// A tenant's events are counted, and all of it goes while others stay.
pub(super) async fn each_tenant_is_counted_and_forgotten(store: &dyn Store) {
    for number in 1..=7 {
        put(
            store,
            10 * i64::try_from(number).unwrap(),
            vec![to(started("linux", number), &[("mail", None)])],
        )
        .await;
    }
    let batch = Batch { events: vec![to(started("mac", 1), &[("mail", None)])], ..Batch::default() };
    store.append("other", batch, at(75)).await.unwrap();
    for (since, count) in [(0, 7), (10, 7), (11, 6), (70, 1), (71, 0), (1_000, 0)] {
        assert_eq!(store.events_since(T, at(since)).await.unwrap(), count, "{since}");
    }
    assert_eq!(store.events_since("other", at(0)).await.unwrap(), 1);
    let bytes = store.stored_bytes(T).await.unwrap();
    assert!(bytes > 7 * 50, "{bytes}");
    assert_eq!(store.stored_bytes("nobody").await.unwrap(), 0);
    // The newest rows of all are its own: their numbers are not given again.
    let newest = store.deliveries("other", &deliveries_of("mail")).await.unwrap()[0].id;
    while store.delete_tenant_chunk("other").await.unwrap() {}
    assert!(store.deliveries("other", &deliveries_of("mail")).await.unwrap().is_empty());
    assert!(store.builders("other").await.unwrap().is_empty());
    assert_eq!(store.stored_bytes("other").await.unwrap(), 0);
    assert_eq!(store.stored_bytes(T).await.unwrap(), bytes);
    assert_eq!(store.builders(T).await.unwrap().len(), 1);
    assert_eq!(store.due().await.unwrap().iter().map(|of| of.due).collect::<Vec<_>>(), [at(10)]);
    put(store, 80, vec![to(started("linux", 8), &[("mail", None)])]).await;
    let after = store.deliveries(T, &deliveries_of("mail")).await.unwrap()[0].id;
    assert!(after > newest, "{after}, {newest}");
}
