//! The conformance suite: duties of every store, as functions over `&dyn Store`: a new store runs the same suite.
//!
//! Each function takes an empty store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use super::*;
use campanile_model::{Buildset, LogChannel, Results, SourceStamp, Step, Worker};

pub(super) const T: &str = "acme";
pub(super) const LEASE: Duration = Duration::from_secs(60);

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

/// A share of this size for each target there is.
pub(super) fn each(share: u32) -> ClaimQuota {
    [T, "other"].map(|tenant| (tenant.to_owned(), TenantQuota::each(share))).into()
}

pub(super) async fn next_due(store: &dyn Store) -> Option<Timestamp> {
    store.due().await.unwrap().into_iter().map(|of| of.due).min()
}

pub(super) fn bid(builder: &str, number: u64) -> BuildId {
    BuildId { builder: builder.into(), number }
}

pub(super) fn started(builder: &str, number: u64) -> Event {
    Event::BuildStarted { build: Box::new(Build::new(builder, number)) }
}

pub(super) fn finished(builder: &str, number: u64, results: Results) -> Event {
    Event::BuildFinished { build: Box::new(Build { results: Some(results), ..Build::new(builder, number) }) }
}

pub(super) fn log_ref(name: &str) -> LogRef {
    LogRef { build: bid("linux", 1), step: "compile".into(), log: name.into() }
}

pub(super) fn to(event: Event, targets: &[(&str, Option<&str>)]) -> NewEvent {
    let deliveries = targets
        .iter()
        .map(|(target, key)| NewDelivery {
            target: (*target).into(),
            ordering_key: key.map(str::to_owned),
            queue: None,
        })
        .collect();
    NewEvent { event, deliveries }
}

pub(super) async fn put(store: &dyn Store, now: i64, events: Vec<NewEvent>) -> Vec<Option<EventId>> {
    match store.append(T, Batch { events, ..Batch::default() }, at(now)).await.unwrap() {
        Appended::Stored { ids, .. } => ids,
        Appended::Duplicate => panic!("a request without a name is no duplicate"),
    }
}

pub(super) async fn put_one(store: &dyn Store, now: i64, event: Event) -> Option<EventId> {
    put(store, now, vec![to(event, &[])]).await[0]
}

/// Settles under whatever claim was the last.
pub(super) async fn settle(store: &dyn Store, id: DeliveryId, settlement: Settlement, now: Timestamp) {
    let (delivery, _) = store.delivery(T, id).await.unwrap().unwrap();
    store.settle(&delivery.lease(), settlement, now).await.unwrap();
}

pub(super) fn settled(state: DeliveryState) -> Settlement {
    Settlement {
        state,
        attempted: true,
        code: None,
        text: "ok".into(),
        not_before: at(0),
        wait: Wait::default(),
    }
}

pub(super) async fn dedup_holds_for_a_day(store: &dyn Store) {
    let batch =
        Batch { events: vec![to(started("linux", 1), &[])], dedup_key: Some("k".into()), ..Batch::default() };
    assert!(matches!(store.append(T, batch.clone(), at(0)).await.unwrap(), Appended::Stored { .. }));
    assert_eq!(store.append(T, batch.clone(), at(86_399)).await.unwrap(), Appended::Duplicate);
    assert!(matches!(store.append("other", batch.clone(), at(5)).await.unwrap(), Appended::Stored { .. }));
    assert!(matches!(store.append(T, batch, at(86_400)).await.unwrap(), Appended::Stored { .. }));
}

pub(super) async fn what_a_poller_has_seen_is_kept_with_what_it_found(store: &dyn Store) {
    let seen = |source: &str, revision: &str| Seen {
        poller: "bells".into(),
        source: source.into(),
        state: [("main".to_owned(), revision.to_owned())].into(),
    };
    let found = Event::ChangeAdded { change: Box::default() };
    assert_eq!(store.seen(T, "bells", "a").await.unwrap(), None);
    let batch = Batch { events: vec![to(found, &[])], seen: Some(seen("a", "1")), ..Batch::default() };
    store.append(T, batch, at(0)).await.unwrap();
    assert_eq!(store.seen(T, "bells", "a").await.unwrap(), Some(seen("a", "1").state));
    assert_eq!(store.seen(T, "bells", "b").await.unwrap(), None);
    assert_eq!(store.seen("other", "bells", "a").await.unwrap(), None);
    // Nothing found is kept too, and another source takes the place of the first one.
    store.append(T, Batch { seen: Some(seen("b", "2")), ..Batch::default() }, at(1)).await.unwrap();
    assert_eq!(store.seen(T, "bells", "b").await.unwrap(), Some(seen("b", "2").state));
    assert_eq!(store.seen(T, "bells", "a").await.unwrap(), None);
    assert_eq!(store.changes(T, Page { limit: 9, before: None }).await.unwrap().len(), 1);
}

