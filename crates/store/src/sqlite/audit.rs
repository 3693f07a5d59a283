//! The audit log.

use sqlx::sqlite::SqliteConnection;

use super::next_id::next_id;
use super::writer::OperationResult;
use crate::{AuditEntry, Page, StoreError};
use campanile_model::Timestamp;

/// Adds an entry.
pub(super) async fn record(
    tx: &mut SqliteConnection,
    tenant: &str,
    entry: &AuditEntry,
) -> Result<OperationResult, StoreError> {
    let AuditEntry { at, who, place, what, answer } = entry;
    let insert = concat!(
        "INSERT INTO audit (id, tenant, at, who, place, what, answer) VALUES (",
        next_id!("audit"),
        ", ?, ?, ?, ?, ?, ?)"
    );
    sqlx::query(insert)
        .bind(tenant)
        .bind(at.as_micros())
        .bind(who)
        .bind(place)
        .bind(what)
        .bind(answer)
        .execute(tx)
        .await?;
    Ok(OperationResult::Done)
}

/// Id, and the fields of the entry.
type Row = (i64, i64, String, String, String, String);

/// Lists entries with their ids, newest first.
pub(super) async fn list(
    reader: &mut SqliteConnection,
    tenant: &str,
    page: Page,
) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, at, who, place, what, answer FROM audit WHERE tenant = ? AND id < ? ORDER BY id DESC LIMIT ?",
    )
    .bind(tenant)
    .bind(page.before.unwrap_or(i64::MAX))
    .bind(page.limit)
    .fetch_all(reader)
    .await?;
    let entry = |(id, at, who, place, what, answer)| {
        (id, AuditEntry { at: Timestamp::from_micros(at), who, place, what, answer })
    };
    Ok(rows.into_iter().map(entry).collect())
}
