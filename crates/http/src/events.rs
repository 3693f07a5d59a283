//! Routes of events: `POST /api/v1/events` takes native ones and answers 202 with their ids once they are durable;
//! `/{source}` below it takes another system's requests in their own form.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{self, AddressedTenant, CurrentTenant, SourceAuth};
use super::body::{LimitedBody, UnprovenRoom};
use super::extract::Path;
use super::number_allocator::NumberAllocator;
use super::parse_turns::ParseTurns;
use super::problem::{Problem, ProblemCode};
use campanile_engine::{Engine, Repeat, Tenant, repeats};
use campanile_inbound::ingest::{self, Form, Source};
use campanile_model::Event;
use campanile_store::{Appended, EventId, StoredDelivery};

/// Largest body of events, in bytes.
const MAX_BODY: u64 = 25 << 20;

/// The receipt of native events.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct EventsResponse {
    /// Ids of the events in their order; null for one that repeats a known fact.
    ids: Vec<Option<EventId>>,
    /// The deliveries that the events lead to, which wait to be sent; left away if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    deliveries: Vec<NewDelivery>,
    /// The events that repeat a known fact, the first hundred; left away if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    repeated: Vec<Repeat>,
    /// True if a request with the same idempotency key was here before; left away otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    duplicate: bool,
}

/// A delivery, and the kind of its target: its table in the settings.
#[derive(Serialize, ToSchema)]
struct NewDelivery {
    #[serde(flatten)]
    delivery: StoredDelivery,
    kind: Option<&'static str>,
}

/// Takes events in: one, several, or one a line
#[utoipa::path(post, path = "/events", tag = "events",
    params(("idempotency-key" = Option<String>, Header, description = "a second request with the same one within a day stores nothing")),
    request_body(content((Event = "application/json"), (String = "application/x-ndjson"))), responses(
    (status = 202, description = "durable", body = EventsResponse),
))]
pub(super) async fn accept(
    State(engine): State<Arc<Engine>>,
    Extension(turns): Extension<ParseTurns>,
    CurrentTenant(tenant): CurrentTenant,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let form = body_form(&parts.headers)?;
    let key = parts.headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let dedup_key = key.map(|key| format!("events/{key}"));
    let body = LimitedBody::new(body, MAX_BODY).bytes().await?;
    let parsed = turns.run(&tenant, body.clone(), move |body| ingest::parse(body, form)).await;
    let (events, turn) = parsed.map_err(|_| Problem::internal())?;
    let events = events.map_err(|error| Problem::bad_request(error.to_string()))?;
    let appended = engine.ingest(&tenant, events, dedup_key).await?;
    drop(turn);
    let mut response = match appended {
        Appended::Stored { ids, deliveries, .. } => {
            let new = |delivery: StoredDelivery| NewDelivery {
                kind: tenant.target_kind(&delivery.target),
                delivery,
            };
            let deliveries = deliveries.into_iter().map(new).collect();
            EventsResponse { ids, deliveries, ..EventsResponse::default() }
        }
        Appended::Duplicate => EventsResponse { duplicate: true, ..EventsResponse::default() },
    };
    if response.ids.contains(&None)
        // The store has the events by now. Repeats are rare, so they are read once more rather than copied each time.
        && let Ok((Ok(events), _)) = turns.run(&tenant, body, move |body| ingest::parse(body, form)).await
    {
        response.repeated = repeats(&tenant, engine.store(), &events, &response.ids).await;
    }
    Ok((StatusCode::ACCEPTED, axum::Json(response)).into_response())
}

/// Takes in what another system posts in its own form
#[utoipa::path(post, path = "/api/v1/events/{source}", tag = "events", params(("source" = String, Path)),
    request_body(content = Value, content_type = "application/json"), responses(
    (status = 200, description = "no news here, and why", body = SourceResponse),
    (status = 202, description = "durable", body = SourceResponse),
))]
// Most look at nothing but the status, take any 2xx, and never ask again.
pub(super) async fn accept_from(
    State(engine): State<Arc<Engine>>,
    Extension(numbers): Extension<Arc<NumberAllocator>>,
    Extension(turns): Extension<ParseTurns>,
    Extension(room): Extension<UnprovenRoom>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let Some(source) = ingest::source(&name) else {
        let known = ingest::source_names().collect::<Vec<_>>().join("`, `");
        let text = format!("no system `{}` is known: known are `{known}`", name.escape_debug());
        return Problem::not_found(text).into_response();
    };
    match authorize_and_ingest(&engine, (&numbers, &turns, &room), peer, source, request).await {
        Ok(receipt) => receipt.into_response(),
        Err(problem) => {
            // Senders rarely show an answer's text: who looks for what is missing looks here.
            tracing::warn!(source = source.name(), reason = problem.detail(), "source request refused");
            access::challenge(problem)
        }
    }
}