pub(super) async fn a_finished_build_knows_what_came_before(store: &dyn Store) {
    let mut build = Build { reason: "push".into(), worker: "w1".into(), ..Build::new("linux", 1) };
    build.properties.set("a", 1, "Build");
    build.properties.set("b", 1, "Build");
    let step = |name: &str| Step { name: name.into(), ..Step::default() };
    let builder = Builder { name: "linux".into(), tags: vec!["t".into()], ..Builder::default() };
    put_one(store, 0, Event::BuilderAdded { builder }).await;
    put_one(store, 1, Event::BuildStarted { build: Box::new(build) }).await;
    let id = bid("linux", 1);
    put_one(store, 2, Event::StepStarted { build: id.clone(), step: step("zeta") }).await;
    let text = vec!["going".into()];
    put_one(store, 3, Event::StepTextChanged { build: id.clone(), step: "zeta".into(), text }).await;
    put_one(store, 4, Event::StepStarted { build: id.clone(), step: step("alpha") }).await;
    let running = store.build(T, &id).await.unwrap().unwrap();
    assert_eq!(running.steps.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["zeta", "alpha"]);
    let done = Step { results: Some(Results::Failure), ..step("zeta") };
    put_one(store, 5, Event::StepFinished { build: id.clone(), step: done }).await;
    let mut end = Build { results: Some(Results::Failure), ..Build::new("linux", 1) };
    end.properties.set("b", 2, "Build");
    let event = put_one(store, 6, Event::BuildFinished { build: Box::new(end) }).await.unwrap();
    let Some(Event::BuildFinished { build }) = store.event(T, event).await.unwrap() else { panic!() };
    assert_eq!((build.reason.as_str(), build.worker.as_str()), ("push", "w1"));
    assert_eq!((build.started, build.finished), (Some(at(1)), Some(at(6))));
    assert_eq!(build.tags, ["t"]);
    assert_eq!(build.properties.value("a"), Some(&1.into()));
    assert_eq!(build.properties.value("b"), Some(&2.into()));
    assert_eq!(build.steps.len(), 2);
    assert_eq!(build.steps[0].text, ["going"]);
    assert_eq!((build.steps[0].started, build.steps[0].finished), (Some(at(2)), Some(at(5))));
    assert_eq!(store.build(T, &id).await.unwrap().as_ref(), Some(&*build));
    // What comes late changes nothing.
    put_one(store, 7, Event::StepStarted { build: id.clone(), step: step("late") }).await;
    assert_eq!(store.build(T, &id).await.unwrap().unwrap().steps.len(), 2);
    assert_eq!(store.event("other", event).await.unwrap(), None);
    assert_eq!(store.build("other", &id).await.unwrap(), None);
}

pub(super) async fn a_build_is_completed_later(store: &dyn Store) {
    let change = |who: &str| Change { who: who.into(), ..Change::default() };
    let stamp = |who: Option<&str>| SourceStamp {
        revision: Some("1f0c".into()),
        changes: who.map(change).into_iter().collect(),
        ..SourceStamp::default()
    };
    let told = Build { source_stamps: vec![stamp(None)], reason: "told".into(), ..Build::new("linux", 1) };
    put_one(store, 0, Event::BuildStarted { build: Box::new(told.clone()) }).await;
    let step = Step { name: "compile".into(), ..Step::default() };
    let more = Build {
        source_stamps: vec![stamp(Some("ada"))],
        steps: vec![step.clone()],
        reason: "other".into(),
        ..told.clone()
    };
    store.complete_build(T, &more).await.unwrap();
    let known = store.build(T, &bid("linux", 1)).await.unwrap().unwrap();
    assert_eq!((known.source_stamps[0].changes[0].who.as_str(), known.reason.as_str()), ("ada", "told"));
    // Steps of what runs are told one by one.
    assert_eq!(known.steps, []);
    // The end is told without the changes once more, and keeps them.
    let ended = Build { results: Some(Results::Failure), ..told };
    let id = put_one(store, 1, Event::BuildFinished { build: Box::new(ended) }).await.unwrap();
    let Some(Event::BuildFinished { build }) = store.event(T, id).await.unwrap() else { panic!() };
    assert_eq!(build.source_stamps[0].changes[0].who, "ada");
    let finished = Build { finished: Some(at(1)), ..more };
    store.complete_build(T, &finished).await.unwrap();
    store.complete_build("other", &finished).await.unwrap();
    store.complete_build(T, &Build::new("unknown", 1)).await.unwrap();
    let known = store.build(T, &bid("linux", 1)).await.unwrap().unwrap();
    assert_eq!((known.steps, known.results), (vec![step], Some(Results::Failure)));
    assert!(store.build(T, &bid("unknown", 1)).await.unwrap().is_none());
}

