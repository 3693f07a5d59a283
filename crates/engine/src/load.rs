//! Loading of settings: from a file to a tenant's parts, with every problem found on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::telemetry::Collector;
use crate::tenants::TenantPaths;
use campanile_callbacks::{Callback, CompileError, CpuBudget, Runtime, Version};
use campanile_ci::buildbot::{self, ConnectedMaster};
use campanile_ci::control::{self, ControlSettings};
use campanile_config::{
    Document, Location, Problem, Problems, Reader, Settings, Severity, TABLES, TenantsSettings,
};
use campanile_inbound::hooks::Hooks;
use campanile_inbound::ingest::Sources;
use campanile_inbound::pollers::{self, Poller};
use campanile_model::UrlStyle;
use campanile_outbound::{Allowed, Outbound};
use campanile_targets::{self as targets, Parts, Target};

/// Settings without an error, and what was made of them. Nothing is bound or connected yet.
pub struct Checked {
    /// Settings that belong to no part.
    pub settings: Settings,
    /// The Buildbot master that is asked for what nobody told, if there is one.
    pub connected: Option<ConnectedMaster>,
    /// The control of the CI.
    pub steering: ControlSettings,
    /// The targets in their order.
    pub targets: Vec<Arc<dyn Target>>,
    /// Their kinds by their names.
    pub kinds: BTreeMap<String, &'static str>,
    /// The change hooks.
    pub hooks: Hooks,
    /// Other systems that tell of builds.
    pub sources: Sources,
    /// The pollers.
    pub pollers: Vec<Arc<Poller>>,
    /// The callbacks by name.
    pub callbacks: BTreeMap<String, Callback>,
    /// Callbacks whose component can't be loaded, with the problem: they have no version until the one that was in use is
    /// restored from the store.
    pub unloaded: BTreeMap<String, Problem>,
    /// The collector that traces go to, if there is one.
    pub collector: Option<Collector>,
}

/// Reads a settings file and makes everything that it names. Gives all problems, by location; the value is there when
/// none of them is an error, `unloaded` aside, which is for the caller to judge.
pub async fn check(file: &Path, runtime: &Runtime) -> (Option<Checked>, Vec<Problem>) {
    let problems = Problems::new();
    let Some(document) = Document::read(file, &problems) else {
        return (None, problems.into_sorted());
    };
    make(&document, problems, runtime, None).await
}

/// Checks a tenant's settings as [`check`] does the operator's: they may name files of `folder` and nothing else of this
/// machine.
pub(super) async fn check_tenant(
    file: &Path,
    folder: &Path,
    operators: &TenantsSettings,
    runtime: &Runtime,
) -> (Option<Checked>, Vec<Problem>) {
    let problems = Problems::new();
    let Some(document) = Document::read_tenants(file, &problems) else {
        return (None, problems.into_sorted());
    };
    make(&document.confined_to(folder), problems, runtime, Some(operators)).await
}

/// Checks a tenant's settings before they are its own: `settings` is the text that `paths.settings` is to have, and
/// `staged` has the secrets that are to be put beside those there are.
pub(super) async fn check_staged(
    paths: &TenantPaths,
    (settings, staged): (&str, &Path),
    operators: &TenantsSettings,
    runtime: &Runtime,
) -> (Option<Checked>, Vec<Problem>) {
    let problems = Problems::new();
    let document = Document::parse(&paths.settings, settings, &problems);
    let document = document.confined_to(&paths.folder).with_staged(&paths.secrets, staged);
    make(&document, problems, runtime, Some(operators)).await
}

