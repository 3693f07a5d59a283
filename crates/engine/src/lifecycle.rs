//! Start and end of the engine, as news for the targets that ask for it (P-PKT-04, P-CYC-10).

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, Tenant};
use campanile_model::Event;
use campanile_store::{Batch, DeliveryQuery, DeliveryState, NewEvent, Page, StoreError};

/// Most deliveries of a target that are hurried at each look.
const HURRIED: u32 = 256;
/// Interval at which it is looked if targets have taken the last news.
const LOOK_EVERY: Duration = Duration::from_millis(20);

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

    /// Stores news of the end, and gives targets that took all news so far the time until `deadline` to take this one too;
    /// what did not go out goes out after the next start. To be called when nothing else comes in any more: it is the last.
    pub async fn announce_end(&self, deadline: Instant) {
        let tenants = self.tenants();
        let announcing = tenants.iter().map(|tenant| self.announce_end_to(tenant, deadline));
        futures_util::future::join_all(announcing).await;
    }

    async fn announce_end_to(&self, tenant: &Tenant, deadline: Instant) {
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
        hopeful.retain(|target| !self.health.is_failing(tenant.name(), target));
        let all_taken = async {
            for target in &hopeful {
                while !self.health.is_failing(tenant.name(), target)
                    && self.has_waiting(tenant.name(), target).await
                {
                    // Again and again: a push under way begins a cooldown when it ends, and nobody waits for that now.
                    self.hurry(tenant.name(), target).await;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        };
        if tokio::time::timeout_at(deadline, all_taken).await.is_err() {
            tracing::warn!(
                tenant = tenant.name(),
                "shutdown does not wait for all news: the rest goes out after the next start"
            );
        }
    }

    /// Makes due what waits for a target: there is no time left for a pace.
    async fn hurry(&self, tenant: &str, target: &str) {
        match self.store.retry_now(tenant, target, HURRIED, Duration::ZERO, self.clock.now()).await {
            Ok(0) => {}
            Ok(_) => self.wake.notify_one(),
            Err(error) => tracing::warn!(tenant, target, "what waits stays for the next start: {error}"),
        }
    }

    async fn has_waiting(&self, tenant: &str, target: &str) -> bool {
        let query = DeliveryQuery {
            state: Some(DeliveryState::Waiting),
            target: Some(target.to_owned()),
            event: None,
            since: None,
            until: None,
            page: Page { limit: 1, before: None },
        };
        self.store.deliveries(tenant, &query).await.is_ok_and(|waiting| !waiting.is_empty())
    }
}
