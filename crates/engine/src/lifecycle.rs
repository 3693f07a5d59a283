//! Start and end of the engine, as news for the targets that ask for it (P-PKT-04, P-CYC-10).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Engine, Tenant};
use campanile_model::Event;
use campanile_store::{Batch, DeliveryQuery, DeliveryState, NewEvent, Page, Settlement, StoreError};

/// Longest wait for targets to take the news of the end.
const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(10);

/// Targets whose last attempt failed, by tenant and name.
#[derive(Default)]
pub(super) struct FailingTargets(Mutex<HashSet<(String, String)>>);

impl FailingTargets {
    /// Notes the outcome of an attempt. Where none was made, nothing is known of the far side.
    pub(super) fn record(&self, tenant: &str, target: &str, settled: &Settlement) {
        if !settled.attempted {
            return;
        }
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if settled.state == DeliveryState::Waiting {
            failing.insert((tenant.to_owned(), target.to_owned()));
        } else if !failing.is_empty() {
            failing.remove(&(tenant.to_owned(), target.to_owned()));
        }
    }

    fn contains(&self, tenant: &str, target: &str) -> bool {
        let key = (tenant.to_owned(), target.to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}

impl Engine {
    /// Stores news of the builders that are known, and then of the start, for the targets that want news of the start.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn announce_start(&self) -> Result<(), StoreError> {
        for tenant in self.tenants().iter() {
            self.announce_start_to(tenant).await?;
        }
        Ok(())
    }

    async fn announce_start_to(&self, tenant: &Tenant) -> Result<(), StoreError> {
        let asking = tenant.route(&Event::Start {});
        if asking.is_empty() {
            return Ok(());
        }
        let mut events = Vec::new();
        for row in self.store.builders(tenant.name()).await? {
            let (name, state) = (row.builder.name.clone(), row.builder.state);
            events.push(Event::BuilderAdded { builder: row.builder });
            events.push(Event::BuilderChangedState { builder: name, state });
        }
        events.push(Event::Start {});
        // To all others the builders are no news: they were told of them when they came.
        let wants = |target: &str| asking.iter().any(|new| new.target == target);
        let events = events
            .into_iter()
            .map(|event| {
                let deliveries = tenant.route(&event).into_iter().filter(|new| wants(&new.target)).collect();
                NewEvent { event, deliveries }
            })
            .collect();
        self.store
            .append(tenant.name(), Batch { events, ..Batch::default() }, self.clock.now())
            .await
            .map(drop)
    }

    /// Stores news of the end, and gives targets that took all news so far a moment to take this one too. Returns after
    /// ten seconds at most; what did not go out goes out after the next start.
    pub async fn announce_end(&self) {
        let tenants = self.tenants();
        let announcing = tenants.iter().map(|tenant| self.announce_end_to(tenant));
        futures_util::future::join_all(announcing).await;
    }

    async fn announce_end_to(&self, tenant: &Tenant) {
        let deliveries = tenant.route(&Event::Shutdown {});
        let mut hopeful: Vec<String> = deliveries.iter().map(|new| new.target.clone()).collect();
        if hopeful.is_empty() {
            return;
        }
        let events = vec![NewEvent { event: Event::Shutdown {}, deliveries }];
        let batch = Batch { events, ..Batch::default() };
        if let Err(error) = self.store.append(tenant.name(), batch, self.clock.now()).await {
            return tracing::error!(tenant = tenant.name(), "shutdown cannot be announced: {error}");
        }
        // One that fails would hold up the end for nothing.
        hopeful.retain(|target| !self.failing.contains(tenant.name(), target));
        for target in &hopeful {
            if let Err(error) = self.store.retry_now(tenant.name(), target, self.clock.now()).await {
                tracing::error!(
                    tenant = tenant.name(),
                    target,
                    "target gets its news after the next start only: {error}"
                );
            }
        }
        self.wake.notify_one();
        let all_taken = async {
            for target in &hopeful {
                while !self.failing.contains(tenant.name(), target)
                    && self.has_waiting(tenant.name(), target).await
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        if tokio::time::timeout(ANNOUNCE_TIMEOUT, all_taken).await.is_err() {
            tracing::warn!(
                tenant = tenant.name(),
                "shutdown does not wait for all news: the rest goes out after the next start"
            );
        }
    }

    async fn has_waiting(&self, tenant: &str, target: &str) -> bool {
        let query = DeliveryQuery {
            state: Some(DeliveryState::Waiting),
            target: Some(target.to_owned()),
            event: None,
            page: Page { limit: 1, before: None },
        };
        self.store.deliveries(tenant, &query).await.is_ok_and(|waiting| !waiting.is_empty())
    }
}
