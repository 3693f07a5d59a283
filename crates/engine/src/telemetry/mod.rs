//! Spans: what was done when, for whom, as part of which trace; sent to an OTLP collector if the settings name one.
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
use url::Url;

use campanile_config::Reader;
use campanile_model::{Timestamp, TraceContext};
use campanile_outbound::{Client, Outbound};

/// So many spans wait for the collector.
const QUEUE: usize = 8_192;
/// So long a stop waits for the collector.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// `[telemetry]`.
pub struct Collector {
    /// Where traces are posted to: `otlp_endpoint` with `v1/traces` behind it.
    url: Url,
    client: Client,
    service: String,
}

impl Collector {
    /// Reads `[telemetry]`; none if there is no such table.
    #[must_use]
    pub fn from_settings(root: &Reader<'_>, outbound: &Outbound) -> Option<Self> {
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

/// Something that was done.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it stands.
    pub context: TraceContext,
    /// The span that it is a part of; 0 for none.
    pub parent: u64,
    /// What was done.
    pub name: String,
    /// Which way it went.
    pub kind: Kind,
    /// Since when.
    pub began: Timestamp,
    /// Until when.
    pub ended: Timestamp,
    /// To what.
    pub attributes: Vec<(&'static str, String)>,
    /// How it failed, if it did.
    pub error: Option<String>,
}

/// Which way something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It stayed inside.
    Internal,
    /// It was asked from outside.
    Server,
    /// It went out.
    Client,
}

/// Takes spans and has them sent. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    queue: Option<mpsc::Sender<Message>>,
    tally: Arc<Tally>,
}

enum Message {
    Span(Box<Span>),
    Flush(oneshot::Sender<()>),
}

/// What became of spans.
#[derive(Debug, Default)]
struct Tally {
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl Telemetry {
    /// Sends to this collector; to none, nothing is noted at all.
    #[must_use]
    pub fn start(collector: Option<Collector>) -> Self {
        let tally = Arc::new(Tally::default());
        let queue = collector.map(|collector| {
            let (sender, receiver) = mpsc::channel(QUEUE);
            tokio::spawn(exporter::run(collector, receiver, Arc::clone(&tally)));
            sender
        });
        Self { queue, tally }
    }

    /// Where something stands that is about to be done as part of this, or of nothing: it gets a span of its own, if
    /// spans are noted; otherwise what came from outside is handed on as it is.
    #[must_use]
    pub fn begin(&self, parent: Option<TraceContext>) -> Option<TraceContext> {
        if self.queue.is_none() {
            return parent;
        }
        let span = fastrand::u64(1..);
        Some(match parent {
            Some(parent) => parent.at(span),
            None => TraceContext { trace: fastrand::u128(1..), span, sampled: true },
        })
    }

    /// Notes what was done, if anybody wants to see it.
    pub fn note(&self, span: impl FnOnce() -> Span) {
        let Some(queue) = &self.queue else { return };
        let span = span();
        if span.context.sampled && queue.try_send(Message::Span(Box::new(span))).is_err() {
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many spans a collector has taken, and how many were dropped.
    #[must_use]
    pub fn tally(&self) -> (u64, u64) {
        (self.tally.exported.load(Ordering::Relaxed), self.tally.dropped.load(Ordering::Relaxed))
    }

    /// Sends what was noted so far; waits some seconds at most.
    pub async fn flush(&self) {
        let Some(queue) = &self.queue else { return };
        let (told, done) = oneshot::channel();
        let sent = async {
            if queue.send(Message::Flush(told)).await.is_ok() {
                // Fails only when the exporter is gone, and then there is nothing to wait for.
                let _ = done.await;
            }
        };
        if tokio::time::timeout(LAST_WORDS, sent).await.is_err() {
            tracing::warn!("the collector of traces did not take the last ones in time");
        }
    }
}
