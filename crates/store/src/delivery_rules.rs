//! Duties of every store with deliveries, beside `conformance`: order, leases, lists, traces.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::conformance::{LEASE, T, at, each, next_due, put, settled, started, to};
use super::*;

/// Deliveries of one key go in order, those of others beside them.
pub(super) async fn one_key_goes_in_order(store: &dyn Store) {
    for number in 1..=3 {
        put(store, 0, vec![to(started("linux", number), &[("push", Some("k")), ("mail", None)])]).await;
    }
    let all = each(100);
    let claim = |now| store.claim("me", &all, LEASE, at(now));
    let first = claim(0).await.unwrap();
    assert_eq!(first.iter().filter(|d| d.target == "push").count(), 1, "M-EV-07");
    assert_eq!(first.len(), 4, "M-EV-07");
    assert!(first.is_sorted_by_key(|d| d.id));
    assert_eq!(first[0].subject, "linux #1");
    assert!(claim(0).await.unwrap().is_empty());
    let push = first.iter().find(|d| d.target == "push").unwrap().lease();
    // A failure that is tried again keeps its place.
    let later = Settlement { not_before: at(50), ..settled(DeliveryState::Waiting) };
    store.settle(&push, later, at(1)).await.unwrap();
    assert!(claim(49).await.unwrap().is_empty());
    assert_eq!(next_due(store).await, Some(at(50)));
    let push = claim(50).await.unwrap().remove(0);
    assert_eq!(push.subject, "linux #1");
    store.settle(&push.lease(), settled(DeliveryState::Delivered), at(51)).await.unwrap();
    let second = claim(52).await.unwrap();
    assert_eq!(second.iter().map(|d| d.subject.as_str()).collect::<Vec<_>>(), ["linux #2"]);
    store.settle(&second[0].lease(), settled(DeliveryState::Dead), at(53)).await.unwrap();
    // Made to wait again, it is the older one and goes before the third.
    assert_eq!(store.retry(T, &[(second[0].id, Duration::ZERO)], at(54)).await.unwrap(), 1);
    let again = claim(55).await.unwrap();
    assert_eq!(again[0].id, second[0].id);
    // Who had it before writes nothing any more.
    let late = store.save_message(&second[0].lease(), b"late", None).await;
    assert!(matches!(late, Err(StoreError::LeaseLost(id)) if id == second[0].id));
    let second = again;
    store.settle(&second[0].lease(), settled(DeliveryState::Delivered), at(56)).await.unwrap();
    let third = claim(57).await.unwrap().remove(0);
    assert_eq!(third.subject, "linux #3");
    // Its far side is back: due now, unless somebody is at it.
    let later = Settlement { not_before: at(500), ..settled(DeliveryState::Waiting) };
    store.settle(&third.lease(), later, at(58)).await.unwrap();
    store.retry_now("other", "push", 9, Duration::ZERO, at(59)).await.unwrap();
    store.retry_now(T, "mail", 9, Duration::ZERO, at(59)).await.unwrap();
    assert!(claim(59).await.unwrap().iter().all(|delivery| delivery.id != third.id));
    store.retry_now(T, "push", 9, Duration::ZERO, at(59)).await.unwrap();
    assert_eq!(claim(59).await.unwrap()[0].id, third.id);
    store.retry_now(T, "push", 9, Duration::ZERO, at(60)).await.unwrap();
    assert!(claim(60).await.unwrap().iter().all(|delivery| delivery.id != third.id));
}

