//! The requests that a callback made of a chunk of packets, as they are stored with the first of these: what is tried
//! again are the same bytes, and only what was not taken.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::{Fault, payload};
use campanile_callbacks::HttpRequest;

/// Requests of a chunk that have not been taken yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredRequests {
    /// Numbers of the packets that they are of, oldest first.
    pub(super) packets: Vec<u64>,
    /// The count of all that the callback made.
    pub(super) made: usize,
    /// In the callback's order.
    pub(super) requests: Vec<StoredRequest>,
    /// Those that were refused for good.
    pub(super) refused: Vec<StoredRequest>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredRequest {
    /// Its place among all that were made, from 1.
    pub(super) number: usize,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    /// In base64.
    body: String,
    /// The reason, if it was refused.
    #[serde(default)]
    pub(super) refusal: String,
}

impl StoredRequests {
    /// Takes over what a callback made of these packets.
    pub(super) fn new(packets: Vec<u64>, made: Vec<HttpRequest>) -> Self {
        let stored = |(number, request)| {
            let HttpRequest { method, url, headers, body } = request;
            let body = STANDARD.encode(body);
            StoredRequest { number, method, url, headers, body, refusal: String::new() }
        };
        let count = made.len();
        Self { packets, made: count, requests: (1..).zip(made).map(stored).collect(), refused: Vec::new() }
    }

    /// Reads what was stored; none if it is a packet of which no requests have been made yet.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        payload::from_bytes(bytes).ok()
    }

    /// Writes the bytes to store.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        payload::to_bytes("the requests", self)
    }
}

impl StoredRequest {
    /// Gives the request as the callback made it.
    pub(super) fn request(&self) -> Result<HttpRequest, String> {
        let body = STANDARD.decode(&self.body).map_err(|error| format!("it cannot be read: {error}"))?;
        let Self { method, url, headers, .. } = self.clone();
        Ok(HttpRequest { method, url, headers, body })
    }
}
