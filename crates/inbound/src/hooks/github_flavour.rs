//! Differences between GitHub and the forges that take after it.

use http::HeaderMap;

use super::HookError;
use super::request::{Method, RawHook};
use super::signature::Unsigned;
use campanile_config::Secret;

/// A forge of GitHub's kind: names, headers, events and defaults.
pub(super) struct Flavour {
    /// Of the dialect, of its whitelist option, and before whitelisted properties.
    pub(super) name: &'static str,
    /// The forge's name for people, in pull requests' comments.
    pub(super) title: &'static str,
    /// The methods it is sent by (H-GEN-07).
    pub(super) methods: &'static [Method],
    /// Headers that name the event; the first that is there counts.
    pub(super) event_headers: &'static [&'static str],
    /// Headers that name the delivery; the first that is there counts.
    pub(super) delivery_ids: &'static [&'static str],
    /// Checks that there is a signature that may be right.
    pub(super) judge_headers: fn(&HeaderMap, Unsigned) -> Result<(), HookError>,
    /// Checks the signature.
    pub(super) check: fn(&RawHook, &[Secret], Unsigned) -> Result<(), HookError>,
    /// The kind of an event by its name.
    pub(super) events: fn(&str) -> Event,
    /// Actions of pull requests that make a change.
    pub(super) actions: &'static [&'static str],
    /// The default of `pullrequest_ref`.
    pub(super) pullrequest_ref: &'static str,
    /// The property by which changes tell that no other branch had their commit before.
    pub(super) distinct_property: Option<&'static str>,
    /// There is a source of builds of the same name.
    pub(super) has_builds: bool,
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Push,
    PullRequest,
    /// Known to make no changes.
    Silent,
    Unknown,
}
