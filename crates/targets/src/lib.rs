//! Places that notifications go to: the trait that all of them are, and the list of them.
//!
//! A target decides what an event means for it and writes the bytes; it never retries, sleeps or keeps state between
//! deliveries. When to try again is the engine's business.
//!
//! Invariant: targets don't know each other, nor the engine, nor the store.

mod build_filter;
mod callback;
pub mod commit_status;
mod fault;
mod forward;
pub mod gerrit;
pub mod http_outcome;
pub mod irc;
pub mod mail;
mod payload;
pub mod push;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use campanile_callbacks::{Callback, Caller, Status};
use campanile_ci::control::Control;
use campanile_config::{Problems, Reader, Settings};
use campanile_model::{Builder, Event, Timestamp};
use campanile_outbound::{Client, Outbound};

pub use fault::{Fault, FaultCode, Permanence, Silence};

/// What an event that concerns a target must stay in order with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Deliveries of this target with the same key go out one at a time and in order.
    pub ordering_key: Option<String>,
    /// When what waits for the target is a queue of its own, with one ordering key for all.
    pub queue: Option<Queue>,
}

impl Wanted {
    /// In order with all that has the same key.
    #[must_use]
    pub fn in_order(key: impl Into<String>) -> Self {
        Self { ordering_key: Some(key.into()), queue: None }
    }
}

/// A queue of a target's own: numbered over restarts, and bounded: of too many the oldest are dropped, and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many may wait, at least 1.
    pub max: u32,
    /// So long a new one waits for company.
    pub delay: Duration,
}

/// Where in its target's queue a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1, and one more for each that was added.
    pub number: u64,
    /// When number 1 was added.
    pub started: Timestamp,
}

/// How a target's failed deliveries are tried again, where that is not as everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure; each further delay is twice the last, give or take a fifth.
    pub first: Duration,
    /// No delay is longer.
    pub longest: Duration,
}

/// What a target may ask while it prepares.
pub struct Context {
    /// On whose behalf callbacks are called; its `status` has the tenant's builds and logs.
    pub caller: Caller,
    /// The time of day.
    pub now: Timestamp,
    /// Where in the target's queue the delivery stands, if it has one.
    pub place: Option<Place>,
    /// When the delivery's event came in.
    pub created: Timestamp,
}

/// What preparing came to.
#[derive(Debug)]
pub enum Prepared {
    /// Bytes to keep and to send; their form is the target's own.
    Message {
        /// The bytes.
        message: Vec<u8>,
        /// Digest of the callback version that wrote it, if one did.
        version: Option<String>,
    },
    /// Nothing is to be sent, for this reason.
    Silent(Silence),
}

/// What became of an attempt.
#[derive(Debug)]
pub enum Outcome {
    /// The far side took it over; its answer, for people.
    Delivered(String),
    /// It took it over for some of the recipients and refused the others for good.
    Partial {
        /// Its answer, for people.
        receipt: String,
        /// Who was refused and why, each in a sentence.
        refused: Vec<String>,
    },
    /// Part of it went out and must not go out again: try later with these bytes instead.
    Remainder {
        /// The message for what is left.
        message: Vec<u8>,
        /// Why something is left.
        fault: Fault,
        /// The far side asked to be left alone until then.
        not_before: Option<Timestamp>,
    },
    /// Not now.
    Deferred {
        /// Why not.
        fault: Fault,
        /// The far side asked to be left alone until then.
        not_before: Option<Timestamp>,
    },
    /// Never: trying again cannot help.
    Refused(Fault),
    /// By now there is nothing to be said any more, for this reason.
    Silent(Silence),
}

/// A message to hand over.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// As `prepare` wrote it.
    pub message: &'a [u8],
    /// How long ago its event came in.
    pub age: Duration,
    /// How many attempts have failed.
    pub failures: u32,
    /// The time of day.
    pub now: Timestamp,
}

