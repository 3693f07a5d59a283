//! The outcome of a parsed request, and the last touch that all dialects give their changes.

use super::commit::Overrides;
use super::component_call::ComponentCall;
use super::github_look_up::LookUp;
use super::poll_request::PollRequest;
use super::request::RawHook;
use campanile_model::{Change, Timestamp};

/// A parsed request.
#[derive(Debug, PartialEq)]
pub struct ParsedHook {
    /// The event's name, where the sender gives one.
    pub event: Option<String>,
    /// The sender's id of the delivery, equal when it is sent again (H-XALL-01).
    pub delivery_id: Option<String>,
    /// The changes, or the step by which they are found.
    pub outcome: HookOutcome,
}

/// The outcome of a request.
#[derive(Debug, PartialEq)]
pub enum HookOutcome {
    /// Changes, in the order to be stored (H-CH-02).
    Changes(Vec<Change>),
    /// A pull request's change, and a look-up about it that comes before it is stored (H-XGH-13).
    PullRequest {
        /// The change.
        change: Box<Change>,
        /// The look-up, which may find that the change is to be skipped.
        look_up: LookUp,
    },
    /// A component is to be asked for the changes (H-WASM-01).
    Component(ComponentCall),
    /// Pollers are to look now (H-PO-01).
    Poll(PollRequest),
    /// No changes, for this reason (H-GEN-11). `Ignored event: NAME` is the answer's text too (H-XGH-07).
    Ignored(String),
}

impl From<HookOutcome> for ParsedHook {
    /// Of a sender that names neither its events nor its deliveries.
    fn from(outcome: HookOutcome) -> Self {
        Self { event: None, delivery_id: None, outcome }
    }
}

impl HookOutcome {
    /// The parsed request, its changes with the overrides of its arguments (H-GEN-17), the event's name as a property, and
    /// no time in the future (M-CH-02). One of the headers `ids` names the delivery.
    pub(super) fn parsed(
        mut self,
        request: &RawHook,
        event: Option<String>,
        ids: &[&str],
        now: Timestamp,
    ) -> ParsedHook {
        if let Self::Changes(changes) = &mut self {
            let overrides = Overrides::read(request);
            for change in changes {
                if let Some(event) = &event {
                    change.properties.set("event", event.clone(), "Change");
                }
                overrides.apply(change);
                change.clamp_time(now);
            }
        }
        ParsedHook { event, delivery_id: request.delivery_id(ids), outcome: self }
    }
}
