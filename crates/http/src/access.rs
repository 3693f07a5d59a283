//! Authentication and authorization of API requests: a token grants its role; while the settings name no token, a
//! peer on this machine is the administrator. A source of builds may prove itself by its own signature or secret.
//!
//! Invariant: no handler below `/api/v1` but that of sources runs without a [`Principal`] in the request.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, StatusCode, header};

use super::local;
use super::problem::{Problem, ProblemCode};
use campanile_config::{MetricsAccess, Secret};
use campanile_engine::{Engine, Tenant};
use campanile_inbound::HeaderProof;
use campanile_inbound::ingest::{Proof, Source};
use campanile_model::now;
use campanile_store::Role;

/// The authenticated sender of a request.
#[derive(Clone)]
pub(super) struct Principal {
    /// A description of them for the audit log, such as `the bearer of token 7 (ci)`.
    name: String,
    /// The role that they were given.
    pub(super) role: Role,
    /// The tenant whose builds, deliveries and callbacks they see.
    pub(super) tenant: Arc<Tenant>,
}

/// The name of the tenant that an address names: `/t/NAME/...`. Nobody has looked yet whether there is one.
#[derive(Clone, Debug)]
pub(super) struct AddressedTenant(pub(super) String);

/// The tenant of the request's [`Principal`], for handlers.
pub(super) struct CurrentTenant(pub(super) Arc<Tenant>);

impl<S: Send + Sync> FromRequestParts<S> for CurrentTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Principal>();
        principal.map(|principal| Self(Arc::clone(&principal.tenant))).ok_or_else(nobody_knows)
    }
}

/// The description of the request's [`Principal`], for handlers that keep who asked.
pub(super) struct Requester(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Requester {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Principal>();
        principal.map(|principal| Self(principal.name.clone())).ok_or_else(nobody_knows)
    }
}

fn nobody_knows() -> Problem {
    unauthorized("nobody knows who asks")
}

/// Finds the tenant that an address names; without a name it is the operator's own.
pub(super) fn tenant_of_request(engine: &Engine, extensions: &Extensions) -> Result<Arc<Tenant>, Problem> {
    let Some(AddressedTenant(name)) = extensions.get() else { return Ok(engine.tenant()) };
    engine.tenant_named(name).ok_or_else(Problem::no_such_page)
}

/// Authenticates a request, holds its role against the one that the route requires, and writes each change to the
/// audit log with the answer's status.
///
/// Not cancel safe: dropped while the handler runs, a change may be made that the audit log doesn't know. So the server
/// runs what may change something as a task that no client ends.
pub(super) async fn authorize_api(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    path: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let required = required_role(request.method(), path.as_ref().map_or("", MatchedPath::as_str));
    let addressed = request.extensions().get::<AddressedTenant>().cloned();
    let (parts, body) = request.into_parts();
    let principal = authenticate(&engine, peer, &parts, bearer_token).await;
    let principal = principal.and_then(|principal| principal.at(&engine, addressed.as_ref()));
    request = Request::from_parts(parts, body);
    let principal = match principal {
        Ok(principal) if principal.role.includes(required) => principal,
        Ok(principal) => return challenge(forbidden(&principal, required)),
        Err(problem) => return challenge(problem),
    };
    let changes = !request.method().is_safe() && required != Role::Ingest;
    let what = changes.then(|| format!("{} /api/v1{}", request.method(), request.uri().path()));
    let (who, tenant) = (principal.name.clone(), Arc::clone(&principal.tenant));
    request.extensions_mut().insert(principal);
    let response = next.run(request).await;
    if let Some(what) = what {
        let address = peer.ip().to_canonical().to_string();
        engine.record_audit(tenant.name(), who, address, what, response.status().to_string()).await;
    }
    response
}

/// The least role that a request takes.
fn required_role(method: &Method, path: &str) -> Role {
    match (method.is_safe(), path) {
        (_, path) if path.ends_with("/v1/tenants") || path.ends_with("/v1/tenants/{name}") => Role::Admin,
        (true, path) if path.ends_with("/v1/audit") || path.ends_with("/v1/tokens") => Role::Tenant,
        (true, _) => Role::Read,
        (false, path) if path.ends_with("/v1/events") || path.ends_with("/logs/{log}") => Role::Ingest,
        (false, _) => Role::Tenant,
    }
}

/// Lets a request read the metrics: everybody's where the settings say so, else that of a program on this machine or of
/// the bearer of a token of the operator's that may read.
pub(super) async fn authorize_metrics(
    engine: &Engine,
    peer: SocketAddr,
    parts: &Parts,
) -> Result<(), Problem> {
    let operators = engine.tenant();
    if operators.metrics_access() == MetricsAccess::Public {
        return Ok(());
    }
    if bearer_or_basic_token(&parts.headers).is_none() {
        return local::admit_reader(peer, &parts.headers, operators.hosts());
    }
    let principal = authenticate(engine, peer, parts, bearer_or_basic_token).await?;
    // Labels name all tenants and their targets.
    if principal.tenant.is_own() && principal.role.includes(Role::Read) {
        return Ok(());
    }
    Err(forbidden(&principal, Role::Read))
}

/// The outcome of the first check of a source's request: granted, or a proof that waits for the body.
pub(super) enum SourceAuth<'t> {
    /// It came with the API's token, or may come without.
    Granted,
    /// It must know one of these secrets, which only its body can show.
    Proof(Proof, &'t [Secret]),
}

impl SourceAuth<'_> {
    /// Checks the proof against the whole body.
    pub(super) fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
        match self {
            Self::Granted => Ok(()),
            Self::Proof(proof, secrets) if (proof.whole)(headers, body, secrets, now()) => Ok(()),
            Self::Proof(..) => Err(unproven()),
        }
    }
}

