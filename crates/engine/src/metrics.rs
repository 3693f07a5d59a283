//! Metrics, in OpenMetrics' text form: counters of the engine, and figures that are read when somebody asks.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::process::ProcessCollector;
use campanile_callbacks::CallRecord;
use campanile_model::Timestamp;
use campanile_store::{DeliveryState, Pruned, StoreStats, TargetBacklog};

/// Beginning of the names of all metrics of the engine itself.
const PREFIX: &str = "campanile";

type Labels = Vec<(&'static str, String)>;

/// Makes labels. Their values are escaped here, because the encoder does not: names of targets and callbacks are the
/// users' own, and a quote in one of them would make the whole page unreadable.
fn labels<const COUNT: usize>(labels: [(&'static str, &str); COUNT]) -> Labels {
    labels.map(|(name, value)| (name, escaped(value))).to_vec()
}

/// A family that knows the labels it has, so that those of things that are gone can be freed.
struct Kept<M, C = fn() -> M> {
    family: Family<Labels, M, C>,
    known: Mutex<HashSet<Labels>>,
}

impl<M: Clone, C: MetricConstructor<M>> Kept<M, C> {
    fn of(family: Family<Labels, M, C>) -> Self {
        Self { family, known: Mutex::default() }
    }

    /// Runs `change` on the one with these labels.
    fn with(&self, labels: Labels, change: impl FnOnce(&M)) {
        if let Some(metric) = self.family.get(&labels) {
            return change(&metric);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        change(&self.family.get_or_create(&labels));
        known.insert(labels);
    }

    /// Frees those whose labels are not to be kept.
    fn retain(&self, is_kept: impl Fn(&Labels) -> bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|labels| is_kept(labels) || !self.family.remove(labels));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn count(counter: &Counter) {
    counter.inc();
}

/// Counters of the whole engine. Values of labels come from closed sets and from the settings, never from requests.
pub struct Metrics {
    registry: Registry,
    events: Kept<Counter>,
    refused: Kept<Counter>,
    hooks: Kept<Counter>,
    append_seconds: Histogram,
    outcomes: Kept<Counter>,
    send_seconds: Kept<Histogram>,
    reloads: Kept<Counter>,
    calls: Kept<Counter>,
    swaps: Kept<Counter>,
    call_seconds: Kept<Histogram>,
    call_memory: Kept<Gauge>,
    age: Histogram,
    pruned: Kept<Counter>,
    polls: Kept<Counter>,
    poll_changes: Kept<Counter>,
    poll_seconds: Kept<Histogram>,
    poll_success: Kept<Gauge>,
}

/// From 50 microseconds to some seconds.
fn call_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 17))
}

/// From 5 milliseconds to some ten minutes.
fn poll_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 18))
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut all = Registry::default();
        all.register_collector(Box::new(ProcessCollector));
        let registry = all.sub_registry_with_prefix(PREFIX);
        let mut counters = |name: &str, help: &str| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            Kept::of(family)
        };
        let events = counters("events_accepted", "Events taken in, by name");
        let refused = counters("tenant_refusals", "What tenants were refused because of a limit");
        let hooks = counters("hook_requests", "Change hook requests, by dialect and HTTP status");
        let outcomes = counters("deliveries", "Steps of deliveries, by target, outcome and code");
        let reloads = counters("settings_reloads", "Times that settings were read anew, by outcome");
        let calls = counters("callback_calls", "Calls of callbacks, by name and how they ended");
        let swaps = counters("callback_swaps", "Versions put to use or refused, by callback and outcome");
        let pruned = counters("store_pruned_rows", "Rows removed because they were old, by kind");
        let polls = counters("polls", "Looks of pollers, by poller, outcome and code");
        let poll_changes = counters("poll_changes", "Changes found by pollers");
        let call_seconds = Family::new_with_constructor(call_buckets as fn() -> Histogram);
        let call_memory = Family::<Labels, Gauge>::default();
        registry.register("callback_seconds", "Wall time of calls, by callback", call_seconds.clone());
        registry.register("callback_peak_memory_bytes", "Guest memory of the last call", call_memory.clone());
        let append_seconds = Histogram::new(exponential_buckets(0.000_5, 2.0, 15));
        let help = "From handing events over to the store until they are durable";
        registry.register("store_append_seconds", help, append_seconds.clone());
        let send_seconds = Family::new_with_constructor(poll_buckets as fn() -> Histogram);
        registry.register("delivery_send_seconds", "Time of attempts, by target", send_seconds.clone());
        let age = Histogram::new(exponential_buckets(0.001, 2.0, 20));
        registry.register("delivery_age_seconds", "From an event's acceptance to its delivery", age.clone());
        let poll_seconds = Family::new_with_constructor(poll_buckets as fn() -> Histogram);
        let poll_success = Family::<Labels, Gauge>::default();
        registry.register("poll_seconds", "Time of looks that worked, by poller", poll_seconds.clone());
        let success = "When a poller's look last worked, in seconds since the epoch";
        registry.register("poll_last_success_timestamp_seconds", success, poll_success.clone());
        Self {
            registry: all,
            events,
            refused,
            hooks,
            append_seconds,
            outcomes,
            send_seconds: Kept::of(send_seconds),
            reloads,
            calls,
            swaps,
            call_seconds: Kept::of(call_seconds),
            call_memory: Kept::of(call_memory),
            age,
            pruned,
            polls,
            poll_changes,
            poll_seconds: Kept::of(poll_seconds),
            poll_success: Kept::of(poll_success),
        }
    }

    pub(super) fn event_accepted(&self, tenant: &str, name: &str) {
        self.events.with(labels([("tenant", tenant), ("event", name)]), count);
    }

    /// Counts what a tenant was refused because of a limit.
    pub(super) fn refused(&self, tenant: &str, limit: &str) {
        self.refused.with(labels([("tenant", tenant), ("limit", limit)]), count);
    }

    /// Counts a change hook request. `dialect` must be the name of an enabled one, or `other`.
    pub fn hook_request(&self, tenant: &str, dialect: &str, status: u16) {
        let status = status.to_string();
        let labels = labels([("tenant", tenant), ("dialect", dialect), ("status", &status)]);
        self.hooks.with(labels, count);
    }

    pub(super) fn delivery(&self, tenant: &str, target: &str, outcome: &str, code: &str) {
        self.deliveries(tenant, target, outcome, code, 1);
    }

    pub(super) fn deliveries(&self, tenant: &str, target: &str, outcome: &str, code: &str, count: u64) {
        let labels = labels([("tenant", tenant), ("target", target), ("outcome", outcome), ("code", code)]);
        self.outcomes.with(labels, |counter| _ = counter.inc_by(count));
    }

    pub(super) fn delivered_after(&self, age: Duration) {
        self.age.observe(age.as_secs_f64());
    }

    pub(super) fn appended_after(&self, time: Duration) {
        self.append_seconds.observe(time.as_secs_f64());
    }

    pub(super) fn sent(&self, tenant: &str, target: &str, time: Duration) {
        let labels = labels([("tenant", tenant), ("target", target)]);
        self.send_seconds.with(labels, |histogram| histogram.observe(time.as_secs_f64()));
    }

    pub(super) fn reload(&self, tenant: &str, outcome: &str) {
        self.reloads.with(labels([("tenant", tenant), ("outcome", outcome)]), count);
    }

    pub(super) fn callback(&self, tenant: &str, call: &CallRecord) {
        if let Some(limit) = call.refused_by {
            self.refused(tenant, limit);
        }
        let name = labels([("tenant", tenant), ("callback", &call.callback)]);
        self.call_seconds.with(name.clone(), |histogram| histogram.observe(call.duration.as_secs_f64()));
        let peak = i64::try_from(call.peak_memory).unwrap_or(i64::MAX);
        self.call_memory.with(name, |gauge| _ = gauge.set(peak));
        let labels = labels([("tenant", tenant), ("callback", &call.callback), ("result", call.outcome)]);
        self.calls.with(labels, count);
    }

    pub(super) fn swap(&self, tenant: &str, callback: &str, outcome: &str) {
        let labels = labels([("tenant", tenant), ("callback", callback), ("outcome", outcome)]);
        self.swaps.with(labels, count);
    }

    pub(super) fn pruned(&self, pruned: &Pruned) {
        for (kind, count) in pruned.counts() {
            self.pruned.with(labels([("kind", kind)]), |counter| _ = counter.inc_by(count));
        }
    }

    pub(super) fn polled(&self, tenant: &str, poller: &str, changes: usize, time: Duration, now: Timestamp) {
        let name = labels([("tenant", tenant), ("poller", poller)]);
        self.poll_changes.with(name.clone(), |counter| _ = counter.inc_by(changes as u64));
        self.poll_seconds.with(name.clone(), |histogram| histogram.observe(time.as_secs_f64()));
        self.poll_success.with(name, |gauge| _ = gauge.set(now.as_seconds()));
        self.poll(tenant, poller, "done", "");
    }

    pub(super) fn poll_failed(&self, tenant: &str, poller: &str, code: &str) {
        self.poll(tenant, poller, "failed", code);
    }

    fn poll(&self, tenant: &str, poller: &str, outcome: &str, code: &str) {
        let labels = labels([("tenant", tenant), ("poller", poller), ("outcome", outcome), ("code", code)]);
        self.polls.with(labels, count);
    }

    /// Frees the labels of tenants, targets, callbacks and pollers that are gone: whoever changes settings often would
    /// otherwise fill the page and the memory.
    pub(super) fn free_all_but(&self, there: &LiveLabels) {
        let is_kept = |labels: &Labels| there.has(labels);
        for counters in [
            &self.events,
            &self.refused,
            &self.hooks,
            &self.outcomes,
            &self.reloads,
            &self.calls,
            &self.swaps,
            &self.polls,
            &self.poll_changes,
        ] {
            counters.retain(is_kept);
        }
        for histograms in [&self.send_seconds, &self.call_seconds, &self.poll_seconds] {
            histograms.retain(is_kept);
        }
        for gauges in [&self.call_memory, &self.poll_success] {
            gauges.retain(is_kept);
        }
    }

    /// Writes the counters and what was read for this page.
    pub(super) fn render(&self, scrape: Scrape) -> String {
        let mut read = Registry::with_prefix(PREFIX);
        read.register_collector(Box::new(scrape));
        let mut text = String::new();
        let written = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &read))
            .and_then(|()| encode_eof(&mut text));
        written.expect("writing to a String cannot fail");
        text
    }
}

