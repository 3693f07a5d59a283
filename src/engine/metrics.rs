//! What is counted, in Prometheus' text form.

use std::fmt::Write as _;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::callbacks::CallRecord;
use crate::model::Timestamp;
use crate::store::{DeliveryState, Pruned};

type Labels = Vec<(&'static str, String)>;

/// Counters of the whole engine. Labels come from closed sets and from the settings, never from requests.
pub struct Metrics {
    registry: Registry,
    events: Family<Labels, Counter>,
    hooks: Family<Labels, Counter>,
    outcomes: Family<Labels, Counter>,
    reloads: Family<Labels, Counter>,
    calls: Family<Labels, Counter>,
    swaps: Family<Labels, Counter>,
    call_seconds: Family<Labels, Histogram>,
    call_memory: Family<Labels, Gauge>,
    age: Histogram,
    pruned: Family<Labels, Counter>,
    polls: Family<Labels, Counter>,
    poll_changes: Family<Labels, Counter>,
    poll_seconds: Family<Labels, Histogram>,
    poll_success: Family<Labels, Gauge>,
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
        let mut registry = Registry::with_prefix("campanile");
        let mut counters = |name: &str, help: &str| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let events = counters("events_accepted", "Events taken in, by name");
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
        let age = Histogram::new(exponential_buckets(0.001, 2.0, 20));
        registry.register("delivery_age_seconds", "From an event's acceptance to its delivery", age.clone());
        let poll_seconds = Family::new_with_constructor(poll_buckets as fn() -> Histogram);
        let poll_success = Family::<Labels, Gauge>::default();
        registry.register("poll_seconds", "Time of looks that worked, by poller", poll_seconds.clone());
        let success = "When a poller's look last worked, in seconds since the epoch";
        registry.register("poll_last_success_timestamp_seconds", success, poll_success.clone());
        Self {
            registry,
            events,
            hooks,
            outcomes,
            reloads,
            calls,
            swaps,
            call_seconds,
            call_memory,
            age,
            pruned,
            polls,
            poll_changes,
            poll_seconds,
            poll_success,
        }
    }

    pub(super) fn event_accepted(&self, name: &str) {
        self.events.get_or_create(&vec![("event", name.to_owned())]).inc();
    }

    /// Counts a change hook request. `dialect` must be the name of an enabled one, or `other`.
    pub fn hook_request(&self, dialect: &str, status: u16) {
        self.hooks
            .get_or_create(&vec![("dialect", dialect.to_owned()), ("status", status.to_string())])
            .inc();
    }

    pub(super) fn delivery(&self, target: &str, outcome: &str, code: &str) {
        self.deliveries(target, outcome, code, 1);
    }

    pub(super) fn deliveries(&self, target: &str, outcome: &str, code: &str, count: u64) {
        let labels = [("target", target), ("outcome", outcome), ("code", code)];
        let labels = labels.map(|(name, value)| (name, value.to_owned())).to_vec();
        self.outcomes.get_or_create(&labels).inc_by(count);
    }

    pub(super) fn delivered_after(&self, age: Duration) {
        self.age.observe(age.as_secs_f64());
    }

    pub(super) fn reload(&self, outcome: &str) {
        self.reloads.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
    }

    pub(super) fn callback(&self, call: &CallRecord) {
        let name = vec![("callback", call.callback.to_string())];
        self.call_seconds.get_or_create(&name).observe(call.duration.as_secs_f64());
        self.call_memory.get_or_create(&name).set(i64::try_from(call.peak_memory).unwrap_or(i64::MAX));
        let labels = [("callback", call.callback.to_string()), ("result", call.outcome.to_owned())];
        self.calls.get_or_create(&labels.to_vec()).inc();
    }

    pub(super) fn swap(&self, callback: &str, outcome: &str) {
        let labels = [("callback", callback.to_owned()), ("outcome", outcome.to_owned())];
        self.swaps.get_or_create(&labels.to_vec()).inc();
    }

    pub(super) fn pruned(&self, pruned: &Pruned) {
        for (kind, count) in pruned.counts() {
            self.pruned.get_or_create(&vec![("kind", kind.to_owned())]).inc_by(count);
        }
    }

    pub(super) fn polled(&self, poller: &str, changes: usize, time: Duration, now: Timestamp) {
        let name = vec![("poller", poller.to_owned())];
        self.poll_changes.get_or_create(&name).inc_by(changes as u64);
        self.poll_seconds.get_or_create(&name).observe(time.as_secs_f64());
        self.poll_success.get_or_create(&name).set(now.as_seconds());
        self.poll(poller, "done", "");
    }

    pub(super) fn poll_failed(&self, poller: &str, code: &str) {
        self.poll(poller, "failed", code);
    }

    fn poll(&self, poller: &str, outcome: &str, code: &str) {
        let labels = [("poller", poller), ("outcome", outcome), ("code", code)];
        self.polls.get_or_create(&labels.map(|(name, value)| (name, value.to_owned())).to_vec()).inc();
    }

    /// Everything as Prometheus reads it, with how many deliveries stand in each state.
    #[must_use]
    pub fn render(&self, counts: &[(DeliveryState, u64)]) -> String {
        const END: &str = "# EOF\n";
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        if text.ends_with(END) {
            text.truncate(text.len() - END.len());
        }
        text.push_str("# HELP campanile_deliveries_stored Deliveries in the store, by state.\n");
        text.push_str("# TYPE campanile_deliveries_stored gauge\n");
        for (state, count) in counts {
            let _ = writeln!(text, "campanile_deliveries_stored{{state=\"{}\"}} {count}", state.name());
        }
        text.push_str(END);
        text
    }
}
