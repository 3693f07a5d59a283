//! What is kept: events, what they project to, logs, and deliveries with their leases.
//!
//! `Store` is the whole contract; `sqlite` is the embedded one. Transactions are methods: no caller holds a
//! connection.
//!
//! Invariant: knows nothing of targets, callbacks or HTTP. Who wants an event is decided before it comes here.

mod audit;
mod callbacks;
#[cfg(test)]
mod conformance;
mod delivery;
#[cfg(test)]
mod delivery_rules;
mod poll;
mod query;
#[cfg(test)]
mod queue_rules;
mod retention;
#[cfg(test)]
mod retention_rules;
pub mod sqlite;
mod stats;
mod tokens;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use campanile_model::{Build, BuildId, Builder, Buildset, Change, Event, LogRef, Timestamp, TraceContext};

pub use audit::AuditEntry;
pub use callbacks::{CallEntry, InUse, KeptVersion};
pub use delivery::{
    Attempt, Delivery, DeliveryId, DeliveryState, Dropped, NewDelivery, Place, Queue, Settlement,
};
pub use poll::{PollState, Seen};
pub use query::{BuildQuery, DeliveryQuery, Page};
pub use retention::{PruneCursor, Pruned, Retention};
pub use sqlite::{SqliteStore, StoreOptions};
pub use stats::{StoreStats, Waiting};
pub use tokens::{Role, Token, TokenHash};

/// Identity of a stored event.
pub type EventId = i64;

/// How many deliveries of each tenant may be taken; none of those that are not named.
pub type ClaimQuota = BTreeMap<String, u32>;

/// An event on its way in, with the deliveries that it leads to.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What happened.
    pub event: Event,
    /// One for each target that wants it.
    pub deliveries: Vec<NewDelivery>,
}

/// What a request brings: all of it is stored, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In the order of happening.
    pub events: Vec<NewEvent>,
    /// The sender's own name for this request: a second one with the same name within 24 h stores nothing (H-XALL-01).
    pub dedup_key: Option<String>,
    /// The trace that these belong to.
    pub trace: Option<TraceContext>,
    /// What a poller has seen after the look that found these events.
    pub seen: Option<Seen>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable. The ids stand in the order of the batch; `None` for an event that repeats a known fact.
    Stored {
        /// Ids of the stored events.
        ids: Vec<Option<EventId>>,
        /// What had to make room in queues.
        dropped: Vec<Dropped>,
    },
    /// The same request was stored before.
    Duplicate,
}

/// A builder and what its builds come to.
#[derive(Clone, Debug, PartialEq)]
pub struct BuilderRow {
    /// The builder itself.
    pub builder: Builder,
    /// Number of its newest build, if it has one.
    pub last_build: Option<u64>,
}

