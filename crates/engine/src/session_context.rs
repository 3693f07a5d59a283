//! What targets that stay connected are given: their tenant's builds, and a way to say that their far side is back.

use std::sync::Arc;

use super::{Engine, Tenant, now};
use campanile_targets::{SessionContext, Target};

impl Engine {
    /// Begins what targets do between deliveries; those that the tenant `before` had by the same name are gone on with,
    /// and those that are no more are ended.
    pub(super) async fn open_targets(&self, tenant: &Tenant, before: Option<&Tenant>) {
        for target in tenant.targets() {
            let kept = before.and_then(|before| before.target(target.name())).and_then(|old| old.keep());
            target.open(self.desk(tenant, &**target), kept);
        }
        for old in before.map(Tenant::targets).unwrap_or_default() {
            if tenant.target(old.name()).is_none() {
                old.close().await;
            }
        }
    }

    fn desk(&self, tenant: &Tenant, target: &dyn Target) -> SessionContext {
        let (store, wake) = (Arc::clone(&self.store), Arc::clone(&self.wake));
        let (tenant_name, target) = (tenant.name().to_owned(), target.name().to_owned());
        let retry_now = move || {
            let (store, wake) = (Arc::clone(&store), Arc::clone(&wake));
            let (tenant, target) = (tenant_name.clone(), target.clone());
            tokio::spawn(async move {
                match store.retry_now(&tenant, &target, now()).await {
                    Ok(()) => wake.notify_one(),
                    Err(error) => {
                        tracing::warn!(target, "what waits goes out at its own time only: {error}");
                    }
                }
            });
        };
        let control = Arc::clone(tenant.control());
        SessionContext { status: Arc::clone(tenant.status()), control, retry_now: Arc::new(retry_now) }
    }
}
