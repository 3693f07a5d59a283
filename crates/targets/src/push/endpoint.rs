//! The end point of pushes: an address with its credentials, headers, certificates and signatures (P-HTTP-15,
//! P-MOD-01).

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use url::Url;

use super::signature::Signers;
use crate::http::{outcome, transport_fault, with_basic_auth};
use crate::{Fault, Outcome, Parts};
use campanile_config::{Reader, Secret};
use campanile_model::Timestamp;
use campanile_outbound::{Client, OutboundError, Request, Response};

/// The longest that a push may take, unless settings say otherwise (P-HTTP-13).
const TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of a reply that are read.
pub(super) const MAX_RESPONSE: usize = 64 << 10;

/// An address that pushes go to.
pub(super) struct Endpoint {
    client: Client,
    url: Url,
    user: Option<(String, Secret)>,
    headers: Headers,
    signers: Signers,
    timeout: Duration,
}

impl Endpoint {
    /// Reads `server_url`, `auth`, `headers`, `signing_secrets`, `timeout` and the certificates.
    pub(super) fn read(reader: &Reader<'_>, parts: &Parts<'_>) -> Option<Self> {
        let headers = Headers::read(reader);
        let signers = Signers::read(reader);
        let client = parts.client(reader);
        let Some(text) = reader.text("server_url").filter(|text| !text.is_empty()) else {
            reader.error("server_url", "HttpStatusPush requires a serverUrl");
            return None;
        };
        let Some(mut url) =
            Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        else {
            reader.error("server_url", "`server_url` is no address such as https://ci.example.org/push");
            return None;
        };
        let user = user(reader, &mut url);
        let timeout = reader.duration("timeout").unwrap_or(TIMEOUT);
        let insecure = reader.boolean("allow_insecure").unwrap_or(false);
        if url.scheme() == "http" && !insecure && (user.is_some() || !headers.0.is_empty()) {
            let text = "credentials must not go out in the clear: use https, or `allow_insecure = true`";
            reader.error("server_url", text);
        }
        Some(Self { client: client?, url, user, headers, signers, timeout })
    }

    /// Tells the address to people, without path and query, where tokens like to be.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Gives its host's name.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Posts a body. `id` is the same when the same is sent again.
    pub(super) async fn post(
        &self,
        media_type: &'static str,
        body: Bytes,
        extra: Option<(HeaderName, &str)>,
        id: &str,
        now: Timestamp,
    ) -> Result<Response, OutboundError> {
        let mut request = Request::post(self.url.clone(), media_type, body.clone())
            .max_response(MAX_RESPONSE)
            .timeout(self.timeout);
        request = with_basic_auth(request, self.user.as_ref());
        if let Some((name, value)) = extra {
            request = request.header(name, value)?;
        }
        request = self.signers.sign(self.headers.add_to(request)?, id, &body, now)?;
        self.client.send(request).await
    }

    /// Proves that it replies at all; its reply to a request without news counts for nothing, but for credentials.
    pub(super) async fn probe(&self) -> Result<String, Fault> {
        let request = Request::new(http::Method::HEAD, self.url.clone());
        let request = with_basic_auth(request, self.user.as_ref());
        let sent = match self.headers.add_to(request) {
            Ok(request) => self.client.send(request).await,
            Err(error) => Err(error),
        };
        let response = sent.map_err(|error| transport_fault(&error))?;
        match outcome(&response, Timestamp::default()) {
            Outcome::Refused(fault) if matches!(response.status.as_u16(), 401 | 403) => Err(fault),
            _ => Ok(format!("{} answers", self.origin())),
        }
    }
}

/// Reads `auth = { user, password }`, `user` and `password`, or those in the address, which leave it.
fn user(reader: &Reader<'_>, url: &mut Url) -> Option<(String, Secret)> {
    let table = reader.table("auth");
    let (user, password) = match &table {
        Some(auth) => (auth.text("user"), auth.secret("password")),
        None => (reader.text("user"), reader.secret("password")),
    };
    if let Some(table) = table {
        table.finish();
        if reader.item("user").is_some() || reader.item("password").is_some() {
            reader.error("auth", "give `auth`, or `user` and `password`, not both");
        }
    }
    let within = (!url.username().is_empty() || url.password().is_some()).then(|| {
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        (decoded(url.username()), Secret::new(decoded(url.password().unwrap_or_default())))
    });
    // Neither fails on an address with a host.
    let _ = (url.set_username(""), url.set_password(None));
    match (user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => within,
        _ => {
            reader.error("auth", "a user needs a password beside it, and the other way round");
            None
        }
    }
}

/// Headers of the settings' own, which may hold secrets.
#[derive(Clone, Default)]
pub(super) struct Headers(Vec<(HeaderName, Secret)>);

impl Headers {
    /// Reads the table `headers`.
    pub(super) fn read(reader: &Reader<'_>) -> Self {
        let Some(table) = reader.table("headers") else { return Self::default() };
        let mut headers = Vec::new();
        for (name, item) in table.entries() {
            let secret = match item.as_text() {
                // A value that is not meant to be secret may stand there as it is.
                Some(text) => Some(Secret::new(text.to_owned())),
                None => item.secret(name),
            };
            let Some(secret) = secret else { continue };
            match name.parse::<HeaderName>() {
                Ok(header) if is_reserved(&header) => {
                    item.error(format!("`{name}` is set by the engine itself"));
                }
                Ok(header) if HeaderValue::from_str(secret.expose()).is_ok() => {
                    headers.push((header, secret));
                }
                Ok(_) => item.error(format!("the value of `{name}` has characters that no header may have")),
                Err(_) => item.error(format!("`{name}` is no name of a header")),
            }
        }
        table.finish();
        Self(headers)
    }

    /// Adds the headers to a request.
    pub(super) fn add_to(&self, mut request: Request) -> Result<Request, OutboundError> {
        for (name, value) in &self.0 {
            request = request.secret_header(name.clone(), "", value)?;
        }
        Ok(request)
    }

    /// True if they prove who we are, and must not go out in the clear.
    pub(super) fn has_credentials(&self) -> bool {
        self.0.iter().any(|(name, _)| *name == AUTHORIZATION)
    }
}

/// True for headers that frame a request and say who it is for: nobody but the client may set them.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    let reserved = ["connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"];
    reserved.contains(&name.as_str())
}