pub(super) async fn repeated_facts_are_told_once(store: &dyn Store) {
    let wanted = [("mail", None)];
    let ids = put(
        store,
        0,
        vec![
            to(finished("linux", 1, Results::Success), &wanted),
            to(finished("linux", 1, Results::Failure), &wanted),
        ],
    )
    .await;
    assert!(ids[0].is_some() && ids[1].is_none());
    assert_eq!(put(store, 1, vec![to(finished("linux", 1, Results::Failure), &wanted)]).await, [None]);
    assert_eq!(put(store, 1, vec![to(started("linux", 1), &wanted)]).await, [None]);
    let build = store.build(T, &bid("linux", 1)).await.unwrap().unwrap();
    assert_eq!(build.results, Some(Results::Success));
    let set = || Event::BuildsetComplete { buildset: Buildset { bsid: 7, ..Buildset::default() } };
    assert!(put_one(store, 2, set()).await.is_some());
    assert!(put_one(store, 2, set()).await.is_none());
    assert_eq!(store.claim("me", &each(10), LEASE, at(9)).await.unwrap().len(), 1);
}

pub(super) async fn out_of_order_events_make_a_build(store: &dyn Store) {
    let step = Step { name: "compile".into(), started: Some(at(-5)), ..Step::default() };
    put_one(store, 0, Event::StepStarted { build: bid("linux", 1), step }).await;
    let build = store.build(T, &bid("linux", 1)).await.unwrap().unwrap();
    assert_eq!((build.started, build.steps.len()), (None, 1));
    put_one(
        store,
        1,
        Event::BuildStarted { build: Box::new(Build { reason: "r".into(), ..Build::new("linux", 1) }) },
    )
    .await;
    let build = store.build(T, &bid("linux", 1)).await.unwrap().unwrap();
    assert_eq!((build.reason.as_str(), build.started, build.steps.len()), ("r", Some(at(-5)), 1));
}

