//! The time of day. The only place that asks the system for it.

use crate::model::Timestamp;

/// Now, by the system's clock.
#[must_use]
#[allow(clippy::disallowed_methods)] // the one home of the clock
pub fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
