//! Routes of change hooks, `/change_hook/{dialect}`: a forge's request becomes stored changes (H-GEN-01 to H-GEN-20).
//!
//! Invariant: no byte of a body is parsed before the sender is authorized and the dialect has verified the request.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, header};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::access::{self, AddressedTenant};
use super::body::{LimitedBody, UnprovenRoom};
use super::events;
use super::local;
use super::number_allocator::NumberAllocator;
use super::parse_turns::ParseTurns;
use super::problem::{Problem, ProblemCode};
use super::slow_auth::SlowAuth;
use campanile_callbacks::Caller;
use campanile_engine::{Engine, IngestError, Tenant};
use campanile_inbound::HeaderProof;
use campanile_inbound::hooks::{HookError, HookOutcome, Hooks, Method, RawHook, Verified, answer_text};
use campanile_inbound::ingest::{self, Source};
use campanile_model::{Event, escape_controls, now};
use campanile_store::{Appended, StoreError};

/// Most bytes that are read of a stranger's body before the refusal.
const DISCARDED: u64 = 25 << 20;

/// Takes a request at `/change_hook`, which means the dialect `base` (H-GEN-01).
pub(super) async fn handle_base(
    engine: State<Arc<Engine>>,
    numbers: Extension<Arc<NumberAllocator>>,
    turns: Extension<ParseTurns>,
    room: Extension<UnprovenRoom>,
    request: Request,
) -> Response {
    handle(engine, (numbers, turns, room), "base".to_owned(), request).await
}

pub(super) async fn handle_named(
    engine: State<Arc<Engine>>,
    numbers: Extension<Arc<NumberAllocator>>,
    turns: Extension<ParseTurns>,
    room: Extension<UnprovenRoom>,
    Path(dialect): Path<String>,
    request: Request,
) -> Response {
    handle(engine, (numbers, turns, room), dialect, request).await
}

/// The result of a request that was not refused.
#[derive(Default)]
struct HookReceipt {
    changes: usize,
    /// Events of builds that were stored, where the sender tells of builds.
    builds: usize,
    ids: Vec<i64>,
    duplicate: bool,
    note: Option<String>,
    /// The event's name and the delivery's id, where the sender gives them; for the log (H-GEN-20).
    event: Option<String>,
    delivery: Option<String>,
}

async fn handle(
    State(engine): State<Arc<Engine>>,
    (Extension(numbers), Extension(turns), Extension(room)): (
        Extension<Arc<NumberAllocator>>,
        Extension<ParseTurns>,
        Extension<UnprovenRoom>,
    ),
    dialect: String,
    request: Request,
) -> Response {
    let is_addressed = request.extensions().get::<AddressedTenant>().is_some();
    let wants_json = prefers_json(request.headers());
    let tenant = access::tenant_of_request(&engine, request.extensions());
    let Some(tenant) = tenant.ok().filter(|tenant| tenant.hooks().any()) else {
        if !is_addressed {
            return Problem::no_such_page().into_response();
        }
        LimitedBody::new(request.into_body(), DISCARDED).discard().await;
        return HookRefusal::stranger().response(wants_json);
    };
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let mut body = LimitedBody::new(body, tenant.hooks().max_body());
    let outcome = match prove(&engine, &tenant, &dialect, parts, (&mut body, &room)).await {
        Ok(verified) => process(&engine, (&numbers, &turns), &tenant, &dialect, verified).await,
        Err(refusal) => Err(refusal),
    };
    let response = match &outcome {
        Ok(outcome) => success_response(outcome, wants_json),
        // Nobody else is to learn which tenants there are, by the answer or by the time that it takes.
        Err(refusal) if is_addressed && refusal.is_of_stranger => {
            body.discard().await;
            HookRefusal::stranger().response(wants_json)
        }
        Err(error) => error.response(wants_json),
    };
    let known = tenant.hooks().dialect(&dialect).is_ok();
    let label = if known { dialect.as_str() } else { "other" };
    engine.metrics().hook_request(tenant.name(), label, response.status().as_u16());
    let (status, time) = (response.status().as_u16(), began.elapsed());
    match &outcome {
        Ok(outcome) => {
            // What the sender says is shown escaped.
            let (event, delivery) =
                (outcome.event.as_deref().unwrap_or(""), outcome.delivery.as_deref().unwrap_or(""));
            let note = outcome.note.as_deref().unwrap_or("");
            tracing::info!(
                tenant = tenant.name(),
                dialect,
                ?event,
                ?delivery,
                status,
                changes = outcome.changes,
                builds = outcome.builds,
                ?time,
                ?note,
                "hook taken"
            );
        }
        Err(error) => {
            let reason = &error.message;
            tracing::warn!(tenant = tenant.name(), dialect, status, ?time, ?reason, "hook refused");
        }
    }
    response
}