pub(super) async fn lists_and_earlier_builds(store: &dyn Store) {
    for number in 1..=6 {
        for builder in ["b10", "b2", "a"] {
            put_one(store, 0, started(builder, number)).await;
            let results = match number {
                2 => Results::Retry,
                4 => continue,
                _ => Results::Success,
            };
            put_one(store, 1, finished(builder, number, results)).await;
        }
    }
    let numbers = |builds: Vec<Build>| builds.iter().map(|b| b.number).collect::<Vec<_>>();
    for builder in ["b10", "b2", "a"] {
        let earlier = store.earlier_builds(T, &bid(builder, 6), 10).await.unwrap();
        assert!(earlier.iter().all(|b| b.builder == builder));
        assert_eq!(numbers(earlier), [5, 3, 1]);
    }
    assert_eq!(numbers(store.earlier_builds(T, &bid("a", 5), 1).await.unwrap()), [3]);
    assert_eq!(numbers(store.earlier_builds(T, &bid("a", u64::MAX), 1).await.unwrap()), [6]);
    assert_eq!(numbers(store.running_builds(T, "a").await.unwrap()), [4]);
    assert_eq!(numbers(store.running_builds("other", "a").await.unwrap()), [0_u64; 0]);
    let query = |builder: Option<&str>, before| BuildQuery {
        builder: builder.map(str::to_owned),
        page: Page { limit: 2, before },
    };
    assert_eq!(numbers(store.builds(T, &query(Some("a"), Some(5))).await.unwrap()), [4, 3]);
    let newest = store.builds(T, &query(None, None)).await.unwrap();
    assert_eq!(newest.iter().map(|b| b.builder.as_str()).collect::<Vec<_>>(), ["a", "b2"]);
    assert_eq!(store.builds(T, &query(None, Some(2))).await.unwrap()[0].id(), bid("b10", 6));
    let builders = store.builders(T).await.unwrap();
    let names: Vec<_> = builders.iter().map(|b| (b.builder.name.as_str(), b.last_build)).collect();
    assert_eq!(names, [("a", Some(6)), ("b2", Some(6)), ("b10", Some(6))]);
    put_one(store, 2, Event::BuilderRemoved { builder: "b2".into() }).await;
    assert_eq!(store.builders(T).await.unwrap().len(), 2);
    // Numbers begin with 0 for each builder, and some may be left out.
    for number in [0, 7, 9] {
        put_one(store, 3, finished("gaps", number, Results::Success)).await;
    }
    let earlier = store.earlier_builds(T, &bid("gaps", 9), 10).await.unwrap();
    assert_eq!(numbers(earlier), [7, 0], "M-BLD-05");
    // A run's builds are told by a property, those that run first; the last number counts whatever ended with it.
    let mut run = Build::new("runs", 3);
    run.properties.set("run", "main 7", "test");
    put_one(store, 4, Event::BuildStarted { build: Box::new(run.clone()) }).await;
    run = Build { number: 2, results: Some(Results::Failure), ..run };
    put_one(store, 4, Event::BuildFinished { build: Box::new(run) }).await;
    put_one(store, 4, finished("runs", 4, Results::Retry)).await;
    let found = store.run(T, "runs", "run", "main 7").await.unwrap();
    assert_eq!((found.last, numbers(found.builds)), (Some(4), vec![3, 2]));
    for (tenant, builder, property, text) in
        [(T, "runs", "run", "main"), (T, "runs", "walk", "main 7"), (T, "a", "run", "main 7")]
    {
        let found = store.run(tenant, builder, property, text).await.unwrap();
        assert_eq!((found.last.is_some(), found.builds.len()), (true, 0), "{builder} {property} {text}");
    }
    assert_eq!(store.run("other", "runs", "run", "main 7").await.unwrap(), Run::default());
}

/// M-22: a buildset's builds in the order of their requests; M-21: what happened to a thing, newest first.
pub(super) async fn a_buildset_is_found_as_it_was_asked_for(store: &dyn Store) {
    let stamp = SourceStamp { revision: Some("1f0c".into()), ..Default::default() };
    let mut set =
        Buildset { bsid: 5, reason: "push".into(), source_stamps: vec![stamp], ..Buildset::default() };
    set.properties.set("branch", "main", "Scheduler");
    put_one(store, 0, Event::BuildsetSubmitted { buildset: set.clone() }).await;
    assert_eq!(store.buildset(T, 5).await.unwrap().as_ref(), Some(&set));
    let end = Buildset { bsid: 5, results: Some(Results::Success), ..Buildset::default() };
    put_one(store, 1, Event::BuildsetComplete { buildset: end }).await;
    let ended = Buildset { complete: true, results: Some(Results::Success), reason: String::new(), ..set };
    assert_eq!(store.buildset(T, 5).await.unwrap(), Some(ended));
    assert_eq!(store.buildset("other", 5).await.unwrap(), None);
}

pub(super) async fn what_belongs_together_is_found(store: &dyn Store) {
    let of_set = |builder: &str, number: u64, requests: Vec<u64>| {
        let build = Build { buildset: Some(5), requests, ..Build::new(builder, number) };
        Event::BuildFinished { build: Box::new(Build { results: Some(Results::Success), ..build }) }
    };
    put_one(store, 0, of_set("mac", 3, vec![12])).await;
    put_one(store, 1, of_set("linux", 8, vec![11, 14])).await;
    let still_running = Build { buildset: Some(5), requests: vec![10], ..Build::new("windows", 1) };
    put_one(store, 2, Event::BuildStarted { build: Box::new(still_running) }).await;
    put_one(store, 3, finished("linux", 9, Results::Failure)).await;
    let builds = store.builds_of_buildset(T, 5).await.unwrap();
    assert_eq!(builds.iter().map(Build::id).collect::<Vec<_>>(), [bid("linux", 8), bid("mac", 3)]);
    assert_eq!(store.builds_of_buildset("other", 5).await.unwrap(), []);
    assert_eq!(store.builds_of_buildset(T, 6).await.unwrap(), []);

    let began = put_one(store, 4, started("linux", 10)).await.unwrap();
    let ended = put_one(store, 5, finished("linux", 10, Results::Success)).await.unwrap();
    assert_eq!(store.events_about(T, "linux #10", 10).await.unwrap(), [ended, began]);
    assert_eq!(store.events_about(T, "linux #10", 1).await.unwrap(), [ended]);
    assert_eq!(store.events_about("other", "linux #10", 10).await.unwrap(), Vec::<EventId>::new());
}

