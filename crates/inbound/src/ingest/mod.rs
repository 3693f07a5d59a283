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
pub use settings::Sources;

use campanile_config::Secret;
use campanile_model::{Event, Timestamp};

/// A system whose own way of telling about builds is understood.
pub trait Source: Sync {
    /// What it is called in addresses and settings.
    fn name(&self) -> &'static str;

    /// How its requests prove that they know a secret; none if it has no such thing.
    fn proof(&self) -> Option<Proof> {
        None
    }

    /// Whether a request that came in at another door is one of these.
    fn matches(&self, _headers: &HeaderMap) -> bool {
        false
    }

    /// Reads a body: what one request tells of, each piece to be stored by itself.
    ///
    /// # Errors
    /// Says where it is wrong, and with what.
    fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError>;
}

/// Whether a request with this body, at this time, was made by one who knows one of the secrets.
pub type Proof = fn(&HeaderMap, &[u8], &[Secret], Timestamp) -> bool;

/// What a request, or a part of one, comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedBatch {
    /// In the order of happening.
    pub events: Vec<Event>,
    /// The same for what tells the same again, and for nothing else of this source; none where the sender has no such
    /// thing. A build's end counts once in any case.
    pub name: Option<String>,
    /// Why there are no events.
    pub note: Option<String>,
    /// Who numbers its builds.
    pub numbers: BuildNumbering,
}

/// Who numbers a source's builds.
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
    /// Nothing, and why.
    fn nothing(note: impl Into<String>) -> Vec<Self> {
        vec![Self { note: Some(note.into()), ..Self::default() }]
    }

    /// These events, named so that what repeats them can be told.
    fn events(events: Vec<Event>, name: Option<String>) -> Vec<Self> {
        vec![Self { events, name, ..Self::default() }]
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
