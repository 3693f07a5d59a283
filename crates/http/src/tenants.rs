//! Routes of tenants: `/t/{tenant}/...`, the other routes as a tenant's own; `/api/v1/tenants`, the tenants.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;
use utoipa::ToSchema;

use super::access::AddressedTenant;
use super::body::LimitedBody;
use super::extract::Path;
use super::problem::{Problem, ProblemCode};
use campanile_config::TenantsSettings;
use campanile_engine::{Engine, Tenant, TenantChangeError};
use campanile_model::now;

/// Largest body of settings with their secrets, in bytes; components come by another route.
const MAX_BODY: u64 = 1 << 20;

/// The router that [`forward`] hands tenants' requests to.
#[derive(Clone)]
pub(super) struct TenantRouter(pub(super) Router);

/// Forwards a request below a tenant's address as if it stood at the root, with an [`AddressedTenant`] noted.
pub(super) async fn forward(
    Extension(TenantRouter(routes)): Extension<TenantRouter>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    axum::extract::Path((tenant, _)): axum::extract::Path<(String, String)>,
    request: Request,
) -> Response {
    let not_found = || Problem::no_such_page().into_response();
    if !TenantsSettings::is_valid_name(&tenant) {
        return not_found();
    }
    let (parts, body) = request.into_parts();
    let Some(rest) = strip_tenant(&parts.uri) else { return not_found() };
    // Nothing of the address that was matched so far may stay.
    let mut inner = Request::new(body);
    *inner.method_mut() = parts.method;
    *inner.headers_mut() = parts.headers;
    *inner.uri_mut() = rest;
    *inner.version_mut() = parts.version;
    let extensions = inner.extensions_mut();
    extensions.insert(ConnectInfo(peer));
    extensions.insert(AddressedTenant(tenant));
    match routes.oneshot(inner).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Cuts `/t/NAME/change_hook/github?x` to `/change_hook/github?x`; none for routes that tenants don't have.
fn strip_tenant(uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str();
    let (_, rest) = path.strip_prefix("/t/")?.split_once('/')?;
    let of_tenants = ["change_hook", "api/v1/"].iter().any(|start| rest.starts_with(start));
    let of_all = rest.starts_with("api/v1/tenants");
    (of_tenants && !of_all).then(|| format!("/{rest}").parse().ok()).flatten()
}

/// Tenants.
#[derive(Serialize, ToSchema)]
pub(super) struct Tenants {
    tenants: Vec<TenantView>,
}

/// A tenant with its parts and its use of the engine.
#[derive(Serialize, ToSchema)]
pub(super) struct TenantView {
    /// Its name, as addresses have it.
    name: String,
    /// Names of its targets.
    targets: Vec<String>,
    /// Names of its callbacks.
    callbacks: Vec<String>,
    /// Events that it sent today, UTC.
    events_today: u64,
    /// Bytes that are kept of it, if they are limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_bytes: Option<u64>,
}

impl TenantView {
    fn of(tenant: &Tenant) -> Self {
        let (events_today, stored_bytes) = tenant.usage().stats(now());
        Self {
            name: tenant.name().to_owned(),
            targets: tenant.targets().iter().map(|target| target.name().to_owned()).collect(),
            callbacks: tenant.callbacks().keys().cloned().collect(),
            events_today,
            stored_bytes,
        }
    }
}

/// Lists the tenants of this engine
#[utoipa::path(get, path = "/tenants", tag = "tenants", responses(
    (status = 200, description = "the operator's own first", body = Tenants),
))]
pub(super) async fn list(State(engine): State<Arc<Engine>>) -> Json<Tenants> {
    Json(Tenants { tenants: engine.tenants().iter().map(|tenant| TenantView::of(tenant)).collect() })
}

/// Shows a tenant
#[utoipa::path(get, path = "/tenants/{name}", tag = "tenants", params(("name" = String, Path)), responses(
    (status = 200, description = "as it is in use", body = TenantView),
))]
pub(super) async fn show(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
) -> Result<Json<TenantView>, Problem> {
    let tenant = engine.tenant_named(&name).ok_or_else(|| no_such(&name))?;
    Ok(Json(TenantView::of(&tenant)))
}

fn no_such(name: &str) -> Problem {
    Problem::not_found(format!("there is no tenant `{}`", name.escape_debug()))
}

/// The settings that a tenant is to have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutTenantRequest {
    /// TOML, as the tenant's file has it.
    settings: String,
    /// Secrets that the settings name as `{ file = "secrets/NAME" }`. Those that are there already and not named here stay.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// The outcome of new settings.
#[derive(Serialize, ToSchema)]
pub(super) struct PutTenantResponse {
    /// Findings in the settings that are no errors but worth a second look.
    warnings: Vec<String>,
}

/// Makes a tenant, or gives it other settings
#[utoipa::path(put, path = "/tenants/{name}", tag = "tenants", params(("name" = String, Path)),
    request_body = PutTenantRequest, responses((status = 200, description = "in use", body = PutTenantResponse)))]
pub(super) async fn put(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<PutTenantResponse>, Problem> {
    let wanted: PutTenantRequest = LimitedBody::new(body, MAX_BODY).json().await?;
    let warnings = engine
        .put_tenant(&name, &wanted.settings, &wanted.secrets)
        .await
        .map_err(|error| change_problem(&name, error))?;
    Ok(Json(PutTenantResponse { warnings: warnings.iter().map(ToString::to_string).collect() }))
}

/// Ends a tenant, and removes all that is kept of it
#[utoipa::path(delete, path = "/tenants/{name}", tag = "tenants", params(("name" = String, Path)), responses(
    (status = 204, description = "it is over"),
))]
pub(super) async fn remove(
    State(engine): State<Arc<Engine>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    engine.remove_tenant(&name).await.map_err(|error| change_problem(&name, error))?;
    Ok(StatusCode::NO_CONTENT)
}

fn change_problem(tenant: &str, error: TenantChangeError) -> Problem {
    match error {
        TenantChangeError::Gone(name) => no_such(&name),
        TenantChangeError::Store(error) => error.into(),
        TenantChangeError::File(_) => {
            tracing::error!(tenant, %error, "tenant settings not saved");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal, error.to_string())
        }
        other => Problem::bad_request(other.to_string()),
    }
}
