//! The exporter of spans: batches by OTLP/HTTP in its JSON form.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::{Collector, Kind, Message, Span, SpanCounts};
use campanile_outbound::Request;

/// Limit of spans in one request.
const BATCH: usize = 512;
/// Longest wait of a span for others to share its request.
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// Attempts at a collector that asks to be asked again.
const ATTEMPTS: u32 = 3;
/// Pause between two of them.
const PAUSE: Duration = Duration::from_secs(1);
/// Least time between two log lines about lost spans.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Sends until nobody can record anything any more.
pub(super) async fn run(collector: Collector, mut queue: mpsc::Receiver<Message>, counts: Arc<SpanCounts>) {
    let mut logged: Option<Instant> = None;
    while let Some(first) = queue.recv().await {
        let mut batch = Vec::new();
        let flushed = fill(first, &mut queue, &mut batch).await;
        let count = batch.len() as u64;
        match send(&collector, &batch).await {
            Ok(()) => drop(counts.exported.fetch_add(count, Ordering::Relaxed)),
            Err(error) => {
                counts.dropped.fetch_add(count, Ordering::Relaxed);
                if logged.is_none_or(|at| at.elapsed() > LOG_EVERY) {
                    tracing::warn!(spans = count, "spans are lost: {error}");
                    logged = Some(Instant::now());
                }
            }
        }
        if let Some(told) = flushed {
            // Who asked may have stopped waiting.
            let _ = told.send(());
        }
    }
}

/// Fills a batch; ends early when somebody waits for what is there.
async fn fill(
    first: Message,
    queue: &mut mpsc::Receiver<Message>,
    batch: &mut Vec<Span>,
) -> Option<oneshot::Sender<()>> {
    let until = Instant::now() + BATCH_DELAY;
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Span(span) => batch.push(*span),
            Message::Flush(told) => return Some(told),
        }
        if batch.len() >= BATCH {
            return None;
        }
        next = tokio::time::timeout_at(until, queue.recv()).await.ok().flatten();
    }
    None
}

/// Posts a batch, several times if the collector asks for it. The error is for people.
async fn send(collector: &Collector, batch: &[Span]) -> Result<(), String> {
    if batch.is_empty() {
        return Ok(());
    }
    let body = request(&collector.service, batch).to_string();
    let mut tries = 1;
    loop {
        let request = Request::post(collector.url.clone(), "application/json", body.clone());
        let (error, again) = match collector.client.send(request).await {
            Ok(answer) if answer.status.is_success() => return Ok(()),
            Ok(answer) => {
                let again = matches!(answer.status.as_u16(), 429 | 502 | 503 | 504);
                (format!("the collector answered {}", answer.status), again)
            }
            Err(error) => (error.to_string(), true),
        };
        if !again || tries >= ATTEMPTS {
            return Err(error);
        }
        tries += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Writes an `ExportTraceServiceRequest`, as OTLP's JSON has it: ids in hex, numbers of 64 bits as text.
fn request(service: &str, batch: &[Span]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", service),
            attribute("service.version", version),
        ]},
        "scopeSpans": [{
            "scope": {"name": "campanile", "version": version},
            "spans": batch.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn span(span: &Span) -> Value {
    let nanos = |at: campanile_model::Timestamp| format!("{}000", at.as_micros());
    let mut value = json!({
        "traceId": format!("{:032x}", span.context.trace),
        "spanId": format!("{:016x}", span.context.span),
        "name": span.name,
        "kind": match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
        "startTimeUnixNano": nanos(span.began),
        "endTimeUnixNano": nanos(span.ended),
        "attributes": span.attributes.iter().map(|(key, value)| attribute(key, value)).collect::<Vec<_>>(),
    });
    if span.parent != 0 {
        value["parentSpanId"] = format!("{:016x}", span.parent).into();
    }
    if let Some(error) = &span.error {
        value["status"] = json!({"code": 2, "message": error});
    }
    value
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}
