//! A tenant's use of what it has limits of: events a second and a day, bytes that are kept.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use campanile_config::Limits;
use campanile_model::Timestamp;

/// Time of which a burst may use up the rate at once.
const BURST: Duration = Duration::from_secs(10);
/// Seconds of a day.
const DAY: i64 = 86_400;

/// A tenant's use so far. It outlives changes of the tenant's settings, and with them of its limits.
#[derive(Debug)]
pub struct Usage(Mutex<Used>);

#[derive(Debug)]
struct Used {
    /// Events that count against the rate, as of a moment.
    level: f64,
    at: Instant,
    /// Day since the epoch, UTC, and its events.
    day: i64,
    today: u64,
    /// Bytes that are kept, once they were counted.
    stored: Option<u64>,
}

/// A limit that was reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} (`{limit}` of the limits)")]
pub struct LimitError {
    /// Its key in `[limits]`.
    pub limit: &'static str,
    /// The wait after which it may work; none if waiting alone does not help.
    pub retry_after: Option<Duration>,
    text: String,
}

impl Usage {
    /// The use of a tenant that has sent `today` events since midnight.
    pub(super) fn new(today: u64, now: Timestamp) -> Self {
        let day = now.as_seconds().div_euclid(DAY);
        Self(Mutex::new(Used { level: 0.0, at: Instant::now(), day, today, stored: None }))
    }

    /// Admits so many events, or none of them.
    ///
    /// # Errors
    /// When a limit does not allow it.
    pub(super) fn admit(&self, limits: &Limits, events: usize, now: Timestamp) -> Result<(), LimitError> {
        self.admit_at(limits, events, now, Instant::now())
    }

    fn admit_at(
        &self,
        limits: &Limits,
        events: usize,
        now: Timestamp,
        at: Instant,
    ) -> Result<(), LimitError> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = events as u64;
        if let Some(error) = storage_error(limits, used.stored, 0) {
            return Err(error);
        }
        let day = now.as_seconds().div_euclid(DAY);
        let today = if used.day == day { used.today } else { 0 };
        if let Some(max) = limits.events_per_day
            && today.saturating_add(count) > max
        {
            let left = (day + 1) * DAY - now.as_seconds();
            let retry_after = Duration::from_secs(u64::try_from(left).unwrap_or(1).max(1));
            let text =
                format!("{today} of the {max} events of today have come, and {count} more are too many");
            return Err(LimitError { limit: "events_per_day", retry_after: Some(retry_after), text });
        }
        if let Some(rate) = limits.events_per_second {
            // A bucket that runs empty at the rate. Written here: a rate can change from one call to the next, and what
            // was in the bucket stays in it, which limiters of a fixed rate can't do.
            let rate = f64::from(rate);
            let size = rate * BURST.as_secs_f64();
            let gone = at.saturating_duration_since(used.at).as_secs_f64() * rate;
            let level = (used.level - gone).max(0.0);
            #[allow(clippy::cast_precision_loss)] // nobody sends so many that it counts
            let wanted = level + count as f64;
            if wanted > size {
                let text = format!("more than {rate} events a second are too many");
                #[allow(clippy::cast_precision_loss)]
                let retry_after = (count as f64 <= size)
                    .then(|| Duration::from_secs_f64(((wanted - size) / rate).ceil().max(1.0)));
                return Err(LimitError { limit: "events_per_second", retry_after, text });
            }
            used.level = wanted;
            used.at = at;
        }
        used.day = day;
        used.today = today.saturating_add(count);
        Ok(())
    }

    /// Admits an event of this size.
    ///
    /// # Errors
    /// When the limit of one event does not allow it.
    pub(super) fn admit_event(limits: &Limits, bytes: u64) -> Result<(), LimitError> {
        let Some(max) = limits.event_bytes.filter(|max| bytes > *max) else { return Ok(()) };
        let text = format!("an event of {bytes} bytes is more than the {max} that one may have");
        Err(LimitError { limit: "event_bytes", retry_after: None, text })
    }

    /// Admits so many bytes more. They don't count before `add_bytes`.
    ///
    /// # Errors
    /// When a limit does not allow it.
    pub(super) fn admit_bytes(&self, limits: &Limits, bytes: u64) -> Result<(), LimitError> {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        storage_error(limits, used.stored, bytes).map_or(Ok(()), Err)
    }

    /// Adds what was just stored, until all is counted anew.
    pub fn add_bytes(&self, bytes: u64) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.stored = used.stored.map(|stored| stored.saturating_add(bytes));
    }

    /// Sets the number of stored bytes, as it was counted.
    pub(super) fn set_bytes(&self, bytes: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stored = Some(bytes);
    }

    /// Events of today, and bytes that are kept, if they were counted.
    #[must_use]
    pub fn stats(&self, now: Timestamp) -> (u64, Option<u64>) {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_today = used.day == now.as_seconds().div_euclid(DAY);
        (if is_today { used.today } else { 0 }, used.stored)
    }
}

/// The error if so many bytes more are too many. Before they were first counted, none are.
fn storage_error(limits: &Limits, stored: Option<u64>, more: u64) -> Option<LimitError> {
    let (max, stored) = (limits.stored_bytes?, stored?);
    (stored.saturating_add(more) > max).then(|| {
        let text = format!("{stored} of the {max} bytes that may be kept are used");
        LimitError { limit: "stored_bytes", retry_after: None, text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_so_many_a_second() {
        let limits = Limits { events_per_second: Some(2), ..Limits::default() };
        let (usage, start) = (Usage::new(0, at(0)), Instant::now());
        let admit = |count, seconds| {
            usage
                .admit_at(&limits, count, at(0), start + Duration::from_secs(seconds))
                .map_err(|error| error.retry_after)
        };
        assert_eq!(admit(20, 0), Ok(()));
        assert_eq!(admit(3, 0), Err(Some(Duration::from_secs(2))));
        assert_eq!(admit(3, 1), Err(Some(Duration::from_secs(1))));
        assert_eq!(admit(4, 2), Ok(()));
        // Never, however long one waits.
        assert_eq!(admit(21, 100), Err(None));
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let limits = Limits { events_per_day: Some(10), ..Limits::default() };
        let usage = Usage::new(7, at(86_390));
        let admit =
            |count, seconds| usage.admit(&limits, count, at(seconds)).map_err(|error| error.retry_after);
        assert_eq!(admit(4, 86_390), Err(Some(Duration::from_secs(10))));
        assert_eq!(admit(3, 86_390), Ok(()));
        assert_eq!(admit(1, 86_399), Err(Some(Duration::from_secs(1))));
        assert_eq!(admit(10, 86_400), Ok(()));
        assert_eq!(usage.stats(at(86_400)), (10, None));
    }

    #[test]
    fn a_full_store_takes_nothing_more() {
        let limits = Limits { stored_bytes: Some(100), ..Limits::default() };
        let usage = Usage::new(0, at(0));
        assert_eq!(usage.admit_bytes(&limits, 1_000), Ok(()), "nothing was counted yet");
        usage.set_bytes(90);
        assert_eq!(usage.admit_bytes(&limits, 10), Ok(()));
        usage.add_bytes(11);
        let error = usage.admit(&limits, 1, at(0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "101 of the 100 bytes that may be kept are used (`stored_bytes` of the limits)"
        );
        assert_eq!(usage.admit(&Limits::default(), 1_000_000, at(0)), Ok(()));
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }
}
