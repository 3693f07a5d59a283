//! The suite that every store passes, and what only this one has: group commit, files, a limit on logs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use super::*;
use crate::{
    NewDelivery, NewEvent, conformance, delivery_rules, queue_rules, recovery_rules, retention_rules,
    start_rules,
};

async fn open(dir: &tempfile::TempDir, max_log_bytes: u64) -> SqliteStore {
    let url = format!("sqlite:{}", dir.path().join("store.db").display());
    SqliteStore::open(&url, StoreOptions { max_log_bytes, ..StoreOptions::default() }).await.unwrap()
}

async fn fresh(max_log_bytes: u64) -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir, max_log_bytes).await;
    (dir, store)
}

macro_rules! conforms {
    ($suite:ident: $($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let (_dir, store) = fresh(64 << 20).await;
            $suite::$name(&store).await;
        }
    )*};
}

conforms!(
    conformance:
    dedup_holds_for_a_day,
    what_was_asked_of_the_ci_is_kept,
    tokens_are_kept_and_forgotten,
    what_a_poller_has_seen_is_kept_with_what_it_found,
    a_finished_build_knows_what_came_before,
    a_build_is_completed_later,
    repeated_facts_are_told_once,
    out_of_order_events_make_a_build,
    lists_and_earlier_builds,
    a_buildset_is_found_as_it_was_asked_for,
    what_belongs_together_is_found,
    changes_are_numbered_per_tenant,
    changes_are_found_by_their_revision,
    changes_of_one_batch_are_known_as_such,
    a_build_takes_changes_by_a_rule,
    logs_are_uploaded_replaced_and_read,
    log_chunks_add_up,
    a_closed_store_takes_nothing,
);

conforms!(
    delivery_rules:
    one_key_goes_in_order,
    a_run_is_claimed_behind_its_first,
    leases_run_out_and_are_given_back,
    deliveries_are_listed_counted_and_retried,
    a_trace_stays_with_its_deliveries,
    each_tenant_has_its_share,
    each_target_has_its_share,
    a_lease_is_renewed_by_its_owner_only,
    what_an_engine_died_of_twice_is_set_aside,
    begun_loads_are_counted_by_version,
);

conforms!(
    recovery_rules:
    what_waits_for_the_far_side_is_due_one_after_the_other,
    a_person_hurries_what_waits_and_what_is_dead,
    dead_ones_of_a_key_wait_again_in_their_order,
    one_that_is_put_off_for_long_leaves_its_order,
    dropped_ones_free_those_behind_them,
    a_target_is_gone_and_back,
    times_of_what_waits_go_with_the_clock,
);

conforms!(
    start_rules:
    a_start_that_nobody_told_stays_unknown,
    a_build_began_with_its_first_step_at_the_latest,
    a_second_start_completes_the_build_and_is_told_once,
    changes_of_a_build_have_the_time_of_receipt_at_the_latest,
);

conforms!(
    retention_rules:
    what_is_old_goes_and_what_is_needed_stays,
    each_tenant_is_counted_and_forgotten,
);

#[tokio::test]
async fn p_q_01_a_queue_is_numbered_bounded_and_rests() {
    let (_dir, store) = fresh(64 << 20).await;
    queue_rules::a_queue_is_numbered_bounded_and_rests(&store).await;
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn p_t_2_any_history_of_a_queue_fits_the_model((max, steps) in queue_rules::history()) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(queue_rules::runs_as_the_model(max, steps, async || open(&dir, 1 << 20).await));
    }
}

fn log() -> LogRef {
    LogRef { build: BuildId { builder: "b".into(), number: 1 }, step: "s".into(), log: "stdio".into() }
}

fn batch(number: u64) -> Batch {
    let event = Event::BuildStarted { build: Box::new(Build::new("b", number)) };
    let deliveries = vec![NewDelivery { target: "mail".into(), ordering_key: None, queue: None }];
    Batch { events: vec![NewEvent { event, deliveries }], ..Batch::default() }
}

async fn with_build(max_log_bytes: u64) -> (tempfile::TempDir, SqliteStore) {
    let (dir, store) = fresh(max_log_bytes).await;
    store.append("t", batch(1), Timestamp::from_seconds(1)).await.unwrap();
    (dir, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_are_each_stored_once_and_survive() {
    let (dir, store) = fresh(1 << 20).await;
    let store = Arc::new(store);
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.append("t", batch(number), Timestamp::from_seconds(1)).await })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for task in tasks {
        let Appended::Stored { ids: new, .. } = task.await.unwrap().unwrap() else { panic!() };
        ids.extend(new.into_iter().flatten());
    }
    assert_eq!(ids.len(), 200);
    // No close: as after a crash.
    drop(store);
    let store = open(&dir, 1 << 20).await;
    assert_eq!(store.delivery_counts().await.unwrap()[0].1, 200);
    assert_eq!(store.builders("t").await.unwrap()[0].last_build, Some(199));
}