/// What went wrong with the store, in its callers' words.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be opened.
    #[error("cannot open the store `{url}`: {reason}")]
    Open {
        /// As in the settings.
        url: String,
        /// What the database said.
        reason: String,
    },
    /// A statement failed.
    #[error("the store failed: {0}")]
    Database(#[from] sqlx::Error),
    /// What was read is not what was written.
    #[error("the store holds {what} that cannot be read: {source}")]
    Corrupt {
        /// Which row.
        what: String,
        /// Why it cannot be read.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A log has no build.
    #[error("there is no build {0}; send buildStarted or buildFinished first")]
    NoSuchBuild(BuildId),
    /// The store takes nothing more, because it is shutting down.
    #[error("the store is closed")]
    Closed,
}

/// Reads a payload that a store wrote.
fn parse<T: serde::de::DeserializeOwned>(what: &str, data: &str) -> Result<T, StoreError> {
    serde_json::from_str(data)
        .map_err(|error| StoreError::Corrupt { what: what.to_owned(), source: error.into() })
}

/// A log that is being uploaded; nothing of it is visible before `finish`.
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

/// Everything that is kept, for all tenants. Every method is one transaction at most.
#[async_trait]
pub trait Store: Send + Sync {
    /// Stores a batch, its projection and its deliveries in one transaction, and returns when that is durable.
    /// Change numbers are given here, in order. A second `buildFinished` of a build is a repeated fact and makes no
    /// deliveries (M-EV-04); the first one is completed with what was known of the build before.
    async fn append(&self, tenant: &str, batch: Batch, now: Timestamp) -> Result<Appended, StoreError>;

    /// What a poller has seen at a source; none if it never looked there.
    async fn seen(&self, tenant: &str, poller: &str, source: &str) -> Result<Option<PollState>, StoreError>;

    /// The event with this id.
    async fn event(&self, tenant: &str, id: EventId) -> Result<Option<Event>, StoreError>;

    /// Builders sorted by name, naturally (M-BLD-08).
    async fn builders(&self, tenant: &str) -> Result<Vec<BuilderRow>, StoreError>;
    /// Builds, newest first.
    async fn builds(&self, tenant: &str, query: &BuildQuery) -> Result<Vec<Build>, StoreError>;
    /// One build with its steps and the sizes of its logs.
    async fn build(&self, tenant: &str, id: &BuildId) -> Result<Option<Build>, StoreError>;
    /// Completes a known build with what another telling of it has ([`Build::fill_from`]); nothing else of it changes.
    async fn complete_build(&self, tenant: &str, build: &Build) -> Result<(), StoreError>;
    /// Finished builds of the same builder with a lower number, newest first, RETRY left out (M-18), at most `limit`.
    async fn earlier_builds(
        &self,
        tenant: &str,
        before: &BuildId,
        limit: u32,
    ) -> Result<Vec<Build>, StoreError>;
    /// Builds of a builder that have not finished, lowest number first.
    async fn running_builds(&self, tenant: &str, builder: &str) -> Result<Vec<Build>, StoreError>;
    /// Finished builds of a buildset: by their first request, then by number (M-22).
    async fn builds_of_buildset(&self, tenant: &str, bsid: u64) -> Result<Vec<Build>, StoreError>;
    /// A buildset as it was last told of.
    async fn buildset(&self, tenant: &str, bsid: u64) -> Result<Option<Buildset>, StoreError>;
    /// The newest events that people may have been told of and that are about `subject`, as deliveries show it.
    async fn events_about(&self, tenant: &str, subject: &str, limit: u32)
    -> Result<Vec<EventId>, StoreError>;
    /// Changes, newest first.
    async fn changes(&self, tenant: &str, page: Page) -> Result<Vec<Change>, StoreError>;

    /// Begins an upload of a raw log. The build must be known.
    async fn write_log(&self, tenant: &str, log: &LogRef) -> Result<Box<dyn LogWriter>, StoreError>;
    /// The last `lines` lines of a log without header lines, at most `max_bytes`; none if there is no such log.
    async fn log_tail(
        &self,
        tenant: &str,
        log: &LogRef,
        lines: u32,
        max_bytes: usize,
    ) -> Result<Option<String>, StoreError>;
    /// At most `limit` bytes of a log (without header lines) from byte `offset` on; none if there is no such log.
    async fn log_read(
        &self,
        tenant: &str,
        log: &LogRef,
        offset: u64,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// Takes due deliveries under a lease of `lease` for `owner`, as many of each tenant as its share is. A delivery
    /// whose ordering key has an older unsettled one is not due. A lease that ran out is taken over.
    async fn claim(
        &self,
        owner: &str,
        shares: &ClaimQuota,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Takes those that wait right behind a claimed delivery in its ordering key, up to `limit` in their order, under
    /// a lease like its own: they go out together with it. None if it has no key.
    async fn claim_run(
        &self,
        owner: &str,
        first: DeliveryId,
        limit: u32,
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError>;
    /// Lets what waits for a target rest: the oldest that nobody has leased is not due before `until`.
    async fn defer_target(
        &self,
        tenant: &str,
        target: &str,
        key: &str,
        until: Timestamp,
    ) -> Result<(), StoreError>;
    /// Gives back deliveries that `owner` has leased and did nothing about: they are due as they were before.
    async fn give_back(&self, owner: &str, ids: &[DeliveryId]) -> Result<(), StoreError>;
    /// Keeps the prepared bytes, and which callback version wrote them: every later attempt sends just these.
    async fn save_message(
        &self,
        id: DeliveryId,
        message: &[u8],
        version: Option<&str>,
    ) -> Result<(), StoreError>;
    /// Notes what an attempt, or the decision not to make one, came to, and gives the lease back.
    async fn settle(&self, id: DeliveryId, settlement: Settlement, now: Timestamp) -> Result<(), StoreError>;
    /// Gives back all leases of `owner`, as at a clean stop, or at a start under the same name.
    async fn release(&self, owner: &str) -> Result<(), StoreError>;
    /// When the next waiting delivery of each tenant is due, for those that have any.
    async fn due(&self) -> Result<Vec<(String, Timestamp)>, StoreError>;

    /// Deliveries, newest first.
    async fn deliveries(&self, tenant: &str, query: &DeliveryQuery) -> Result<Vec<Delivery>, StoreError>;
    /// One delivery with all its attempts, oldest first.
    async fn delivery(
        &self,
        tenant: &str,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError>;
    /// Makes a dead or delivered one wait again, due now, with its age counted from now. False if there is none such.
    async fn retry(&self, tenant: &str, id: DeliveryId, now: Timestamp) -> Result<bool, StoreError>;
    /// Makes what waits for a target due now: its far side is back.
    async fn retry_now(&self, tenant: &str, target: &str, now: Timestamp) -> Result<(), StoreError>;
    /// How many deliveries are in each state, over all tenants.
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
    /// Which versions of a tenant's callbacks are in use.
    async fn versions_in_use(&self, tenant: &str) -> Result<Vec<InUse>, StoreError>;
    /// Kept versions of a callback, the one that was put to use last first.
    async fn versions(&self, tenant: &str, callback: &str) -> Result<Vec<KeptVersion>, StoreError>;
    /// The component of a kept version.
    async fn component(
        &self,
        tenant: &str,
        callback: &str,
        digest: &str,
    ) -> Result<Option<Vec<u8>>, StoreError>;
    /// Keeps a call. Returns at once; under overload the entry may be lost.
    fn record_call(&self, tenant: &str, call: CallEntry);
    /// Kept calls of a callback with ids above `after`, oldest first; of more than `limit` the newest.
    async fn calls(
        &self,
        tenant: &str,
        callback: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, CallEntry)>, StoreError>;

    /// Keeps who asked the CI for what.
    async fn record_audit(&self, tenant: &str, entry: AuditEntry) -> Result<(), StoreError>;
    /// What was asked of the CI, with its id, newest first; `page.before` is an id.
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

    /// How many events of a tenant were taken in since a moment that is not long ago.
    async fn events_since(&self, tenant: &str, since: Timestamp) -> Result<u64, StoreError>;
    /// Bytes of a tenant's events, messages, logs and components. Costs a look at each of them.
    async fn stored_bytes(&self, tenant: &str) -> Result<u64, StoreError>;
    /// Removes some of all that is kept of a tenant, its tokens first. False when nothing is left.
    async fn delete_tenant_chunk(&self, tenant: &str) -> Result<bool, StoreError>;

    /// How it does, for metrics. Costs a look at each waiting delivery.
    async fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Keeps a new token by its hash.
    async fn add_token(&self, token: &Token, hash: TokenHash) -> Result<(), StoreError>;
    /// All tokens of all tenants, oldest first, also those that have ended.
    async fn tokens(&self) -> Result<Vec<(Token, TokenHash)>, StoreError>;
    /// Forgets a token. False if there is none such.
    async fn revoke_token(&self, tenant: &str, id: &str) -> Result<bool, StoreError>;

    /// Fails when the store cannot be written to.
    async fn ping(&self) -> Result<(), StoreError>;
    /// Finishes what is under way and closes.
    async fn close(&self);
}
