//! Who may use the API, and for what: the bearer of a token, as far as its role goes, or, when the settings name no token, a
//! peer on this machine. Another system that tells of builds may prove itself in its own way instead.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;

use super::answer::{Code, Problem};
use crate::config::Secret;
use crate::engine::{Engine, Tenant, now};
use crate::ingest::{Proof, Source};
use crate::store::Role;

/// Who asks, once that is proven.
#[derive(Clone, Debug)]
pub(super) struct Principal {
    /// For the audit log.
    name: String,
    /// What they may do.
    pub(super) role: Role,
}

/// Lets through who may, and keeps what they changed.
pub(super) async fn api(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let needed = needed(request.method(), path.as_ref().map_or("", MatchedPath::as_str));
    let principal = match authenticate(&engine, peer, request.headers(), given_bearer).await {
        Ok(principal) if principal.role.includes(needed) => principal,
        Ok(principal) => return refuse(forbidden(&principal, needed)),
        Err(problem) => return refuse(problem),
    };
    let changes = !request.method().is_safe() && needed != Role::Ingest;
    let what = changes.then(|| format!("{} /api/v1{}", request.method(), request.uri().path()));
    let who = principal.name.clone();
    request.extensions_mut().insert(principal);
    let response = next.run(request).await;
    if let Some(what) = what {
        let place = peer.ip().to_canonical().to_string();
        engine.note_audit(who, place, what, response.status().to_string()).await;
    }
    response
}

/// What one must be allowed for a request.
fn needed(method: &Method, path: &str) -> Role {
    match (method.is_safe(), path) {
        (true, path) if path.ends_with("/v1/audit") || path.ends_with("/v1/tokens") => Role::Tenant,
        (true, _) => Role::Read,
        (false, path) if path.ends_with("/v1/events") || path.ends_with("/logs/{log}") => Role::Ingest,
        (false, _) => Role::Tenant,
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

/// Who may send what `source` sends. With a secret in the settings: who proves to know it, or has a token.
pub(super) async fn entry<'t>(
    engine: &Engine,
    tenant: &'t Tenant,
    peer: SocketAddr,
    headers: &HeaderMap,
    source: &dyn Source,
) -> Result<Entry<'t>, Problem> {
    let of_source = tenant.sources().secrets(source.name()).zip(source.proof());
    if let (Some((secrets, proof)), None) = (of_source, given_token(headers)) {
        return Ok(Entry::Proof(proof, secrets));
    }
    match (authenticate(engine, peer, headers, given_token).await, of_source) {
        (Ok(principal), _) if principal.role.includes(Role::Ingest) => Ok(Entry::Granted),
        (_, Some((secrets, proof))) => Ok(Entry::Proof(proof, secrets)),
        (Ok(principal), None) => Err(forbidden(&principal, Role::Ingest)),
        (Err(problem), None) => Err(problem),
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

/// Who asks: the bearer of a token; without one, when the settings name none either, whoever is on this machine.
async fn authenticate(
    engine: &Engine,
    peer: SocketAddr,
    headers: &HeaderMap,
    given: fn(&HeaderMap) -> Option<Vec<u8>>,
) -> Result<Principal, Problem> {
    let tenant = engine.tenant();
    let own = tenant.api_token();
    let Some(given) = given(headers) else {
        // Behind a proxy on this machine everybody looks local.
        let proxied = headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
        return match own {
            None if peer.ip().to_canonical().is_loopback() && !proxied => {
                Ok(Principal { name: "somebody on this machine".to_owned(), role: Role::Admin })
            }
            None => Err(denied("without `server.api_token` and a token the API answers this machine only")),
            Some(_) => Err(denied(
                "send `Authorization: Bearer TOKEN` with the token of `server.api_token`, or one that \
                 `campanile token make` has made",
            )),
        };
    };
    if own.is_some_and(|own| own.matches(&given)) {
        return Ok(Principal { name: "the bearer of `server.api_token`".to_owned(), role: Role::Admin });
    }
    match engine.tokens().find(&given).await? {
        Some(token) if token.tenant == tenant.name() => {
            let name = format!("the bearer of token {} ({})", token.id, token.name);
            Ok(Principal { name, role: token.role })
        }
        _ => Err(denied("the token is wrong, or has ended")),
    }
}

fn forbidden(principal: &Principal, needed: Role) -> Problem {
    let text = format!(
        "a token of the role `{}` does not do for this: it takes one of the role `{}`",
        principal.role.name(),
        needed.name()
    );
    Problem::new(StatusCode::FORBIDDEN, Code::Forbidden, text)
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
    Problem::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, detail)
}
