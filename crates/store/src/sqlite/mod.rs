//! The embedded store: one SQLite file in WAL mode, many readers, one writer that commits for many callers at once.
//!
//! Reading order: `writer` (who writes when) with `write_connection`, `health` (what becomes of the file), `projection`
//! (what events mean, in memory), `append` (its SQL), `deliveries`, `outcomes` and `recovery`, `logs` with `upload` and
//! `log_reads`, `reads`; `prune` and `upkeep` for operators.
//!
//! Invariant: only the writer's connection writes; the pool's connections cannot. No statement walks through a whole
//! table (`tests/query_plans.rs`); one that must names the reason there.

mod append;
mod audit;
mod callbacks;
mod completion;
mod deliveries;
#[cfg(test)]
mod fault_tests;
mod health;
mod interrupted;
mod log_reads;
mod logs;
mod merge;
mod migrations;
mod next_id;
mod outcomes;
mod polls;
mod projection;
mod prune;
mod queues;
mod reads;
mod recovery;
mod statement_batch;
mod stats;
mod tasks;
#[cfg(test)]
mod tests;
mod tokens;
pub mod upkeep;
mod upload;
mod usage;
mod write_connection;
mod writer;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use log::LevelFilter;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};

use super::{
    Appended, Attempt, AuditEntry, Batch, BuildQuery, BuilderRow, CallEntry, ClaimQuota, Delivery,
    DeliveryId, DeliveryQuery, DeliveryState, EventId, InUse, KeptVersion, Lease, LogWriter, Page, PollState,
    PruneCursor, Pruned, Retention, Run, Settlement, Standing, Store, StoreError, StoreStats, TakenOver,
    TargetDue, Token, TokenHash,
};
use campanile_model::{Build, BuildId, Buildset, Change, Event, LogRef, Timestamp};
use health::Health;
use migrations::MIGRATIONS;
use tasks::StoreTasks;
use write_connection::WriteConnection;
use writer::{Job, Operation, OperationResult, WriteCounts};

/// Settings of the embedded store.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Greatest size of a log in bytes. Of a longer one the middle is left out: the first quarter and the last three
    /// quarters of this size are kept.
    pub max_log_bytes: u64,
    /// Number of connections that read side by side.
    pub readers: u32,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { max_log_bytes: 64 * 1024 * 1024, readers: 4 }
    }
}

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    writer: Writer,
    health: Arc<Health>,
    tasks: StoreTasks,
    options: StoreOptions,
}

impl SqliteStore {
    /// Opens the file of a `sqlite:PATH` address, and makes it if there is none.
    ///
    /// # Errors
    /// When the address is no such address, or the file cannot be opened, brought up to date or written to.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        let failed = |reason: String| StoreError::Open { url: url.to_owned(), reason };
        if !url.starts_with("sqlite:") || url.contains(":memory:") || url.contains("mode=memory") {
            return Err(failed("write it as `sqlite:PATH`, with the path of a file".to_owned()));
        }
        let file = SqliteConnectOptions::from_str(url)
            .map_err(|error| failed(error.to_string()))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was answered survives loss of power.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("wal_autocheckpoint", "4000")
            .pragma("journal_size_limit", "67108864")
            // For whoever asks for `sqlx::query=trace`. Values are bound, so there is nothing of anybody's in it.
            .log_statements(LevelFilter::Trace)
            .log_slow_statements(LevelFilter::Trace, Duration::from_secs(1));
        let path = file.get_filename().to_owned();
        // Who has lost a file must see it; who begins won't mind.
        let is_new = std::fs::metadata(&path).map_or(true, |found| found.len() == 0);
        let mut connection = file.connect().await.map_err(|error| failed(error.to_string()))?;
        MIGRATIONS.run(&mut connection).await.map_err(|error| failed(error.to_string()))?;
        logs::discard_abandoned(&mut connection).await.map_err(|error| failed(error.to_string()))?;
        let reading = file.clone().pragma("query_only", "on");
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            // One that could not end its snapshot would show the past for ever.
            .after_release(|connection, _| Box::pin(async { Ok(!connection.is_in_transaction()) }))
            // A connection to a file does not go stale; asking it first would cost a round trip each time.
            .test_before_acquire(false)
            .connect_with(reading.clone())
            .await
            .map_err(|error| failed(error.to_string()))?;
        let tasks = StoreTasks::default();
        let health =
            Health::of_open_store(reading, tasks.clone()).map_err(|error| failed(error.to_string()))?;
        if is_new {
            tracing::info!(store = %path.display(), "store: there was none, a new and empty one was made");
        }
        let health = Arc::new(health);
        let writer = Writer::start(options.clone(), |jobs| {
            WriteConnection::new(connection, file, Arc::clone(&health), tasks.clone(), jobs)
        });
        Ok(Self { readers, writer, health, tasks, options })
    }

    /// Takes a reading connection from the pool; waits while all of them are in use.
    async fn reader(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolClosed => StoreError::Closed,
            other => other.into(),
        })
    }
}

