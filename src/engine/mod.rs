//! The middle: takes events in, decides which targets they concern, and sees every delivery through to its end.
//!
//! `load` makes a tenant of the settings, `components` changes versions of its callbacks, `Engine` takes events in and
//! swaps tenants, `polling` looks at what pollers name, `workers` prepare, keep and send, `retry` says when to try again,
//! `retention` removes what is old, `explain` why an event was told of or not.
//!
//! Invariant: knows nothing of HTTP or the command line.

mod audit;
mod clock;
mod components;
mod desk;
mod drops;
mod explain;
mod facts;
mod fetched;
mod lifecycle;
mod load;
mod metrics;
mod polling;
mod process;
mod pulse;
mod retention;
mod retry;
mod spans;
mod tenant;
mod tokens;
mod workers;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify, watch};

use drops::Drops;
use lifecycle::Failing;

use crate::callbacks::Runtime;
use crate::config::Problem;
use crate::model::{Builder, Event};
use crate::outbound::trace;
use crate::store::{Appended, AuditEntry, Batch, Incoming, Store, StoreError};
use crate::telemetry::Telemetry;

pub use clock::now;
pub use components::{Activation, Care, Refused};
pub use explain::{Explanation, Word, explain};
pub use load::{Checked, check};
pub use metrics::Metrics;
pub use tenant::Tenant;
pub use tokens::{NoToken, Tokens};

/// The name under which this node takes deliveries. A store file belongs to one node (`serve` holds its lock), so a
/// start under the same name may take back what an earlier run had taken.
const NODE: &str = "node";

/// Takes events in and sees their deliveries through.
pub struct Engine {
    settings_file: PathBuf,
    runtime: Runtime,
    store: Arc<dyn Store>,
    tenant: ArcSwap<Tenant>,
    metrics: Arc<Metrics>,
    /// Told when there may be something to deliver.
    wake: Arc<Notify>,
    /// How often deliveries were looked for.
    turns: watch::Sender<u64>,
    /// Told when another tenant has taken the place of the one in use.
    replaced: Notify,
    /// Told when somebody has asked for the engine's end.
    end: Arc<Notify>,
    /// What queues had to drop.
    drops: Drops,
    /// Targets whose last hand-over failed.
    failing: Failing,
    telemetry: Telemetry,
    /// Who may use the API, beside the bearer of the settings' own token.
    tokens: Tokens,
    /// Held while settings or callbacks change, so that two changes don't cross.
    changing: Mutex<()>,
}

impl Engine {
    /// An engine for a tenant that `check` has made, on an open store.
    #[must_use]
    pub fn new(
        settings_file: PathBuf,
        runtime: Runtime,
        store: Arc<dyn Store>,
        mut checked: Checked,
    ) -> Self {
        let telemetry = Telemetry::start(checked.collector.take());
        let (metrics, end) = (Arc::new(Metrics::new()), Arc::new(Notify::new()));
        let tenant = Tenant::new(checked, Arc::clone(&store), Arc::clone(&metrics), &telemetry, &end);
        let tokens = Tokens::new(Arc::clone(&store));
        Self {
            settings_file,
            runtime,
            store,
            tenant: ArcSwap::from_pointee(tenant),
            metrics,
            wake: Arc::new(Notify::new()),
            turns: watch::Sender::new(0),
            replaced: Notify::new(),
            end,
            drops: Drops::default(),
            failing: Failing::default(),
            telemetry,
            tokens,
            changing: Mutex::new(()),
        }
    }

    /// The tenant as it is now; a reload puts another in its place.
    #[must_use]
    pub fn tenant(&self) -> Arc<Tenant> {
        self.tenant.load_full()
    }

