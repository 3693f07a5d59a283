//! `POST /api/v1/events`: native events; 202 with their ids once they are durable. `/buildbot` below it takes what
//! Buildbot's own reporter posts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::answer::Problem;
use super::body::Limited;
use crate::engine::Engine;
use crate::ingest::{self, Form};
use crate::model::Event;
use crate::store::Appended;

/// Largest body of events.
const MAX_BODY: u64 = 25 << 20;

pub(super) async fn accept(State(engine): State<Arc<Engine>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let form = form(&parts.headers)?;
    let key = parts.headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    let dedup_key = key.map(|key| format!("events/{key}"));
    let body = Limited::new(body, MAX_BODY).whole().await?;
    let events = ingest::parse(&body, form).map_err(|error| Problem::bad_request(error.to_string()))?;
    take(&engine, events, dedup_key).await
}

/// Buildbot looks at nothing but the status, takes any 2xx, and never asks again.
pub(super) async fn accept_buildbot(
    State(engine): State<Arc<Engine>>,
    request: Request,
) -> Result<Response, Problem> {
    let body = Limited::new(request.into_body(), MAX_BODY).whole().await?;
    let told = ingest::buildbot::parse(&body).map_err(|error| {
        // Buildbot logs no answer's text: who looks for what is missing looks here.
        tracing::warn!("a body of Buildbot's was refused: {error}");
        Problem::bad_request(error.to_string())
    })?;
    take(&engine, told.events, Some(format!("buildbot/{}", told.name))).await
}

async fn take(engine: &Engine, events: Vec<Event>, dedup_key: Option<String>) -> Result<Response, Problem> {
    let answer = match engine.accept(events, dedup_key).await? {
        Appended::Stored { ids, .. } => json!({ "ids": ids }),
        Appended::Duplicate => json!({ "ids": [], "duplicate": true }),
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
            "media-type",
            "send application/json, or application/x-ndjson for one event a line",
        )),
    }
}
