//! Targets of notifications: mail, IRC, Gerrit, commit statuses, HTTP pushes.
//!
//! A target decides what an event means for it and writes the bytes; it never retries, sleeps or keeps state between
//! deliveries. When to try again is the engine's business.
//!
//! Reading order: `target` (the trait), `fault` (reasons: a [`Fault`] of an attempt, a [`Silence`] for nothing being
//! sent), then any target's folder. These have the same files: `settings` reads the table, `decide` is the pure part
//! (whether something is said, and of what), `payload` the form that a delivery is stored in, `send` hands that over.
//! `http` is what those share that send by HTTP; `build_filter`, with `name_filter`, and `callback` are keys that several
//! tables have.
//!
//! Invariant: targets don't know each other, nor the engine, nor the store.

mod build_filter;
mod callback;
mod commit_status;
mod fault;
mod forward;
mod gerrit;
mod http;
pub mod irc;
pub mod mail;
mod name_filter;
mod payload;
mod push;
mod target;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use campanile_callbacks::{Callback, TemplateRenderer};
use campanile_config::{Problems, Reader, Settings};
use campanile_outbound::{Client, Outbound};

pub use fault::{Fault, FaultCode, FilterKey, Permanence, Scope, Silence};
pub use target::{
    Backoff, Bundle, Context, Outcome, Outgoing, Prepared, Queue, QueuePosition, ReloadState, SessionContext,
    Target, Wanted,
};

pub(crate) use fault::Decision;

/// The things that targets are made with, beside their own tables.
pub struct Parts<'a> {
    /// The settings that are no target's own.
    pub settings: &'a Settings,
    /// Callbacks by name. A target that names one that isn't there reports it.
    pub callbacks: &'a std::collections::BTreeMap<String, Callback>,
    /// The guarded client, through which everything goes that goes out.
    pub outbound: &'a Outbound,
    /// The renderer of templates.
    pub templates: &'a TemplateRenderer,
    /// The list that problems are added to.
    pub problems: &'a Problems,
}

impl Parts<'_> {
    /// Makes the HTTP client for a table, with its certificates; an error is noted.
    fn client(&self, reader: &Reader<'_>) -> Option<Client> {
        self.outbound.client_for(reader)
    }
}

/// Makes a target of a table, which is the n-th of its kind; none if it can't be made, and the errors are noted.
type TargetFactory = fn(&Reader<'_>, usize, &Parts<'_>) -> Option<Arc<dyn Target>>;

/// Every kind of target: its table and its factory. A new kind is one more line.
const KINDS: &[(&str, TargetFactory)] = &[
    ("bitbucket", commit_status::bitbucket_cloud::from_settings),
    ("bitbucket_server", commit_status::bitbucket_server::from_settings),
    ("bitbucket_server_comment", commit_status::bitbucket_server_comment::from_settings),
    ("forward", forward::from_settings),
    ("gerrit", gerrit::from_settings),
    ("gerrit_verify_status", gerrit::verify_status_from_settings),
    ("gitea", commit_status::gitea::from_settings),
    ("github", commit_status::github::from_settings),
    ("github_comment", commit_status::github_comment::from_settings),
    ("gitlab", commit_status::gitlab::from_settings),
    ("http_status_push", push::http_from_settings),
    ("irc", irc::from_settings),
    ("mail", mail::from_settings),
    ("status_push", push::status_push_from_settings),
];

/// Reads all targets of the settings, each with the name of its kind. One with an error is left out, and the error noted
/// (M-01).
#[must_use]
pub fn from_settings(root: &Reader<'_>, parts: &Parts<'_>) -> Vec<(&'static str, Arc<dyn Target>)> {
    let mut targets: Vec<(&'static str, Arc<dyn Target>)> = Vec::new();
    for (table, build) in KINDS {
        for (index, reader) in root.tables(table).into_iter().enumerate() {
            let target = build(&reader, index + 1, parts);
            if let Some(target) = target {
                if targets.iter().any(|(_, other)| other.name() == target.name()) {
                    reader.error(
                        "name",
                        format!("two targets are named `{}`: give each its own name", target.name()),
                    );
                } else {
                    targets.push((*table, target));
                }
            }
            reader.finish();
        }
    }
    targets
}
