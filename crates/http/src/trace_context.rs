//! The middleware for `traceparent` (W3C Trace Context): events that a request brings belong to its trace.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

use campanile_model::TraceContext;
use campanile_outbound::trace;

/// Runs a request within the trace that its `traceparent` names, if it names one.
pub(super) async fn propagate(request: Request, next: Next) -> Response {
    let header = request.headers().get("traceparent");
    let context = header.and_then(|value| TraceContext::parse(value.to_str().ok()?));
    trace::within(context, next.run(request)).await
}