async fn authorize_and_ingest(
    engine: &Engine,
    (numbers, turns, room): (&NumberAllocator, &ParseTurns, &UnprovenRoom),
    peer: SocketAddr,
    source: &'static dyn Source,
    request: Request,
) -> Result<SourceReceipt, Problem> {
    let (parts, body) = request.into_parts();
    let is_addressed = parts.extensions.get::<AddressedTenant>().is_some();
    let mut body = LimitedBody::new(body, MAX_BODY);
    let tenant = access::tenant_of_request(engine, &parts.extensions);
    let proven = match &tenant {
        Ok(tenant) => prove(engine, tenant, (peer, &parts), source, (&mut body, room)).await,
        Err(_) => Err(access::stranger()),
    };
    let body = match proven {
        Ok(body) => body,
        // Nobody else is to learn which tenants there are, by the answer or by the time that it takes.
        Err(problem) if is_addressed && problem.status() != StatusCode::FORBIDDEN => {
            tracing::debug!(
                source = source.name(),
                reason = problem.detail(),
                "stranger at a tenant's address"
            );
            body.discard().await;
            return Err(access::stranger());
        }
        Err(problem) => return Err(problem),
    };
    ingest_from_source((engine, &*tenant?), (numbers, turns), source, parts.headers, body).await
}

/// Reads the body of a sender who is authorized before, or by it.
async fn prove(
    engine: &Engine,
    tenant: &Tenant,
    (peer, parts): (SocketAddr, &Parts),
    source: &'static dyn Source,
    (body, room): (&mut LimitedBody, &UnprovenRoom),
) -> Result<Bytes, Problem> {
    let auth = access::authorize_source(engine, tenant, peer, parts, source).await?;
    if matches!(auth, SourceAuth::Granted) {
        return body.bytes().await;
    }
    let (whole, _until_proven) = body.unproven_bytes(room).await?;
    auth.check(&parts.headers, &whole)?;
    Ok(whole)
}

/// The answer to another system's request.
#[derive(Serialize, ToSchema)]
pub(super) struct SourceResponse {
    /// Ids of what was stored.
    ids: Vec<EventId>,
    /// True if all of it was known; left away otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    duplicate: bool,
    /// The reason that there is nothing to store, if there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// The result of another system's request, here and at its change hook.
#[derive(Debug, Default)]
pub(super) struct SourceReceipt {
    /// Ids of the events that were stored.
    pub(super) ids: Vec<i64>,
    /// True if all of it was known.
    pub(super) is_duplicate: bool,
    /// The reason that there is nothing to store.
    pub(super) note: Option<String>,
}

/// Parses a source's request, and stores its events. The sender must be authorized already.
///
/// Batches of one request are stored one by one: after an error the earlier ones stay.
pub(super) async fn ingest_from_source(
    (engine, tenant): (&Engine, &Tenant),
    (numbers, turns): (&NumberAllocator, &ParseTurns),
    source: &'static dyn Source,
    headers: HeaderMap,
    body: Bytes,
) -> Result<SourceReceipt, Problem> {
    let parsed = turns.run(tenant, body, move |body| source.parse(&headers, body)).await;
    let (batches, _turn) = parsed.map_err(|_| Problem::internal())?;
    let batches = batches.map_err(|error| Problem::bad_request(error.to_string()))?;
    let (mut receipt, mut repeated) = (SourceReceipt::default(), false);
    for batch in batches {
        if batch.events.is_empty() {
            receipt.note = receipt.note.or(batch.note);
            continue;
        }
        let dedup_key = batch.idempotency_key.as_ref().map(|key| format!("{}/{key}", source.name()));
        match numbers.store((engine, tenant), batch, dedup_key).await? {
            Some(Appended::Stored { ids, .. }) => {
                let before = receipt.ids.len();
                receipt.ids.extend(ids.into_iter().flatten());
                repeated |= receipt.ids.len() == before;
            }
            Some(Appended::Duplicate) | None => repeated = true,
        }
    }
    receipt.is_duplicate = repeated && receipt.ids.is_empty();
    tracing::debug!(source = source.name(), events = receipt.ids.len(), note = ?receipt.note, "source request taken");
    Ok(receipt)
}

impl IntoResponse for SourceReceipt {
    fn into_response(self) -> Response {
        let is_nothing = self.ids.is_empty() && !self.is_duplicate;
        let status = if is_nothing { StatusCode::OK } else { StatusCode::ACCEPTED };
        let response = SourceResponse { ids: self.ids, duplicate: self.is_duplicate, note: self.note };
        (status, axum::Json(response)).into_response()
    }
}

fn body_form(headers: &HeaderMap) -> Result<Form, Problem> {
    let given = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    let media = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "" | "application/json" => Ok(Form::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Form::Lines),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProblemCode::MediaType,
            "send application/json, or application/x-ndjson for one event a line",
        )),
    }
}
