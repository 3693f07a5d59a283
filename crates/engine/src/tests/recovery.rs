//! After an outage: what waits goes on when its far side is back, keeps its age when the clock is set, and waits for a
//! target that is gone.

use std::sync::Arc;
use std::time::Duration;

use super::fake_target::{FakeTarget, Step};
use super::harness::{Harness, Running, eventually, pass, settle};
use campanile_store::DeliveryState::{Dead, Delivered, Waiting};

/// The longest delay.
const HOUR: Duration = Duration::from_secs(3_600);

fn numbers(sent: &[String]) -> Vec<&str> {
    sent.iter().filter_map(|message| message.split(" at ").next()).collect()
}

#[tokio::test(start_paused = true)]
async fn m_dlv_04_what_waits_is_due_in_order_when_one_goes_through() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", []));
    let engine = harness.start(&target, 4).await;
    target.set_down(true);
    engine.builds("default", 1..=3).await;
    // Now their delays are minutes.
    for _ in 0..12 {
        pass(HOUR / 6).await;
    }
    harness.reaches("default", &[Waiting; 3]).await;
    let before = target.sent().len();
    target.set_down(false);
    engine.builds("default", 4..=4).await;
    harness.reaches("default", &[Delivered; 4]).await;
    let sent = target.sent();
    assert_eq!(numbers(&sent[before..]), ["linux #4", "linux #1", "linux #2", "linux #3"]);
}

/// An engine for whose target so many wait, with delays of many minutes.
async fn long_outage(harness: &Harness, count: u64) -> (Arc<FakeTarget>, Running) {
    let target = Arc::new(FakeTarget::new("dev", []));
    let engine = harness.start(&target, 8).await;
    target.set_down(true);
    engine.builds("default", 1..=count).await;
    for _ in 0..14 {
        pass(HOUR / 6).await;
        // What is due now takes real time: the far side must not be back for it.
        let mut attempts = 0;
        while attempts != target.sent().len() {
            attempts = target.sent().len();
            for _ in 0..4 {
                settle().await;
            }
        }
    }
    harness.reaches("default", &vec![Waiting; usize::try_from(count).unwrap()]).await;
    (target, engine)
}

/// Moves the clock by tenths of a second until so many were sent since `before`; the seconds that it took.
async fn seconds_until(target: &FakeTarget, before: usize, count: usize) -> f64 {
    let began = tokio::time::Instant::now();
    while target.sent().len() < before + count {
        assert!(began.elapsed() < Duration::from_secs(120), "{} of {count}", target.sent().len() - before);
        pass(Duration::from_millis(100)).await;
    }
    began.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn m_dlv_04_many_that_waited_are_out_at_a_pace_that_doubles() {
    const COUNT: u64 = 250;
    let harness = Harness::new().await;
    let (target, engine) = long_outage(&harness, COUNT).await;
    let before = target.sent().len();
    target.set_down(false);
    engine.builds("default", COUNT + 1..=COUNT + 1).await;
    let seconds = seconds_until(&target, before, 251).await;
    println!("{COUNT} that waited were out after {seconds} s; ten a second would have taken 25");
    assert!(seconds < 12.0, "{seconds}");
    let sent = target.sent();
    let order: Vec<u64> = numbers(&sent[before + 1..])
        .iter()
        .map(|name| name.trim_start_matches("linux #").parse().unwrap())
        .collect();
    // Some are under way at once, and the own time of some comes meanwhile; the others go out in their order.
    let strays = (1_u64..).zip(&order).filter(|(place, number)| place.abs_diff(**number) > 32).count();
    assert!(strays < 50, "{order:?}");
    let once: std::collections::BTreeSet<u64> = order.iter().copied().collect();
    assert_eq!((once.len(), order.len()), (250, 250), "each of them once");
    harness.reaches("default", &[Delivered; 251]).await;
}

#[tokio::test(start_paused = true)]
async fn m_dlv_04_a_recovery_that_is_broken_off_goes_on() {
    let harness = Harness::new().await;
    let (target, engine) = long_outage(&harness, 100).await;
    let before = target.sent().len();
    target.set_down(false);
    engine.builds("default", 101..=101).await;
    seconds_until(&target, before, 15).await;
    target.set_down(true);
    pass(Duration::from_secs(2)).await;
    target.set_down(false);
    let began = tokio::time::Instant::now();
    let all = || harness.deliveries("default");
    while all().await.iter().any(|delivery| delivery.state == Waiting) {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        pass(Duration::from_millis(250)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn m_dlv_04_one_that_is_put_off_by_itself_is_not_hurried_by_others() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::PutOff]));
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=1).await;
    harness.fails("default", "busy").await;
    pass(Duration::from_secs(15)).await;
    engine.builds("default", 2..=2).await;
    harness.reaches("default", &[Waiting, Delivered]).await;
    pass(Duration::from_secs(10)).await;
    assert_eq!(numbers(&target.sent()), ["linux #1", "linux #2"], "its half minute is not over");
    pass(Duration::from_secs(15)).await;
    harness.reaches("default", &[Delivered, Delivered]).await;
}

