//! The most that all callbacks of one tenant compute together: so many calls side by side, so much time a minute.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::CallbackError;

/// Length of time that the budget is for.
const SPAN: Duration = Duration::from_secs(60);

/// The budget of a tenant, shared by all its callbacks.
#[derive(Debug, Default)]
pub struct CpuBudget {
    calls: Option<Semaphore>,
    time: Option<Bucket>,
}

/// A leaky bucket: it fills with the time that calls take, and runs empty within a minute.
///
/// Not a counter that starts anew each minute: a tenant could then compute twice its time around the turn of a minute.
#[derive(Debug)]
struct Bucket {
    size: Duration,
    level: Mutex<(Duration, Instant)>,
}

impl CpuBudget {
    /// So many calls side by side, and so much time in a minute; none: as much as there is.
    #[must_use]
    pub fn new(calls: Option<usize>, time: Option<Duration>) -> Self {
        let level = || Mutex::new((Duration::ZERO, Instant::now()));
        Self { calls: calls.map(Semaphore::new), time: time.map(|size| Bucket { size, level: level() }) }
    }

    /// A permit among the tenant's calls, to be held until the call is over. Waits for a call to end, but not for time
    /// to come back: a tenant that has used up its minute is refused.
    ///
    /// # Errors
    /// When the minute's time is used up.
    pub(super) async fn acquire(&self) -> Result<Option<SemaphorePermit<'_>>, CallbackError> {
        if let Some(bucket) = &self.time
            && bucket.level(Instant::now()) >= bucket.size
        {
            // The call that crosses the line may still end: its own deadline bounds the excess.
            let text = format!(
                "callbacks have computed for the {} ms that they may in a minute (`callback_cpu` of the limits)",
                bucket.size.as_millis()
            );
            return Err(CallbackError::OverLimit(text));
        }
        Ok(match &self.calls {
            Some(calls) => Some(calls.acquire().await.expect("the semaphore is never closed")),
            None => None,
        })
    }

    /// Runs the work and counts the time that it computes; waiting costs nothing.
    pub(super) async fn measure<T>(&self, work: impl Future<Output = T>) -> T {
        let Some(bucket) = &self.time else { return work.await };
        let mut work = pin!(work);
        // Only polls are counted. The wall time of a call that waits for the store, or for its lane, is nobody's CPU; and
        // what a call has computed counts while it runs, so that others of the tenant are refused before it ends.
        poll_fn(|context| {
            let began = Instant::now();
            let polled = work.as_mut().poll(context);
            bucket.add(began.elapsed());
            polled
        })
        .await
    }
}

impl Bucket {
    fn add(&self, time: Duration) {
        let now = Instant::now();
        let level = self.level(now) + time;
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = (level, now);
    }

    fn level(&self, now: Instant) -> Duration {
        let (level, at) = *self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let ran_out = now.saturating_duration_since(at).as_secs_f64() / SPAN.as_secs_f64();
        level.saturating_sub(self.size.mul_f64(ran_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_time_comes_back_within_a_minute() {
        let start = Instant::now();
        let bucket =
            Bucket { size: Duration::from_secs(6), level: Mutex::new((Duration::from_secs(6), start)) };
        assert_eq!(bucket.level(start), Duration::from_secs(6));
        assert_eq!(bucket.level(start + Duration::from_secs(10)), Duration::from_secs(5));
        assert_eq!(bucket.level(start + Duration::from_secs(70)), Duration::ZERO);
    }

    #[tokio::test]
    async fn computing_counts_and_waiting_does_not() {
        let budget = CpuBudget::new(None, Some(Duration::from_millis(40)));
        budget.measure(tokio::time::sleep(Duration::from_millis(60))).await;
        assert!(budget.acquire().await.is_ok());
        budget
            .measure(async {
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(60) {}
            })
            .await;
        let refused = budget.acquire().await.map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("40 ms"), "{refused}");
    }

    #[tokio::test]
    async fn calls_wait_for_their_tenants_turn() {
        let budget = CpuBudget::new(Some(1), None);
        let first = budget.acquire().await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), budget.acquire()).await.is_err());
        drop(first);
        assert!(budget.acquire().await.unwrap().is_some());
    }
}
