//! The connections of a target: how many at once, and those that are kept for further mails (M-71).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::wire::Wire;

/// How many there are at once. Relays count them: Postfix refuses more than 50 of one client.
const CONNECTIONS: usize = 8;
/// How long one waits before it is let go.
const IDLE: Duration = Duration::from_secs(30);

/// Idle connections, the one used last at the end, and turns at using one.
pub(super) struct Pool {
    state: Mutex<State>,
    turns: Semaphore,
}

impl Default for Pool {
    fn default() -> Self {
        Self { state: Mutex::default(), turns: Semaphore::new(CONNECTIONS) }
    }
}

#[derive(Default)]
struct State {
    idle: Vec<(Wire, Instant)>,
    watched: bool,
}

impl Pool {
    /// Waits until a connection may be used, or a new one be made; to be held meanwhile.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed; if it were, nobody would have to wait.
        self.turns.acquire().await.ok()
    }

    /// A connection that may still be alive.
    pub(super) fn take(&self) -> Option<Wire> {
        let mut state = self.state();
        state.let_go();
        state.idle.pop().map(|(wire, _)| wire)
    }

    /// Keeps a connection that is ready for the next mail.
    pub(super) fn put(self: &Arc<Self>, wire: Wire) {
        let mut state = self.state();
        state.idle.push((wire, Instant::now()));
        if !state.watched {
            state.watched = true;
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is done to the list that a panic could leave half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn let_go(&mut self) {
        self.idle.retain(|(_, since)| since.elapsed() < IDLE);
    }
}

/// Lets idle connections go while nobody sends; ends with the last of them, or with the pool.
async fn watch(pool: std::sync::Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut state = pool.state();
        state.let_go();
        if state.idle.is_empty() {
            state.watched = false;
            return;
        }
    }
}
