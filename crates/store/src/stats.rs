//! What a store tells of itself, for those who watch over it.

use campanile_model::Timestamp;

/// How a store does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Transactions that have written since the start.
    pub transactions: u64,
    /// What they wrote for callers: appends, claims, settlements. Over `transactions` it is how many share one.
    pub operations: u64,
    /// Size of what is kept.
    pub bytes: u64,
    /// Of these, what removed rows have left for new ones.
    pub free_bytes: u64,
    /// What waits, by target. Those with nothing are left out.
    pub waiting: Vec<Waiting>,
}

/// What waits for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Whose it is.
    pub tenant: String,
    /// The target's name.
    pub target: String,
    /// How many deliveries.
    pub count: u64,
    /// When the oldest of them was made.
    pub oldest: Timestamp,
}
