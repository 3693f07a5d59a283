//! StatusPush: a callback makes requests of queued packets, and the engine keeps and sends them (P-CB).

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use http::Method;
use http::header::HeaderName;
use serde_json::Value;
use url::Url;

use super::endpoint::{Headers, MAX_RESPONSE, is_reserved};
use super::payload::QueuedPacket;
use super::send::{PacketPush, Transport};
use super::settings::{QueueSettings, number};
use super::stored_requests::{StoredRequest, StoredRequests};
use crate::http::{outcome, transport_fault};
use crate::{
    Bundle, Fault, FaultCode, Outcome, Outgoing, Parts, Permanence, SessionContext, Target, callback, payload,
};
use campanile_callbacks::{Callback, CallbackError, Caller, HttpRequest, Kind, Packet, Status};
use campanile_config::Reader;
use campanile_model::Timestamp;
use campanile_outbound::{Client, OutboundError, Request};

/// A packet that is in flight for so many crashes of the callback is set aside (P-CYC-08).
const MAX_CRASHES: u32 = 3;
/// The most requests of a chunk: all of them are kept.
const MAX_REQUESTS: usize = 10_000;

/// Makes a target of the n-th `[[status_push]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let max = number(reader, "max_items", 1..=100_000_000, 10_000);
    let settings = QueueSettings::read(reader, parts, format!("status_push-{index}"), max);
    let headers = Headers::read(reader);
    let client = parts.client(reader);
    let hosts = hosts(reader, &headers);
    if reader.item("path").is_some() {
        reader.warning("path", "the queue is kept in the store: `path` does nothing, leave it out");
    }
    if reader.item("server_push_cb").is_none() {
        reader.error("server_push_cb", "Please pass serverPushCb parameter.");
    }
    let callback = callback::read(reader, parts, "server_push_cb", Kind::PushCallback);
    let transport = CallbackTransport {
        callback: callback?,
        client: client?,
        headers,
        hosts,
        status: OnceLock::new(),
        crashed: Mutex::default(),
    };
    Some(Arc::new(PacketPush { settings, transport }))
}

/// Reads the origins that the callback's requests may go to: hosts, by https, or origins such as
/// `http://10.1.2.3:8080` (P-CB-02).
fn hosts(reader: &Reader<'_>, headers: &Headers) -> Vec<String> {
    let insecure = reader.boolean("allow_insecure").unwrap_or(false);
    let Some(named) = reader.texts("hosts") else {
        reader.error("hosts", "`hosts` is missing: name those that the callback's requests may go to");
        return Vec::new();
    };
    let mut hosts = Vec::with_capacity(named.len());
    for name in named {
        let text = if name.contains("://") { name.clone() } else { format!("https://{name}") };
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/" => {
                if url.scheme() == "http" && headers.has_credentials() && !insecure {
                    let text =
                        "credentials must not go out in the clear: use https, or `allow_insecure = true`";
                    reader.error("hosts", text);
                }
                hosts.push(url.origin().ascii_serialization());
            }
            _ => reader.error(
                "hosts",
                format!(
                    "`hosts`: `{name}` is neither a host nor an origin such as https://push.example.org:8443"
                ),
            ),
        }
    }
    hosts
}

/// The way of packets that a callback makes requests of.
struct CallbackTransport {
    callback: Callback,
    client: Client,
    headers: Headers,
    hosts: Vec<String>,
    status: OnceLock<Arc<dyn Status>>,
    /// The oldest packet that the callback last crashed with, and the count of crashes with it.
    crashed: Mutex<(u64, u32)>,
}

