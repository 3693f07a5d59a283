//! Requests that may change something, each as a task of its own: what was begun is done to its end, with its entry in
//! the audit log, also when the client hangs up meanwhile.
//!
//! A connection that ends drops its handlers wherever they are: after the change and before its entry, or between two
//! files of a tenant. A connection's tasks keep its permit, so clients that hang up can't have more under way than others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::problem::{Problem, ProblemCode};

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
        permit: Arc<OwnedSemaphorePermit>,
    ) -> impl Future<Output = Response> + Send + use<> {
        let may_change = may_change(&request);
        let answering = answer(router, request);
        // A connection that ends at once never polls what it is given.
        let (here, task) =
            if may_change { (None, self.begin(answering, permit)) } else { (Some(answering), None) };
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
        permit: Arc<OwnedSemaphorePermit>,
    ) -> Option<oneshot::Receiver<Response>> {
        let mut tasks = self.tasks();
        let tasks = tasks.as_mut()?;
        while tasks.try_join_next().is_some() {}
        let (done, response) = oneshot::channel();
        tasks.spawn(async move {
            // Nobody listens any more if the client has hung up.
            let _ = done.send(answering.await);
            drop(permit);
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

async fn answer(router: Router, request: Request) -> Response {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn shutting_down() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::ShuttingDown, "the engine is shutting down")
}

fn broken_off() -> Problem {
    let detail = "the request broke off inside: nobody knows how much of it was done; the log may say why";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal, detail)
}