/// Checks a request in the order of H-GEN-09, and reads its body; nothing later runs after a failure.
async fn prove(
    engine: &Engine,
    tenant: &Tenant,
    name: &str,
    parts: Parts,
    (body, room): (&mut LimitedBody, &UnprovenRoom),
) -> Result<Verified, HookRefusal> {
    let hooks = tenant.hooks();
    if hooks.auth_is_slow() {
        let slow = parts.extensions.get::<SlowAuth>().cloned().unwrap_or_default();
        let authorized = slow.authorize(tenant, &parts.headers).await.map_err(|_| HookRefusal::internal())?;
        authorized.map_err(HookRefusal::of_stranger)?;
    } else {
        hooks.authorize(&parts.headers).map_err(HookRefusal::of_stranger)?;
    }
    if !hooks.is_open() {
        return verify(hooks, name, parts, async |_| Ok((limited(body.bytes().await)?, None))).await;
    }
    // Who must show a password can't be a page: it knows none.
    let refusal = local::refuse_foreign_pages(&parts.headers, engine.tenant().hosts());
    refusal.map_err(|problem| HookRefusal::of_stranger(HookRefusal::from(problem)))?;
    let read = async |proof| match proof {
        HeaderProof::Whole => Ok((limited(body.bytes().await)?, None)),
        HeaderProof::WithBody => limited(body.unproven_bytes(room).await),
    };
    verify(hooks, name, parts, read).await.map_err(HookRefusal::of_stranger)
}

/// A body, and its part of the memory for unproven ones.
type ReadBody = (Bytes, Option<OwnedSemaphorePermit>);

