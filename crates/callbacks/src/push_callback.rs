//! The StatusPush serverPushCb (P-CB): queued packets to requests, which the engine sends and retries.

use serde::Serialize;
use serde_json::Value;

use super::bindings::status_pushing::exports::campanile::notifier::push_callback as wit;
use super::call::Caller;
use super::callback::{Callback, CallbackError, Report, caged_call};
use super::version::Kind;

/// A queued event.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Its number in the queue, growing.
    pub id: u64,
    /// The event's name.
    pub event: String,
    /// When it happened.
    pub timestamp: String,
    /// What it says.
    pub payload: Value,
}

/// A request to send. Nothing in it is trusted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpRequest {
    /// Such as `POST`.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What to send.
    pub body: Vec<u8>,
}

/// What a call made of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// So many packets from the front are in the requests, or are not to be sent at all.
    pub consumed: u32,
    /// To be sent in this order.
    pub requests: Vec<HttpRequest>,
}

impl Callback {
    /// Hands packets over, oldest first.
    ///
    /// # Errors
    /// When the component has no push callback, refuses, traps, or meets a limit.
    pub async fn push_packets(
        &self,
        caller: &Caller,
        packets: &[Packet],
    ) -> Result<(Pushed, Report), CallbackError> {
        let packets: Vec<_> = packets
            .iter()
            .map(|packet| wit::Packet {
                id: packet.id,
                event: packet.event.clone(),
                timestamp: packet.timestamp.clone(),
                payload: packet.payload.to_string(),
            })
            .collect();
        let (answer, report) =
            caged_call!(self, caller, push_callback, Kind::PushCallback, |store, instance| {
                instance.campanile_notifier_push_callback().call_push_packets(&mut store, &packets)
            });
        let pushed = answer.map_err(CallbackError::Answered)?;
        let requests: Vec<_> = pushed.requests.into_iter().map(HttpRequest::from).collect();
        self.within_output(requests.iter().map(HttpRequest::size).sum())?;
        Ok((Pushed { consumed: pushed.consumed, requests }, report))
    }
}

impl From<wit::HttpRequest> for HttpRequest {
    fn from(request: wit::HttpRequest) -> Self {
        let wit::HttpRequest { method, url, headers, body } = request;
        Self { method, url, headers, body }
    }
}

impl HttpRequest {
    fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.url.len() + headers + self.body.len()
    }
}
