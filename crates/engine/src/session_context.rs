//! Sessions of targets that stay connected: begun, gone on with over a reload, ended; and what they may ask.

use std::sync::Arc;

use super::{Engine, Tenant, recovery};
use campanile_targets::{SessionContext, Target};

impl Engine {
    /// Opens the sessions of the operator's own targets; those of other tenants are opened as they are loaded. To be called
    /// once, before anything is taken in: a target may want events only while it is open.
    pub async fn open_own_targets(&self) {
        self.open_targets(&self.tenant(), None).await;
    }

    /// Opens the sessions of a tenant's targets. A target goes on with what the one of the same name in `before` kept;
    /// sessions of targets that are no more are closed. What waited for a target that was gone goes on.
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
        self.adopt_orphans(tenant).await;
    }

    /// Makes what a session may ask: its tenant's builds, the control of its CI, and another try of what waits for it.
    fn session_context(&self, tenant: &Tenant, target: &dyn Target) -> SessionContext {
        let retry_now = recovery::retry_now_of(self, tenant.name(), target.name());
        let control = Arc::clone(tenant.control());
        SessionContext { status: Arc::clone(tenant.status()), control, retry_now }
    }
}
