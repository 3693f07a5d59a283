//! The time of day, for all of the engine that asks for it: one that is not moved when the system's clock is set.
//!
//! Ages and times of further attempts are kept in it. Were it the system's own, a step of ten days by NTP would end
//! everything that waits, and a step back would have it wait for ten days. It goes by the monotonic clock; that the
//! system's was set is told by [`Clock::follow`], and [`Clock::set`] comes after the times in the store were moved too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use campanile_model::Timestamp;
use tokio::time::Instant;

/// The system's clock was set if it and the monotonic one are further apart than this between two looks; less is a
/// clock that goes a little too fast or too slow, and is followed.
const DRIFT: Duration = Duration::from_secs(10);

/// The engine's clock. Cheap to clone; all clones show the same.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// A time, and the moment at which it was shown.
    base: Arc<Mutex<(Timestamp, Instant)>>,
    /// The system's clock of a test: it goes with tokio's time and can be set.
    #[cfg(test)]
    system: Option<Arc<Mutex<(Timestamp, Instant)>>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            base: Arc::new(Mutex::new((campanile_model::now(), Instant::now()))),
            #[cfg(test)]
            system: None,
        }
    }
}

impl Clock {
    /// A clock that shows `start` and then goes with tokio's time: it stands still while that is paused.
    #[cfg(test)]
    pub(crate) fn of_tokio(start: Timestamp) -> Self {
        let began = (start, Instant::now());
        Self { base: Arc::new(Mutex::new(began)), system: Some(Arc::new(Mutex::new(began))) }
    }

    /// Sets the system's clock of a test.
    #[cfg(test)]
    pub(crate) fn set_system(&self, now: Timestamp) {
        let system = self.system.as_ref().expect("only a test's clock is set");
        *system.lock().unwrap_or_else(PoisonError::into_inner) = (now, Instant::now());
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        shown(&self.base)
    }

    /// Follows the system's clock. If that was set, nothing is followed, and by how many microseconds it was set comes
    /// back, with the time that it shows now.
    pub(crate) fn follow(&self) -> Option<(i64, Timestamp)> {
        let (system, now) = (self.system_now(), self.now());
        let apart = system.as_micros().saturating_sub(now.as_micros());
        if u128::from(apart.unsigned_abs()) > DRIFT.as_micros() {
            return Some((apart, system));
        }
        self.set(system);
        None
    }

    /// Shows this time from now on.
    pub(crate) fn set(&self, now: Timestamp) {
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = (now, Instant::now());
    }

    fn system_now(&self) -> Timestamp {
        #[cfg(test)]
        if let Some(system) = &self.system {
            return shown(system);
        }
        campanile_model::now()
    }
}

/// The time that a clock shows which was set at a moment.
fn shown(base: &Mutex<(Timestamp, Instant)>) -> Timestamp {
    let (time, at) = *base.lock().unwrap_or_else(PoisonError::into_inner);
    time.after(at.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn m_dlv_06_a_jump_is_told_and_a_drift_followed() {
        let at = Timestamp::from_seconds;
        let clock = Clock::of_tokio(at(1_000));
        tokio::time::advance(Duration::from_secs(5)).await;
        clock.set_system(at(1_007));
        assert_eq!((clock.follow(), clock.now()), (None, at(1_007)));
        clock.set_system(at(2_007));
        assert_eq!((clock.follow(), clock.now()), (Some((1_000_000_000, at(2_007))), at(1_007)));
        clock.set_system(at(7));
        assert_eq!(clock.follow(), Some((-1_000_000_000, at(7))));
        clock.set(at(7));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!((clock.follow(), clock.now()), (None, at(12)));
    }
}
