//! The thread that interrupts running guests, and rests while there are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

/// Interval at which running guests are interrupted, to see if their time is up.
const TICK: Duration = Duration::from_millis(5);

/// Advances the engine's epoch while calls are under way. Ends when the engine is gone.
pub(super) struct EpochTicker {
    calls: Arc<AtomicUsize>,
    thread: Thread,
}

/// Keeps the ticks going for as long as it lives.
pub(super) struct TickGuard<'a>(&'a AtomicUsize);

impl EpochTicker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let weak = engine.weak();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let handle = std::thread::Builder::new().name("callback-clock".to_owned()).spawn(move || {
            while let Some(engine) = weak.upgrade() {
                if counted.load(Ordering::Acquire) > 0 {
                    engine.increment_epoch();
                    drop(engine);
                    std::thread::sleep(TICK);
                } else {
                    drop(engine);
                    // A call that begins just now has left its token already.
                    std::thread::park();
                }
            }
        })?;
        Ok(Self { calls, thread: handle.thread().clone() })
    }

    /// Starts the ticks, unless they run; they rest once all guards are dropped.
    pub(super) fn keep_ticking(&self) -> TickGuard<'_> {
        if self.calls.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        TickGuard(&self.calls)
    }
}

impl Drop for TickGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for EpochTicker {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}
