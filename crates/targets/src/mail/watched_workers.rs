//! The workers that are missed when they are away (M-X-13).

use std::collections::BTreeSet;

use campanile_config::Reader;
use campanile_model::Worker;

/// Workers whose absence is told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum WatchedWorkers {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those named.
    Named(BTreeSet<String>),
}

impl WatchedWorkers {
    /// Reads `watched_workers`: `"all"`, or a list of names.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let Some(item) = reader.item("watched_workers") else { return Self::None };
        if item.as_text() == Some("all") {
            return Self::All;
        }
        let Some(items) = item.list() else {
            item.error("`watched_workers` must be \"all\" or a list of workers' names");
            return Self::None;
        };
        Self::Named(items.into_iter().filter_map(|item| item.text("watched_workers")).collect())
    }

    /// True if this one is missed.
    pub(super) fn includes(&self, worker: &Worker) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => names.contains(&worker.name),
        }
    }
}
