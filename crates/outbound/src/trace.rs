//! The current trace of a task: requests that go out as part of it carry it on.

use campanile_model::TraceContext;

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

/// Runs a future as part of a trace; tasks that it spawns are no part of it.
pub async fn within<F: Future>(context: Option<TraceContext>, work: F) -> F::Output {
    CURRENT.scope(context, work).await
}

/// The trace that this task is part of, if any.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok().flatten()
}
