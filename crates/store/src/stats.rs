//! Figures of a store, for those who watch over it.

use campanile_model::Timestamp;

/// Figures of a store: the writer's since the start, the file's and the backlog's of this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions that have written since the start.
    pub transactions: u64,
    /// Operations that these were for: appends, claims, settlements. Over `transactions` it is how many share one.
    pub operations: u64,
    /// Size of the file in bytes, without its write-ahead log.
    pub bytes: u64,
    /// Bytes of these that removed rows have left for new ones.
    pub free_bytes: u64,
    /// Backlog of each target that has any, by tenant and target.
    pub waiting: Vec<TargetBacklog>,
}

/// Deliveries that wait for a target, leased or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetBacklog {
    /// Tenant whose target it is.
    pub tenant: String,
    /// The target's name.
    pub target: String,
    /// Number of deliveries.
    pub count: u64,
    /// Creation of the oldest of them; a retried one counts from its retry.
    pub oldest: Timestamp,
}
