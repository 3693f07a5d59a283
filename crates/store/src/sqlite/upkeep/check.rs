//! Checking a store for damage, and saving what can be read of a damaged one.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::{UpkeepError, folder_of, open, partial_in, path_of, put, remove_partials, verify};
use crate::sqlite::health::damaged_tables;
use crate::sqlite::migrations::MIGRATIONS;

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

/// Writes what a damaged store holds to a new file, table by table; indexes are made anew and not read. Returns its bytes.
///
/// # Errors
/// When rows themselves can't be read, or the file can't be written; then there is no such file.
pub async fn salvage(url: &str, to: &Path) -> Result<u64, UpkeepError> {
    if to.symlink_metadata().is_ok() {
        return Err(UpkeepError::Exists(to.to_owned()));
    }
    let store = path_of(url)?;
    if !store.exists() {
        return Err(UpkeepError::Missing(store));
    }
    remove_partials(folder_of(to));
    let partial = partial_in(folder_of(to)).map_err(|source| UpkeepError::File {
        doing: "write",
        file: to.to_owned(),
        source,
    })?;
    copy_tables(&store, partial.path())
        .await
        .map_err(|error| UpkeepError::Lost { reason: error.to_string() })?;
    let bytes = verify(partial.path()).await?;
    put(partial, to)?;
    Ok(bytes)
}

/// Copies the rows of all tables into a new store.
async fn copy_tables(store: &Path, copy: &Path) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(copy).journal_mode(SqliteJournalMode::Memory);
    // Rows come in the order of their tables' names, not in that of their references.
    let mut connection = options.foreign_keys(false).disable_statement_logging().connect().await?;
    MIGRATIONS.run(&mut connection).await?;
    sqlx::query("ATTACH ? AS damaged").bind(store.to_string_lossy()).execute(&mut connection).await?;
    let mut tx = connection.begin().await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM damaged.sqlite_schema WHERE type = 'table' AND name NOT IN ('_sqlx_migrations') \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *tx)
    .await?;
    for table in tables {
        let columns = "SELECT group_concat('\"' || name || '\"') FROM pragma_table_info(?, 'main')";
        let columns: Option<String> = sqlx::query_scalar(columns).bind(&table).fetch_one(&mut *tx).await?;
        let Some(columns) = columns else { continue };
        // Counts begin with rows. `NOT INDEXED`, and `LIMIT`, without which SQLite would copy the indexes page by page.
        let sql = format!(
            "DELETE FROM main.\"{table}\"; INSERT INTO main.\"{table}\" ({columns}) \
             SELECT {columns} FROM damaged.\"{table}\" NOT INDEXED LIMIT -1"
        );
        // Safe: names of this program's own tables and columns, for there must be such in its own new store.
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    connection.close().await
}
