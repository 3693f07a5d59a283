//! Routes of liveness, readiness and metrics, open to everybody.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;

use super::problem::Problem;
use campanile_engine::Engine;

/// Answers as long as the process runs.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// Answers 200 if all services run and the store takes writes, else 503; callbacks were loaded before the listener was
/// bound.
pub(super) async fn ready(State(engine): State<Arc<Engine>>) -> Response {
    let ended = engine.ended_services();
    if !ended.is_empty() {
        return Problem::services_ended(&ended).into_response();
    }
    match engine.store().ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "store not ready");
            Problem::store_unavailable().into_response()
        }
    }
}

/// Renders all metrics in the OpenMetrics text format.
pub(super) async fn metrics(State(engine): State<Arc<Engine>>) -> Result<Response, Problem> {
    let text = engine.render_metrics().await?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}
