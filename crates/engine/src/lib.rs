//! The middle: takes events in, decides which targets they concern, and sees every delivery through to its end.
//!
//! `load` makes a tenant of the settings, `tenants` holds all that there are, `usage` what they have used of their limits, `components` changes versions of its callbacks, `Engine` takes events in and
//! swaps tenants, `polling` looks at what pollers name, `workers` prepare, keep and send in the order of `turns`, `retry` says when to try again,
//! `retention` removes what is old, `explain` why an event was told of or not.
//!
//! Invariant: knows nothing of HTTP or the command line.

mod audit;
mod backfill;
mod components;
mod drops;
mod explain;
mod lifecycle;
mod load;
mod metrics;
mod polling;
mod process;
mod pulse;
mod retention;
mod retry;
mod scheduler;
mod session_context;
mod spans;
pub mod telemetry;
mod tenant;
mod tenant_files;
mod tenant_status;
mod tenants;
mod tokens;
mod usage;
mod workers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify, watch};

use drops::Drops;
use lifecycle::Failing;

use crate::telemetry::Telemetry;
use campanile_callbacks::Runtime;
use campanile_config::Problem;
use campanile_model::{Builder, Event, Timestamp};
use campanile_outbound::trace;
use campanile_store::{Appended, AuditEntry, Batch, NewEvent, Store, StoreError};

use campanile_model::now;
pub use components::{ActivateError, ActivateOptions, Deployment};
pub use explain::{Explanation, Word, explain};
pub use load::{Checked, check};
pub use metrics::Metrics;
pub use tenant::Tenant;
pub use tenant_files::TenantChangeError;
pub use tenants::{Home, Stamp, Tenants};
pub use tokens::{TokenError, Tokens};
pub use usage::{LimitError, Usage};

/// The name under which this node takes deliveries. A store file belongs to one node (`serve` holds its lock), so a
/// start under the same name may take back what an earlier run had taken.
const NODE: &str = "node";

/// Why events were not taken in.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The tenant has reached a limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How large an event is when it is kept.
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

/// Takes events in and sees their deliveries through.
pub struct Engine {
    settings_file: PathBuf,
    runtime: Runtime,
    store: Arc<dyn Store>,
    tenants: ArcSwap<Tenants>,
    /// What the files of tenants looked like when they were read.
    read: Mutex<BTreeMap<String, Stamp>>,
    /// What tenants have used of their limits.
    usage: Mutex<BTreeMap<String, Arc<Usage>>>,
    metrics: Arc<Metrics>,
    /// Told when there may be something to deliver.
    wake: Arc<Notify>,
    /// How often deliveries were looked for.
    turns: watch::Sender<u64>,
    /// Told when another tenant has taken the place of the one in use.
    replaced: Notify,
    /// Told when what tenants keep is to be looked at.
    recount: Notify,
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
        let usage = Arc::new(Usage::new(0, now()));
        let parts = (Arc::clone(&store), Arc::clone(&metrics));
        let tenant = Tenant::new(tenant::OWN, checked, Arc::clone(&usage), parts, &telemetry, &end);
        let tokens = Tokens::new(Arc::clone(&store));
        Self {
            settings_file,
            runtime,
            store,
            tenants: ArcSwap::from_pointee(Tenants::alone(Arc::new(tenant))),
            read: Mutex::default(),
            usage: Mutex::new([(tenant::OWN.to_owned(), usage)].into()),
            metrics,
            wake: Arc::new(Notify::new()),
            turns: watch::Sender::new(0),
            replaced: Notify::new(),
            recount: Notify::new(),
            end,
            drops: Drops::default(),
            failing: Failing::default(),
            telemetry,
            tokens,
            changing: Mutex::new(()),
        }
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
    pub async fn record_audit(&self, tenant: &str, who: String, place: String, what: String, answer: String) {
        let entry = AuditEntry { at: now(), who, place, what, answer };
        if let Err(error) = self.store.record_audit(tenant, entry).await {
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
    /// When the tenant's limits don't allow it, or the store fails; then nothing of the batch was taken.
    pub async fn accept(
        &self,
        tenant: &Tenant,
        events: Vec<Event>,
        dedup_key: Option<String>,
    ) -> Result<Appended, IngestError> {
        self.ingest(tenant, events, Batch { dedup_key, ..Batch::default() }).await
    }

    /// Asks whether a tenant may have so many bytes more kept, and counts it if not.
    ///
    /// # Errors
    /// When its limits don't allow it.
    pub fn admit_bytes(&self, tenant: &Tenant, bytes: u64) -> Result<(), LimitError> {
        let admitted = tenant.usage().admit_bytes(tenant.limits(), bytes);
        admitted.inspect_err(|over| self.metrics.refused(tenant.name(), over.limit))
    }

    /// Stores a batch with these events in it, each with the deliveries that it leads to.
    async fn ingest(
        &self,
        tenant: &Tenant,
        events: Vec<Event>,
        batch: Batch,
    ) -> Result<Appended, IngestError> {
        let admitted = tenant.usage().admit(tenant.limits(), events.len(), now());
        admitted.inspect_err(|over| self.metrics.refused(tenant.name(), over.limit))?;
        if tenant.limits().stored_bytes.is_some() {
            tenant.usage().add_bytes(events.iter().map(size).sum());
        }
        let names: Vec<&'static str> = events.iter().map(Event::name).collect();
        let events: Vec<NewEvent> =
            events.into_iter().map(|event| NewEvent { deliveries: tenant.route(&event), event }).collect();
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
                self.metrics.event_accepted(tenant.name(), name);
            }
            self.drops.note(tenant.name(), dropped, &self.metrics);
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
    pub async fn retry(&self, tenant: &Tenant, id: i64) -> Result<bool, StoreError> {
        let retried = self.store.retry(tenant.name(), id, now()).await?;
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

    /// A tenant of checked settings, which goes on with what one of its name has used.
    async fn new_tenant(&self, name: &str, checked: Checked) -> Tenant {
        let mut all = self.usage.lock().await;
        let usage = match all.get(name) {
            Some(usage) => Arc::clone(usage),
            None => {
                let midnight = Timestamp::from_seconds(now().as_seconds().div_euclid(86_400) * 86_400);
                let today = self.store.events_since(name, midnight).await.unwrap_or_else(|error| {
                    tracing::error!(tenant = name, "cannot count the events of today: {error}");
                    0
                });
                let usage = Arc::new(Usage::new(today, now()));
                all.insert(name.to_owned(), Arc::clone(&usage));
                usage
            }
        };
        let parts = (Arc::clone(&self.store), Arc::clone(&self.metrics));
        Tenant::new(name, checked, usage, parts, &self.telemetry, &self.end)
    }

    /// Reads the settings file anew and puts it to use; with an error in it, everything stays as it was.
    ///
    /// # Errors
    /// All problems, when one of them is an error; otherwise the warnings come back as the value.
    pub async fn reload(&self) -> Result<Vec<Problem>, Vec<Problem>> {
        let _turn = self.changing.lock().await;
        let (checked, mut problems) = check(&self.settings_file, &self.runtime).await;
        let Some(checked) = checked else {
            self.metrics.reload(tenant::OWN, "refused");
            return Err(problems);
        };
        let old = self.tenant();
        if old.listen() != checked.settings.server.listen || old.store_url() != checked.settings.store_url {
            tracing::warn!("`server.listen` or `store.url` changed: they count from the next start");
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
            // What the operator says of all tenants counts for each of them.
            self.read.lock().await.clear();
        }
        self.metrics.reload(tenant::OWN, "done");
        self.wake.notify_one();
        Ok(problems)
    }
}