#[tokio::test]
async fn one_bad_job_does_not_spoil_its_neighbours() {
    let (_dir, store) = with_build(1 << 20).await;
    let gone = logs::LogPart {
        log: Some(99),
        tenant: "t".into(),
        build: 1,
        build_id: log().build,
        step: String::new(),
        name: String::new(),
        chunks: Vec::new(),
        last: true,
    };
    let (bad, good, ping) = tokio::join!(
        store.writer.submit(Operation::WriteLog(gone)),
        store.append("t", batch(2), Timestamp::from_seconds(2)),
        store.ping()
    );
    assert!(matches!(bad, Err(StoreError::Database(sqlx::Error::RowNotFound))));
    assert!(good.is_ok() && ping.is_ok());
    assert_eq!(store.delivery_counts().await.unwrap()[0].1, 2);
}

/// Reads of a log have bounds.
#[tokio::test]
async fn m_log_02_the_tail_of_a_log_of_a_million_lines() {
    let (_dir, store) = with_build(64 << 20).await;
    let mut upload = store.write_log("t", &log()).await.unwrap();
    for block in 0..1000 {
        let text: String = (0..1000).map(|line| format!("line {}\n", block * 1000 + line)).collect();
        upload.write(text.as_bytes()).await.unwrap();
    }
    assert_eq!(upload.finish().await.unwrap().0, 1_000_000);
    let tail = store.log_tail("t", &log(), 2, 1000).await.unwrap().unwrap();
    assert_eq!(tail, "line 999998\nline 999999\n");
    let tail = store.log_tail("t", &log(), 20_000, 1 << 20).await.unwrap().unwrap();
    assert_eq!((tail.lines().count(), tail.lines().next()), (20_000, Some("line 980000")));
}

