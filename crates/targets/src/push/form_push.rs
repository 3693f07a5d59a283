//! HttpStatusPush as the manual has it: packets as a field of a form, many in a request (P-HTTP).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::header::USER_AGENT;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::endpoint::Endpoint;
use super::payload::QueuedPacket;
use super::send::{PacketPush, Transport};
use super::settings::{QueueSettings, number};
use crate::http::{FORM, deferred, outcome};
use crate::{Fault, FaultCode, Outcome, Outgoing, Parts, Permanence, Target, payload};
use campanile_config::Reader;
use campanile_model::Timestamp;

/// Makes a target of the n-th `[[http_status_push]]` table.
pub(super) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let in_memory = number(reader, "max_memory_items", 1..=100_000_000, 10_000);
    let on_disk = number(reader, "max_disk_items", 0..=100_000_000, 100_000);
    let max = in_memory.saturating_add(on_disk);
    let mut settings = QueueSettings::read(reader, parts, String::new(), max);
    let debug = reader.boolean("debug").unwrap_or(false);
    let max_size = reader.size("max_http_request_size").unwrap_or(1 << 20);
    let extra = extra_params(reader);
    let endpoint = Endpoint::read(reader, parts)?;
    if settings.name.is_empty() {
        settings.name = default_name(&endpoint, index);
    }
    Some(Arc::new(PacketPush { settings, transport: FormTransport { endpoint, debug, max_size, extra } }))
}

/// Names a target by its host; with a number when it can't be the only one (P-HTTP-08).
pub(super) fn default_name(endpoint: &Endpoint, index: usize) -> String {
    match index {
        1 => format!("events_{}", endpoint.host()),
        _ => format!("events_{}-{index}", endpoint.host()),
    }
}

/// Reads `extra_post_params` (P-HTTP-07).
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

/// The way of packets that go out as a field of a form.
struct FormTransport {
    endpoint: Endpoint,
    /// True for JSON that people can read (P-HTTP-02).
    debug: bool,
    /// A body must be smaller than this; 0: of any size (P-HTTP-06).
    max_size: u64,
    extra: Vec<(String, String)>,
}

impl FormTransport {
    /// Writes the body for these packets (P-HTTP-11).
    fn encode(&self, packets: &[Outgoing<'_>]) -> Result<String, Fault> {
        let json = if self.debug {
            let read = |packet: &Outgoing<'_>| payload::from_bytes(packet.message);
            let packets: Vec<Value> = packets.iter().map(read).collect::<Result<_, _>>()?;
            serde_json::to_string_pretty(&packets).map_err(payload::unreadable)?
        } else {
            let texts: Result<Vec<_>, _> =
                packets.iter().map(|packet| std::str::from_utf8(packet.message)).collect();
            format!("[{}]", texts.map_err(payload::unreadable)?.join(","))
        };
        let mut form = Serializer::new(String::with_capacity(json.len() * 3 / 2));
        form.append_pair("packets", &json);
        form.extend_pairs(&self.extra);
        Ok(form.finish())
    }

    /// Posts these packets, of which the first is `first`.
    ///
    /// # Errors
    /// With the size of the body in bytes if that is too large, as we or the receiver see it.
    async fn post(
        &self,
        first: &QueuedPacket<'_>,
        chunk: &[Outgoing<'_>],
        now: Timestamp,
    ) -> Result<Outcome, usize> {
        let body = match self.encode(chunk) {
            Ok(body) => body,
            Err(fault) => return Ok(Outcome::Refused(fault)),
        };
        let size = body.len();
        if self.max_size > 0 && size as u64 >= self.max_size {
            return Err(size);
        }
        let (count, url) = (chunk.len(), self.endpoint.origin());
        let name = format!("{}/{}-{count}", first.started, first.id);
        let agent = Some((USER_AGENT, "buildbot"));
        let posted = match self.endpoint.post(FORM, Bytes::from(body), agent, &name, now).await {
            Ok(response) if response.status == StatusCode::PAYLOAD_TOO_LARGE => return Err(size),
            Ok(response) => outcome(&response, now),
            Err(error) => deferred(error),
        };
        let (fault, not_before) = match posted {
            Outcome::Refused(fault) => (fault, None),
            Outcome::Deferred { fault, not_before } => (fault, not_before),
            _ => return Ok(Outcome::Delivered(format!("Sent {count} events to {url}"))),
        };
        let text = format!("Failed to push {count} events to {url}: {}", fault.text);
        // Whatever it says, the packets stay: it is a fault of the settings, there or here (P-HTTP-14).
        let fault = Fault { text, permanence: Permanence::Transient, ..fault };
        Ok(Outcome::Deferred { fault, not_before })
    }
}

#[async_trait]
impl Transport for FormTransport {
    /// Pushes all of them, or fewer as long as they are too large (P-HTTP-09); one packet when the last push failed, so
    /// that one that can't be pushed is found and keeps no others.
    async fn push(&self, chunk: &[Outgoing<'_>]) -> Vec<Outcome> {
        let Some(Outgoing { message, now, failures, .. }) = chunk.first() else { return Vec::new() };
        let chunk = if *failures > 0 { chunk.get(..1).unwrap_or(chunk) } else { chunk };
        let first: QueuedPacket<'_> = match payload::from_bytes(message) {
            Ok(first) => first,
            Err(fault) => return vec![Outcome::Refused(fault)],
        };
        let mut chunk = chunk;
        loop {
            match (self.post(&first, chunk, *now).await, chunk.len()) {
                (Ok(Outcome::Delivered(receipt)), count) => {
                    let delivered = || Outcome::Delivered(receipt.clone());
                    return std::iter::repeat_with(delivered).take(count).collect();
                }
                (Ok(other), _) => return vec![other],
                (Err(size), 0 | 1) => {
                    let (id, max) = (first.id, self.max_size);
                    let text = format!("ERROR: packet {id} was dropped, too large: {size} > {max}");
                    return vec![Outcome::Refused(Fault::permanent(FaultCode::Content, text))];
                }
                (Err(_), count) => chunk = chunk.get(..count / 2).unwrap_or(chunk),
            }
        }
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.endpoint.probe().await
    }
}
