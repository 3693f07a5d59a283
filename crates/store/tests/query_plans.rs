//! No statement of the store walks through a whole table, however much is kept: `EXPLAIN QUERY PLAN` of all of them.
//!
//! The statements are not written down here: the store is asked for everything that it can do, and what it ran is read
//! from its log (`sqlx::query`). The one test has a process to itself, because it listens to all of that process.
//!
//! The plans depend on the schema alone as long as nobody has run `ANALYZE`, which the engine never does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use campanile_model::{
    Build, BuildId, BuildRequest, Builder, BuilderState, Buildset, Change, Event, LogRef, Results, Step,
    Timestamp, TraceContext, Worker,
};
use campanile_store::{
    AuditEntry, Batch, BuildQuery, CallEntry, ClaimQuota, DeliveryQuery, DeliveryState, InUse, KeptVersion,
    NewDelivery, NewEvent, Page, PruneCursor, Queue, Retention, Role, Seen, Settlement, SqliteStore, Store,
    StoreOptions, TenantQuota, Token, Wait,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Walks that are meant: a part of a statement, the step of its plan, and the reason.
const WALKS: &[(&str, &str, &str)] = &[
    (
        "count(*), min(created) FROM deliveries WHERE state = 'waiting' GROUP BY tenant, target",
        "SCAN deliveries USING COVERING INDEX deliveries_waiting",
        "metrics want all that waits, and the index holds nothing else",
    ),
    (
        "WHERE state = 'waiting' AND lease_owner = ?",
        "SCAN deliveries USING INDEX deliveries_waiting",
        "once at a start and once at a stop; an index of leases would be written twice for each delivery",
    ),
    (
        "min(e.at) FROM deliveries d JOIN events e",
        "SEARCH d USING INDEX deliveries_waiting",
        "pruning wants the oldest event of all that waits, and the index holds nothing else",
    ),
    (
        "AND blocked = 0 ORDER BY tenant, target, due LIMIT 1",
        "SCAN deliveries USING COVERING INDEX deliveries_due",
        "the first row of the index",
    ),
    (
        "SET created = created + ?1",
        "SCAN deliveries USING INDEX deliveries_waiting",
        "when the clock was set: all that waits, and the index holds nothing else",
    ),
    ("UPDATE orphans SET since", "SCAN orphans", "when the clock was set: the few targets that are gone"),
    ("FROM delivery_counts", "SCAN delivery_counts", "four rows, all of them wanted"),
    ("FROM tokens ORDER BY created, id", "SCAN tokens", "all of them are wanted, at a start"),
    ("FROM tokens ORDER BY created, id", "USE TEMP B-TREE FOR ORDER BY", "as above"),
    (
        "DELETE FROM tokens WHERE tenant = ?",
        "SCAN tokens",
        "people made each of them; only when a tenant goes",
    ),
    ("FROM callback_log ORDER BY id LIMIT ?1", "SCAN callback_log", "the first so many rows, by `LIMIT`"),
    ("FROM audit ORDER BY id LIMIT ?1", "SCAN audit", "the first so many rows, by `LIMIT`"),
    (
        "FROM callback_versions WHERE tenant = ? AND callback = ? ORDER BY at DESC",
        "USE TEMP B-TREE FOR ORDER BY",
        "ten versions of a callback are kept",
    ),
    (
        "FROM callback_versions WHERE tenant = ?1 AND callback = ?2 ORDER BY at DESC",
        "USE TEMP B-TREE FOR ORDER BY",
        "ten versions of a callback are kept",
    ),
    (
        "SELECT build, data FROM steps WHERE build IN",
        "USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY",
        "steps of one page of builds",
    ),
    (
        "CROSS JOIN steps s",
        "USE TEMP B-TREE FOR ORDER BY",
        "steps of the builds that a group of batches touches",
    ),
    (
        "FROM callback_log WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2",
        "USE TEMP B-TREE FOR ORDER BY",
        "some thousand calls of a tenant are kept; once in 64 calls",
    ),
    ("FROM json_each(?1) j CROSS JOIN builds b", "USE TEMP B-TREE FOR ORDER BY", "one page of builds"),
    (
        "kept_lines, kept_bytes FROM logs WHERE visible = 1 AND build IN",
        "USE TEMP B-TREE FOR ORDER BY",
        "logs of one page of builds",
    ),
];

/// Steps that must be there: an index of a tenant's or a target's whole history would be an index too.
const INDEXES: &[(&str, &str)] = &[
    (
        "WHERE tenant = ? AND target = ? AND state = 'waiting' AND blocked = 0 AND due <= ?",
        "deliveries_due (tenant=? AND target=? AND due<?)",
    ),
    ("row_number() OVER (ORDER BY id)", "deliveries_waiting (tenant=? AND target=?)"),
    (
        "max(due, ?1) WHERE id = (SELECT min(id)",
        "deliveries_by_key (tenant=? AND target=? AND ordering_key=?)",
    ),
    (
        "d.tenant = ? AND d.state = 'waiting' AND d.target = ? ORDER",
        "deliveries_waiting (tenant=? AND target=?)",
    ),
    (
        "d.tenant = ? AND d.state = 'waiting' AND d.target = ? AND d.id < ? ORDER",
        "deliveries_waiting (tenant=? AND target=? AND id<?)",
    ),
    ("d.state = 'waiting' AND d.event = ?", "deliveries_by_event (event=?"),
    ("d.target = ? AND d.event = ?", "deliveries_by_event (event=?"),
    ("d.tenant = ? AND d.state = 'dead' ORDER", "deliveries_by_state (tenant=? AND state=?)"),
    ("total(octet_length(payload)) FROM events WHERE tenant = ?1", "events_by_tenant (tenant=?)"),
    ("count(*) FROM events WHERE id >= ? AND tenant = ?", "events_by_tenant (tenant=? AND rowid>?)"),
    ("DELETE FROM events WHERE id IN (SELECT id FROM events WHERE tenant", "events_by_tenant (tenant=?)"),
    ("WHERE tenant = ? AND data ->> 'revision' = ?", "changes_by_revision (tenant=? AND <expr>=?)"),
    ("AND data ->> 'revision' >= ?", "changes_by_revision (tenant=? AND <expr>>? AND <expr><?)"),
    ("FROM events WHERE tenant = ? AND subject = ?", "events_told (tenant=? AND subject=?)"),
];

/// A tenant with much, and one with little.
const LARGE: &str = "t0";
const SMALL: &str = "acme";

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_walks_through_a_table() {
    let ran = Ran::default();
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ran.clone())).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db");
    open(&file).await.close().await;
    let mut connection =
        SqliteConnectOptions::new().filename(&file).disable_statement_logging().connect().await.unwrap();
    fill(&mut connection).await;
    let store = open(&file).await;
    // What brought the schema about is not what runs.
    ran.0.lock().unwrap().clear();
    do_everything(&store).await;
    store.close().await;

    let ran = std::mem::take(&mut *ran.0.lock().unwrap());
    let statements: BTreeSet<&str> =
        ran.iter().flat_map(|text| text.split(';')).map(str::trim).filter(|text| !is_control(text)).collect();
    assert!(statements.len() > 120, "only {} statements were seen", statements.len());
    let (mut faults, mut walked, mut found) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for statement in statements {
        let plan = plan(&mut connection, statement).await;
        for step in plan.iter().filter(|step| !is_bounded(step, &plan)) {
            let meant = |(part, meant, _): &(&str, &str, &str)| statement.contains(part) && step == meant;
            match WALKS.iter().position(meant) {
                Some(at) => drop(walked.insert(at)),
                None => faults.push(format!("{step}\n    of {statement}")),
            }
        }
        for (at, (part, index)) in
            INDEXES.iter().enumerate().filter(|(_, (part, _))| statement.contains(part))
        {
            found.insert(at);
            if !plan.iter().any(|step| step.contains(index)) {
                faults.push(format!("no `{index}` for `{part}` in {plan:#?}\n    of {statement}"));
            }
        }
    }
    for (part, ..) in left_over(WALKS, &walked) {
        faults.push(format!("no statement with `{part}` walks any more: take it off the list"));
    }
    for (part, _) in left_over(INDEXES, &found) {
        faults.push(format!("no statement has `{part}`"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn left_over<'t, T>(table: &'t [T], seen: &BTreeSet<usize>) -> impl Iterator<Item = &'t T> {
    table.iter().enumerate().filter(|(at, _)| !seen.contains(at)).map(|(_, row)| row)
}

/// Statements that read and write nothing.
fn is_control(statement: &str) -> bool {
    let first = statement.split_whitespace().next().unwrap_or_default();
    matches!(first, "" | "BEGIN" | "COMMIT" | "ROLLBACK" | "PRAGMA" | "SAVEPOINT" | "RELEASE")
}

async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let steps: Result<Vec<(i64, i64, i64, String)>, _> = sqlx::query_as(sql).fetch_all(connection).await;
    steps.unwrap_or_else(|error| panic!("{error}: {statement}")).into_iter().map(|(.., step)| step).collect()
}

