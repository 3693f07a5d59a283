//! The one on whose behalf a callback is called.

use std::sync::Arc;

use super::Status;

/// The one on whose behalf a callback is called: its tenant, and perhaps a delivery.
#[derive(Clone)]
pub struct Caller {
    /// The tenant's facts, which take the call's record too.
    pub status: Arc<dyn Status>,
    /// The delivery that the call is for, if it is for one.
    pub delivery: Option<i64>,
}
