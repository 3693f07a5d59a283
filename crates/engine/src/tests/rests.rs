//! Far sides that ask to be left alone.

use std::sync::Arc;
use std::time::Duration;

use super::fake_target::{FakeTarget, Step};
use super::harness::{Harness, eventually, pass};
use campanile_store::DeliveryState::{Delivered, Waiting};

#[tokio::test(start_paused = true)]
async fn m_dlv_14_a_target_whose_far_side_limits_it_rests_as_a_whole() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Limit; 3]));
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    harness.fails("default", "busy").await;
    engine.builds("default", 2..=30).await;
    pass(Duration::from_secs(50)).await;
    assert_eq!(target.sent().len(), 1, "it rests for a minute");
    pass(Duration::from_secs(15)).await;
    eventually("it is asked with one", || target.sent().len() == 2).await;
    pass(Duration::from_secs(100)).await;
    assert_eq!(target.sent().len(), 2, "the second rest lasts twice as long");
    pass(Duration::from_secs(30)).await;
    eventually("it is asked with one", || target.sent().len() == 3).await;
    pass(Duration::from_secs(200)).await;
    assert_eq!(target.sent().len(), 3);
    for _ in 0..30 {
        pass(Duration::from_secs(10)).await;
    }
    harness.reaches("default", &[Delivered; 30]).await;
    assert_eq!(target.sent().len(), 33, "each but for the limited ones is sent once");
}

#[tokio::test(start_paused = true)]
async fn m_dlv_14_a_person_may_end_a_rest() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::Limit]));
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    harness.fails("default", "busy").await;
    engine.builds("default", 2..=2).await;
    pass(Duration::from_secs(5)).await;
    harness.reaches("default", &[Waiting, Waiting]).await;
    let mut shown = harness.deliveries("default").await.remove(1);
    engine.engine.show_rest(&mut shown);
    assert!(shown.not_before > shown.created.after(Duration::from_secs(50)), "{shown:?}");
    assert_eq!(shown.text.as_deref(), Some("its target rests, as its far side asked for"));
    assert_eq!(engine.engine.retry(&engine.engine.tenant(), &[2]).await.unwrap(), 1);
    // One that gets through makes the other one due.
    harness.reaches("default", &[Delivered, Delivered]).await;
}