/// Tells steps that look at no more rows than they are asked for.
fn is_bounded(step: &str, plan: &[String]) -> bool {
    if let Some(search) = step.strip_prefix("SEARCH ") {
        // Without a term behind the index it is walked, if only for its first row; without an index it is the row of
        // the least or greatest id.
        return !search.contains("AUTOMATIC") && (search.contains('(') || !search.contains(" USING "));
    }
    if let Some(scan) = step.strip_prefix("SCAN ") {
        let name = scan.split_whitespace().next().unwrap_or_default();
        // Rows of a JSON array, or of a part of the statement that is judged by its own steps.
        let part =
            |step: &String| step == &format!("CO-ROUTINE {name}") || step == &format!("MATERIALIZE {name}");
        return scan == "CONSTANT ROW"
            || scan.contains("VIRTUAL TABLE")
            || name.starts_with('(')
            || plan.iter().any(part);
    }
    !step.starts_with("USE TEMP B-TREE")
}

/// Statements that were run, as the log tells of them.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<BTreeSet<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Ran {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement::default();
            event.record(&mut statement);
            // A short one is its own summary.
            let text = if statement.whole.is_empty() { statement.summary } else { statement.whole };
            self.0.lock().unwrap().insert(text);
        }
    }
}

#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.summary = value.to_owned(),
            "db.statement" => self.whole = value.trim().to_owned(),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

