//! Group commit: one task owns the only writing connection and performs all operations that have gathered in one
//! transaction.
//!
//! A commit waits for the disk, milliseconds in which nothing else can be written. One for each caller would allow a few
//! hundred a second in all; shared, each of hundreds of callers waits for one or two of them.
//!
//! Results are sent after the commit, never before: a hook that was answered 202 must survive loss of power. When an
//! operation fails, the whole transaction is rolled back and each is performed alone, so that one bad operation does not
//! fail its neighbours; that is safe because nothing was committed. A commit that fails is not repeated: it may have
//! happened. Where the store as such takes nothing (another program has locked it, its file is gone), all fail at once:
//! each alone would wait as long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnection, SqliteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::logs::{LogPart, PlainChunk};
use super::write_connection::WriteConnection;
use super::{
    StoreOptions, append, audit, callbacks, completion, deliveries, interrupted, logs, outcomes, prune,
    recovery, tokens, usage,
};
use crate::{
    Appended, AuditEntry, Batch, CallEntry, Delivery, DeliveryId, InUse, KeptVersion, Lease, PruneCursor,
    Pruned, Retention, Settlement, StoreError, TakenOver, Token, TokenHash,
};
use campanile_model::{Build, Timestamp};

/// Greatest number of jobs that share a transaction: it bounds how long the first of them waits, and what is in memory.
pub(super) const MAX_JOBS: usize = 256;

/// Turns of the runtime that a transaction waits for company: microseconds, where a commit takes milliseconds.
const GATHER_TURNS: usize = 100;

/// Interval, by the clock of appends, at which keys of old requests and abandoned uploads are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// An operation, and the caller that waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) operation: Operation,
    pub(super) reply: oneshot::Sender<Result<OperationResult, StoreError>>,
}

/// A writing operation.
#[derive(Debug)]
pub(super) enum Operation {
    Append { tenant: String, batch: Batch, now: Timestamp },
    SaveMessage { lease: Lease, message: Vec<u8>, version: Option<String> },
    Settle { lease: Lease, settlement: Settlement, now: Timestamp },
    Claim { owner: String, targets: Vec<(String, String, u32)>, lease: Duration, now: Timestamp },
    ClaimRun { owner: String, first: Lease, limit: u32, until: Timestamp },
    DeferTarget { tenant: String, target: String, key: String, until: Timestamp },
    ReleaseUnattempted { leases: Vec<Lease> },
    Release { owner: String },
    TakeOver { owner: String, now: Timestamp },
    BeginSuspect { lease: Lease },
    ClearSuspect { lease: Lease },
    BeginLoad { tenant: String, version: String },
    EndLoad { tenant: String },
    Renew { leases: Vec<Lease>, until: Timestamp },
    Retry { tenant: String, ids: Vec<(DeliveryId, Duration)>, now: Timestamp },
    RetryNow { tenant: String, target: String, most: u32, spacing: Duration, now: Timestamp },
    DropWaiting { tenant: String, ids: Vec<DeliveryId>, text: String },
    OrphanedSince { tenant: String, target: String, now: Timestamp },
    Adopt { tenant: String, targets: Vec<String> },
    Tick { shift: i64, now: Timestamp },
    UseVersion { tenant: String, in_use: InUse, version: KeptVersion, packed: Vec<u8> },
    RecordCall { tenant: String, call: CallEntry },
    CompleteBuild { tenant: String, build: Box<Build> },
    SetChanges { tenant: String, build: Box<Build>, rule: String },
    AddToken { token: Token, hash: TokenHash },
    RevokeToken { tenant: String, id: String },
    RecordAudit { tenant: String, entry: AuditEntry },
    WriteLog(LogPart),
    PackChunk(PlainChunk),
    DiscardLog { log: i64 },
    Prune { retention: Retention, from: PruneCursor, now: Timestamp },
    DeleteTenantChunk { tenant: String },
    Ping,
    Close,
}

/// Result of an operation; each kind has its own.
#[derive(Debug)]
pub(super) enum OperationResult {
    Appended(Appended),
    Claimed(Vec<Delivery>),
    TakenOver(TakenOver),
    Renewed(Vec<DeliveryId>),
    Found(bool),
    Counted(u64),
    Since(Timestamp),
    /// Targets that were gone and are there again.
    Adopted(Vec<String>),
    Pruned(Pruned),
    LogWritten {
        log: i64,
        lines: u64,
        bytes: u64,
    },
    Done,
}

impl OperationResult {
    /// Panics: the result is of another kind than the operation's.
    pub(super) fn unexpected<T>(self) -> T {
        unreachable!("each kind of operation has its kind of result, and this is not it: {self:?}")
    }
}

/// Counts since the start, for metrics.
#[derive(Debug, Default)]
pub(super) struct WriteCounts {
    transactions: AtomicU64,
    operations: AtomicU64,
}

impl WriteCounts {
    /// Transactions, and the operations that they were for.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.transactions.load(Ordering::Relaxed), self.operations.load(Ordering::Relaxed))
    }

    fn add(&self, operations: usize) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.operations.fetch_add(operations as u64, Ordering::Relaxed);
    }
}

