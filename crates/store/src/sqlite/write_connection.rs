//! The writing connection: replaced when nobody can say which transaction it is in.
//!
//! A statement that fails for want of room, or of memory, may make SQLite roll the whole transaction back by itself. Our
//! own `ROLLBACK` then fails, and the driver goes on counting a transaction that there is not: every later `BEGIN` would
//! be refused until the end of the process.

use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteTransaction};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::oneshot;

use super::health::Health;
use super::logs::PlainChunk;
use super::tasks::StoreTasks;
use super::writer::{Job, Operation};
use crate::StoreError;

/// A connection that writes, and all that it takes to open another one.
pub(super) struct WriteConnection {
    connection: SqliteConnection,
    options: SqliteConnectOptions,
    health: Arc<Health>,
    tasks: StoreTasks,
    /// The writer's own queue, for what is left to do behind a transaction.
    jobs: WeakSender<Job>,
    /// True after a failure: its state has to be looked at.
    is_suspect: bool,
}

impl WriteConnection {
    pub(super) fn new(
        connection: SqliteConnection,
        options: SqliteConnectOptions,
        health: Arc<Health>,
        tasks: StoreTasks,
        jobs: WeakSender<Job>,
    ) -> Self {
        Self { connection, options, health, tasks, jobs, is_suspect: false }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// When the store as such takes nothing; nothing was done then.
    pub(super) async fn begin(&mut self) -> Result<SqliteTransaction<'_>, StoreError> {
        self.health.check_files()?;
        if self.is_suspect {
            // What the failure has left to be rolled back is rolled back before the answer.
            if self.connection.ping().await.is_err() || self.connection.is_in_transaction() {
                // Opened before the other one is closed: the last one to close would remove the write-ahead log.
                let fresh = self.options.connect().await?;
                let old = std::mem::replace(&mut self.connection, fresh);
                // It has nothing to say that matters.
                let _ = old.close().await;
                tracing::warn!(
                    "store: a new connection writes, after a failure that left the old one unusable"
                );
            }
            self.is_suspect = false;
        }
        // IMMEDIATE: a lock that another process holds (an operator's `sqlite3`) is waited for here. Begun as a reader,
        // the transaction could not become a writer once somebody else has written, and would fail in the middle.
        Ok(self.connection.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Looks once more at the files after a commit: what went into files without a name is not to be acknowledged.
    pub(super) fn check_files(&self) -> Result<(), StoreError> {
        self.health.check_files()
    }

    /// Has chunks of logs compressed, and stored so in a transaction to come. Under overload, or when the store is closed
    /// before that, they stay as they are, which only costs room.
    pub(super) fn pack_later(&self, chunks: Vec<PlainChunk>) {
        if chunks.is_empty() {
            return;
        }
        let jobs = self.jobs.clone();
        self.tasks.spawn(async move {
            match PlainChunk::pack(chunks).await {
                Ok(packed) => {
                    for operation in packed.into_iter().map(Operation::PackChunk) {
                        let Some(jobs) = jobs.upgrade() else { return };
                        let (reply, _) = oneshot::channel();
                        let _ = jobs.try_send(Job { operation, reply });
                    }
                }
                Err(error) => tracing::warn!(%error, "store: text of logs stays uncompressed"),
            }
        });
    }

    /// Notes that a transaction failed.
    pub(super) fn suspect(&mut self) {
        self.is_suspect = true;
    }

    /// Passes a result on, and keeps what it says of damage.
    pub(super) fn noted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        self.health.noted(result)
    }

    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}
