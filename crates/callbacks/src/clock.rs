//! The clock that interrupts running guests, and rests while there are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

/// How often running guests are interrupted to see whether their time is up.
const TICK: Duration = Duration::from_millis(5);

/// Advances the engine's epoch while calls are under way. Ends when the engine is gone.
pub(super) struct Clock {
    calls: Arc<AtomicUsize>,
    thread: Thread,
}

/// While it lives, the clock runs.
pub(super) struct Running<'a>(&'a AtomicUsize);

impl Clock {
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

    pub(super) fn run(&self) -> Running<'_> {
        if self.calls.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        Running(&self.calls)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.thread.unpark();
    }
}
