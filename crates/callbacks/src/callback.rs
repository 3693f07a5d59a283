//! A callback in use: a name, the version behind it, and its caged calls.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::Semaphore;
use wasmtime::{Store, WasmBacktrace};

use super::call::{CallRecord, Caller, Level, Limits, LogLine, Traces};
use super::call_lane::Closed;
use super::compile::CompileError;
use super::cpu_budget::CpuBudget;
use super::host_state::HostState;
use super::runtime::{MAX_MEMORY, Runtime};
use super::version::{Kind, Version};
use campanile_config::CallbackSettings;

/// A call that takes longer than this goes on in the slow lane. Guests are interrupted every 5 ms.
const QUICK: Duration = Duration::from_millis(4);

/// A callback in use, by the name that the settings give it. Cheap to clone; all clones follow a swap.
#[derive(Clone)]
pub struct Callback {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    runtime: Runtime,
    limits: Limits,
    permits: Semaphore,
    meter: Arc<CpuBudget>,
    version: ArcSwapOption<Version>,
}

/// What a call cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Digest of the version that was called, sha256 in hex.
    pub version: String,
    /// Wall time.
    pub duration: Duration,
    /// Bytes of guest memory.
    pub peak_memory: usize,
}

/// Why a call gave no answer, for the one who wrote the callback.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// The settings name no component, and none was pushed yet.
    #[error("it has no component yet: push one with `campanile callbacks push`")]
    Empty,
    /// The component has no such callback.
    #[error("it exports no {}", .0.name())]
    NotExported(Kind),
    /// The guest answered with an error of its own.
    #[error("it answered: {0}")]
    Answered(String),
    /// The guest stopped itself or broke a rule of WebAssembly.
    #[error("it stopped: {0}")]
    Trapped(String),
    /// The deadline passed.
    #[error("it took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It asked for more than it may have.
    #[error("{0}")]
    OverLimit(String),
}

impl CallbackError {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Empty | Self::NotExported(_) | Self::Answered(_) => "answered-error",
            Self::Trapped(_) => "trapped",
            Self::TimedOut(_) => "timed-out",
            Self::OverLimit(_) => "over-limit",
        }
    }
}

impl Callback {
    /// A callback without a version yet.
    #[must_use]
    pub fn new(runtime: &Runtime, name: &str, settings: &CallbackSettings) -> Self {
        let memory = |default: u64| {
            usize::try_from(settings.memory.unwrap_or(default)).unwrap_or(usize::MAX).min(MAX_MEMORY)
        };
        let limits = Limits {
            deadline: settings.deadline,
            memory: memory(64 << 20),
            heavy_memory: memory(128 << 20),
            transfer: 4 << 20,
            output: 1 << 20,
        };
        Self::with_limits(runtime, name, limits, settings.concurrency)
    }

