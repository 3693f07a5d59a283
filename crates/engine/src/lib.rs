//! The engine: takes events in, decides which targets they concern, and sees every delivery through to its end.
//!
//! # Layout, in reading order
//!
//! - [`Engine`] (here): takes events in (`ingest`), reloads settings;
//! - `load`, `tenant`, `tenants`, `tenant_files`: from settings to tenants in use; `usage`: their use of their limits;
//! - `delivery_loop` claims in the order of `scheduler`, which shares `slots` out; `workers`: prepare, store, send, settle,
//!   under `leases`; `suspects`: what an earlier run died of; `retry`: times of further attempts;
//! - `polling`: pollers' times; `backfill`: asks the master for what nobody told; `build_changes`: a
//!   push and the builds of it meet;
//! - `components`: deployment of callback versions;
//! - `session_context`, `tenant_status`, `audit`: what targets and callbacks may ask;
//! - `lifecycle`, `services`, `heartbeat`: start, end and proof of life; `retention`: removes what is old;
//! - `metrics` with `process`, `telemetry` with `spans`, `drop_log`, `explain`, `repeats`: what people see of all that.
//!
//! Invariant: knows nothing of HTTP or the command line.

mod audit;
mod backfill;
mod build_changes;
mod clock;
mod components;
mod delivery_loop;
mod drop_log;
mod explain;
mod heartbeat;
mod leases;
mod lifecycle;
mod load;
mod metrics;
mod pace;
mod polling;
mod process;
mod recovery;
mod repeats;
mod rests;
mod retention;
mod retry;
mod scheduler;
mod services;
mod session_context;
mod slots;
mod spans;
mod store_retry;
mod suspects;
mod telemetry;
mod tenant;
mod tenant_files;
mod tenant_status;
mod tenants;
#[cfg(test)]
mod tests;
mod tokens;
mod usage;
mod workers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;

use campanile_callbacks::Runtime;
use campanile_config::Problem;
use campanile_model::{Builder, Event, Timestamp};
use campanile_outbound::trace;
use campanile_store::{Appended, AuditEntry, Batch, NewEvent, Store, StoreError};
use clock::Clock;
use drop_log::DropLog;
use leases::Leases;
use recovery::{ReturnedTargets, TargetHealth};
use rests::Rests;
use services::EndedServices;
use suspects::AttemptOpenings;
use tenant::TenantParts;

pub use components::{ActivateError, ActivateOptions, Deployment};
pub use explain::{ExplainError, Explanation, TargetExplanation, explain};
pub use load::{Checked, check};
pub use metrics::Metrics;
pub use repeats::{Repeat, repeats};
pub use telemetry::{Collector, Telemetry};
pub use tenant::Tenant;
pub use tenant_files::TenantChangeError;
pub use tenants::{Stamp, Tenants};
pub use tokens::{TokenError, Tokens};
pub use usage::{LimitError, Usage};

/// Tells a service to end: once it is there, by that time.
pub type Stop = watch::Receiver<Option<Instant>>;

/// Owner of this node's leases. A store file belongs to one node (`serve` holds its lock), so a start under the same name
/// may give back what an earlier run had claimed.
const NODE: &str = "node";

/// The reason why events were not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The tenant has reached a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The size of an event as it is stored, in bytes.
fn size(event: &Event) -> u64 {
    struct Count(u64);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail.
    let _ = serde_json::to_writer(&mut count, event);
    count.0
}

/// The engine of one node: takes events in and sees their deliveries through.
///
/// Its loops ([`Engine::run_deliveries`], [`Engine::run_pollers`], [`Engine::run_retention`]) are run by the caller, one of
/// each; all other methods may be called by anybody at any time.
pub struct Engine {
    settings_file: PathBuf,
    runtime: Runtime,
    store: Arc<dyn Store>,
    clock: Clock,
    tenants: ArcSwap<Tenants>,
    /// Fingerprints of tenants' files, as they were when they were read.
    stamps: Mutex<BTreeMap<String, Stamp>>,
    /// Tenants' use of their limits, which outlives changes of their settings.
    usage: Mutex<BTreeMap<String, Arc<Usage>>>,
    metrics: Arc<Metrics>,
    /// Wakes the workers: there may be something to claim.
    wake: Arc<Notify>,
    /// Number of passes of the workers' loop.
    passes: watch::Sender<u64>,
    /// Notifies the pollers' loop of a change of tenants.
    replaced: Notify,
    /// Notifies retention of a change of tenants.
    recount: Notify,
    /// Notified when somebody asks for the engine's end.
    shutdown: Arc<Notify>,
    drops: DropLog,
    health: Arc<TargetHealth>,
    returned: Arc<ReturnedTargets>,
    rests: Rests,
    leases: Arc<Leases>,
    openings: AttemptOpenings,
    ended: EndedServices,
    telemetry: Telemetry,
    tokens: Tokens,
    /// Held while settings or callbacks change, so that two changes don't cross: each reads what is in use, prepares, and
    /// puts its result in the place of that.
    changing: Mutex<()>,
}

