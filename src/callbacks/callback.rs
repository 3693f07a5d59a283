//! A callback in use: a name, the component behind it, and one caged call at a time per permit.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use wasmtime::Store;
use wasmtime::component::InstancePre;

use super::bindings::build_ordering::BuildOrderingPre;
use super::bindings::message_formatting::MessageFormattingPre;
use super::cage::{Cage, Limits};
use super::compile::CompileError;
use super::runtime::{MAX_MEMORY, Runtime};
use super::status::Status;
use crate::config::CallbackSettings;

/// A callback in use, by the name that the settings give it. Cheap to clone.
#[derive(Clone)]
pub struct Callback {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    runtime: Runtime,
    limits: Limits,
    permits: Semaphore,
    loaded: Arc<Loaded>,
}

/// A component, linked, with those of its exports that are callbacks.
pub(super) struct Loaded {
    digest: String,
    pub(super) message_formatter: Option<MessageFormattingPre<Cage>>,
    pub(super) previous_build_getter: Option<BuildOrderingPre<Cage>>,
}

/// What a call cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Wall time.
    pub duration: Duration,
    /// Bytes of guest memory.
    pub peak_memory: usize,
}

/// Why a call gave no answer, for the one who wrote the callback.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackFault {
    /// The component has no such callback.
    #[error("it exports no {0}")]
    NotExported(&'static str),
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

impl Callback {
    /// Loads the component that the settings name.
    ///
    /// # Errors
    /// When the file can't be read, compiled or linked, or exports no callback.
    pub async fn load(
        runtime: &Runtime,
        name: &str,
        settings: &CallbackSettings,
    ) -> Result<Self, CompileError> {
        let limits = Limits {
            deadline: settings.deadline,
            memory: usize::try_from(settings.memory).unwrap_or(usize::MAX).min(MAX_MEMORY),
            transfer: 4 << 20,
            output: 1 << 20,
        };
        let loaded = Loaded::from_file(runtime, &settings.component).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                name: name.into(),
                runtime: runtime.clone(),
                limits,
                permits: Semaphore::new(settings.concurrency),
                loaded: Arc::new(loaded),
            }),
        })
    }

    /// The name in the settings.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Digest of the component in use, sha256 in hex.
    #[must_use]
    pub fn digest(&self) -> String {
        self.inner.loaded.digest.clone()
    }

    /// Names of the callbacks that the component exports.
    #[must_use]
    pub fn exports(&self) -> Vec<&'static str> {
        self.inner.loaded.exports()
    }

    /// Whether its component exports a message formatter.
    #[must_use]
    pub fn is_message_formatter(&self) -> bool {
        self.inner.loaded.message_formatter.is_some()
    }

    /// Whether its component exports a previousBuildGetter.
    #[must_use]
    pub fn is_previous_build_getter(&self) -> bool {
        self.inner.loaded.previous_build_getter.is_some()
    }

    pub(super) fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.inner.loaded)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Runs one call in a fresh cage, within its deadline.
    pub(super) async fn run<T, F>(
        &self,
        status: Arc<dyn Status>,
        call: impl FnOnce(Store<Cage>) -> F,
    ) -> Result<(T, Report), CallbackFault>
    where
        F: Future<Output = (Store<Cage>, wasmtime::Result<Result<T, String>>)>,
    {
        let Inner { limits, permits, name, runtime, .. } = &*self.inner;
        let _permit = permits.acquire().await.expect("the semaphore is never closed");
        let _ticks = runtime.tick();
        let began = Instant::now();
        let mut store = Store::new(runtime.engine(), Cage::new(name.clone(), status, limits));
        store.limiter(|cage| cage);
        store.set_hostcall_fuel(limits.transfer);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let Ok((store, answer)) = tokio::time::timeout(limits.deadline, call(store)).await else {
            return Err(CallbackFault::TimedOut(limits.deadline));
        };
        let report = Report { duration: began.elapsed(), peak_memory: store.data().peak_memory() };
        match answer {
            Ok(Ok(value)) => Ok((value, report)),
            Ok(Err(text)) => Err(CallbackFault::Answered(text)),
            Err(error) => Err(match &store.data().hit {
                Some(limit) => CallbackFault::OverLimit(limit.clone()),
                None => CallbackFault::Trapped(first_cause(&error)),
            }),
        }
    }
}

impl Loaded {
    async fn from_file(runtime: &Runtime, path: &Path) -> Result<Self, CompileError> {
        let wasm = tokio::fs::read(path)
            .await
            .map_err(|error| CompileError::Read { path: path.to_owned(), reason: error.to_string() })?;
        let (digest, linked) = runtime.load(wasm).await?;
        let loaded = Self {
            digest,
            message_formatter: export(&linked, MessageFormattingPre::new),
            previous_build_getter: export(&linked, BuildOrderingPre::new),
        };
        if loaded.exports().is_empty() {
            return Err(CompileError::Refused(
                "it exports no callback of campanile:notifier@0.1.0, such as `message-formatter`".to_owned(),
            ));
        }
        Ok(loaded)
    }

    fn exports(&self) -> Vec<&'static str> {
        let all = [
            ("message-formatter", self.message_formatter.is_some()),
            ("previous-build-getter", self.previous_build_getter.is_some()),
        ];
        all.into_iter().filter(|(_, exported)| *exported).map(|(name, _)| name).collect()
    }
}

fn export<P>(
    linked: &InstancePre<Cage>,
    find: impl FnOnce(InstancePre<Cage>) -> wasmtime::Result<P>,
) -> Option<P> {
    find(linked.clone()).ok()
}

/// The innermost sentence of an error, without the guest's backtrace.
fn first_cause(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
}
