//! `/change_hook/{dialect}`: a forge's request becomes stored changes (H-GEN-01 to H-GEN-20).

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::access;
use super::answer::{Code, Problem};
use super::body::Limited;
use super::events;
use super::numbering::Numbering;
use campanile_callbacks::Caller;
use campanile_engine::{Engine, IngestError, Tenant};
use campanile_inbound::hooks::{Method, RawHook, Rejection, Verified, answer_text};
use campanile_inbound::ingest::{self, Source};
use campanile_model::Event;
use campanile_model::now;
use campanile_store::{Appended, StoreError};

/// `/change_hook` means the dialect `base` (H-GEN-01).
pub(super) async fn base(
    engine: State<Arc<Engine>>,
    numbering: Extension<Arc<Numbering>>,
    request: Request,
) -> Response {
    handle(engine, numbering, "base".to_owned(), request).await
}

pub(super) async fn named(
    engine: State<Arc<Engine>>,
    numbering: Extension<Arc<Numbering>>,
    Path(dialect): Path<String>,
    request: Request,
) -> Response {
    handle(engine, numbering, dialect, request).await
}

/// What a request came to.
#[derive(Default)]
struct Taken {
    changes: usize,
    /// News of builds that were passed on.
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
    Extension(numbering): Extension<Arc<Numbering>>,
    dialect: String,
    request: Request,
) -> Response {
    let tenant = match access::tenant_of_request(&engine, request.extensions()) {
        Ok(tenant) => tenant,
        Err(problem) => return problem.into_response(),
    };
    if !tenant.hooks().any() {
        return Problem::not_found("there is no such page").into_response();
    }
    let began = Instant::now();
    let wants_json = prefers_json(request.headers());
    let taken = take(&engine, &numbering, &tenant, &dialect, request).await;
    let response = match &taken {
        Ok(taken) => success(taken, wants_json),
        Err(refusal) => refusal.respond(wants_json),
    };
    let known = tenant.hooks().dialect(&dialect).is_ok();
    let label = if known { dialect.as_str() } else { "other" };
    engine.metrics().hook_request(tenant.name(), label, response.status().as_u16());
    let (status, time) = (response.status().as_u16(), began.elapsed());
    match &taken {
        Ok(taken) => {
            // What the sender says is shown escaped.
            let (event, delivery) =
                (taken.event.as_deref().unwrap_or(""), taken.delivery.as_deref().unwrap_or(""));
            let note = taken.note.as_deref().unwrap_or("");
            tracing::info!(
                tenant = tenant.name(),
                dialect,
                ?event,
                ?delivery,
                status,
                changes = taken.changes,
                builds = taken.builds,
                ?time,
                ?note,
                "hook"
            );
        }
        Err(refusal) => {
            let reason = &refusal.message;
            tracing::warn!(tenant = tenant.name(), dialect, status, ?time, "hook refused: {reason:?}");
        }
    }
    response
}

