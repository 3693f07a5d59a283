//! A hook request as it came in, and the proof that its sender was checked.

use bytes::Bytes;
use http::HeaderMap;

use super::HookError;

/// The methods a hook may take (H-GEN-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Everything stands in the query.
    Get,
    /// The query, and a body.
    Post,
}

/// A hook request, nothing of it decoded or trusted yet.
#[derive(Clone, Debug)]
pub struct RawHook {
    /// Its method.
    pub method: Method,
    /// The query, still percent-encoded, without its `?`.
    pub query: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body, already within the size limit.
    pub body: Bytes,
}

/// A hook whose sender is proven as far as the dialect asks. Only a dialect's `verify` makes one, so nothing unverified
/// is parsed.
#[derive(Debug)]
pub struct Verified(RawHook);

impl Verified {
    /// Lets a request through. For the last line of a `verify` only.
    pub(super) fn pass(request: RawHook) -> Self {
        Self(request)
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.0.method
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The whole body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// The body, shared and not copied.
    #[must_use]
    pub fn whole_body(&self) -> Bytes {
        self.0.body.clone()
    }

    pub(super) fn request(&self) -> &RawHook {
        &self.0
    }
}

/// A header as text; bytes that are no UTF-8 are shown as such.
pub(super) fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Media type of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// No `Content-Type`.
    Absent,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
    /// `application/json` or `*/*+json`.
    Json,
    /// Anything else, as sent but without parameters.
    Other(String),
}

impl RawHook {
    /// A header as text; bytes that are no UTF-8 are shown as such.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        header_text(&self.headers, name)
    }

    /// The media type, compared without parameters and case (H-GEN-08).
    pub(super) fn media_type(&self) -> MediaType {
        let Some(sent) = self.header("content-type") else { return MediaType::Absent };
        let essence = sent.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "" => MediaType::Absent,
            "application/x-www-form-urlencoded" => MediaType::Form,
            "multipart/form-data" => MediaType::Multipart,
            "application/json" => MediaType::Json,
            other if other.contains('/') && other.ends_with("+json") => MediaType::Json,
            _ => MediaType::Other(essence.to_owned()),
        }
    }

    /// The sender's id of this delivery, the same when it is sent again and never otherwise: the first of these headers
    /// that is there and not blank (H-XALL-01).
    pub(super) fn delivery_id(&self, headers: &[&str]) -> Option<String> {
        headers.iter().filter_map(|name| self.header(name)).find(|id| !id.trim().is_empty())
    }
}

/// The `Unknown content type: TYPE` that dialects answer (H-GH-01).
pub(super) fn unknown_content_type(sent: &str) -> HookError {
    HookError::bad_request(format!("Unknown content type: {sent}"))
}
