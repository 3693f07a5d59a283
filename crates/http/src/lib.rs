//! The HTTP door: change hooks, events, logs, lists, metrics.
//!
//! `server` accepts connections and keeps limits, `access` says who may, `body` reads what is sent, `answer` writes
//! errors; the other files are the routes, one subject each.
//!
//! Invariant: what a request brings is in the store before it is answered with success.
#![allow(unused_qualifications)] // what the macro of `utoipa` writes

mod access;
mod body;
mod callbacks;
mod change_hooks;
mod deliveries;
mod events;
mod extract;
mod health;
mod lists;
mod logs;
mod number_allocator;
mod openapi;
mod problem;
mod server;
mod tenants;
mod tokens;
mod trace_context;

use std::sync::Arc;

use axum::routing::{any, delete, get, post, put};
use axum::{Extension, Router};

use campanile_engine::Engine;

pub use server::serve;

/// All routes, under `base_path` (blank: at the root).
pub fn router(engine: Arc<Engine>, base_path: &str) -> Router {
    let api = Router::new()
        .route("/events", post(events::accept))
        .route("/audit", get(lists::audit))
        .route("/builders", get(lists::builders))
        .route("/builds", get(lists::builds))
        .route("/builds/{builder}/{number}", get(lists::build))
        .route("/builds/{builder}/{number}/steps/{step}/logs/{log}", put(logs::upload).get(logs::read))
        .route("/builds/{builder}/{number}/sample", get(callbacks::sample))
        .route("/changes", get(lists::changes))
        .route("/callbacks", get(callbacks::list))
        .route("/callbacks/{name}", get(callbacks::show).put(callbacks::push))
        .route("/callbacks/{name}/rollback", post(callbacks::roll_back))
        .route("/callbacks/{name}/log", get(callbacks::log))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}", get(deliveries::show))
        .route("/explain", get(deliveries::explain))
        .route("/deliveries/{id}/retry", post(deliveries::retry))
        .route("/tenants", get(tenants::list))
        .route("/tenants/{name}", get(tenants::show).put(tenants::put).delete(tenants::remove))
        .route("/tokens", get(tokens::list).post(tokens::make))
        .route("/tokens/{id}", delete(tokens::revoke))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&engine), access::authorize_api));
    let routes = Router::new()
        .nest("/api/v1", api)
        // Outside of the others, since a sender may have a proof of its own; `access` decides there too.
        .route("/api/v1/events/{source}", post(events::accept_from))
        .route("/change_hook", any(change_hooks::handle_base))
        .route("/change_hook/", any(change_hooks::handle_base))
        .route("/change_hook/{dialect}", any(change_hooks::handle_named))
        .route("/change_hook/{dialect}/", any(change_hooks::handle_named))
        .route("/api/openapi.json", get(openapi::show))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(problem::page_not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(Extension(Arc::new(number_allocator::NumberAllocator::default())))
        .layer(axum::middleware::from_fn(trace_context::propagate))
        .with_state(engine);
    let routes = routes
        .clone()
        .route("/t/{tenant}/{*rest}", any(tenants::forward))
        .layer(Extension(tenants::TenantRouter(routes)));
    if base_path.is_empty() { routes } else { Router::new().nest(base_path, routes) }
}
