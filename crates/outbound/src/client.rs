//! The client: made by `Outbound` for each set of certificates, and shared by all that use the same.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity};
use url::{Host, Url};

use super::error::{ForbiddenError, origin};
use super::resolver::{Guarded, Resolver, SystemResolver};
use super::{Allowed, Dialer, OutboundError, Request, Response, limits, trace};
use campanile_config::{Reader, read_ip_ranges};

const KEEP_ALIVE: Duration = Duration::from_secs(90);

/// The parts that everything going out has in common: guard, dialer, connections. Read from `[outbound]`.
#[derive(Clone)]
pub struct Outbound {
    guarded: Guarded,
    dialer: Dialer,
    plain: Client,
}

/// Certificates of one target's or poller's own.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
}

/// Sends requests. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    allowed: Allowed,
}

impl Outbound {
    /// Reads `[outbound]`: `allow`, a list of ranges such as `10.1.0.0/16` or addresses such as `10.1.2.3`.
    #[must_use]
    pub fn from_settings(root: &Reader<'_>) -> Self {
        let mut allowed = Vec::new();
        if let Some(table) = root.table("outbound") {
            allowed = read_ip_ranges(&table, "allow");
            table.finish();
        }
        Self::new(Allowed::new(allowed), Arc::new(SystemResolver))
    }

    /// With these ranges opened, and names looked up there.
    #[must_use]
    pub fn new(allowed: Allowed, resolver: Arc<dyn Resolver>) -> Self {
        Self::with_guard(Guarded { resolver, allowed, is_tenants: false })
    }

    pub(super) fn with_guard(guarded: Guarded) -> Self {
        let plain = Client::new(&guarded, &Tls::default())
            .expect("without certificates of its own there is nothing to refuse in a client");
        Self { dialer: Dialer::default(), guarded, plain }
    }

    /// For a tenant, whose mail, chat and SSH are guarded as HTTP is: only these ranges inside are opened.
    #[must_use]
    pub fn for_tenant(allowed: Allowed) -> Self {
        let outbound =
            Self::with_guard(Guarded { resolver: Arc::new(SystemResolver), allowed, is_tenants: true });
        Self { dialer: Dialer::guarded(outbound.guarded.clone()), ..outbound }
    }

    /// The dialer for protocols other than HTTP.
    #[must_use]
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// True if connections may go to this address.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.guarded.allowed.check(address).is_ok()
    }

    /// A client with these certificates; without any, the one that all share.
    ///
    /// # Errors
    /// When the certificates can't be used.
    pub fn client(&self, tls: &Tls) -> Result<Client, OutboundError> {
        if tls.authorities.is_empty() && tls.identity.is_none() {
            return Ok(self.plain.clone());
        }
        Client::new(&self.guarded, tls)
    }

    /// The client for a table, with its certificates; what is wrong with them is noted.
    #[must_use]
    pub fn client_for(&self, table: &Reader<'_>) -> Option<Client> {
        let client = self.client(&Tls::read(table));
        client.map_err(|error| table.error("tls_ca", error.to_string())).ok()
    }
}

impl Tls {
    /// Reads `tls_ca` (authorities that count beside the system's), `tls_cert` and `tls_key` (a client certificate), each
    /// a PEM file.
    #[must_use]
    pub fn read(table: &Reader<'_>) -> Self {
        let mut tls = Self::default();
        if let Some(file) = table.file("tls_ca") {
            tls.authorities = pem(table, "tls_ca", &file, Certificate::from_pem_bundle).unwrap_or_default();
        }
        tls.identity = match (table.file("tls_cert"), table.file("tls_key")) {
            (None, None) => None,
            (Some(cert), Some(key)) => pem(table, "tls_cert", &cert, |cert| {
                let key = table.regular_file(&key).read(MAX_PEM).unwrap_or_else(|error| {
                    table.error("tls_key", format!("cannot read `{}`: {error}", key.display()));
                    Vec::new()
                });
                Identity::from_pem(&[cert, b"\n", &key].concat())
            }),
            (Some(_), None) => missing(table, "tls_cert", "tls_key"),
            (None, Some(_)) => missing(table, "tls_key", "tls_cert"),
        };
        tls
    }
}