pub(super) async fn changes_are_numbered_per_tenant(store: &dyn Store) {
    let change = |when| Event::ChangeAdded {
        change: Box::new(Change { when, revision: Some("abc".into()), ..Change::default() }),
    };
    let ids = put(store, 10, vec![to(change(at(99)), &[("irc", None)]), to(change(at(3)), &[])]).await;
    let Some(Event::ChangeAdded { change: first }) = store.event(T, ids[0].unwrap()).await.unwrap() else {
        panic!()
    };
    assert_eq!((first.number, first.when), (1, at(10)));
    store
        .append("other", Batch { events: vec![to(change(at(0)), &[])], ..Batch::default() }, at(0))
        .await
        .unwrap();
    put_one(store, 11, change(Timestamp::default())).await;
    let page = |before| Page { limit: 10, before };
    let changes = store.changes(T, page(None)).await.unwrap();
    assert_eq!(
        changes.iter().map(|c| (c.number, c.when)).collect::<Vec<_>>(),
        [(3, at(11)), (2, at(3)), (1, at(10))]
    );
    assert_eq!(store.changes(T, page(Some(2))).await.unwrap().len(), 1);
    assert_eq!(store.changes("other", page(None)).await.unwrap()[0].number, 1);
    assert_eq!(store.claim("me", &each(1), LEASE, at(10)).await.unwrap()[0].subject, "abc");
}

pub(super) async fn changes_are_found_by_their_revision(store: &dyn Store) {
    let hash = "68e5df28aa0bbb5b8e2d1f0c9d7e6a5b4c3d2e1f";
    let change = |revision: &str| Event::ChangeAdded {
        change: Box::new(Change { revision: Some(revision.into()), ..Change::default() }),
    };
    for revision in
        ["1234567", hash, "1234567", "68e5df2900000000000000000000000000000000", "tip of a\"b", "123456701"]
    {
        put_one(store, 0, change(revision)).await;
    }
    let batch = Batch { events: vec![to(change(hash), &[])], ..Batch::default() };
    store.append("other", batch, at(0)).await.unwrap();
    let numbers = async |revision: &str, limit| -> Vec<u64> {
        store.changes_to(T, revision, limit).await.unwrap().iter().map(|change| change.number).collect()
    };
    assert_eq!(numbers(hash, 10).await, [2]);
    assert_eq!(numbers("68e5df2", 10).await, [4, 2]);
    assert_eq!(numbers("68e5df28aa", 10).await, [2]);
    assert_eq!(numbers("1234567", 10).await, [3, 1]);
    assert_eq!(numbers("1234567", 1).await, [3]);
    assert_eq!(numbers("tip of a\"b", 10).await, [5]);
    // Fewer digits are a number, or a name; and a number is not the beginning of another one.
    for none in ["68e5", "123456", "", "%", "68e5df2g", "12345670"] {
        assert_eq!(numbers(none, 10).await, Vec::<u64>::new(), "{none}");
    }
}

