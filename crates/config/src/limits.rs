//! `[limits]`: how much of everything one tenant may use.

use std::time::Duration;

use super::Reader;

/// How much of everything one tenant may use. None: as much as there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Events a second, on average over ten; a burst of ten seconds' worth is taken at once.
    pub events_per_second: Option<u32>,
    /// Events a day, from midnight to midnight UTC.
    pub events_per_day: Option<u64>,
    /// Bytes of events, messages and logs that are kept.
    pub stored_bytes: Option<u64>,
    /// What is older than this is removed, where the engine itself keeps it longer.
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
    /// How many targets may be set up.
    pub targets: Option<usize>,
}

impl Limits {
    /// Those of every tenant, unless the operator says otherwise: enough for a busy project, and no way to be a
    /// nuisance.
    #[must_use]
    pub fn of_tenants() -> Self {
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
        }
    }

    /// What a table says, and for the rest what `otherwise` does. `"none"` takes a limit away.
    #[must_use]
    pub fn read(table: &Reader<'_>, otherwise: &Self) -> Self {
        let count = |key: &str, most: i64| table.integer(key, 1..=most).and_then(|n| u64::try_from(n).ok());
        let size = |count: Option<u64>| count.and_then(|count| usize::try_from(count).ok());
        Self {
            events_per_second: limit(table, "events_per_second", otherwise.events_per_second, || {
                count("events_per_second", 1_000_000).and_then(|n| u32::try_from(n).ok())
            }),
            events_per_day: limit(table, "events_per_day", otherwise.events_per_day, || {
                count("events_per_day", i64::MAX)
            }),
            stored_bytes: limit(table, "stored_bytes", otherwise.stored_bytes, || table.size("stored_bytes")),
            keep: limit(table, "keep", otherwise.keep, || {
                table.duration("keep").filter(|keep| !keep.is_zero())
            }),
            callback_calls: limit(table, "callback_calls", otherwise.callback_calls, || {
                size(count("callback_calls", 1_024))
            }),
            callback_cpu: limit(table, "callback_cpu", otherwise.callback_cpu, || {
                table.duration("callback_cpu")
            }),
            callback_deadline: limit(table, "callback_deadline", otherwise.callback_deadline, || {
                table.duration("callback_deadline")
            }),
            component_bytes: limit(table, "component_bytes", otherwise.component_bytes, || {
                table.size("component_bytes")
            }),
            in_flight: limit(table, "in_flight", otherwise.in_flight, || size(count("in_flight", 1_024))),
            targets: limit(table, "targets", otherwise.targets, || size(count("targets", 100_000))),
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
        let limits = Limits::read(&root, &Limits::of_tenants());
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
            ..Limits::of_tenants()
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn a_wrong_limit_is_told_and_never_takes_one_away() {
        let (limits, problems) = read("in_flight = 0\ncallback_cpu = 5\nevents_per_second = \"many\"\n");
        assert_eq!(limits, Limits::of_tenants());
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
