//! Stops: they have an end, and nothing that was under way is lost or changed.

use std::sync::Arc;
use std::time::Duration;

use super::fake_target::{FakeTarget, Step};
use super::harness::{DRAIN, Harness, eventually, pass, settle};
use campanile_store::DeliveryState::{Delivered, Waiting};

#[tokio::test(start_paused = true)]
async fn what_is_cut_off_goes_out_unchanged_after_the_next_start() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Hang]));
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    eventually("it is sent", || target.sent().len() == 1).await;
    engine.begin_stop();
    pass(DRAIN - Duration::from_secs(1)).await;
    assert!(!engine.has_stopped(), "it has its time to finish");
    pass(Duration::from_secs(2)).await;
    engine.stopped().await;
    assert_eq!((target.in_flight(), target.closed()), (0, 1), "nothing goes on behind the engine's back");
    let deliveries = harness.reaches("default", &[Waiting]).await;
    assert_eq!(deliveries[0].attempts, 0);

    let _engine = harness.start(&target, 4).await;
    harness.reaches("default", &[Delivered]).await;
    assert_eq!(target.sent(), ["linux #1 at dev, prepared as number 1"; 2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_is_finished_and_nothing_new_begun() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::hanging("dev"));
    let engine = harness.start(&target, 1).await;
    engine.builds("default", 1..=2).await;
    eventually("the first is sent", || target.sent().len() == 1).await;
    engine.begin_stop();
    pass(Duration::from_secs(5)).await;
    target.release_one();
    engine.stopped().await;
    harness.reaches("default", &[Delivered, Waiting]).await;
    assert_eq!(target.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn m_dlv_10_what_is_claimed_and_not_begun_is_free_as_soon_as_a_stop_begins() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::hanging("dev"));
    let engine = harness.start(&target, 2).await;
    engine.builds("default", 1..=5).await;
    eventually("two are sent", || target.sent().len() == 2).await;
    engine.begin_stop();
    settle().await;
    assert!(!engine.has_stopped(), "two are under way");
    assert_eq!(harness.claimed_by_another("default").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn m_dlv_10_a_stop_leaves_no_lease() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::hanging("dev"));
    let engine = harness.start(&target, 2).await;
    engine.builds("default", 1..=2).await;
    eventually("they are sent", || target.sent().len() == 2).await;
    engine.begin_stop();
    pass(DRAIN + Duration::from_secs(1)).await;
    engine.stopped().await;
    assert_eq!(harness.claimed_by_another("default").await.len(), 2, "they were cut off");
}

#[tokio::test(start_paused = true)]
async fn m_dlv_10_news_of_the_end_waits_for_no_cooldown() {
    let harness = Harness::new().await;
    let target = FakeTarget::new("dev", [Step::Hang]).in_order().with_cooldown(Duration::from_secs(3_600));
    let target = Arc::new(target);
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=2).await;
    eventually("the first is sent", || target.sent().len() == 1).await;
    let told = engine.announce_end();
    pass(Duration::from_millis(100)).await;
    // Its cooldown begins when the end has been announced already.
    target.release_one();
    for _ in 0..100 {
        if !told.is_finished() {
            pass(Duration::from_millis(20)).await;
        }
    }
    assert!(told.is_finished(), "only {:?} were sent", target.sent());
    assert_eq!(target.sent().len(), 3);
    assert!(target.sent()[2].starts_with(" at dev"), "the last is about no build: {:?}", target.sent());
}
