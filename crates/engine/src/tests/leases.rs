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
async fn a_lease_that_ran_out_is_taken_over() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", []).with_hanging_preparation());
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    eventually("it is prepared", || target.prepared() == 1).await;
    pass(Duration::from_secs(890)).await;
    assert_eq!(target.prepared(), 1, "nobody else touches it before");
    pass(Duration::from_secs(15)).await;
    harness.reaches("default", &[Delivered]).await;
    assert_eq!(target.sent(), ["linux #1 at dev, prepared as number 2"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_claimed_long_ago_is_claimed_anew_before_it_is_sent() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Hang]));
    let engine = harness.start(&target, 1).await;
    engine.builds("default", 1..=2).await;
    eventually("the first is sent", || target.sent().len() == 1).await;
    pass(Duration::from_secs(400)).await;
    target.release_one();
    harness.reaches("default", &[Delivered, Waiting]).await;
    settle().await;
    assert_eq!(
        target.sent().len(),
        1,
        "an attempt could outlive the lease that the second has had since then"
    );
    pass(Duration::from_secs(490)).await;
    assert_eq!(target.sent().len(), 1);
    pass(Duration::from_secs(15)).await;
    harness.reaches("default", &[Delivered, Delivered]).await;
    assert_eq!(target.sent().len(), 2);
}
