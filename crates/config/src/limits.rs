//! `[limits]`: the most that one tenant may use of everything.

use std::time::Duration;

use super::Reader;

/// The most that one tenant may use of everything. None: as much as there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Events a second, on average over ten; a burst of ten seconds' worth is taken at once.
    pub events_per_second: Option<u32>,
    /// Events a day, from midnight to midnight UTC.
    pub events_per_day: Option<u64>,
    /// Bytes of events, messages and logs that are kept.
    pub stored_bytes: Option<u64>,
    /// Age at which events and messages are removed, where the engine itself keeps them longer.
    pub keep: Option<Duration>,
    /// Calls of callbacks side by side, of all of them together.
    pub callback_calls: Option<usize>,
    /// Time that callbacks may compute in a minute, all of them together.
    pub callback_cpu: Option<Duration>,
    /// No call may be given longer than this.
    pub callback_deadline: Option<Duration>,
    /// Bytes of a component.
    pub component_bytes: Option<u64>,
    /// Deliveries that are prepared and sent side by side.
    pub in_flight: Option<usize>,
    /// Number of targets that may be set up.
    pub targets: Option<usize>,
    /// Number of pollers that may be set up.
    pub pollers: Option<usize>,
    /// Number of tokens for the API.
    pub tokens: Option<usize>,
    /// Bytes of one event, as it is stored.
    pub event_bytes: Option<u64>,
}

impl Limits {
    /// The limits of every tenant, unless the operator says otherwise: enough for a busy project, and no way to be a
    /// nuisance.
    #[must_use]
    pub(crate) fn tenant_defaults() -> Self {
        Self {
            events_per_second: Some(100),
            events_per_day: Some(500_000),
            stored_bytes: Some(2 << 30),
            keep: None,
            callback_calls: Some(8),
            callback_cpu: Some(Duration::from_secs(10)),
            callback_deadline: Some(Duration::from_secs(1)),
            component_bytes: Some(16 << 20),
            in_flight: Some(8),
            targets: Some(50),
            pollers: Some(20),
            tokens: Some(1_000),
            event_bytes: Some(4 << 20),
        }
    }

    /// Reads a table; `defaults` stand for the keys that it doesn't have. `"none"` takes a limit away.
    #[must_use]
    pub fn read(table: &Reader<'_>, defaults: &Self) -> Self {
        let count = |key: &str, most: i64| table.integer(key, 1..=most).and_then(|n| u64::try_from(n).ok());
        let size = |count: Option<u64>| count.and_then(|count| usize::try_from(count).ok());
        Self {
            events_per_second: limit(table, "events_per_second", defaults.events_per_second, || {
                count("events_per_second", 1_000_000).and_then(|n| u32::try_from(n).ok())
            }),
            events_per_day: limit(table, "events_per_day", defaults.events_per_day, || {
                count("events_per_day", i64::MAX)
            }),
            stored_bytes: limit(table, "stored_bytes", defaults.stored_bytes, || table.size("stored_bytes")),
            keep: limit(table, "keep", defaults.keep, || {
                table.duration("keep").filter(|keep| !keep.is_zero())
            }),
            callback_calls: limit(table, "callback_calls", defaults.callback_calls, || {
                size(count("callback_calls", 1_024))
            }),
            callback_cpu: limit(table, "callback_cpu", defaults.callback_cpu, || {
                table.duration("callback_cpu")
            }),
            callback_deadline: limit(table, "callback_deadline", defaults.callback_deadline, || {
                table.duration("callback_deadline")
            }),
            component_bytes: limit(table, "component_bytes", defaults.component_bytes, || {
                table.size("component_bytes")
            }),
            in_flight: limit(table, "in_flight", defaults.in_flight, || size(count("in_flight", 1_024))),
            targets: limit(table, "targets", defaults.targets, || size(count("targets", 100_000))),
            pollers: limit(table, "pollers", defaults.pollers, || size(count("pollers", 100_000))),
            tokens: limit(table, "tokens", defaults.tokens, || size(count("tokens", 1_000_000))),
            event_bytes: limit(table, "event_bytes", defaults.event_bytes, || table.size("event_bytes")),
        }
    }
}

fn limit<T: Copy>(
    table: &Reader<'_>,
    key: &str,
    otherwise: Option<T>,
    read: impl FnOnce() -> Option<T>,
) -> Option<T> {
    match table.item(key) {
        None => otherwise,
        Some(item) if item.as_text() == Some("none") => None,
        Some(_) => read().or(otherwise),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Document, Problems};

    fn read(source: &str) -> (Limits, Vec<String>) {
        let problems = Problems::new();
        let document = Document::parse(Path::new("a.toml"), source, &problems);
        let root = Reader::root(&document, &problems);
        let limits = Limits::read(&root, &Limits::tenant_defaults());
        root.finish();
        (limits, problems.into_sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_is_said_counts_and_the_rest_is_everybodys() {
        let (limits, problems) =
            read("events_per_day = 7\nkeep = \"3d\"\ntargets = \"none\"\nstored_bytes = \"1 MiB\"\n");
        assert_eq!(problems, Vec::<String>::new());
        let expected = Limits {
            events_per_day: Some(7),
            keep: Some(Duration::from_secs(3 * 86_400)),
            targets: None,
            stored_bytes: Some(1 << 20),
            ..Limits::tenant_defaults()
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn a_wrong_limit_is_told_and_never_takes_one_away() {
        let (limits, problems) = read("in_flight = 0\ncallback_cpu = 5\nevents_per_second = \"many\"\n");
        assert_eq!(limits, Limits::tenant_defaults());
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
