//! The check of requests without a token: they are this machine's programs', and not its browsers' or proxies'.
//!
//! Whoever opens a page of a stranger's has a browser on this machine that asks what that page says. It tells so by
//! `Origin` and `Sec-Fetch-Site`, it sends no JSON to others without asking first, and a name that the stranger lets lead
//! here (DNS rebinding) stands in `Host`.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, header};

use super::problem::{Problem, ProblemCode};
use campanile_inbound::ingest::media_type;

/// Headers that proxies add, beside all that begin with `x-forwarded`.
const PROXIED: [&str; 14] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-envoy-external-address",
    "x-proxyuser-ip",
    "cf-connecting-ip",
    "cf-ray",
    "true-client-ip",
    "fastly-client-ip",
    "fly-client-ip",
];

/// Lets through a program on this machine that says what it wants by itself.
///
/// # Errors
/// 401 for those from elsewhere or through a proxy, 403 for browsers and for names that are not of this machine, 415 for
/// bodies that a page could have sent.
pub(super) fn admit(peer: SocketAddr, parts: &Parts, hosts: &[String]) -> Result<(), Problem> {
    admit_reader(peer, &parts.headers, hosts)?;
    if parts.method == Method::POST && has_body(&parts.headers) && !is_json(&parts.headers) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProblemCode::MediaType,
            "without a token a body must say that it is JSON: send `Content-Type: application/json`",
        ));
    }
    Ok(())
}

/// Lets through a program on this machine that only reads.
///
/// # Errors
/// As [`admit`], but that of a body.
pub(super) fn admit_reader(peer: SocketAddr, headers: &HeaderMap, hosts: &[String]) -> Result<(), Problem> {
    // Behind a proxy on this machine everybody looks local.
    if !peer.ip().to_canonical().is_loopback() || is_proxied(headers) {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            ProblemCode::Unauthorized,
            "without `server.api_token` and a token the API answers this machine only, and nobody who comes by a proxy",
        ));
    }
    let host = headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
    if let Some(host) = host.filter(|host| !is_own(host, hosts)) {
        let text = format!(
            "without a token the API answers to names of this machine only, such as `localhost`, not to `{}`: send a \
             token, or add the name to `server.hosts`",
            host.escape_debug()
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, text));
    }
    refuse_foreign_pages(headers, hosts)
}

/// Refuses what a browser sends for a page that did not come from here. Forges and programs send neither of its headers.
///
/// # Errors
/// 403.
pub(super) fn refuse_foreign_pages(headers: &HeaderMap, hosts: &[String]) -> Result<(), Problem> {
    let is_foreign_site = headers
        .get_all("sec-fetch-site")
        .iter()
        .any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    let host = headers.get(header::HOST).map(http::HeaderValue::as_bytes);
    let is_foreign_origin = headers.get_all(header::ORIGIN).iter().any(|origin| {
        let place = origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1));
        place.is_none_or(|place| Some(place.as_bytes()) != host || !is_own(place, hosts))
    });
    if is_foreign_site || is_foreign_origin {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            ProblemCode::Forbidden,
            "a page of another site asks for this (`Origin`, `Sec-Fetch-Site`): without a token or a secret browsers are \
             not answered",
        ));
    }
    Ok(())
}

/// Tells if a proxy says that it passed the request on.
fn is_proxied(headers: &HeaderMap) -> bool {
    let is_of_proxy = |name: &str| name.starts_with("x-forwarded") || PROXIED.contains(&name);
    headers.keys().any(|name| is_of_proxy(name.as_str()))
}

/// Tells names of this machine: `localhost`, addresses of the loopback interface, and what the settings name.
fn is_own(host: &str, hosts: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_end_matches('.');
    let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let lower = name.to_ascii_lowercase();
    lower == "localhost"
        || lower.ends_with(".localhost")
        || literal.is_ok_and(|address| address.to_canonical().is_loopback())
        || hosts.contains(&lower)
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    length || headers.contains_key(header::TRANSFER_ENCODING)
}

/// Tells the types that a page can't send to another site without asking first.
fn is_json(headers: &HeaderMap) -> bool {
    let media = media_type(headers);
    let Some(kind) = media.strip_prefix("application/") else { return false };
    matches!(kind, "json" | "x-ndjson" | "ndjson" | "jsonl") || kind.ends_with("+json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        let hosts = ["ci.internal".to_owned()];
        for own in [
            "localhost",
            "localhost:8010",
            "LocalHost.",
            "app.localhost:1",
            "127.0.0.1:8010",
            "127.8.0.9",
            "[::1]:8010",
            "[::ffff:127.0.0.1]",
            "CI.internal:80",
        ] {
            assert!(is_own(own, &hosts), "{own}");
        }
        for foreign in [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil.example:8010",
            "127.0.0.1.evil.example",
            "x@localhost",
            "192.0.2.1",
            "0.0.0.0",
            "[::]",
            "ci.internal.evil.example",
            "localhost:8010:1",
            "notlocalhost",
        ] {
            assert!(!is_own(foreign, &hosts), "{foreign}");
        }
    }
}
