//! What goes when it is old, and how far a walk through it has come.

use std::collections::BTreeMap;
use std::time::Duration;

use super::EventId;

/// What stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// What is older goes, if nothing that waits needs it. None: it stays for ever.
    pub keep: Option<Duration>,
    /// For these tenants this counts in its place.
    pub of: BTreeMap<String, Duration>,
    /// Of each builder so many finished builds stay that can be a previous build, however old they are.
    pub builds: u32,
}

/// How far a walk through what is old has come. It begins at `default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneCursor {
    pub(super) part: PrunePart,
    /// Rows up to this one were looked at.
    pub(super) after: i64,
}

/// The parts of a walk, in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PrunePart {
    /// Events, their deliveries, and what they told of beside builds.
    #[default]
    Events,
    /// Builds with their logs.
    Builds,
    /// What was kept for people: calls, and what was asked of the CI.
    Records,
}

impl PruneCursor {
    pub(super) fn events(after: EventId) -> Self {
        Self { part: PrunePart::Events, after }
    }

    pub(super) fn builds(after: i64) -> Self {
        Self { part: PrunePart::Builds, after }
    }

    pub(super) fn records() -> Self {
        Self { part: PrunePart::Records, after: 0 }
    }
}

/// What one step of a walk removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events.
    pub events: u64,
    /// Settled deliveries of these events, with their attempts.
    pub deliveries: u64,
    /// Changes that these events told of.
    pub changes: u64,
    /// Buildsets and build requests that these events told of.
    pub requests: u64,
    /// Builds with their logs.
    pub builds: u64,
    /// Kept calls of callbacks.
    pub calls: u64,
    /// Entries of the audit log.
    pub audit: u64,
    /// Where to go on; none when the walk is over.
    pub next: Option<PruneCursor>,
}

impl Pruned {
    /// The rows of each kind.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, u64); 7] {
        [
            ("events", self.events),
            ("deliveries", self.deliveries),
            ("changes", self.changes),
            ("requests", self.requests),
            ("builds", self.builds),
            ("calls", self.calls),
            ("audit", self.audit),
        ]
    }
}
