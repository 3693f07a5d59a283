//! Routes of logs: `PUT .../logs/{log}` streams a raw one into the store, `GET` reads its end.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::CurrentTenant;
use super::body::LimitedBody;
use super::extract::{Path, Query};
use super::problem::{Problem, ProblemCode};
use campanile_engine::{Engine, Tenant};
use campanile_model::{BuildId, Event, LogRef};
use campanile_store::{LogWriter, StoreError};

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

/// Keeps a raw log, of a build that need not be known yet; one of that name is replaced
#[utoipa::path(put, path = "/builds/{builder}/{number}/steps/{step}/logs/{log}", tag = "builds",
    params(("builder" = String, Path), ("number" = u64, Path), ("step" = String, Path), ("log" = String, Path),
        ("if-none-match" = Option<String>, Header, description = "`*`: only if there is no log of that name yet")),
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
    if only_new(request.headers()) && engine.store().log_read(tenant.name(), &log, 0, 1).await?.is_some() {
        let text = format!("there is a log `{}` of {} already: it stays as it is", log.log, log.build);
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, ProblemCode::Exists, text));
    }
    let mut writer = begin(&engine, &tenant, &log).await?;
    let mut body = LimitedBody::new(request.into_body(), MAX_UPLOAD);
    while let Some(chunk) = body.chunk().await? {
        engine.admit_bytes(&tenant, chunk.len() as u64)?;
        tenant.usage().add_bytes(chunk.len() as u64);
        writer.write(&chunk).await?;
    }
    let (lines, bytes) = writer.finish().await?;
    Ok(axum::Json(StoredLog { lines, bytes }))
}

/// Begins a log. A build that nobody told of is known by it from now on: a job that tells of nothing but its end sends its
/// logs before that.
async fn begin(engine: &Engine, tenant: &Tenant, log: &LogRef) -> Result<Box<dyn LogWriter>, Problem> {
    match engine.store().write_log(tenant.name(), log).await {
        Err(StoreError::NoSuchBuild(_)) => {
            engine.ingest(tenant, vec![Event::LogStarted { log: log.clone() }], None).await?;
            Ok(engine.store().write_log(tenant.name(), log).await?)
        }
        begun => Ok(begun?),
    }
}

/// True if a log that is there already must stay, as it must where the sender can't know whose number it uses.
fn only_new(headers: &HeaderMap) -> bool {
    headers.get(header::IF_NONE_MATCH).is_some_and(|tags| tags == "*")
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
    if builder.is_empty() || step.is_empty() || log.is_empty() {
        return Err(Problem::bad_request("the builder's, the step's and the log's name must not be blank"));
    }
    Ok(LogRef { build: BuildId { builder, number }, step, log })
}