    /// As `new`, with limits of one's own.
    #[must_use]
    pub fn with_limits(runtime: &Runtime, name: &str, limits: Limits, concurrency: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                name: name.into(),
                runtime: runtime.clone(),
                limits,
                permits: Semaphore::new(concurrency),
                meter: Arc::default(),
                version: ArcSwapOption::empty(),
            }),
        }
    }

    /// Computes together with all that share this meter. For one that was just made.
    #[must_use]
    pub fn metered(mut self, meter: &Arc<CpuBudget>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.meter = Arc::clone(meter);
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
        callback.swap(Arc::new(Version::from_file(runtime, component).await?));
        Ok(callback)
    }

    /// The same callback with another version behind it, to be tried.
    #[must_use]
    pub fn beside(&self, version: Arc<Version>) -> Self {
        let beside = Self::with_limits(&self.inner.runtime, &self.inner.name, self.inner.limits, 1);
        let beside = beside.metered(&self.inner.meter);
        beside.swap(version);
        beside
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

    /// Whether it can be called as this. One without a version may become anything.
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

    /// Runs one call in a fresh cage, within its deadline, and has it recorded. The guest's own error comes back as
    /// the inner result.
    pub(super) async fn run<T, E, F>(
        &self,
        version: &Version,
        caller: &Caller,
        call: impl FnOnce(Store<HostState>) -> F + Send + 'static,
    ) -> Result<(Result<T, E>, Report), CallbackError>
    where
        F: Future<Output = (Store<HostState>, wasmtime::Result<Result<T, E>>)> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let _tenants_turn = self.inner.meter.turn().await?;
        let _permit = self.inner.permits.acquire().await.expect("the semaphore is never closed");
        let _instance = self.inner.runtime.instance().await;
        let lane = version.is_heavy().then(|| self.inner.runtime.heavy_lane());
        let _turn = match lane {
            Some(lane) => Some(lane.turn().await),
            None => None,
        };
        let _ticks = self.inner.runtime.tick();
        let began = Instant::now();
        let traces = Arc::new(Traces::default());
        let (meter, work) =
            (Arc::clone(&self.inner.meter), self.caged(version.is_heavy(), caller, &traces, call));
        let work = async move { meter.measure(work).await };
        let answer = match lane {
            None => self.quick_or_slow(work).await,
            Some(lane) => lane.run(work).await,
        };
        let answer = answer.unwrap_or_else(|Closed| {
            Err(Failure::plain(CallbackError::Trapped("the engine is stopping".to_owned())))
        });
        let (duration, peak_memory) = (began.elapsed(), traces.peak_memory());
        let mut lines = traces.take_lines();
        let outcome = match &answer {
            Ok(Ok(_)) => "ok",
            Ok(Err(_)) => "answered-error",
            Err(failure) => {
                lines.extend(failure.lines());
                failure.fault.outcome()
            }
        };
        caller.status.record(CallRecord {
            callback: Arc::clone(&self.inner.name),
            version: version.digest().to_owned(),
            delivery: caller.delivery,
            outcome,
            duration,
            peak_memory,
            lines,
        });
        let report = Report { version: version.digest().to_owned(), duration, peak_memory };
        answer.map(|answer| (answer, report)).map_err(|failure| failure.fault)
    }

    /// Runs a call here for as long as quick calls take, and what is left of it in the slow lane: a guest that loops
    /// must not take turns with the others until its deadline.
    async fn quick_or_slow<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Closed> {
        let mut work = Box::pin(work);
        match tokio::time::timeout(QUICK, &mut work).await {
            Ok(answer) => Ok(answer),
            Err(_) => self.inner.runtime.slow_lane().run(work).await,
        }
    }

    /// The call itself, which may run on another thread.
    fn caged<T, E, F>(
        &self,
        interpreted: bool,
        caller: &Caller,
        traces: &Arc<Traces>,
        call: impl FnOnce(Store<HostState>) -> F + Send + 'static,
    ) -> impl Future<Output = Result<Result<T, E>, Failure>> + Send + 'static
    where
        F: Future<Output = (Store<HostState>, wasmtime::Result<Result<T, E>>)> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let mut limits = self.inner.limits;
        if interpreted {
            limits.memory = limits.heavy_memory;
        }
        let cage = HostState::new(Arc::clone(&caller.status), Arc::clone(traces), &limits);
        let mut store = Store::new(self.inner.runtime.engine(), cage);
        store.limiter(|cage| cage);
        store.set_hostcall_fuel(limits.transfer);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        async move {
            let Ok((store, answer)) = tokio::time::timeout(limits.deadline, call(store)).await else {
                return Err(Failure::plain(CallbackError::TimedOut(limits.deadline)));
            };
            answer.map_err(|error| Failure::of(&error, store.data().hit.as_deref()))
        }
    }
}

/// A call's end without an answer, and where in the guest that was.
struct Failure {
    fault: CallbackError,
    backtrace: Option<String>,
}

impl Failure {
    fn plain(fault: CallbackError) -> Self {
        Self { fault, backtrace: None }
    }

    fn of(error: &wasmtime::Error, hit: Option<&str>) -> Self {
        let fault = match hit {
            Some(limit) => CallbackError::OverLimit(limit.to_owned()),
            None => CallbackError::Trapped(error.root_cause().to_string()),
        };
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string);
        Self { fault, backtrace }
    }

    /// For the callback's log.
    fn lines(&self) -> Vec<LogLine> {
        let line = |text: String| LogLine { level: Level::Error, text };
        let what = line(format!("the call failed: {}", self.fault));
        let frames = self.backtrace.iter().flat_map(|text| text.lines());
        std::iter::once(what).chain(frames.map(|frame| line(frame.to_owned()))).collect()
    }
}

/// Runs one export of a callback: finds it, instantiates, calls. An error of the guest's own stays inside.
macro_rules! caged_call {
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
pub(super) use caged_call;
