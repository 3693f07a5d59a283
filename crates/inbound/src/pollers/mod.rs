//! Pollers: repositories and feeds that are polled now and then, because nobody tells of their changes.
//!
//! A source is given the state that its last poll left, and gives the changes since then and a new state; the engine
//! keeps both in one transaction and decides when to poll (`engine::polling`). A kind of source is added by its file and
//! one line in [`KINDS`].
//!
//! Files: `schedule` (times), `program` (runs of `git` and `svn`), `git` with `git_branches`, `git_clone`,
//! `git_credentials` and `git_log`, `svn` with `svn_paths`, `atom` with `html`.
//!
//! Invariant: a source keeps nothing in memory between two polls, and never touches the store.

mod atom;
mod error;
mod git;
mod git_branches;
mod git_clone;
mod git_credentials;
mod git_log;
mod html;
mod program;
mod schedule;
mod svn;
mod svn_paths;

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use campanile_config::Reader;
use campanile_model::{Change, Timestamp};
use campanile_outbound::Outbound;
use campanile_store::PollState;

pub use error::PollError;
pub use schedule::Schedule;

/// A source of changes that can be polled.
#[async_trait]
pub trait ChangeSource: Send + Sync {
    /// Its identity: with another address everything is new to the poller.
    fn address(&self) -> &str;

    /// Polls once. `known` is the state of the last poll; none at the first one, which finds no changes but the state to
    /// start from.
    ///
    /// Cancel safe: a poll that is dropped leaves no process behind, and the next one finds the same.
    ///
    /// # Errors
    /// When the source can't be read; then all is as before.
    async fn poll(&self, known: Option<&PollState>, now: Timestamp) -> Result<PollResult, PollError>;
}

/// Result of a poll.
#[derive(Debug, Default, PartialEq)]
pub struct PollResult {
    /// New changes, oldest first.
    pub changes: Vec<Change>,
    /// State to poll from the next time.
    pub state: PollState,
    /// There is more, so that the next poll should be at once.
    pub more: bool,
    /// Remarks for the log, such as commits that could not be told.
    pub notes: Vec<String>,
}

/// A source with its name and schedule.
pub struct Poller {
    /// Unique among pollers: `name`, else the source's address (H-PO-02).
    pub name: String,
    /// Its name for logs, metrics and answers: an address may have a key in it, so it stands there as its host and a short
    /// hash (H-PO-10).
    pub label: String,
    /// Its times.
    pub schedule: Schedule,
    /// Its source.
    pub source: Box<dyn ChangeSource>,
    /// Wakes it for a poll now. Keeps one notice at most, so that several of them make one poll (H-PO-06).
    pub wake: Notify,
}

/// Fields of a poller's changes that the settings give, since the source doesn't know them.
#[derive(Clone, Debug, Default)]
struct Labels {
    project: String,
    category: Option<String>,
    codebase: String,
}

impl Labels {
    fn read(table: &Reader<'_>) -> Self {
        Self {
            project: table.text("project").unwrap_or_default(),
            category: table.text("category").filter(|category| !category.is_empty()),
            codebase: table.text("codebase").unwrap_or_default(),
        }
    }

    /// A change with these.
    fn change(&self) -> Change {
        Change {
            project: self.project.clone(),
            category: self.category.clone(),
            codebase: self.codebase.clone(),
            ..Change::default()
        }
    }
}

/// Makes a source of its table, noting what is wrong; none if it can't be made. `name` is the poller's, or none if it
/// goes by the source's address.
type SourceFactory = fn(&Reader<'_>, Option<&str>, &Outbound) -> Option<Box<dyn ChangeSource>>;

/// Every kind of poller: its table, its default interval in seconds, true if it runs a program, and the factory of its
/// source.
const KINDS: &[(&str, u64, bool, SourceFactory)] = &[
    ("git_poller", 600, true, git::from_settings),
    ("svn_poller", 600, true, svn::from_settings),
    ("googlecode_atom_poller", 3_600, false, atom::from_settings),
];

/// Host and short hash of an address: no user, no password, no path, no query.
fn label_of(address: &str) -> String {
    let url = url::Url::parse(address).ok();
    let of_url = url.as_ref().and_then(url::Url::host_str);
    // As `git@host:path`, which is no URL.
    let of_scp = || {
        let parts = address.split_once(':').filter(|(before, _)| !before.contains('/'));
        let (before, _) = parts.filter(|(_, behind)| !behind.starts_with("//"))?;
        Some(before.rsplit('@').next().unwrap_or(before))
    };
    let host = of_url.or_else(of_scp).filter(|host| !host.is_empty()).unwrap_or("here");
    let hash = hex::encode(Sha256::digest(address));
    format!("{host}-{}", hash.get(..8).unwrap_or(&hash))
}

/// Reads all pollers of the settings. One with an error is left out, and the error noted.
#[must_use]
pub fn from_settings(root: &Reader<'_>, outbound: &Outbound) -> Vec<Arc<Poller>> {
    let mut pollers: Vec<Arc<Poller>> = Vec::new();
    for (kind, interval, runs_program, build) in KINDS {
        let tables = root.tables(kind);
        // A program reaches whatever this machine reaches.
        if *runs_program && !tables.is_empty() && root.deny_to_tenants(kind, "it runs a program") {
            continue;
        }
        for table in tables {
            let name = table.text("name");
            let schedule = Schedule::read(&table, std::time::Duration::from_secs(*interval));
            let source = build(&table, name.as_deref(), outbound);
            if let Some(source) = source {
                let label = name.clone().unwrap_or_else(|| label_of(source.address()));
                let name = name.unwrap_or_else(|| source.address().to_owned());
                if pollers.iter().any(|other| other.name == name) {
                    table.error("name", format!("two pollers are named `{name}`: give each its own `name`"));
                } else {
                    pollers.push(Arc::new(Poller { name, label, schedule, source, wake: Notify::new() }));
                }
            }
            table.finish();
        }
    }
    pollers
}
