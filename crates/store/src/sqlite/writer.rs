//! Group commit: one task owns the only writing connection and does what has gathered in one transaction.
//!
//! All that a transaction did is answered after its commit. Work that fails by itself is told from its neighbours by
//! doing each alone again; that is safe as long as nothing was committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::logs::LogPart;
use super::{
    StoreOptions, append, audit, callbacks, completion, deliveries, logs, outcomes, prune, tokens, usage,
};
use crate::{
    Appended, AuditEntry, Batch, CallEntry, ClaimQuota, Delivery, DeliveryId, InUse, KeptVersion,
    PruneCursor, Pruned, Retention, Settlement, StoreError, Token, TokenHash,
};
use campanile_model::{Build, Timestamp};

/// At most so many jobs share a transaction.
pub(super) const MAX_JOBS: usize = 256;

/// How many turns of the runtime a transaction waits for company: microseconds, where a commit takes milliseconds.
const GATHER_TURNS: usize = 100;

/// How often rows that have had their time are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// Something to do, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) operation: Operation,
    pub(super) reply: oneshot::Sender<Result<Answer, StoreError>>,
}

/// What there is to do.
#[derive(Debug)]
pub(super) enum Operation {
    Append { tenant: String, batch: Batch, now: Timestamp },
    SaveMessage { id: DeliveryId, message: Vec<u8>, version: Option<String> },
    Settle { id: DeliveryId, settlement: Settlement, now: Timestamp },
    Claim { owner: String, shares: ClaimQuota, lease: Duration, now: Timestamp },
    ClaimRun { owner: String, first: DeliveryId, limit: u32, until: Timestamp },
    Rest { tenant: String, target: String, key: String, until: Timestamp },
    GiveBack { owner: String, ids: Vec<DeliveryId> },
    Release { owner: String },
    Retry { tenant: String, id: DeliveryId, now: Timestamp },
    Hasten { tenant: String, target: String, now: Timestamp },
    UseVersion { tenant: String, in_use: InUse, version: KeptVersion, component: Vec<u8> },
    RecordCall { tenant: String, call: CallEntry },
    CompleteBuild { tenant: String, build: Box<Build> },
    AddToken { token: Token, hash: TokenHash },
    RevokeToken { tenant: String, id: String },
    RecordAudit { tenant: String, entry: AuditEntry },
    Log(LogPart),
    DiscardLog { log: i64 },
    Prune { retention: Retention, from: PruneCursor, now: Timestamp },
    Forget { tenant: String },
    Ping,
    Close,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    Appended(Appended),
    Claimed(Vec<Delivery>),
    Found(bool),
    Pruned(Pruned),
    Log { log: i64, lines: u64, bytes: u64 },
    Done,
}

impl Answer {
    /// For an answer of another kind than the question's.
    pub(super) fn unexpected<T>(self) -> T {
        unreachable!("each kind of work has its kind of answer, and this is not it: {self:?}")
    }
}

/// What was done since the start.
#[derive(Debug, Default)]
pub(super) struct Done {
    transactions: AtomicU64,
    operations: AtomicU64,
}

impl Done {
    /// Transactions, and what they were for.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.transactions.load(Ordering::Relaxed), self.operations.load(Ordering::Relaxed))
    }

    fn note(&self, operations: usize) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.operations.fetch_add(operations as u64, Ordering::Relaxed);
    }
}

/// Works until all senders are gone or a `Close` comes; what was sent before that is done first.
pub(super) async fn run(
    mut connection: SqliteConnection,
    mut receiver: mpsc::Receiver<Job>,
    options: StoreOptions,
    done: Arc<Done>,
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
        done.note(operations.len());
        for (reply, answer) in
            replies.into_iter().zip(commit(&mut connection, &operations, &options, prune).await)
        {
            // Nobody listening is no fault: the caller went away, its work is done all the same.
            let _ = reply.send(answer);
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the store did not close cleanly; nothing that was answered is lost");
    }
    for closer in closers {
        let _ = closer.send(Ok(Answer::Done));
    }
}

/// Waits a moment for as many jobs as the last transaction had. Those callers have just been answered and are about to
/// ask again; the first of them would otherwise get a whole commit to itself while all others wait for the next one.
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

/// What kept a transaction from happening.
enum Failure {
    /// Before the commit: nothing of it is stored.
    Operation(StoreError),
    /// The commit itself: all that is known is that it must not be answered as done.
    Commit(sqlx::Error),
}

