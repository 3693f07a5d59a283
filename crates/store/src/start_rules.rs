//! Duties of every store with starts of builds, beside `conformance`: ones that nobody told of, second ones, and the times
//! of changes that come with them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::conformance::{LEASE, T, at, bid, each, log_ref, put, put_one, started, to};
use super::*;
use campanile_model::{Change, LogChannel, Results, SourceStamp, Step};

async fn known(store: &dyn Store) -> Build {
    store.build(T, &bid("linux", 1)).await.unwrap().unwrap()
}

fn ended() -> Event {
    let build = Build { results: Some(Results::Failure), ..Build::new("linux", 1) };
    Event::BuildFinished { build: Box::new(build) }
}

pub(super) async fn a_start_that_nobody_told_stays_unknown(store: &dyn Store) {
    // A log that is sent ahead of the end makes the build known, and says nothing of its start.
    let text = LogChannel::Stdout;
    put_one(store, 1, Event::LogChunk { log: log_ref("stdio"), channel: text, text: "x\n".into() }).await;
    assert_eq!(known(store).await.started, None);
    let event = put_one(store, 9, ended()).await.unwrap();
    let build = known(store).await;
    assert_eq!((build.started, build.finished, build.duration()), (None, Some(at(9)), None), "{}", "M-B-08");
    let Some(Event::BuildFinished { build: told }) = store.event(T, event).await.unwrap() else { panic!() };
    assert_eq!(told.started, None);
}

pub(super) async fn a_build_began_with_its_first_step_at_the_latest(store: &dyn Store) {
    let step = |name: &str, start| Step { name: name.into(), started: start, ..Step::default() };
    put_one(store, 3, Event::StepStarted { build: bid("linux", 1), step: step("test", None) }).await;
    put_one(store, 4, Event::StepStarted { build: bid("linux", 1), step: step("compile", Some(at(2))) })
        .await;
    assert_eq!(known(store).await.started, None);
    put_one(store, 9, ended()).await;
    assert_eq!((known(store).await.started, "M-B-08"), (Some(at(2)), "M-B-08"));
}

pub(super) async fn a_second_start_completes_the_build_and_is_told_once(store: &dyn Store) {
    let wanted = [("mail", None)];
    let stamp = |who: Option<&str>| SourceStamp {
        revision: Some("1f0c".into()),
        changes: who.map(|who| Change { who: who.into(), ..Change::default() }).into_iter().collect(),
        ..SourceStamp::default()
    };
    let first = Build { source_stamps: vec![stamp(None)], ..Build::new("linux", 1) };
    assert!(
        put(store, 1, vec![to(Event::BuildStarted { build: Box::new(first) }, &wanted)]).await[0].is_some()
    );
    let mut second = Build {
        started: Some(at(8)),
        reason: "push".into(),
        source_stamps: vec![stamp(Some("ada"))],
        steps: vec![Step { name: "compile".into(), ..Step::default() }],
        ..Build::new("linux", 1)
    };
    second.properties.set("owner", "ada", "Build");
    let second = Event::BuildStarted { build: Box::new(second) };
    // Two in one transaction, as a master sends them, and one more later.
    assert_eq!(put(store, 8, vec![to(second.clone(), &wanted), to(second, &wanted)]).await, [None, None]);
    assert_eq!(put(store, 8, vec![to(started("linux", 1), &wanted)]).await, [None]);
    let build = known(store).await;
    assert_eq!((build.started, "M-EV-09"), (Some(at(1)), "M-EV-09"));
    assert_eq!((build.reason.as_str(), build.source_stamps[0].changes[0].who.as_str()), ("push", "ada"));
    assert_eq!(
        (build.steps[0].name.as_str(), build.properties.value("owner")),
        ("compile", Some(&"ada".into()))
    );
    put_one(store, 11, ended()).await.unwrap();
    let build = known(store).await;
    assert_eq!((build.duration(), build.steps.len()), (Some(Duration::from_secs(10)), 1));
    assert_eq!(store.claim("me", &each(10), LEASE, at(20)).await.unwrap().len(), 1);
    assert_eq!(store.events_about(T, "linux #1", 10).await.unwrap().len(), 2);
}

pub(super) async fn changes_of_a_build_have_the_time_of_receipt_at_the_latest(store: &dyn Store) {
    let change = |who: &str, when| Change { who: who.into(), when, ..Change::default() };
    let told = || {
        let changes = vec![change("ada", Timestamp::default()), change("bob", at(-5)), change("zoe", at(99))];
        vec![SourceStamp { changes, ..SourceStamp::default() }]
    };
    let build = Build { source_stamps: told(), ..Build::new("linux", 1) };
    put_one(store, 1, Event::BuildStarted { build: Box::new(build) }).await;
    let build = Build { source_stamps: told(), results: Some(Results::Success), ..Build::new("linux", 1) };
    put_one(store, 7, Event::BuildFinished { build: Box::new(build) }).await;
    let times: Vec<_> =
        known(store).await.source_stamps[0].changes.iter().map(|change| change.when).collect();
    assert_eq!((times, "M-CH-02"), (vec![at(1), at(-5), at(7)], "M-CH-02"));
}