/// Authorizes a request for `source` by its headers. A tenant's secret for that source is an alternative to a token:
/// with a wrong token the body may still show that its sender knows the secret.
pub(super) async fn authorize_source<'t>(
    engine: &Engine,
    tenant: &'t Tenant,
    peer: SocketAddr,
    parts: &Parts,
    source: &dyn Source,
) -> Result<SourceAuth<'t>, Problem> {
    let of_source = tenant.sources().secrets(source.name()).zip(source.proof());
    let judge = |secrets: &'t [Secret], proof: Proof| match (proof.headers)(&parts.headers, secrets, now()) {
        Some(HeaderProof::Whole) => Ok(SourceAuth::Granted),
        Some(HeaderProof::WithBody) => Ok(SourceAuth::Proof(proof, secrets)),
        None => Err(unproven()),
    };
    if let (Some((secrets, proof)), None) = (of_source, bearer_or_basic_token(&parts.headers)) {
        return judge(secrets, proof);
    }
    let principal = authenticate(engine, peer, parts, bearer_or_basic_token).await;
    let principal = principal
        .and_then(|principal| principal.at(engine, Some(&AddressedTenant(tenant.name().to_owned()))));
    match (principal, of_source) {
        (Ok(principal), _) if principal.role.includes(Role::Ingest) => Ok(SourceAuth::Granted),
        (_, Some((secrets, proof))) => judge(secrets, proof),
        (Ok(principal), None) => Err(forbidden(&principal, Role::Ingest)),
        (Err(problem), None) => Err(problem),
    }
}

fn unproven() -> Problem {
    unauthorized(
        "the request's own signature or token is missing or wrong: the secret must be the one of the settings",
    )
}

/// The one answer to all who have not shown that they belong to the tenant that they name, be there such a tenant or not.
pub(super) fn stranger() -> Problem {
    unauthorized("there is no such tenant, or neither a token nor the request's own signature is one of its")
}

/// Renders a problem, with the challenge that a 401 has to carry.
pub(super) fn challenge(problem: Problem) -> Response {
    let is_denial = problem.status() == StatusCode::UNAUTHORIZED;
    let mut response = problem.into_response();
    if is_denial {
        let challenge = header::HeaderValue::from_static("Bearer realm=\"campanile\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Authenticates by the token that `token_of` reads; without one, and with none in the settings, by the peer's address.
///
/// Tokens of the settings are compared in constant time, the others are found by their digest in the store.
async fn authenticate(
    engine: &Engine,
    peer: SocketAddr,
    parts: &Parts,
    token_of: fn(&HeaderMap) -> Option<Vec<u8>>,
) -> Result<Principal, Problem> {
    let tenants = engine.tenants();
    let operators = engine.tenant();
    let own = operators.api_token();
    let Some(given) = token_of(&parts.headers) else {
        if own.is_some() {
            return Err(unauthorized(
                "send `Authorization: Bearer TOKEN` with the token of `server.api_token`, or one that \
                 `campanile token make` has made",
            ));
        }
        local::admit(peer, parts, operators.hosts())?;
        let name = "somebody on this machine".to_owned();
        return Ok(Principal { name, role: Role::Admin, tenant: operators });
    };
    for tenant in tenants.iter() {
        // What a tenant's own settings name is no key to anybody else's.
        let of_api = if tenant.is_own() { Role::Admin } else { Role::Tenant };
        for (token, key, role) in
            [(tenant.api_token(), "api_token", of_api), (tenant.events_token(), "events_token", Role::Ingest)]
        {
            if token.is_some_and(|token| token.matches(&given)) {
                let name = format!("the bearer of `server.{key}`");
                return Ok(Principal { name, role, tenant: Arc::clone(tenant) });
            }
        }
    }
    let wrong = || unauthorized("the token is wrong, or has ended");
    let token = engine.tokens().find(&given).await?.ok_or_else(wrong)?;
    let tenant = Arc::clone(tenants.get(&token.tenant).ok_or_else(wrong)?);
    let name = format!("the bearer of token {} ({})", token.id, token.name);
    // Only the operator's own tenant has somebody over all others.
    let role = if token.role == Role::Admin && !tenant.is_own() { Role::Tenant } else { token.role };
    Ok(Principal { name, role, tenant })
}

impl Principal {
    /// Moves to the tenant that the address names: everybody to their own, only the operator's admins to others.
    fn at(self, engine: &Engine, addressed: Option<&AddressedTenant>) -> Result<Self, Problem> {
        let Some(AddressedTenant(name)) = addressed else { return Ok(self) };
        if name == self.tenant.name() {
            return Ok(self);
        }
        // Whether there is such a tenant is nothing for others to know.
        let tenant = engine.tenant_named(name).filter(|_| self.role == Role::Admin && self.tenant.is_own());
        let tenant = tenant.ok_or_else(Problem::no_such_page)?;
        Ok(Self { tenant, ..self })
    }
}

fn forbidden(principal: &Principal, required: Role) -> Problem {
    let text = format!(
        "a token of the role `{}` does not do for this: it takes one of the role `{}`",
        principal.role.name(),
        required.name()
    );
    Problem::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, text)
}

fn bearer_token(headers: &HeaderMap) -> Option<Vec<u8>> {
    authorization(headers, "bearer").map(|token| token.as_bytes().to_vec())
}

/// Reads a token from `Bearer`, or from the password of `Basic`, since some senders know nothing but an address.
fn bearer_or_basic_token(headers: &HeaderMap) -> Option<Vec<u8>> {
    bearer_token(headers).or_else(|| {
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

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, ProblemCode::Unauthorized, detail)
}
