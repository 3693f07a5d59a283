//! Routes of logs: `PUT .../logs/{log}` streams a raw one into the store, `GET` reads its end.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::CurrentTenant;
use super::body::LimitedBody;
use super::extract::{Path, Query};
use super::problem::Problem;
use campanile_engine::Engine;
use campanile_model::{BuildId, LogRef};

/// Largest upload, in bytes; the store keeps as much of it as its `max_log_bytes` allows.
const MAX_UPLOAD: u64 = 4 << 30;
/// Most bytes of a log in one answer.
const MAX_TAIL: usize = 1 << 20;

type LogPath = Path<(String, u64, String, String)>;

/// The size of a log as it was stored.
#[derive(Serialize, ToSchema)]
pub(super) struct StoredLog {
    lines: u64,
    bytes: u64,
}

/// Keeps a raw log; one of that name is replaced
#[utoipa::path(put, path = "/builds/{builder}/{number}/steps/{step}/logs/{log}", tag = "builds",
    params(("builder" = String, Path), ("number" = u64, Path), ("step" = String, Path), ("log" = String, Path)),
    request_body(content = String, content_type = "text/plain"), responses(
    (status = 200, description = "kept", body = StoredLog),
))]
pub(super) async fn upload(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    path: LogPath,
    request: Request,
) -> Result<axum::Json<StoredLog>, Problem> {
    let log = log_ref(path)?;
    engine.admit_bytes(&tenant, 1)?;
    let mut writer = engine.store().write_log(tenant.name(), &log).await?;
    let mut body = LimitedBody::new(request.into_body(), MAX_UPLOAD);
    while let Some(chunk) = body.chunk().await? {
        engine.admit_bytes(&tenant, chunk.len() as u64)?;
        tenant.usage().add_bytes(chunk.len() as u64);
        writer.write(&chunk).await?;
    }
    let (lines, bytes) = writer.finish().await?;
    Ok(axum::Json(StoredLog { lines, bytes }))
}

/// `?lines=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogTailQuery {
    /// Lines of its end: 1,000 if not said, a mebibyte at most.
    lines: Option<u32>,
}

/// Shows the end of a log, without its header lines
#[utoipa::path(get, path = "/builds/{builder}/{number}/steps/{step}/logs/{log}", tag = "builds",
    params(("builder" = String, Path), ("number" = u64, Path), ("step" = String, Path), ("log" = String, Path), LogTailQuery),
    responses(
    (status = 200, description = "its last lines", body = String, content_type = "text/plain; charset=utf-8"),
))]
pub(super) async fn read(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    path: LogPath,
    Query(tail): Query<LogTailQuery>,
) -> Result<Response, Problem> {
    let log = log_ref(path)?;
    let lines = tail.lines.unwrap_or(1_000);
    let text = engine.store().log_tail(tenant.name(), &log, lines, MAX_TAIL).await?;
    let text =
        text.ok_or_else(|| Problem::not_found(format!("there is no log `{}` of {}", log.log, log.build)))?;
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    Ok((headers, text).into_response())
}

fn log_ref(Path((builder, number, step, log)): LogPath) -> Result<LogRef, Problem> {
    if step.is_empty() || log.is_empty() {
        return Err(Problem::bad_request("the step's and the log's name must not be blank"));
    }
    Ok(LogRef { build: BuildId { builder, number }, step, log })
}
