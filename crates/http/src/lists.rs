//! Routes that list the store: audit log, builders, builds and changes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::CurrentTenant;
use super::extract::{Path, Query};
use super::problem::{Problem, ProblemBody};
use campanile_engine::Engine;
use campanile_model::{Build, BuildId, Builder, BuilderState, Change};
use campanile_store::{AuditEntry, BuildQuery, BuilderRow, Page};

/// Rows of a list if the query names no number.
const DEFAULT_ROWS: u32 = 50;
/// Most rows of a list.
const MAX_ROWS: u32 = 500;

/// `?limit=&before=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Most rows in the answer: 50 if not said, 500 at most.
    limit: Option<u32>,
    /// Only those before this one; the smallest number of the page before gives the next page.
    before: Option<i64>,
}

/// `?limit=&before=&builder=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BuildsQuery {
    /// Most rows in the answer: 50 if not said, 500 at most.
    limit: Option<u32>,
    /// With `builder`, builds with lower numbers; without, the number of builds to pass over.
    before: Option<i64>,
    /// Only this builder's.
    builder: Option<String>,
}

/// Holds a list's query within the limits.
pub(super) fn page(limit: Option<u32>, before: Option<i64>) -> Page {
    Page { limit: limit.unwrap_or(DEFAULT_ROWS).clamp(1, MAX_ROWS), before }
}

/// The audit log.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditLog {
    audit: Vec<AuditRow>,
}

/// An entry and its number.
#[derive(Serialize, ToSchema)]
struct AuditRow {
    id: i64,
    #[serde(flatten)]
    entry: AuditEntry,
}

/// Lists changes by people and requests to the CI
#[utoipa::path(get, path = "/audit", tag = "audit", params(ListQuery), responses(
    (status = 200, description = "newest first", body = AuditLog),
))]
pub(super) async fn audit(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Query(query): Query<ListQuery>,
) -> Result<Json<AuditLog>, Problem> {
    let entries = engine.store().audit(tenant.name(), page(query.limit, query.before)).await?;
    Ok(Json(AuditLog { audit: entries.into_iter().map(|(id, entry)| AuditRow { id, entry }).collect() }))
}

/// Builders by name.
#[derive(Serialize, ToSchema)]
pub(super) struct Builders {
    builders: Vec<BuilderView>,
}

/// A builder and the number of its newest build.
#[derive(Serialize, ToSchema)]
struct BuilderView {
    name: String,
    description: Option<String>,
    tags: Vec<String>,
    state: BuilderState,
    workers: Vec<String>,
    /// Number of its newest build, if it has one.
    last_build: Option<u64>,
}

impl From<BuilderRow> for BuilderView {
    fn from(BuilderRow { builder, last_build }: BuilderRow) -> Self {
        let Builder { name, description, tags, state, workers } = builder;
        Self { name, description, tags, state, workers, last_build }
    }
}

/// Lists builders by name
#[utoipa::path(get, path = "/builders", tag = "builds", responses(
    (status = 200, description = "by name", body = Builders),
))]
pub(super) async fn builders(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
) -> Result<Json<Builders>, Problem> {
    let builders = engine.store().builders(tenant.name()).await?;
    Ok(Json(Builders { builders: builders.into_iter().map(BuilderView::from).collect() }))
}

/// Builds.
#[derive(Serialize, ToSchema)]
pub(super) struct Builds {
    builds: Vec<Build>,
}

/// Lists builds, newest first
#[utoipa::path(get, path = "/builds", tag = "builds", params(BuildsQuery), responses(
    (status = 200, description = "newest first", body = Builds),
))]
pub(super) async fn builds(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Query(query): Query<BuildsQuery>,
) -> Result<Json<Builds>, Problem> {
    let page = page(query.limit, query.before);
    let query = BuildQuery { builder: query.builder, page };
    let builds = engine.store().builds(tenant.name(), &query).await?;
    Ok(Json(Builds { builds }))
}

/// One build.
#[derive(Serialize, ToSchema)]
pub(super) struct BuildDetails {
    build: Build,
}

/// Shows a build with its steps and the sizes of its logs
#[utoipa::path(get, path = "/builds/{builder}/{number}", tag = "builds",
    params(("builder" = String, Path, description = "the builder's name"), ("number" = u64, Path)), responses(
    (status = 200, description = "the build", body = BuildDetails),
    (status = "4XX", description = "refused, or not known", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn build(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path((builder, number)): Path<(String, u64)>,
) -> Result<Json<BuildDetails>, Problem> {
    let id = BuildId { builder, number };
    let build = engine.store().build(tenant.name(), &id).await?;
    let build = build.ok_or_else(|| Problem::not_found(format!("there is no build {id}")))?;
    Ok(Json(BuildDetails { build }))
}

/// Changes.
#[derive(Serialize, ToSchema)]
pub(super) struct Changes {
    changes: Vec<Change>,
}

/// Lists changes, newest first
#[utoipa::path(get, path = "/changes", tag = "changes", params(ListQuery), responses(
    (status = 200, description = "newest first", body = Changes),
))]
pub(super) async fn changes(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Query(query): Query<ListQuery>,
) -> Result<Json<Changes>, Problem> {
    let changes = engine.store().changes(tenant.name(), page(query.limit, query.before)).await?;
    Ok(Json(Changes { changes }))
}
