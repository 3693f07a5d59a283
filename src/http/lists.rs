//! What is in the store, as JSON, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use crate::engine::Engine;
use crate::model::BuildId;
use crate::store::{BuildQuery, Page};

/// Rows of a list if none are asked for, and at most.
const ROWS: (u32, u32) = (50, 500);

/// `?limit=&before=`, and what some lists take besides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<u32>,
    before: Option<i64>,
    builder: Option<String>,
}

pub(super) fn page(limit: Option<u32>, before: Option<i64>) -> Page {
    Page { limit: limit.unwrap_or(ROWS.0).clamp(1, ROWS.1), before }
}

pub(super) async fn audit(
    State(engine): State<Arc<Engine>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Problem> {
    let entries = engine.store().audit(engine.tenant().name(), page(query.limit, query.before)).await?;
    let entries: Vec<Value> = entries
        .into_iter()
        .map(|(id, entry)| {
            json!({"id": id, "at": entry.at, "who": entry.who, "place": entry.place, "what": entry.what, "answer": entry.answer})
        })
        .collect();
    Ok(Json(json!({ "audit": entries })))
}

pub(super) async fn builders(State(engine): State<Arc<Engine>>) -> Result<Json<Value>, Problem> {
    let builders = engine.store().builders(engine.tenant().name()).await?;
    Ok(Json(json!({ "builders": builders })))
}

pub(super) async fn builds(
    State(engine): State<Arc<Engine>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Problem> {
    let page = page(query.limit, query.before);
    let query = BuildQuery { builder: query.builder, page };
    let builds = engine.store().builds(engine.tenant().name(), &query).await?;
    Ok(Json(json!({ "builds": builds })))
}

pub(super) async fn build(
    State(engine): State<Arc<Engine>>,
    Path((builder, number)): Path<(String, u64)>,
) -> Result<Json<Value>, Problem> {
    let id = BuildId { builder, number };
    let build = engine.store().build(engine.tenant().name(), &id).await?;
    let build = build.ok_or_else(|| Problem::not_found(format!("there is no build {id}")))?;
    Ok(Json(json!({ "build": build })))
}

pub(super) async fn changes(
    State(engine): State<Arc<Engine>>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Problem> {
    let changes = engine.store().changes(engine.tenant().name(), page(query.limit, query.before)).await?;
    Ok(Json(json!({ "changes": changes })))
}
