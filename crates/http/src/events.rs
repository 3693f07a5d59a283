//! `POST /api/v1/events`: native events; 202 with their ids once they are durable. `/{source}` below it takes what
//! another system posts in its own form.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::{self, CurrentTenant};
use super::answer::{Code, Problem};
use super::body::Limited;
use super::extract::Path;
use super::numbering::Numbering;
use campanile_engine::{Engine, Tenant};
use campanile_inbound::ingest::{self, Form, Source};
use campanile_model::Event;
use campanile_store::{Appended, EventId};

/// Largest body of events.
const MAX_BODY: u64 = 25 << 20;

/// What came of events.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    /// Ids of the events in their order; null for one that repeats a known fact.
    ids: Vec<Option<EventId>>,
    /// Whether a request of the same name was here before; left away otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    duplicate: bool,
}

/// Takes events in: one, several, or one a line
#[utoipa::path(post, path = "/api/v1/events", tag = "events",
    params(("idempotency-key" = Option<String>, Header, description = "a second request with the same one within a day stores nothing")),
    request_body(content((Event = "application/json"), (String = "application/x-ndjson"))), responses(
    (status = 202, description = "durable", body = Accepted),
))]
pub(super) async fn accept(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let form = form(&parts.headers)?;
    let key = parts.headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let dedup_key = key.map(|key| format!("events/{key}"));
    let body = Limited::new(body, MAX_BODY).whole().await?;
    let events = ingest::parse(&body, form).map_err(|error| Problem::bad_request(error.to_string()))?;
    take(&engine, &tenant, events, dedup_key).await
}

/// Takes in what another system posts in its own form
#[utoipa::path(post, path = "/api/v1/events/{source}", tag = "events", params(("source" = String, Path)),
    request_body(content = Value, content_type = "application/json"), responses(
    (status = 200, description = "no news here, and why", body = FromSource),
    (status = 202, description = "durable", body = FromSource),
))]
// Most look at nothing but the status, take any 2xx, and never ask again.
pub(super) async fn accept_from(
    State(engine): State<Arc<Engine>>,
    Extension(numbering): Extension<Arc<Numbering>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let Some(source) = ingest::source(&name) else {
        let known = ingest::source_names().collect::<Vec<_>>().join("`, `");
        let text = format!("no system `{}` is known: known are `{known}`", name.escape_debug());
        return Problem::not_found(text).into_response();
    };
    match taken_from(&engine, &numbering, peer, source, request).await {
        Ok(taken) => taken.into_response(),
        Err(problem) => {
            // Senders rarely show an answer's text: who looks for what is missing looks here.
            tracing::warn!("events of `{}` were refused: {:?}", source.name(), problem.detail());
            access::refuse(problem)
        }
    }
}

async fn taken_from(
    engine: &Engine,
    numbering: &Numbering,
    peer: SocketAddr,
    source: &'static dyn Source,
    request: Request,
) -> Result<Taken, Problem> {
    let (parts, body) = request.into_parts();
    let tenant = access::tenant_of_request(engine, &parts.extensions)?;
    let entry = access::entry(engine, &tenant, peer, &parts.headers, source).await?;
    let body = Limited::new(body, MAX_BODY).whole().await?;
    entry.check(&parts.headers, &body)?;
    take_from((engine, &tenant), numbering, source, &parts.headers, &body).await
}

/// What is answered to another system.
#[derive(Serialize, ToSchema)]
pub(super) struct FromSource {
    /// Ids of what was stored.
    ids: Vec<EventId>,
    /// Whether all of it was known; left away otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    duplicate: bool,
    /// Why there is nothing to store, if there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What came of another system's request.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Of what was stored.
    pub(super) ids: Vec<i64>,
    /// Whether all of it was known.
    pub(super) is_duplicate: bool,
    /// Why there is nothing to store.
    pub(super) note: Option<String>,
}

/// Reads and stores what a system says whose sender is proven.
pub(super) async fn take_from(
    (engine, tenant): (&Engine, &Tenant),
    numbering: &Numbering,
    source: &dyn Source,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Taken, Problem> {
    let all = source.parse(headers, body).map_err(|error| Problem::bad_request(error.to_string()))?;
    let (mut taken, mut repeated) = (Taken::default(), false);
    for told in all {
        if told.events.is_empty() {
            taken.note = taken.note.or(told.note);
            continue;
        }
        let dedup_key = told.name.as_ref().map(|name| format!("{}/{name}", source.name()));
        match numbering.store((engine, tenant), told, dedup_key).await? {
            Some(Appended::Stored { ids, .. }) => {
                let before = taken.ids.len();
                taken.ids.extend(ids.into_iter().flatten());
                repeated |= taken.ids.len() == before;
            }
            Some(Appended::Duplicate) | None => repeated = true,
        }
    }
    taken.is_duplicate = repeated && taken.ids.is_empty();
    tracing::debug!(source = source.name(), events = taken.ids.len(), note = ?taken.note, "told of builds");
    Ok(taken)
}

impl IntoResponse for Taken {
    fn into_response(self) -> Response {
        let is_nothing = self.ids.is_empty() && !self.is_duplicate;
        let status = if is_nothing { StatusCode::OK } else { StatusCode::ACCEPTED };
        let answer = FromSource { ids: self.ids, duplicate: self.is_duplicate, note: self.note };
        (status, axum::Json(answer)).into_response()
    }
}

async fn take(
    engine: &Engine,
    tenant: &Tenant,
    events: Vec<Event>,
    dedup_key: Option<String>,
) -> Result<Response, Problem> {
    let answer = match engine.ingest(tenant, events, dedup_key).await? {
        Appended::Stored { ids, .. } => Accepted { ids, duplicate: false },
        Appended::Duplicate => Accepted { ids: Vec::new(), duplicate: true },
    };
    Ok((StatusCode::ACCEPTED, axum::Json(answer)).into_response())
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let given = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    let media = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "" | "application/json" => Ok(Form::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Form::Lines),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::MediaType,
            "send application/json, or application/x-ndjson for one event a line",
        )),
    }
}
