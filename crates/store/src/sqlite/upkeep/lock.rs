//! The lock of a store: on the file itself, so that no link to it leads around the lock.
//!
//! SQLite's own locks are of another kind (`fcntl`), which this one (`flock`) neither sees nor hinders. The file must be
//! closed after the last connection of the process: closing it any earlier would drop SQLite's locks.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{UpkeepError, folder_of, path_of, remove_partials};

/// Locks a store for as long as the returned file is kept open: a store belongs to one engine at a time. Makes the file if
/// there is none. The lock goes with the process, so a crash leaves none; what a cut-off copy or restore has left beside
/// the store goes now.
///
/// # Errors
/// When somebody has it, when the file has a second name, or when it can't be written.
pub fn lock(url: &str) -> Result<File, UpkeepError> {
    let path = path_of(url)?;
    let file = lock_file(&path)?;
    // A link is looked through: SQLite too keeps its files beside the one that is meant.
    remove_partials(folder_of(&fs::canonicalize(&path).unwrap_or(path)));
    Ok(file)
}

/// Locks a file, by whatever name.
pub(super) fn lock_file(path: &Path) -> Result<File, UpkeepError> {
    let failed = |doing, source| UpkeepError::File { doing, file: path.to_owned(), source };
    loop {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| failed("write", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(UpkeepError::Locked(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => return Err(failed("lock", error)),
        }
        let held = file.metadata().map_err(|error| failed("read", error))?;
        let named = fs::metadata(path).map_err(|error| failed("read", error))?;
        if is_same(&held, &named) {
            if held.nlink() > 1 && !end_cut_off_restore(path, &held).map_err(|error| failed("read", error))? {
                return Err(UpkeepError::Linked(path.to_owned()));
            }
            return Ok(file);
        }
        // A restore has put another file there between the two: that is the one to lock.
    }
}

/// Removes the second name that a restore gives a store before it puts another one in its place, if it was cut off just
/// then. True if the store has one name again.
fn end_cut_off_restore(store: &Path, held: &Metadata) -> io::Result<bool> {
    let store = fs::canonicalize(store)?;
    let prefix = store.file_name().map(|name| format!("{}.replaced-", name.to_string_lossy()));
    for entry in fs::read_dir(folder_of(&store))? {
        let entry = entry?;
        let name = entry.file_name();
        if prefix.as_ref().is_some_and(|prefix| name.to_string_lossy().starts_with(prefix))
            && is_same(held, &entry.metadata()?)
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(fs::metadata(store)?.nlink() == 1)
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
