//! StatusPush: a callback makes requests of queued packets, and the engine sends them (P-CB).

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
use crate::http::{outcome, transport_fault};
use crate::{Fault, FaultCode, Outcome, Outgoing, Parts, SessionContext, Target, callback, payload};
use campanile_callbacks::{Callback, CallbackError, Caller, HttpRequest, Kind, Packet, Status};
use campanile_config::Reader;
use campanile_outbound::{Client, OutboundError, Request};

/// A packet that is in flight for so many crashes of the callback is set aside (P-CYC-08).
const MAX_CRASHES: u32 = 3;

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
    /// Asks the callback for the requests of these packets; with them comes the count of packets that they are of.
    async fn ask(&self, packets: &[Packet]) -> Result<(usize, Vec<HttpRequest>), Fault> {
        let Some(status) = self.status.get() else {
            return Err(Fault::transient(FaultCode::Local, "the target is not open yet"));
        };
        let caller = Caller { status: Arc::clone(status), delivery: None };
        let first = packets.first().map_or(0, |packet| packet.id);
        match self.callback.push_packets(&caller, packets).await {
            Ok((pushed, _)) => {
                let consumed = usize::try_from(pushed.consumed).unwrap_or(usize::MAX).min(packets.len());
                Ok((consumed, pushed.requests))
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

    /// Sends the callback's requests in its order. The outcome is that of all packets together (P-CB-03).
    async fn send_all(&self, requests: Vec<HttpRequest>, first: &Outgoing<'_>) -> Outcome {
        let all = requests.len();
        let mut refused = Vec::new();
        for (number, request) in (1..).zip(requests) {
            let which = format!("request {number} of {all}");
            let request = match self.admit(request) {
                Ok(request) => request,
                Err(why) => {
                    refused.push(format!("{which}: {why}"));
                    continue;
                }
            };
            let sent = match self.client.send(request).await {
                Ok(response) => outcome(&response, first.now),
                Err(error) => Outcome::from(transport_fault(&error)),
            };
            match sent {
                Outcome::Deferred { fault, not_before } => {
                    let text = format!("{which}: {}", fault.text);
                    return Outcome::Deferred { fault: Fault { text, ..fault }, not_before };
                }
                Outcome::Refused(fault) => refused.push(format!("{which}: {}", fault.text)),
                _ => {}
            }
        }
        if refused.is_empty() {
            return Outcome::Delivered(format!("in {all} requests"));
        }
        Outcome::Refused(Fault::permanent(FaultCode::Rejected, refused.join("; ")))
    }
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
    /// Calls the callback for the whole chunk (P-CYC-04 to P-CYC-08).
    async fn push(&self, chunk: &[Outgoing<'_>]) -> Vec<Outcome> {
        let Some(first) = chunk.first() else { return Vec::new() };
        let mut packets = Vec::with_capacity(chunk.len());
        for outgoing in chunk {
            match unpacked(outgoing.message) {
                Ok(packet) => packets.push(packet),
                Err(fault) if packets.is_empty() => return vec![Outcome::Refused(fault)],
                Err(_) => break,
            }
        }
        let (consumed, requests) = match self.ask(&packets).await {
            Ok(made) => made,
            Err(fault) => return vec![Outcome::Deferred { fault, not_before: None }],
        };
        if consumed == 0 {
            let fault = Fault::transient(FaultCode::Callback, "serverPushCb took none of the packets");
            return vec![Outcome::Deferred { fault, not_before: None }];
        }
        match self.send_all(requests, first).await {
            Outcome::Delivered(how) => {
                let pushed = || Outcome::Delivered(format!("pushed with {} others {how}", consumed - 1));
                std::iter::repeat_with(pushed).take(consumed).collect()
            }
            Outcome::Refused(fault) => {
                std::iter::repeat_with(|| Outcome::Refused(fault.clone())).take(consumed).collect()
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