pub(super) async fn a_build_takes_changes_by_a_rule(store: &dyn Store) {
    let change = |who: &str| Change { who: who.into(), ..Change::default() };
    let stamp = |codebase: &str, changes: Vec<Change>| SourceStamp {
        codebase: codebase.into(),
        revision: Some("1f0c".into()),
        changes,
        ..SourceStamp::default()
    };
    let told = Build {
        source_stamps: vec![stamp("app", vec![change("head only")]), stamp("lib", vec![change("bob")])],
        ..Build::new("linux", 1)
    };
    put_one(store, 0, Event::BuildStarted { build: Box::new(told.clone()) }).await;
    assert_eq!(store.changes_rule(T, &told.id()).await.unwrap(), None);
    let mut found = Build {
        source_stamps: vec![stamp("app", vec![change("ada"), change("eve")]), stamp("lib", vec![])],
        ..told.clone()
    };
    found.source_stamps[0].repository = "https://git.example.org/app".into();
    store.set_changes(T, &found, "between #1 and #2").await.unwrap();
    store.set_changes("other", &found, "no such build").await.unwrap();
    let known = store.build(T, &told.id()).await.unwrap().unwrap();
    let who = |known: &Build, stamp: usize| -> Vec<String> {
        known.source_stamps[stamp].changes.iter().map(|change| change.who.clone()).collect()
    };
    assert_eq!((who(&known, 0), who(&known, 1)), (vec!["ada".into(), "eve".into()], vec!["bob".into()]));
    assert_eq!(known.source_stamps[0].repository, "https://git.example.org/app");
    // The rule stays when the build goes on.
    put_one(store, 1, finished("linux", 1, Results::Failure)).await;
    assert_eq!(store.changes_rule(T, &told.id()).await.unwrap().as_deref(), Some("between #1 and #2"));
    assert_eq!(who(&store.build(T, &told.id()).await.unwrap().unwrap(), 0), ["ada", "eve"]);
    assert_eq!(store.changes_rule("other", &told.id()).await.unwrap(), None);
}

pub(super) async fn what_was_asked_of_the_ci_is_kept(store: &dyn Store) {
    let entry = |seconds, what: &str| AuditEntry {
        at: at(seconds),
        who: "ada".into(),
        place: "#ci".into(),
        what: what.into(),
        answer: "done".into(),
    };
    store.record_audit(T, entry(1, "force linux")).await.unwrap();
    store.record_audit("other", entry(2, "force mac")).await.unwrap();
    store.record_audit(T, entry(3, "stop linux #1")).await.unwrap();
    let page = |before| Page { limit: 9, before };
    let all = store.audit(T, page(None)).await.unwrap();
    let entries: Vec<_> = all.iter().map(|(_, entry)| entry.clone()).collect();
    assert_eq!(entries, [entry(3, "stop linux #1"), entry(1, "force linux")]);
    assert_eq!(store.audit(T, page(Some(all[0].0))).await.unwrap(), all[1..]);
}

pub(super) async fn tokens_are_kept_and_forgotten(store: &dyn Store) {
    let token = |id: &str, tenant: &str, created: i64, role, expires| Token {
        id: id.into(),
        tenant: tenant.into(),
        name: "wörkers".into(),
        role,
        created: at(created),
        expires,
    };
    let (first, second) =
        (token("b", T, 0, Role::Ingest, None), token("a", "other", 1, Role::Admin, Some(at(9))));
    store.add_token(&second, [2; 32]).await.unwrap();
    store.add_token(&first, [1; 32]).await.unwrap();
    assert!(store.add_token(&token("c", T, 2, Role::Read, None), [1; 32]).await.is_err());
    assert_eq!(store.tokens().await.unwrap(), [(first, [1; 32]), (second.clone(), [2; 32])]);
    assert!(!store.revoke_token("other", "b").await.unwrap());
    assert!(store.revoke_token(T, "b").await.unwrap());
    assert!(!store.revoke_token(T, "b").await.unwrap());
    assert_eq!(store.tokens().await.unwrap(), [(second, [2; 32])]);
}

