//! Failures of the store, in the words of those who must act: what is wrong, where, and what helps.

use std::path::PathBuf;

use super::DeliveryId;
use campanile_model::BuildId;

/// Failure of the store, in its callers' words.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be opened.
    #[error("cannot open the store `{url}`: {reason}")]
    Open {
        /// Address as in the settings.
        url: String,
        /// Words of the database.
        reason: String,
    },
    /// A statement failed.
    #[error("the store failed: {0}")]
    Database(#[source] sqlx::Error),
    /// There is no room for what is to be written.
    #[error("the disk of the store is full: make room, it goes on by itself")]
    Full,
    /// Another program has held the store's write lock for too long.
    #[error(
        "another program has locked the store, such as an open `sqlite3`: end it, this goes on by itself"
    )]
    Busy,
    /// Pages of the file are not what a database wrote there.
    #[error(
        "the store is damaged ({reason}): stop the engine, then put a backup in its place with `campanile store \
         restore`; `campanile store check` tells what is damaged and can save the rest"
    )]
    Damaged {
        /// Words of the database.
        reason: String,
    },
    /// A file of the open store is no longer the one under its name.
    #[error(
        "`{}` {fault} while the engine ran, so nothing is stored any more: stop the engine, put the file back or \
         restore a backup with `campanile store restore`, and start it again", file.display()
    )]
    Replaced {
        /// The file.
        file: PathBuf,
        /// Fate of the file, as a clause.
        fault: &'static str,
    },
    /// A row holds what no store wrote.
    #[error("the store holds {what} that cannot be read: {source}")]
    Corrupt {
        /// Kind or name of the row.
        what: String,
        /// Fault of its content.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A log was sent for a build that nobody told of.
    #[error("there is no build {0}")]
    NoSuchBuild(BuildId),
    /// Somebody else has claimed the delivery meanwhile, or it has been ended.
    #[error("delivery {0} is not ours any more")]
    LeaseLost(DeliveryId),
    /// The store takes nothing more, because it is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// True if the store as such takes nothing now, whatever it is asked for: who comes again later may have more luck.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Damaged { .. } | Self::Replaced { .. })
    }

    /// Makes the same error for another caller that waited for the same transaction.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Busy => Self::Busy,
            Self::Damaged { reason } => Self::Damaged { reason: reason.clone() },
            Self::Replaced { file, fault } => Self::Replaced { file: file.clone(), fault },
            Self::Closed => Self::Closed,
            Self::Database(error) => Self::Database(sqlx::Error::Protocol(error.to_string())),
            other => Self::Database(sqlx::Error::Protocol(other.to_string())),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let Some(code) = code.and_then(|code| code.parse::<u32>().ok()) else { return Self::Database(error) };
        // Numbers of https://sqlite.org/rescode.html; the lowest byte of an extended one is its kind.
        match (code & 0xff, code) {
            // SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log.
            (13, _) | (_, 4874) => Self::Full,
            // SQLITE_BUSY, SQLITE_LOCKED
            (5 | 6, _) => Self::Busy,
            // SQLITE_CORRUPT, SQLITE_NOTADB
            (11 | 26, _) => Self::Damaged { reason: error.to_string() },
            _ => Self::Database(error),
        }
    }
}
