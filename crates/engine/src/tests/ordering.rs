//! Ordering keys: what has the same key goes out in order, also while something fails.

use std::sync::Arc;
use std::time::Duration;

use super::fake_target::{FakeTarget, Step};
use super::harness::{Harness, eventually, pass, settle};
use campanile_store::DeliveryState::{Dead, Delivered};

#[tokio::test(start_paused = true)]
async fn the_second_of_a_key_waits_while_the_first_fails() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Defer, Step::Defer]).in_order());
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=2).await;
    eventually("the first fails", || target.sent().len() == 1).await;
    settle().await;
    assert_eq!(target.sent().len(), 1, "the second waits");
    // Delays of a second and of two at most.
    pass(Duration::from_secs(2)).await;
    pass(Duration::from_secs(3)).await;
    let deliveries = harness.reaches("default", &[Delivered, Delivered]).await;
    assert_eq!((deliveries[0].attempts, deliveries[1].attempts), (3, 1));
    let first = "linux #1 at dev, prepared as number 1";
    assert_eq!(target.sent(), [first, first, first, "linux #2 at dev, prepared as number 2"]);
}

#[tokio::test(start_paused = true)]
async fn the_second_of_a_key_goes_when_the_first_is_given_up() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Refuse]).in_order());
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=2).await;
    harness.reaches("default", &[Dead, Delivered]).await;
    assert_eq!(target.sent().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_target_is_a_fault_that_may_pass() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Panic]).in_order());
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=2).await;
    eventually("it panics", || target.sent().len() == 1).await;
    harness.fails("default", "local").await;
    pass(Duration::from_secs(2)).await;
    harness.reaches("default", &[Delivered, Delivered]).await;
    let sent = target.sent();
    assert_eq!(sent[0], sent[1]);
}
