//! Routes of callbacks: their versions, deployment and rollback, their log; and stored builds as samples for previews.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::access::CurrentTenant;
use super::body::LimitedBody;
use super::extract::{Path, Query};
use super::problem::{Problem, ProblemCode};
use campanile_callbacks::{Kind, MAX_COMPONENT};
use campanile_engine::{ActivateError, ActivateOptions, Deployment, Engine};
use campanile_model::{BuildId, LogRef};
use campanile_store::{CallEntry, KeptVersion};

/// Lines of each log in a sample, from its end.
const SAMPLE_LINES: u32 = 2_000;
/// Bytes of each log in a sample, from its end.
const SAMPLE_BYTES: usize = 256 << 10;
/// Earlier builds in a sample.
const SAMPLE_BUILDS: u32 = 10;

/// Callbacks.
#[derive(Serialize, ToSchema)]
pub(super) struct Callbacks {
    callbacks: Vec<CallbackRow>,
}

/// A callback of the settings.
#[derive(Serialize, ToSchema)]
struct CallbackRow {
    name: String,
    /// Digest of the version in use; null if there is none yet.
    version: Option<String>,
    /// Kinds of callback that the version in use exports.
    exports: Vec<&'static str>,
    /// The lane that its calls wait in: `compiled` or `scripts`; null without a version.
    lane: Option<&'static str>,
}

/// Lists the callbacks of the settings
#[utoipa::path(get, path = "/callbacks", tag = "callbacks", responses(
    (status = 200, description = "by name", body = Callbacks),
))]
pub(super) async fn list(CurrentTenant(tenant): CurrentTenant) -> Json<Callbacks> {
    let callbacks = tenant.callbacks().iter().map(|(name, callback)| {
        let version = callback.version();
        let exports = version.as_ref().map(|version| version.kinds()).unwrap_or_default();
        CallbackRow {
            name: name.clone(),
            version: version.as_ref().map(|version| version.digest().to_owned()),
            exports: exports.into_iter().map(Kind::name).collect(),
            lane: version
                .as_ref()
                .map(|version| if version.is_interpreted() { "scripts" } else { "compiled" }),
        }
    });
    Json(Callbacks { callbacks: callbacks.collect() })
}

/// A callback with its kept versions, the one that was put to use last first.
#[derive(Serialize, ToSchema)]
pub(super) struct CallbackDetails {
    name: String,
    /// Digest of the version in use.
    version: Option<String>,
    versions: Vec<KeptVersion>,
}

/// Shows a callback with its kept versions
#[utoipa::path(get, path = "/callbacks/{name}", tag = "callbacks", params(("name" = String, Path)), responses(
    (status = 200, description = "the callback", body = CallbackDetails),
))]
pub(super) async fn show(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path(name): Path<String>,
) -> Result<Json<CallbackDetails>, Problem> {
    let callback = tenant.callbacks().get(&name).ok_or_else(|| no_such(&name))?;
    let versions = engine.store().versions(tenant.name(), &name).await?;
    let version = callback.version().map(|version| version.digest().to_owned());
    Ok(Json(CallbackDetails { name, version, versions }))
}

/// `?dry_run=&force=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PushQuery {
    /// Try it on recorded builds only, without putting it to use.
    #[serde(default)]
    #[param(required = false)]
    dry_run: bool,
    /// Put it to use even if it fails where the version in use does not.
    #[serde(default)]
    #[param(required = false)]
    force: bool,
}

/// Puts a new version to use, or tries it
#[utoipa::path(put, path = "/callbacks/{name}", tag = "callbacks", params(("name" = String, Path), PushQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
    (status = 200, description = "how it did on recorded builds, and whether it is in use", body = Deployment),
))]
pub(super) async fn push(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path(name): Path<String>,
    Query(query): Query<PushQuery>,
    request: Request,
) -> Result<Json<Deployment>, Problem> {
    let wasm = LimitedBody::new(request.into_body(), MAX_COMPONENT as u64).bytes().await?;
    let options = ActivateOptions { dry_run: query.dry_run, force: query.force };
    Ok(Json(engine.push_component(&tenant, &name, wasm.to_vec(), options).await?))
}

