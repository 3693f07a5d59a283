//! Bodies of other systems become events. One file a form; `native` is our own, and another system's is a [`Source`].
//!
//! A system is added by its file and one line in [`SOURCES`]; `read` is what they share, `settings` what the settings
//! say of them.
//!
//! Invariant: pure; what is wrong with a body is said with its place, and then none of it is taken.

mod buildbot;
mod cdevents;
mod cloudevents;
mod drone;
mod github;
mod gitlab;
mod jenkins;
mod native;
mod read;
mod settings;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use http::HeaderMap;

pub use native::{EventsError, Form, parse};
pub use read::media_type;
pub use settings::Sources;

use crate::HeaderProof;
use campanile_config::Secret;
use campanile_model::{Event, Timestamp};

/// A system whose own way of telling about builds is understood.
pub trait Source: Sync {
    /// Its name in addresses and settings.
    fn name(&self) -> &'static str;

    /// The check of its requests' proof that they know a secret; none if it has no such thing.
    fn proof(&self) -> Option<Proof> {
        None
    }

    /// True for a request that came in at another route and is one of these.
    fn matches(&self, _headers: &HeaderMap) -> bool {
        false
    }

    /// Reads a body: what one request tells of, each piece to be stored by itself.
    ///
    /// # Errors
    /// Says where it is wrong, and with what.
    fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError>;
}

/// The check that a request, at this time, was made by one who knows one of the secrets.
#[derive(Clone, Copy)]
pub struct Proof {
    /// The proof as far as the headers give it, before the body is read; none if it is missing, or can't be right.
    pub headers: fn(&HeaderMap, &[Secret], Timestamp) -> Option<HeaderProof>,
    /// True if the request with this body is proven.
    pub whole: fn(&HeaderMap, &[u8], &[Secret], Timestamp) -> bool,
}

/// Events of a request, or of a part of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedBatch {
    /// In the order of happening.
    pub events: Vec<Event>,
    /// Equal for a body that repeats these events, and for nothing else of this source; none where the sender has no
    /// such thing. A build's end counts once in any case.
    pub idempotency_key: Option<String>,
    /// Reason for which there are no events.
    pub note: Option<String>,
    /// Numbering of its builds.
    pub numbers: BuildNumbering,
}

/// The side that numbers a source's builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuildNumbering {
    /// The sender.
    #[default]
    Given,
    /// We do, since the sender has only names; `by` is the property that has them.
    Counted {
        /// Property that is the same in all that is told of one build.
        by: &'static str,
    },
    /// The sender numbers runs, but runs one again under its old number: a second end is another build, whose number is
    /// the next one.
    Attempts,
}

impl ParsedBatch {
    /// No events, for this reason.
    fn ignored(note: impl Into<String>) -> Vec<Self> {
        vec![Self { note: Some(note.into()), ..Self::default() }]
    }

    /// These events, with the key of their repetitions.
    fn events(events: Vec<Event>, idempotency_key: Option<String>) -> Vec<Self> {
        vec![Self { events, idempotency_key, ..Self::default() }]
    }
}

/// The systems there are.
const SOURCES: &[&dyn Source] = &[
    &buildbot::Buildbot,
    &cloudevents::CloudEvents,
    &drone::Drone,
    &github::Github,
    &gitlab::Gitlab,
    &jenkins::Jenkins,
];

/// The system of this name.
#[must_use]
pub fn source(name: &str) -> Option<&'static dyn Source> {
    SOURCES.iter().copied().find(|source| source.name() == name)
}

/// Their names.
pub fn source_names() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|source| source.name())
}
