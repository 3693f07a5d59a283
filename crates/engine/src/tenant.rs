//! A tenant in use: its targets, hooks and callbacks, made once from its settings and never changed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::audit::AuditedControl;
use super::backfill::MasterBackfill;
use super::load::Checked;
use super::retry::Policy;
use super::tenant_status::TenantStatus;
use super::usage::Usage;
use super::{Clock, Metrics};
use crate::telemetry::Telemetry;
use campanile_callbacks::{Callback, Caller, Status};
use campanile_ci::control::Control;
use campanile_config::{Limits, MetricsAccess, Problem, Secret, Settings, TenantsSettings};
use campanile_inbound::hooks::Hooks;
use campanile_inbound::ingest::Sources;
use campanile_inbound::pollers::Poller;
use campanile_model::{Event, Timestamp};
use campanile_store::{Delivery, NewDelivery, Queue, Store};
use campanile_targets::{Context, QueuePosition, Target};

/// Name of the operator's own tenant.
pub(super) const OWN: &str = "default";

/// A tenant in use. Other settings make another one of the same name, which takes its place.
pub struct Tenant {
    name: Arc<str>,
    usage: Arc<Usage>,
    settings: Settings,
    targets: Vec<Arc<dyn Target>>,
    kinds: BTreeMap<String, &'static str>,
    hooks: Arc<Hooks>,
    sources: Sources,
    pollers: Vec<Arc<Poller>>,
    callbacks: BTreeMap<String, Callback>,
    unloaded: BTreeMap<String, Problem>,
    status: Arc<dyn Status>,
    backfill: Option<Arc<MasterBackfill>>,
    control: Arc<dyn Control>,
}

/// Parts of the engine that every tenant has at hand.
pub(super) struct TenantParts {
    pub(super) store: Arc<dyn Store>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) telemetry: Telemetry,
    pub(super) clock: Clock,
    /// Notified when the engine is to end.
    pub(super) shutdown: Arc<Notify>,
}

impl Tenant {
    /// Makes a tenant of checked settings. It does nothing yet: its targets are opened by the engine.
    pub(super) fn new(name: &str, checked: Checked, usage: Arc<Usage>, parts: TenantParts) -> Self {
        let TenantParts { store, metrics, telemetry, clock, shutdown } = parts;
        let Checked {
            settings,
            connected,
            steering,
            targets,
            kinds,
            hooks,
            sources,
            pollers,
            callbacks,
            unloaded,
            collector: _,
        } = checked;
        let name: Arc<str> = name.into();
        let links = settings.server.links();
        let control = Arc::new(AuditedControl {
            control: steering.control,
            store: Arc::clone(&store),
            tenant: Arc::clone(&name),
            engine_shutdown: steering.shutdown_ends_engine.then_some(shutdown),
            clock: clock.clone(),
        });
        let backfill = connected
            .map(|connected| Arc::new(MasterBackfill::new(connected, Arc::clone(&store), Arc::clone(&name))));
        let status = Arc::new(TenantStatus {
            tenant: Arc::clone(&name),
            title: settings.server.title.clone(),
            url: links.master(),
            links,
            store,
            metrics,
            backfill: backfill.clone(),
            telemetry,
            clock,
            usage: Arc::clone(&usage),
            limits: settings.limits.clone(),
        });
        Self {
            name,
            usage,
            settings,
            targets,
            kinds,
            hooks: Arc::new(hooks),
            sources,
            pollers,
            callbacks,
            unloaded,
            status,
            backfill,
            control,
        }
    }

    /// Its name; `default` for the tenant of the settings file itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its change hooks.
    #[must_use]
    pub fn hooks(&self) -> &Arc<Hooks> {
        &self.hooks
    }

    /// Other systems that tell of its builds, by its settings.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Its pollers, in the order of the settings.
    #[must_use]
    pub fn pollers(&self) -> &[Arc<Poller>] {
        &self.pollers
    }

    /// Its callbacks by name.
    #[must_use]
    pub fn callbacks(&self) -> &BTreeMap<String, Callback> {
        &self.callbacks
    }

    /// Callbacks whose file has no usable version, by name, with the problem.
    pub(super) fn unloaded(&self) -> &BTreeMap<String, Problem> {
        &self.unloaded
    }

    /// Bearer token for the API, if one is asked for.
    #[must_use]
    pub fn api_token(&self) -> Option<&Secret> {
        self.settings.server.api_token.as_ref()
    }

