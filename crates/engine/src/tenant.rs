//! A tenant in use: its targets, hooks and callbacks, made once from its settings and never changed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Metrics;
use super::audit::Audited;
use super::backfill::MasterBackfill;
use super::load::Checked;
use super::retry::Policy;
use super::tenant_status::TenantStatus;
use super::usage::Usage;
use crate::telemetry::Telemetry;
use campanile_callbacks::{Callback, Caller, Status};
use campanile_ci::control::Control;
use campanile_config::{Limits, Problem, Secret, Settings, TenantsSettings};
use campanile_inbound::hooks::Hooks;
use campanile_inbound::ingest::Sources;
use campanile_inbound::pollers::Poller;
use campanile_model::{Event, Links};
use campanile_store::{Delivery, NewDelivery, Queue, Store};
use campanile_targets::{Context, QueuePosition, Target};

/// The name of the operator's own tenant.
pub(super) const OWN: &str = "default";

/// A tenant in use.
pub struct Tenant {
    name: Arc<str>,
    /// What it has used of its limits.
    usage: Arc<Usage>,
    settings: Settings,
    targets: Vec<Arc<dyn Target>>,
    hooks: Arc<Hooks>,
    sources: Sources,
    pollers: Vec<Arc<Poller>>,
    callbacks: BTreeMap<String, Callback>,
    unloaded: BTreeMap<String, Problem>,
    status: Arc<dyn Status>,
    /// Who is asked for what nobody told.
    fetched: Option<Arc<MasterBackfill>>,
    control: Arc<dyn Control>,
}

impl Tenant {
    pub(super) fn new(
        name: &str,
        checked: Checked,
        usage: Arc<Usage>,
        (store, metrics): (Arc<dyn Store>, Arc<Metrics>),
        telemetry: &Telemetry,
        end: &Arc<Notify>,
    ) -> Self {
        let Checked {
            settings,
            connected,
            steering,
            targets,
            hooks,
            sources,
            pollers,
            callbacks,
            unloaded,
            collector: _,
        } = checked;
        let name: Arc<str> = name.into();
        let links = Links::new(settings.server.url.as_deref(), settings.server.url_style);
        let control = Arc::new(Audited {
            control: steering.control,
            store: Arc::clone(&store),
            tenant: Arc::clone(&name),
            own_end: steering.shutdown_ends_engine.then(|| Arc::clone(end)),
        });
        let fetched = connected
            .map(|connected| Arc::new(MasterBackfill::new(connected, Arc::clone(&store), Arc::clone(&name))));
        let status = Arc::new(TenantStatus {
            tenant: Arc::clone(&name),
            title: settings.server.title.clone(),
            url: links.master(),
            links,
            store,
            metrics,
            fetched: fetched.clone(),
            telemetry: telemetry.clone(),
        });
        Self {
            name,
            usage,
            settings,
            targets,
            hooks: Arc::new(hooks),
            sources,
            pollers,
            callbacks,
            unloaded,
            status,
            fetched,
            control,
        }
    }

    /// `default` for the settings file itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its change hooks.
    #[must_use]
    pub fn hooks(&self) -> &Arc<Hooks> {
        &self.hooks
    }

    /// What its settings say of other systems that tell of builds.
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

    /// Why callbacks have no version from their file, by name.
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

    /// Whether it is the operator's own.
    #[must_use]
    pub fn is_own(&self) -> bool {
        &*self.name == OWN
    }

    /// What it may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// What it has used of that.
    #[must_use]
    pub fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// Where other tenants' settings are, if this is the operator's own.
    #[must_use]
    pub fn tenants_settings(&self) -> Option<&TenantsSettings> {
        self.settings.tenants.as_ref()
    }

    /// Its targets, in the order of the settings.
    #[must_use]
    pub fn targets(&self) -> &[Arc<dyn Target>] {
        &self.targets
    }

    /// The target of this name.
    #[must_use]
    pub fn target(&self, name: &str) -> Option<&Arc<dyn Target>> {
        self.targets.iter().find(|target| target.name() == name)
    }

    /// The deliveries that an event leads to: one for each target that it concerns.
    #[must_use]
    pub fn route(&self, event: &Event) -> Vec<NewDelivery> {
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

    /// Who is asked for what nobody told, if there is somebody.
    pub(super) fn fetched(&self) -> Option<&Arc<MasterBackfill>> {
        self.fetched.as_ref()
    }

    /// How its CI is steered; every use is kept.
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

    /// What a target may ask while it prepares this delivery.
    pub(super) fn context(&self, delivery: &Delivery) -> Context {
        let caller = Caller { status: Arc::clone(&self.status), delivery: Some(delivery.id) };
        let position = delivery.place;
        let position = position.map(|at| QueuePosition { number: at.number, started: at.started });
        Context { caller, now: super::now(), position, created: delivery.created }
    }

    /// How failed deliveries of a target are tried again.
    pub(super) fn retry_policy(&self, target: &str) -> Policy {
        match self.target(target).and_then(|target| target.backoff()) {
            Some(backoff) => Policy::with_backoff(backoff),
            None => Policy::new(self.settings.max_age),
        }
    }

    pub(super) fn listen(&self) -> SocketAddr {
        self.settings.server.listen
    }

    /// For how long things are kept; none: for ever.
    pub(super) fn keep(&self) -> Option<Duration> {
        self.settings.keep
    }

    pub(super) fn store_url(&self) -> &str {
        &self.settings.store_url
    }
}
