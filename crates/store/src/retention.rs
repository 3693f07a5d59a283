//! Retention: the terms by which old rows are pruned, and the progress of that walk.

use std::collections::BTreeMap;
use std::time::Duration;

use super::EventId;

/// Terms by which rows are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age at which rows go, if no waiting delivery needs them. None: they stay for ever.
    pub keep: Option<Duration>,
    /// Ages by tenant, in the place of `keep`.
    pub of: BTreeMap<String, Duration>,
    /// Number of finished builds of each builder that stay however old they are, because previous builds are looked for
    /// among them.
    pub builds: u32,
}

/// Progress of a walk through old rows. It begins at `default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneCursor {
    /// Part of the walk.
    pub(super) part: PrunePart,
    /// Last row of that part that was looked at.
    pub(super) after: i64,
}

/// The parts of a walk, in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PrunePart {
    /// Events, their deliveries, and changes, buildsets and requests that they brought.
    #[default]
    Events,
    /// Builds with their logs.
    Builds,
    /// Records for people: calls of callbacks, the audit log.
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

/// Numbers of rows that one step of a walk removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events.
    pub events: u64,
    /// Settled deliveries of these events, with their attempts.
    pub deliveries: u64,
    /// Changes that these events brought.
    pub changes: u64,
    /// Buildsets and build requests that these events brought.
    pub requests: u64,
    /// Builds with their logs.
    pub builds: u64,
    /// Kept calls of callbacks.
    pub calls: u64,
    /// Entries of the audit log.
    pub audit: u64,
    /// Cursor for the next step; none when the walk is over.
    pub next: Option<PruneCursor>,
}

impl Pruned {
    /// The numbers with the names of their kinds.
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