    /// Bearer token for telling of events, if there is one.
    #[must_use]
    pub fn events_token(&self) -> Option<&Secret> {
        self.settings.server.events_token.as_ref()
    }

    /// Names of this machine beside `localhost`.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.settings.server.hosts
    }

    /// Those who may read the metrics.
    #[must_use]
    pub fn metrics_access(&self) -> MetricsAccess {
        self.settings.server.metrics
    }

    /// True for the operator's own.
    #[must_use]
    pub fn is_own(&self) -> bool {
        &*self.name == OWN
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// Its use of what it has limits of. Shared with the tenants that stood in its place before.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The folder of other tenants' settings, and what these may do, if this is the operator's own.
    pub(super) fn tenants_settings(&self) -> Option<&TenantsSettings> {
        self.settings.tenants.as_ref()
    }

    /// Its targets, in the order of the settings.
    #[must_use]
    pub fn targets(&self) -> &[Arc<dyn Target>] {
        &self.targets
    }

    /// The kind of the target of this name: its table in the settings.
    #[must_use]
    pub fn target_kind(&self, name: &str) -> Option<&'static str> {
        self.kinds.get(name).copied()
    }

    /// The target of this name.
    pub(super) fn target(&self, name: &str) -> Option<&Arc<dyn Target>> {
        self.targets.iter().find(|target| target.name() == name)
    }

    /// Makes the deliveries that an event leads to: one for each target that it concerns.
    pub(super) fn route(&self, event: &Event) -> Vec<NewDelivery> {
        let wanted = self.targets.iter().filter_map(|target| Some((target, target.wants(event)?)));
        wanted
            .map(|(target, wanted)| NewDelivery {
                target: target.name().to_owned(),
                ordering_key: wanted.ordering_key,
                queue: wanted.queue.map(|queue| Queue { max: queue.max, delay: queue.delay }),
            })
            .collect()
    }

    /// The tenant's builds and logs.
    #[must_use]
    pub fn status(&self) -> &Arc<dyn Status> {
        &self.status
    }

    /// The source of what nobody told, if there is one.
    pub(super) fn backfill(&self) -> Option<&MasterBackfill> {
        self.backfill.as_deref()
    }

    /// The control of its CI; every use of it goes into the audit log.
    pub(super) fn control(&self) -> &Arc<dyn Control> {
        &self.control
    }

    /// The file in the settings that a callback comes from.
    pub(super) fn component_file(&self, callback: &str) -> Option<&std::path::Path> {
        self.settings.callbacks.get(callback)?.component.as_deref()
    }

    /// Files of its callbacks' components.
    #[must_use]
    pub fn component_files(&self) -> Vec<std::path::PathBuf> {
        self.settings.callbacks.values().filter_map(|callback| callback.component.clone()).collect()
    }

    /// The context in which a target prepares this delivery.
    pub(super) fn context(&self, delivery: &Delivery, now: Timestamp) -> Context {
        let caller = Caller { status: Arc::clone(&self.status), delivery: Some(delivery.id) };
        let position =
            delivery.place.map(|place| QueuePosition { number: place.number, started: place.started });
        Context { caller, now, position, created: delivery.created }
    }

    /// The time for which news of a build waits for the push of its revision. None when nothing tells of pushes.
    pub(super) fn change_wait(&self) -> Duration {
        let is_told = self.hooks.any() || !self.pollers.is_empty();
        if is_told { self.settings.change_wait } else { Duration::ZERO }
    }

    /// The retry policy for a target: its own, or that of the settings.
    pub(super) fn retry_policy(&self, target: &str) -> Policy {
        match self.target(target).and_then(|target| target.backoff()) {
            Some(backoff) => Policy::with_backoff(backoff),
            None => Policy::new(self.settings.max_age),
        }
    }

    /// The address of its settings to listen on; only the operator's own counts.
    pub(super) fn listen(&self) -> SocketAddr {
        self.settings.server.listen
    }

    /// The time for which things are kept; none: for ever.
    pub(super) fn keep(&self) -> Option<Duration> {
        self.settings.keep
    }

    /// The time for which deliveries wait for a target that is gone; only the operator's own counts.
    pub(super) fn orphan_grace(&self) -> Duration {
        self.settings.orphans
    }

    /// The store of its settings; only the operator's own counts.
    pub(super) fn store_url(&self) -> &str {
        &self.settings.store_url
    }
}
