//! The store: events, their projection to builds and changes, logs, and deliveries with their leases.
//!
//! # Layout
//! [`Store`] is the contract, in the words of its callers; `conformance` and the `*_rules` beside it are the tests that
//! each store passes. [`sqlite`] is the embedded one. Transactions are methods: no caller holds a connection.
//!
//! # Cancellation
//! A call that writes hands its work to the writer: dropped before its end, the work may be done or not, but whole.
//!
//! Invariant: knows nothing of targets, callbacks or HTTP. Who wants an event is decided before it comes here.

mod audit;
mod callbacks;
mod claim;
#[cfg(test)]
mod conformance;
mod delivery;
#[cfg(test)]
mod delivery_rules;
mod error;
mod interrupted;
mod poll;
mod query;
#[cfg(test)]
mod queue_rules;
#[cfg(test)]
mod recovery_rules;
mod retention;
#[cfg(test)]
mod retention_rules;
pub mod sqlite;
#[cfg(test)]
mod start_rules;
mod stats;
mod tokens;

use std::time::Duration;

use async_trait::async_trait;

use campanile_model::{Build, BuildId, Builder, Buildset, Change, Event, LogRef, Timestamp, TraceContext};

pub use audit::AuditEntry;
pub use callbacks::{CallEntry, InUse, KeptVersion};
pub use claim::{ClaimQuota, TargetDue, TenantQuota};
pub use delivery::{
    Attempt, Delivery, DeliveryId, DeliveryState, Dropped, Lease, NewDelivery, Predecessor, Queue,
    QueuePosition, Settlement, Standing, Wait,
};
pub use error::StoreError;
pub use interrupted::{POISON, Poisoned, TakenOver};
pub use poll::{PollState, Seen};
pub use query::{BuildQuery, DeliveryQuery, Page};
pub use retention::{PruneCursor, Pruned, Retention};
pub use sqlite::{SqliteStore, StoreOptions};
pub use stats::{StoreStats, TargetBacklog};
pub use tokens::{Role, Token, TokenHash};

/// Identity of a stored event. A later event has a greater one, and none is given twice.
pub type EventId = i64;

/// An event on its way in, with the deliveries that it leads to.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event.
    pub event: Event,
    /// Deliveries, one for each target that wants the event.
    pub deliveries: Vec<NewDelivery>,
}

/// Events of one request or one look of a poller: all of them are stored, or none.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events in the order of happening.
    pub events: Vec<NewEvent>,
    /// Idempotency key of the sender: a second batch with the same one within 24 h stores nothing (H-XALL-01).
    pub dedup_key: Option<String>,
    /// Trace that they belong to.
    pub trace: Option<TraceContext>,
    /// Memory of the poller that found them.
    pub seen: Option<Seen>,
}

/// Result of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The batch is durable.
    Stored {
        /// Ids in the order of the batch; `None` for an event that repeats a known fact.
        ids: Vec<Option<EventId>>,
        /// Deliveries that the events lead to, in their order.
        deliveries: Vec<StoredDelivery>,
        /// Deliveries that had to make room in queues.
        dropped: Vec<Dropped>,
    },
    /// A batch with this key was stored before.
    Duplicate,
}

/// A delivery as it was just stored: it waits to be prepared and sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct StoredDelivery {
    /// Identity.
    pub id: DeliveryId,
    /// Event that it tells of.
    pub event: EventId,
    /// Name of the target.
    pub target: String,
}

/// A builder with the number of its newest build.
#[derive(Clone, Debug, PartialEq)]
pub struct BuilderRow {
    /// The builder itself.
    pub builder: Builder,
    /// Number of its newest build, if it has one.
    pub last_build: Option<u64>,
}

/// The builds of a run, and the place of its builder's next one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Highest number that the builder has given.
    pub last: Option<u64>,
    /// Those that have not finished before those that have, each newest first.
    pub builds: Vec<Build>,
}

/// Parses a payload that a store wrote.
fn parse<T: serde::de::DeserializeOwned>(what: &str, data: &str) -> Result<T, StoreError> {
    serde_json::from_str(data)
        .map_err(|error| StoreError::Corrupt { what: what.to_owned(), source: error.into() })
}

/// A log that is being uploaded; nothing of it is visible before `finish`. Dropped before that, it leaves nothing.
#[async_trait]
pub trait LogWriter: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the store fails; the upload is then as if it had never begun.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Makes the log visible and durable; a log of that name is replaced. Returns lines and bytes kept.
    ///
    /// # Errors
    /// When the store fails; the upload is then as if it had never begun.
    async fn finish(self: Box<Self>) -> Result<(u64, u64), StoreError>;
}