/// Those of one key may be taken together, and given back one by one.
pub(super) async fn a_run_is_claimed_behind_its_first(store: &dyn Store) {
    for number in 1..=5 {
        let targets = [("push", Some("k")), ("push", Some("other")), ("mail", None)];
        put(store, 0, vec![to(started("linux", number), &targets)]).await;
    }
    let claimed = store.claim("me", &each(100), LEASE, at(0)).await.unwrap();
    let first = claimed.iter().find(|d| d.ordering_key.as_deref() == Some("k")).unwrap();
    let mail = claimed.iter().find(|d| d.target == "mail").unwrap();
    assert!(store.claim_run("me", &mail.lease(), 9, LEASE, at(0)).await.unwrap().is_empty());
    let run = store.claim_run("me", &first.lease(), 3, LEASE, at(0)).await.unwrap();
    let subjects: Vec<_> = run.iter().map(|d| (d.subject.as_str(), d.ordering_key.as_deref())).collect();
    assert_eq!(subjects, [("linux #2", Some("k")), ("linux #3", Some("k")), ("linux #4", Some("k"))]);
    // The first two are done with; the third was taken in vain, and nobody else's is given back.
    let of_others = |of: &Delivery| Lease { token: of.lease().token ^ 1, ..of.lease() };
    let of_another_tenant = Lease { tenant: "other".into(), ..run[1].lease() };
    store.release_unattempted(&[of_another_tenant, of_others(&run[1]), of_others(&run[2])]).await.unwrap();
    for delivery in [first, &run[0]] {
        store.settle(&delivery.lease(), settled(DeliveryState::Delivered), at(1)).await.unwrap();
    }
    assert!(store.claim("me", &each(100), LEASE, at(1)).await.unwrap().is_empty(), "it is still leased");
    store.release_unattempted(&[run[1].lease(), run[2].lease(), first.lease()]).await.unwrap();
    let next = store.claim("me", &each(100), LEASE, at(2)).await.unwrap();
    assert_eq!(next.iter().map(|d| d.id).collect::<Vec<_>>(), [run[1].id]);
    let rest = store.claim_run("me", &next[0].lease(), 9, LEASE, at(2)).await.unwrap();
    assert_eq!(rest.iter().map(|d| d.subject.as_str()).collect::<Vec<_>>(), ["linux #4", "linux #5"]);
}

pub(super) async fn leases_run_out_and_are_given_back(store: &dyn Store) {
    put(store, 0, vec![to(started("linux", 1), &[("mail", None)])]).await;
    assert_eq!(next_due(store).await, Some(at(0)));
    let first = store.claim("a", &each(9), LEASE, at(0)).await.unwrap().remove(0).lease();
    let id = first.delivery;
    store.save_message(&first, b"bytes", Some("v1")).await.unwrap();
    assert!(store.claim("b", &each(9), LEASE, at(59)).await.unwrap().is_empty());
    assert_eq!(next_due(store).await, Some(at(60)));
    let taken = store.claim("b", &each(9), LEASE, at(60)).await.unwrap();
    assert_eq!(taken[0].message.as_deref(), Some(&b"bytes"[..]));
    store.release("a").await.unwrap();
    assert!(store.claim("a", &each(9), LEASE, at(61)).await.unwrap().is_empty());
    store.release("b").await.unwrap();
    let last = store.claim("a", &each(9), LEASE, at(61)).await.unwrap().remove(0).lease();
    // Who lost the lease changes nothing, neither before nor after the other one has settled it.
    for late in [&first, &Lease { tenant: "other".into(), ..last.clone() }] {
        assert!(store.save_message(late, b"other bytes", None).await.is_err(), "M-STO-08");
        assert!(store.renew(std::slice::from_ref(late), LEASE, at(62)).await.unwrap().is_empty(), "M-STO-08");
        store.settle(late, settled(DeliveryState::Dead), at(62)).await.unwrap();
    }
    let (delivery, attempts) = store.delivery(T, id).await.unwrap().unwrap();
    assert_eq!((delivery.state, attempts.len()), (DeliveryState::Waiting, 1), "M-STO-08: it was sent");
    assert_eq!(delivery.message.as_deref(), Some(&b"bytes"[..]), "M-STO-08");
    // Stored a second time, since nobody knew if the first was durable: listed once.
    for now in [63, 63, 64] {
        store.settle(&last, settled(DeliveryState::Delivered), at(now)).await.unwrap();
    }
    store.settle(&first, settled(DeliveryState::Waiting), at(65)).await.unwrap();
    let (delivery, attempts) = store.delivery(T, id).await.unwrap().unwrap();
    let counts = (delivery.state, delivery.attempts, attempts.len());
    assert_eq!(counts, (DeliveryState::Delivered, 2, 2), "M-STO-08");
    assert_eq!(next_due(store).await, None);
}

