//! Who may use the API: the bearer of the token, or, when no token is set, a peer on this machine. Another system that
//! tells of builds may prove itself in its own way instead.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;

use super::answer::Problem;
use crate::config::Secret;
use crate::engine::{Engine, Tenant, now};
use crate::ingest::{Proof, Source};

pub(super) async fn api(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match allowed(&engine.tenant(), peer, request.headers(), given_bearer) {
        Ok(()) => next.run(request).await,
        Err(problem) => refuse(problem),
    }
}

/// What is still to be shown by a request of another system's.
pub(super) enum Entry<'t> {
    /// Nothing: it came with the API's token, or may come without.
    Granted,
    /// That it knows one of these secrets, which only its body can show.
    Proof(Proof, &'t [Secret]),
}

impl Entry<'_> {
    /// Looks at the proof, once the body is there.
    pub(super) fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
        match self {
            Self::Granted => Ok(()),
            Self::Proof(proof, secrets) if proof(headers, body, secrets, now()) => Ok(()),
            Self::Proof(..) => Err(denied(
                "the request's own signature or token is missing or wrong: the secret must be the one of the settings",
            )),
        }
    }
}

/// Who may send what `source` sends. With a secret in the settings: who proves to know it, or has the API's token.
pub(super) fn entry<'t>(
    tenant: &'t Tenant,
    peer: SocketAddr,
    headers: &HeaderMap,
    source: &dyn Source,
) -> Result<Entry<'t>, Problem> {
    match (tenant.sources().secrets(source.name()), source.proof()) {
        (Some(secrets), Some(proof)) => {
            let has_token =
                tenant.api_token().is_some() && allowed(tenant, peer, headers, given_token).is_ok();
            Ok(if has_token { Entry::Granted } else { Entry::Proof(proof, secrets) })
        }
        _ => allowed(tenant, peer, headers, given_token).map(|()| Entry::Granted),
    }
}

/// The answer to who may not.
pub(super) fn refuse(problem: Problem) -> Response {
    let is_denial = problem.status() == StatusCode::UNAUTHORIZED;
    let mut response = problem.into_response();
    if is_denial {
        let challenge = header::HeaderValue::from_static("Bearer realm=\"campanile\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn allowed(
    tenant: &Tenant,
    peer: SocketAddr,
    headers: &HeaderMap,
    given: fn(&HeaderMap) -> Option<Vec<u8>>,
) -> Result<(), Problem> {
    let Some(token) = tenant.api_token() else {
        // Behind a proxy on this machine everybody looks local.
        let proxied = headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
        return if peer.ip().to_canonical().is_loopback() && !proxied {
            Ok(())
        } else {
            Err(denied("without `server.api_token` the API answers this machine only"))
        };
    };
    match given(headers) {
        Some(given) if token.matches(&given) => Ok(()),
        _ => Err(denied("send `Authorization: Bearer TOKEN` with the token of `server.api_token`")),
    }
}

fn given_bearer(headers: &HeaderMap) -> Option<Vec<u8>> {
    authorization(headers, "bearer").map(|token| token.as_bytes().to_vec())
}

/// The token as a bearer has it, or as a password: senders that know an address only have no other place for it.
fn given_token(headers: &HeaderMap) -> Option<Vec<u8>> {
    given_bearer(headers).or_else(|| {
        let encoded = authorization(headers, "basic")?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        decoded.get(colon + 1..).map(<[u8]>::to_vec)
    })
}

fn authorization<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = given.split_once(' ')?;
    scheme.eq_ignore_ascii_case(wanted).then(|| rest.trim())
}

fn denied(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}
