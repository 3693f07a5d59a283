//! Callbacks: their versions, new ones and back again, what they log; and builds to try them on.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use super::body::Limited;
use crate::callbacks::{Kind, MAX_COMPONENT};
use crate::engine::{Care, Engine, Refused};
use crate::model::{BuildId, LogRef};

/// Of each log so many lines go into a sample.
const SAMPLE_LINES: u32 = 2_000;
/// Of each log so many bytes go into a sample.
const SAMPLE_BYTES: usize = 256 << 10;
/// So many builds before go into a sample.
const SAMPLE_BUILDS: u32 = 10;

pub(super) async fn list(State(engine): State<Arc<Engine>>) -> Json<Value> {
    let tenant = engine.tenant();
    let callbacks: Vec<Value> = tenant
        .callbacks()
        .iter()
        .map(|(name, callback)| {
            let version = callback.version();
            let exports = version.as_ref().map(|version| version.kinds()).unwrap_or_default();
            json!({
                "name": name,
                "version": version.as_ref().map(|version| version.digest()),
                "exports": exports.into_iter().map(Kind::name).collect::<Vec<_>>(),
                "lane": version.as_ref().map(|version| if version.is_heavy() { "scripts" } else { "compiled" }),
            })
        })
        .collect();
    Json(json!({ "callbacks": callbacks }))
}

pub(super) async fn show(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let tenant = engine.tenant();
    let callback = tenant.callbacks().get(&name).ok_or_else(|| no_such(&name))?;
    let versions = engine.store().versions(tenant.name(), &name).await?;
    let in_use = callback.version().map(|version| version.digest().to_owned());
    Ok(Json(json!({ "name": name, "version": in_use, "versions": versions })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PushQuery {
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    force: bool,
}

pub(super) async fn push(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    Query(query): Query<PushQuery>,
    request: Request,
) -> Result<Json<Value>, Problem> {
    let wasm = Limited::new(request.into_body(), MAX_COMPONENT as u64).whole().await?;
    let care = Care { dry_run: query.dry_run, force: query.force };
    let activation = engine.push_component(&name, wasm.to_vec(), care).await?;
    Ok(Json(json!(activation)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackQuery {
    version: Option<String>,
}

pub(super) async fn roll_back(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    Query(query): Query<RollbackQuery>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(json!(engine.roll_back(&name, query.version.as_deref()).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    #[serde(default)]
    after: i64,
    limit: Option<u32>,
}

pub(super) async fn log(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Json<Value>, Problem> {
    let limit = query.limit.unwrap_or(50).clamp(1, 1_000);
    let tenant = engine.tenant();
    let calls = engine.store().calls(tenant.name(), &name, query.after, limit).await?;
    if calls.is_empty() && !tenant.callbacks().contains_key(&name) {
        return Err(no_such(&name));
    }
    let calls: Vec<Value> = calls.into_iter().map(|(id, call)| json!({ "id": id, "call": call })).collect();
    Ok(Json(json!({ "calls": calls })))
}

/// A stored build as `campanile preview` takes it.
pub(super) async fn sample(
    State(engine): State<Arc<Engine>>,
    Path((builder, number)): Path<(String, u64)>,
) -> Result<Json<Value>, Problem> {
    let tenant = engine.tenant();
    let status = tenant.status();
    let id = BuildId { builder, number };
    let store = engine.store();
    let build = store.build(tenant.name(), &id).await?;
    let build = build.ok_or_else(|| Problem::not_found(format!("there is no build {id}")))?;
    let earlier = store.earlier_builds(tenant.name(), &id, SAMPLE_BUILDS).await?;
    let mut logs = serde_json::Map::new();
    for step in &build.steps {
        for log in &step.logs {
            let place = LogRef { build: id.clone(), step: step.name.clone(), log: log.name.clone() };
            if let Some(text) = store.log_tail(tenant.name(), &place, SAMPLE_LINES, SAMPLE_BYTES).await? {
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

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Store(error) => error.into(),
            Refused::NoSuchCallback(_) | Refused::NoSuchVersion(_) => Self::not_found(refused.to_string()),
            Refused::Component(_) | Refused::Narrower(_) | Refused::Worse(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "callback-refused", refused.to_string())
            }
        }
    }
}
