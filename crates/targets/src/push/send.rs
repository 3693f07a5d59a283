//! Sends packets in chunks, by a [`Transport`].

use std::time::Duration;

use async_trait::async_trait;

use super::settings::QueueSettings;
use super::{decide, packet};
use crate::{
    Backoff, Bundle, Context, Fault, FaultCode, Outcome, Outgoing, Prepared, ReloadState, SessionContext,
    Target, Wanted,
};
use campanile_model::Event;

/// The way that packets go out.
#[async_trait]
pub(super) trait Transport: Send + Sync {
    /// Puts a batch together, as `Target::bundle` does.
    async fn bundle(&self, batch: &[Outgoing<'_>]) -> Result<Option<Bundle>, Fault> {
        let _ = batch;
        Ok(None)
    }
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

    async fn bundle(&self, batch: &[Outgoing<'_>]) -> Result<Option<Bundle>, Fault> {
        self.transport.bundle(batch).await
    }

    async fn send_batch(&self, batch: &[Outgoing<'_>]) -> Vec<Outcome> {
        if batch.is_empty() { Vec::new() } else { self.transport.push(batch).await }
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
