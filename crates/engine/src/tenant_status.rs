//! What targets and callbacks are told: one tenant's part of the store, and its links.

use std::sync::Arc;

use async_trait::async_trait;

use super::backfill::MasterBackfill;
use super::{Metrics, spans};
use crate::telemetry::Telemetry;
use campanile_callbacks::{CallRecord, Status, StatusError};
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
    /// Who is asked for what the store lacks.
    pub(super) fetched: Option<Arc<MasterBackfill>>,
    pub(super) telemetry: Telemetry,
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
        let mut build = self.store.build(&self.tenant, id).await.map_err(told)?;
        if let (Some(fetched), Some(build)) = (&self.fetched, &mut build) {
            fetched.complete_if_possible(build).await;
        }
        Ok(build)
    }

    async fn earlier_builds(&self, before: &BuildId, limit: u32) -> Result<Vec<Build>, StatusError> {
        let known = self.store.earlier_builds(&self.tenant, before, limit).await.map_err(told)?;
        Ok(match &self.fetched {
            Some(fetched) => fetched.earlier_builds(before, limit, known).await,
            None => known,
        })
    }

    async fn builders(&self) -> Result<Vec<Builder>, StatusError> {
        let rows = self.store.builders(&self.tenant).await.map_err(told)?;
        Ok(rows.into_iter().map(|row| row.builder).collect())
    }

    async fn running_builds(&self, builder: &str) -> Result<Vec<Build>, StatusError> {
        self.store.running_builds(&self.tenant, builder).await.map_err(told)
    }

    async fn builds_of_buildset(&self, bsid: u64) -> Result<Vec<Build>, StatusError> {
        let mut builds = self.store.builds_of_buildset(&self.tenant, bsid).await.map_err(told)?;
        if let Some(fetched) = &self.fetched {
            for build in &mut builds {
                fetched.complete_if_possible(build).await;
            }
        }
        Ok(builds)
    }

    async fn buildset(&self, bsid: u64) -> Result<Option<Buildset>, StatusError> {
        self.store.buildset(&self.tenant, bsid).await.map_err(told)
    }

    async fn log_tail(
        &self,
        log: &LogRef,
        lines: u32,
        max_bytes: usize,
    ) -> Result<Option<String>, StatusError> {
        let ask = || self.store.log_tail(&self.tenant, log, lines, max_bytes);
        match (ask().await.map_err(told)?, &self.fetched) {
            (None, Some(fetched)) if fetched.log(log).await => ask().await.map_err(told),
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
        match (ask().await.map_err(told)?, &self.fetched) {
            (None, Some(fetched)) if fetched.log(log).await => ask().await.map_err(told),
            (known, _) => Ok(known),
        }
    }

    fn record(&self, call: CallRecord) {
        self.metrics.callback(&self.tenant, &call);
        spans::called(&self.telemetry, &call);
        // A call that went well and said nothing is counted, not kept.
        if call.outcome == "ok" && call.lines.is_empty() {
            return;
        }
        let entry = CallEntry {
            callback: call.callback.to_string(),
            version: call.version,
            delivery: call.delivery,
            at: super::now(),
            outcome: call.outcome.to_owned(),
            micros: u64::try_from(call.duration.as_micros()).unwrap_or(u64::MAX),
            peak_memory: call.peak_memory as u64,
            lines: serde_json::to_value(&call.lines).unwrap_or_default(),
        };
        self.store.record_call(&self.tenant, entry);
    }
}

#[allow(clippy::needless_pass_by_value)] // stands in `map_err`
fn told(error: StoreError) -> StatusError {
    StatusError(error.to_string())
}
