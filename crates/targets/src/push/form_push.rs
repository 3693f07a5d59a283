//! HttpStatusPush as the manual has it: packets as a field of a form, many in a request (P-HTTP).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::header::USER_AGENT;
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::far_side::FarSide;
use super::packet::Queued;
use super::packets::{Packets, Way};
use super::settings::{Common, number};
use crate::http_outcome::{deferred, outcome};
use crate::{Fault, FaultCode, Outcome, Outgoing, Parts, Target, payload};
use campanile_config::Reader;
use campanile_model::Timestamp;

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
    Some(Arc::new(Packets { common, way: ByForm { far_side, debug, max_size, extra } }))
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

/// As a form, which `[[http_status_push]]` says where to send.
struct ByForm {
    far_side: FarSide,
    /// JSON for people (P-HTTP-02).
    debug: bool,
    /// A body must be smaller than this; 0: of any size (P-HTTP-06).
    max_size: u64,
    extra: Vec<(String, String)>,
}

impl ByForm {
    /// The body for these packets (P-HTTP-11).
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

    /// Posts these packets, of which the first is `first`: what became of them, or how large they are if that is too
    /// large, as we or the receiver see it.
    async fn post(
        &self,
        first: &Queued<'_>,
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
        let (count, url) = (chunk.len(), self.far_side.shown());
        let name = format!("{}/{}-{count}", first.started, first.id);
        let agent = Some((USER_AGENT, "buildbot"));
        let posted = match self.far_side.post(FORM, Bytes::from(body), agent, &name, now).await {
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
        Ok(Outcome::Deferred { fault: Fault::transient(fault.code, text), not_before })
    }
}

#[async_trait]
impl Way for ByForm {
    /// All of them, or fewer as long as they are too large (P-HTTP-09).
    async fn push(&self, chunk: &[Outgoing<'_>]) -> Vec<Outcome> {
        let Some(Outgoing { message, now, .. }) = chunk.first() else { return Vec::new() };
        let first: Queued<'_> = match payload::from_bytes(message) {
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
        self.far_side.probe().await
    }
}
