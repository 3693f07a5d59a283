//! Upkeep of a store's file by operators: the lock of the one engine, backup, restore, check, vacuum.
//!
//! A copy is checked before it counts, on disk before it has its name, and takes no other file's place.

mod check;
mod lock;
mod restore;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::NamedTempFile;

use super::migrations::MIGRATIONS;

pub use check::{check, salvage};
pub use lock::lock;
pub use restore::restore;

/// Begin and end of the names of files that are not finished.
const PARTIAL: (&str, &str) = (".campanile-", ".partial");

/// Failure of an upkeep command: nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// An engine, or another such command, has the store.
    #[error("another engine uses the store `{}`: stop it, or set another `store.url`", .0.display())]
    Locked(PathBuf),
    /// The file of the store has several names: the write-ahead log lies beside one of them only.
    #[error("the store `{}` has a second name (a hard link): remove that, `find -samefile` finds it", .0.display())]
    Linked(PathBuf),
    /// Rows of the store can't be read.
    #[error(
        "the store can't be saved whole ({reason}): put a backup in its place with `campanile store restore`"
    )]
    Lost {
        /// Words of the database.
        reason: String,
    },
    /// The file is there already; none is overwritten.
    #[error("`{}` is there already: name a file that is not", .0.display())]
    Exists(PathBuf),
    /// There is no store to copy.
    #[error("there is no store at `{}`", .0.display())]
    Missing(PathBuf),
    /// The file to restore is no whole store that this program can use.
    #[error("`{}` can't be restored: {reason}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// Fault of the file.
        reason: String,
    },
    /// A file can't be used.
    #[error("cannot {doing} `{}`: {source}", file.display())]
    File {
        /// Verb of the failed step.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// Words of the system.
        source: io::Error,
    },
    /// The database refused.
    #[error("cannot {doing}: {source}")]
    Database {
        /// Verb of the failed step.
        doing: &'static str,
        /// Words of the database.
        source: sqlx::Error,
    },
}

/// Writes what a store holds at this moment to a new file, also while an engine works on it. Returns its bytes.
///
/// # Errors
/// When the file is there already, or can't be written, or the store can't be read; then there is no such file.
pub async fn backup(url: &str, to: &Path) -> Result<u64, UpkeepError> {
    if to.symlink_metadata().is_ok() {
        return Err(UpkeepError::Exists(to.to_owned()));
    }
    let file = |doing, source| UpkeepError::File { doing, file: to.to_owned(), source };
    let mut store = open(url).await?;
    remove_partials(folder_of(to));
    let partial = partial_in(folder_of(to)).map_err(|error| file("write", error))?;
    let Some(name) = partial.path().to_str() else {
        return Err(file("write", io::Error::other("its path is no text")));
    };
    sqlx::query("VACUUM INTO ?")
        .bind(name)
        .execute(&mut store)
        .await
        .map_err(|source| UpkeepError::Database { doing: "copy the store", source })?;
    drop(store.close().await);
    let bytes = verify(partial.path()).await?;
    put(partial, to)?;
    Ok(bytes)
}

/// Writes a store anew without its free pages. Returns its bytes before and after.
///
/// # Errors
/// When an engine is at work on the store, or there is no room for a second one.
pub async fn vacuum(url: &str) -> Result<(u64, u64), UpkeepError> {
    let path = path_of(url)?;
    if !path.exists() {
        return Err(UpkeepError::Missing(path));
    }
    let _lock = lock(url)?;
    let mut store = open(url).await?;
    let before = size(&path);
    for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
        sqlx::query(statement)
            .execute(&mut store)
            .await
            .map_err(|source| UpkeepError::Database { doing: "write the store anew", source })?;
    }
    drop(store.close().await);
    Ok((before, size(&path)))
}

