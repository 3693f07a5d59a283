//! Duties of every store with queues of targets, beside `conformance`: rules, and a model that any history must fit.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::VecDeque;

use proptest::prelude::*;

use super::conformance::{LEASE, T, at, each, next_due, settled};
use super::*;

/// Adds to the queue of `push`; says how many were dropped for it.
async fn add(store: &dyn Store, count: usize, max: u32, delay: Duration, now: i64) -> u64 {
    let queue = Some(Queue { max, delay });
    let events = (0..count)
        .map(|_| NewEvent {
            event: Event::Start {},
            deliveries: vec![NewDelivery { target: "push".into(), ordering_key: Some(String::new()), queue }],
        })
        .collect();
    match store.append(T, Batch { events, ..Batch::default() }, at(now)).await.unwrap() {
        Appended::Stored { dropped, .. } => dropped.iter().map(|dropped| dropped.count).sum(),
        Appended::Duplicate => panic!("a request without a name is no duplicate"),
    }
}

/// Takes up to so many from the front.
async fn take(store: &dyn Store, count: u32, now: i64) -> Vec<Delivery> {
    let mut taken = store.claim("me", &each(9), LEASE, at(now)).await.unwrap();
    if let Some(first) = taken.first().map(Delivery::lease)
        && count > 1
    {
        taken.extend(store.claim_run("me", &first, count - 1, LEASE, at(now)).await.unwrap());
    }
    taken
}

fn numbers(taken: &[Delivery]) -> Vec<u64> {
    taken.iter().map(|delivery| delivery.place.unwrap().number).collect()
}

/// P-PKT-01, P-Q-01, P-Q-02, P-CYC-01, P-CYC-03.
pub(super) async fn a_queue_is_numbered_bounded_and_rests(store: &dyn Store) {
    let second = Duration::from_secs(1);
    assert_eq!(add(store, 3, 5, second, 0).await, 0);
    assert!(take(store, 9, 0).await.is_empty(), "they wait for company");
    assert_eq!(next_due(store).await, Some(at(1)));
    // What comes later goes along.
    assert_eq!(add(store, 2, 5, second, 1).await, 0);
    let taken = take(store, 2, 1).await;
    assert_eq!(numbers(&taken), [1, 2]);
    assert!(taken.iter().all(|delivery| delivery.place.unwrap().started == at(0)));
    // What is on its way is no longer in the queue, and is not dropped.
    assert_eq!(add(store, 3, 5, second, 2).await, 1);
    store.settle(&taken[0].lease(), settled(DeliveryState::Delivered), at(2)).await.unwrap();
    store.release_unattempted(&[taken[1].lease()]).await.unwrap();
    assert_eq!(add(store, 1, 5, second, 3).await, 2, "what was put back is over and above");
    store.defer_target(T, "push", "", at(10)).await.unwrap();
    assert!(take(store, 9, 9).await.is_empty());
    assert_eq!(numbers(&take(store, 9, 10).await), [5, 6, 7, 8, 9]);
    let query = DeliveryQuery {
        state: Some(DeliveryState::Silent),
        target: Some("push".into()),
        event: None,
        since: None,
        until: None,
        page: Page { limit: 9, before: None },
    };
    let dropped = store.deliveries(T, &query).await.unwrap();
    assert_eq!(numbers(&dropped), [4, 3, 2]);
    assert!(dropped.iter().all(|delivery| delivery.code.as_deref() == Some("dropped")));
}

/// Something that happens to a queue.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Push(usize),
    /// Takes so many, delivers some of them, and puts the rest back.
    Pop {
        take: u32,
        deliver: usize,
    },
    /// As kill -9 with so many taken: the store is opened again, and what was taken comes back.
    Crash {
        take: u32,
    },
}

/// Any history.
pub(super) fn history() -> impl Strategy<Value = (u32, Vec<Step>)> {
    let step = prop_oneof![
        3 => (1..7_usize).prop_map(Step::Push),
        3 => (1..9_u32, 0..9_usize).prop_map(|(take, deliver)| Step::Pop { take, deliver }),
        1 => (0..5_u32).prop_map(|take| Step::Crash { take }),
    ];
    (1..12_u32, prop::collection::vec(step, 1..25))
}

/// Runs a history beside a model of the rules: order, numbers and drops must agree at every step (P-Q-01, P-Q-02, P-T-2).
pub(super) async fn runs_as_the_model<S: Store>(max: u32, steps: Vec<Step>, open: impl AsyncFn() -> S) {
    let mut store = open().await;
    let (mut model, mut next) = (VecDeque::new(), 1_u64);
    for step in steps {
        match step {
            Step::Push(count) => {
                let dropped = add(&store, count, max, Duration::ZERO, 0).await;
                model.extend(next..next + count as u64);
                next += count as u64;
                let excess = model.len().saturating_sub(max as usize);
                model.drain(..excess);
                assert_eq!(dropped, excess as u64);
            }
            Step::Pop { take: count, deliver } => {
                let taken = take(&store, count, 1).await;
                let wanted: Vec<u64> = model.iter().copied().take(count as usize).collect();
                assert_eq!(numbers(&taken), wanted);
                let deliver = deliver.min(taken.len());
                for delivery in &taken[..deliver] {
                    store.settle(&delivery.lease(), settled(DeliveryState::Delivered), at(1)).await.unwrap();
                }
                let rest: Vec<_> = taken[deliver..].iter().map(Delivery::lease).collect();
                store.release_unattempted(&rest).await.unwrap();
                model.drain(..deliver);
            }
            Step::Crash { take: count } => {
                if count > 0 {
                    take(&store, count, 1).await;
                }
                store.close().await;
                store = open().await;
                store.release("me").await.unwrap();
            }
        }
    }
    let all = take(&store, 1_000, 1).await;
    assert_eq!(numbers(&all), model.into_iter().collect::<Vec<_>>());
    store.close().await;
}
