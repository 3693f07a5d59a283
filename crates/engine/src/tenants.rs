//! All tenants of this engine: the operator's own, and those of the folder `[tenants] dir`, each with settings of its
//! own that come, change and go while all others work on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::load::check_tenant;
use super::metrics::LiveLabels;
use super::{Engine, Tenant};
use campanile_config::{Problem, TenantsSettings};
use campanile_store::POISON;
use sha2::{Digest as _, Sha256};

/// Ends of the engine while it loaded the same settings, after which it goes without them.
const MAX_DEATHS: u64 = 2;

/// All tenants in use. Never changed: a change makes another set, so who holds one sees no half of a change.
pub struct Tenants {
    own: Arc<Tenant>,
    others: BTreeMap<String, Arc<Tenant>>,
}

impl Tenants {
    /// The operator's own tenant, alone.
    pub(super) fn new(own: Arc<Tenant>) -> Self {
        Self { own, others: BTreeMap::new() }
    }

    /// The tenant of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Tenant>> {
        if name == self.own.name() { Some(&self.own) } else { self.others.get(name) }
    }

    /// All of them, the operator's own first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        std::iter::once(&self.own).chain(self.others.values())
    }

    /// The same set with another one in the place of the operator's own.
    fn with_own(&self, own: Arc<Tenant>) -> Self {
        Self { own, others: self.others.clone() }
    }

    /// The same set with this tenant in the place of the one of that name, or without it.
    pub(super) fn with(&self, name: &str, tenant: Option<Arc<Tenant>>) -> Self {
        let mut others = self.others.clone();
        match tenant {
            Some(tenant) => drop(others.insert(name.to_owned(), tenant)),
            None => drop(others.remove(name)),
        }
        Self { own: Arc::clone(&self.own), others }
    }
}

/// Fingerprint of a tenant's files: of each its inode, size and time of change.
pub type Stamp = BTreeMap<PathBuf, (u64, u64, i64, i64)>;

/// Paths of a tenant's files.
#[derive(Clone, Debug)]
pub(super) struct TenantPaths {
    /// Its settings.
    pub(super) settings: PathBuf,
    /// Folder of all files that its settings may name.
    pub(super) folder: PathBuf,
    /// Folder, below that, of secrets that come by the API.
    pub(super) secrets: PathBuf,
    /// Folder, beside those, of what is being put there. No tenant's name has a dot.
    pub(super) staged: PathBuf,
}

impl TenantPaths {
    /// The paths of the tenant of this name.
    pub(super) fn of(settings: &TenantsSettings, name: &str) -> Self {
        let folder = settings.dir.join(name);
        let file = settings.dir.join(format!("{name}.toml"));
        let staged = settings.dir.join(format!(".{name}.staged"));
        Self { settings: file, secrets: folder.join("secrets"), folder, staged }
    }
}

impl Engine {
    /// All tenants as they are now.
    #[must_use]
    pub fn tenants(&self) -> Arc<Tenants> {
        self.tenants.load_full()
    }

    /// The operator's own tenant as it is now; a reload puts another in its place.
    #[must_use]
    pub fn tenant(&self) -> Arc<Tenant> {
        Arc::clone(&self.tenants.load().own)
    }

    /// The tenant of this name.
    #[must_use]
    pub fn tenant_named(&self, name: &str) -> Option<Arc<Tenant>> {
        self.tenants.load().get(name).cloned()
    }

    /// Frees what the metrics have of names that no settings have any more.
    fn free_labels(&self) {
        let mut there = LiveLabels::default();
        for tenant in self.tenants.load().iter() {
            let targets = tenant.targets().iter().map(|target| ("target", target.name()));
            let callbacks = tenant.callbacks().keys().map(|name| ("callback", name.as_str()));
            let pollers = tenant.pollers().iter().map(|poller| ("poller", poller.label.as_str()));
            there.add(tenant.name(), targets.chain(callbacks).chain(pollers));
        }
        self.metrics.free_all_but(&there);
    }

    /// Puts another one in the place of the operator's own.
    pub(super) fn replace_own(&self, tenant: &Arc<Tenant>) {
        self.tenants.rcu(|tenants| tenants.with_own(Arc::clone(tenant)));
        self.free_labels();
        self.replaced.notify_one();
    }

    /// Fingerprints of all tenants' files, as they were when they were read.
    pub async fn tenants_as_read(&self) -> BTreeMap<String, Stamp> {
        self.stamps.lock().await.clone()
    }

    /// Takes fingerprints of all tenants' files as they are now; when they differ from those before, call
    /// `refresh_tenants`. Blocks on the file system.
    #[must_use]
    pub fn look_at_tenants(&self) -> BTreeMap<String, Stamp> {
        let own = self.tenant();
        let Some(settings) = own.tenants_settings() else { return BTreeMap::new() };
        let tenants = self.tenants();
        names(&settings.dir)
            .into_iter()
            .map(|name| {
                let components = tenants.others.get(&name).map(|tenant| tenant.component_files());
                let stamp = stamp(&TenantPaths::of(settings, &name), &components.unwrap_or_default());
                (name, stamp)
            })
            .collect()
    }