impl CallbackTransport {
    /// Asks the callback for the requests of these packets, of which it takes the first so many; with them comes the
    /// digest of its version.
    async fn ask(&self, packets: &[Packet]) -> Result<(StoredRequests, String), Fault> {
        let Some(status) = self.status.get() else {
            return Err(Fault::transient(FaultCode::Local, "the target is not open yet"));
        };
        let caller = Caller { status: Arc::clone(status), delivery: None };
        let first = packets.first().map_or(0, |packet| packet.id);
        match self.callback.push_packets(&caller, packets).await {
            Ok((pushed, _)) if pushed.consumed == 0 => {
                Err(Fault::transient(FaultCode::Callback, "serverPushCb took none of the packets"))
            }
            Ok((pushed, _)) if pushed.requests.len() > MAX_REQUESTS => {
                let text = format!(
                    "serverPushCb made {} requests of a chunk, {MAX_REQUESTS} are allowed: lower `chunk_size`",
                    pushed.requests.len()
                );
                Err(Fault::transient(FaultCode::Callback, text))
            }
            Ok((pushed, cost)) => {
                let consumed = usize::try_from(pushed.consumed).unwrap_or(usize::MAX);
                let taken = packets.iter().take(consumed).map(|packet| packet.id).collect();
                Ok((StoredRequests::new(taken, pushed.requests), cost.version))
            }
            // Its own word that it can't is no crash.
            Err(CallbackError::Answered(text)) => Err(Fault::transient(FaultCode::Callback, text)),
            Err(fault) => {
                let mut crashed = self.crashed.lock().unwrap_or_else(PoisonError::into_inner);
                *crashed = if crashed.0 == first { (first, crashed.1.saturating_add(1)) } else { (first, 1) };
                let text = format!("in serverPushCb: {fault}");
                Err(if crashed.1 >= MAX_CRASHES {
                    let text = format!("{text}; packet {first} is set aside after {MAX_CRASHES} times");
                    Fault::permanent(FaultCode::Callback, text)
                } else {
                    Fault::transient(FaultCode::Callback, text)
                })
            }
        }
    }

    /// Makes a request of the guest's, if it may go out at all; or says why not.
    ///
    /// The guest is foreign code: it may send to the hosts that the settings name, and may not set the headers that
    /// frame a request, by which one request could smuggle in another.
    fn admit(&self, request: HttpRequest) -> Result<Request, String> {
        let url = Url::parse(&request.url).map_err(|error| format!("its address is none: {error}"))?;
        let origin = url.origin().ascii_serialization();
        if !self.hosts.contains(&origin) {
            return Err(format!("{origin} is not among the target's `hosts`"));
        }
        let method = match request.method.as_str() {
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            "GET" => Method::GET,
            "DELETE" => Method::DELETE,
            _ => return Err("its method must be POST, PUT, PATCH, GET or DELETE".to_owned()),
        };
        let mut admitted = Request::new(method, url).body(request.body).max_response(MAX_RESPONSE);
        for (name, value) in request.headers {
            let header: HeaderName = name.parse().map_err(|_| "a header of it has no name".to_owned())?;
            if is_reserved(&header) {
                return Err(format!("`{header}` is set by the engine itself"));
            }
            admitted = admitted.header(header, &value).map_err(|error| error.to_string())?;
        }
        self.headers.add_to(admitted).map_err(|error: OutboundError| error.to_string())
    }

    /// Sends a request, if it may go out at all.
    async fn send_one(&self, request: &StoredRequest, first: &Outgoing<'_>) -> Outcome {
        let request = match request.request().and_then(|request| self.admit(request)) {
            Ok(request) => request,
            Err(why) => return Outcome::Refused(Fault::permanent(FaultCode::Rejected, why)),
        };
        match self.client.send(request).await {
            Ok(response) => outcome(&response, first.now),
            Err(error) => Outcome::from(transport_fault(&error)),
        }
    }

    /// Sends what has not been taken yet, in order. The outcome is that of all packets together (P-CB-03); what comes
    /// back with it to be stored has none that was taken.
    async fn send_all(&self, mut chunk: StoredRequests, first: &Outgoing<'_>) -> Outcome {
        let made = chunk.made;
        let mut is_changed = false;
        let mut waiting = std::mem::take(&mut chunk.requests).into_iter();
        while let Some(mut request) = waiting.next() {
            match self.send_one(&request, first).await {
                Outcome::Deferred { fault, not_before } => {
                    let text = format!("request {} of {made}: {}", request.number, fault.text);
                    let fault = Fault { text, ..fault };
                    if !is_changed {
                        return Outcome::Deferred { fault, not_before };
                    }
                    chunk.requests = std::iter::once(request).chain(waiting).collect();
                    return remainder(&chunk, fault, not_before);
                }
                Outcome::Refused(fault) => {
                    request.refusal = format!("request {} of {made}: {}", request.number, fault.text);
                    chunk.refused.push(request);
                }
                _ => {}
            }
            is_changed = true;
        }
        if chunk.refused.is_empty() {
            return Outcome::Delivered(format!("in {made} requests"));
        }
        let reasons: Vec<_> = chunk.refused.iter().map(|request| request.refusal.as_str()).collect();
        let fault = Fault::permanent(FaultCode::Rejected, reasons.join("; "));
        // Whoever has them sent again means these, and not those that were taken.
        chunk.requests = std::mem::take(&mut chunk.refused);
        remainder(&chunk, fault, None)
    }
}

