//! A request to be sent once, and the secrets in it.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::OutboundError;
use super::limits::HTTP_EXCHANGE;
use campanile_config::Secret;

/// Bytes of a response that are read, unless the request says otherwise.
const MAX_RESPONSE: usize = 1 << 20;

/// A request to be sent once.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) timeout: Duration,
    pub(super) max_response: usize,
    pub(super) secrets: Vec<Secret>,
}

/// Texts of an address of this length, in bytes, may be keys: feeds and webhooks have them in queries and paths.
const MIN_KEY: usize = 8;

/// The parts of an address that a far side must not have repeated in our log: its query, the values in it, and its path.
fn secrets_of(url: &Url) -> Vec<Secret> {
    let raw = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
    let decoded = url.query_pairs().map(|(_, value)| value.into_owned());
    let values = raw.chain(decoded).filter(|value| value.len() >= MIN_KEY);
    let path = Some(url.path()).filter(|path| path.len() >= 2 * MIN_KEY);
    let whole = url.query().filter(|query| query.len() >= MIN_KEY).into_iter().chain(path);
    values.chain(whole.map(str::to_owned)).map(Secret::new).collect()
}

impl Request {
    /// A request with these and nothing else, and the usual limits (P-HTTP-13, GS-API-06).
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        let secrets = secrets_of(&url);
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: HTTP_EXCHANGE,
            max_response: MAX_RESPONSE,
            secrets,
        }
    }

    /// `GET`.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// `POST` with a body of this media type.
    #[must_use]
    pub fn post(url: Url, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut request = Self::new(Method::POST, url);
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        request.body = body.into();
        request
    }

    /// Has this body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sets a header.
    ///
    /// # Errors
    /// When the value can't stand in a header, as one with a line break can't.
    pub fn header(mut self, name: HeaderName, value: &str) -> Result<Self, OutboundError> {
        let checked = HeaderValue::from_str(value);
        let value = checked.map_err(|_| OutboundError::Address(unfit(&name)))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sets a header that holds a secret: `before` and the secret. It is shown nowhere.
    ///
    /// # Errors
    /// When the secret can't stand in a header.
    pub fn secret_header(
        mut self,
        name: HeaderName,
        before: &str,
        secret: &Secret,
    ) -> Result<Self, OutboundError> {
        let text = format!("{before}{}", secret.expose());
        let mut value = HeaderValue::from_str(&text).map_err(|_| OutboundError::Address(unfit(&name)))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self.secrets.push(secret.clone());
        Ok(self)
    }

    /// `Authorization: Basic`.
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: &Secret) -> Self {
        use base64::Engine as _;
        let plain = format!("{user}:{}", password.expose());
        let encoded = base64::engine::general_purpose::STANDARD.encode(plain);
        if let Ok(mut value) = HeaderValue::from_str(&format!("Basic {encoded}")) {
            value.set_sensitive(true);
            self.headers.insert(AUTHORIZATION, value);
        }
        self.secrets.extend([password.clone(), Secret::new(encoded)]);
        self
    }

    /// A text that is in the request, such as a key in its query, and must not be shown either.
    #[must_use]
    pub fn hide(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Limits the time of the whole exchange.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Limits the bytes that are read of the response's body.
    #[must_use]
    pub fn max_response(self, max_response: usize) -> Self {
        Self { max_response, ..self }
    }
}

fn unfit(name: &HeaderName) -> String {
    format!("the value of the header `{name}` has characters that no header may have, such as a line break")
}
