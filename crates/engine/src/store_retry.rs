//! Writes that must be stored: a store that takes nothing just now, as it is full or locked, is asked again until it does.

use std::time::Duration;

use campanile_store::StoreError;

/// Pause after a write that failed: a store that is full or locked is not asked in a loop.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Progress of a write, for the log.
pub(super) enum Progress<'a> {
    /// It failed for the first time, and is tried again each second.
    Failing(&'a StoreError),
    /// It is stored, after so many failures.
    Done {
        /// Number of failures, at least one.
        failures: u32,
    },
    /// It is given up: the store has been closed.
    Closed(&'a StoreError),
}

/// Writes until it is stored, or the store is closed. A write must do no harm when it is done twice: one that failed may
/// have been stored all the same. Cancelled, it may or may not be stored.
pub(super) async fn until_stored<W>(mut write: impl FnMut() -> W, log: impl Fn(Progress<'_>))
where
    W: Future<Output = Result<(), StoreError>>,
{
    let mut failures = 0_u32;
    loop {
        match write().await {
            Ok(()) if failures == 0 => return,
            Ok(()) => return log(Progress::Done { failures }),
            Err(error @ StoreError::Closed) => return log(Progress::Closed(&error)),
            Err(error) if failures == 0 => log(Progress::Failing(&error)),
            Err(_) => {}
        }
        failures = failures.saturating_add(1);
        tokio::time::sleep(STORE_PAUSE).await;
    }
}