/// Verifies that a file is a whole store, of a form that this program knows. Returns its bytes.
async fn verify(file: &Path) -> Result<u64, UpkeepError> {
    let unusable = |reason: String| UpkeepError::Unusable { file: file.to_owned(), reason };
    // Nobody else writes it: no log, no locks.
    let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
    let no_store = |error: sqlx::Error| unusable(format!("it is no store of campanile's ({error})"));
    let mut copy = options.disable_statement_logging().connect().await.map_err(no_store)?;
    let wrong: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check(3)").fetch_all(&mut copy).await.map_err(no_store)?;
    if wrong != ["ok"] {
        return Err(unusable(format!("it is damaged: {}", wrong.join("; "))));
    }
    let steps: Vec<(i64, Vec<u8>, bool)> =
        sqlx::query_as("SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut copy)
            .await
            .map_err(no_store)?;
    drop(copy.close().await);
    for (version, checksum, done) in &steps {
        match MIGRATIONS.iter().find(|known| known.version == *version) {
            None => return Err(unusable("a newer campanile has written it: use that one".to_owned())),
            Some(known) if *known.checksum != **checksum || !done => {
                return Err(unusable(format!("step {version} of its form is not this program's")));
            }
            Some(_) => {}
        }
    }
    if steps.is_empty() {
        return Err(unusable("it is no store of campanile's".to_owned()));
    }
    fs::metadata(file).map(|data| data.len()).map_err(|source| UpkeepError::File {
        doing: "read",
        file: file.to_owned(),
        source,
    })
}

/// Opens a store that is there.
async fn open(url: &str) -> Result<SqliteConnection, UpkeepError> {
    let path = path_of(url)?;
    if !path.exists() {
        return Err(UpkeepError::Missing(path));
    }
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10));
    let connected = options.disable_statement_logging().connect().await;
    connected.map_err(|source| UpkeepError::Database { doing: "open the store", source })
}

/// Reads the path in an address.
fn path_of(url: &str) -> Result<PathBuf, UpkeepError> {
    let options = SqliteConnectOptions::from_str(url);
    let options = options.map_err(|source| UpkeepError::Database { doing: "read `store.url`", source })?;
    Ok(options.get_filename().to_owned())
}

/// Makes a file that only its owner can read, and that goes when it is dropped. It is locked: see [`remove_partials`].
fn partial_in(folder: &Path) -> io::Result<NamedTempFile> {
    let partial = tempfile::Builder::new().prefix(PARTIAL.0).suffix(PARTIAL.1).tempfile_in(folder)?;
    partial.as_file().try_lock()?;
    Ok(partial)
}

/// Removes unfinished files that killed programs have left. Those that one still writes are locked, and stay.
fn remove_partials(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with(PARTIAL.0) && name.ends_with(PARTIAL.1)) {
            continue;
        }
        // Left over for want of rights, it costs room and nothing else.
        if File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            for suffix in ["-journal", "-wal", "-shm", ""] {
                let _ = fs::remove_file(beside(&entry.path(), suffix));
            }
        }
    }
}

/// Gives a finished file its name, if nobody has it, and has both on disk.
fn put(partial: NamedTempFile, name: &Path) -> Result<(), UpkeepError> {
    let failed = |source| UpkeepError::File { doing: "write", file: name.to_owned(), source };
    partial.as_file().sync_all().map_err(failed)?;
    partial.persist_noclobber(name).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => UpkeepError::Exists(name.to_owned()),
        _ => failed(error.error),
    })?;
    sync_folder(name)
}

/// Has the name of a file on disk.
fn sync_folder(name: &Path) -> Result<(), UpkeepError> {
    let synced = File::open(folder_of(name)).and_then(|folder| folder.sync_all());
    synced.map_err(|source| UpkeepError::File { doing: "write", file: name.to_owned(), source })
}

/// Finds the folder that holds a file.
pub(in crate::sqlite) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the path of a file with a longer name.
pub(in crate::sqlite) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Sums up the bytes of a store and its write-ahead log.
fn size(store: &Path) -> u64 {
    ["", "-wal"].iter().filter_map(|suffix| Some(fs::metadata(beside(store, suffix)).ok()?.len())).sum()
}
