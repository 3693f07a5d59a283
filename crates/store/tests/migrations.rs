//! Stores of each earlier version of the schema are opened, and what was kept in them is there and of use.
//!
//! `data/NNNN.sql` is a store as the engine of that version left it; `data/make.sh` tells how it came to be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use campanile_model::{Build, BuildId, Event, LogRef, Results, Timestamp, TraceContext};
use campanile_store::{
    Appended, Batch, BuildQuery, ClaimQuota, Delivery, DeliveryQuery, DeliveryState, LogWriter, NewDelivery,
    NewEvent, Page, PruneCursor, Retention, Role, Settlement, SqliteStore, Store, StoreOptions, TenantQuota,
    Wait,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

const T: &str = "acme";
const LEASE: Duration = Duration::from_secs(60);

/// A moment after all that is in the stores.
fn now() -> Timestamp {
    Timestamp::from_seconds(1_700_001_000)
}

fn numbered(folder: &str) -> BTreeMap<u32, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|extension| extension == "sql"))
        .map(|file| (file.file_stem().unwrap().to_str().unwrap()[..4].parse().unwrap(), file))
        .collect()
}

#[test]
fn every_earlier_version_has_its_store() {
    let (migrations, stores) = (numbered("migrations/sqlite"), numbered("tests/data"));
    let newest = migrations.keys().max().unwrap();
    let missing: Vec<_> =
        migrations.keys().filter(|version| *version != newest && !stores.contains_key(version)).collect();
    assert!(missing.is_empty(), "run tests/data/make.sh before the next migration is added: {missing:?}");
    assert!(stores.keys().all(|version| migrations.contains_key(version)));
}

#[tokio::test]
async fn a_store_of_each_earlier_version_is_of_use() {
    let form_now = {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("store.db");
        open(&file).await.close().await;
        form(&file).await
    };
    let stores = numbered("tests/data");
    assert!(stores.len() >= 11);
    for (version, dump) in stores {
        println!("version {version}");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("store.db");
        let mut old = options(&file).create_if_missing(true).connect().await.unwrap();
        let dump = std::fs::read_to_string(dump).unwrap();
        sqlx::raw_sql(AssertSqlSafe(dump)).execute(&mut old).await.unwrap();
        old.close().await.unwrap();

        let store = open(&file).await;
        builds_are_read(&store, version).await;
        logs_are_read_and_go_on(&store).await;
        what_is_beside_builds_is_read(&store, version).await;
        deliveries_go_out(&store, version).await;
        new_ones_come_behind(&store).await;
        what_is_old_goes(&store).await;
        store.close().await;
        assert_eq!(form(&file).await, form_now, "an old store gets the form that a new one has");
        // Once more: nothing is done twice.
        let store = open(&file).await;
        while store.delete_tenant_chunk(T).await.unwrap() {}
        assert_eq!(store.stored_bytes(T).await.unwrap(), 0);
        store.close().await;
    }
}

#[tokio::test]
async fn a_store_whose_steps_are_others_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db");
    open(&file).await.close().await;
    let mut connection = options(&file).connect().await.unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 3")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let url = format!("sqlite:{}", file.display());
    let error = SqliteStore::open(&url, StoreOptions::default()).await.unwrap_err().to_string();
    assert!(error.contains("migration 3"), "{error}");
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(file).disable_statement_logging()
}

async fn open(file: &Path) -> SqliteStore {
    let url = format!("sqlite:{}", file.display());
    SqliteStore::open(&url, StoreOptions::default()).await.unwrap()
}

/// Tables, indexes and triggers with their texts; and the steps that led to them.
async fn form(file: &Path) -> (Vec<(String, Option<String>)>, Vec<(i64, Vec<u8>)>) {
    let mut connection = options(file).connect().await.unwrap();
    let objects = sqlx::query_as("SELECT name, sql FROM sqlite_master ORDER BY name, tbl_name")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let steps = sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    (objects, steps)
}

fn linux(number: u64) -> BuildId {
    BuildId { builder: "linux".into(), number }
}

fn stdio() -> LogRef {
    LogRef { build: linux(1), step: "compile".into(), log: "stdio".into() }
}

fn page() -> Page {
    Page { limit: 99, before: None }
}

