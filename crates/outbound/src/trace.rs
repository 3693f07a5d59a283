//! The trace that what is under way belongs to: requests that go out meanwhile carry it on.

use campanile_model::TraceContext;

tokio::task_local! {
    static CURRENT: Option<TraceContext>;
}

/// Does this as part of a trace; what it leaves to other tasks does not belong to it.
pub async fn within<F: Future>(context: Option<TraceContext>, work: F) -> F::Output {
    CURRENT.scope(context, work).await
}

/// The trace that this task is part of, if any.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok().flatten()
}
