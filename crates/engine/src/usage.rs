//! What a tenant has used of its limits: events a second and a day, bytes that are kept.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use campanile_config::Limits;
use campanile_model::Timestamp;

/// Rates count on average over so long.
const SPAN: Duration = Duration::from_secs(10);
const DAY: i64 = 86_400;

/// What a tenant has used. It outlives changes of the tenant's settings.
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

/// Which limit was reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} (`{limit}` of the limits)")]
pub struct LimitError {
    /// Its key in `[limits]`.
    pub limit: &'static str,
    /// When to try again; none if that alone does not help.
    pub retry_after: Option<Duration>,
    text: String,
}

impl Usage {
    /// With so many events since midnight.
    #[must_use]
    pub fn new(today: u64, now: Timestamp) -> Self {
        let day = now.as_seconds().div_euclid(DAY);
        Self(Mutex::new(Used { level: 0.0, at: Instant::now(), day, today, stored: None }))
    }

    /// Lets so many events in, or none of them.
    ///
    /// # Errors
    /// When a limit does not allow it.
    pub fn admit(&self, limits: &Limits, events: usize, now: Timestamp) -> Result<(), LimitError> {
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
        if let Some(error) = full(limits, used.stored, 0) {
            return Err(error);
        }
        let day = now.as_seconds().div_euclid(DAY);
        let today = if used.day == day { used.today } else { 0 };
        if let Some(most) = limits.events_per_day
            && today.saturating_add(count) > most
        {
            let left = (day + 1) * DAY - now.as_seconds();
            let retry_after = Duration::from_secs(u64::try_from(left).unwrap_or(1).max(1));
            let text =
                format!("{today} of the {most} events of today have come, and {count} more are too many");
            return Err(LimitError { limit: "events_per_day", retry_after: Some(retry_after), text });
        }
        if let Some(rate) = limits.events_per_second {
            let rate = f64::from(rate);
            let size = rate * SPAN.as_secs_f64();
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

    /// Whether so many bytes more may be kept.
    ///
    /// # Errors
    /// When a limit does not allow it.
    pub fn admit_bytes(&self, limits: &Limits, bytes: u64) -> Result<(), LimitError> {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        full(limits, used.stored, bytes).map_or(Ok(()), Err)
    }

    /// Adds what was just kept, until it is counted anew.
    pub fn add_bytes(&self, bytes: u64) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.stored = used.stored.map(|stored| stored.saturating_add(bytes));
    }

    /// Says how many bytes are kept.
    pub fn set_bytes(&self, bytes: u64) {
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

fn full(limits: &Limits, stored: Option<u64>, more: u64) -> Option<LimitError> {
    let (most, stored) = (limits.stored_bytes?, stored?);
    (stored.saturating_add(more) > most).then(|| {
        let text = format!("{stored} of the {most} bytes that may be kept are used");
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
