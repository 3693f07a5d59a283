//! Decides which events are queued (P-CFG-07, P-PKT-02). Pure.

use super::settings::QueueSettings;
use crate::Wanted;
use campanile_model::{EXTRA_EVENTS, Event};

/// Tells the order that an event's packet must keep, which is that of the one queue; none if it isn't queued.
pub(super) fn wants(settings: &QueueSettings, event: &Event) -> Option<Wanted> {
    let is_queued = settings.events.contains(event.name());
    is_queued.then(|| Wanted { queue: Some(settings.queue), ..Wanted::in_order("") })
}

/// Explains why an event isn't queued.
pub(super) fn unwanted(settings: &QueueSettings, event: &Event) -> String {
    match event.packet_name(settings.fixed_names) {
        None => "pieces of logs are never queued".to_owned(),
        Some(name) if EXTRA_EVENTS.contains(&event.name()) => {
            format!("`{name}` is not among the target's `extra_events`")
        }
        Some(name) => format!("`{name}` is in the target's `black_list`"),
    }
}
