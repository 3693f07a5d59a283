//! HttpStatusPush as the manual has it: packets as a field of a form, many in a request (P-HTTP).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::USER_AGENT;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::far_side::FarSide;
use super::only;
use super::packet::{self, Queued};
use super::settings::{Common, number};
use crate::config::Reader;
use crate::model::Event;
use crate::targets::answer::{outcome, unanswered};
use crate::targets::{Context, Fault, FaultCode, Outcome, Outgoing, Pace, Parts, Prepared, Target, Wanted};

const FORM: &str = "application/x-www-form-urlencoded";

/// Makes a target from the n-th `[[http_status_push]]` table.
pub(super) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let in_memory = number(reader, "max_memory_items", 1..=100_000_000, 10_000);
    let on_disk = number(reader, "max_disk_items", 0..=100_000_000, 100_000);
    let max = in_memory.saturating_add(on_disk);
    let mut common = Common::read(reader, parts, String::new(), max);
    let debug = reader.boolean("debug").unwrap_or(false);
    let max_size = reader.size("max_http_request_size").unwrap_or(1 << 20);
    let extra = extra_params(reader);
    let far_side = FarSide::read(reader, parts)?;
    if common.name.is_empty() {
        common.name = usual_name(&far_side, index);
    }
    Some(Arc::new(HttpStatusPush { common, far_side, debug, max_size, extra }))
}

/// The host's name; with a number when it can't be the only one (P-HTTP-08).
pub(super) fn usual_name(far_side: &FarSide, index: usize) -> String {
    match index {
        1 => format!("events_{}", far_side.host()),
        _ => format!("events_{}-{index}", far_side.host()),
    }
}

/// P-HTTP-07.
fn extra_params(reader: &Reader<'_>) -> Vec<(String, String)> {
    let Some(table) = reader.table("extra_post_params") else { return Vec::new() };
    let mut params = Vec::new();
    for (name, item) in table.entries() {
        let value = match item.to_json() {
            Value::String(text) => text,
            number @ Value::Number(_) => number.to_string(),
            _ => {
                item.error(format!("`{name}` must be a text or a number"));
                continue;
            }
        };
        if name == "packets" {
            item.error("`packets` is the field that the events are in: name the extra one otherwise");
        }
        params.push((name.to_owned(), value));
    }
    table.finish();
    params
}

/// One `[[http_status_push]]` table at work.
struct HttpStatusPush {
    common: Common,
    far_side: FarSide,
    /// JSON for people (P-HTTP-02).
    debug: bool,
    /// A body must be smaller than this; 0: of any size (P-HTTP-06).
    max_size: u64,
    extra: Vec<(String, String)>,
}

impl HttpStatusPush {
    /// The body for these packets (P-HTTP-11).
    fn encode(&self, packets: &[Outgoing<'_>]) -> Result<String, Fault> {
        let unreadable = |error: String| {
            Fault::lasting(FaultCode::Content, format!("what was kept cannot be read: {error}"))
        };
        let json = if self.debug {
            let read = |packet: &Outgoing<'_>| serde_json::from_slice::<Value>(packet.message);
            let packets: Result<Vec<_>, _> = packets.iter().map(read).collect();
            let packets = packets.map_err(|error| unreadable(error.to_string()))?;
            serde_json::to_string_pretty(&packets).map_err(|error| unreadable(error.to_string()))?
        } else {
            let texts: Result<Vec<_>, _> =
                packets.iter().map(|packet| std::str::from_utf8(packet.message)).collect();
            format!("[{}]", texts.map_err(|error| unreadable(error.to_string()))?.join(","))
        };
        let mut form = Serializer::new(String::with_capacity(json.len() * 3 / 2));
        form.append_pair("packets", &json);
        form.extend_pairs(&self.extra);
        Ok(form.finish())
    }

    fn is_too_large(&self, body: &str) -> bool {
        self.max_size > 0 && body.len() as u64 >= self.max_size
    }

    /// A packet that fits into no request is dropped (P-HTTP-09).
    fn dropped(&self, id: u64, size: usize) -> Outcome {
        let max = self.max_size;
        let text = format!("ERROR: packet {id} was dropped, too large: {size} > {max}");
        Outcome::Refused(Fault::lasting(FaultCode::Content, text))
    }
}

#[async_trait]
impl Target for HttpStatusPush {
    fn name(&self) -> &str {
        &self.common.name
    }

    fn wants(&self, event: &Event) -> Option<Wanted> {
        self.common.wants(event)
    }

    fn unwanted(&self, event: &Event) -> String {
        self.common.unwanted(event)
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        let message = packet::write(&self.common, event, context).await?;
        Ok(Prepared::Message { message, version: None })
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        only(self.send_run(&[outgoing]).await)
    }

    fn run_length(&self) -> u32 {
        self.common.chunk_size
    }

    /// Most of what waits, or one packet when the last push failed; fewer as long as they are too large (P-HTTP-09).
    async fn send_run(&self, run: &[Outgoing<'_>]) -> Vec<Outcome> {
        let Some(first) = run.first() else { return Vec::new() };
        let (id, started) = match Queued::read(first.message) {
            Ok(queued) => (queued.id, queued.started.into_owned()),
            Err(fault) => return vec![Outcome::Refused(fault)],
        };
        let mut chunk = if first.failures > 0 { run.get(..1).unwrap_or(run) } else { run };
        loop {
            let half = || chunk.get(..chunk.len() / 2).filter(|half| !half.is_empty());
            let body = match self.encode(chunk) {
                Ok(body) => body,
                Err(fault) => return vec![Outcome::Refused(fault)],
            };
            let size = body.len();
            if self.is_too_large(&body) {
                match half() {
                    Some(half) => chunk = half,
                    None => return vec![self.dropped(id, size)],
                }
                continue;
            }
            let name = format!("{started}/{id}-{}", chunk.len());
            let agent = Some((USER_AGENT, "buildbot"));
            let sent = self.far_side.post(FORM, Bytes::from(body), agent, &name, first.now).await;
            let count = chunk.len();
            let url = self.far_side.shown();
            let failed = |fault: Fault, not_before| {
                let text = format!("Failed to push {count} events to {url}: {}", fault.text);
                // Whatever it says, the packets stay: it is a fault of the settings, there or here (P-HTTP-14).
                vec![Outcome::Deferred { fault: Fault::passing(fault.code, text), not_before }]
            };
            let response = match sent {
                Ok(response) => response,
                Err(error) => return failed(unanswered(&error), None),
            };
            if response.status == StatusCode::PAYLOAD_TOO_LARGE {
                match half() {
                    Some(half) => chunk = half,
                    None => return vec![self.dropped(id, size)],
                }
                continue;
            }
            return match outcome(&response, first.now) {
                Outcome::Refused(fault) => failed(fault, None),
                Outcome::Deferred { fault, not_before } => failed(fault, not_before),
                _ => {
                    let sent = || Outcome::Delivered(format!("Sent {count} events to {url}"));
                    std::iter::repeat_with(sent).take(count).collect()
                }
            };
        }
    }

    fn rest(&self) -> Option<std::time::Duration> {
        Some(self.common.rest())
    }

    fn pace(&self) -> Option<Pace> {
        Some(self.common.pace())
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.far_side.probe().await
    }
}