#[tokio::test]
async fn the_middle_of_a_long_log_is_dropped() {
    let (_dir, store) = with_build(16_000).await;
    let text: String = (0..10_000).map(|line| format!("{line:07}\n")).collect();
    let mut upload = store.write_log("t", &log()).await.unwrap();
    upload.write(text.as_bytes()).await.unwrap();
    let (lines, bytes) = upload.finish().await.unwrap();
    let kept = store.log_read("t", &log(), 0, 1 << 20).await.unwrap().unwrap();
    assert_eq!(u64::try_from(kept.len()).unwrap(), bytes);
    let kept = String::from_utf8(kept).unwrap();
    assert_eq!(u64::try_from(kept.lines().count()).unwrap(), lines);
    assert!(kept.starts_with("0000000\n") && kept.ends_with("0009999\n"));
    let (head, rest) = kept.split_once("[... ").unwrap();
    let (dropped, tail) = rest.split_once(" bytes left out ...]\n").unwrap();
    assert_eq!(head.len() + tail.len() + dropped.parse::<usize>().unwrap(), 80_000);
    assert!((3000..=4000).contains(&head.len()) && (11_000..=12_000).contains(&tail.len()));
    assert!(text.starts_with(head) && text.ends_with(tail));
    for offset in [head.len() - 3, head.len() + 5, kept.len() - tail.len() - 2, kept.len() - 9] {
        let read = store.log_read("t", &log(), offset as u64, 100).await.unwrap().unwrap();
        assert_eq!(read, &kept.as_bytes()[offset..kept.len().min(offset + 100)]);
    }
    assert_eq!(store.log_tail("t", &log(), u32::MAX, 1 << 20).await.unwrap().unwrap(), kept);
    // The same text in small pieces, as events, and in lines that never end.
    let endless = LogRef { log: "endless".into(), ..log() };
    for piece in "x".repeat(40_000).as_bytes().chunks(700) {
        let text = String::from_utf8(piece.to_vec()).unwrap();
        let event = Event::LogChunk { log: endless.clone(), channel: Default::default(), text };
        let batch = Batch { events: vec![NewEvent { event, deliveries: vec![] }], ..Batch::default() };
        store.append("t", batch, Timestamp::from_seconds(2)).await.unwrap();
    }
    let kept = store.log_read("t", &endless, 0, 1 << 20).await.unwrap().unwrap();
    let kept = String::from_utf8(kept).unwrap();
    assert!(kept.contains("x\n[... ") && kept.len() < 16_100 && kept.len() > 14_000);
    assert_eq!(store.log_tail("t", &endless, 99, 1 << 20).await.unwrap().unwrap(), kept);
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let (dir, store) = with_build(64 << 20).await;
    let text = vec![b'x'; 3 << 20];
    let mut upload = store.write_log("t", &log()).await.unwrap();
    upload.write(&text).await.unwrap();
    let count = "SELECT (SELECT count(*) FROM logs) + (SELECT count(*) FROM log_chunks)";
    let rows: i64 = sqlx::query_scalar(count).fetch_one(&store.readers).await.unwrap();
    assert!(rows > 40);
    drop(upload);
    store.ping().await.unwrap();
    let rows: i64 = sqlx::query_scalar(count).fetch_one(&store.readers).await.unwrap();
    assert_eq!(rows, 0);
    // And after a crash, once it is old enough to be nobody's.
    let mut upload = store.write_log("t", &log()).await.unwrap();
    upload.write(&text).await.unwrap();
    store.close().await;
    drop(upload);
    let file = SqliteConnectOptions::new().filename(dir.path().join("store.db"));
    let mut connection = file.connect().await.unwrap();
    sqlx::query("UPDATE logs SET touched = touched - 7200").execute(&mut connection).await.unwrap();
    let store = open(&dir, 64 << 20).await;
    let rows: i64 = sqlx::query_scalar(count).fetch_one(&store.readers).await.unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn addresses_that_are_no_file_are_refused() {
    for url in ["postgres://x", "sqlite::memory:", "sqlite:/no/such/folder/x.db"] {
        let error = SqliteStore::open(url, StoreOptions::default()).await.unwrap_err();
        assert!(error.to_string().contains(url), "{error}");
    }
}

/// Prints events per second; run it with `--release -- --ignored --nocapture append_rate`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures, asserts nothing"]
async fn append_rate() {
    for callers in [1_u64, 8, 64] {
        let (_dir, store) = fresh(1 << 20).await;
        let store = Arc::new(store);
        let begin = std::time::Instant::now();
        let each = 20_000 / callers.max(8);
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let store = store.clone();
                tokio::spawn(async move {
                    for number in 0..each {
                        let batch = batch(caller * each + number);
                        store.append("t", batch, Timestamp::from_seconds(1)).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let rate = (callers * each) as f64 / begin.elapsed().as_secs_f64();
        println!("{callers} callers: {rate:.0} events/s, each durable with its build and one delivery");
        store.close().await;
    }
}

/// More than fits into a step; and what a large log weighs.
#[tokio::test]
async fn a_walk_through_many_old_rows_ends_with_little_left() {
    let (dir, store) = fresh(64 << 20).await;
    let (old, now) = (Timestamp::from_seconds(1), Timestamp::from_seconds(10_000));
    for from in (0..3_000).step_by(100) {
        let events = (from..from + 100).map(|number| {
            let build = Build { results: Some(campanile_model::Results::Success), ..Build::new("b", number) };
            NewEvent { event: Event::BuildFinished { build: Box::new(build) }, deliveries: Vec::new() }
        });
        let batch = Batch { events: events.collect(), ..Batch::default() };
        store.append("t", batch, old).await.unwrap();
    }
    // Bytes that do not shrink.
    let mut upload = store.write_log("t", &log()).await.unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..400 {
        let block: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(64 << 10).collect();
        upload.write(&block).await.unwrap();
    }
    upload.finish().await.unwrap();
    let retention =
        Retention { keep: Some(Duration::from_secs(100)), of: std::collections::BTreeMap::new(), builds: 20 };
    let (mut from, mut builds, mut events, mut steps) = (PruneCursor::default(), 0, 0, 0);
    loop {
        let pruned = store.prune(&retention, from, now).await.unwrap();
        assert!(pruned.counts().iter().all(|(_, count)| *count <= 500), "a step is bounded: {pruned:?}");
        (builds, events, steps) = (builds + pruned.builds, events + pruned.events, steps + 1);
        let Some(next) = pruned.next else { break };
        from = next;
    }
    assert_eq!((builds, events), (2_980, 2_999));
    assert!(steps > 12, "{steps} steps");
    let left: (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM logs), (SELECT count(*) FROM log_chunks)")
            .fetch_one(&mut *store.reader().await.unwrap())
            .await
            .unwrap();
    assert_eq!(left, (0, 0));
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as("EXPLAIN QUERY PLAN SELECT id FROM logs WHERE build = 1")
            .fetch_all(&mut *store.reader().await.unwrap())
            .await
            .unwrap();
    assert!(plan.iter().any(|(.., step)| step.contains("logs_by_build")), "{plan:?}");
    drop(dir);
}
