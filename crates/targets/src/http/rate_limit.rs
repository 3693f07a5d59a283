//! Limits of rates: the time for which a far side asks to be left alone (M-DLV-03), and the count of requests that it
//! still takes (GS-API-09).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderName, RETRY_AFTER};

use campanile_model::Timestamp;
use campanile_outbound::Response;

/// The wait after a reply that speaks of a limit and names no time, as GitHub's "secondary" one: a minute, and longer
/// each time.
pub(super) const LIMIT_DELAY: Duration = Duration::from_secs(60);
/// No far side is obeyed for longer than this when it asks to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3_600);
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// With fewer requests left than this, somebody should know (GS-API-09).
const FEW: u64 = 100;
const BETWEEN_WARNINGS: Duration = Duration::from_secs(3_600);

/// Reads the time until which the far side asked to be left alone: `Retry-After` in seconds or as a date, else
/// `X-RateLimit-Reset` when nothing remains. Never more than a day, whatever it says.
pub(super) fn pause(response: &Response, now: Timestamp) -> Option<Timestamp> {
    let asked = match response.header(&RETRY_AFTER).map(str::trim) {
        Some(text) => match text.parse() {
            Ok(seconds) => Some(now.after(Duration::from_secs(seconds))),
            Err(_) => Timestamp::parse_date(text).ok(),
        },
        None => None,
    };
    let spent = || response.header(&REMAINING).is_some_and(|left| left.trim() == "0");
    let reset = || response.header(&RESET)?.trim().parse().ok().map(Timestamp::from_seconds);
    let until = asked.or_else(|| spent().then(reset).flatten())?;
    Some(until.clamp(now, now.after(LONGEST_PAUSE)))
}

/// True for a 403 whose text speaks of a limit: GitHub's secondary one may come without any header.
pub(super) fn is_told_in_words(response: &Response) -> bool {
    if response.status != StatusCode::FORBIDDEN {
        return false;
    }
    let said = response.excerpt().to_ascii_lowercase();
    ["rate limit", "abuse detection"].iter().any(|words| said.contains(words))
}

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
