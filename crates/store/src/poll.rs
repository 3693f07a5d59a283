//! What a poller has seen.

use std::collections::BTreeMap;

/// What a poller has seen; which keys there are is the poller's own business.
pub type PollState = BTreeMap<String, String>;

/// What a poller has seen after a look, to be kept in the transaction that stores what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The poller's name.
    pub poller: String,
    /// What it looked at.
    pub source: String,
    /// What it has seen there.
    pub state: PollState,
}