/// Everything that is kept, for all tenants. Every method is one transaction at most; what a method that writes returns
/// is durable. Each fails with [`StoreError::Closed`] after `close`.
#[async_trait]
pub trait Store: Send + Sync {
    /// Stores a batch, its projection and its deliveries in one transaction, and returns when that is durable.
    /// Change numbers are given here, in order. A second `buildFinished` of a build is a repeated fact and makes no
    /// deliveries (M-EV-04); the first one is completed with what was known of the build before.
    async fn append(&self, tenant: &str, batch: Batch, now: Timestamp) -> Result<Appended, StoreError>;

    /// Reads the memory of a poller; none if it never looked at this source, or has looked at another one since.
    async fn seen(&self, tenant: &str, poller: &str, source: &str) -> Result<Option<PollState>, StoreError>;

    /// Reads an event; a finished build in it has the logs that came since.
    async fn event(&self, tenant: &str, id: EventId) -> Result<Option<Event>, StoreError>;

    /// Lists builders by name in natural order (M-BLD-08).
    async fn builders(&self, tenant: &str) -> Result<Vec<BuilderRow>, StoreError>;
    /// Lists builds, newest first, with their steps and the sizes of their logs.
    async fn builds(&self, tenant: &str, query: &BuildQuery) -> Result<Vec<Build>, StoreError>;
    /// Reads a build with its steps and the sizes of its logs.
    async fn build(&self, tenant: &str, id: &BuildId) -> Result<Option<Build>, StoreError>;
    /// Completes a known build with what another telling of it has ([`Build::fill_from`]); nothing else of it changes.
    async fn complete_build(&self, tenant: &str, build: &Build) -> Result<(), StoreError>;
    /// Lists finished builds of the same builder with a lower number, newest first, RETRY left out (M-18), at most `limit`.
    async fn earlier_builds(
        &self,
        tenant: &str,
        before: &BuildId,
        limit: u32,
    ) -> Result<Vec<Build>, StoreError>;
    /// Lists builds of a builder that have not finished, lowest number first.
    async fn running_builds(&self, tenant: &str, builder: &str) -> Result<Vec<Build>, StoreError>;
    /// Looks for the builds of a run: those of a builder whose property has this text, among the newest thousand that have
    /// not finished and the newest twenty that have; and for the highest number that the builder has given.
    async fn run(&self, tenant: &str, builder: &str, property: &str, text: &str) -> Result<Run, StoreError>;
    /// Lists finished builds of a buildset by their first request, then by number (M-22).
    async fn builds_of_buildset(&self, tenant: &str, bsid: u64) -> Result<Vec<Build>, StoreError>;
    /// Reads a buildset as it was last told of.
    async fn buildset(&self, tenant: &str, bsid: u64) -> Result<Option<Buildset>, StoreError>;
    /// Lists the newest events that people may have been told of and that are about `subject`, as deliveries show it.
    async fn events_about(&self, tenant: &str, subject: &str, limit: u32)
    -> Result<Vec<EventId>, StoreError>;
    /// Lists changes, newest first; `page.before` is a number.
    async fn changes(&self, tenant: &str, page: Page) -> Result<Vec<Change>, StoreError>;
    /// Lists changes to a revision, newest first, at most `limit`. The first digits of a hash, seven or more, stand for it.
    async fn changes_to(&self, tenant: &str, revision: &str, limit: u32) -> Result<Vec<Change>, StoreError>;
    /// Lists the change of a number and those that were told of together with it, in one batch, and before it; newest
    /// first, at most `limit`.
    async fn changes_told_with(
        &self,
        tenant: &str,
        number: u64,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError>;
    /// Gives a known build the changes that this telling of it has ([`Build::take_changes`]), and keeps the rule by which
    /// they are its.
    async fn set_changes(&self, tenant: &str, build: &Build, rule: &str) -> Result<(), StoreError>;
    /// Reads the rule by which a build has changes that were not told with it; none if they were, or it has none.
    async fn changes_rule(&self, tenant: &str, id: &BuildId) -> Result<Option<String>, StoreError>;

    /// Begins an upload of a raw log.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBuild`] when nobody has told of the build.
    async fn write_log(&self, tenant: &str, log: &LogRef) -> Result<Box<dyn LogWriter>, StoreError>;
    /// Reads the last `lines` lines of a log without header lines, at most `max_bytes`; none if there is no such log.
    async fn log_tail(
        &self,
        tenant: &str,
        log: &LogRef,
        lines: u32,
        max_bytes: usize,
    ) -> Result<Option<String>, StoreError>;
    /// Reads at most `limit` bytes of a log (without header lines) from byte `offset` on; none if there is no such log.
    async fn log_read(
        &self,
        tenant: &str,
        log: &LogRef,
        offset: u64,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// Claims due deliveries for `owner` under a lease of `lease`, as many of each target as its quota is, in the order of
    /// their ids. A delivery whose ordering key has an older unsettled one is not due. A lease that ran out is taken over:
    /// its delivery goes out twice if the first owner is still at it, so whoever is at it renews the lease.
    async fn claim(
        &self,
        owner: &str,
        quotas: &ClaimQuota,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Claims those that wait right behind a claimed delivery in its ordering key, up to `limit` in their order, under
    /// a lease like its own: they go out in one batch with it. None if it has no key.
    async fn claim_run(
        &self,
        owner: &str,
        first: &Lease,
        limit: u32,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Defers deliveries of a target's ordering key: the oldest that nobody has leased is not due before `until`, and those
    /// behind it wait for it.
    async fn defer_target(
        &self,
        tenant: &str,
        target: &str,
        key: &str,
        until: Timestamp,
    ) -> Result<(), StoreError>;
    /// Ends leases under which no attempt was made: their deliveries are due as they were before. Those that were lost
    /// are passed over.
    async fn release_unattempted(&self, leases: &[Lease]) -> Result<(), StoreError>;
    /// Keeps the prepared bytes, and the digest of the callback version that wrote them: every later attempt sends just
    /// these.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when the lease was lost: then somebody else sends another message, or none.
    async fn save_message(
        &self,
        lease: &Lease,
        message: &[u8],
        version: Option<&str>,
    ) -> Result<(), StoreError>;
    /// Records the result of an attempt, or of the decision not to make one, and ends the lease. Of a lease that was lost
    /// the attempt is listed, and the delivery stays as it is. May be asked again when nobody knows if it was done: the
    /// attempt is listed once.
    async fn settle(&self, lease: &Lease, settlement: Settlement, now: Timestamp) -> Result<(), StoreError>;
    /// Releases all leases of `owner`, as at a clean stop. Costs a look at each waiting delivery.
    async fn release(&self, owner: &str) -> Result<(), StoreError>;
    /// Releases all leases of an earlier run of `owner`, which died under them, at a start under the same name. What it was
    /// at when it died for the second time is set aside as dead, with the code [`POISON`]. Costs a look at each waiting
    /// delivery.
    async fn take_over(&self, owner: &str, now: Timestamp) -> Result<TakenOver, StoreError>;
    /// Notes that the attempt at a suspect begins: should this run die before the delivery is settled or cleared, it died
    /// of it. One at a time, or the innocent are blamed too.
    async fn begin_suspect(&self, lease: &Lease) -> Result<(), StoreError>;
    /// Notes that a delivery is not what an earlier run died of.
    async fn clear_suspect(&self, lease: &Lease) -> Result<(), StoreError>;
    /// Notes that loading this version of a tenant's settings begins. Returns how often that has begun, with this one,
    /// and not ended since.
    async fn begin_load(&self, tenant: &str, version: &str) -> Result<u64, StoreError>;
    /// Notes that loading a tenant's settings has ended, well or not.
    async fn end_load(&self, tenant: &str) -> Result<(), StoreError>;
    /// Extends leases to `time` from now. Returns the deliveries of those that still count, in any order: the others
    /// were ended or taken over.
    async fn renew(
        &self,
        leases: &[Lease],
        time: Duration,
        now: Timestamp,
    ) -> Result<Vec<DeliveryId>, StoreError>;
    /// Lists the targets that deliveries wait for, with the time at which the next one of each is due.
    async fn due(&self) -> Result<Vec<TargetDue>, StoreError>;

    /// Lists deliveries, newest first, without their messages.
    async fn deliveries(&self, tenant: &str, query: &DeliveryQuery) -> Result<Vec<Delivery>, StoreError>;
    /// Reads a delivery with all its attempts, oldest first.
    async fn delivery(
        &self,
        tenant: &str,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError>;
    /// Reads where deliveries stand, in any order; those that are not there are left out.
    async fn standings(&self, tenant: &str, ids: &[DeliveryId]) -> Result<Vec<Standing>, StoreError>;
    /// Lists the ids of deliveries, oldest first.
    async fn delivery_ids(&self, tenant: &str, query: &DeliveryQuery) -> Result<Vec<DeliveryId>, StoreError>;
    /// Makes deliveries due, each so long after `now`: dead and delivered ones wait again, with
    /// their age counted from now; waiting ones are hurried. Silent ones, and those that are leased, stay as they are.
    /// Returns the number of the others.
    async fn retry(
        &self,
        tenant: &str,
        ids: &[(DeliveryId, Duration)],
        now: Timestamp,
    ) -> Result<u64, StoreError>;
    /// Makes the oldest `most` due that wait for a target's far side and are neither due nor leased, one every `spacing` in
    /// their order: it is back. What waits for a time of its own stays. Returns the number of them.
    async fn retry_now(
        &self,
        tenant: &str,
        target: &str,
        most: u32,
        spacing: Duration,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
    /// Ends deliveries that wait and are not leased as silent, with the code `dropped` and this text. Returns the number
    /// of them.
    async fn drop_waiting(&self, tenant: &str, ids: &[DeliveryId], text: &str) -> Result<u64, StoreError>;
    /// Notes that a target is gone for which something waits, and returns since when that is known.
    async fn orphaned_since(
        &self,
        tenant: &str,
        target: &str,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError>;
    /// Forgets that targets were gone that are there again. Returns those of these that were.
    async fn adopt(&self, tenant: &str, targets: &[String]) -> Result<Vec<String>, StoreError>;
    /// Notes that an engine is at work. `shift`, in microseconds, is added to all times of what waits: the clock that
    /// they are kept in has been set.
    async fn tick(&self, shift: i64, now: Timestamp) -> Result<(), StoreError>;
    /// Reads when an engine was last at work; none if none was.
    async fn last_tick(&self) -> Result<Option<Timestamp>, StoreError>;
    /// Counts deliveries by state, over all tenants. Costs nothing: the counts are kept.
    async fn delivery_counts(&self) -> Result<Vec<(DeliveryState, u64)>, StoreError>;

    /// Keeps a callback's component and makes it the version in use, in one transaction. Of many versions the ones
    /// that were used last are kept.
    async fn use_version(
        &self,
        tenant: &str,
        in_use: InUse,
        version: KeptVersion,
        component: Vec<u8>,
    ) -> Result<(), StoreError>;
    /// Lists the versions of a tenant's callbacks that are in use.
    async fn versions_in_use(&self, tenant: &str) -> Result<Vec<InUse>, StoreError>;
    /// Lists kept versions of a callback, the one that was put to use last first.
    async fn versions(&self, tenant: &str, callback: &str) -> Result<Vec<KeptVersion>, StoreError>;
    /// Reads the component of a kept version.
    async fn component(
        &self,
        tenant: &str,
        callback: &str,
        digest: &str,
    ) -> Result<Option<Vec<u8>>, StoreError>;
    /// Records a call. Returns at once; under overload the entry may be lost.
    fn record_call(&self, tenant: &str, call: CallEntry);
    /// Lists kept calls of a callback with ids above `after`, oldest first; of more than `limit` the newest.
    async fn calls(
        &self,
        tenant: &str,
        callback: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, CallEntry)>, StoreError>;

    /// Records a request to the CI.
    async fn record_audit(&self, tenant: &str, entry: AuditEntry) -> Result<(), StoreError>;
    /// Lists requests to the CI with their ids, newest first; `page.before` is an id.
    async fn audit(&self, tenant: &str, page: Page) -> Result<Vec<(i64, AuditEntry)>, StoreError>;

    /// Removes some of what is older than `retention` keeps, for all tenants: a bounded number of rows, so that nobody
    /// waits long behind it. Begin with `PruneCursor::default()` and go on with `next` until there is none. What waiting
    /// deliveries need stays, builds that run or that previous builds are looked for among stay, and versions of
    /// callbacks are not touched.
    async fn prune(
        &self,
        retention: &Retention,
        from: PruneCursor,
        now: Timestamp,
    ) -> Result<Pruned, StoreError>;

    /// Counts events of a tenant since a moment. Costs a look at each of them, so it should not be long ago.
    async fn events_since(&self, tenant: &str, since: Timestamp) -> Result<u64, StoreError>;
    /// Sums up the bytes of a tenant's events, changes, messages, logs, components, records of calls and of requests to the
    /// CI, and idempotency keys. Costs a look at each of them.
    async fn stored_bytes(&self, tenant: &str) -> Result<u64, StoreError>;
    /// Removes a bounded part of all that is kept of a tenant, its tokens first. False when nothing is left.
    async fn delete_tenant_chunk(&self, tenant: &str) -> Result<bool, StoreError>;

    /// Reads figures for metrics. Costs a look at each waiting delivery.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Adds a token by its hash.
    async fn add_token(&self, token: &Token, hash: TokenHash) -> Result<(), StoreError>;
    /// Lists the tokens of all tenants, oldest first, also those that have ended.
    async fn tokens(&self) -> Result<Vec<(Token, TokenHash)>, StoreError>;
    /// Removes a token. False if there is none such.
    async fn revoke_token(&self, tenant: &str, id: &str) -> Result<bool, StoreError>;

    /// Fails when the store cannot be written to.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Waits until nothing can be written any more: after `close`, or because the writer has ended. Cancel safe.
    async fn ended(&self);
    /// Finishes what is under way and closes.
    async fn close(&self);
}