/// Makes the parts that a document names. With `operators`, the settings are those of another tenant.
async fn make(
    document: &Document,
    problems: Problems,
    runtime: &Runtime,
    operators: Option<&TenantsSettings>,
) -> (Option<Checked>, Vec<Problem>) {
    let limits = operators.map(|operators| operators.limits.clone()).unwrap_or_default();
    let settings = Settings::read(&Reader::root(document, &problems), &limits);
    let budget = Arc::new(CpuBudget::new(settings.limits.callback_calls, settings.limits.callback_cpu));
    // Before anything is refused: whatever else is wrong is told together with what is wrong with components.
    let loaded = load_callbacks(&settings, runtime, &budget).await;

    beside_the_runtime(|| {
        let root = Reader::root(document, &problems);
        let mut callbacks = BTreeMap::new();
        let mut unloaded = BTreeMap::new();
        for (name, result) in loaded {
            let (callback, error) = result;
            if let Some(error) = error {
                unloaded.extend(unloadable(document, &name, &error).map(|problem| (name.clone(), problem)));
            }
            callbacks.insert(name, callback);
        }
        let outbound = match operators {
            None => Outbound::from_settings(&root),
            Some(operators) => Outbound::for_tenant(Allowed::new(operators.allow.clone())),
        };
        let collector = operators.is_none().then(|| Collector::from_settings(&root, &outbound)).flatten();
        let connected = buildbot::from_settings(&root, &outbound);
        let steering = control::from_settings(&root, &outbound, connected.as_ref());
        let templates = runtime.template_renderer(&budget);
        let parts = Parts {
            settings: &settings,
            callbacks: &callbacks,
            outbound: &outbound,
            templates: &templates,
            problems: &problems,
        };
        let targets = targets::from_settings(&root, &parts);
        let kinds = targets.iter().map(|(kind, target)| (target.name().to_owned(), *kind)).collect();
        let targets: Vec<_> = targets.into_iter().map(|(_, target)| target).collect();
        let hooks = Hooks::from_settings(&root, &settings, &callbacks, &outbound);
        let sources = Sources::from_settings(&root);
        let pollers = pollers::from_settings(&root, &outbound);
        let names: Vec<&str> = pollers.iter().map(|poller| poller.name.as_str()).collect();
        hooks.warn_of_unknown_pollers(&root, &names);
        warn_of_local_links(&root, &settings, &targets);
        for (key, count, max) in [
            ("targets", targets.len(), settings.limits.targets),
            ("pollers", pollers.len(), settings.limits.pollers),
        ] {
            if let Some(max) = max.filter(|max| count > *max) {
                let location = Location { file: document.file().to_owned(), line: 1 };
                let text = format!("{count} {key} are more than `{key}` of the limits allows: {max}");
                problems.add(Severity::Error, location, text);
            }
        }
        for table in TABLES {
            root.item(table);
        }
        root.finish();

        if problems.any_error() {
            let problems = problems.into_sorted().into_iter().chain(unloaded.into_values()).collect();
            return (None, problems);
        }
        (
            Some(Checked {
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
                collector,
            }),
            problems.into_sorted(),
        )
    })
}

/// Computes on a thread of the runtime whose other work goes on elsewhere meanwhile: a tenant's patterns and templates take
/// some time.
fn beside_the_runtime<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // Of tests, which have nothing else to do.
        _ => work(),
    }
}

/// The problem of a component, at its place in the file.
fn unloadable(document: &Document, callback: &str, error: &CompileError) -> Option<Problem> {
    let problems = Problems::new();
    let table = Reader::root(document, &problems).table("callbacks")?.table(callback)?;
    table.error("component", format!("callback `{callback}`: {error}"));
    drop(table);
    problems.into_sorted().pop()
}

/// Makes every callback: without a version when no component is named, or when it can't be loaded, and then with the
/// error.
async fn load_callbacks(
    settings: &Settings,
    runtime: &Runtime,
    budget: &Arc<CpuBudget>,
) -> Vec<(String, (Callback, Option<CompileError>))> {
    let mut loaded = Vec::new();
    for (name, callback) in &settings.callbacks {
        let made = Callback::new(runtime, name, callback).with_budget(budget);
        let error = match &callback.component {
            Some(component) => {
                load_version(runtime, &made, component, settings.limits.component_bytes).await.err()
            }
            None => None,
        };
        loaded.push((name.clone(), (made, error)));
    }
    loaded
}

/// Gives a callback the version that a file holds, which may have `max` bytes.
async fn load_version(
    runtime: &Runtime,
    callback: &Callback,
    component: &Path,
    max: Option<u64>,
) -> Result<(), CompileError> {
    if let (Some(max), Ok(file)) = (max, tokio::fs::metadata(component).await)
        && file.len() > max
    {
        return Err(CompileError::too_large(file.len(), max));
    }
    callback.swap(Arc::new(Version::from_file(runtime, callback.budget(), component).await?));
    Ok(())
}

/// Warns of links to localhost: they reach nobody who reads a mail (M-TRAP-4).
fn warn_of_local_links(root: &Reader<'_>, settings: &Settings, targets: &[Arc<dyn Target>]) {
    if settings.server.links().is_localhost()
        && !targets.is_empty()
        && let Some(server) = root.table("server")
    {
        let key =
            if matches!(settings.server.url_style, Some(UrlStyle::Pattern(_))) { "url_style" } else { "url" };
        server.warning(
            key,
            "links in messages start at this machine's own name: set the address that readers use",
        );
    }
}
