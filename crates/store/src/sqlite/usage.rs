//! The usage of a tenant, and the removal of all that it has.

use sqlx::sqlite::SqliteConnection;

use super::append::json;
use super::writer::OperationResult;
use crate::StoreError;
use campanile_model::Timestamp;

/// Rows of a table that go in one transaction.
const PAGE: u32 = 500;

/// Counts events since a moment. Events are numbered in the order in which they came, so the first of them is found by
/// halving; an index of times would be written for each event.
pub(super) async fn events_since(
    reader: &mut SqliteConnection,
    tenant: &str,
    since: Timestamp,
) -> Result<u64, StoreError> {
    let bounds: (Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT (SELECT min(id) FROM events), (SELECT max(id) FROM events)")
            .fetch_one(&mut *reader)
            .await?;
    let (Some(mut low), Some(high)) = bounds else { return Ok(0) };
    let mut high = high.saturating_add(1);
    while low < high {
        let middle = low + (high - low) / 2;
        let at: Option<i64> = sqlx::query_scalar("SELECT at FROM events WHERE id >= ? ORDER BY id LIMIT 1")
            .bind(middle)
            .fetch_optional(&mut *reader)
            .await?;
        if at.is_some_and(|at| at < since.as_micros()) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE id >= ? AND tenant = ?")
        .bind(low)
        .bind(tenant)
        .fetch_one(reader)
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Sums up what a tenant has. SQLite knows lengths without reading the bytes.
pub(super) async fn stored_bytes(reader: &mut SqliteConnection, tenant: &str) -> Result<u64, StoreError> {
    let bytes: f64 = sqlx::query_scalar(
        "SELECT (SELECT total(octet_length(payload)) FROM events WHERE tenant = ?1) \
         + (SELECT total(octet_length(message)) FROM deliveries WHERE tenant = ?1) \
         + (SELECT total(octet_length(c.data)) FROM builds b JOIN logs l ON l.build = b.id \
            JOIN log_chunks c ON c.log = l.id WHERE b.tenant = ?1) \
         + (SELECT total(octet_length(data)) FROM builds WHERE tenant = ?1) \
         + (SELECT total(octet_length(component)) FROM callback_versions WHERE tenant = ?1) \
         + (SELECT total(octet_length(lines)) FROM callback_log WHERE tenant = ?1) \
         + (SELECT total(octet_length(data)) FROM changes WHERE tenant = ?1) \
         + (SELECT total(octet_length(key)) FROM dedup WHERE tenant = ?1) \
         + (SELECT total(octet_length(who) + octet_length(place) + octet_length(what) + octet_length(answer)) \
            FROM audit WHERE tenant = ?1)",
    )
    .bind(tenant)
    .fetch_one(reader)
    .await?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a sum of lengths
    Ok(bytes as u64)
}

/// Removes a bounded part of a tenant; true while there may be more. A part, because the writer does nothing else
/// meanwhile.
pub(super) async fn delete_tenant_chunk(
    tx: &mut SqliteConnection,
    tenant: &str,
) -> Result<OperationResult, StoreError> {
    let mut gone = 0;
    // Tokens go first: nobody is to come in while the rest goes.
    for statement in [
        "DELETE FROM tokens WHERE tenant = ?",
        "DELETE FROM queues WHERE tenant = ?",
        "DELETE FROM orphans WHERE tenant = ?",
        "DELETE FROM polls WHERE tenant = ?",
        "DELETE FROM begun_loads WHERE tenant = ?",
        "DELETE FROM callbacks_in_use WHERE tenant = ?",
        "DELETE FROM callback_versions WHERE id IN (SELECT id FROM callback_versions WHERE tenant = ? LIMIT 20)",
        "DELETE FROM builders WHERE tenant = ?",
        "DELETE FROM workers WHERE tenant = ?",
        "DELETE FROM builds WHERE id IN (SELECT id FROM builds WHERE tenant = ? LIMIT 20)",
    ] {
        gone += sqlx::query(statement).bind(tenant).execute(&mut *tx).await?.rows_affected();
    }
    for statement in [
        "DELETE FROM dedup WHERE (tenant, key) IN (SELECT tenant, key FROM dedup WHERE tenant = ? LIMIT ?)",
        "DELETE FROM changes WHERE (tenant, number) IN (SELECT tenant, number FROM changes WHERE tenant = ? LIMIT ?)",
        "DELETE FROM buildsets WHERE (tenant, bsid) IN (SELECT tenant, bsid FROM buildsets WHERE tenant = ? LIMIT ?)",
        "DELETE FROM requests WHERE (tenant, brid) IN (SELECT tenant, brid FROM requests WHERE tenant = ? LIMIT ?)",
        "DELETE FROM callback_log WHERE id IN (SELECT id FROM callback_log WHERE tenant = ? LIMIT ?)",
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE tenant = ? LIMIT ?)",
    ] {
        gone += sqlx::query(statement).bind(tenant).bind(PAGE).execute(&mut *tx).await?.rows_affected();
    }
    let deliveries: Vec<i64> = sqlx::query_scalar("SELECT id FROM deliveries WHERE tenant = ? LIMIT ?")
        .bind(tenant)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
    let ids = json(&deliveries);
    for statement in [
        "DELETE FROM attempts WHERE delivery IN (SELECT value FROM json_each(?))",
        "DELETE FROM deliveries WHERE id IN (SELECT value FROM json_each(?))",
    ] {
        gone += sqlx::query(statement).bind(&ids).execute(&mut *tx).await?.rows_affected();
    }
    let events = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE tenant = ? LIMIT ?)";
    gone += sqlx::query(events).bind(tenant).bind(PAGE).execute(&mut *tx).await?.rows_affected();
    Ok(OperationResult::Found(gone > 0))
}
