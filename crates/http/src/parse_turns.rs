//! Parsing of large bodies: away from the threads that answer others, and in turns by tenant.
//!
//! A body of 25 MiB takes a second to parse, and its events as long again until they are stored. On the runtime's own threads
//! two such senders would have everybody wait.

use bytes::Bytes;
use tokio::task::JoinError;

use campanile_callbacks::{FairPermit, FairSemaphore};
use campanile_engine::Tenant;

/// Bodies up to this size, in bytes, are parsed where they are: that is quicker than to hand them over.
const SMALL: usize = 64 << 10;
/// Large bodies that are parsed and stored side by side.
const LARGE_AT_ONCE: usize = 2;

/// The line of large bodies.
#[derive(Clone)]
pub(super) struct ParseTurns(FairSemaphore<String>);

/// A tenant's turn with a large body, to be held until its events are stored; nothing for a small one.
pub(super) type ParseTurn = Option<FairPermit<String>>;

impl Default for ParseTurns {
    fn default() -> Self {
        Self(FairSemaphore::new(LARGE_AT_ONCE, 1))
    }
}

impl ParseTurns {
    /// Runs `parse` on a body in its tenant's turn.
    ///
    /// # Errors
    /// When the parser panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        body: Bytes,
        parse: impl FnOnce(&Bytes) -> T + Send + 'static,
    ) -> Result<(T, ParseTurn), JoinError> {
        if body.len() <= SMALL {
            return Ok((parse(&body), None));
        }
        let turn = self.0.acquire(tenant.name().to_owned()).await;
        let parsed = tokio::task::spawn_blocking(move || parse(&body)).await?;
        Ok((parsed, Some(turn)))
    }
}
