//! Checks of passwords that take their time, in turns by tenant: a slow hash is slow for whoever computes it too.
//!
//! Strangers may send as many wrong passwords as they like. A few checks run at once; who shows a password that was verified
//! before does not stand in that line.

use std::sync::Arc;

use http::HeaderMap;
use tokio::task::JoinError;

use campanile_callbacks::FairSemaphore;
use campanile_engine::Tenant;
use campanile_inbound::hooks::HookError;

/// Slow checks side by side, in all.
const AT_ONCE: usize = 2;

/// The line of slow checks.
#[derive(Clone)]
pub(super) struct SlowAuth(FairSemaphore<String>);

impl Default for SlowAuth {
    fn default() -> Self {
        Self(FairSemaphore::new(AT_ONCE, 1))
    }
}

impl SlowAuth {
    /// Checks a request's user and password off the runtime's threads.
    ///
    /// # Errors
    /// When the check panicked.
    pub(super) async fn authorize(
        &self,
        tenant: &Tenant,
        headers: &HeaderMap,
    ) -> Result<Result<(), HookError>, JoinError> {
        let (hooks, shown) = (Arc::clone(tenant.hooks()), headers.clone());
        if tokio::task::spawn_blocking(move || hooks.remembers(&shown)).await? {
            return Ok(Ok(()));
        }
        let turn = self.0.acquire(tenant.name().to_owned()).await;
        let (hooks, shown) = (Arc::clone(tenant.hooks()), headers.clone());
        tokio::task::spawn_blocking(move || {
            let authorized = hooks.authorize(&shown);
            // Here, and not where that is waited for: who hangs up does not end the work.
            drop(turn);
            authorized
        })
        .await
    }
}
