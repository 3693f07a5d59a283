//! The time of day, for all of the engine that asks for it.

use campanile_model::Timestamp;

/// The engine's clock: the system's, or, in tests, one that goes with tokio's time and can be moved. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    #[cfg(test)]
    started: Option<(Timestamp, tokio::time::Instant)>,
}

impl Clock {
    /// A clock that shows `start` and then goes with tokio's time: it stands still while that is paused.
    #[cfg(test)]
    pub(crate) fn of_tokio(start: Timestamp) -> Self {
        Self { started: Some((start, tokio::time::Instant::now())) }
    }

    /// The current time.
    pub(crate) fn now(&self) -> Timestamp {
        #[cfg(test)]
        if let Some((start, since)) = self.started {
            return start.after(since.elapsed());
        }
        campanile_model::now()
    }
}
