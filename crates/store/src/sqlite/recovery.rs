//! Waiting deliveries are made due, or ended: after an outage, by a person, or because its target is gone or back.
//!
//! Whatever becomes due here becomes so one after the other, in the order of the ids: a far side that has just come back
//! must not get all of it at once.

use std::time::Duration;

use sqlx::sqlite::SqliteConnection;

use super::append::json;
use super::deliveries;
use super::outcomes;
use super::statement_batch::StatementBatch;
use super::writer::OperationResult;
use crate::{DeliveryId, DeliveryQuery, StoreError};
use campanile_model::Timestamp;

/// Lists the ids of deliveries, oldest first.
pub(super) async fn ids(
    reader: &mut SqliteConnection,
    tenant: &str,
    query: &DeliveryQuery,
) -> Result<Vec<DeliveryId>, StoreError> {
    let index = deliveries::index_for(query);
    let mut sql = sqlx::QueryBuilder::<sqlx::Sqlite>::new(format!(
        "SELECT d.id FROM deliveries d {index} WHERE d.tenant = "
    ));
    deliveries::push_filter(&mut sql, tenant, query);
    sql.push(" ORDER BY d.id LIMIT ").push_bind(query.page.limit);
    Ok(sql.build_query_scalar().fetch_all(reader).await?)
}

/// Makes these due, each so long after `now`, unless they are leased or silent. Messages stay: the same bytes go out. The age
/// of those that did not wait counts from now.
pub(super) async fn retry(
    tx: &mut SqliteConnection,
    tenant: &str,
    ids: &[(DeliveryId, Duration)],
    now: Timestamp,
) -> Result<OperationResult, StoreError> {
    let timed: Vec<(DeliveryId, i64)> = ids.iter().map(|(id, delay)| (*id, micros(*delay))).collect();
    let retried: Vec<DeliveryId> = sqlx::query_scalar(
        "UPDATE deliveries AS d SET \
         created = iif(d.state = 'waiting', d.created, ?1), \
         not_before = iif(d.state = 'waiting', min(d.due, ?1 + (r.value ->> 1)), ?1 + (r.value ->> 1)), \
         due = iif(d.state = 'waiting', min(d.due, ?1 + (r.value ->> 1)), ?1 + (r.value ->> 1)), \
         blocked = iif(d.state = 'waiting', d.blocked, 0), code = iif(d.state = 'waiting', d.code, NULL), \
         text = iif(d.state = 'waiting', d.text, NULL), held = 0, interrupted = 0, state = 'waiting' \
         FROM json_each(?2) r WHERE d.id = (r.value ->> 0) AND d.tenant = ?3 AND d.state IN ('dead', 'delivered', 'waiting') \
         AND d.lease_owner IS NULL RETURNING id",
    )
    .bind(now.as_micros())
    .bind(json(&timed))
    .bind(tenant)
    .fetch_all(&mut *tx)
    .await?;
    let mut writes = StatementBatch::default();
    // They may stand behind ones that wait, and before ones that could go until now: of a key only the oldest is free.
    writes.put(
        "UPDATE deliveries AS d SET blocked = 1 WHERE d.id IN (SELECT value FROM json_each(?)) \
         AND d.ordering_key IS NOT NULL AND EXISTS (SELECT 1 FROM deliveries o WHERE o.state = 'waiting' \
         AND o.tenant = d.tenant AND o.target = d.target AND o.ordering_key = d.ordering_key AND o.id < d.id)",
        &retried,
    );
    writes.put(
        "UPDATE deliveries SET blocked = 1 WHERE id IN (SELECT o.id FROM json_each(?) r \
         CROSS JOIN deliveries d ON d.id = r.value CROSS JOIN deliveries o ON o.state = 'waiting' \
         AND o.tenant = d.tenant AND o.target = d.target AND o.ordering_key = d.ordering_key AND o.id > d.id \
         AND o.blocked = 0)",
        &retried,
    );
    writes.run(tx).await?;
    Ok(OperationResult::Counted(retried.len() as u64))
}

