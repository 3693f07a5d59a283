//! Leases: an attempt ends before its lease does, and a lease that ran out is taken over.

use std::sync::Arc;
use std::time::Duration;

use super::fake_target::{FakeTarget, Step};
use super::harness::{Harness, eventually, pass, settle};
use campanile_store::DeliveryState::{Delivered, Waiting};

#[tokio::test(start_paused = true)]
async fn a_hanging_attempt_fails_and_the_same_message_goes_out_again() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Hang]));
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    eventually("it is sent", || target.sent().len() == 1).await;
    pass(Duration::from_secs(590)).await;
    assert_eq!((target.in_flight(), target.sent().len()), (1, 1));
    pass(Duration::from_secs(15)).await;
    pass(Duration::from_secs(2)).await;
    let deliveries = harness.reaches("default", &[Delivered]).await;
    assert_eq!(deliveries[0].attempts, 2);
    assert_eq!(target.in_flight(), 0);
    assert_eq!(target.sent(), ["linux #1 at dev, prepared as number 1"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_says_that_it_took_too_long() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::hanging("dev"));
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    eventually("it is sent", || target.sent().len() == 1).await;
    pass(Duration::from_secs(601)).await;
    let delivery = harness.fails("default", "timeout").await;
    assert_eq!((delivery.state, delivery.attempts), (Waiting, 1));
}

#[tokio::test(start_paused = true)]
async fn m_dlv_09_a_message_that_is_not_written_is_tried_again() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", []).with_hanging_preparation());
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    eventually("it is prepared", || target.prepared() == 1).await;
    pass(Duration::from_secs(590)).await;
    assert_eq!(target.prepared(), 1, "nobody else touches it before");
    pass(Duration::from_secs(15)).await;
    pass(Duration::from_secs(2)).await;
    harness.reaches("default", &[Delivered]).await;
    assert_eq!(target.sent(), ["linux #1 at dev, prepared as number 2"]);
}

#[tokio::test(start_paused = true)]
async fn m_dlv_09_a_lease_is_renewed_while_its_work_goes_on() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::hanging("dev"));
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    eventually("it is sent", || target.sent().len() == 1).await;
    for _ in 0..10 {
        pass(Duration::from_secs(16)).await;
        assert_eq!(harness.claimed_by_another("default").await, [0; 0]);
    }
    assert_eq!((target.in_flight(), target.sent().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn m_dlv_09_who_loses_a_lease_stops() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::hanging("dev"));
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    eventually("it is sent", || target.sent().len() == 1).await;
    settle().await;
    harness.release_all().await;
    assert_eq!(harness.claimed_by_another("default").await.len(), 1);
    pass(Duration::from_secs(16)).await;
    assert_eq!((target.in_flight(), target.sent().len()), (0, 1));
    // The other one has come to nothing: its lease runs out.
    pass(Duration::from_secs(50)).await;
    eventually("it is sent again", || target.sent().len() == 2).await;
}

#[tokio::test(start_paused = true)]
async fn m_dlv_09_what_is_claimed_and_cannot_begin_goes_back_at_once() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Hang]));
    let engine = harness.start(&target, 1).await;
    engine.builds("default", 1..=2).await;
    eventually("the first is sent", || target.sent().len() == 1).await;
    pass(Duration::from_secs(1)).await;
    let second = harness.deliveries("default").await[1].id;
    assert_eq!(harness.claimed_by_another("default").await, [second]);
    harness.release_all().await;
    target.release_one();
    pass(Duration::from_secs(6)).await;
    harness.reaches("default", &[Delivered, Delivered]).await;
    assert_eq!(target.sent().len(), 2);
}
