//! Liveness, readiness and metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::{Code, Problem};
use campanile_engine::Engine;

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// The store takes writes; callbacks were loaded before the door opened.
pub(super) async fn ready(State(engine): State<Arc<Engine>>) -> Response {
    match engine.store().ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!("not ready: {error}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::Store, "the store does not take writes")
                .into_response()
        }
    }
}

pub(super) async fn metrics(State(engine): State<Arc<Engine>>) -> Result<Response, Problem> {
    let text = engine.render_metrics().await?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}