/// Writes until all senders are gone or a `Close` comes; jobs that were sent before that are done first.
pub(super) async fn run(
    mut connection: WriteConnection,
    mut receiver: mpsc::Receiver<Job>,
    options: StoreOptions,
    counts: Arc<WriteCounts>,
) {
    let mut jobs = Vec::with_capacity(MAX_JOBS);
    let mut closers = Vec::new();
    let mut pruned = Timestamp::default();
    let mut usual = 1;
    while receiver.recv_many(&mut jobs, MAX_JOBS).await > 0 {
        gather(&mut receiver, &mut jobs, usual).await;
        usual = jobs.len();
        let (mut operations, mut replies) = (Vec::with_capacity(jobs.len()), Vec::with_capacity(jobs.len()));
        for Job { operation, reply } in jobs.drain(..) {
            if matches!(operation, Operation::Close) {
                receiver.close();
                closers.push(reply);
            } else {
                operations.push(operation);
                replies.push(reply);
            }
        }
        let prune = operations.iter().find_map(|operation| match operation {
            Operation::Append { now, .. } if now.since(pruned) > PRUNE_EVERY => Some(*now),
            _ => None,
        });
        pruned = prune.unwrap_or(pruned);
        counts.add(operations.len());
        let results = commit(&mut connection, &operations, &options, prune).await;
        for (reply, result) in replies.into_iter().zip(results) {
            // Nobody listening is no fault: the caller went away, its operation is done all the same.
            let _ = reply.send(connection.noted(result));
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "store: did not close cleanly; nothing that was answered is lost");
    }
    for closer in closers {
        let _ = closer.send(Ok(OperationResult::Done));
    }
}

/// Waits a moment for as many jobs as the last transaction had.
///
/// Those callers have just been answered and are about to ask again; the first of them would otherwise get a whole commit
/// to itself while all others wait for the next one. Yielding and not sleeping: they are ready to run, and a timer's
/// least step is a good part of a commit.
async fn gather(receiver: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>, usual: usize) {
    for _ in 0..GATHER_TURNS {
        if jobs.len() >= usual {
            return;
        }
        tokio::task::yield_now().await;
        while jobs.len() < MAX_JOBS
            && let Ok(job) = receiver.try_recv()
        {
            jobs.push(job);
        }
    }
}

/// Failure of a transaction.
enum Failure {
    /// Of an operation, before the commit: nothing of it is stored.
    Operation(StoreError),
    /// Of the store as such, before anything was done; or of the commit: then all that is known is that it must not be
    /// answered as done.
    Store(StoreError),
}

/// Performs all operations, together if possible; one result each, in order.
async fn commit(
    connection: &mut WriteConnection,
    operations: &[Operation],
    options: &StoreOptions,
    prune: Option<Timestamp>,
) -> Vec<Result<OperationResult, StoreError>> {
    if operations.is_empty() {
        return Vec::new();
    }
    let mut results = Vec::with_capacity(operations.len());
    let failed = match transaction(connection, operations, options, prune).await {
        Ok(done) => return done.into_iter().map(Ok).collect(),
        Err(Failure::Operation(error)) if operations.len() == 1 => return vec![Err(error)],
        Err(Failure::Operation(_)) => {
            let mut failed = None;
            for operation in operations {
                results.push(
                    match transaction(connection, std::slice::from_ref(operation), options, None).await {
                        // Exactly one operation was asked for.
                        Ok(mut alone) => alone.pop().ok_or(StoreError::Closed),
                        Err(Failure::Operation(error)) => Err(error),
                        Err(Failure::Store(error)) => {
                            failed = Some(error);
                            break;
                        }
                    },
                );
            }
            failed
        }
        Err(Failure::Store(error)) => Some(error),
    };
    if let Some(error) = failed {
        results.extend(
            operations.iter().skip(results.len()).map(|_| Err(error.for_another())).collect::<Vec<_>>(),
        );
    }
    results
}

/// Performs operations in one transaction.
async fn transaction(
    connection: &mut WriteConnection,
    operations: &[Operation],
    options: &StoreOptions,
    prune: Option<Timestamp>,
) -> Result<Vec<OperationResult>, Failure> {
    let mut full = Vec::new();
    let done = async {
        let mut tx = connection.begin().await.map_err(Failure::Store)?;
        let results =
            perform(&mut tx, operations, options, prune, &mut full).await.map_err(Failure::Operation)?;
        tx.commit().await.map_err(|error| Failure::Store(error.into()))?;
        Ok(results)
    };
    match done.await {
        Ok(results) => {
            connection.check_files().map_err(Failure::Store)?;
            connection.pack_later(full);
            Ok(results)
        }
        Err(failure) => {
            connection.suspect();
            Err(failure)
        }
    }
}