fn remainder(chunk: &StoredRequests, fault: Fault, not_before: Option<Timestamp>) -> Outcome {
    match chunk.to_bytes() {
        Ok(message) => Outcome::Remainder { message, fault, not_before },
        Err(fault) => Outcome::Refused(fault),
    }
}

/// Counts the first deliveries of a batch that are of these packets.
fn packets_of(chunk: &StoredRequests, batch: &[Outgoing<'_>]) -> usize {
    let is_next = |(outgoing, id): &(&Outgoing<'_>, &u64)| {
        payload::from_bytes::<QueuedPacket<'_>>(outgoing.message).is_ok_and(|packet| packet.id == **id)
    };
    // The first one's message are the requests.
    let behind = batch.iter().skip(1).zip(chunk.packets.iter().skip(1));
    1 + behind.take_while(is_next).count()
}

/// Reads a stored packet as callbacks get it.
fn unpacked(message: &[u8]) -> Result<Packet, Fault> {
    let queued: QueuedPacket<'_> = payload::from_bytes(message)?;
    let payload: Value = payload::from_bytes(queued.payload.get().as_bytes())?;
    let (event, timestamp) = (queued.event.into_owned(), queued.timestamp.into_owned());
    Ok(Packet { id: queued.id, event, timestamp, payload })
}

#[async_trait]
impl Transport for CallbackTransport {
    /// Calls the callback for the whole chunk (P-CYC-04 to P-CYC-08), unless that has been done.
    async fn bundle(&self, batch: &[Outgoing<'_>]) -> Result<Option<Bundle>, Fault> {
        let Some(first) = batch.first() else { return Ok(None) };
        if StoredRequests::from_bytes(first.message).is_some() {
            return Ok(None);
        }
        // After a failure one packet only, so that one that can't be pushed is found and keeps no others.
        let chunk = if first.failures > 0 { batch.get(..1).unwrap_or(batch) } else { batch };
        let mut packets = Vec::with_capacity(chunk.len());
        for outgoing in chunk {
            match unpacked(outgoing.message) {
                Ok(packet) => packets.push(packet),
                Err(fault) if packets.is_empty() => return Err(fault),
                // It is refused by itself, or has requests of its own.
                Err(_) => break,
            }
        }
        let (requests, version) = self.ask(&packets).await?;
        Ok(Some(Bundle { message: requests.to_bytes()?, version: Some(version) }))
    }

    /// Sends the chunk's requests that have not been taken yet.
    async fn push(&self, batch: &[Outgoing<'_>]) -> Vec<Outcome> {
        let Some(first) = batch.first() else { return Vec::new() };
        let Some(chunk) = StoredRequests::from_bytes(first.message) else {
            let fault = Fault::transient(FaultCode::Local, "its requests have not been made yet");
            return vec![Outcome::Deferred { fault, not_before: None }];
        };
        let (count, others) = (packets_of(&chunk, batch), chunk.packets.len().saturating_sub(1));
        match self.send_all(chunk, first).await {
            Outcome::Delivered(how) => {
                let pushed = || Outcome::Delivered(format!("pushed with {others} others {how}"));
                std::iter::repeat_with(pushed).take(count).collect()
            }
            // The first one keeps what was refused.
            Outcome::Remainder { message, fault, not_before }
                if fault.permanence == Permanence::Permanent =>
            {
                let behind = std::iter::repeat_with(|| Outcome::Refused(fault.clone())).take(count - 1);
                let behind: Vec<_> = behind.collect();
                std::iter::once(Outcome::Remainder { message, fault, not_before }).chain(behind).collect()
            }
            other => vec![other],
        }
    }

    fn open(&self, context: SessionContext) {
        // A target is opened once.
        let _ = self.status.set(context.status);
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(format!(
            "the callback may send to {}; nothing is asked of it without packets",
            self.hosts.join(", ")
        ))
    }
}