/// Names that are in the settings now, as labels have them.
#[derive(Default)]
pub(super) struct LiveLabels {
    tenants: HashSet<String>,
    /// Of a tenant, under a label's name.
    names: HashSet<(String, &'static str, String)>,
}

impl LiveLabels {
    /// Adds a tenant with its names, each with the label that has it.
    pub(super) fn add<'n>(&mut self, tenant: &str, names: impl IntoIterator<Item = (&'static str, &'n str)>) {
        let tenant = escaped(tenant);
        let names = names.into_iter().map(|(label, name)| (tenant.clone(), label, escaped(name)));
        self.names.extend(names);
        self.tenants.insert(tenant);
    }

    fn has(&self, labels: &Labels) -> bool {
        let Some((_, tenant)) = labels.iter().find(|(label, _)| *label == "tenant") else { return true };
        let is_there = |(label, name): &(&'static str, String)| {
            !matches!(*label, "target" | "callback" | "poller")
                || self.names.contains(&(tenant.clone(), *label, name.clone()))
        };
        self.tenants.contains(tenant) && labels.iter().all(is_there)
    }
}

/// Figures of the store and the traces, as they were read for one page.
#[derive(Debug)]
pub(super) struct Scrape {
    pub(super) counts: Vec<(DeliveryState, u64)>,
    pub(super) store: StoreStats,
    /// Numbers of spans that were exported, and of those that were dropped.
    pub(super) spans: (u64, u64),
    pub(super) now: Timestamp,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self { counts, store, spans: (exported, dropped), now } = self;
        let stored = counts.iter().map(|(state, count)| (labels([("state", state.name())]), *count));
        gauges(&mut encoder, "deliveries_stored", "Deliveries in the store, by state.", stored)?;
        let of = |waiting: &TargetBacklog| labels([("tenant", &waiting.tenant), ("target", &waiting.target)]);
        let waiting = store.waiting.iter().map(|waiting| (of(waiting), waiting.count));
        gauges(&mut encoder, "deliveries_waiting", "Deliveries that wait, by target.", waiting)?;
        let ages = store.waiting.iter().map(|waiting| (of(waiting), now.since(waiting.oldest).as_secs_f64()));
        let help = "Age of the oldest that waits, by target.";
        gauges(&mut encoder, "delivery_oldest_waiting_seconds", help, ages)?;
        let version = [(labels([("version", env!("CARGO_PKG_VERSION"))]), 1)];
        gauges(&mut encoder, "build_info", "1, with the version of the program.", version)?;
        for (name, help, value) in [
            ("store_bytes", "Size of the store.", store.bytes),
            ("store_free_bytes", "Of that, free for new rows.", store.free_bytes),
        ] {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
        }
        for (name, help, value) in [
            ("store_transactions", "Transactions that wrote.", store.transactions),
            ("store_works", "What these transactions wrote for callers.", store.operations),
            ("trace_spans_exported", "Spans that a collector has taken.", *exported),
            ("trace_spans_dropped", "Spans that it has not.", *dropped),
        ] {
            ConstCounter::new(value).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Counter,
            )?)?;
        }
        Ok(())
    }
}

