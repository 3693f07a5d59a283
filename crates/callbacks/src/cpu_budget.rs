//! The most that all callbacks of one tenant compute together: so many calls side by side, so much time a minute; and the
//! time that compiling its components may take.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::compile::CompileError;
use super::error::CallbackError;
use super::fair_semaphore::Share;

/// Length of time that the budget of calls is for.
const SPAN: Duration = Duration::from_secs(60);
/// Time that compiling pushed components may take of `COMPILE_SPAN`: two of the longest that there can be.
const COMPILE_TIME: Duration = Duration::from_secs(120);
/// Length of time that the budget of compiling is for.
const COMPILE_SPAN: Duration = Duration::from_secs(600);
/// The key in `[limits]` of a tenant's computing.
pub(super) const TIME_LIMIT: &str = "callback_cpu";

/// The budget of a tenant, shared by all its callbacks.
#[derive(Debug)]
pub struct CpuBudget {
    share: Share,
    calls: Option<Semaphore>,
    time: Option<Bucket>,
    compiling: Option<Bucket>,
}

/// A leaky bucket: it fills with the time that work takes, and runs empty within its span.
///
/// Not a counter that starts anew each minute: a tenant could then compute twice its time around the turn of a minute.
#[derive(Debug)]
struct Bucket {
    size: Duration,
    span: Duration,
    level: Mutex<(Duration, Instant)>,
}

impl Default for CpuBudget {
    fn default() -> Self {
        Self::new(None, None)
    }
}

impl CpuBudget {
    /// So many calls side by side, and so much time in a minute; none: as much as there is. One whose calls have a limit of
    /// time has one for compiling too.
    #[must_use]
    pub fn new(calls: Option<usize>, time: Option<Duration>) -> Self {
        static SHARES: AtomicU64 = AtomicU64::new(0);
        Self {
            share: SHARES.fetch_add(1, Ordering::Relaxed),
            calls: calls.map(Semaphore::new),
            time: time.map(|size| Bucket::new(size, SPAN)),
            compiling: time.map(|_| Bucket::new(COMPILE_TIME, COMPILE_SPAN)),
        }
    }

    /// The tenant's place in the line for what all tenants share.
    #[must_use]
    pub fn share(&self) -> Share {
        self.share
    }

    /// Refuses a component of a tenant whose others have taken the compiler's time.
    ///
    /// # Errors
    /// When that time is used up.
    pub fn admit_compiling(&self) -> Result<(), CompileError> {
        match &self.compiling {
            Some(bucket) if bucket.is_full() => Err(CompileError::OverLimit),
            _ => Ok(()),
        }
    }

    /// Counts time that compiling a component took.
    pub(super) fn compiled(&self, time: Duration) {
        if let Some(bucket) = &self.compiling {
            bucket.add(time, Instant::now());
        }
    }

