//! Sessions of targets that stay connected: begun, gone on with over a reload, ended; and what they may ask.

use std::sync::Arc;

use super::{Engine, Tenant};
use campanile_targets::{SessionContext, Target};

impl Engine {
    /// Opens the sessions of a tenant's targets. A target goes on with what the one of the same name in `before` kept;
    /// sessions of targets that are no more are closed.
    pub(super) async fn open_targets(&self, tenant: &Tenant, before: Option<&Tenant>) {
        for target in tenant.targets() {
            let kept = before.and_then(|before| before.target(target.name())).and_then(|old| old.keep());
            target.open(self.session_context(tenant, &**target), kept);
        }
        for old in before.map(Tenant::targets).unwrap_or_default() {
            if tenant.target(old.name()).is_none() {
                old.close().await;
            }
        }
    }

    /// Makes what a session may ask: its tenant's builds, the control of its CI, and another try of what waits for it.
    fn session_context(&self, tenant: &Tenant, target: &dyn Target) -> SessionContext {
        let (store, wake, clock) = (Arc::clone(&self.store), Arc::clone(&self.wake), self.clock.clone());
        let (tenant_name, target) = (tenant.name().to_owned(), target.name().to_owned());
        let retry_now = move || {
            let (store, wake, now) = (Arc::clone(&store), Arc::clone(&wake), clock.now());
            let (tenant, target) = (tenant_name.clone(), target.clone());
            tokio::spawn(async move {
                match store.retry_now(&tenant, &target, now).await {
                    Ok(()) => wake.notify_one(),
                    Err(error) => {
                        tracing::warn!(
                            tenant,
                            target,
                            "target is back, but what waits goes out at its own time: {error}"
                        );
                    }
                }
            });
        };
        let control = Arc::clone(tenant.control());
        SessionContext { status: Arc::clone(tenant.status()), control, retry_now: Arc::new(retry_now) }
    }
}
