//! Who may use the API: the bearer of the token, or, when no token is set, a peer on this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Problem;
use crate::engine::Engine;

pub(super) async fn api(
    State(engine): State<Arc<Engine>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match allowed(&engine, peer, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            let mut response = problem.into_response();
            let challenge = header::HeaderValue::from_static("Bearer realm=\"campanile\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            response
        }
    }
}

fn allowed(engine: &Engine, peer: SocketAddr, headers: &HeaderMap) -> Result<(), Problem> {
    let tenant = engine.tenant();
    let Some(token) = tenant.api_token() else {
        // Behind a proxy on this machine everybody looks local.
        let proxied = headers.contains_key("x-forwarded-for") || headers.contains_key(header::FORWARDED);
        return if peer.ip().to_canonical().is_loopback() && !proxied {
            Ok(())
        } else {
            Err(denied("without `server.api_token` the API answers this machine only"))
        };
    };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match given.split_once(' ') {
        Some((scheme, bearer))
            if scheme.eq_ignore_ascii_case("bearer") && token.matches(bearer.trim().as_bytes()) =>
        {
            Ok(())
        }
        _ => Err(denied("send `Authorization: Bearer TOKEN` with the token of `server.api_token`")),
    }
}

fn denied(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}