async fn open(file: &Path) -> SqliteStore {
    let url = format!("sqlite:{}", file.display());
    // Small enough that the middle of a log is dropped.
    let options = StoreOptions { max_log_bytes: 16_000, ..StoreOptions::default() };
    SqliteStore::open(&url, options).await.unwrap()
}

/// Gives three tenants 100,000 events and deliveries, one a second, of which one in a thousand waits, and 20,000 builds.
/// Nearly all have their messages: nothing is pruned that one without may ask for.
async fn fill(connection: &mut SqliteConnection) {
    for statement in [
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000) \
         INSERT INTO events (id, tenant, name, subject, at, payload) \
         SELECT n, 't' || (n % 3), 'stepStarted', 'b #' || n, n * 1000000, '{}' FROM n",
        "INSERT INTO deliveries (id, tenant, event, target, state, created, not_before, due, message) \
         SELECT id, tenant, id, 'target' || (id % 7), iif(id % 1000 = 0, 'waiting', 'delivered'), at, at, at, \
         iif(id < 99000, 'message', NULL) FROM events",
        "INSERT INTO builds (id, tenant, builder, number, finished, results, data) SELECT id, tenant, 'b', id, at, 0, \
         '{\"builder\":\"b\",\"number\":' || id || ',\"results\":\"success\",\"finished\":' || id || '}' \
         FROM events WHERE id <= 20000",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.unwrap();
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(100_000 + seconds)
}

