//! The memory of pollers.

use std::collections::BTreeMap;

/// Memory of a poller, as keys and values of its own: for git, a revision for each branch.
pub type PollState = BTreeMap<String, String>;

/// Memory of a poller after a look, to be kept in the transaction that stores the changes found: none is taken twice or
/// lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The poller's name.
    pub poller: String,
    /// Source that it looked at; of another one nothing is known.
    pub source: String,
    /// Memory of that source.
    pub state: PollState,
}
