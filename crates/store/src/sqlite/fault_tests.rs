//! Ids that come once, and what is kept out of the writing transaction.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::NewEvent;
use campanile_model::LogChannel;

async fn fresh() -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("store.db").display());
    let store = SqliteStore::open(&url, StoreOptions::default()).await.unwrap();
    (dir, store)
}

fn log() -> LogRef {
    LogRef { build: BuildId { builder: "b".into(), number: 1 }, step: "s".into(), log: "stdio".into() }
}

async fn append(store: &SqliteStore, tenant: &str, event: Event) -> EventId {
    let batch = Batch { events: vec![NewEvent { event, deliveries: Vec::new() }], ..Batch::default() };
    let appended = store.append(tenant, batch, Timestamp::from_seconds(1)).await.unwrap();
    let Appended::Stored { ids, .. } = appended else { panic!("{appended:?}") };
    ids[0].unwrap()
}

async fn start_build(store: &SqliteStore, tenant: &str) -> EventId {
    append(store, tenant, Event::BuildStarted { build: Box::new(Build::new("b", 1)) }).await
}

#[tokio::test]
async fn m_sto_07_an_upload_never_ends_in_another_tenants_log() {
    let (_dir, store) = fresh().await;
    let first = start_build(&store, "gone").await;
    let mut begun = store.write_log("gone", &log()).await.unwrap();
    begun.write(&vec![b'x'; 2 << 20]).await.unwrap();
    let mut unsent = store.write_log("gone", &log()).await.unwrap();
    while store.delete_tenant_chunk("gone").await.unwrap() {}
    // Nothing is left of it, not even a number.
    let left: i64 = sqlx::query_scalar("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM logs)")
        .fetch_one(&store.readers)
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert!(start_build(&store, "other").await > first);
    let mut theirs = store.write_log("other", &log()).await.unwrap();
    theirs.write(&vec![b'y'; 2 << 20]).await.unwrap();
    unsent.write(b"secret\n").await.unwrap();
    for upload in [begun, unsent] {
        assert!(matches!(upload.finish().await, Err(StoreError::NoSuchBuild(_))));
    }
    theirs.finish().await.unwrap();
    let tail = store.log_tail("other", &log(), 1, 99).await.unwrap().unwrap();
    assert!(tail.bytes().all(|byte| byte == b'y'), "{tail}");
}

#[tokio::test]
async fn text_of_logs_is_compressed_behind_the_transaction() {
    let (_dir, store) = fresh().await;
    start_build(&store, "t").await;
    let mut whole = String::new();
    for part in 0..40 {
        let text: String = (0..1_000).map(|line| format!("{part} {line}\n")).collect();
        whole.push_str(&text);
        append(&store, "t", Event::LogChunk { log: log(), channel: LogChannel::default(), text }).await;
    }
    let counts = "SELECT count(*), total(packed), total(octet_length(data)) FROM log_chunks";
    loop {
        let (chunks, packed, bytes): (i64, f64, f64) =
            sqlx::query_as(counts).fetch_one(&store.readers).await.unwrap();
        // The last one still grows.
        if chunks > 3 && packed as i64 == chunks - 1 {
            assert!(bytes < whole.len() as f64 / 2.0, "{bytes}");
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let read = store.log_read("t", &log(), 0, whole.len() + 1).await.unwrap().unwrap();
    assert!(read == whole.as_bytes());
}
