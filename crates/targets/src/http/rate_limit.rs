//! The count of requests that a far side still takes, as it says with every reply (GS-API-09).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::header::HeaderName;

use campanile_model::Timestamp;
use campanile_outbound::Response;

const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// With fewer requests left than this, somebody should know (GS-API-09).
const FEW: u64 = 100;
const BETWEEN_WARNINGS: Duration = Duration::from_secs(3_600);

/// Warns of few requests being left, once an hour: each reply tells the count, and a busy engine gets many of them.
#[derive(Default)]
pub(crate) struct RateLimitWarning {
    last: Mutex<Option<Timestamp>>,
}

impl RateLimitWarning {
    /// Logs a warning if the reply says that few requests are left and none was logged for an hour; true if it did.
    pub(crate) fn observe(&self, response: &Response, target: &str, now: Timestamp) -> bool {
        let left = response.header(&REMAINING).and_then(|left| left.trim().parse::<u64>().ok());
        let Some(left) = left.filter(|left| *left < FEW) else { return false };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.since(last) < BETWEEN_WARNINGS) {
            return false;
        }
        *last = Some(now);
        tracing::warn!(target, left, "{} takes only {left} more requests for now", response.origin);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gs_api_09_little_allowance_is_told_once_an_hour() {
        let response = |left: &str| {
            let mut response = Response::made_up(201, "{}");
            response.headers.insert(REMAINING, left.parse().unwrap());
            response
        };
        let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
        let warning = RateLimitWarning::default();
        assert!(!warning.observe(&response("100"), "github-1", at(0)));
        assert!(!warning.observe(&Response::made_up(201, "{}"), "github-1", at(0)));
        assert!(warning.observe(&response("99"), "github-1", at(0)));
        assert!(!warning.observe(&response("98"), "github-1", at(3_599)));
        assert!(warning.observe(&response("0"), "github-1", at(3_600)));
    }
}
