//! The connections of a relay: a limit on how many there are at once, and those that are kept for further messages
//! (M-71).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;

use super::connection::SmtpConnection;

/// Most connections at once. Relays count them: Postfix refuses more than 50 of one client.
pub const MAX_CONNECTIONS: usize = 8;
/// Time after which an idle connection is closed. Relays hang up after some minutes, and until then it takes one of
/// their places.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// Idle connections, the one used last at the end, and permits to use one.
pub(crate) struct Pool {
    state: Mutex<State>,
    permits: Semaphore,
}

impl Default for Pool {
    fn default() -> Self {
        Self { state: Mutex::default(), permits: Semaphore::new(MAX_CONNECTIONS) }
    }
}

#[derive(Default)]
struct State {
    idle: Vec<(SmtpConnection, Instant)>,
    /// The task that closes what idles too long, once there was something; it ends with the pool.
    reaper: JoinSet<()>,
}

impl Pool {
    /// Waits until a connection may be taken or made. To be held until it is put back or dropped: the permit, not the
    /// list, is what limits connections, since those in use are in nobody's list. Cancel safe.
    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed; if it were, nobody would have to wait.
        self.permits.acquire().await.ok()
    }

    /// Takes out the connection that was used last: it is the likeliest to live. Nothing says that it does, since the
    /// relay may have hung up meanwhile; the first reply on it will tell.
    pub(crate) fn take(&self) -> Option<SmtpConnection> {
        let mut state = self.state();
        state.drop_expired();
        state.idle.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection that is between two transactions.
    pub(crate) fn put(self: &Arc<Self>, connection: SmtpConnection) {
        let mut state = self.state();
        state.idle.push((connection, Instant::now()));
        if state.reaper.is_empty() {
            state.reaper.spawn(reap_idle(Arc::downgrade(self)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is done to the list that a panic could leave half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn drop_expired(&mut self) {
        self.idle.retain(|(_, since)| since.elapsed() < MAX_IDLE);
    }
}

/// Closes idle connections while nobody sends; ends with the pool. It holds the pool weakly: otherwise a relay of settings
/// that were replaced would live on for ever.
async fn reap_idle(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(MAX_IDLE).await;
        let Some(pool) = pool.upgrade() else { return };
        pool.state().drop_expired();
    }
}
