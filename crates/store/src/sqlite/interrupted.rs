//! Deliveries and loads of settings that were under way when the engine died.
//!
//! `interrupted` of a delivery is 0, or 1 after such an end: then many are suspected, and at most one is to blame. Each suspect's
//! next attempt is begun by itself and noted with 2; an end that finds it so leaves 3, and the attempt after that is 4. One that
//! is found at 4 has twice been the only one that began when the engine died. Once would not do: a person who kills the engine
//! hits one of them too, but hardly the same one again, since the oldest come first.

use sqlx::sqlite::SqliteConnection;

use super::outcomes;
use super::statement_batch::StatementBatch;
use super::writer::OperationResult;
use crate::{DeliveryId, Lease, POISON, Poisoned, StoreError, TakenOver};
use campanile_model::Timestamp;

/// Text of a delivery that is set aside.
const POISON_TEXT: &str = "the engine died twice while it was at this delivery, which is set aside: report that as a bug, \
     and retry the delivery when its cause is gone";

/// Releases what an earlier run of `owner` had leased, and sets aside what it died of.
pub(super) async fn take_over(
    tx: &mut SqliteConnection,
    owner: &str,
    now: Timestamp,
) -> Result<OperationResult, StoreError> {
    let poisoned: Vec<(DeliveryId, String, String)> = sqlx::query_as(
        "UPDATE deliveries SET state = 'dead', code = ?, text = ?, attempts = attempts + 1, interrupted = 0, \
         lease_owner = NULL, lease_token = NULL, due = not_before \
         WHERE state = 'waiting' AND lease_owner = ? AND interrupted = 4 RETURNING id, tenant, target",
    )
    .bind(POISON)
    .bind(POISON_TEXT)
    .bind(owner)
    .fetch_all(&mut *tx)
    .await?;
    let rows: Vec<_> = poisoned.iter().map(|(id, ..)| (id, now.as_micros(), POISON, POISON_TEXT)).collect();
    let mut writes = StatementBatch::default();
    writes.put(
        "INSERT INTO attempts (delivery, at, state, code, text) \
         SELECT r.value->>0, r.value->>1, 'dead', r.value->>2, r.value->>3 FROM json_each(?) r",
        &rows,
    );
    writes.put(outcomes::FREE_NEXT, &rows);
    writes.run(tx).await?;
    let suspects = sqlx::query(
        "UPDATE deliveries SET lease_owner = NULL, due = not_before, interrupted = interrupted | 1 \
         WHERE state = 'waiting' AND lease_owner = ?",
    )
    .bind(owner)
    .execute(tx)
    .await?
    .rows_affected();
    let poisoned = poisoned
        .into_iter()
        .map(|(delivery, tenant, target)| Poisoned { tenant, delivery, target })
        .collect();
    Ok(OperationResult::TakenOver(TakenOver { suspects, poisoned }))
}

/// Notes that the attempt of a suspect begins.
pub(super) async fn begin(tx: &mut SqliteConnection, lease: &Lease) -> Result<OperationResult, StoreError> {
    let noted = "UPDATE deliveries SET interrupted = min((interrupted | 1) + 1, 4) \
         WHERE id = ? AND lease_token = ? AND tenant = ? AND state = 'waiting'";
    note(tx, lease, noted).await
}

/// Takes the suspicion away.
pub(super) async fn clear(tx: &mut SqliteConnection, lease: &Lease) -> Result<OperationResult, StoreError> {
    let noted = "UPDATE deliveries SET interrupted = 0 \
         WHERE id = ? AND lease_token = ? AND tenant = ? AND state = 'waiting'";
    note(tx, lease, noted).await
}

async fn note(
    tx: &mut SqliteConnection,
    lease: &Lease,
    statement: &'static str,
) -> Result<OperationResult, StoreError> {
    sqlx::query(statement).bind(lease.delivery).bind(lease.token).bind(&lease.tenant).execute(tx).await?;
    Ok(OperationResult::Done)
}

/// Counts the beginnings of loading this version of a tenant's settings, with this one, that have not ended.
pub(super) async fn begin_load(
    tx: &mut SqliteConnection,
    tenant: &str,
    version: &str,
) -> Result<OperationResult, StoreError> {
    let begun: i64 = sqlx::query_scalar(
        "INSERT INTO begun_loads (tenant, version, begun) VALUES (?, ?, 1) ON CONFLICT (tenant) DO UPDATE SET \
         begun = iif(version = excluded.version, begun + 1, 1), version = excluded.version RETURNING begun",
    )
    .bind(tenant)
    .bind(version)
    .fetch_one(tx)
    .await?;
    Ok(OperationResult::Counted(begun.unsigned_abs()))
}

/// Forgets that loading a tenant's settings began: it has ended.
pub(super) async fn end_load(tx: &mut SqliteConnection, tenant: &str) -> Result<OperationResult, StoreError> {
    sqlx::query("DELETE FROM begun_loads WHERE tenant = ?").bind(tenant).execute(tx).await?;
    Ok(OperationResult::Done)
}