/// Does all works, together if possible; one answer each, in order.
async fn commit(
    connection: &mut SqliteConnection,
    operations: &[Operation],
    options: &StoreOptions,
    prune: Option<Timestamp>,
) -> Vec<Result<Answer, StoreError>> {
    if operations.is_empty() {
        return Vec::new();
    }
    let error = match transaction(connection, operations, options, prune).await {
        Ok(answers) => return answers.into_iter().map(Ok).collect(),
        Err(Failure::Operation(error)) if operations.len() == 1 => return vec![Err(error)],
        Err(Failure::Operation(_)) => {
            let mut answers = Vec::with_capacity(operations.len());
            for operation in operations {
                answers.push(
                    match transaction(connection, std::slice::from_ref(operation), options, None).await {
                        // Exactly one work was asked for.
                        Ok(mut alone) => alone.pop().ok_or(StoreError::Closed),
                        Err(Failure::Operation(error)) => Err(error),
                        Err(Failure::Commit(error)) => Err(error.into()),
                    },
                );
            }
            return answers;
        }
        Err(Failure::Commit(error)) => error,
    };
    let text = error.to_string();
    operations.iter().map(|_| Err(sqlx::Error::Protocol(text.clone()).into())).collect()
}

async fn transaction(
    connection: &mut SqliteConnection,
    operations: &[Operation],
    options: &StoreOptions,
    prune: Option<Timestamp>,
) -> Result<Vec<Answer>, Failure> {
    // IMMEDIATE: the lock that another process may hold is waited for here, not in the middle.
    let mut tx =
        connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| Failure::Operation(error.into()))?;
    let answers = perform(&mut tx, operations, options, prune).await.map_err(Failure::Operation)?;
    tx.commit().await.map_err(Failure::Commit)?;
    Ok(answers)
}

async fn perform(
    tx: &mut SqliteTransaction<'_>,
    operations: &[Operation],
    options: &StoreOptions,
    prune: Option<Timestamp>,
) -> Result<Vec<Answer>, StoreError> {
    let appends: Vec<_> = operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::Append { tenant, batch, now } => Some((tenant.as_str(), batch, *now)),
            _ => None,
        })
        .collect();
    // First and at once, kind by kind: nobody can tell, because none of these callers has an answer yet.
    let mut appended = append::append(tx, &appends, options).await?.into_iter();
    let saved: Vec<_> = operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::SaveMessage { id, message, version } => Some((*id, &**message, version.as_deref())),
            _ => None,
        })
        .collect();
    outcomes::save_messages(tx, &saved).await?;
    let settled: Vec<_> = operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::Settle { id, settlement, now } => Some((*id, settlement, *now)),
            _ => None,
        })
        .collect();
    outcomes::settle(tx, &settled).await?;
    let mut answers = Vec::with_capacity(operations.len());
    for operation in operations {
        answers.push(match operation {
            Operation::Append { .. } => {
                Answer::Appended(appended.next().expect("`append` answers each of its batches"))
            }
            Operation::SaveMessage { .. } | Operation::Settle { .. } | Operation::Close => Answer::Done,
            Operation::Claim { owner, shares, lease, now } => {
                deliveries::claim(tx, owner, shares, now.after(*lease), *now).await?
            }
            Operation::ClaimRun { owner, first, limit, until } => {
                deliveries::claim_run(tx, owner, *first, *limit, *until).await?
            }
            Operation::Rest { tenant, target, key, until } => {
                deliveries::defer_target(tx, tenant, target, key, *until).await?
            }
            Operation::GiveBack { owner, ids } => deliveries::give_back(tx, owner, ids).await?,
            Operation::Release { owner } => deliveries::release(tx, owner).await?,
            Operation::Hasten { tenant, target, now } => {
                deliveries::retry_now(tx, tenant, target, *now).await?
            }
            Operation::Retry { tenant, id, now } => deliveries::retry(tx, tenant, *id, *now).await?,
            Operation::UseVersion { tenant, in_use, version, component } => {
                callbacks::use_version(tx, tenant, in_use, version, component).await?
            }
            Operation::RecordCall { tenant, call } => callbacks::record_call(tx, tenant, call).await?,
            Operation::CompleteBuild { tenant, build } => {
                completion::complete_build(tx, tenant, build).await?
            }
            Operation::AddToken { token, hash } => tokens::add(tx, token, hash).await?,
            Operation::RevokeToken { tenant, id } => tokens::revoke(tx, tenant, id).await?,
            Operation::RecordAudit { tenant, entry } => audit::note(tx, tenant, entry).await?,
            Operation::Log(part) => logs::upload(tx, part, options.max_log_bytes).await?,
            Operation::DiscardLog { log } => logs::discard(tx, *log).await?,
            Operation::Prune { retention, from, now } => prune::step(tx, retention, *from, *now).await?,
            Operation::Forget { tenant } => usage::delete_tenant_chunk(tx, tenant).await?,
            Operation::Ping => ping(tx).await?,
        });
    }
    if let Some(now) = prune {
        append::forget_requests(tx, now).await?;
        logs::discard_abandoned(tx).await?;
    }
    Ok(answers)
}

/// Writes a row that says nothing, since only a write proves that writing works.
async fn ping(tx: &mut SqliteConnection) -> Result<Answer, StoreError> {
    sqlx::query("UPDATE delivery_counts SET count = count WHERE state = 'waiting'").execute(tx).await?;
    Ok(Answer::Done)
}