async fn builds_are_read(store: &dyn Store, version: u32) {
    let build = store.build(T, &linux(1)).await.unwrap().unwrap();
    assert_eq!((build.results, build.reason.as_str()), (Some(Results::Failure), "push"));
    assert_eq!(build.properties.value("owner"), Some(&"ada".into()));
    assert_eq!((build.steps[0].logs[0].lines, build.steps[0].logs[0].bytes), (3, 13));
    let running = store.running_builds(T, "linux").await.unwrap();
    assert_eq!(running.iter().map(Build::id).collect::<Vec<_>>(), [linux(2)]);
    assert_eq!(running[0].steps[0].name, "compile");
    let numbers = |builds: Vec<Build>| builds.iter().map(|build| build.number).collect::<Vec<_>>();
    let third: &[u64] = if version >= 3 { &[3] } else { &[] };
    let earlier = numbers(store.earlier_builds(T, &linux(9), 9).await.unwrap());
    assert_eq!(earlier, [third, &[1]].concat());
    let query = BuildQuery { builder: None, page: page() };
    assert_eq!(numbers(store.builds(T, &query).await.unwrap()), [third, &[2, 1]].concat());
    // The first one was there before builds had a column for it.
    let of_set = numbers(store.builds_of_buildset(T, 7).await.unwrap());
    assert_eq!(of_set, [&[1], third].concat());
    let builders = store.builders(T).await.unwrap();
    assert_eq!(
        (builders[0].builder.name.as_str(), builders[0].builder.tags[0].as_str()),
        ("linux", "nightly")
    );
    assert_eq!(builders[0].last_build, Some(if version >= 3 { 3 } else { 2 }));
    let Some(Event::BuildFinished { build: told }) = store.event(T, 7).await.unwrap() else { panic!() };
    assert_eq!(told.steps[0].logs[0].lines, 3);
    assert_eq!(store.events_about(T, "linux #1", 9).await.unwrap(), [7, 6]);
}

async fn logs_are_read_and_go_on(store: &dyn Store) {
    let text = store.log_tail(T, &stdio(), 9, 99).await.unwrap();
    assert_eq!(text.as_deref(), Some("one\ntwo\nthree"));
    let read = store.log_read(T, &stdio(), 4, 7).await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"two\nthr"[..]));
    let event = Event::LogChunk { log: stdio(), channel: Default::default(), text: " and four\n".into() };
    append(store, vec![NewEvent { event, deliveries: Vec::new() }], None).await;
    let text = store.log_tail(T, &stdio(), 1, 99).await.unwrap();
    assert_eq!(text.as_deref(), Some("three and four\n"));
    let other = LogRef { log: "warnings".into(), ..stdio() };
    let mut upload: Box<dyn LogWriter> = store.write_log(T, &other).await.unwrap();
    upload.write(b"none\n").await.unwrap();
    assert_eq!(upload.finish().await.unwrap(), (1, 5));
}

async fn what_is_beside_builds_is_read(store: &dyn Store, version: u32) {
    let changes = store.changes(T, page()).await.unwrap();
    assert_eq!((changes[0].number, changes[0].who.as_str()), (1, "ada"));
    let buildset = store.buildset(T, 7).await.unwrap().unwrap();
    assert_eq!((buildset.complete, buildset.reason.as_str()), (false, "push"));
    if version >= 2 {
        assert_eq!(store.versions_in_use(T).await.unwrap()[0].digest, "d1");
        assert_eq!(store.versions(T, "formatter").await.unwrap()[0].origin, "pushed");
        let component = store.component(T, "formatter", "d1").await.unwrap();
        assert_eq!(component.as_deref(), Some(&b"a component"[..]));
        let calls = store.calls(T, "formatter", 0, 9).await.unwrap();
        assert_eq!((calls[0].1.outcome.as_str(), calls[0].1.peak_memory), ("ok", 65_536));
    }
    if version >= 4 {
        let seen = store.seen(T, "bells", "https://example.org/r.git").await.unwrap();
        assert_eq!(seen, Some([("main".to_owned(), "1f0c".to_owned())].into()));
    }
    if version >= 6 {
        let audit = store.audit(T, page()).await.unwrap();
        assert_eq!(audit[0].1.what, "force linux");
    }
    let tokens = store.tokens().await.unwrap();
    if version >= 10 {
        let (token, hash) = &tokens[0];
        assert_eq!((token.id.as_str(), token.role, *hash), ("tk1", Role::Ingest, [1; 32]));
        assert!(store.revoke_token(T, "tk1").await.unwrap());
    } else {
        assert!(tokens.is_empty());
    }
}