    /// Loads and unloads tenants that have come, changed or gone since they were read. One with an error stays as it was,
    /// and nobody else notices.
    pub async fn refresh_tenants(&self) {
        let _changing = self.changing.lock().await;
        let found = self.look_at_tenants();
        let gone: Vec<String> =
            self.tenants().others.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
        for name in gone {
            self.unload_tenant(&name).await;
            tracing::info!(tenant = name, "tenant has gone: what is kept of it stays");
        }
        for (name, stamp) in found {
            if self.stamps.lock().await.get(&name) == Some(&stamp) {
                continue;
            }
            if self.ended_starts(&name).await {
                // Told once; another version of its files differs from this one at the next look.
                self.stamps.lock().await.insert(name, stamp);
                continue;
            }
            let loaded = self.load_tenant(&name).await;
            if let Err(error) = self.store.end_load(&name).await {
                tracing::warn!(tenant = name, "tenant may be left out at a later start: {error}");
            }
            match loaded {
                Ok(problems) => {
                    problems.iter().for_each(|problem| tracing::warn!(tenant = name, "settings: {problem}"));
                    tracing::info!(tenant = name, "tenant's settings are in use");
                }
                Err(problems) => {
                    problems.iter().for_each(|problem| tracing::error!(tenant = name, "settings: {problem}"));
                    tracing::error!(tenant = name, "tenant's settings have errors: all stays as it was");
                }
            }
        }
    }

    /// Notes that loading a tenant begins. True if the engine has died of these settings twice: then they are left out, and
    /// everybody else has an engine.
    async fn ended_starts(&self, name: &str) -> bool {
        let own = self.tenant();
        let Some(settings) = own.tenants_settings() else { return false };
        // Without components: which ones there are is known only of a tenant that has been loaded.
        let files = stamp(&TenantPaths::of(settings, name), &[]);
        let version = hex::encode(Sha256::digest(format!("{files:?}")));
        match self.store.begin_load(name, &version).await {
            Ok(begun) if begun > MAX_DEATHS => {
                self.metrics.reload(name, POISON);
                tracing::error!(
                    tenant = name,
                    code = POISON,
                    "tenant is left out: the engine died twice while it loaded these settings; change the file `{}`",
                    TenantPaths::of(settings, name).settings.display()
                );
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(
                    tenant = name,
                    "nobody would know that the engine died of its settings: {error}"
                );
                false
            }
        }
    }

    /// Reads a tenant's settings and puts them to use. The caller holds the lock of changes.
    ///
    /// # Errors
    /// All problems, when one of them is an error; otherwise the warnings come back as the value.
    pub(super) async fn load_tenant(&self, name: &str) -> Result<Vec<Problem>, Vec<Problem>> {
        let own = self.tenant();
        let Some(settings) = own.tenants_settings() else { return Ok(Vec::new()) };
        let paths = TenantPaths::of(settings, name);
        let before = self.tenant_named(name);
        let components = before.as_ref().map(|before| before.component_files()).unwrap_or_default();
        let seen = stamp(&paths, &components);
        let (checked, mut problems) =
            check_tenant(&paths.settings, &paths.folder, settings, &self.runtime).await;
        // Of before the reading: what was written meanwhile differs from it at the next look. Also where the settings
        // have errors, or these would be told again and again.
        self.stamps.lock().await.insert(name.to_owned(), seen);
        let Some(checked) = checked else { return Err(problems) };
        let tenant = self.new_tenant(name, checked).await;
        let lost = self.restore_active_versions(&tenant).await;
        if !lost.is_empty() {
            problems.extend(lost);
            return Err(problems);
        }
        self.warn_of_unknown_names(&tenant).await;
        self.open_targets(&tenant, before.as_deref()).await;
        let tenant = Arc::new(tenant);
        self.tenants.rcu(|tenants| tenants.with(name, Some(Arc::clone(&tenant))));
        self.free_labels();
        let files = tenant.component_files();
        self.stamps.lock().await.insert(name.to_owned(), stamp(&paths, &files));
        self.replaced.notify_one();
        self.recount.notify_one();
        self.wake.notify_one();
        Ok(problems)
    }

    /// Ends all that a tenant does. The caller holds the lock of changes. What is kept of it stays, and what waits goes on
    /// waiting.
    pub(super) async fn unload_tenant(&self, name: &str) {
        let before = self.tenant_named(name);
        self.tenants.rcu(|tenants| tenants.with(name, None));
        self.free_labels();
        self.stamps.lock().await.remove(name);
        self.replaced.notify_one();
        for target in before.iter().flat_map(|before| before.targets()) {
            target.close().await;
        }
    }
}

/// Lists the tenants whose settings are in a folder.
fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let files = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    files
        .filter_map(|file| file.strip_suffix(".toml").map(str::to_owned))
        .filter(|name| TenantsSettings::is_valid_name(name))
        .collect()
}

/// Takes the fingerprint of settings, secrets and components, and not of what a tenant's own targets write: a file that a
/// target writes with each message would have the tenant loaded anew each time.
fn stamp(paths: &TenantPaths, components: &[PathBuf]) -> Stamp {
    let secrets = std::fs::read_dir(&paths.secrets).into_iter().flatten();
    let secrets = secrets.filter_map(|entry| Some(entry.ok()?.path()));
    let files = std::iter::once(paths.settings.clone()).chain(components.iter().cloned()).chain(secrets);
    files.filter_map(|file| look_at(&file).map(|look| (file, look))).collect()
}

/// Inode, size and time of change of a file.
fn look_at(file: &Path) -> Option<(u64, u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(file).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
