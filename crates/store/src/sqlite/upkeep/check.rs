//! Checking a store for damage, and saving what can be read of a damaged one.

use std::path::Path;

use sqlx::Connection as _;

use super::{UpkeepError, backup, open};
use crate::sqlite::health::damaged_tables;

/// Looks through all of a store, also while an engine works on it. Returns the damaged tables, each with a fault of it;
/// none if the store is whole.
///
/// # Errors
/// When there is no store.
pub async fn check(url: &str) -> Result<Vec<(String, String)>, UpkeepError> {
    let mut store = open(url).await?;
    let mut damaged = damaged_tables(&mut store).await;
    if damaged.is_empty() {
        // Pages that belong to no table.
        let rest = sqlx::query_scalar::<_, String>("PRAGMA integrity_check(1)").fetch_one(&mut store).await;
        match rest {
            Ok(fine) if fine == "ok" => {}
            Ok(fault) => damaged.push(("sqlite_schema".to_owned(), fault.replace('\n', " "))),
            Err(error) => damaged.push(("sqlite_schema".to_owned(), error.to_string())),
        }
    }
    // Nothing was written.
    drop(store.close().await);
    Ok(damaged)
}

/// Writes a damaged store anew to another file: damaged indexes are made again from their tables. Returns its bytes.
///
/// # Errors
/// When rows themselves can't be read, or the file can't be written; then there is no such file.
pub async fn salvage(url: &str, to: &Path) -> Result<u64, UpkeepError> {
    backup(url, to).await.map_err(|error| match error {
        UpkeepError::Database { source, .. } => UpkeepError::Lost { reason: source.to_string() },
        other => other,
    })
}
