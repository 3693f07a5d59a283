//! Tenants, and targets of one tenant, beside each other: one that floods or hangs takes nothing from the others.

use std::sync::Arc;
use std::time::Duration;

use super::fake_target::{FakeTarget, Step};
use super::harness::{Harness, eventually, pass, settle};
use campanile_store::DeliveryState::Delivered;

#[tokio::test(start_paused = true)]
async fn a_tenant_that_hangs_leaves_slots_to_others() {
    let harness = Harness::new().await;
    let (hanging, healthy) = (Arc::new(FakeTarget::hanging("slow")), Arc::new(FakeTarget::new("dev", [])));
    let engine = harness.start_with_tenants(&hanging, &[("acme", &healthy)], 4).await;
    engine.builds("default", 1..=20).await;
    eventually("it hangs", || hanging.in_flight() == 3).await;
    for number in 1..=3 {
        engine.builds("acme", number..=number).await;
        eventually("the other's go out", || healthy.sent().len() as u64 == number).await;
    }
    harness.reaches("acme", &[Delivered; 3]).await;
    assert_eq!((hanging.in_flight(), hanging.sent().len()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_goes_before_the_rest_of_a_flood() {
    let harness = Harness::new().await;
    let flooding = Arc::new(FakeTarget::hanging("flood"));
    let small = Arc::new(FakeTarget::new("dev", []).recording_with(&flooding));
    let engine = harness.start_with_tenants(&small, &[("acme", &flooding)], 1).await;
    engine.builds("acme", 1..=10).await;
    eventually("the first is sent", || flooding.sent().len() == 1).await;
    engine.builds("default", 1..=1).await;
    settle().await;
    flooding.release_one();
    eventually("two more are sent", || flooding.sent().len() == 3).await;
    let targets: Vec<String> =
        flooding.sent().iter().map(|sent| sent.split([' ', ',']).nth(3).unwrap().to_owned()).collect();
    assert_eq!(targets, ["flood", "dev", "flood"]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_comes_in_time_while_others_hang() {
    let harness = Harness::new().await;
    let hanging = Arc::new(FakeTarget::hanging("slow"));
    let failing = Arc::new(FakeTarget::new("dev", [Step::Defer]));
    let engine = harness.start_with_tenants(&hanging, &[("acme", &failing)], 4).await;
    engine.builds("default", 1..=20).await;
    eventually("it hangs", || hanging.in_flight() == 3).await;
    engine.builds("acme", 1..=1).await;
    eventually("it fails", || failing.sent().len() == 1).await;
    harness.fails("acme", "busy").await;
    // A first delay is a second at most.
    pass(Duration::from_secs(3)).await;
    harness.reaches("acme", &[Delivered]).await;
    assert_eq!(hanging.sent().len(), 3);
}

/// So many hang that what is claimed cannot begin, and nothing tells the engine that a retry is due.
#[tokio::test(start_paused = true)]
async fn m_dlv_08_a_retry_comes_in_time_while_the_engine_is_full() {
    let harness = Harness::new().await;
    let names: Vec<_> = (1..=18).map(|number| format!("slow{number}")).collect();
    let hanging: Vec<_> = names.iter().map(|name| Arc::new(FakeTarget::hanging(name))).collect();
    let own = Arc::new(FakeTarget::new("dev", []));
    let failing = Arc::new(FakeTarget::new("dev", [Step::Defer]));
    let tenants: Vec<_> =
        names.iter().map(String::as_str).zip(&hanging).chain([("acme", &failing)]).collect();
    let engine = harness.start_with_tenants(&own, &tenants, 4).await;
    for name in &names {
        engine.builds(name, 1..=8).await;
    }
    let under_way = || hanging.iter().map(|target| target.in_flight()).sum::<usize>();
    eventually("all that may be under way is", || under_way() >= 16 * 4).await;
    pass(Duration::from_secs(2)).await;
    assert!(under_way() < 18 * 4, "and no more: {}", under_way());
    engine.builds("acme", 1..=1).await;
    eventually("it fails", || failing.sent().len() == 1).await;
    harness.fails("acme", "busy").await;
    pass(Duration::from_secs(3)).await;
    harness.reaches("acme", &[Delivered]).await;
}

#[tokio::test(start_paused = true)]
async fn m_dlv_08_targets_that_hang_hold_up_none_of_their_tenant() {
    let harness = Harness::new().await;
    let hanging: Vec<_> = ["slow", "slower"].map(FakeTarget::hanging).map(Arc::new).into();
    let healthy = Arc::new(FakeTarget::new("dev", []));
    let engine = harness.start_with_targets(&[&hanging[0], &hanging[1], &healthy], 8).await;
    engine.builds("default", 1..=30).await;
    eventually("all go out where they can", || healthy.sent().len() == 30).await;
    eventually("the others have their own slots", || hanging.iter().all(|target| target.in_flight() == 8))
        .await;
    engine.builds("default", 31..=31).await;
    eventually("it goes on", || healthy.sent().len() == 31).await;
    // Of what was never begun nothing is held.
    pass(Duration::from_secs(1)).await;
    assert_eq!(harness.claimed_by_another("default").await.len(), 2 * (31 - 8));
}
