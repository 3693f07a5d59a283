//! The audit log of commands to the CI: who asked for what, and what came of it. Here a shutdown of the engine itself
//! is begun, too.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::Clock;
use campanile_ci::control::{Asker, Control, ControlError, Force, ForceReply, Lifecycle, Shutdown};
use campanile_model::BuildId;
use campanile_store::{AuditEntry, Store};

/// A control of the CI whose every use is kept in the audit log.
pub(super) struct AuditedControl {
    pub(super) control: Arc<dyn Control>,
    pub(super) store: Arc<dyn Store>,
    pub(super) tenant: Arc<str>,
    /// Set where `shutdown` ends the engine rather than the CI: notified when it is to end.
    pub(super) engine_shutdown: Option<Arc<Notify>>,
    pub(super) clock: Clock,
}

impl AuditedControl {
    /// Stores an entry. Called when the command is over: without its answer an entry would say too little.
    async fn record(&self, asker: &Asker, what: String, answer: String) {
        let (who, place) = (asker.who.clone(), asker.place.clone());
        tracing::info!(tenant = &*self.tenant, who, place, "control command: {what}: {answer}");
        let entry = AuditEntry { at: self.clock.now(), who, place, what, answer };
        if let Err(error) = self.store.record_audit(&self.tenant, entry).await {
            tracing::error!(tenant = &*self.tenant, "audit log misses a control command: {error}");
        }
    }
}

/// The answer of the CI, as the log has it.
fn answer(result: &Result<String, ControlError>) -> String {
    match result {
        Ok(said) if said.is_empty() => "done".to_owned(),
        Ok(said) => said.clone(),
        Err(error) => error.to_string(),
    }
}

#[async_trait]
impl Control for AuditedControl {
    async fn force(&self, asker: &Asker, force: &Force) -> Result<ForceReply, ControlError> {
        let result = self.control.force(asker, force).await;
        let mut what = format!("force {}", force.builder);
        for (name, value) in [("branch", &force.branch), ("revision", &force.revision)] {
            what.extend(value.iter().map(|value| format!(", {name} {value}")));
        }
        what.extend(force.properties.iter().map(|(name, value)| format!(", {name}={value}")));
        let answer = match &result {
            Ok(forced) if forced.said.is_empty() => "done".to_owned(),
            Ok(forced) => forced.said.clone(),
            Err(error) => error.to_string(),
        };
        self.record(asker, format!("{what}; {}", force.reason), answer).await;
        result
    }

    async fn stop(&self, asker: &Asker, build: &BuildId, reason: &str) -> Result<String, ControlError> {
        let result = self.control.stop(asker, build, reason).await;
        self.record(asker, format!("stop {build}; {reason}"), answer(&result)).await;
        result
    }

    async fn cancel(
        &self,
        asker: &Asker,
        builder: &str,
        request: u64,
        reason: &str,
    ) -> Result<String, ControlError> {
        let result = self.control.cancel(asker, builder, request, reason).await;
        self.record(asker, format!("cancel request {request} of {builder}; {reason}"), answer(&result)).await;
        result
    }

    async fn shutdown(&self, asker: &Asker, what: Shutdown) -> Result<Lifecycle, ControlError> {
        let result = match &self.engine_shutdown {
            None => self.control.shutdown(asker, what).await,
            // Once begun, an engine's end can't be taken back; and until then it runs.
            Some(shutdown) => Ok(match what {
                Shutdown::Check | Shutdown::Stop => Lifecycle::Running,
                Shutdown::Start | Shutdown::Now => {
                    shutdown.notify_one();
                    Lifecycle::ShuttingDown
                }
            }),
        };
        if what != Shutdown::Check {
            let answer = match &result {
                Ok(Lifecycle::Running) => "running".to_owned(),
                Ok(Lifecycle::ShuttingDown) => "shutting down".to_owned(),
                Err(error) => error.to_string(),
            };
            self.record(asker, format!("shutdown {}", what.name()), answer).await;
        }
        result
    }
}
