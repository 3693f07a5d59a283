//! A callback in use: a name, the version behind it, and its sandboxed calls.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;
use wasmtime::{Store, WasmBacktrace};

use super::call::{CallLimits, CallRecord, CallRecorder, Level, LogLine, shortened};
use super::call_lane::LaneClosedError;
use super::caller::Caller;
use super::compile::CompileError;
use super::cpu_budget::{CpuBudget, TIME_LIMIT};
use super::error::{CallbackError, MAX_TEXT};
use super::fair_semaphore::FairPermit;
use super::host_state::HostState;
use super::kind::Kind;
use super::runtime::{MAX_MEMORY, Runtime};
use super::version::Version;
use campanile_config::CallbackSettings;

/// A compiled call that takes longer than this goes on in the slow lane. Guests are interrupted every 5 ms.
const QUICK: Duration = Duration::from_millis(4);
/// An interpreted call that takes longer than this leaves its lane to the next: a loop, or one that sleeps. An ordinary one
/// takes some milliseconds; the first of a component has its code read from the disk.
const INTERPRETED_QUICK: Duration = Duration::from_millis(50);

/// A callback in use, by the name that the settings give it. Cheap to clone; all clones follow a swap.
#[derive(Clone)]
pub struct Callback {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    runtime: Runtime,
    limits: CallLimits,
    permits: Semaphore,
    budget: Arc<CpuBudget>,
    version: ArcSwapOption<Version>,
}

/// Cost of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCost {
    /// Digest of the version that was called, sha256 in hex.
    pub version: String,
    /// Wall time.
    pub duration: Duration,
    /// Bytes of guest memory.
    pub peak_memory: usize,
}

impl Callback {
    /// A callback without a version yet.
    #[must_use]
    pub fn new(runtime: &Runtime, name: &str, settings: &CallbackSettings) -> Self {
        let memory = |default: u64| {
            usize::try_from(settings.memory.unwrap_or(default)).unwrap_or(usize::MAX).min(MAX_MEMORY)
        };
        let limits = CallLimits {
            deadline: settings.deadline,
            memory: memory(64 << 20),
            interpreter_memory: memory(128 << 20),
            transfer: 4 << 20,
            output: 1 << 20,
        };
        Self::with_limits(runtime, name, limits, settings.concurrency)
    }