fn page(before: Option<i64>) -> Page {
    Page { limit: 5, before }
}

/// Asks for everything that there is to ask for.
async fn do_everything(store: &SqliteStore) {
    take_events_in(store).await;
    read_builds(store).await;
    keep_logs(store).await;
    deliver(store).await;
    keep_records(store).await;
    let retention = Retention {
        keep: Some(Duration::from_secs(98_000)),
        of: BTreeMap::from([(LARGE.to_owned(), Duration::from_secs(97_500))]),
        builds: 3,
    };
    let mut from = Some(PruneCursor::default());
    let mut gone = 0;
    while let Some(cursor) = from {
        let pruned = store.prune(&retention, cursor, at(0)).await.unwrap();
        gone += pruned.events + pruned.builds;
        from = pruned.next;
    }
    assert!(gone > 3_000, "{gone}");
    assert!(store.events_since(LARGE, at(-10)).await.unwrap() > 0);
    assert!(store.stored_bytes(LARGE).await.unwrap() > 0);
    assert!(store.stats().await.unwrap().waiting.len() > 10);
    store.ping().await.unwrap();
    while store.delete_tenant_chunk(SMALL).await.unwrap() {}
}

async fn take_events_in(store: &SqliteStore) {
    let id = || BuildId { builder: "linux".into(), number: 1 };
    let build = || Box::new(Build { buildset: Some(7), requests: vec![8], ..Build::new("linux", 1) });
    let step = || Step { name: "compile".into(), ..Step::default() };
    let log = || LogRef { build: id(), step: "compile".into(), log: "told".into() };
    let builder = || Builder { name: "linux".into(), ..Builder::default() };
    let buildset = || Buildset { bsid: 7, ..Buildset::default() };
    let request = || BuildRequest { brid: 8, bsid: 7, ..BuildRequest::default() };
    let worker = || Worker { name: "w1".into(), ..Worker::default() };
    let channel = Default::default();
    let queue = Some(Queue { max: 1, delay: Duration::ZERO });
    let deliveries = || {
        let to = |target: &str, ordering_key: Option<&str>, queue| NewDelivery {
            target: target.into(),
            ordering_key: ordering_key.map(str::to_owned),
            queue,
        };
        vec![to("mail", None, None), to("push", Some("linux"), None), to("packets", Some(""), queue)]
    };
    let events = [
        Event::BuilderAdded { builder: builder() },
        Event::BuilderChangedState { builder: "linux".into(), state: BuilderState::Building },
        Event::BuilderRemoved { builder: "mac".into() },
        Event::BuildsetSubmitted { buildset: buildset() },
        Event::RequestSubmitted { request: request() },
        Event::BuildStarted { build: build() },
        Event::StepStarted { build: id(), step: step() },
        Event::StepTextChanged { build: id(), step: "compile".into(), text: vec!["on it".into()] },
        Event::LogStarted { log: log() },
        Event::LogChunk { log: log(), channel, text: "text\n".repeat(9_000) },
        Event::ChangeAdded { change: Box::<Change>::default() },
        Event::WorkerConnected { worker: worker() },
    ];
    // One by one, so that each finds what was kept of those before it.
    for (number, event) in events.into_iter().enumerate() {
        let batch = Batch {
            events: vec![NewEvent { event, deliveries: deliveries() }],
            dedup_key: Some(format!("request {number}")),
            trace: Some(TraceContext { trace: 7, span: 8, sampled: true }),
            seen: Some(Seen { poller: "bells".into(), source: "s".into(), state: BTreeMap::new() }),
        };
        store.append(SMALL, batch, at(1)).await.unwrap();
    }
    store.running_builds(SMALL, "linux").await.unwrap();
    store.run(SMALL, "linux", "run", "main 7").await.unwrap();
    assert!(store.build(SMALL, &id()).await.unwrap().is_some());
    for event in [
        Event::StepFinished { build: id(), step: step() },
        Event::BuildFinished { build: Box::new(Build { results: Some(Results::Failure), ..*build() }) },
        Event::BuildsetComplete { buildset: buildset() },
    ] {
        let batch = Batch { events: vec![NewEvent { event, deliveries: deliveries() }], ..Batch::default() };
        store.append(SMALL, batch, at(2)).await.unwrap();
    }
    store.complete_build(SMALL, &build()).await.unwrap();
    store.set_changes(SMALL, &build(), "by its revision").await.unwrap();
    store.changes_rule(SMALL, &build().id()).await.unwrap();
    for revision in ["1f0c2d", "1f0c2d7a"] {
        store.changes_to(SMALL, revision, 10).await.unwrap();
    }
    store.changes_told_with(SMALL, 1, 10).await.unwrap();
    store.seen(SMALL, "bells", "s").await.unwrap();
}

