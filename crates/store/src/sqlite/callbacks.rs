//! Versions of callbacks, the ones in use, and the log of calls.

use sqlx::sqlite::SqliteConnection;

use super::append::json;
use super::next_id::next_id;
use super::writer::OperationResult;
use crate::{CallEntry, InUse, KeptVersion, StoreError, parse};
use campanile_model::Timestamp;

/// Number of versions of a callback that are kept; the one in use stays in any case.
const VERSIONS: u32 = 10;
/// Number of calls of a tenant that are kept.
const CALLS: u32 = 1_000;
/// Calls between two looks for those that are too many.
const PRUNE_EVERY: i64 = 64;

/// Compresses a component on a thread for blocking work: before the transaction, in which all others would wait for it.
pub(super) async fn pack(component: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let packed = tokio::task::spawn_blocking(move || zstd::encode_all(component.as_slice(), 3)).await;
    packed.map_err(|_| StoreError::Closed)?.map_err(|error| StoreError::Database(error.into()))
}

/// Keeps a version, with its component compressed, and makes it the one in use.
pub(super) async fn use_version(
    tx: &mut SqliteConnection,
    tenant: &str,
    in_use: &InUse,
    version: &KeptVersion,
    packed: &[u8],
) -> Result<OperationResult, StoreError> {
    sqlx::query(
        "INSERT INTO callback_versions (tenant, callback, digest, origin, size, at, component) VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (tenant, callback, digest) DO UPDATE SET at = excluded.at, origin = excluded.origin",
    )
    .bind(tenant)
    .bind(&in_use.callback)
    .bind(&version.digest)
    .bind(&version.origin)
    .bind(i64::try_from(version.size).unwrap_or(i64::MAX))
    .bind(version.at.as_micros())
    .bind(packed)
    .execute(&mut *tx)
    .await?;
    sqlx::query("REPLACE INTO callbacks_in_use (tenant, callback, digest, file_digest) VALUES (?, ?, ?, ?)")
        .bind(tenant)
        .bind(&in_use.callback)
        .bind(&in_use.digest)
        .bind(&in_use.file_digest)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "DELETE FROM callback_versions WHERE tenant = ?1 AND callback = ?2 AND digest <> ?3 AND id NOT IN \
         (SELECT id FROM callback_versions WHERE tenant = ?1 AND callback = ?2 ORDER BY at DESC, id DESC LIMIT ?4)",
    )
    .bind(tenant)
    .bind(&in_use.callback)
    .bind(&in_use.digest)
    .bind(VERSIONS)
    .execute(tx)
    .await?;
    Ok(OperationResult::Done)
}

/// Lists the versions in use.
pub(super) async fn in_use(reader: &mut SqliteConnection, tenant: &str) -> Result<Vec<InUse>, StoreError> {
    let rows: Vec<(String, String, Option<String>)> =
        sqlx::query_as("SELECT callback, digest, file_digest FROM callbacks_in_use WHERE tenant = ?")
            .bind(tenant)
            .fetch_all(reader)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(callback, digest, file_digest)| InUse { callback, digest, file_digest })
        .collect())
}

/// Lists kept versions, the one that was put to use last first.
pub(super) async fn versions(
    reader: &mut SqliteConnection,
    tenant: &str,
    callback: &str,
) -> Result<Vec<KeptVersion>, StoreError> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT digest, origin, size, at FROM callback_versions WHERE tenant = ? AND callback = ? \
         ORDER BY at DESC, id DESC",
    )
    .bind(tenant)
    .bind(callback)
    .fetch_all(reader)
    .await?;
    let version = |(digest, origin, size, at): (String, String, i64, i64)| KeptVersion {
        digest,
        origin,
        size: size.cast_unsigned(),
        at: Timestamp::from_micros(at),
    };
    Ok(rows.into_iter().map(version).collect())
}

/// Reads the component of a kept version.
pub(super) async fn component(
    reader: &mut SqliteConnection,
    tenant: &str,
    callback: &str,
    digest: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let row: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT component FROM callback_versions WHERE tenant = ? AND callback = ? AND digest = ?",
    )
    .bind(tenant)
    .bind(callback)
    .bind(digest)
    .fetch_optional(reader)
    .await?;
    let corrupt =
        |error: std::io::Error| StoreError::Corrupt { what: "a component".to_owned(), source: error.into() };
    row.map(|compressed| zstd::decode_all(compressed.as_slice()).map_err(corrupt)).transpose()
}

/// Records a call; now and then the oldest ones go.
pub(super) async fn record_call(
    tx: &mut SqliteConnection,
    tenant: &str,
    call: &CallEntry,
) -> Result<OperationResult, StoreError> {
    let done = sqlx::query(concat!(
        "INSERT INTO callback_log (id, tenant, callback, version, delivery, at, outcome, micros, peak_memory, lines) \
         VALUES (",
        next_id!("callback_log"),
        ", ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    ))
    .bind(tenant)
    .bind(&call.callback)
    .bind(&call.version)
    .bind(call.delivery)
    .bind(call.at.as_micros())
    .bind(&call.outcome)
    .bind(i64::try_from(call.micros).unwrap_or(i64::MAX))
    .bind(i64::try_from(call.peak_memory).unwrap_or(i64::MAX))
    .bind(json(&call.lines))
    .execute(&mut *tx)
    .await?;
    if done.last_insert_rowid() % PRUNE_EVERY == 0 {
        sqlx::query(
            "DELETE FROM callback_log WHERE tenant = ?1 AND id <= \
             (SELECT id FROM callback_log WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )
        .bind(tenant)
        .bind(CALLS)
        .execute(tx)
        .await?;
    }
    Ok(OperationResult::Done)
}

/// Id, and the fields of a call.
type CallRow = (i64, String, String, Option<i64>, i64, String, i64, i64, String);

/// Lists kept calls of one callback with ids above `after`, oldest first; of more than `limit` the newest ones.
pub(super) async fn calls(
    reader: &mut SqliteConnection,
    tenant: &str,
    callback: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, CallEntry)>, StoreError> {
    let rows: Vec<CallRow> = sqlx::query_as(
        "SELECT id, callback, version, delivery, at, outcome, micros, peak_memory, lines FROM callback_log \
         WHERE tenant = ? AND callback = ? AND id > ? ORDER BY id DESC LIMIT ?",
    )
    .bind(tenant)
    .bind(callback)
    .bind(after)
    .bind(limit)
    .fetch_all(reader)
    .await?;
    rows.into_iter()
        .rev()
        .map(|(id, callback, version, delivery, at, outcome, micros, peak_memory, lines)| {
            let call = CallEntry {
                callback,
                version,
                delivery,
                at: Timestamp::from_micros(at),
                outcome,
                micros: micros.cast_unsigned(),
                peak_memory: peak_memory.cast_unsigned(),
                lines: parse("a call", &lines)?,
            };
            Ok((id, call))
        })
        .collect()
}