    /// As `new`, with limits of one's own.
    fn with_limits(runtime: &Runtime, name: &str, limits: CallLimits, concurrency: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                name: name.into(),
                runtime: runtime.clone(),
                limits,
                permits: Semaphore::new(concurrency),
                budget: Arc::default(),
                version: ArcSwapOption::empty(),
            }),
        }
    }

    /// Shares a budget with the tenant's other callbacks. Takes effect only before the callback is cloned.
    #[must_use]
    pub fn with_budget(mut self, budget: &Arc<CpuBudget>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.budget = Arc::clone(budget);
        }
        self
    }

    /// Loads a component's file.
    ///
    /// # Errors
    /// When the file can't be read, compiled or linked, or exports no callback.
    pub async fn load(
        runtime: &Runtime,
        name: &str,
        settings: &CallbackSettings,
        component: &Path,
    ) -> Result<Self, CompileError> {
        let callback = Self::new(runtime, name, settings);
        callback.swap(Arc::new(Version::from_file(runtime, callback.budget(), component).await?));
        Ok(callback)
    }

    /// The same callback with another version behind it, to be tried.
    #[must_use]
    pub fn with_version(&self, version: Arc<Version>) -> Self {
        let other = Self::with_limits(&self.inner.runtime, &self.inner.name, self.inner.limits, 1);
        let other = other.with_budget(&self.inner.budget);
        other.swap(version);
        other
    }

    /// Puts another version to use; calls under way end on the one that they began with.
    pub fn swap(&self, version: Arc<Version>) -> Option<Arc<Version>> {
        self.inner.version.swap(Some(version))
    }

    /// The version in use.
    #[must_use]
    pub fn version(&self) -> Option<Arc<Version>> {
        self.inner.version.load_full()
    }

    /// The name in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The budget that it shares with its tenant's others.
    #[must_use]
    pub fn budget(&self) -> &CpuBudget {
        &self.inner.budget
    }

    /// True if it can be called as this kind. One without a version may become anything.
    #[must_use]
    pub fn can_be(&self, kind: Kind) -> bool {
        self.inner.version.load().as_ref().is_none_or(|version| version.kinds().contains(&kind))
    }

    /// Refuses an answer that is larger than answers may be.
    pub(super) fn within_output(&self, bytes: usize) -> Result<(), CallbackError> {
        let limit = self.inner.limits.output;
        if bytes > limit {
            return Err(CallbackError::OverLimit(format!("its answer is larger than {} KiB", limit >> 10)));
        }
        Ok(())
    }

    /// The version to call, held for the length of a call.
    pub(super) fn current(&self) -> Result<Arc<Version>, CallbackError> {
        self.inner.version.load_full().ok_or(CallbackError::Empty)
    }

    /// Runs one call in a fresh sandbox, within its deadline, and has it recorded. The guest's own error comes back as
    /// the inner result.
    ///
    /// Cancel safe: a call that is dropped ends, wherever it runs, but leaves no record.
    pub(super) async fn run<T, E, F>(
        &self,
        version: &Version,
        caller: &Caller,
        call: impl FnOnce(Store<HostState>) -> F + Send + 'static,
    ) -> Result<(Result<T, E>, CallCost), CallbackError>
    where
        F: Future<Output = (Store<HostState>, wasmtime::Result<Result<T, E>>)> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        // From the narrowest share to the widest: a call that waits for its tenant, or for its callback, holds nothing
        // that others wait for. What an interpreted call holds while it waits for its lane, compiled ones don't need.
        let (runtime, share) = (&self.inner.runtime, self.inner.budget.share());
        let _tenants_permit = match self.inner.budget.acquire().await {
            Ok(permit) => permit,
            Err(refusal) => return Err(self.refused(version, caller, refusal)),
        };
        let _permit = self.inner.permits.acquire().await.expect("the semaphore is never closed");
        let (_instance, lane) = if version.is_interpreted() {
            let instance = runtime.interpreted_call(share).await;
            (instance, Some(runtime.interpreter_lane().acquire(share).await))
        } else {
            (runtime.compiled_call(share).await, None)
        };
        let _ticks = runtime.keep_ticking();
        // The time of a call, and its deadline, begin here: waiting for others is not the guest's doing.
        let began = Instant::now();
        let mut limits = self.inner.limits;
        if version.is_interpreted() {
            limits.memory = limits.interpreter_memory;
        }
        let recorder = Arc::new(CallRecorder::new(&limits));
        let (budget, work) =
            (Arc::clone(&self.inner.budget), self.sandboxed(limits, caller, &recorder, call));
        let answer = match lane {
            None => self.quick_or_slow(async move { budget.measure_computing(work).await }).await,
            Some(lane) => {
                self.interpreted_or_slow(lane, async move { budget.measure_holding(work).await }).await
            }
        };
        let answer = answer.unwrap_or_else(|LaneClosedError| {
            Err(CallFault::plain(CallbackError::Trapped("the engine is stopping".to_owned())))
        });
        let (duration, peak_memory) = (began.elapsed(), recorder.peak_memory());
        let (outcome, fault) = match &answer {
            Ok(Ok(_)) => ("ok", Vec::new()),
            Ok(Err(_)) => ("answered-error", Vec::new()),
            Err(fault) => (fault.error.outcome(), fault.lines()),
        };
        caller.status.record(CallRecord {
            callback: Arc::clone(&self.inner.name),
            version: version.digest().to_owned(),
            delivery: caller.delivery,
            outcome,
            duration,
            peak_memory,
            lines: recorder.take_lines(fault),
            refused_by: None,
        });
        let cost = CallCost { version: version.digest().to_owned(), duration, peak_memory };
        answer.map(|answer| (answer, cost)).map_err(|fault| fault.error)
    }

    /// Runs a call here for as long as quick calls take, and the rest of it in the slow lane. A guest that loops yields
    /// at each tick, but would be polled again and again until its deadline, on threads that answer HTTP and send mail.
    async fn quick_or_slow<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, LaneClosedError> {
        let mut work = Box::pin(work);
        match tokio::time::timeout(QUICK, &mut work).await {
            Ok(answer) => Ok(answer),
            Err(_) => self.slow(work).await,
        }
    }

    /// Runs a call in the interpreters' lane for as long as ordinary ones take, and the rest of it in the slow lane, so
    /// that no tenant keeps another from the lane for longer than that.
    async fn interpreted_or_slow<T: Send + 'static>(
        &self,
        permit: FairPermit,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, LaneClosedError> {
        let first_part = async move {
            let mut work = Box::pin(work);
            match tokio::time::timeout(INTERPRETED_QUICK, &mut work).await {
                Ok(answer) => Ok(answer),
                Err(_) => Err(work),
            }
        };
        match self.inner.runtime.interpreter_lane().run(first_part).await? {
            Ok(answer) => Ok(answer),
            Err(work) => {
                drop(permit);
                self.slow(work).await
            }
        }
    }

    async fn slow<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, LaneClosedError> {
        self.inner.runtime.slow_lane().run_in_turns(self.inner.budget.share(), work).await
    }

    /// Has the refusal of a call recorded as a call is: who looks for a missing answer looks there.
    fn refused(&self, version: &Version, caller: &Caller, refusal: CallbackError) -> CallbackError {
        let fault = CallFault::plain(refusal);
        caller.status.record(CallRecord {
            callback: Arc::clone(&self.inner.name),
            version: version.digest().to_owned(),
            delivery: caller.delivery,
            outcome: fault.error.outcome(),
            duration: Duration::ZERO,
            peak_memory: 0,
            lines: fault.lines(),
            refused_by: Some(TIME_LIMIT),
        });
        fault.error
    }

    /// The call itself, in a store of its own; may run on another thread.
    fn sandboxed<T, E, F>(
        &self,
        limits: CallLimits,
        caller: &Caller,
        recorder: &Arc<CallRecorder>,
        call: impl FnOnce(Store<HostState>) -> F + Send + 'static,
    ) -> impl Future<Output = Result<Result<T, E>, CallFault>> + Send + 'static
    where
        F: Future<Output = (Store<HostState>, wasmtime::Result<Result<T, E>>)> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let recorder = Arc::clone(recorder);
        let host_state = HostState::new(Arc::clone(&caller.status), Arc::clone(&recorder), &limits);
        let mut store = Store::new(self.inner.runtime.engine(), host_state);
        store.limiter(|host_state| host_state);
        store.set_hostcall_fuel(limits.transfer);
        // At each tick the guest yields, so that the timeout below gets to see the time.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        async move {
            let Ok((_store, answer)) = tokio::time::timeout(limits.deadline, call(store)).await else {
                return Err(CallFault::plain(CallbackError::TimedOut(limits.deadline)));
            };
            answer.map_err(|error| CallFault::of(&error, recorder.limit_met()))
        }
    }
}