async fn read_builds(store: &SqliteStore) {
    let id = BuildId { builder: "linux".into(), number: 1 };
    let about = store.events_about(SMALL, "linux #1", 5).await.unwrap();
    assert_eq!(about.len(), 2);
    assert!(store.event(SMALL, about[0]).await.unwrap().is_some());
    assert_eq!(store.builders(SMALL).await.unwrap().len(), 1);
    for builder in [None, Some("b".to_owned())] {
        let builds = store.builds(LARGE, &BuildQuery { builder, page: page(None) }).await.unwrap();
        assert_eq!(builds.len(), 5);
    }
    let last = BuildId { builder: "b".into(), number: 100_000 };
    assert_eq!(store.earlier_builds(LARGE, &last, 5).await.unwrap().len(), 5);
    assert_eq!(store.builds_of_buildset(SMALL, 7).await.unwrap().len(), 1);
    assert!(store.buildset(SMALL, 7).await.unwrap().is_some());
    assert_eq!(store.changes(SMALL, page(None)).await.unwrap().len(), 1);
    assert!(store.build(SMALL, &id).await.unwrap().is_some());
}

async fn keep_logs(store: &SqliteStore) {
    let build = BuildId { builder: "linux".into(), number: 1 };
    let log = LogRef { build, step: "compile".into(), log: "stdio".into() };
    let text = "0123456789abcde\n".repeat(200_000);
    for _ in 0..2 {
        let mut upload = store.write_log(SMALL, &log).await.unwrap();
        upload.write(text.as_bytes()).await.unwrap();
        upload.finish().await.unwrap();
    }
    let mut given_up = store.write_log(SMALL, &log).await.unwrap();
    given_up.write(text.as_bytes()).await.unwrap();
    drop(given_up);
    assert!(store.log_tail(SMALL, &log, 5, 99).await.unwrap().is_some());
    assert!(store.log_read(SMALL, &log, 5_000, 99).await.unwrap().is_some());
}

