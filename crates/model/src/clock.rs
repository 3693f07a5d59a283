//! The time of day. The only place that asks the system for it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Timestamp;

/// The current time, by the system's clock.
#[must_use]
pub fn now() -> Timestamp {
    let since_epoch = system_time().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// The current time as the file system and certificates have it.
#[must_use]
#[allow(clippy::disallowed_methods)] // the one home of the clock
pub fn system_time() -> SystemTime {
    SystemTime::now()
}
