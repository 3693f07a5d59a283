//! A response, as much of it as the request asked for.

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName};

use campanile_config::{Secret, mask};

/// So many characters of a body are shown to people.
const EXCERPT: usize = 300;

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most as long as the request said.
    pub body: Bytes,
    /// The body was longer than that.
    pub truncated: bool,
    /// `https://host:port` of who answered.
    pub origin: String,
    pub(super) secrets: Vec<Secret>,
}

impl Response {
    /// An answer without a server, for tests of those who judge answers.
    #[cfg(feature = "testing")]
    #[must_use]
    #[allow(clippy::unwrap_used, clippy::missing_panics_doc)]
    pub fn made_up(status: u16, body: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            truncated: false,
            origin: "https://push.example.org".to_owned(),
            secrets: Vec::new(),
        }
    }

    /// A header as text, if it is there and readable.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The beginning of the body for people: on one line, and with the request's secrets made unreadable, since a far
    /// side may quote what it was sent.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let text = mask(&String::from_utf8_lossy(&self.body), &self.secrets);
        let between = |character: char| character.is_whitespace() || character.is_control();
        let words = text.split(between).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let mut shown: String = words.chars().take(EXCERPT).collect();
        if shown.len() < words.len() {
            shown.push('…');
        }
        shown
    }
}