#[tokio::test(start_paused = true)]
async fn m_dlv_01_one_that_is_put_off_holds_those_behind_it_for_an_hour() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", [Step::PutOff; 8]).in_order());
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=2).await;
    eventually("the first is put off", || target.sent().len() == 1).await;
    // Delays of 30 seconds and a fifth of it, twice that, and so on.
    for seconds in [40, 75, 150, 300, 600, 1_200] {
        pass(Duration::from_secs(seconds)).await;
        assert!(!target.sent().iter().any(|sent| sent.starts_with("linux #2")));
    }
    pass(Duration::from_secs(2_400)).await;
    harness.reaches("default", &[Waiting, Delivered]).await;
}

#[tokio::test(start_paused = true)]
async fn m_dlv_06_a_clock_that_is_set_changes_no_age() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", []));
    let engine = harness.start(&target, 4).await;
    target.set_down(true);
    engine.builds("default", 1..=1).await;
    harness.fails("default", "connection").await;
    for days in [10, -20] {
        harness.set_system_clock(days);
        for _ in 0..3 {
            pass(HOUR).await;
        }
        let delivery = harness.reaches("default", &[Waiting]).await.remove(0);
        assert_eq!(harness.days_old(&delivery), 0, "set by {days} days");
    }
    target.set_down(false);
    pass(HOUR).await;
    harness.reaches("default", &[Delivered]).await;
    // Five days are five days, all the same.
    target.set_down(true);
    engine.builds("default", 2..=2).await;
    for _ in 0..6 {
        pass(HOUR * 24).await;
    }
    harness.reaches("default", &[Delivered, Dead]).await;
}

#[tokio::test(start_paused = true)]
async fn m_dlv_06_of_a_long_stop_a_day_counts() {
    let harness = Harness::new().await;
    let target = Arc::new(FakeTarget::new("dev", []));
    let mut engine = harness.start(&target, 4).await;
    target.set_down(true);
    engine.builds("default", 1..=1).await;
    harness.fails("default", "connection").await;
    for (days, age) in [(30, 1), (-40, 1)] {
        engine.begin_stop();
        engine.stopped().await;
        harness.leave_alone(days);
        engine = harness.start(&target, 4).await;
        pass(Duration::from_secs(60)).await;
        let delivery = harness.reaches("default", &[Waiting]).await.remove(0);
        assert_eq!(harness.days_old(&delivery), age, "after {days} days");
    }
}

/// A target whose far side is down has two waiting, and is not in the settings at the next start.
async fn a_target_goes_while_two_wait(harness: &Harness) -> (Arc<FakeTarget>, Running) {
    let target = Arc::new(FakeTarget::new("dev", []).in_order());
    target.set_down(true);
    let engine = harness.start(&target, 4).await;
    engine.builds("default", 1..=2).await;
    harness.fails("default", "connection").await;
    engine.begin_stop();
    engine.stopped().await;
    let other = Arc::new(FakeTarget::new("other", []));
    (target, harness.start(&other, 4).await)
}

#[tokio::test(start_paused = true)]
async fn m_dlv_07_a_target_that_is_gone_and_back_gets_what_waited() {
    let harness = Harness::new().await;
    let (target, engine) = a_target_goes_while_two_wait(&harness).await;
    pass(Duration::from_secs(60)).await;
    let first = harness.fails("default", "target-gone").await;
    assert_eq!(first.state, Waiting);
    let text = first.text.unwrap();
    assert!(text.contains("`campanile deliveries drop --target dev`"), "{text}");
    engine.begin_stop();
    engine.stopped().await;
    target.set_down(false);
    let _engine = harness.start(&target, 4).await;
    // Without another look after an hour.
    harness.reaches("default", &[Delivered, Delivered]).await;
}

#[tokio::test(start_paused = true)]
async fn m_dlv_07_what_waits_for_a_target_that_stays_away_is_dead_after_a_week() {
    let harness = Harness::new().await;
    let (_target, _engine) = a_target_goes_while_two_wait(&harness).await;
    for _ in 0..6 {
        pass(HOUR * 24).await;
    }
    harness.reaches("default", &[Waiting, Waiting]).await;
    for _ in 0..2 {
        pass(HOUR * 24).await;
    }
    // The week is the target's: the second one has not another one.
    harness.reaches("default", &[Dead, Dead]).await;
}