    /// A permit among the tenant's calls, to be held until the call is over. Waits for a call to end, but not for time
    /// to come back: a tenant that has used up its minute is refused.
    ///
    /// # Errors
    /// When the minute's time is used up.
    pub(super) async fn acquire(&self) -> Result<Option<SemaphorePermit<'_>>, CallbackError> {
        if let Some(bucket) = &self.time
            && bucket.is_full()
        {
            // The call that crosses the line may still end: its own deadline bounds the excess.
            let text = format!(
                "callbacks have computed for the {} ms that they may in a minute (`{TIME_LIMIT}` of the limits)",
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
    pub(super) async fn measure_computing<T>(&self, work: impl Future<Output = T>) -> T {
        // Only polls are counted. The wall time of a call that waits for the store, or for its lane, is nobody's CPU.
        self.measure(work, |began, _| began).await
    }

    /// Runs the work and counts all of the time until it ends: that of a guest that could sleep, and keeps from others
    /// what it holds meanwhile.
    pub(super) async fn measure_holding<T>(&self, work: impl Future<Output = T>) -> T {
        self.measure(work, |began, last| last.unwrap_or(began)).await
    }

    /// `since` gives the moment from which a poll counts, by its beginning and the end of the one before it. It counts while
    /// the work goes on, so that others of the tenant are refused before it ends.
    async fn measure<T>(
        &self,
        work: impl Future<Output = T>,
        since: impl Fn(Instant, Option<Instant>) -> Instant,
    ) -> T {
        let Some(bucket) = &self.time else { return work.await };
        let (mut work, mut last) = (pin!(work), None);
        poll_fn(|context| {
            let began = Instant::now();
            let polled = work.as_mut().poll(context);
            let now = Instant::now();
            bucket.add(now.saturating_duration_since(since(began, last)), now);
            last = Some(now);
            polled
        })
        .await
    }
}

impl Bucket {
    fn new(size: Duration, span: Duration) -> Self {
        Self { size, span, level: Mutex::new((Duration::ZERO, Instant::now())) }
    }

    /// Adds time in one locked step: of two that read the level before either wrote it, one would count for nothing.
    fn add(&self, time: Duration, now: Instant) {
        let mut state = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever took the time first may come second; the bucket's time does not go back.
        let now = now.max(state.1);
        *state = (self.after(*state, now) + time, now);
    }

    fn level(&self, now: Instant) -> Duration {
        self.after(*self.level.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    fn is_full(&self) -> bool {
        self.level(Instant::now()) >= self.size
    }

    /// The level that a level comes to as time passes.
    fn after(&self, (level, at): (Duration, Instant), now: Instant) -> Duration {
        let ran_out = now.saturating_duration_since(at).as_secs_f64() / self.span.as_secs_f64();
        level.saturating_sub(self.size.mul_f64(ran_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_time_comes_back_within_a_minute() {
        let start = Instant::now();
        let bucket = Bucket::new(Duration::from_secs(6), SPAN);
        bucket.add(Duration::from_secs(6), start);
        let start = bucket.level.lock().unwrap().1;
        assert_eq!(bucket.level(start), Duration::from_secs(6));
        assert_eq!(bucket.level(start + Duration::from_secs(10)), Duration::from_secs(5));
        assert_eq!(bucket.level(start + Duration::from_secs(70)), Duration::ZERO);
    }

    #[tokio::test]
    async fn computing_counts_and_waiting_does_not() {
        let budget = CpuBudget::new(None, Some(Duration::from_millis(40)));
        budget.measure_computing(tokio::time::sleep(Duration::from_millis(60))).await;
        assert!(budget.acquire().await.is_ok());
        budget
            .measure_computing(async {
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(60) {}
            })
            .await;
        let refused = budget.acquire().await.map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("40 ms"), "{refused}");
    }

    #[tokio::test]
    async fn sleeping_counts_where_others_wait_for_what_is_held() {
        let budget = CpuBudget::new(None, Some(Duration::from_millis(40)));
        budget.measure_holding(tokio::time::sleep(Duration::from_millis(60))).await;
        assert!(budget.acquire().await.is_err());
    }

    /// Many threads add at once: all of it counts.
    #[test]
    fn nothing_that_is_added_at_once_is_lost() {
        let bucket = Bucket::new(Duration::from_secs(1), Duration::from_secs(1_000_000_000));
        let now = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| bucket.add(Duration::from_millis(1), now)));
            }
        });
        assert!(bucket.level(now) > Duration::from_secs(39), "{:?}", bucket.level(now));
    }

    #[test]
    fn compiling_has_a_budget_of_its_own() {
        let budget = CpuBudget::new(None, Some(Duration::from_secs(1)));
        assert_eq!(budget.admit_compiling(), Ok(()));
        budget.compiled(COMPILE_TIME + Duration::from_secs(1));
        assert_eq!(budget.admit_compiling(), Err(CompileError::OverLimit));
        let without = CpuBudget::default();
        without.compiled(10 * COMPILE_TIME);
        assert_eq!(without.admit_compiling(), Ok(()), "the operator's own has no limit");
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