/// Has the dialect verify a request, whose body `read` brings after all that can be said without it.
async fn verify(
    hooks: &Hooks,
    name: &str,
    parts: Parts,
    read: impl AsyncFnOnce(HeaderProof) -> Result<ReadBody, HookRefusal>,
) -> Result<Verified, HookRefusal> {
    let method = match parts.method {
        HttpMethod::GET => Some(Method::Get),
        HttpMethod::POST => Some(Method::Post),
        _ => None,
    };
    let dialect = hooks.dialect(name);
    let allowed = dialect.as_ref().map_or(&[Method::Get, Method::Post][..], |dialect| dialect.methods());
    let Some(method) = method.filter(|method| allowed.contains(method)) else {
        return Err(HookRefusal::method(allowed));
    };
    let dialect = dialect?;
    if let Some(encoding) = parts.headers.get(header::CONTENT_ENCODING).filter(|value| *value != "identity") {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        let text = format!("send the body as it is: Content-Encoding `{encoding}` is not taken");
        return Err(HookRefusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let (body, _until_proven) = read(dialect.judge_headers(method, &parts.headers)?).await?;
    let query = parts.uri.query().unwrap_or_default().to_owned();
    Ok(dialect.verify(RawHook { method, query, headers: parts.headers, body })?)
}

/// Stores the changes of a request whose sender is proven as far as the settings ask.
async fn process(
    engine: &Engine,
    allocators: (&NumberAllocator, &ParseTurns),
    tenant: &Arc<Tenant>,
    name: &str,
    verified: Verified,
) -> Result<HookReceipt, HookRefusal> {
    let dialect = tenant.hooks().dialect(name)?;
    let is_post = verified.method() == Method::Post;
    let source = dialect.builds().and_then(ingest::source);
    if let Some(source) = source.filter(|source| is_post && source.matches(verified.headers())) {
        return ingest_builds((engine, tenant), allocators, source, &verified).await;
    }
    let whole = verified.whole_body();
    let (of, name_of) = (Arc::clone(tenant), name.to_owned());
    let parse = move |_: &Bytes| of.hooks().dialect(&name_of)?.parse(&verified, now());
    // The turn ends with this function: until then its events are under way.
    let (parsed, _turn) =
        allocators.1.run(tenant, whole, parse).await.map_err(|_| HookRefusal::internal())?;
    let parsed = parsed?;
    let (changes, note) = match parsed.outcome {
        HookOutcome::Changes(changes) => (changes, None),
        HookOutcome::Ignored(reason) => (Vec::new(), Some(reason)),
        HookOutcome::PullRequest { mut change, look_up } => match look_up.run(&mut change).await {
            Some(reason) => (Vec::new(), Some(reason)),
            None => (vec![*change], None),
        },
        HookOutcome::Component(call) => {
            let caller = Caller { status: Arc::clone(tenant.status()), delivery: None };
            call.run(&caller, now()).await?
        }
        HookOutcome::Poll(poll) => {
            let chosen =
                poll.choose(&tenant.pollers().iter().map(|poller| poller.name.clone()).collect::<Vec<_>>())?;
            engine.poll_now(tenant, &chosen);
            let told = tenant.pollers().iter().filter(|poller| chosen.contains(&poller.name));
            let labels: Vec<&str> = told.map(|poller| poller.label.as_str()).collect();
            let note = Some(format!("told to look: {}", labels.join(", ")));
            return Ok(HookReceipt { note, ..HookReceipt::default() });
        }
    };
    let delivery_id = parsed.delivery_id.as_ref().map(|id| format!("hook/{name}/{id}"));
    let outcome =
        HookReceipt { note, event: parsed.event, delivery: parsed.delivery_id, ..HookReceipt::default() };
    let count = changes.len();
    if count == 0 {
        return Ok(outcome);
    }
    let events = changes.into_iter().map(|change| Event::ChangeAdded { change: Box::new(change) }).collect();
    match engine.ingest(tenant, events, delivery_id).await? {
        Appended::Stored { ids, .. } => {
            let ids = ids.into_iter().flatten().collect();
            Ok(HookReceipt { changes: count, ids, ..outcome })
        }
        Appended::Duplicate => Ok(HookReceipt { duplicate: true, note: None, ..outcome }),
    }
}

/// Stores a forge's events of builds as `/api/v1/events/{source}` does.
async fn ingest_builds(
    of: (&Engine, &Tenant),
    allocators: (&NumberAllocator, &ParseTurns),
    source: &'static dyn Source,
    verified: &Verified,
) -> Result<HookReceipt, HookRefusal> {
    let (headers, body) = (verified.headers().clone(), verified.whole_body());
    let receipt = events::ingest_from_source(of, allocators, source, headers, body).await;
    let receipt = receipt.map_err(|problem| {
        HookRefusal::new(problem.status(), format!("{}: {}", source.name(), problem.detail()))
    })?;
    let builds = receipt.ids.len();
    Ok(HookReceipt {
        builds,
        ids: receipt.ids,
        duplicate: receipt.is_duplicate,
        note: receipt.note,
        ..HookReceipt::default()
    })
}

fn limited<T>(read: Result<T, Problem>) -> Result<T, HookRefusal> {
    read.map_err(HookRefusal::from)
}

fn success_response(outcome: &HookReceipt, wants_json: bool) -> Response {
    let stored = outcome.changes + outcome.builds > 0 || outcome.duplicate;
    let status = if stored { StatusCode::ACCEPTED } else { StatusCode::OK };
    if wants_json {
        let body = json!({ "changes": outcome.changes, "ids": outcome.ids, "duplicate": outcome.duplicate, "note": outcome.note });
        return (status, axum::Json(body)).into_response();
    }
    let text = match &outcome.note {
        _ if outcome.duplicate => "0 changes found (duplicate delivery)".to_owned(),
        Some(note) if note.starts_with("Ignored event") => note.clone(),
        _ if outcome.builds > 0 => "build event taken".to_owned(),
        _ => answer_text(outcome.changes),
    };
    text_response(status, &text)
}

/// The refusal of a request, as text or as a problem, whichever its sender accepts.
struct HookRefusal {
    status: StatusCode,
    message: String,
    allow: Option<String>,
    /// The wait before another attempt, in seconds.
    retry_after: Option<u64>,
    /// True if nothing proves yet that the sender belongs to the tenant.
    is_of_stranger: bool,
}

impl HookRefusal {
    fn new(status: StatusCode, message: String) -> Self {
        Self { status, message, allow: None, retry_after: None, is_of_stranger: false }
    }

    fn of_stranger(refusal: impl Into<Self>) -> Self {
        Self { is_of_stranger: true, ..refusal.into() }
    }

    /// The one answer to all who have not shown that they belong to the tenant that they name (H-AUTH-09).
    fn stranger() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized".to_owned())
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Error processing changes.".to_owned())
    }

    fn method(allowed: &[Method]) -> Self {
        let names: Vec<&str> = allowed
            .iter()
            .map(|method| match method {
                Method::Get => "GET",
                Method::Post => "POST",
            })
            .collect();
        let allow = names.join(", ");
        let message = format!("this hook takes {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message) }
    }

    fn response(&self, wants_json: bool) -> Response {
        let mut response = if wants_json {
            Problem::new(self.status, ProblemCode::HookRefused, self.message.clone()).into_response()
        } else {
            text_response(self.status, &self.message)
        };
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"Protected area\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(allow) = self.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Problem> for HookRefusal {
    fn from(problem: Problem) -> Self {
        let retry_after = problem.retry_after();
        Self { retry_after, ..Self::new(problem.status(), problem.detail().to_owned()) }
    }
}

impl From<HookError> for HookRefusal {
    fn from(error: HookError) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, error.message)
    }
}

impl From<IngestError> for HookRefusal {
    fn from(why: IngestError) -> Self {
        match why {
            IngestError::Limit(over) => Problem::from(over).into(),
            IngestError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for HookRefusal {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Closed) {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "the engine is shutting down".to_owned());
        }
        if error.is_unavailable() {
            tracing::error!(%error, "hook refused");
            return Problem::store_unavailable().into();
        }
        tracing::error!(%error, "hook failed");
        Self::internal()
    }
}

/// Renders text by H-GEN-15: never html, and control characters escaped.
fn text_response(status: StatusCode, text: &str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, escape_controls(text)).into_response()
}

/// Tells if `Accept` names JSON before anything that text would fit.
fn prefers_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut types = accept.split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
    let first = types.find(|one| {
        matches!(*one, "application/json" | "application/problem+json" | "text/plain" | "text/*" | "*/*")
    });
    matches!(first, Some("application/json" | "application/problem+json"))
}