/// `?version=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RollbackQuery {
    /// The beginning of its digest; the one that was in use before if left away.
    version: Option<String>,
}

/// Puts a kept version to use again
#[utoipa::path(post, path = "/callbacks/{name}/rollback", tag = "callbacks",
    params(("name" = String, Path), RollbackQuery), responses(
    (status = 200, description = "it is in use", body = Deployment),
))]
pub(super) async fn roll_back(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path(name): Path<String>,
    Query(query): Query<RollbackQuery>,
) -> Result<Json<Deployment>, Problem> {
    Ok(Json(engine.roll_back(&tenant, &name, query.version.as_deref()).await?))
}

/// `?after=&limit=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CallLogQuery {
    /// Only calls with numbers above this.
    #[serde(default)]
    #[param(required = false)]
    after: i64,
    /// Most calls in the answer: 50 if not said, 1,000 at most; of more the newest.
    limit: Option<u32>,
}

/// Kept calls, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Calls {
    calls: Vec<NumberedCall>,
}

/// A call and its number.
#[derive(Serialize, ToSchema)]
struct NumberedCall {
    id: i64,
    call: CallEntry,
}

/// Lists calls that logged or failed
#[utoipa::path(get, path = "/callbacks/{name}/log", tag = "callbacks", params(("name" = String, Path), CallLogQuery),
    responses(
    (status = 200, description = "oldest first", body = Calls),
))]
pub(super) async fn log(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path(name): Path<String>,
    Query(query): Query<CallLogQuery>,
) -> Result<Json<Calls>, Problem> {
    let limit = query.limit.unwrap_or(50).clamp(1, 1_000);
    let calls = engine.store().calls(tenant.name(), &name, query.after, limit).await?;
    if calls.is_empty() && !tenant.callbacks().contains_key(&name) {
        return Err(no_such(&name));
    }
    Ok(Json(Calls { calls: calls.into_iter().map(|(id, call)| NumberedCall { id, call }).collect() }))
}

/// Shows a stored build as `campanile preview` takes it
#[utoipa::path(get, path = "/builds/{builder}/{number}/sample", tag = "callbacks",
    params(("builder" = String, Path), ("number" = u64, Path)), responses(
    (status = 200, description = "the build, builds before it, and its logs", body = Value),
))]
pub(super) async fn sample(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path((builder, number)): Path<(String, u64)>,
) -> Result<Json<Value>, Problem> {
    let status = tenant.status();
    let id = BuildId { builder, number };
    let store = engine.store();
    let build = store.build(tenant.name(), &id).await?;
    let build = build.ok_or_else(|| Problem::not_found(format!("there is no build {id}")))?;
    let earlier = store.earlier_builds(tenant.name(), &id, SAMPLE_BUILDS).await?;
    let mut logs = serde_json::Map::new();
    for step in &build.steps {
        for log in &step.logs {
            let log_ref = LogRef { build: id.clone(), step: step.name.clone(), log: log.name.clone() };
            if let Some(text) = store.log_tail(tenant.name(), &log_ref, SAMPLE_LINES, SAMPLE_BYTES).await? {
                logs.insert(format!("{}/{}", step.name, log.name), Value::String(text));
            }
        }
    }
    Ok(Json(json!({
        "title": status.title(), "url": status.url(), "build": build, "earlier": earlier, "logs": logs,
        "user": build.responsible_users().first(),
    })))
}

fn no_such(name: &str) -> Problem {
    Problem::not_found(format!("there is no callback `{name}` in the settings"))
}

impl From<ActivateError> for Problem {
    fn from(refused: ActivateError) -> Self {
        match refused {
            ActivateError::Gone => Self::not_found(refused.to_string()),
            ActivateError::Store(error) => error.into(),
            ActivateError::NoSuchCallback(_) | ActivateError::NoSuchVersion(_) => {
                Self::not_found(refused.to_string())
            }
            ActivateError::Component(_) | ActivateError::Narrower(_) | ActivateError::Worse(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, ProblemCode::CallbackRefused, refused.to_string())
            }
        }
    }
}