pub(super) async fn deliveries_are_listed_counted_and_retried(store: &dyn Store) {
    let ids =
        put(store, 0, vec![to(started("linux", 1), &[("mail", None), ("irc", None), ("push", None)])]).await;
    let claimed = store.claim("me", &each(9), LEASE, at(0)).await.unwrap();
    let silent = Settlement {
        attempted: false,
        code: Some("same".into()),
        text: "as before".into(),
        ..settled(DeliveryState::Silent)
    };
    store.save_message(&claimed[0].lease(), b"m", None).await.unwrap();
    store.settle(&claimed[0].lease(), settled(DeliveryState::Dead), at(1)).await.unwrap();
    store.settle(&claimed[1].lease(), silent, at(1)).await.unwrap();
    let query = |state, target: Option<&str>, event, before| DeliveryQuery {
        state,
        target: target.map(str::to_owned),
        event,
        since: None,
        until: None,
        page: Page { limit: 10, before },
    };
    let list =
        |q| async move { store.deliveries(T, &q).await.unwrap().iter().map(|d| d.id).collect::<Vec<_>>() };
    let all: Vec<_> = claimed.iter().rev().map(|d| d.id).collect();
    assert_eq!(list(query(None, None, None, None)).await, all);
    assert_eq!(list(query(None, None, ids[0], None)).await, all);
    assert_eq!(list(query(None, None, ids[0].map(|id| id + 1), None)).await, [0; 0]);
    assert_eq!(list(query(None, None, None, Some(all[0]))).await, all[1..]);
    assert_eq!(list(query(Some(DeliveryState::Dead), None, None, None)).await, [claimed[0].id]);
    assert_eq!(list(query(None, Some("irc"), None, None)).await, [claimed[1].id]);
    assert!(store.deliveries("other", &query(None, None, None, None)).await.unwrap().is_empty());
    let counts = store.delivery_counts().await.unwrap();
    assert_eq!(counts.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 0, 1, 1]);
    let (delivery, attempts) = store.delivery(T, claimed[1].id).await.unwrap().unwrap();
    assert_eq!((delivery.code.as_deref(), attempts.len()), (Some("same"), 0));
    assert_eq!(store.retry(T, &[(claimed[1].id, Duration::ZERO)], at(5)).await.unwrap(), 0);
    assert_eq!(store.retry("other", &[(claimed[0].id, Duration::ZERO)], at(5)).await.unwrap(), 0);
    assert_eq!(store.retry(T, &[(claimed[0].id, Duration::ZERO)], at(5)).await.unwrap(), 1);
    let again = store.claim("me", &each(9), LEASE, at(5)).await.unwrap();
    assert_eq!((again[0].created, again[0].message.as_deref()), (at(5), Some(&b"m"[..])));
}

pub(super) async fn a_trace_stays_with_its_deliveries(store: &dyn Store) {
    let trace = TraceContext { trace: 7, span: 8, sampled: true };
    let events = vec![to(started("linux", 1), &[("push", Some("k")), ("mail", None)])];
    store.append(T, Batch { events, trace: Some(trace), ..Batch::default() }, at(0)).await.unwrap();
    put(store, 5, vec![to(started("linux", 2), &[("push", Some("k"))])]).await;
    let stats = store.stats().await.unwrap();
    let waiting: Vec<_> =
        stats.waiting.iter().map(|w| (w.tenant.as_str(), w.target.as_str(), w.count, w.oldest)).collect();
    assert_eq!(waiting, [(T, "mail", 1, at(0)), (T, "push", 2, at(0))]);
    assert!(stats.bytes > 0 && stats.operations >= stats.transactions && stats.transactions >= 2);
    let claimed = store.claim("me", &each(9), LEASE, at(6)).await.unwrap();
    assert_eq!(claimed.iter().map(|d| d.trace).collect::<Vec<_>>(), [Some(trace); 2]);
    let behind = store.claim_run("me", &claimed[0].lease(), 9, LEASE, at(6)).await.unwrap();
    assert_eq!(behind.iter().map(|d| d.trace).collect::<Vec<_>>(), [None]);
}

