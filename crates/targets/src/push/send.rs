//! A target with a queue of packets; how a chunk of them goes out is its `Way`.

use std::time::Duration;

use async_trait::async_trait;

use super::packet;
use super::settings::Common;
use crate::{
    Backoff, Context, Fault, FaultCode, Outcome, Outgoing, Prepared, ReloadState, SessionContext, Target,
    Wanted,
};
use campanile_model::Event;

/// How packets go out.
#[async_trait]
pub(super) trait Way: Send + Sync {
    /// Hands a chunk over, which is not empty: what became of the first so many.
    async fn push(&self, chunk: &[Outgoing<'_>]) -> Vec<Outcome>;
    /// As `Target::probe`.
    async fn probe(&self) -> Result<String, Fault>;
    /// As `Target::open`.
    fn open(&self, desk: SessionContext) {
        let _ = desk;
    }
}

/// One table at work.
pub(super) struct Packets<W> {
    pub(super) common: Common,
    pub(super) way: W,
}

#[async_trait]
impl<W: Way> Target for Packets<W> {
    fn name(&self) -> &str {
        &self.common.name
    }

    fn wants(&self, event: &Event) -> Option<Wanted> {
        self.common.wants(event)
    }

    fn unwanted(&self, event: &Event) -> String {
        self.common.unwanted(event)
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        let message = packet::write(&self.common, event, context).await?;
        Ok(Prepared::Message { message, version: None })
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        let untouched = || Fault::transient(FaultCode::Local, "nothing was sent");
        let outcome = self.way.push(&[outgoing]).await.pop();
        outcome.unwrap_or_else(|| Outcome::Deferred { fault: untouched(), not_before: None })
    }

    fn max_batch(&self) -> u32 {
        self.common.chunk_size
    }

    /// What waits, as much as goes together; one packet when the last push failed (P-CYC-08, P-HTTP-09).
    async fn send_batch(&self, run: &[Outgoing<'_>]) -> Vec<Outcome> {
        let has_failed = run.first().is_some_and(|first| first.failures > 0);
        match if has_failed { run.get(..1).unwrap_or(run) } else { run } {
            [] => Vec::new(),
            chunk => self.way.push(chunk).await,
        }
    }

    fn cooldown(&self) -> Option<Duration> {
        Some(self.common.cooldown())
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(self.common.backoff())
    }

    fn open(&self, desk: SessionContext, _: Option<ReloadState>) {
        self.way.open(desk);
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.way.probe().await
    }
}
