//! Services that have ended though nobody stopped them: what a supervisor and people must hear of.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Engine;

/// Names of services that have ended.
#[derive(Default)]
pub(super) struct EndedServices(Mutex<BTreeSet<&'static str>>);

impl Engine {
    /// Notes that a service has ended: the engine is not ready any more.
    pub fn note_ended_service(&self, name: &'static str) {
        self.ended.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    }

    /// Lists the services that have ended; none while all is well.
    #[must_use]
    pub fn ended_services(&self) -> Vec<&'static str> {
        self.ended.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}