/// Nobody waits behind another tenant's: each has its share, and only those that are named.
pub(super) async fn each_tenant_has_its_share(store: &dyn Store) {
    for number in 1..=20 {
        put(store, 0, vec![to(started("linux", number), &[("mail", None)])]).await;
    }
    let batch = Batch { events: vec![to(started("mac", 1), &[("mail", None)])], ..Batch::default() };
    store.append("other", batch, at(5)).await.unwrap();
    assert_eq!(store.due().await.unwrap(), [due(T, "mail", 0), due("other", "mail", 5)]);
    let shares: ClaimQuota =
        [T, "other", "third"].map(|tenant| (tenant.to_owned(), TenantQuota::each(3))).into();
    let tenants = |claimed: &[Delivery]| {
        let of = |tenant: &str| claimed.iter().filter(|delivery| delivery.tenant == tenant).count();
        (of(T), of("other"))
    };
    assert_eq!(tenants(&store.claim("me", &shares, LEASE, at(4)).await.unwrap()), (3, 0));
    assert_eq!(tenants(&store.claim("me", &shares, LEASE, at(5)).await.unwrap()), (3, 1));
    let none: ClaimQuota = [(T.to_owned(), TenantQuota::each(0))].into();
    assert!(store.claim("me", &none, LEASE, at(5)).await.unwrap().is_empty());
    assert!(store.claim("me", &ClaimQuota::new(), LEASE, at(5)).await.unwrap().is_empty());
}

/// Nor behind another target's: each has its share, by name or as all others.
pub(super) async fn each_target_has_its_share(store: &dyn Store) {
    let to_all = [("hung", None), ("push", Some("key")), ("mail", None)];
    for number in 1..=20 {
        put(store, number, vec![to(started("linux", number.cast_unsigned()), &to_all)]).await;
    }
    let dues = [due(T, "hung", 1), due(T, "mail", 1), due(T, "push", 1)];
    assert_eq!(store.due().await.unwrap(), dues);
    let quota = TenantQuota { each: 3, targets: [("hung".to_owned(), 0), ("mail".to_owned(), 5)].into() };
    assert_eq!((quota.is_empty(), TenantQuota::each(0).is_empty()), (false, true));
    let claimed = store.claim("me", &[(T.to_owned(), quota)].into(), LEASE, at(30)).await.unwrap();
    let of = |target: &str| claimed.iter().filter(|delivery| delivery.target == target).count();
    assert_eq!((of("hung"), of("push"), of("mail")), (0, 1, 5));
    assert!(claimed.is_sorted_by_key(|delivery| delivery.id));
    let dues = [due(T, "hung", 1), due(T, "mail", 6), due(T, "push", 90)];
    assert_eq!(store.due().await.unwrap(), dues, "and of the last one when its lease runs out");
}

/// Whoever is at work on a delivery keeps it, and is told when it is no more its own.
pub(super) async fn a_lease_is_renewed_by_its_owner_only(store: &dyn Store) {
    for number in 1..=3 {
        put(store, 0, vec![to(started("linux", number), &[("mail", None)])]).await;
    }
    let claimed = store.claim("me", &each(9), LEASE, at(0)).await.unwrap();
    let leases: Vec<_> = claimed.iter().map(Delivery::lease).collect();
    let ids: Vec<_> = claimed.iter().map(|claimed| claimed.id).collect();
    store.settle(&leases[1], settled(DeliveryState::Delivered), at(1)).await.unwrap();
    let mut kept = store.renew(&leases[..2], LEASE, at(50)).await.unwrap();
    kept.sort_unstable();
    assert_eq!(kept, [ids[0]]);
    let taken = store.claim("you", &each(9), LEASE, at(60)).await.unwrap();
    assert_eq!(taken.iter().map(|taken| taken.id).collect::<Vec<_>>(), [ids[2]]);
    assert_eq!(store.renew(&leases, LEASE, at(61)).await.unwrap(), [ids[0]]);
    store.release("me").await.unwrap();
    assert!(store.renew(&leases[..1], LEASE, at(62)).await.unwrap().is_empty());
}

