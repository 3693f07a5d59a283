//! Deliveries that full queues had to drop: counted at once, logged once a minute (P-Q-09).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Metrics;
use campanile_store::Dropped;

/// Least time between two log lines about one target: a queue that overflows does so with every event.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Drops that were not logged yet, by tenant and target.
#[derive(Default)]
pub(super) struct DropLog(Mutex<HashMap<(String, String), Unlogged>>);

#[derive(Default)]
struct Unlogged {
    count: u64,
    /// Time of the last log line.
    logged: Option<Instant>,
}

impl DropLog {
    /// Counts drops and logs them, or leaves that to a later call.
    pub(super) fn record(&self, tenant: &str, dropped: &[Dropped], metrics: &Metrics) {
        for Dropped { target, count } in dropped {
            metrics.deliveries(tenant, target, "silent", "dropped", *count);
            if let Some(count) = self.due((tenant, target), *count, Instant::now()) {
                tracing::error!(
                    tenant,
                    target,
                    dropped = count,
                    "queue is full: {count} of the oldest were dropped"
                );
            }
        }
    }

    /// The number to log now; none while the last line is too near.
    fn due(&self, (tenant, target): (&str, &str), count: u64, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unlogged = all.entry((tenant.to_owned(), target.to_owned())).or_default();
        unlogged.count += count;
        if unlogged.logged.is_some_and(|at| now.duration_since(at) < LOG_EVERY) {
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
        let (drops, start) = (DropLog::default(), Instant::now());
        assert_eq!(drops.due(("t", "a"), 2, start), Some(2));
        assert_eq!(drops.due(("t", "a"), 3, start + Duration::from_secs(59)), None);
        assert_eq!(drops.due(("u", "a"), 1, start + Duration::from_secs(59)), Some(1));
        assert_eq!(drops.due(("t", "a"), 4, start + Duration::from_secs(60)), Some(7));
    }
}
