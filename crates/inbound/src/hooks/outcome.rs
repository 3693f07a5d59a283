//! What an event came to, and the last touch that all dialects give their changes.

use super::Parsed;
use super::commit::Overrides;
use super::request::RawHook;
use campanile_model::{Change, Timestamp};

/// What an event came to.
pub(super) enum Outcome {
    Changes(Vec<Change>),
    /// And why.
    Ignored(String),
}

impl Outcome {
    /// With what the address says (H-GEN-17), the event's name as a property, and no time in the future (M-CH-02).
    pub(super) fn parsed(self, request: &RawHook, event: Option<String>, now: Timestamp) -> Parsed {
        let delivery_id = request.delivery_id();
        let mut changes = match self {
            Self::Ignored(note) => {
                return Parsed { event, note: Some(note), delivery_id, ..Parsed::default() };
            }
            Self::Changes(changes) => changes,
        };
        let overrides = Overrides::read(&request.query);
        for change in &mut changes {
            if let Some(event) = &event {
                change.properties.set("event", event.clone(), "Change");
            }
            overrides.apply(change);
            change.clamp_time(now);
        }
        Parsed { changes, event, delivery_id, ..Parsed::default() }
    }
}