    /// What is kept.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Who may use the API, beside the bearer of the settings' own token.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Keeps who changed what through the API, and what came of it.
    pub async fn note_audit(&self, who: String, place: String, what: String, answer: String) {
        let entry = AuditEntry { at: now(), who, place, what, answer };
        if let Err(error) = self.store.note_audit(self.tenant().name(), entry).await {
            tracing::error!("the audit log misses what was changed: {error}");
        }
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What is told of what is done.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The settings file that reloads read.
    #[must_use]
    pub fn settings_file(&self) -> &std::path::Path {
        &self.settings_file
    }

    /// Waits until somebody, by `[control] shutdown = "engine"`, asks for the engine's end.
    pub async fn end_asked(&self) {
        self.end.notified().await;
    }

    /// Takes events in: when this returns, they and their deliveries are durable.
    ///
    /// # Errors
    /// When the store fails; then nothing of the batch was taken.
    pub async fn accept(
        &self,
        events: Vec<Event>,
        dedup_key: Option<String>,
    ) -> Result<Appended, StoreError> {
        self.take_in(events, Batch { dedup_key, ..Batch::default() }).await
    }

    /// Stores a batch with these events in it, each with the deliveries that it leads to.
    async fn take_in(&self, events: Vec<Event>, batch: Batch) -> Result<Appended, StoreError> {
        let tenant = self.tenant();
        let names: Vec<&'static str> = events.iter().map(Event::name).collect();
        let events: Vec<Incoming> =
            events.into_iter().map(|event| Incoming { deliveries: tenant.route(&event), event }).collect();
        let expects_work = events.iter().any(|incoming| !incoming.deliveries.is_empty());
        let (came, began) = (now(), std::time::Instant::now());
        let parent = trace::current();
        let trace = self.telemetry.begin(parent);
        let appended = self.store.append(tenant.name(), Batch { events, trace, ..batch }, came).await?;
        spans::accepted(&self.telemetry, trace, parent, came, || {
            let tenant = ("campanile.tenant", tenant.name().to_owned());
            vec![tenant, ("campanile.events", names.join(" "))]
        });
        self.metrics.appended_after(began.elapsed());
        if let Appended::Stored { ids, dropped } = &appended {
            for (name, _) in names.iter().zip(ids).filter(|(_, id)| id.is_some()) {
                self.metrics.event_accepted(name);
            }
            self.drops.note(dropped, &self.metrics);
        }
        if expects_work {
            self.wake.notify_one();
        }
        Ok(appended)
    }

    /// Makes a dead or delivered delivery wait again. False if there is none such.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retry(&self, id: i64) -> Result<bool, StoreError> {
        let retried = self.store.retry(self.tenant().name(), id, now()).await?;
        self.wake.notify_one();
        Ok(retried)
    }

    /// Logs names in the settings that no builder has, if any builder is known at all (M-04b).
    pub async fn warn_of_unknown_names(&self, tenant: &Tenant) {
        let builders: Vec<Builder> = match self.store.builders(tenant.name()).await {
            Ok(rows) => rows.into_iter().map(|row| row.builder).collect(),
            Err(error) => return tracing::warn!("cannot read the builders: {error}"),
        };
        if builders.is_empty() {
            return;
        }
        for target in tenant.targets() {
            for unknown in target.unknown_names(&builders) {
                tracing::warn!(target = target.name(), "{unknown}");
            }
        }
    }

    /// Reads the settings file anew and puts it to use; with an error in it, everything stays as it was.
    ///
    /// # Errors
    /// All problems, when one of them is an error; otherwise the warnings come back as the value.
    pub async fn reload(&self) -> Result<Vec<Problem>, Vec<Problem>> {
        let _turn = self.changing.lock().await;
        let (checked, mut problems) = check(&self.settings_file, &self.runtime).await;
        let Some(checked) = checked else {
            self.metrics.reload("refused");
            return Err(problems);
        };
        let old = self.tenant();
        if old.listen() != checked.settings.server.listen || old.store_url() != checked.settings.store_url {
            tracing::warn!("`server.listen` or `store.url` changed: they count from the next start");
        }
        let tenant = Tenant::new(
            checked,
            Arc::clone(&self.store),
            Arc::clone(&self.metrics),
            &self.telemetry,
            &self.end,
        );
        let lost = self.take_up_versions(&tenant).await;
        if !lost.is_empty() {
            self.metrics.reload("refused");
            problems.extend(lost);
            return Err(problems);
        }
        self.warn_of_unknown_names(&tenant).await;
        self.open_targets(&tenant, Some(&old)).await;
        self.tenant.store(Arc::new(tenant));
        self.replaced.notify_one();
        self.metrics.reload("done");
        self.wake.notify_one();
        Ok(problems)
    }
}