/// Writes a family of gauges.
fn gauges<Value: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (Labels, Value)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        family.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Name, type and labels of everything that a text tells.
    fn told(text: &str) -> BTreeSet<(String, String, String)> {
        let mut told = BTreeSet::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            let sampled = match kind {
                "counter" => format!("{name}_total"),
                "histogram" => format!("{name}_count"),
                _ => name.to_owned(),
            };
            let sample = text
                .lines()
                .find(|line| line.strip_prefix(&sampled).is_some_and(|rest| rest.starts_with(['{', ' '])));
            let sample = sample.unwrap_or_else(|| panic!("the test must touch `{name}`"));
            let labels = sample.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
            let labels: Vec<&str> =
                labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0)).collect();
            let name = if kind == "counter" { sampled } else { name.to_owned() };
            told.insert((name, kind.to_owned(), labels.join(", ")));
        }
        told
    }

    #[test]
    fn the_page_about_metrics_names_all_of_them_and_no_others() {
        let metrics = Metrics::new();
        metrics.event_accepted("default", "buildFinished");
        metrics.refused("acme", "events_per_day");
        metrics.hook_request("default", "github", 202);
        metrics.appended_after(Duration::from_millis(1));
        metrics.delivery("default", "dev", "dead", "refused");
        metrics.sent("default", "dev", Duration::from_millis(1));
        metrics.delivered_after(Duration::from_millis(1));
        metrics.reload("default", "done");
        metrics.swap("default", "html", "done");
        let call = CallRecord {
            callback: "html".into(),
            version: String::new(),
            delivery: None,
            outcome: "ok",
            duration: Duration::from_millis(1),
            peak_memory: 1,
            lines: Vec::new(),
            refused_by: None,
        };
        metrics.callback("default", &call);
        metrics.pruned(&Pruned::default());
        metrics.polled("default", "bells", 1, Duration::from_millis(1), Timestamp::from_seconds(1));
        let store = StoreStats {
            waiting: vec![TargetBacklog {
                tenant: "default".into(),
                target: "de\"v".into(),
                count: 2,
                oldest: Timestamp::from_seconds(1),
            }],
            ..StoreStats::default()
        };
        let text = metrics.render(Scrape {
            counts: vec![(DeliveryState::Dead, 1)],
            store,
            spans: (3, 4),
            now: Timestamp::from_seconds(31),
        });
        assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
        let waiting = "{tenant=\"default\",target=\"de\\\"v\"}";
        assert!(text.contains(&format!("campanile_deliveries_waiting{waiting} 2\n")), "{text}");
        assert!(
            text.contains(&format!("campanile_delivery_oldest_waiting_seconds{waiting} 30.0\n")),
            "{text}"
        );

        let mut there = LiveLabels::default();
        there.add("default", [("target", "dev"), ("callback", "html")]);
        metrics.free_all_but(&there);
        let mut left = String::new();
        encode_registry(&mut left, &metrics.registry).unwrap();
        assert!(left.contains("target=\"dev\"") && left.contains("callback=\"html\""), "{left}");
        assert!(!left.contains("acme") && !left.contains("bells"), "{left}");

        let page = include_str!("../../../docs/operating.md");
        let rows =
            page.lines().filter(|line| line.starts_with("| `campanile_") || line.starts_with("| `process_"));
        let described: BTreeSet<_> = rows
            .map(|row| {
                let cells: Vec<String> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
                assert!(!cells[4].is_empty(), "{row}");
                (cells[1].clone(), cells[2].clone(), cells[3].clone())
            })
            .collect();
        assert_eq!(described, told(&text));
    }
}
