//! Sends packets in chunks, by a [`Transport`].

use std::time::Duration;

use async_trait::async_trait;

use super::settings::QueueSettings;
use super::{decide, packet};
use crate::{
    Backoff, Context, Fault, FaultCode, Outcome, Outgoing, Prepared, ReloadState, SessionContext, Target,
    Wanted,
};
use campanile_model::Event;

/// The way that packets go out.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Hands a chunk over, which is not empty, and tells the outcomes of the first so many, as `Target::send_batch`
    /// does.
    async fn push(&self, chunk: &[Outgoing<'_>]) -> Vec<Outcome>;
    /// Proves that it works, as `Target::probe` does.
    async fn probe(&self) -> Result<String, Fault>;
    /// Begins its work, as `Target::open` does.
    fn open(&self, context: SessionContext) {
        let _ = context;
    }
}

/// A target with a queue of packets.
pub(super) struct PacketPush<T> {
    pub(super) settings: QueueSettings,
    pub(super) transport: T,
}

#[async_trait]
impl<T: Transport> Target for PacketPush<T> {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn wants(&self, event: &Event) -> Option<Wanted> {
        decide::wants(&self.settings, event)
    }

    fn unwanted(&self, event: &Event) -> String {
        decide::unwanted(&self.settings, event)
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        let message = packet::write(&self.settings, event, context).await?;
        Ok(Prepared::Message { message, version: None })
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        let untouched = || Fault::transient(FaultCode::Local, "nothing was sent");
        let outcome = self.transport.push(&[outgoing]).await.pop();
        outcome.unwrap_or_else(|| Outcome::Deferred { fault: untouched(), not_before: None })
    }

    fn max_batch(&self) -> u32 {
        self.settings.chunk_size
    }

    /// Sends as many as go together; one packet when the last push failed, so that one that can't be pushed is found
    /// and keeps no others (P-CYC-08, P-HTTP-09).
    async fn send_batch(&self, batch: &[Outgoing<'_>]) -> Vec<Outcome> {
        let has_failed = batch.first().is_some_and(|first| first.failures > 0);
        match if has_failed { batch.get(..1).unwrap_or(batch) } else { batch } {
            [] => Vec::new(),
            chunk => self.transport.push(chunk).await,
        }
    }

    fn cooldown(&self) -> Option<Duration> {
        Some(self.settings.cooldown())
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(self.settings.backoff())
    }

    fn open(&self, context: SessionContext, _: Option<ReloadState>) {
        self.transport.open(context);
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.transport.probe().await
    }
}
