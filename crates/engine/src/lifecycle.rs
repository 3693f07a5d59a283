//! Tells targets that ask for it that the engine begins its work or is about to end (P-PKT-04, P-CYC-10).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Engine, Tenant, now};
use campanile_model::Event;
use campanile_store::{Batch, DeliveryQuery, DeliveryState, NewEvent, Page, Settlement, StoreError};

/// So long the end waits for targets to take the news of it.
const LAST_PUSH: Duration = Duration::from_secs(10);

/// Targets whose last hand-over failed.
#[derive(Default)]
pub(super) struct Failing(Mutex<HashSet<(String, String)>>);

impl Failing {
    pub(super) fn note(&self, tenant: &str, target: &str, settled: &Settlement) {
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
    /// Tells of the builders that are known, and then of the start.
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
        let told = tenant.route(&Event::Start {});
        if told.is_empty() {
            return Ok(());
        }
        let mut events = Vec::new();
        for row in self.store.builders(tenant.name()).await? {
            let (name, state) = (row.builder.name.clone(), row.builder.state);
            events.push(Event::BuilderAdded { builder: row.builder });
            events.push(Event::BuilderChangedState { builder: name, state });
        }
        events.push(Event::Start {});
        // Nobody else is told again of what has been there before.
        let asked = |target: &str| told.iter().any(|new| new.target == target);
        let events = events
            .into_iter()
            .map(|event| {
                let deliveries = tenant.route(&event).into_iter().filter(|new| asked(&new.target)).collect();
                NewEvent { event, deliveries }
            })
            .collect();
        self.store.append(tenant.name(), Batch { events, ..Batch::default() }, now()).await.map(drop)
    }

    /// Tells of the end, and gives those who took all news so far a moment to take this one too.
    pub async fn announce_end(&self) {
        let tenants = self.tenants();
        let telling = tenants.iter().map(|tenant| self.announce_end_to(tenant));
        futures_util::future::join_all(telling).await;
    }

    async fn announce_end_to(&self, tenant: &Tenant) {
        let deliveries = tenant.route(&Event::Shutdown {});
        let mut hopeful: Vec<String> = deliveries.iter().map(|new| new.target.clone()).collect();
        if hopeful.is_empty() {
            return;
        }
        let events = vec![NewEvent { event: Event::Shutdown {}, deliveries }];
        let batch = Batch { events, ..Batch::default() };
        if let Err(error) = self.store.append(tenant.name(), batch, now()).await {
            return tracing::error!("nobody can be told of the end: {error}");
        }
        hopeful.retain(|target| !self.failing.contains(tenant.name(), target));
        for target in &hopeful {
            if let Err(error) = self.store.retry_now(tenant.name(), target, now()).await {
                tracing::error!(target, "what waits goes out after the next start: {error}");
            }
        }
        self.wake.notify_one();
        let all_taken = async {
            for target in &hopeful {
                while !self.failing.contains(tenant.name(), target)
                    && self.waits_for(tenant.name(), target).await
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        };
        if tokio::time::timeout(LAST_PUSH, all_taken).await.is_err() {
            tracing::warn!("not all news went out; the rest goes out after the next start");
        }
    }

    async fn waits_for(&self, tenant: &str, target: &str) -> bool {
        let query = DeliveryQuery {
            state: Some(DeliveryState::Waiting),
            target: Some(target.to_owned()),
            event: None,
            page: Page { limit: 1, before: None },
        };
        self.store.deliveries(tenant, &query).await.is_ok_and(|waiting| !waiting.is_empty())
    }
}
