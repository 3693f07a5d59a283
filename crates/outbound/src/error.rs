//! Errors of outbound requests, without a word of anything secret.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use url::Url;

use super::range::NonPublicAddress;

/// Reasons for a request to have no response. They name the far side by its origin only: paths and queries may hold
/// secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The address lies inside, and the operator has not opened it.
    #[error(
        "{origin} leads to {address}, {class}: if that is meant, name its range in `[outbound]`, \
         such as `allow = [\"{address}/{bits}\"]`"
    )]
    Forbidden {
        /// `https://host:port`.
        origin: String,
        /// The address that the origin leads to.
        address: IpAddr,
        /// Its class.
        class: NonPublicAddress,
        /// Length of the address.
        bits: u8,
    },
    /// The same for a tenant, who is not to learn where names lead inside of the operator's network.
    #[error("{origin} leads to {}", UNTOLD)]
    Inside {
        /// `https://host:port`.
        origin: String,
    },
    /// Nothing that HTTP is spoken at, or with a password in it.
    #[error("{0}")]
    Address(String),
    /// The far side could not be reached, or the connection broke.
    #[error("cannot reach {origin}: {reason}")]
    Connection {
        /// `https://host:port`.
        origin: String,
        /// The system's own words.
        reason: String,
    },
    /// The far side's certificate is not right, or ours was not taken.
    #[error("no TLS with {origin}: {reason}")]
    Tls {
        /// `https://host:port`.
        origin: String,
        /// The TLS library's own words.
        reason: String,
    },
    /// It took too long.
    #[error("{origin} did not answer within {} s", limit.as_secs_f64())]
    Timeout {
        /// `https://host:port`.
        origin: String,
        /// Time that was waited.
        limit: Duration,
    },
}

/// An address that the resolver won't give out; travels through the client as the cause of its error.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForbiddenError {
    pub(super) address: IpAddr,
    pub(super) class: NonPublicAddress,
    /// False for tenants, who are told that it is inside and no more.
    pub(super) is_told: bool,
}

const UNTOLD: &str =
    "an address that tenants may not connect to: ask the operator to open it in `[outbound]`";

impl fmt::Display for ForbiddenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { address, class, is_told: true } => write!(f, "{address} is {class}"),
            _ => write!(f, "the name leads to {UNTOLD}"),
        }
    }
}

impl Error for ForbiddenError {}

/// `https://host:port`, the part of an address that holds no secret.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl OutboundError {
    pub(super) fn forbidden(url: &Url, forbidden: ForbiddenError) -> Self {
        let ForbiddenError { address, class, is_told } = forbidden;
        if !is_told {
            return Self::Inside { origin: origin(url) };
        }
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Self::Forbidden { origin: origin(url), address, class, bits }
    }

    pub(super) fn of(error: &reqwest::Error, url: &Url, limit: Duration) -> Self {
        let origin = origin(url);
        if error.is_timeout() {
            return Self::Timeout { origin, limit };
        }
        // The error itself names the whole address; its causes say what happened.
        let causes: Vec<&(dyn Error + 'static)> =
            std::iter::successors(error.source(), |&error| error.source()).collect();
        if let Some(forbidden) = causes.iter().find_map(|cause| cause.downcast_ref::<ForbiddenError>()) {
            return Self::forbidden(url, *forbidden);
        }
        let reason = causes.last().map_or_else(|| "the connection broke".to_owned(), ToString::to_string);
        // An alert that comes after the handshake, as one about our certificate does, is told by HTTP/2 as a text only.
        if causes.iter().any(|cause| is_tls(*cause)) || reason.starts_with("received fatal alert") {
            return Self::Tls { origin, reason };
        }
        Self::Connection { origin, reason }
    }
}

/// True if an error is, or wraps, one of TLS. I/O errors don't tell what they wrap as their cause, and wrap each other.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}
