//! The state of the store's files: that they are the ones which were opened, and that no page of them is damaged.
//!
//! SQLite notices neither that its file has lost its name nor which table a damaged page belongs to. Without the first an
//! engine acknowledges into files that nobody can find again; without the second an operator knows only that something is
//! wrong.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::tasks::StoreTasks;
use super::upkeep::{beside, folder_of};
use crate::StoreError;

/// Room that there must be again after a full disk: some of the largest requests.
const PROBE_BYTES: usize = 1024 * 1024;

/// The files of an open store.
#[derive(Debug)]
pub(super) struct Health {
    /// Path, device and inode of each.
    files: Vec<(PathBuf, u64, u64)>,
    tasks: StoreTasks,
    /// Options of a connection that only reads.
    reading: SqliteConnectOptions,
    /// First damage that was met; it doesn't go away while the engine runs.
    damage: OnceLock<String>,
    /// True since there was no room for something, until there is again.
    is_full: AtomicBool,
}

impl Health {
    /// Takes note of the files of a store that is open: the database, its write-ahead log and the log's index.
    ///
    /// # Errors
    /// When one of them can't be found.
    pub(super) fn of_open_store(reading: SqliteConnectOptions, tasks: StoreTasks) -> io::Result<Self> {
        // SQLite resolves links too before it puts the other two beside the file.
        let store = fs::canonicalize(reading.get_filename())?;
        let paths = [
            reading.get_filename().to_owned(),
            store.clone(),
            beside(&store, "-wal"),
            beside(&store, "-shm"),
        ];
        let known = |path: PathBuf| fs::metadata(&path).map(|found| (path, found.dev(), found.ino()));
        let files = paths.into_iter().map(known).collect::<io::Result<_>>()?;
        Ok(Self { files, tasks, reading, damage: OnceLock::new(), is_full: AtomicBool::new(false) })
    }

    /// Compares the files with those that were opened. Costs four calls of the system, microseconds.
    pub(super) fn check_files(&self) -> Result<(), StoreError> {
        for (file, device, inode) in &self.files {
            let fault = match fs::metadata(file) {
                Ok(found) if (found.dev(), found.ino()) != (*device, *inode) => {
                    "was replaced by another file"
                }
                Ok(found) if found.nlink() > 1 => "was given a second name (a hard link)",
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted or moved",
                Err(error) => return Err(StoreError::Database(error.into())),
            };
            return Err(StoreError::Replaced { file: file.clone(), fault });
        }
        Ok(())
    }

    /// Fails once damage was met.
    pub(super) fn check_damage(&self) -> Result<(), StoreError> {
        self.damage.get().map_or(Ok(()), |reason| Err(StoreError::Damaged { reason: reason.clone() }))
    }

    /// Fails while there is no room for what is usually written. A single row tells nothing of that: it may fit into pages
    /// that a larger write has got and given up.
    pub(super) async fn check_room(&self) -> Result<(), StoreError> {
        if !self.is_full.load(Ordering::Relaxed) {
            return Ok(());
        }
        let store = self.reading.get_filename().to_owned();
        let probe = move || tempfile::tempfile_in(folder_of(&store))?.write_all(&[0; PROBE_BYTES]);
        match tokio::task::spawn_blocking(probe).await {
            Ok(Ok(())) => {
                self.is_full.store(false, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(StoreError::Full),
        }
    }

    /// Passes a result on; when it tells of damage for the first time, has the tables looked through for the log.
    pub(super) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(result, Err(StoreError::Full)) {
            self.is_full.store(true, Ordering::Relaxed);
        }
        if let Err(StoreError::Damaged { reason }) = &result
            && self.damage.set(reason.clone()).is_ok()
        {
            self.tasks.spawn(tell_damage(self.reading.clone()));
        }
        result
    }
}

/// Logs which tables of a store are damaged. Reads all of it once.
async fn tell_damage(reading: SqliteConnectOptions) {
    let store = reading.get_filename().to_owned();
    let found = match reading.connect().await {
        Ok(mut connection) => damaged_tables(&mut connection).await,
        Err(error) => vec![("sqlite_schema".to_owned(), error.to_string())],
    };
    for (table, fault) in found {
        tracing::error!(
            table,
            store = %store.display(),
            "store damaged: {fault}: stop the engine, then `campanile store restore FILE` puts a backup in its place, \
             `campanile store check --salvage FILE` saves what can be read"
        );
    }
}

/// Looks all tables through; returns those that are damaged, each with the first fault that was found.
pub(super) async fn damaged_tables(connection: &mut SqliteConnection) -> Vec<(String, String)> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<String> = match sqlx::query_scalar(tables).fetch_all(&mut *connection).await {
        Ok(tables) => tables,
        Err(error) => return vec![("sqlite_schema".to_owned(), error.to_string())],
    };
    let mut damaged = Vec::new();
    for table in tables {
        let check = "SELECT integrity_check FROM pragma_integrity_check(?) LIMIT 1";
        let fault =
            match sqlx::query_scalar::<_, String>(check).bind(&table).fetch_one(&mut *connection).await {
                Ok(fine) if fine == "ok" => continue,
                Ok(fault) => fault.replace('\n', " "),
                Err(error) => error.to_string(),
            };
        damaged.push((table, fault));
    }
    damaged
}