impl Engine {
    /// Makes an engine for the settings that [`check`] has read, on an open store. Does nothing yet; needs a runtime.
    #[must_use]
    pub fn new(settings_file: PathBuf, runtime: Runtime, store: Arc<dyn Store>, checked: Checked) -> Self {
        Self::with_clock(settings_file, runtime, store, checked, Clock::default())
    }

    fn with_clock(
        settings_file: PathBuf,
        runtime: Runtime,
        store: Arc<dyn Store>,
        mut checked: Checked,
        clock: Clock,
    ) -> Self {
        let telemetry = Telemetry::start(checked.collector.take(), clock.clone());
        let (metrics, shutdown) = (Arc::new(Metrics::new()), Arc::new(Notify::new()));
        let usage = Arc::new(Usage::new(0, clock.now()));
        let parts = TenantParts {
            store: Arc::clone(&store),
            metrics: Arc::clone(&metrics),
            telemetry: telemetry.clone(),
            clock: clock.clone(),
            shutdown: Arc::clone(&shutdown),
        };
        let tenant = Tenant::new(tenant::OWN, checked, Arc::clone(&usage), parts);
        let tokens = Tokens::new(Arc::clone(&store), clock.clone());
        Self {
            settings_file,
            runtime,
            store,
            clock,
            tenants: ArcSwap::from_pointee(Tenants::new(Arc::new(tenant))),
            stamps: Mutex::default(),
            usage: Mutex::new([(tenant::OWN.to_owned(), usage)].into()),
            metrics,
            wake: Arc::new(Notify::new()),
            passes: watch::Sender::new(0),
            replaced: Notify::new(),
            recount: Notify::new(),
            shutdown,
            drops: DropLog::default(),
            health: Arc::default(),
            returned: Arc::default(),
            rests: Rests::default(),
            leases: Arc::default(),
            openings: AttemptOpenings::default(),
            ended: EndedServices::default(),
            telemetry,
            tokens,
            changing: Mutex::new(()),
        }
    }

    /// The store that it was made with.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The tokens of the API, beside the one in the settings.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Puts a change through the API into the audit log: who made it, from where, what it was and what came of it. A
    /// failure is logged and no more: the change has been made.
    pub async fn record_audit(&self, tenant: &str, who: String, place: String, what: String, answer: String) {
        let entry = AuditEntry { at: self.clock.now(), who, place, what, answer };
        if let Err(error) = self.store.record_audit(tenant, entry).await {
            tracing::error!(tenant, "audit log misses a change through the API: {error}");
        }
    }

