//! Routes of liveness and readiness, open to everybody, and of metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use http::header;

use super::access;
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
pub(super) async fn metrics(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    if let Err(problem) = access::authorize_metrics(&engine, peer, &parts).await {
        return access::challenge(problem);
    }
    match engine.render_metrics().await {
        Ok(text) => {
            let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, media_type)], text).into_response()
        }
        Err(error) => Problem::from(error).into_response(),
    }
}