async fn deliveries_go_out(store: &dyn Store, version: u32) {
    let queue = u64::from(version >= 7);
    let counts = store.delivery_counts().await.unwrap();
    assert_eq!(counts.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [3 + queue, 1 + queue, 1, 1]);
    let (delivered, attempts) = store.delivery(T, 1).await.unwrap().unwrap();
    assert_eq!(
        (delivered.state, delivered.text.as_deref()),
        (DeliveryState::Delivered, Some("queued as 4F1"))
    );
    assert_eq!((delivered.subject.as_str(), attempts.len()), ("linux #1", 1));
    assert_eq!(delivered.callback_version.as_deref(), (version >= 2).then_some("d1"));
    // One is leased by an engine that is no more.
    store.release("engine").await.unwrap();
    let due: Vec<_> = store.due().await.unwrap().into_iter().map(|of| (of.tenant, of.due)).collect();
    assert_eq!(
        due.iter().min_by_key(|(_, due)| *due),
        Some(&(T.to_owned(), Timestamp::from_seconds(1_700_000_009)))
    );
    let quota: ClaimQuota = [(T.to_owned(), TenantQuota::each(99))].into();
    let claimed = store.claim("me", &quota, LEASE, now()).await.unwrap();
    let queued: &[i64] = if version >= 7 { &[8] } else { &[] };
    assert_eq!(ids(&claimed), [&[4, 5], queued].concat());
    assert_eq!(claimed[1].message.as_deref(), Some(&br#"{"bid":1}"#[..]));
    let trace = TraceContext { trace: 7, span: 8, sampled: true };
    assert_eq!(claimed[0].trace, (version >= 9).then_some(trace));
    if version >= 7 {
        let position = claimed[2].place.unwrap();
        assert_eq!((position.number, position.started), (2, Timestamp::from_seconds(1_700_000_400)));
    }
    let behind = store.claim_run("me", &claimed[1].lease(), 9, LEASE, now()).await.unwrap();
    assert_eq!(ids(&behind), [6]);
    for delivery in claimed.iter().chain(&behind) {
        let state = DeliveryState::Delivered;
        let (code, text) = (None, "ok".to_owned());
        let done =
            Settlement { state, attempted: true, code, text, not_before: now(), wait: Wait::default() };
        store.settle(&delivery.lease(), done, now()).await.unwrap();
    }
    assert_eq!(store.retry(T, &[(2, Duration::ZERO)], now()).await.unwrap(), 1);
    assert_eq!(ids(&store.claim("me", &quota, LEASE, now()).await.unwrap()), [2]);
    store.release("me").await.unwrap();
}

fn ids(deliveries: &[Delivery]) -> Vec<i64> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}

async fn append(store: &dyn Store, events: Vec<NewEvent>, key: Option<&str>) -> Appended {
    let batch = Batch { events, dedup_key: key.map(str::to_owned), ..Batch::default() };
    store.append(T, batch, now()).await.unwrap()
}

async fn new_ones_come_behind(store: &dyn Store) {
    let started = |number| Event::BuildStarted { build: Box::new(Build::new("linux", number)) };
    let mail = NewDelivery { target: "mail".into(), ordering_key: None, queue: None };
    let new = |number| NewEvent { event: started(number), deliveries: vec![mail.clone()] };
    assert_eq!(append(store, vec![new(4)], Some("hook-1")).await, Appended::Duplicate);
    let Appended::Stored { ids, .. } = append(store, vec![new(4)], Some("hook-2")).await else { panic!() };
    assert!(ids[0].unwrap() > 9);
    let query = DeliveryQuery {
        state: None,
        target: Some("mail".into()),
        event: ids[0],
        since: None,
        until: None,
        page: page(),
    };
    assert!(store.deliveries(T, &query).await.unwrap()[0].id > 6);
    // A build that ran when the engine was replaced ends.
    let ended = Build { results: Some(Results::Success), ..Build::new("linux", 2) };
    let event = Event::BuildFinished { build: Box::new(ended) };
    append(store, vec![NewEvent { event, deliveries: Vec::new() }], None).await;
    let build = store.build(T, &linux(2)).await.unwrap().unwrap();
    assert_eq!((build.reason.as_str(), build.steps[0].name.as_str()), ("force", "compile"));
}

async fn what_is_old_goes(store: &dyn Store) {
    let retention = Retention { keep: Some(Duration::ZERO), of: BTreeMap::new(), builds: 1 };
    let (mut from, mut events) = (PruneCursor::default(), 0);
    let later = now().after(Duration::from_secs(1));
    loop {
        let pruned = store.prune(&retention, from, later).await.unwrap();
        events += pruned.events;
        let Some(next) = pruned.next else { break };
        from = next;
    }
    assert!(events > 5, "{events}");
    assert!(store.stats().await.unwrap().waiting.iter().any(|waiting| waiting.target == "push"));
}