/// A place that notifications go to.
#[async_trait]
pub trait Target: Send + Sync {
    /// Unique name within the tenant.
    fn name(&self) -> &str;
    /// Whether this event concerns the target, and what it must stay in order with. Cheap: runs while an event is taken in.
    fn wants(&self, event: &Event) -> Option<Wanted>;
    /// Names in the settings that none of these builders has, each in a sentence (M-04b). None by default.
    fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        let _ = builders;
        Vec::new()
    }
    /// Why `wants` says no to an event, for people: the setting that would change it, or what the target is for.
    fn unwanted(&self, event: &Event) -> String;
    /// Writes the bytes to send, or says why nothing is sent. Runs callbacks; touches no network.
    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault>;
    /// Hands the message over once. Never retries, never sleeps, never renders.
    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome;
    /// How many messages of one ordering key it takes at once, at most. One by default.
    fn max_batch(&self) -> u32 {
        1
    }
    /// Hands a run of messages over once, in their order. What became of the first so many: the rest has not been
    /// touched, and nothing follows one that was put off. By default, the first one by itself.
    async fn send_batch(&self, run: &[Outgoing<'_>]) -> Vec<Outcome> {
        match run.first() {
            Some(first) => vec![self.send(*first).await],
            None => Vec::new(),
        }
    }
    /// Proves that address and credentials work; says what the far side offers.
    async fn probe(&self) -> Result<String, Fault>;
    /// How long it is left alone after it took something over. Not at all by default.
    fn cooldown(&self) -> Option<Duration> {
        None
    }
    /// How what failed is tried again, and then for ever: how many may wait is what has an end. By default as the
    /// settings say for all.
    fn backoff(&self) -> Option<Backoff> {
        None
    }
    /// How old its news may get: what could not be sent by then is of no use to anybody any more. For ever by default.
    fn max_age(&self) -> Option<Duration> {
        None
    }
    /// Begins, or goes on with, what lives between deliveries: a connection on which people answer, say. `kept` is what
    /// the target of this name kept before the settings were read anew. Nothing by default.
    fn open(&self, desk: SessionContext, kept: Option<ReloadState>) {
        let _ = (desk, kept);
    }
    /// What lives on when the settings are read anew, for the target of the same name to go on with.
    fn keep(&self) -> Option<ReloadState> {
        None
    }
    /// Ends what `open` began; what `keep` gave away is ended by whoever has it.
    async fn close(&self) {}
}

/// What outlives a target, in a form of its own.
pub type ReloadState = Arc<dyn Any + Send + Sync>;

/// What a target that people talk with may ask at any time.
#[derive(Clone)]
pub struct SessionContext {
    /// The tenant's builders, builds and logs.
    pub status: Arc<dyn Status>,
    /// How the CI is steered.
    pub control: Arc<dyn Control>,
    /// Has what waits for this target tried at once: its far side is back.
    pub retry_now: Arc<dyn Fn() + Send + Sync>,
}

/// What targets are made with.
pub struct Parts<'a> {
    /// The settings that are nobody's own.
    pub settings: &'a Settings,
    /// Callbacks by name. Looking one up that isn't there is for the target to report.
    pub callbacks: &'a std::collections::BTreeMap<String, Callback>,
    /// What everything that goes out by HTTP goes through.
    pub outbound: &'a Outbound,
    /// Where problems go.
    pub problems: &'a Problems,
}

impl Parts<'_> {
    /// The client for a table, with its certificates; the error is noted.
    fn client(&self, reader: &Reader<'_>) -> Option<Client> {
        self.outbound.client_of(reader)
    }
}

type TargetFactory = fn(&Reader<'_>, usize, &Parts<'_>) -> Option<Arc<dyn Target>>;

/// Every kind of target: its table, and how one is made from the n-th such table. A new kind is one more line.
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

/// Reads all targets of the settings. One with an error is left out, and the error noted (M-01).
#[must_use]
pub fn from_settings(root: &Reader<'_>, parts: &Parts<'_>) -> Vec<Arc<dyn Target>> {
    let mut targets: Vec<Arc<dyn Target>> = Vec::new();
    for (table, build) in KINDS {
        for (index, reader) in root.tables(table).into_iter().enumerate() {
            let target = build(&reader, index + 1, parts);
            if let Some(target) = target {
                if targets.iter().any(|other| other.name() == target.name()) {
                    reader.error(
                        "name",
                        format!("two targets are named `{}`: give each its own name", target.name()),
                    );
                } else {
                    targets.push(target);
                }
            }
            reader.finish();
        }
    }
    targets
}
