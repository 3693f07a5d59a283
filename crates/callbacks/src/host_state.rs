//! The state of one call on the host's side: its memory and table limits, and the functions that its guest may call.

use std::sync::Arc;
use std::time::Instant;

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::bindings::host::campanile::notifier::{logging, reviews, status, types};
use super::call::{CallLimits, CallRecorder, Level};
use super::{Status, convert, wasi};
use campanile_model::{Build, LogRef};

/// No more of a log is handed over by one host call.
const MAX_LOG_PIECE: usize = 1 << 20;
/// No more builds are handed over by one host call.
const MAX_RECENT_BUILDS: u32 = 100;
/// Table elements of all of a call's tables together.
const MAX_TABLE_ELEMENTS: usize = 20_000;

/// Everything that belongs to one call; gone when it is over.
pub(super) struct HostState {
    status: Arc<dyn Status>,
    recorder: Arc<CallRecorder>,
    memory_limit: usize,
    memory: usize,
    table_elements: usize,
    deadline: Instant,
    wasi: WasiCtx,
    resources: ResourceTable,
}

impl HostState {
    pub(super) fn new(status: Arc<dyn Status>, recorder: Arc<CallRecorder>, limits: &CallLimits) -> Self {
        Self {
            status,
            wasi: wasi::closed(&recorder),
            recorder,
            memory_limit: limits.memory,
            memory: 0,
            table_elements: 0,
            deadline: Instant::now() + limits.deadline,
            resources: ResourceTable::new(),
        }
    }

    /// Counts what a host call has copied out of the guest.
    fn copied(&self, texts: &[&str]) -> Result<()> {
        Ok(self.recorder.copied(texts.iter().map(|text| text.len()).sum())?)
    }

    /// Converts builds for the guest. Many large ones take longer than a tick, in which nothing else could end the call.
    async fn converted(&mut self, builds: &[Build]) -> Result<Vec<types::Build>> {
        let mut converted = Vec::with_capacity(builds.len());
        for build in builds {
            if Instant::now() > self.deadline {
                // To the timeout around the call, which ends it here.
                std::future::pending::<()>().await;
            }
            converted.push(convert::build(build, &*self.status));
        }
        Ok(converted)
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}

impl ResourceLimiter for HostState {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            let text = format!("it asked for more than its {} KiB of memory", self.memory_limit >> 10);
            return Err(self.recorder.over_limit(text).into());
        }
        self.memory = total;
        self.recorder.grown_to(total);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        if total > MAX_TABLE_ELEMENTS {
            let text = format!("it asked for more than {MAX_TABLE_ELEMENTS} table elements");
            return Err(self.recorder.over_limit(text).into());
        }
        self.table_elements = total;
        Ok(true)
    }
}

impl types::Host for HostState {}
impl reviews::Host for HostState {}

impl status::Host for HostState {
    async fn title(&mut self) -> Result<String> {
        Ok(self.status.title().to_owned())
    }

    async fn url(&mut self) -> Result<Option<String>> {
        Ok(self.status.url().map(str::to_owned))
    }

    async fn url_for(&mut self, build: types::BuildId) -> Result<Option<String>> {
        self.copied(&[&build.builder])?;
        Ok(self.status.url_for(&convert::build_id_from(build)))
    }

    async fn get_build(&mut self, id: types::BuildId) -> Result<Option<types::Build>> {
        self.copied(&[&id.builder])?;
        let build = self.status.build(&convert::build_id_from(id)).await?;
        Ok(build.map(|build| convert::build(&build, &*self.status)))
    }

    async fn previous_build(&mut self, id: types::BuildId) -> Result<Option<types::Build>> {
        Ok(self.recent_builds(id, 1).await?.into_iter().next())
    }

    async fn recent_builds(&mut self, before: types::BuildId, limit: u32) -> Result<Vec<types::Build>> {
        self.copied(&[&before.builder])?;
        let before = convert::build_id_from(before);
        let builds = self.status.earlier_builds(&before, limit.min(MAX_RECENT_BUILDS)).await?;
        self.converted(&builds).await
    }

    async fn log_tail(
        &mut self,
        build: types::BuildId,
        step: String,
        log: String,
        lines: u32,
    ) -> Result<Result<String, status::LogError>> {
        self.copied(&[&build.builder, &step, &log])?;
        let log = LogRef { build: convert::build_id_from(build), step, log };
        let tail = self.status.log_tail(&log, lines, MAX_LOG_PIECE).await?;
        Ok(tail.map(|tail| campanile_model::plain_output(&tail)).ok_or(status::LogError::NotFound))
    }

    async fn log_read(
        &mut self,
        build: types::BuildId,
        step: String,
        log: String,
        offset: u64,
        limit: u32,
    ) -> Result<Result<Vec<u8>, status::LogError>> {
        self.copied(&[&build.builder, &step, &log])?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if limit > MAX_LOG_PIECE {
            return Ok(Err(status::LogError::TooLarge));
        }
        let log = LogRef { build: convert::build_id_from(build), step, log };
        Ok(self.status.log_read(&log, offset, limit).await?.ok_or(status::LogError::NotFound))
    }
}

impl logging::Host for HostState {
    async fn log(&mut self, level: logging::Level, message: String) -> Result<()> {
        self.copied(&[&message])?;
        let level = match level {
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error => Level::Error,
        };
        self.recorder.log(level, message);
        Ok(())
    }
}