/// The checks in the order of H-GEN-09; nothing later runs after a failure.
async fn take(
    engine: &Engine,
    numbering: &Numbering,
    tenant: &Arc<Tenant>,
    name: &str,
    request: Request,
) -> Result<Taken, Refusal> {
    let hooks = tenant.hooks();
    let (parts, body) = request.into_parts();
    if hooks.auth_is_slow() {
        let (hooks, headers) = (Arc::clone(hooks), parts.headers.clone());
        tokio::task::spawn_blocking(move || hooks.authorize(&headers))
            .await
            .map_err(|_| Refusal::internal())??;
    } else {
        hooks.authorize(&parts.headers)?;
    }
    let method = match parts.method {
        HttpMethod::GET => Some(Method::Get),
        HttpMethod::POST => Some(Method::Post),
        _ => None,
    };
    let dialect = hooks.dialect(name);
    let allowed = dialect.as_ref().map_or(&[Method::Get, Method::Post][..], |dialect| dialect.methods());
    let Some(method) = method.filter(|method| allowed.contains(method)) else {
        return Err(Refusal::method(allowed));
    };
    let dialect = dialect?;
    if let Some(encoding) = parts.headers.get(header::CONTENT_ENCODING).filter(|value| *value != "identity") {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        let text = format!("send the body as it is: Content-Encoding `{encoding}` is not taken");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let body = read(body, hooks.max_body()).await?;
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let verified = dialect.verify(RawHook { method, query, headers: parts.headers, body })?;
    let source = dialect.builds().and_then(ingest::source);
    if let Some(source) = source.filter(|source| method == Method::Post && source.matches(verified.headers()))
    {
        return pass_on((engine, tenant), numbering, source, &verified).await;
    }
    let mut parsed = dialect.parse(&verified, now())?;
    if let Some(call) = parsed.call.take() {
        let caller = Caller { status: Arc::clone(tenant.status()), delivery: None };
        (parsed.changes, parsed.note) = call.run(&caller, now()).await?;
    }

    if let (Some(look_up), [change]) = (parsed.look_up.take(), &mut parsed.changes[..])
        && let Some(reason) = look_up.run(change).await
    {
        parsed.changes.clear();
        parsed.note = Some(reason);
    }
    if let Some(poll) = &parsed.poll {
        let chosen =
            poll.choose(&tenant.pollers().iter().map(|poller| poller.name.clone()).collect::<Vec<_>>())?;
        engine.poll_now(tenant, &chosen);
        let note = Some(format!("told to look: {}", chosen.join(", ")));
        return Ok(Taken { note, ..Taken::default() });
    }
    let delivery_id = parsed.delivery_id.as_ref().map(|id| format!("hook/{name}/{id}"));
    let taken =
        Taken { note: parsed.note, event: parsed.event, delivery: parsed.delivery_id, ..Taken::default() };
    let count = parsed.changes.len();
    if count == 0 {
        return Ok(taken);
    }
    let events =
        parsed.changes.into_iter().map(|change| Event::ChangeAdded { change: Box::new(change) }).collect();
    match engine.ingest(tenant, events, delivery_id).await? {
        Appended::Stored { ids, .. } => {
            let ids = ids.into_iter().flatten().collect();
            Ok(Taken { changes: count, ids, ..taken })
        }
        Appended::Duplicate => Ok(Taken { duplicate: true, note: None, ..taken }),
    }
}

/// News of builds go the way that they go at `/api/v1/events`.
async fn pass_on(
    of: (&Engine, &Tenant),
    numbering: &Numbering,
    source: &'static dyn Source,
    verified: &Verified,
) -> Result<Taken, Refusal> {
    let taken = events::take_from(of, numbering, source, verified.headers(), verified.body()).await;
    let taken = taken.map_err(|problem| {
        Refusal::new(problem.status(), format!("{}: {}", source.name(), problem.detail()))
    })?;
    let builds = taken.ids.len();
    Ok(Taken { builds, ids: taken.ids, duplicate: taken.is_duplicate, note: taken.note, ..Taken::default() })
}

async fn read(body: Body, limit: u64) -> Result<bytes::Bytes, Refusal> {
    let whole = Limited::new(body, limit).whole().await;
    whole.map_err(|problem| Refusal::new(problem.status(), problem.detail().to_owned()))
}

fn success(taken: &Taken, wants_json: bool) -> Response {
    let stored = taken.changes + taken.builds > 0 || taken.duplicate;
    let status = if stored { StatusCode::ACCEPTED } else { StatusCode::OK };
    if wants_json {
        let body = json!({ "changes": taken.changes, "ids": taken.ids, "duplicate": taken.duplicate, "note": taken.note });
        return (status, axum::Json(body)).into_response();
    }
    let text = match &taken.note {
        _ if taken.duplicate => "0 changes found (duplicate delivery)".to_owned(),
        Some(note) if note.starts_with("Ignored event") => note.clone(),
        _ if taken.builds > 0 => "build event taken".to_owned(),
        _ => answer_text(taken.changes),
    };
    plain(status, &text)
}

/// Why a request was refused.
struct Refusal {
    status: StatusCode,
    message: String,
    allow: Option<String>,
    /// When to come again, in seconds.
    retry_after: Option<u64>,
}

impl Refusal {
    fn new(status: StatusCode, message: String) -> Self {
        Self { status, message, allow: None, retry_after: None }
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

    fn respond(&self, wants_json: bool) -> Response {
        let mut response = if wants_json {
            Problem::new(self.status, Code::HookRefused, self.message.clone()).into_response()
        } else {
            plain(self.status, &self.message)
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
        if let Some(again) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(again));
        }
        response
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let status = StatusCode::from_u16(rejection.status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::new(status, rejection.message)
    }
}

impl From<IngestError> for Refusal {
    fn from(why: IngestError) -> Self {
        match why {
            IngestError::Limit(over) => {
                let problem = Problem::from(over);
                Self {
                    retry_after: problem.retry_after(),
                    ..Self::new(problem.status(), problem.detail().to_owned())
                }
            }
            IngestError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Closed) {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "the engine is shutting down".to_owned());
        }
        tracing::error!("a change hook failed: {error}");
        Self::internal()
    }
}

/// Text as H-GEN-15 has it: never html, and control characters shown escaped.
fn plain(status: StatusCode, text: &str) -> Response {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, shown).into_response()
}

/// Whether `Accept` names JSON before anything that text would fit.
fn prefers_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut types = accept.split(',').map(|one| one.split(';').next().unwrap_or_default().trim());
    let first = types.find(|one| {
        matches!(*one, "application/json" | "application/problem+json" | "text/plain" | "text/*" | "*/*")
    });
    matches!(first, Some("application/json" | "application/problem+json"))
}