/// Size of the largest file of certificates, in bytes.
const MAX_PEM: u64 = 4 << 20;

fn missing(table: &Reader<'_>, key: &str, other: &str) -> Option<Identity> {
    table.error(key, format!("`{key}` needs `{other}` beside it"));
    None
}

fn pem<T>(
    table: &Reader<'_>,
    key: &str,
    file: &Path,
    parse: impl FnOnce(&[u8]) -> reqwest::Result<T>,
) -> Option<T> {
    let bytes = match table.regular_file(file).read(MAX_PEM) {
        Ok(bytes) => bytes,
        Err(error) => {
            table.error(key, format!("cannot read `{}`: {error}", file.display()));
            return None;
        }
    };
    match parse(&bytes) {
        Ok(parsed) => Some(parsed),
        Err(_) => {
            table.error(key, format!("`{}` holds nothing that is usable as `{key}`", file.display()));
            None
        }
    }
}

impl Client {
    #[allow(clippy::disallowed_methods)] // the one home of clients that go out
    fn new(guarded: &Guarded, tls: &Tls) -> Result<Self, OutboundError> {
        // Fails only if somebody else was first, and then there is one too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            // A proxy would connect wherever it likes, past the guard.
            .no_proxy()
            .dns_resolver(guarded.clone())
            .connect_timeout(limits::CONNECT)
            .pool_idle_timeout(KEEP_ALIVE)
            .tcp_keepalive(KEEP_ALIVE)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .user_agent(concat!("campanile/", env!("CARGO_PKG_VERSION")))
            .tls_certs_merge(tls.authorities.iter().cloned());
        if let Some(identity) = &tls.identity {
            builder = builder.identity(identity.clone());
        }
        let http = builder.build().map_err(|error| {
            let reason = std::error::Error::source(&error).map_or_else(String::new, ToString::to_string);
            OutboundError::Address(format!("the certificates can't be used: {reason}"))
        })?;
        Ok(Self { http, allowed: guarded.allowed.clone() })
    }

    /// Sends a request once and reads the answer, whatever its status; a redirect is an answer too.
    ///
    /// # Errors
    /// When there is no answer, or it may not be asked for.
    pub async fn send(&self, request: Request) -> Result<Response, OutboundError> {
        let Request { method, url, mut headers, body, timeout, max_response, secrets } = request;
        self.admit(&url)?;
        if let Some(context) = trace::current()
            && let Ok(value) = HeaderValue::from_str(&context.to_string())
        {
            headers.entry("traceparent").or_insert(value);
        }
        let broken = |error: reqwest::Error| OutboundError::of(&error, &url, timeout);
        let sending =
            self.http.request(method, url.clone()).headers(headers).body(body).timeout(timeout).send();
        let mut answer = sending.await.map_err(broken)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut read = BytesMut::new();
        let mut truncated = false;
        // What is not read is not waited for: the connection is dropped with the rest.
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            let room = max_response - read.len();
            truncated = chunk.len() > room;
            read.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if truncated {
                break;
            }
        }
        Ok(Response { status, headers, body: read.freeze(), truncated, origin: origin(&url), secrets })
    }

    /// Refuses an address that this client is not for, or that the guard forbids.
    ///
    /// A host written as numbers never comes to the resolver, so the guard judges it here; all others are judged there.
    fn admit(&self, url: &Url) -> Result<(), OutboundError> {
        if !matches!(url.scheme(), "http" | "https") {
            let text = format!("`{}` addresses are not for HTTP: write http or https", url.scheme());
            return Err(OutboundError::Address(text));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let text = format!("the address of {} holds credentials: set them apart from it", origin(url));
            return Err(OutboundError::Address(text));
        }
        let literal: Option<IpAddr> = match url.host() {
            Some(Host::Ipv4(v4)) => Some(v4.into()),
            Some(Host::Ipv6(v6)) => Some(v6.into()),
            Some(Host::Domain(_)) | None => None,
        };
        let Some(address) = literal else { return Ok(()) };
        self.allowed
            .check(address)
            .map_err(|class| OutboundError::forbidden(url, ForbiddenError { address, class, is_told: true }))
    }
}