    /// Its counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Its traces.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Writes the page that Prometheus reads, in OpenMetrics' text form. Costs a look at each waiting delivery.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn render_metrics(&self) -> Result<String, StoreError> {
        // Asked first: collectors can't wait.
        let scrape = metrics::Scrape {
            counts: self.store.delivery_counts().await?,
            store: self.store.stats().await?,
            spans: self.telemetry.counts(),
            now: self.clock.now(),
        };
        Ok(self.metrics.render(scrape))
    }

    /// The settings file that reloads read.
    #[must_use]
    pub fn settings_file(&self) -> &std::path::Path {
        &self.settings_file
    }

    /// Waits until somebody, by `[control] shutdown = "engine"`, asks for the engine's end. Cancel safe.
    pub async fn shutdown_requested(&self) {
        self.shutdown.notified().await;
    }

    /// Takes events in: when this returns, they and their deliveries are durable. Cancelled, they may be all the same.
    /// `dedup_key` is the sender's name for the request, of which a second one stores nothing.
    ///
    /// # Errors
    /// When the tenant's limits don't allow it, or the store fails; then nothing of the batch was taken.
    pub async fn ingest(
        &self,
        tenant: &Tenant,
        events: Vec<Event>,
        dedup_key: Option<String>,
    ) -> Result<Appended, IngestError> {
        self.ingest_batch(tenant, events, Batch { dedup_key, ..Batch::default() }).await
    }

    /// Admits so many bytes more to be stored of a tenant; counts a refusal.
    ///
    /// # Errors
    /// When its limits don't allow it.
    pub fn admit_bytes(&self, tenant: &Tenant, bytes: u64) -> Result<(), LimitError> {
        let admitted = tenant.usage().admit_bytes(tenant.limits(), bytes);
        admitted.inspect_err(|over| self.metrics.refused(tenant.name(), over.limit))
    }

    /// Stores a batch with these events in it, each with the deliveries that it leads to.
    async fn ingest_batch(
        &self,
        tenant: &Tenant,
        events: Vec<Event>,
        batch: Batch,
    ) -> Result<Appended, IngestError> {
        let admitted = tenant.usage().admit(tenant.limits(), events.len(), self.clock.now());
        admitted.inspect_err(|over| self.metrics.refused(tenant.name(), over.limit))?;
        if tenant.limits().stored_bytes.is_some() || tenant.limits().event_bytes.is_some() {
            let mut all = 0_u64;
            for bytes in events.iter().map(size) {
                let admitted = Usage::admit_event(tenant.limits(), bytes);
                admitted.inspect_err(|over| self.metrics.refused(tenant.name(), over.limit))?;
                all = all.saturating_add(bytes);
            }
            tenant.usage().add_bytes(all);
        }
        let names: Vec<&'static str> = events.iter().map(Event::name).collect();
        let events: Vec<NewEvent> =
            events.into_iter().map(|event| NewEvent { deliveries: tenant.route(&event), event }).collect();
        let has_deliveries = events.iter().any(|new| !new.deliveries.is_empty());
        let (came, began) = (self.clock.now(), Instant::now());
        let parent = trace::current();
        let trace = self.telemetry.child_of(parent);
        let appended = self.store.append(tenant.name(), Batch { events, trace, ..batch }, came).await?;
        spans::accepted(&self.telemetry, trace, parent, came, || {
            let tenant = ("campanile.tenant", tenant.name().to_owned());
            vec![tenant, ("campanile.events", names.join(" "))]
        });
        self.metrics.appended_after(began.elapsed());
        if let Appended::Stored { ids, dropped, .. } = &appended {
            for (name, _) in names.iter().zip(ids).filter(|(_, id)| id.is_some()) {
                self.metrics.event_accepted(tenant.name(), name);
            }
            self.drops.record(tenant.name(), dropped, &self.metrics);
        }
        if has_deliveries {
            self.wake.notify_one();
        }
        Ok(appended)
    }

    /// Logs names in the settings that no builder has, if any builder is known at all (M-04b).
    pub async fn warn_of_unknown_names(&self, tenant: &Tenant) {
        let builders: Vec<Builder> = match self.store.builders(tenant.name()).await {
            Ok(rows) => rows.into_iter().map(|row| row.builder).collect(),
            Err(error) => return tracing::warn!(tenant = tenant.name(), "builders cannot be read: {error}"),
        };
        if builders.is_empty() {
            return;
        }
        for target in tenant.targets() {
            for unknown in target.unknown_names(&builders) {
                tracing::warn!(tenant = tenant.name(), target = target.name(), "target: {unknown}");
            }
        }
    }

    /// Makes a tenant of checked settings. It goes on with the usage of the one of its name that was there before.
    async fn new_tenant(&self, name: &str, checked: Checked) -> Tenant {
        let mut all = self.usage.lock().await;
        let usage = match all.get(name) {
            Some(usage) => Arc::clone(usage),
            None => {
                let now = self.clock.now();
                let midnight = Timestamp::from_seconds(now.as_seconds().div_euclid(86_400) * 86_400);
                let today = self.store.events_since(name, midnight).await.unwrap_or_else(|error| {
                    tracing::error!(tenant = name, "events of today cannot be counted: {error}");
                    0
                });
                let usage = Arc::new(Usage::new(today, now));
                all.insert(name.to_owned(), Arc::clone(&usage));
                usage
            }
        };
        let parts = TenantParts {
            store: Arc::clone(&self.store),
            metrics: Arc::clone(&self.metrics),
            telemetry: self.telemetry.clone(),
            clock: self.clock.clone(),
            shutdown: Arc::clone(&self.shutdown),
        };
        Tenant::new(name, checked, usage, parts)
    }

    /// Reads the settings file anew and puts it to use. With an error in it, everything stays as it was.
    ///
    /// # Errors
    /// All problems, when one of them is an error; otherwise the warnings come back as the value.
    pub async fn reload(&self) -> Result<Vec<Problem>, Vec<Problem>> {
        let _changing = self.changing.lock().await;
        let (checked, mut problems) = check(&self.settings_file, &self.runtime).await;
        let Some(checked) = checked else {
            self.metrics.reload(tenant::OWN, "refused");
            return Err(problems);
        };
        let old = self.tenant();
        if old.listen() != checked.settings.server.listen || old.store_url() != checked.settings.store_url {
            tracing::warn!(
                "settings: `server.listen` or `store.url` changed: they count from the next start"
            );
        }
        let tenant = self.new_tenant(tenant::OWN, checked).await;
        let lost = self.restore_active_versions(&tenant).await;
        if !lost.is_empty() {
            self.metrics.reload(tenant::OWN, "refused");
            problems.extend(lost);
            return Err(problems);
        }
        self.warn_of_unknown_names(&tenant).await;
        self.open_targets(&tenant, Some(&old)).await;
        let others_changed = old.tenants_settings() != tenant.tenants_settings();
        self.replace_own(&Arc::new(tenant));
        if others_changed {
            // Their settings were checked by the operator's: forgotten, they are read anew at the next look.
            self.stamps.lock().await.clear();
        }
        self.metrics.reload(tenant::OWN, "done");
        self.wake.notify_one();
        Ok(problems)
    }
}