pub(super) async fn what_an_engine_died_of_twice_is_set_aside(store: &dyn Store) {
    for number in 1..=3 {
        put(store, 0, vec![to(started("linux", number), &[("mail", Some("k"))])]).await;
        put(store, 0, vec![to(started("mac", number), &[("push", None)])]).await;
    }
    let claim = async |at| store.claim("me", &each(9), LEASE, at).await.unwrap();
    // Two free ones of the key's target and the other's three; the key has one.
    let first = claim(at(0)).await;
    assert_eq!((first.len(), first.iter().any(|one| one.is_suspect)), (4, false));
    let another = store.take_over("another", at(1)).await.unwrap();
    assert_eq!(another, TakenOver::default(), "they are not its own");
    let taken = store.take_over("me", at(1)).await.unwrap();
    assert_eq!((taken.suspects, taken.poisoned), (4, Vec::new()));

    let again = claim(at(2)).await;
    assert!(again.iter().all(|one| one.is_suspect), "{again:?}");
    let of_the_key = again.iter().find(|one| one.target == "mail").unwrap();
    let pushes: Vec<_> = again.iter().filter(|one| one.target == "push").collect();
    store.begin_suspect(&Lease { token: 7, ..pushes[0].lease() }).await.unwrap();
    store.begin_suspect(&pushes[1].lease()).await.unwrap();
    store.clear_suspect(&pushes[1].lease()).await.unwrap();
    store.begin_suspect(&pushes[2].lease()).await.unwrap();
    store.settle(&pushes[2].lease(), settled(DeliveryState::Waiting), at(3)).await.unwrap();
    store.begin_suspect(&of_the_key.lease()).await.unwrap();
    let taken = store.take_over("me", at(4)).await.unwrap();
    assert_eq!((taken.suspects, taken.poisoned), (3, Vec::new()), "whoever kills the engine hits one too");
    let again = claim(at(5)).await;
    let of_the_key = again.iter().find(|one| one.target == "mail").unwrap();
    store.begin_suspect(&of_the_key.lease()).await.unwrap();
    let taken = store.take_over("me", at(6)).await.unwrap();
    let poisoned = Poisoned { tenant: T.to_owned(), delivery: of_the_key.id, target: "mail".to_owned() };
    assert_eq!((taken.suspects > 0, taken.poisoned), (true, vec![poisoned]), "{}", "M-DLV-12");
    let (dead, attempts) = store.delivery(T, of_the_key.id).await.unwrap().unwrap();
    assert_eq!((dead.state, dead.code.as_deref(), dead.attempts), (DeliveryState::Dead, Some(POISON), 1));
    assert_eq!(attempts.last().unwrap().code.as_deref(), Some(POISON));
    // The next one of its key goes, and a stop is no death.
    let claimed = claim(at(99)).await;
    let behind = claimed.iter().find(|one| one.target == "mail").unwrap();
    assert!(behind.id > of_the_key.id && !behind.is_suspect);
    store.begin_suspect(&behind.lease()).await.unwrap();
    store.release("me").await.unwrap();
    let claimed = claim(at(99)).await;
    assert!(claimed.iter().find(|one| one.id == behind.id).unwrap().is_suspect);
    assert_eq!(store.take_over("me", at(99)).await.unwrap().poisoned, []);

    // A person's retry takes the suspicion away.
    assert_eq!(store.retry(T, &[(of_the_key.id, Duration::ZERO)], at(100)).await.unwrap(), 1);
    let claimed = claim(at(101)).await;
    assert!(!claimed.iter().find(|one| one.id == of_the_key.id).unwrap().is_suspect);
}

pub(super) async fn begun_loads_are_counted_by_version(store: &dyn Store) {
    let begin = async |tenant, version| store.begin_load(tenant, version).await.unwrap();
    assert_eq!((begin(T, "a").await, begin(T, "a").await, begin("other", "a").await), (1, 2, 1));
    assert_eq!((begin(T, "b").await, begin(T, "b").await), (1, 2), "{}", "M-DLV-13");
    store.end_load(T).await.unwrap();
    assert_eq!((begin(T, "b").await, begin("other", "a").await), (1, 2));
}

fn due(tenant: &str, target: &str, seconds: i64) -> TargetDue {
    TargetDue { tenant: tenant.to_owned(), target: target.to_owned(), due: at(seconds) }
}
