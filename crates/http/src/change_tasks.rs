//! Requests that may change something, each as a task of its own: what was begun is done to its end, with its entry in
//! the audit log, also when the client hangs up meanwhile.
//!
//! A connection that ends drops its handlers wherever they are: after the change and before its entry, or between two
//! files of a tenant. A connection's tasks keep its seat, so clients that hang up can't have more under way than others.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::StatusCode;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::problem::{Problem, ProblemCode};
use super::seats::Busy;

/// The tasks of all connections; none any more once they have been finished.
pub(super) struct ChangeTasks(Mutex<Option<JoinSet<()>>>);

impl Default for ChangeTasks {
    fn default() -> Self {
        Self(Mutex::new(Some(JoinSet::new())))
    }
}

impl ChangeTasks {
    /// Has a request answered: in a task of its own if it may change something, which has begun when this returns.
    /// Dropped, the future leaves that task at work.
    pub(super) fn respond(
        &self,
        router: Router,
        request: Request,
        busy: Busy,
    ) -> impl Future<Output = Response> + Send + use<> {
        let may_change = may_change(&request);
        let answering = answer(router, request, busy);
        // A connection that ends at once never polls what it is given.
        let (here, task) = if may_change { (None, self.begin(answering)) } else { (Some(answering), None) };
        async move {
            match (here, task) {
                (Some(answering), _) => answering.await,
                // Without an answer it was cut off by a stop, or it panicked, which the log has.
                (None, Some(response)) => response.await.unwrap_or_else(|_| broken_off().into_response()),
                (None, None) => shutting_down().into_response(),
            }
        }
    }

    /// Begins a task; none any more after `finish`.
    fn begin(
        &self,
        answering: impl Future<Output = Response> + Send + 'static,
    ) -> Option<oneshot::Receiver<Response>> {
        let mut tasks = self.tasks();
        let tasks = tasks.as_mut()?;
        while tasks.try_join_next().is_some() {}
        let (done, response) = oneshot::channel();
        tasks.spawn(async move {
            // Nobody listens any more if the client has hung up.
            let _ = done.send(answering.await);
        });
        Some(response)
    }

    /// Lets all tasks finish until `deadline`, and cuts off those that have not. Later requests that may change something
    /// are refused.
    ///
    /// To be called before connections are cut off: a body that comes to its end by that looks whole to whoever reads it.
    pub(super) async fn finish(&self, deadline: Instant) {
        let Some(mut tasks) = self.tasks().take() else { return };
        let finished = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout_at(deadline, finished).await.is_err() {
            tracing::warn!(requests = tasks.len(), "requests that change something were cut off by the stop");
            tasks.shutdown().await;
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells requests that may change something; of change hooks some do by GET, such as that of pollers.
fn may_change(request: &Request) -> bool {
    !request.method().is_safe() || request.uri().path().contains("/change_hook")
}

/// Has the router answer. The request counts as under way until the answer's body has been handed to the connection.
async fn answer(router: Router, request: Request, busy: Busy) -> Response {
    match router.oneshot(request).await {
        Ok(response) => response.map(|body| Body::new(BusyBody { body, _busy: busy })),
        Err(never) => match never {},
    }
}

/// An answer's body, whose request is under way as long as this is there.
struct BusyBody {
    body: Body,
    _busy: Busy,
}

impl hyper::body::Body for BusyBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn shutting_down() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::ShuttingDown, "the engine is shutting down")
}

fn broken_off() -> Problem {
    let detail = "the request broke off inside: nobody knows how much of it was done; the log may say why";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal, detail)
}
