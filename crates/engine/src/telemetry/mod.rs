//! Spans of traces, sent to an OTLP collector if the settings name one.
//!
//! Written here and not taken from OpenTelemetry's crates: they bring message types of gRPC's with them, and what goes
//! out by HTTP goes through the one guarded client. What is sent is OTLP/HTTP in its JSON form.
//!
//! Invariant: nothing waits for a collector. What it does not take in time is dropped, and counted.

mod exporter;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use url::Url;

use crate::Clock;
use campanile_config::Reader;
use campanile_model::{Timestamp, TraceContext};
use campanile_outbound::{Client, Outbound};

/// Limit of spans that wait for the collector; beyond it new ones are dropped.
const QUEUE: usize = 8_192;
/// Longest wait of a stop for the collector.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The collector of `[telemetry]`.
pub struct Collector {
    /// Address that traces are posted to: `otlp_endpoint` with `v1/traces` behind it.
    url: Url,
    client: Client,
    service: String,
}

impl Collector {
    /// Reads `[telemetry]`; none if there is no such table.
    #[must_use]
    pub(crate) fn from_settings(root: &Reader<'_>, outbound: &Outbound) -> Option<Self> {
        let table = root.table("telemetry")?;
        let endpoint = table.required_text("otlp_endpoint").unwrap_or_default();
        let service = table.text("service_name").unwrap_or_else(|| "campanile".to_owned());
        let url = Url::parse(&format!("{}/v1/traces", endpoint.trim_end_matches('/')));
        let url = match url {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Some(url),
            _ => {
                table.error("otlp_endpoint", "`otlp_endpoint` is no address such as http://127.0.0.1:4318");
                None
            }
        };
        let client = outbound.client_for(&table);
        table.finish();
        Some(Self { url: url?, client: client?, service })
    }
}

/// A span: something that was done, from its beginning to its end.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// Its own ids.
    pub(crate) context: TraceContext,
    /// Id of the span that it is a part of; 0 for none.
    pub(crate) parent: u64,
    /// Its name: a verb and its object.
    pub(crate) name: String,
    /// Its direction.
    pub(crate) kind: Kind,
    /// Time of its beginning.
    pub(crate) began: Timestamp,
    /// Time of its end.
    pub(crate) ended: Timestamp,
    /// Its attributes, by OpenTelemetry's names or beginning with `campanile.`.
    pub(crate) attributes: Vec<(&'static str, String)>,
    /// The fault, if it failed.
    pub(crate) error: Option<String>,
}

/// Direction of what was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It stayed inside.
    Internal,
    /// It was asked from outside.
    Server,
    /// It went out.
    Client,
}

/// Entrance for spans. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    queue: Option<mpsc::Sender<Message>>,
    /// The exporter; it ends with the last clone of this.
    _exporter: Arc<JoinSet<()>>,
    counts: Arc<SpanCounts>,
    clock: Clock,
}

enum Message {
    Span(Box<Span>),
    Flush(oneshot::Sender<()>),
}

/// Numbers of spans by their fate.
#[derive(Debug, Default)]
struct SpanCounts {
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl Telemetry {
    /// Starts sending to this collector. Without one nothing is recorded at all. Needs a runtime.
    #[must_use]
    pub(crate) fn start(collector: Option<Collector>, clock: Clock) -> Self {
        let counts = Arc::new(SpanCounts::default());
        let mut exporter = JoinSet::new();
        let queue = collector.map(|collector| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            exporter.spawn(exporter::run(collector, receiver, Arc::clone(&counts)));
            sender
        });
        Self { queue, _exporter: Arc::new(exporter), counts, clock }
    }

    /// The time by the engine's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes the ids of a new span below `parent`, or of a trace of its own. When no spans are recorded, what came from
    /// outside is handed on as it is: the far side still sees whose trace it belongs to.
    #[must_use]
    pub(crate) fn child_of(&self, parent: Option<TraceContext>) -> Option<TraceContext> {
        if self.queue.is_none() {
            return parent;
        }
        let span = fastrand::u64(1..);
        Some(match parent {
            Some(parent) => parent.at(span),
            None => TraceContext { trace: fastrand::u128(1..), span, sampled: true },
        })
    }

    /// Records a span, which is only made if a collector wants it. Never waits.
    pub(crate) fn record(&self, span: impl FnOnce() -> Span) {
        let Some(queue) = &self.queue else { return };
        let span = span();
        if span.context.sampled && queue.try_send(Message::Span(Box::new(span))).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Numbers of spans that a collector has taken, and of those that were dropped.
    #[must_use]
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.counts.exported.load(Ordering::Relaxed), self.counts.dropped.load(Ordering::Relaxed))
    }

    /// Sends the spans that were recorded so far; waits two seconds at most.
    pub async fn flush(&self) {
        let Some(queue) = &self.queue else { return };
        let (told, done) = oneshot::channel();
        let sent = async {
            if queue.send(Message::Flush(told)).await.is_ok() {
                // Fails only when the exporter is gone, and then there is nothing to wait for.
                let _ = done.await;
            }
        };
        if tokio::time::timeout(FLUSH_TIMEOUT, sent).await.is_err() {
            tracing::warn!("spans are lost: the collector of traces did not take the last ones in time");
        }
    }
}
