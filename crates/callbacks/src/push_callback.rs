//! The StatusPush serverPushCb (P-CB): queued packets to requests, which the engine sends and retries.

use serde::Serialize;
use serde_json::Value;

use super::bindings::status_pushing::exports::campanile::notifier::push_callback as wit;
use super::call::ITEM_COST;
use super::callback::{CallCost, Callback, sandboxed_call};
use super::caller::Caller;
use super::error::CallbackError;
use super::kind::Kind;

/// A queued event.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    /// Its number in the queue, growing.
    pub id: u64,
    /// The event's name.
    pub event: String,
    /// Time of the event, as packets have it.
    pub timestamp: String,
    /// Content of the packet.
    pub payload: Value,
}

/// A request to send. Nothing in it is trusted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpRequest {
    /// Such as `POST`.
    pub method: String,
    /// Address to send it to.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Body to send.
    pub body: Vec<u8>,
}

/// Requests for a part of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PushOutcome {
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
    ) -> Result<(PushOutcome, CallCost), CallbackError> {
        let packets: Vec<_> = packets
            .iter()
            .map(|packet| wit::Packet {
                id: packet.id,
                event: packet.event.clone(),
                timestamp: packet.timestamp.clone(),
                payload: packet.payload.to_string(),
            })
            .collect();
        let (answer, cost) =
            sandboxed_call!(self, caller, push_callback, Kind::PushCallback, |store, instance| {
                instance.campanile_notifier_push_callback().call_push_packets(&mut store, &packets)
            });
        let pushed = answer.map_err(CallbackError::answered)?;
        let requests: Vec<_> = pushed.requests.into_iter().map(HttpRequest::from).collect();
        self.within_output(requests.iter().map(HttpRequest::size).sum())?;
        Ok((PushOutcome { consumed: pushed.consumed, requests }, cost))
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
        let headers: usize =
            self.headers.iter().map(|(name, value)| ITEM_COST + name.len() + value.len()).sum();
        ITEM_COST + self.url.len() + headers + self.body.len()
    }
}
