//! A request's `traceparent`: what it brings belongs to that trace.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use campanile_model::TraceContext;
use campanile_outbound::trace;

/// Does what a request asks for as part of its trace, if it names one.
pub(super) async fn propagate(request: Request, next: Next) -> Response {
    let header = request.headers().get("traceparent");
    let context = header.and_then(|value| TraceContext::parse(value.to_str().ok()?));
    trace::within(context, next.run(request)).await
}
