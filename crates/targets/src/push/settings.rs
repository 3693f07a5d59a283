//! The keys that `[[status_push]]` and `[[http_status_push]]` share (P-CFG), read with every problem at its line.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::filter::Zeros;
use crate::{Backoff, Parts, Queue};
use campanile_config::Reader;
use campanile_model::{Dicts, EXTRA_EVENTS, Event, packet_name};

/// The longest pause after failures, unless the first one is longer (P-CYC-07).
const MAX_PAUSE: Duration = Duration::from_secs(300);

/// The settings of every target with a queue of pushes, checked.
pub(super) struct QueueSettings {
    pub(super) name: String,
    pub(super) dicts: Dicts,
    /// The empty values that are left out of packets, if any are (P-CFG-04).
    pub(super) filter: Option<Zeros>,
    /// True for `builderRemoved` instead of `buildedRemoved` (P-PKT-06).
    pub(super) fixed_names: bool,
    /// Events that are queued, by their own names.
    pub(super) events: BTreeSet<&'static str>,
    pub(super) queue: Queue,
    retry_delay: Duration,
    /// The most packets in a push.
    pub(super) chunk_size: u32,
}

impl QueueSettings {
    /// Reads a table. `default_name` is for one without a name of its own, `max` is the most packets that may wait.
    pub(super) fn read(reader: &Reader<'_>, parts: &Parts<'_>, default_name: String, max: u32) -> Self {
        let name = reader.text("name").filter(|name| !name.trim().is_empty());
        let filter = reader.boolean("filter").unwrap_or(true);
        let zeros = reader.boolean("filter_zeros").unwrap_or(false);
        let server = &parts.settings.server;
        Self {
            name: name.unwrap_or(default_name),
            dicts: Dicts { links: server.links(), zone: TimeZone::system() },
            filter: filter.then_some(if zeros { Zeros::Dropped } else { Zeros::Kept }),
            fixed_names: reader.boolean("fixed_names").unwrap_or(false),
            events: events(reader),
            queue: Queue { max, delay: delay(reader, "buffer_delay", Duration::from_secs(1)) },
            retry_delay: delay(reader, "retry_delay", Duration::from_secs(5)),
            chunk_size: number(reader, "chunk_size", 1..=10_000, 200),
        }
    }

    /// Gives the pace of retries (P-CYC-03, P-CYC-07).
    pub(super) fn backoff(&self) -> Backoff {
        Backoff { first: self.retry_delay, longest: MAX_PAUSE.max(self.retry_delay) }
    }

    /// Gives the pause between pushes (P-CFG-05).
    pub(super) fn cooldown(&self) -> Duration {
        self.queue.delay
    }
}

/// Reads `extra_events` and `black_list` (P-CFG-07, P-CFG-09, P-PKT-05).
fn events(reader: &Reader<'_>) -> BTreeSet<&'static str> {
    let pushable = Event::NAMES.into_iter().filter(|name| packet_name(name, false).is_some());
    let mut events: BTreeSet<_> = pushable.clone().filter(|name| !EXTRA_EVENTS.contains(name)).collect();
    let named = |key: &str| -> Vec<&'static str> {
        let mut found = Vec::new();
        for name in reader.texts(key).unwrap_or_default() {
            let known = pushable.clone().find(|event| {
                *event == name || [false, true].iter().any(|fixed| packet_name(event, *fixed) == Some(&*name))
            });
            match known {
                Some(event) => found.push(event),
                None => {
                    let all: Vec<_> =
                        pushable.clone().filter_map(|event| packet_name(event, false)).collect();
                    reader.error(
                        key,
                        format!("`{key}`: no event is called `{name}`; there are {}", all.join(", ")),
                    );
                }
            }
        }
        found
    };
    events.extend(named("extra_events"));
    for event in named("black_list") {
        events.remove(event);
    }
    events
}

/// Reads a delay: seconds as a number, as the manual has them, or a text such as `"500ms"` (P-CFG-08).
fn delay(reader: &Reader<'_>, key: &str, default: Duration) -> Duration {
    let Some(item) = reader.item(key) else { return default };
    let read = match item.to_json().as_f64() {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => reader.duration(key),
    };
    match read {
        Some(delay) if !delay.is_zero() && delay <= Duration::from_secs(86_400) => delay,
        _ => {
            item.error(format!("`{key}` must be more than 0 seconds, and a day at most"));
            default
        }
    }
}

/// Reads a number within bounds.
pub(super) fn number(
    reader: &Reader<'_>,
    key: &str,
    bounds: std::ops::RangeInclusive<i64>,
    default: u32,
) -> u32 {
    reader.integer(key, bounds).and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
}