/// An error of a call, and the guest's frames at that point.
struct CallFault {
    error: CallbackError,
    backtrace: Option<String>,
}

impl CallFault {
    fn plain(error: CallbackError) -> Self {
        Self { error, backtrace: None }
    }

    fn of(trap: &wasmtime::Error, hit: Option<&str>) -> Self {
        let error = match hit {
            Some(limit) => CallbackError::OverLimit(limit.to_owned()),
            None => CallbackError::Trapped(shortened(trap.root_cause().to_string(), MAX_TEXT)),
        };
        let backtrace = trap.downcast_ref::<WasmBacktrace>().map(ToString::to_string);
        Self { error, backtrace }
    }

    /// For the callback's log.
    fn lines(&self) -> Vec<LogLine> {
        let line = |text: String| LogLine { level: Level::Error, text };
        let what = line(format!("the call failed: {}", self.error));
        let frames = self.backtrace.iter().flat_map(|text| text.lines());
        std::iter::once(what).chain(frames.map(|frame| line(frame.to_owned()))).collect()
    }
}

/// Runs one export of a callback: finds it, instantiates, calls. An error of the guest's own stays inside.
macro_rules! sandboxed_call {
    ($callback:expr, $caller:expr, $field:ident, $kind:expr, |$store:ident, $instance:ident| $call:expr) => {{
        let version = $callback.current()?;
        let Some(export) = version.exports.$field.clone() else {
            return Err($crate::CallbackError::NotExported($kind));
        };
        $callback
            .run(
                &version,
                $caller,
                move |mut $store: wasmtime::Store<$crate::host_state::HostState>| async move {
                    let answer = async {
                        let $instance = export.instantiate_async(&mut $store).await?;
                        $call.await
                    };
                    let answer = answer.await;
                    ($store, answer)
                },
            )
            .await?
    }};
}
pub(super) use sandboxed_call;
