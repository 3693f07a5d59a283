//! The HTTP server: the API, change hooks, health and metrics.
//!
//! `server` accepts connections, `seats` limits them, `change_tasks` sees what changes something through, `access` authorizes, `local` judges those without a token, `body` reads bodies within limits, `problem`
//! renders errors, `openapi` describes the API; the other files are the routes, one subject each.
//!
//! Invariant: what a request brings is in the store before it is answered with success.
#![allow(unused_qualifications)] // what the macro of `utoipa` writes

mod access;
mod body;
mod callbacks;
mod change_hooks;
mod change_tasks;
mod deliveries;
mod events;
mod extract;
mod health;
mod lists;
mod local;
mod logs;
mod number_allocator;
mod openapi;
mod parse_turns;
mod problem;
mod recovery;
mod seats;
mod server;
mod slow_auth;
mod tenants;
mod tokens;
mod trace_context;

use std::sync::Arc;

use axum::routing::{any, get};
use axum::{Extension, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use campanile_engine::Engine;

pub use server::serve;

/// Builds the router of all routes, under `base_path` (blank: at the root).
pub fn router(engine: Arc<Engine>, base_path: &str) -> Router {
    let authorize = axum::middleware::from_fn_with_state(Arc::clone(&engine), access::authorize_api);
    let (api, description) = with_sources(authorized_api().layer(authorize)).split_for_parts();
    let description = openapi::completed(description);
    let routes = api
        .route("/api/openapi.json", get(move || openapi::show(description)))
        .route("/change_hook", any(change_hooks::handle_base))
        .route("/change_hook/", any(change_hooks::handle_base))
        .route("/change_hook/{dialect}", any(change_hooks::handle_named))
        .route("/change_hook/{dialect}/", any(change_hooks::handle_named))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(problem::page_not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(Extension(Arc::new(number_allocator::NumberAllocator::default())))
        .layer(Extension(parse_turns::ParseTurns::default()))
        .layer(Extension(body::UnprovenRoom::default()))
        .layer(Extension(slow_auth::SlowAuth::default()))
        .layer(axum::middleware::from_fn(trace_context::propagate))
        .with_state(engine);
    let routes = routes
        .clone()
        .route("/t/{tenant}/{*rest}", any(tenants::forward))
        .layer(Extension(tenants::TenantRouter(routes)));
    if base_path.is_empty() { routes } else { Router::new().nest(base_path, routes) }
}

/// Routes below `/api/v1` that `access` guards, each with its part of the description.
fn authorized_api() -> OpenApiRouter<Arc<Engine>> {
    OpenApiRouter::new()
        .routes(routes!(events::accept))
        .routes(routes!(lists::audit))
        .routes(routes!(lists::builders))
        .routes(routes!(lists::builds))
        .routes(routes!(lists::build))
        .routes(routes!(logs::upload, logs::read))
        .routes(routes!(lists::changes))
        .routes(routes!(callbacks::list))
        .routes(routes!(callbacks::show, callbacks::push))
        .routes(routes!(callbacks::roll_back))
        .routes(routes!(callbacks::log))
        .routes(routes!(callbacks::sample))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::show))
        .routes(routes!(deliveries::explain))
        .routes(routes!(recovery::retry))
        .routes(routes!(recovery::retry_all))
        .routes(routes!(recovery::drop_all))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::show, tenants::put, tenants::remove))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::revoke))
}

/// Adds to `authorized` the route of sources. It stands outside of the guard since a sender may have a proof of its
/// own; `access` decides there too.
fn with_sources(authorized: OpenApiRouter<Arc<Engine>>) -> OpenApiRouter<Arc<Engine>> {
    OpenApiRouter::with_openapi(openapi::head())
        .nest("/api/v1", authorized)
        .routes(routes!(events::accept_from))
}