pub(super) async fn logs_are_uploaded_replaced_and_read(store: &dyn Store) {
    let log = log_ref("stdio");
    assert!(matches!(store.write_log(T, &log).await, Err(StoreError::NoSuchBuild(_))));
    let event = put_one(store, 0, finished("linux", 1, Results::Success)).await.unwrap();
    let mut upload = store.write_log(T, &log).await.unwrap();
    upload.write(b"one\ntwo\n\xff\xfe three").await.unwrap();
    assert_eq!(store.log_tail(T, &log, 9, 99).await.unwrap(), None);
    assert_eq!(upload.finish().await.unwrap(), (3, 16));
    let tail = |lines, bytes| async move {
        store.log_tail(T, &log_ref("stdio"), lines, bytes).await.unwrap().unwrap()
    };
    assert_eq!(tail(2, 99).await, "two\n\u{fffd}\u{fffd} three");
    assert_eq!(tail(9, 5).await, "three");
    assert_eq!(tail(0, 99).await, "");
    assert_eq!(store.log_read(T, &log, 4, 3).await.unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(store.log_read(T, &log, 99, 3).await.unwrap().as_deref(), Some(&b""[..]));
    let mut second = store.write_log(T, &log).await.unwrap();
    second.write(b"new\n").await.unwrap();
    assert_eq!(second.finish().await.unwrap(), (1, 4));
    assert_eq!(tail(9, 99).await, "new\n");
    let Some(Event::BuildFinished { build }) = store.event(T, event).await.unwrap() else { panic!() };
    assert_eq!((build.steps[0].name.as_str(), build.steps[0].logs[0].bytes), ("compile", 4));
    assert_eq!(store.build(T, &bid("linux", 1)).await.unwrap().unwrap().steps[0].logs[0].lines, 1);
    assert_eq!(store.log_tail("other", &log, 9, 99).await.unwrap(), None);
}

pub(super) async fn log_chunks_add_up(store: &dyn Store) {
    let chunk = |channel, text: &str| Event::LogChunk { log: log_ref("stdio"), channel, text: text.into() };
    put_one(store, 0, started("linux", 1)).await;
    put_one(store, 1, Event::LogStarted { log: log_ref("stdio") }).await;
    assert_eq!(store.log_tail(T, &log_ref("stdio"), 1, 9).await.unwrap().as_deref(), Some(""));
    put_one(store, 2, chunk(LogChannel::Header, "$ make\n")).await;
    put_one(store, 3, chunk(LogChannel::Stdout, "a")).await;
    let events =
        vec![to(chunk(LogChannel::Stderr, "b\n"), &[]), to(chunk(LogChannel::Header, "exit 0\n"), &[])];
    put(store, 4, events).await;
    put_one(store, 5, chunk(LogChannel::Stdout, "c\n")).await;
    assert_eq!(store.log_tail(T, &log_ref("stdio"), 9, 99).await.unwrap().as_deref(), Some("ab\nc\n"));
    assert_eq!(store.log_read(T, &log_ref("stdio"), 1, 3).await.unwrap().as_deref(), Some(&b"b\nc"[..]));
    let big = "0123456789abcde\n".repeat(20_000);
    put_one(store, 6, chunk(LogChannel::Stdout, &big)).await;
    let build = store.build(T, &bid("linux", 1)).await.unwrap().unwrap();
    assert_eq!((build.steps[0].logs[0].lines, build.steps[0].logs[0].bytes), (20_002, 320_005));
    let read = store.log_read(T, &log_ref("stdio"), 5, 400_000).await.unwrap().unwrap();
    assert!(read == big.as_bytes());
}

pub(super) async fn a_closed_store_takes_nothing(store: &dyn Store) {
    let worker = Worker { name: "w".into(), ..Worker::default() };
    put_one(store, 0, Event::WorkerConnected { worker }).await;
    store.ping().await.unwrap();
    store.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Closed)));
    assert!(matches!(store.append(T, Batch::default(), at(0)).await, Err(StoreError::Closed)));
    assert!(matches!(store.due().await, Err(StoreError::Closed)));
}

pub(super) fn builds_of(builder: &str) -> BuildQuery {
    BuildQuery { builder: Some(builder.to_owned()), page: Page { limit: 99, before: None } }
}

pub(super) async fn changes_of_one_batch_are_known_as_such(store: &dyn Store) {
    let batch = |count: usize| Batch {
        events: vec![to(Event::ChangeAdded { change: Box::default() }, &[]); count],
        ..Batch::default()
    };
    for (tenant, count) in [(T, 1), ("other", 4), (T, 3), (T, 2)] {
        store.append(tenant, batch(count), at(0)).await.unwrap();
    }
    let numbers = async |number, limit| -> Vec<u64> {
        let told = store.changes_told_with(T, number, limit).await.unwrap();
        told.iter().map(|change| change.number).collect()
    };
    assert_eq!(numbers(1, 10).await, [1]);
    assert_eq!(numbers(4, 10).await, [4, 3, 2]);
    assert_eq!(numbers(3, 10).await, [3, 2]);
    assert_eq!(numbers(4, 2).await, [4, 3]);
    assert_eq!(numbers(5, 10).await, [5]);
    assert_eq!(numbers(6, 10).await, [6, 5]);
    assert_eq!(numbers(7, 10).await, Vec::<u64>::new());
}