/// A handle of the one writing task. That ends when it is told to, or when nobody has a handle any more, and never in the
/// middle: it may be at work for callers that go on waiting. `Store::ended` tells when it is gone.
#[derive(Clone, Debug)]
struct Writer {
    jobs: mpsc::Sender<Job>,
    counts: Arc<WriteCounts>,
}

impl Writer {
    /// Starts the task, on the connection that is made with its queue.
    fn start(
        options: StoreOptions,
        connection: impl FnOnce(mpsc::WeakSender<Job>) -> WriteConnection,
    ) -> Self {
        // Room for two groups: one is written while the next one gathers. Beyond that callers wait, which slows senders
        // down instead of filling memory.
        let (sender, receiver) = mpsc::channel(2 * writer::MAX_JOBS);
        let counts = Arc::new(WriteCounts::default());
        tokio::spawn(writer::run(connection(sender.downgrade()), receiver, options, Arc::clone(&counts)));
        Self { jobs: sender, counts }
    }

    /// Has the operation done and waits until it is durable. Dropped before that, it is done all the same once it was
    /// queued.
    async fn submit(&self, operation: Operation) -> Result<OperationResult, StoreError> {
        let (reply, result) = oneshot::channel();
        self.jobs.send(Job { operation, reply }).await.map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)?
    }

    /// Has an operation done that tells how many rows it was about.
    async fn count(&self, operation: Operation) -> Result<u64, StoreError> {
        match self.submit(operation).await? {
            OperationResult::Counted(count) => Ok(count),
            other => other.unexpected(),
        }
    }

    /// Queues an operation whose end nobody waits for; it is dropped when the writer is overloaded.
    fn submit_detached(&self, operation: Operation) {
        let (reply, _) = oneshot::channel();
        let _ = self.jobs.try_send(Job { operation, reply });
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, tenant: &str, batch: Batch, now: Timestamp) -> Result<Appended, StoreError> {
        match self.writer.submit(Operation::Append { tenant: tenant.to_owned(), batch, now }).await? {
            OperationResult::Appended(appended) => Ok(appended),
            other => other.unexpected(),
        }
    }

    async fn seen(&self, tenant: &str, poller: &str, source: &str) -> Result<Option<PollState>, StoreError> {
        self.health.noted(polls::seen(&mut *self.reader().await?, tenant, poller, source).await)
    }

    async fn event(&self, tenant: &str, id: EventId) -> Result<Option<Event>, StoreError> {
        self.health.noted(reads::event(&mut *self.reader().await?, tenant, id).await)
    }

    async fn builders(&self, tenant: &str) -> Result<Vec<BuilderRow>, StoreError> {
        self.health.noted(reads::builders(&mut *self.reader().await?, tenant).await)
    }

    async fn builds(&self, tenant: &str, query: &BuildQuery) -> Result<Vec<Build>, StoreError> {
        let mut reader = self.reader().await?;
        // One snapshot: a build that ends between two statements would lose its steps.
        self.health.noted(reads::builds(&mut *reader.begin().await?, tenant, query).await)
    }

    async fn build(&self, tenant: &str, id: &BuildId) -> Result<Option<Build>, StoreError> {
        let mut reader = self.reader().await?;
        self.health.noted(reads::build(&mut *reader.begin().await?, tenant, id).await)
    }

    async fn earlier_builds(
        &self,
        tenant: &str,
        before: &BuildId,
        limit: u32,
    ) -> Result<Vec<Build>, StoreError> {
        self.health.noted(reads::earlier_builds(&mut *self.reader().await?, tenant, before, limit).await)
    }

    async fn running_builds(&self, tenant: &str, builder: &str) -> Result<Vec<Build>, StoreError> {
        let mut reader = self.reader().await?;
        self.health.noted(reads::running_builds(&mut *reader.begin().await?, tenant, builder).await)
    }

    async fn run(&self, tenant: &str, builder: &str, property: &str, text: &str) -> Result<Run, StoreError> {
        let mut reader = self.reader().await?;
        self.health.noted(reads::run(&mut *reader.begin().await?, (tenant, builder), property, text).await)
    }

    async fn builds_of_buildset(&self, tenant: &str, bsid: u64) -> Result<Vec<Build>, StoreError> {
        self.health.noted(reads::builds_of_buildset(&mut *self.reader().await?, tenant, bsid).await)
    }

    async fn buildset(&self, tenant: &str, bsid: u64) -> Result<Option<Buildset>, StoreError> {
        self.health.noted(reads::buildset(&mut *self.reader().await?, tenant, bsid).await)
    }

    async fn events_about(
        &self,
        tenant: &str,
        subject: &str,
        limit: u32,
    ) -> Result<Vec<EventId>, StoreError> {
        self.health.noted(reads::events_about(&mut *self.reader().await?, tenant, subject, limit).await)
    }

    async fn changes(&self, tenant: &str, page: Page) -> Result<Vec<Change>, StoreError> {
        self.health.noted(reads::changes(&mut *self.reader().await?, tenant, page).await)
    }

    async fn write_log(&self, tenant: &str, log: &LogRef) -> Result<Box<dyn LogWriter>, StoreError> {
        let build = reads::build_row(&mut *self.reader().await?, tenant, &log.build)
            .await?
            .ok_or_else(|| StoreError::NoSuchBuild(log.build.clone()))?;
        Ok(Box::new(upload::Upload::new(
            self.writer.clone(),
            (tenant, build),
            log,
            self.options.max_log_bytes,
        )))
    }

    async fn log_tail(
        &self,
        tenant: &str,
        log: &LogRef,
        lines: u32,
        max_bytes: usize,
    ) -> Result<Option<String>, StoreError> {
        let mut reader = self.reader().await?;
        // One snapshot: the log may be replaced meanwhile.
        let mut snapshot = reader.begin().await?;
        self.health.noted(log_reads::tail(&mut snapshot, tenant, log, lines, max_bytes).await)
    }

    async fn log_read(
        &self,
        tenant: &str,
        log: &LogRef,
        offset: u64,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut reader = self.reader().await?;
        let mut snapshot = reader.begin().await?;
        self.health.noted(log_reads::read(&mut snapshot, tenant, log, offset, limit).await)
    }

    async fn claim(
        &self,
        owner: &str,
        quotas: &ClaimQuota,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        // Asking for work when there is none must not cost a write: idle workers ask all the time. What becomes due
        // between this look and the claim is found at the next one, for which workers are woken.
        let due = self.health.noted(deliveries::due(&mut *self.reader().await?).await)?.into_iter();
        let due = due.filter(|of| of.due <= now).map(|of| (of.tenant, of.target));
        let targets: Vec<_> = due
            .map(|(tenant, target)| {
                let quota = quotas.get(&tenant).map_or(0, |quota| quota.of(&target));
                (tenant, target, quota)
            })
            .filter(|(.., quota)| *quota > 0)
            .collect();
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        match self.writer.submit(Operation::Claim { owner: owner.to_owned(), targets, lease, now }).await? {
            OperationResult::Claimed(deliveries) => Ok(deliveries),
            other => other.unexpected(),
        }
    }

    async fn claim_run(
        &self,
        owner: &str,
        first: &Lease,
        limit: u32,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        // As above; most deliveries have none behind them.
        if !deliveries::has_followers(&mut *self.reader().await?, first.delivery).await? {
            return Ok(Vec::new());
        }
        let until = now.after(lease);
        let (owner, first) = (owner.to_owned(), first.clone());
        match self.writer.submit(Operation::ClaimRun { owner, first, limit, until }).await? {
            OperationResult::Claimed(deliveries) => Ok(deliveries),
            other => other.unexpected(),
        }
    }

    async fn defer_target(
        &self,
        tenant: &str,
        target: &str,
        key: &str,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let (tenant, target, key) = (tenant.to_owned(), target.to_owned(), key.to_owned());
        self.writer.submit(Operation::DeferTarget { tenant, target, key, until }).await.map(drop)
    }

    async fn release_unattempted(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.writer.submit(Operation::ReleaseUnattempted { leases: leases.to_vec() }).await.map(drop)
    }

    async fn save_message(
        &self,
        lease: &Lease,
        message: &[u8],
        version: Option<&str>,
    ) -> Result<(), StoreError> {
        let (lease, version) = (lease.clone(), version.map(str::to_owned));
        self.writer
            .submit(Operation::SaveMessage { lease, message: message.to_vec(), version })
            .await
            .map(drop)
    }

    async fn settle(&self, lease: &Lease, settlement: Settlement, now: Timestamp) -> Result<(), StoreError> {
        self.writer.submit(Operation::Settle { lease: lease.clone(), settlement, now }).await.map(drop)
    }

    async fn release(&self, owner: &str) -> Result<(), StoreError> {
        self.writer.submit(Operation::Release { owner: owner.to_owned() }).await.map(drop)
    }

    async fn take_over(&self, owner: &str, now: Timestamp) -> Result<TakenOver, StoreError> {
        match self.writer.submit(Operation::TakeOver { owner: owner.to_owned(), now }).await? {
            OperationResult::TakenOver(taken) => Ok(taken),
            other => other.unexpected(),
        }
    }

    async fn begin_suspect(&self, lease: &Lease) -> Result<(), StoreError> {
        self.writer.submit(Operation::BeginSuspect { lease: lease.clone() }).await.map(drop)
    }

    async fn clear_suspect(&self, lease: &Lease) -> Result<(), StoreError> {
        self.writer.submit(Operation::ClearSuspect { lease: lease.clone() }).await.map(drop)
    }

    async fn begin_load(&self, tenant: &str, version: &str) -> Result<u64, StoreError> {
        let (tenant, version) = (tenant.to_owned(), version.to_owned());
        self.writer.count(Operation::BeginLoad { tenant, version }).await
    }

    async fn end_load(&self, tenant: &str) -> Result<(), StoreError> {
        self.writer.submit(Operation::EndLoad { tenant: tenant.to_owned() }).await.map(drop)
    }

    async fn renew(
        &self,
        leases: &[Lease],
        time: Duration,
        now: Timestamp,
    ) -> Result<Vec<DeliveryId>, StoreError> {
        match self.writer.submit(Operation::Renew { leases: leases.to_vec(), until: now.after(time) }).await?
        {
            OperationResult::Renewed(ids) => Ok(ids),
            other => other.unexpected(),
        }
    }

    async fn due(&self) -> Result<Vec<TargetDue>, StoreError> {
        self.health.noted(deliveries::due(&mut *self.reader().await?).await)
    }

    async fn deliveries(&self, tenant: &str, query: &DeliveryQuery) -> Result<Vec<Delivery>, StoreError> {
        self.health.noted(deliveries::list(&mut *self.reader().await?, tenant, query).await)
    }

    async fn delivery(
        &self,
        tenant: &str,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        let mut reader = self.reader().await?;
        let mut snapshot = reader.begin().await?;
        self.health.noted(deliveries::one(&mut snapshot, tenant, id).await)
    }

    async fn standings(&self, tenant: &str, ids: &[DeliveryId]) -> Result<Vec<Standing>, StoreError> {
        self.health.noted(deliveries::standings(&mut *self.reader().await?, tenant, ids).await)
    }

    async fn delivery_ids(&self, tenant: &str, query: &DeliveryQuery) -> Result<Vec<DeliveryId>, StoreError> {
        self.health.noted(recovery::ids(&mut *self.reader().await?, tenant, query).await)
    }

    async fn retry(
        &self,
        tenant: &str,
        ids: &[(DeliveryId, Duration)],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (tenant, ids) = (tenant.to_owned(), ids.to_vec());
        self.writer.count(Operation::Retry { tenant, ids, now }).await
    }

    async fn retry_now(
        &self,
        tenant: &str,
        target: &str,
        most: u32,
        spacing: Duration,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (tenant, target) = (tenant.to_owned(), target.to_owned());
        self.writer.count(Operation::RetryNow { tenant, target, most, spacing, now }).await
    }

    async fn drop_waiting(&self, tenant: &str, ids: &[DeliveryId], text: &str) -> Result<u64, StoreError> {
        let (tenant, ids, text) = (tenant.to_owned(), ids.to_vec(), text.to_owned());
        self.writer.count(Operation::DropWaiting { tenant, ids, text }).await
    }

    async fn orphaned_since(
        &self,
        tenant: &str,
        target: &str,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let (tenant, target) = (tenant.to_owned(), target.to_owned());
        match self.writer.submit(Operation::OrphanedSince { tenant, target, now }).await? {
            OperationResult::Since(since) => Ok(since),
            other => other.unexpected(),
        }
    }

    async fn adopt(&self, tenant: &str, targets: &[String]) -> Result<Vec<String>, StoreError> {
        let (tenant, targets) = (tenant.to_owned(), targets.to_vec());
        match self.writer.submit(Operation::Adopt { tenant, targets }).await? {
            OperationResult::Adopted(back) => Ok(back),
            other => other.unexpected(),
        }
    }

    async fn tick(&self, shift: i64, now: Timestamp) -> Result<(), StoreError> {
        self.writer.submit(Operation::Tick { shift, now }).await.map(drop)
    }

    async fn last_tick(&self) -> Result<Option<Timestamp>, StoreError> {
        self.health.noted(recovery::last_tick(&mut *self.reader().await?).await)
    }

    async fn delivery_counts(&self) -> Result<Vec<(DeliveryState, u64)>, StoreError> {
        self.health.noted(deliveries::counts(&mut *self.reader().await?).await)
    }

    async fn use_version(
        &self,
        tenant: &str,
        in_use: InUse,
        version: KeptVersion,
        component: Vec<u8>,
    ) -> Result<(), StoreError> {
        let packed = callbacks::pack(component).await?;
        let operation = Operation::UseVersion { tenant: tenant.to_owned(), in_use, version, packed };
        self.writer.submit(operation).await.map(drop)
    }

    async fn versions_in_use(&self, tenant: &str) -> Result<Vec<InUse>, StoreError> {
        self.health.noted(callbacks::in_use(&mut *self.reader().await?, tenant).await)
    }

    async fn versions(&self, tenant: &str, callback: &str) -> Result<Vec<KeptVersion>, StoreError> {
        self.health.noted(callbacks::versions(&mut *self.reader().await?, tenant, callback).await)
    }

    async fn component(
        &self,
        tenant: &str,
        callback: &str,
        digest: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.health.noted(callbacks::component(&mut *self.reader().await?, tenant, callback, digest).await)
    }

    fn record_call(&self, tenant: &str, call: CallEntry) {
        self.writer.submit_detached(Operation::RecordCall { tenant: tenant.to_owned(), call });
    }

    async fn calls(
        &self,
        tenant: &str,
        callback: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, CallEntry)>, StoreError> {
        self.health.noted(callbacks::calls(&mut *self.reader().await?, tenant, callback, after, limit).await)
    }

    async fn complete_build(&self, tenant: &str, build: &Build) -> Result<(), StoreError> {
        let operation =
            Operation::CompleteBuild { tenant: tenant.to_owned(), build: Box::new(build.clone()) };
        self.writer.submit(operation).await.map(drop)
    }

    async fn changes_to(&self, tenant: &str, revision: &str, limit: u32) -> Result<Vec<Change>, StoreError> {
        self.health.noted(reads::changes_to(&mut *self.reader().await?, tenant, revision, limit).await)
    }

    async fn changes_told_with(
        &self,
        tenant: &str,
        number: u64,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError> {
        self.health.noted(reads::changes_told_with(&mut *self.reader().await?, tenant, number, limit).await)
    }

    async fn set_changes(&self, tenant: &str, build: &Build, rule: &str) -> Result<(), StoreError> {
        let (tenant, build, rule) = (tenant.to_owned(), Box::new(build.clone()), rule.to_owned());
        self.writer.submit(Operation::SetChanges { tenant, build, rule }).await.map(drop)
    }

    async fn changes_rule(&self, tenant: &str, id: &BuildId) -> Result<Option<String>, StoreError> {
        self.health.noted(reads::changes_rule(&mut *self.reader().await?, tenant, id).await)
    }

    async fn record_audit(&self, tenant: &str, entry: AuditEntry) -> Result<(), StoreError> {
        self.writer.submit(Operation::RecordAudit { tenant: tenant.to_owned(), entry }).await.map(drop)
    }

    async fn audit(&self, tenant: &str, page: Page) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        self.health.noted(audit::list(&mut *self.reader().await?, tenant, page).await)
    }

    async fn prune(
        &self,
        retention: &Retention,
        from: PruneCursor,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        match self.writer.submit(Operation::Prune { retention: retention.clone(), from, now }).await? {
            OperationResult::Pruned(pruned) => Ok(pruned),
            other => other.unexpected(),
        }
    }

    async fn events_since(&self, tenant: &str, since: Timestamp) -> Result<u64, StoreError> {
        let mut reader = self.reader().await?;
        self.health.noted(usage::events_since(&mut *reader.begin().await?, tenant, since).await)
    }

    async fn stored_bytes(&self, tenant: &str) -> Result<u64, StoreError> {
        self.health.noted(usage::stored_bytes(&mut *self.reader().await?, tenant).await)
    }

    async fn delete_tenant_chunk(&self, tenant: &str) -> Result<bool, StoreError> {
        match self.writer.submit(Operation::DeleteTenantChunk { tenant: tenant.to_owned() }).await? {
            OperationResult::Found(found) => Ok(found),
            other => other.unexpected(),
        }
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        let (transactions, operations) = self.writer.counts.read();
        let stats = self.health.noted(stats::read(&mut *self.reader().await?).await)?;
        Ok(StoreStats { transactions, operations, ..stats })
    }

    async fn add_token(&self, token: &Token, hash: TokenHash) -> Result<(), StoreError> {
        self.writer.submit(Operation::AddToken { token: token.clone(), hash }).await.map(drop)
    }

    async fn tokens(&self) -> Result<Vec<(Token, TokenHash)>, StoreError> {
        self.health.noted(tokens::all(&mut *self.reader().await?).await)
    }

    async fn revoke_token(&self, tenant: &str, id: &str) -> Result<bool, StoreError> {
        match self
            .writer
            .submit(Operation::RevokeToken { tenant: tenant.to_owned(), id: id.to_owned() })
            .await?
        {
            OperationResult::Found(found) => Ok(found),
            other => other.unexpected(),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.writer.submit(Operation::Ping).await?;
        self.health.check_room().await?;
        self.health.check_damage()
    }

    async fn ended(&self) {
        self.writer.jobs.closed().await;
    }

    async fn close(&self) {
        let _ = self.writer.submit(Operation::Close).await;
        self.tasks.end().await;
        self.readers.close().await;
    }
}
