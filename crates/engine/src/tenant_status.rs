//! A tenant's status, as targets and callbacks see it: its part of the store, and its links.

use std::sync::Arc;

use async_trait::async_trait;

use super::backfill::MasterBackfill;
use super::usage::Usage;
use super::{Clock, Metrics, spans};
use crate::telemetry::Telemetry;
use campanile_callbacks::{CallRecord, Level, LogLine, Status, StatusError};
use campanile_config::Limits;
use campanile_model::{Build, BuildId, Builder, Buildset, Links, LogRef, Named};
use campanile_store::{CallEntry, Store, StoreError};

/// One tenant's view of the store.
pub(super) struct TenantStatus {
    pub(super) tenant: Arc<str>,
    pub(super) title: String,
    pub(super) url: Option<String>,
    pub(super) links: Links,
    pub(super) store: Arc<dyn Store>,
    pub(super) metrics: Arc<Metrics>,
    /// Source of what the store lacks, if there is one.
    pub(super) backfill: Option<Arc<MasterBackfill>>,
    pub(super) telemetry: Telemetry,
    pub(super) clock: Clock,
    /// Use of what the tenant has limits of: what its callbacks log counts too.
    pub(super) usage: Arc<Usage>,
    pub(super) limits: Limits,
}

impl TenantStatus {
    /// The lines of a call that are kept: all, unless the tenant keeps as much as it may.
    fn admit_lines(&self, lines: &[LogLine]) -> serde_json::Value {
        let bytes: u64 = lines.iter().map(|line| line.size() as u64).sum();
        match self.usage.admit_bytes(&self.limits, bytes) {
            Ok(()) => {
                self.usage.add_bytes(bytes);
                serde_json::to_value(lines).unwrap_or_default()
            }
            Err(error) => {
                self.metrics.refused(&self.tenant, error.limit);
                let text = format!("{} lines are not kept: {error}", lines.len());
                serde_json::to_value([LogLine { level: Level::Warn, text }]).unwrap_or_default()
            }
        }
    }
}

#[async_trait]
impl Status for TenantStatus {
    fn title(&self) -> &str {
        &self.title
    }

    fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    fn url_for(&self, id: &BuildId) -> Option<String> {
        self.links.build(Named::by_name(&id.builder), id.number)
    }

    fn url_for_request(&self, brid: u64) -> Option<String> {
        self.links.request(brid)
    }

    fn log_url_for(&self, log: &LogRef) -> Option<String> {
        self.links.log_under_build(&self.url_for(&log.build)?, &log.step, &log.log)
    }

    async fn build(&self, id: &BuildId) -> Result<Option<Build>, StatusError> {
        let mut build = self.store.build(&self.tenant, id).await.map_err(status_error)?;
        if let (Some(backfill), Some(build)) = (&self.backfill, &mut build) {
            backfill.complete_if_possible(build).await;
        }
        Ok(build)
    }

    async fn earlier_builds(&self, before: &BuildId, limit: u32) -> Result<Vec<Build>, StatusError> {
        let known = self.store.earlier_builds(&self.tenant, before, limit).await.map_err(status_error)?;
        Ok(match &self.backfill {
            Some(backfill) => backfill.earlier_builds(before, limit, known).await,
            None => known,
        })
    }

    async fn builders(&self) -> Result<Vec<Builder>, StatusError> {
        let rows = self.store.builders(&self.tenant).await.map_err(status_error)?;
        Ok(rows.into_iter().map(|row| row.builder).collect())
    }

    async fn running_builds(&self, builder: &str) -> Result<Vec<Build>, StatusError> {
        self.store.running_builds(&self.tenant, builder).await.map_err(status_error)
    }

    async fn builds_of_buildset(&self, bsid: u64) -> Result<Vec<Build>, StatusError> {
        let mut builds = self.store.builds_of_buildset(&self.tenant, bsid).await.map_err(status_error)?;
        if let Some(backfill) = &self.backfill {
            for build in &mut builds {
                backfill.complete_if_possible(build).await;
            }
        }
        Ok(builds)
    }

    async fn buildset(&self, bsid: u64) -> Result<Option<Buildset>, StatusError> {
        self.store.buildset(&self.tenant, bsid).await.map_err(status_error)
    }

    async fn log_tail(
        &self,
        log: &LogRef,
        lines: u32,
        max_bytes: usize,
    ) -> Result<Option<String>, StatusError> {
        let ask = || self.store.log_tail(&self.tenant, log, lines, max_bytes);
        match (ask().await.map_err(status_error)?, &self.backfill) {
            (None, Some(backfill)) if backfill.fetch_log(log).await => ask().await.map_err(status_error),
            (known, _) => Ok(known),
        }
    }

    async fn log_read(
        &self,
        log: &LogRef,
        offset: u64,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, StatusError> {
        let ask = || self.store.log_read(&self.tenant, log, offset, limit);
        match (ask().await.map_err(status_error)?, &self.backfill) {
            (None, Some(backfill)) if backfill.fetch_log(log).await => ask().await.map_err(status_error),
            (known, _) => Ok(known),
        }
    }

    fn record(&self, call: CallRecord) {
        self.metrics.callback(&self.tenant, &call);
        spans::called(&self.telemetry, &call);
        // A call that went well and said nothing is counted, not kept: most are of that kind, and each would be a write.
        if call.outcome == "ok" && call.lines.is_empty() {
            return;
        }
        let entry = CallEntry {
            callback: call.callback.to_string(),
            version: call.version,
            delivery: call.delivery,
            at: self.clock.now(),
            outcome: call.outcome.to_owned(),
            micros: u64::try_from(call.duration.as_micros()).unwrap_or(u64::MAX),
            peak_memory: call.peak_memory as u64,
            lines: self.admit_lines(&call.lines),
        };
        self.store.record_call(&self.tenant, entry);
    }
}

#[allow(clippy::needless_pass_by_value)] // stands in `map_err`
fn status_error(error: StoreError) -> StatusError {
    StatusError(error.to_string())
}
