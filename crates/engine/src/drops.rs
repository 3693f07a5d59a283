//! Tells of what full queues had to drop: counted at once, logged once a minute (P-Q-09).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Metrics;
use campanile_store::Dropped;

/// A target's drops are logged no oftener than this.
const EVERY: Duration = Duration::from_secs(60);

/// Drops that were not logged yet, by tenant and target.
#[derive(Default)]
pub(super) struct Drops(Mutex<HashMap<(String, String), Unlogged>>);

#[derive(Default)]
struct Unlogged {
    count: u64,
    logged: Option<Instant>,
}

impl Drops {
    pub(super) fn note(&self, tenant: &str, dropped: &[Dropped], metrics: &Metrics) {
        for Dropped { target, count } in dropped {
            metrics.deliveries(tenant, target, "silent", "dropped", *count);
            if let Some(count) = self.due((tenant, target), *count, Instant::now()) {
                tracing::error!(tenant, target, "the queue is full: {count} of the oldest were dropped");
            }
        }
    }

    /// How many to log now; none while the last time is too near.
    fn due(&self, (tenant, target): (&str, &str), count: u64, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unlogged = all.entry((tenant.to_owned(), target.to_owned())).or_default();
        unlogged.count += count;
        if unlogged.logged.is_some_and(|at| now.duration_since(at) < EVERY) {
            return None;
        }
        unlogged.logged = Some(now);
        Some(std::mem::take(&mut unlogged.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_q_09_drops_are_logged_once_a_minute_with_their_count() {
        let (drops, start) = (Drops::default(), Instant::now());
        assert_eq!(drops.due(("t", "a"), 2, start), Some(2));
        assert_eq!(drops.due(("t", "a"), 3, start + Duration::from_secs(59)), None);
        assert_eq!(drops.due(("u", "a"), 1, start + Duration::from_secs(59)), Some(1));
        assert_eq!(drops.due(("t", "a"), 4, start + Duration::from_secs(60)), Some(7));
    }
}