async fn deliver(store: &SqliteStore) {
    let lease = Duration::from_secs(60);
    let quota: ClaimQuota = [LARGE, SMALL].map(|tenant| (tenant.to_owned(), TenantQuota::each(9))).into();
    let claimed = store.claim("me", &quota, lease, at(5)).await.unwrap();
    let push = claimed.iter().find(|delivery| delivery.target == "push").unwrap();
    let behind = store.claim_run("me", &push.lease(), 5, lease, at(5)).await.unwrap();
    assert_eq!(behind.len(), 5);
    store.release_unattempted(&[behind[4].lease()]).await.unwrap();
    assert_eq!(store.renew(&[push.lease()], lease, at(5)).await.unwrap(), [push.id]);
    store.save_message(&push.lease(), b"message", Some("d1")).await.unwrap();
    for (delivery, state) in claimed.iter().zip([DeliveryState::Dead, DeliveryState::Waiting].iter().cycle())
    {
        let (code, text) = (Some("unavailable".to_owned()), "503".to_owned());
        let settlement = Settlement {
            state: *state,
            attempted: true,
            code,
            text,
            not_before: at(50),
            wait: Wait::OutOfOrder,
        };
        store.settle(&delivery.lease(), settlement, at(6)).await.unwrap();
    }
    let dead = claimed.iter().find(|delivery| delivery.tenant == SMALL && delivery.target != "push").unwrap();
    let done = Settlement {
        state: DeliveryState::Dead,
        attempted: false,
        code: None,
        text: String::new(),
        not_before: at(6),
        wait: Wait::default(),
    };
    for delivery in [push, dead] {
        store.settle(&delivery.lease(), done.clone(), at(7)).await.unwrap();
        assert_eq!(store.retry(SMALL, &[(delivery.id, Duration::ZERO)], at(8)).await.unwrap(), 1);
    }
    store.retry_now(SMALL, "mail", 9, Duration::ZERO, at(9)).await.unwrap();
    assert_eq!(store.drop_waiting(SMALL, &[push.id, dead.id], "dropped").await.unwrap(), 2);
    store.orphaned_since(SMALL, "mail", at(9)).await.unwrap();
    store.adopt(SMALL, &["mail".to_owned()]).await.unwrap();
    store.tick(1, at(9)).await.unwrap();
    store.last_tick().await.unwrap();
    store.defer_target(SMALL, "push", "linux", at(99)).await.unwrap();
    store.begin_suspect(&push.lease()).await.unwrap();
    store.clear_suspect(&push.lease()).await.unwrap();
    store.release("me").await.unwrap();
    store.take_over("me", at(9)).await.unwrap();
    store.begin_load(SMALL, "v").await.unwrap();
    store.end_load(SMALL).await.unwrap();
    assert!(store.due().await.unwrap().len() > 2);
    assert!(store.delivery(SMALL, push.id).await.unwrap().is_some());
    store.delivery_counts().await.unwrap();
    for state in [None].into_iter().chain(DeliveryState::ALL.map(Some)) {
        for target in [None, Some("push".to_owned())] {
            for event in [None, Some(push.event)] {
                for before in [None, Some(push.id)] {
                    for time in [None, Some(at(0))] {
                        let (target, page) = (target.clone(), page(before));
                        let query = DeliveryQuery { state, target, event, since: time, until: time, page };
                        store.deliveries(SMALL, &query).await.unwrap();
                        store.delivery_ids(SMALL, &query).await.unwrap();
                    }
                }
            }
        }
    }
}

async fn keep_records(store: &SqliteStore) {
    let version = KeptVersion { digest: "d1".into(), origin: "file".into(), size: 9, at: at(1) };
    let in_use = InUse { callback: "c".into(), digest: "d1".into(), file_digest: None };
    store.use_version(SMALL, in_use, version, b"component".to_vec()).await.unwrap();
    store.versions_in_use(SMALL).await.unwrap();
    store.versions(SMALL, "c").await.unwrap();
    assert!(store.component(SMALL, "c", "d1").await.unwrap().is_some());
    // Now and then the oldest go.
    for _ in 0..64 {
        let call = CallEntry {
            callback: "c".into(),
            version: "d1".into(),
            delivery: None,
            at: at(1),
            outcome: "ok".into(),
            micros: 1,
            peak_memory: 1,
            lines: Vec::<u8>::new().into(),
        };
        store.record_call(SMALL, call);
        store.ping().await.unwrap();
    }
    assert_eq!(store.calls(SMALL, "c", 0, 5).await.unwrap().len(), 5);
    let (who, place, what, answer) = ("ada".into(), "#ci".into(), "force".into(), "done".into());
    store.record_audit(SMALL, AuditEntry { at: at(1), who, place, what, answer }).await.unwrap();
    assert_eq!(store.audit(SMALL, page(None)).await.unwrap().len(), 1);
    let token = Token {
        id: "tk".into(),
        tenant: SMALL.into(),
        name: "n".into(),
        role: Role::Read,
        created: at(1),
        expires: None,
    };
    store.add_token(&token, [1; 32]).await.unwrap();
    assert_eq!(store.tokens().await.unwrap().len(), 1);
    assert!(store.revoke_token(SMALL, "tk").await.unwrap());
}
