//! Restoring: a backup takes the place of a store in one step, whenever the program is killed.
//!
//! The backup is copied, checked and renumbered under a name of its own; what the store that was there still has in its
//! write-ahead log goes into its file; that file gets a second name; then one `rename` puts the copy in its place. Before
//! the rename the old store is whole, after it the new one is. A second name that a kill leaves is removed by the next
//! `lock`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::lock::lock_file;
use super::{UpkeepError, beside, folder_of, partial_in, path_of, put, remove_partials, sync_folder, verify};
use crate::sqlite::migrations::MIGRATIONS;
use crate::sqlite::next_id::NUMBERED;
use campanile_model::Timestamp;

/// Ids that are left out where nobody knows which were given since the backup: more than an engine gives in years.
const UNKNOWN_IDS: i64 = 1_000_000_000;

/// Puts a backup in the place of a store. The store that was there is kept beside it: its new name is returned. Ids that
/// were given since the backup was made are not given again.
///
/// # Errors
/// When an engine is at work on the store, or the backup is not whole; then everything is as it was.
pub async fn restore(url: &str, from: &Path, now: Timestamp) -> Result<Option<PathBuf>, UpkeepError> {
    let store = path_of(url)?;
    let store = fs::canonicalize(&store).unwrap_or(store);
    let file = |doing, file: &Path, source| UpkeepError::File { doing, file: file.to_owned(), source };
    let is_there = store.symlink_metadata().is_ok();
    let _lock = is_there.then(|| lock_file(&store)).transpose()?;
    remove_partials(folder_of(&store));
    if fs::metadata(beside(from, "-wal")).is_ok_and(|log| log.len() > 0) {
        let reason = "it has a `-wal` file, so it is a store in use: make a backup of that".to_owned();
        return Err(UpkeepError::Unusable { file: from.to_owned(), reason });
    }
    let mut source = File::open(from).map_err(|error| file("read", from, error))?;
    let mut partial = partial_in(folder_of(&store)).map_err(|error| file("write", &store, error))?;
    io::copy(&mut source, partial.as_file_mut()).map_err(|error| file("copy", from, error))?;
    verify(partial.path()).await.map_err(|error| match error {
        UpkeepError::Unusable { reason, .. } => UpkeepError::Unusable { file: from.to_owned(), reason },
        other => other,
    })?;
    let given = if is_there { ids_given(&store).await.ok() } else { None };
    renumber(partial.path(), given, now)
        .await
        .map_err(|source| UpkeepError::Database { doing: "renumber the copy", source })?;
    if !is_there {
        // The log of a store that is gone belongs to no other: it would spoil that.
        for suffix in ["-wal", "-shm"] {
            remove(&beside(&store, suffix))?;
        }
        put(partial, &store)?;
        return Ok(None);
    }
    let stamp = now.to_rfc3339().replace([':', '-'], "");
    let old = beside(&store, &format!(".replaced-{stamp}"));
    if old.symlink_metadata().is_ok() {
        return Err(UpkeepError::Exists(old));
    }
    let is_folded = fold_log(&store).await.is_ok();
    for suffix in ["-wal", "-shm"] {
        let log = beside(&store, suffix);
        if is_folded {
            remove(&log)?;
        } else if log.exists() {
            // Of a store that can't be opened any more. It goes along: whoever tries to save something wants it.
            fs::rename(&log, beside(&old, suffix)).map_err(|error| file("move aside", &log, error))?;
        }
    }
    if fs::hard_link(&store, &old).is_err() {
        // A file system without such links.
        fs::copy(&store, &old).map_err(|error| file("copy", &store, error))?;
        File::open(&old).and_then(|copy| copy.sync_all()).map_err(|error| file("write", &old, error))?;
    }
    sync_folder(&store)?;
    partial.as_file().sync_all().map_err(|error| file("write", &store, error))?;
    partial.persist(&store).map_err(|error| file("write", &store, error.error))?;
    sync_folder(&store)?;
    Ok(Some(old))
}

/// Moves what is in the write-ahead log of a store into its file.
async fn fold_log(store: &Path) -> Result<(), sqlx::Error> {
    if !fs::metadata(beside(store, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Ok(());
    }
    let mut connection =
        SqliteConnectOptions::new().filename(store).disable_statement_logging().connect().await?;
    let (busy, _, _): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut connection).await?;
    connection.close().await?;
    if busy != 0 {
        return Err(sqlx::Error::Protocol("another program reads the store".to_owned()));
    }
    Ok(())
}

/// Reads the greatest ids that a store has given, in the order of `NUMBERED`.
async fn ids_given(store: &Path) -> Result<Vec<i64>, sqlx::Error> {
    let mut connection =
        SqliteConnectOptions::new().filename(store).disable_statement_logging().connect().await?;
    let given = read_ids(&mut connection).await;
    connection.close().await?;
    given
}

async fn read_ids(connection: &mut SqliteConnection) -> Result<Vec<i64>, sqlx::Error> {
    let mut given = Vec::new();
    for table in NUMBERED {
        // A store from before there was such a table has what its rows say.
        let known = "SELECT count(*) FROM sqlite_schema WHERE name = 'high_water'";
        let known: i64 = sqlx::query_scalar(known).fetch_one(&mut *connection).await?;
        let gone = if known > 0 {
            "coalesce((SELECT last FROM high_water WHERE name = ?), 0)"
        } else {
            "iif(? = '', 0, 0)"
        };
        // Safe: constants alone.
        let query = format!("SELECT max({gone}, coalesce((SELECT max(id) FROM {table}), 0))");
        given.push(sqlx::query_scalar(AssertSqlSafe(query)).bind(table).fetch_one(&mut *connection).await?);
    }
    Ok(given)
}

/// Sees to it that nothing which was given since the backup was made is given once more: ids of rows go on behind those of
/// the store that was there, and queues count from a new `started`, so that receivers tell their packets from those that
/// they have.
async fn renumber(copy: &Path, given: Option<Vec<i64>>, now: Timestamp) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(copy).disable_statement_logging();
    // Nobody else knows the copy; its journal would be one more file to leave behind.
    let options = options.journal_mode(SqliteJournalMode::Memory);
    let mut connection = options.connect().await?;
    MIGRATIONS.run(&mut connection).await?;
    let own = read_ids(&mut connection).await?;
    // A store that is behind its backup is not where that went on.
    let ahead =
        |(own, given): (&i64, &i64)| if given >= own { *given } else { own.saturating_add(UNKNOWN_IDS) };
    let last: Vec<i64> = match given {
        Some(given) => own.iter().zip(&given).map(ahead).collect(),
        None => own.iter().map(|own| own.saturating_add(UNKNOWN_IDS)).collect(),
    };
    for (table, last) in NUMBERED.iter().zip(last) {
        sqlx::query("UPDATE high_water SET last = ? WHERE name = ?")
            .bind(last)
            .bind(table)
            .execute(&mut connection)
            .await?;
    }
    sqlx::query("UPDATE queues SET started = max(started + 1, ?)")
        .bind(now.as_micros())
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// Removes a file that may be there.
fn remove(path: &Path) -> Result<(), UpkeepError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(UpkeepError::File { doing: "remove", file: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