/// Makes the oldest `most` due of what waits for a target, one every `spacing`, that nobody has leased and whose time is not
/// its own.
/// Blocked ones stay so.
pub(super) async fn retry_now(
    tx: &mut SqliteConnection,
    tenant: &str,
    target: &str,
    most: u32,
    spacing: Duration,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let hurried = sqlx::query(
        "UPDATE deliveries AS d SET not_before = min(d.due, ?1 + r.n * ?4), due = min(d.due, ?1 + r.n * ?4) \
         FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM deliveries \
         INDEXED BY deliveries_waiting WHERE state = 'waiting' \
         AND tenant = ?2 AND target = ?3 AND lease_owner IS NULL AND held = 0 AND due > ?1 ORDER BY id LIMIT ?5) r WHERE d.id = r.id",
    )
    .bind(now.as_micros())
    .bind(tenant)
    .bind(target)
    .bind(micros(spacing))
    .bind(most)
    .execute(tx)
    .await?;
    Ok(hurried.rows_affected())
}

/// Ends those of these that wait and are not leased.
pub(super) async fn drop_waiting(
    tx: &mut SqliteConnection,
    tenant: &str,
    ids: &[DeliveryId],
    text: &str,
) -> Result<OperationResult, StoreError> {
    let dropped: Vec<(DeliveryId,)> = sqlx::query_as(
        "UPDATE deliveries SET state = 'silent', code = 'dropped', text = ?1, message = NULL \
         WHERE id IN (SELECT value FROM json_each(?2)) AND tenant = ?3 AND state = 'waiting' AND lease_owner IS NULL \
         RETURNING id",
    )
    .bind(text)
    .bind(json(ids))
    .bind(tenant)
    .fetch_all(&mut *tx)
    .await?;
    let mut writes = StatementBatch::default();
    writes.put(outcomes::FREE_NEXT, &dropped);
    writes.run(tx).await?;
    Ok(OperationResult::Counted(dropped.len() as u64))
}

/// Notes that a target is gone, unless that is known, and tells since when.
pub(super) async fn orphaned_since(
    tx: &mut SqliteConnection,
    tenant: &str,
    target: &str,
    now: Timestamp,
) -> Result<OperationResult, StoreError> {
    sqlx::query("INSERT OR IGNORE INTO orphans (tenant, target, since) VALUES (?, ?, ?)")
        .bind(tenant)
        .bind(target)
        .bind(now.as_micros())
        .execute(&mut *tx)
        .await?;
    let since: i64 = sqlx::query_scalar("SELECT since FROM orphans WHERE tenant = ? AND target = ?")
        .bind(tenant)
        .bind(target)
        .fetch_one(tx)
        .await?;
    Ok(OperationResult::Since(Timestamp::from_micros(since)))
}

/// Forgets that targets were gone that are there again, and names them.
pub(super) async fn adopt(
    tx: &mut SqliteConnection,
    tenant: &str,
    targets: &[String],
) -> Result<OperationResult, StoreError> {
    let back: Vec<String> = sqlx::query_scalar(
        "DELETE FROM orphans WHERE tenant = ? AND target IN (SELECT value FROM json_each(?)) RETURNING target",
    )
    .bind(tenant)
    .bind(json(targets))
    .fetch_all(tx)
    .await?;
    Ok(OperationResult::Adopted(back))
}

/// Reads when an engine was last at work; none on a store that none has worked on.
pub(super) async fn last_tick(reader: &mut SqliteConnection) -> Result<Option<Timestamp>, StoreError> {
    let seen: Option<i64> =
        sqlx::query_scalar("SELECT seen FROM engine_clock WHERE one = 1").fetch_optional(reader).await?;
    Ok(seen.map(Timestamp::from_micros))
}

/// Notes that an engine is at work. The clock may have been moved by `shift` microseconds: then all times of what waits
/// are moved with it.
pub(super) async fn tick(
    tx: &mut SqliteConnection,
    shift: i64,
    now: Timestamp,
) -> Result<OperationResult, StoreError> {
    sqlx::query("REPLACE INTO engine_clock (one, seen) VALUES (1, ?)")
        .bind(now.as_micros())
        .execute(&mut *tx)
        .await?;
    if shift != 0 {
        sqlx::query(
            "UPDATE deliveries SET created = created + ?1, not_before = not_before + ?1, due = due + ?1 \
             WHERE state = 'waiting'",
        )
        .bind(shift)
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE orphans SET since = since + ?1").bind(shift).execute(tx).await?;
    }
    Ok(OperationResult::Done)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