/// Performs operations within a transaction; one result each, in order.
async fn perform(
    tx: &mut SqliteTransaction<'_>,
    operations: &[Operation],
    options: &StoreOptions,
    prune: Option<Timestamp>,
    full: &mut Vec<PlainChunk>,
) -> Result<Vec<OperationResult>, StoreError> {
    let appends: Vec<_> = operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::Append { tenant, batch, now } => Some((tenant.as_str(), batch, *now)),
            _ => None,
        })
        .collect();
    // Appends, messages and settlements are nearly all that is written, so each kind is written at once, in one round
    // trip to SQLite's thread. That they are done before what was sent earlier is seen by nobody: none of these callers
    // has its result yet, so none can have sent one because of another.
    let mut appended = append::append(tx, &appends, options, full).await?.into_iter();
    let saved: Vec<_> = operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::SaveMessage { lease, message, version } => {
                Some((lease, &**message, version.as_deref()))
            }
            _ => None,
        })
        .collect();
    outcomes::save_messages(tx, &saved).await?;
    let settled: Vec<_> = operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::Settle { lease, settlement, now } => Some((lease, settlement, *now)),
            _ => None,
        })
        .collect();
    outcomes::settle(tx, &settled).await?;
    let mut results = Vec::with_capacity(operations.len());
    for operation in operations {
        results.push(match operation {
            Operation::Append { .. } => OperationResult::Appended(
                appended.next().expect("`append` has a result for each of its batches"),
            ),
            Operation::SaveMessage { .. } | Operation::Settle { .. } | Operation::Close => {
                OperationResult::Done
            }
            Operation::Claim { owner, targets, lease, now } => {
                deliveries::claim(tx, owner, targets, now.after(*lease), *now).await?
            }
            Operation::ClaimRun { owner, first, limit, until } => {
                deliveries::claim_run(tx, owner, first, *limit, *until).await?
            }
            Operation::DeferTarget { tenant, target, key, until } => {
                deliveries::defer_target(tx, tenant, target, key, *until).await?
            }
            Operation::ReleaseUnattempted { leases } => deliveries::release_unattempted(tx, leases).await?,
            Operation::Release { owner } => deliveries::release(tx, owner).await?,
            Operation::TakeOver { owner, now } => interrupted::take_over(tx, owner, *now).await?,
            Operation::BeginSuspect { lease } => interrupted::begin(tx, lease).await?,
            Operation::ClearSuspect { lease } => interrupted::clear(tx, lease).await?,
            Operation::BeginLoad { tenant, version } => interrupted::begin_load(tx, tenant, version).await?,
            Operation::EndLoad { tenant } => interrupted::end_load(tx, tenant).await?,
            Operation::Renew { leases, until } => deliveries::renew(tx, leases, *until).await?,
            Operation::Retry { tenant, ids, now } => recovery::retry(tx, tenant, ids, *now).await?,
            Operation::RetryNow { tenant, target, most, spacing, now } => {
                let hurried = recovery::retry_now(tx, tenant, target, *most, *spacing, *now);
                OperationResult::Counted(hurried.await?)
            }
            Operation::DropWaiting { tenant, ids, text } => {
                recovery::drop_waiting(tx, tenant, ids, text).await?
            }
            Operation::OrphanedSince { tenant, target, now } => {
                recovery::orphaned_since(tx, tenant, target, *now).await?
            }
            Operation::Adopt { tenant, targets } => recovery::adopt(tx, tenant, targets).await?,
            Operation::Tick { shift, now } => recovery::tick(tx, *shift, *now).await?,
            Operation::UseVersion { tenant, in_use, version, packed } => {
                callbacks::use_version(tx, tenant, in_use, version, packed).await?
            }
            Operation::RecordCall { tenant, call } => callbacks::record_call(tx, tenant, call).await?,
            Operation::CompleteBuild { tenant, build } => {
                completion::complete_build(tx, tenant, build).await?
            }
            Operation::SetChanges { tenant, build, rule } => {
                completion::set_changes(tx, tenant, build, rule).await?
            }
            Operation::AddToken { token, hash } => tokens::add(tx, token, hash).await?,
            Operation::RevokeToken { tenant, id } => tokens::revoke(tx, tenant, id).await?,
            Operation::RecordAudit { tenant, entry } => audit::record(tx, tenant, entry).await?,
            Operation::WriteLog(part) => logs::upload(tx, part, options.max_log_bytes).await?,
            Operation::PackChunk(chunk) => logs::store_packed(tx, chunk).await?,
            Operation::DiscardLog { log } => logs::discard(tx, *log).await?,
            Operation::Prune { retention, from, now } => prune::step(tx, retention, *from, *now).await?,
            Operation::DeleteTenantChunk { tenant } => usage::delete_tenant_chunk(tx, tenant).await?,
            Operation::Ping => ping(tx).await?,
        });
    }
    if let Some(now) = prune {
        append::prune_dedup_keys(tx, now).await?;
        logs::discard_abandoned(tx).await?;
    }
    Ok(results)
}

/// Writes a row as it is, since only a write proves that writing works: a full disk can be read.
async fn ping(tx: &mut SqliteConnection) -> Result<OperationResult, StoreError> {
    sqlx::query("UPDATE delivery_counts SET count = count WHERE state = 'waiting'").execute(tx).await?;
    Ok(OperationResult::Done)
}
