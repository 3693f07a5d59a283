//! Deployment of callback versions while the engine runs: compile, try on recorded builds, store, swap; and back again.
//!
//! The store decides which version is in use, so that a restart changes nothing. The file in the settings wins over it
//! only when the file has changed since that was decided: the store keeps the digest that the file had then.
//!
//! Order matters: stored first, swapped then. The other way round, a crash between the two would silently bring the old
//! version back.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Engine, Tenant};
use campanile_callbacks::{
    Callback, CompileError, Kind, Subject, Trial, Version, read_component, smoke_test,
};
use campanile_config::Problem;
use campanile_model::Build;
use campanile_store::{BuildQuery, InUse, KeptVersion, Page, StoreError};

/// Number of the newest finished builds that a new version is tried on.
const TRIALS: u32 = 5;

/// A deployment that was made, or, of a dry run, would have been.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Deployment {
    /// Digest of the version.
    pub version: String,
    /// The version that was in use before.
    pub before: Option<String>,
    /// The kinds of callbacks that it exports.
    pub exports: Vec<&'static str>,
    /// Its trials on recorded builds.
    pub trials: Vec<Trial>,
    /// True if it is in use now.
    pub in_use: bool,
}

/// The reason why a version was not put to use.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// There is no such callback.
    #[error("there is no callback `{0}` in the settings")]
    NoSuchCallback(String),
    /// No version with such a digest is kept, or there is none before the one in use.
    #[error("{0}")]
    NoSuchVersion(String),
    /// The tenant has gone meanwhile.
    #[error("the tenant is not here any more")]
    Gone,
    /// The component can't be compiled or linked.
    #[error(transparent)]
    Component(#[from] CompileError),
    /// Targets use the callback as something that the new version is not.
    #[error("it exports no {}, which the version in use does", .0.name())]
    Narrower(Kind),
    /// It fails where the version in use does not.
    #[error("it fails on recorded builds on which the version in use does not: {0}")]
    Worse(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Options of a deployment.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActivateOptions {
    /// Stop after the trials.
    pub dry_run: bool,
    /// Put it to use however the trials went.
    pub force: bool,
}

/// A compiled version that may be put to use.
struct Candidate<'a> {
    version: Arc<Version>,
    wasm: Vec<u8>,
    origin: &'a str,
}

impl Engine {
    /// Compiles a component, tries it on recorded builds, and puts it to use. The version in use goes on whenever
    /// something is wrong.
    ///
    /// # Errors
    /// When it can't be put to use.
    pub async fn push_component(
        &self,
        tenant: &Tenant,
        name: &str,
        wasm: Vec<u8>,
        options: ActivateOptions,
    ) -> Result<Deployment, ActivateError> {
        let callback = callback_of(tenant, name)?;
        if let Some(max) = tenant.limits().component_bytes.filter(|max| wasm.len() as u64 > *max) {
            self.metrics.refused(tenant.name(), "component_bytes");
            return Err(CompileError::too_large(wasm.len() as u64, max).into());
        }
        // Those of files are compiled whatever it costs: a restart must not leave a tenant without them.
        callback
            .budget()
            .admit_compiling()
            .inspect_err(|_| self.metrics.refused(tenant.name(), "compile_time"))?;
        // Not under the lock: compiling can take a minute, and others may change theirs meanwhile.
        let version = self.compile(tenant, callback, &wasm).await?;
        let _changing = self.changing.lock().await;
        let tenant = self.current(tenant)?;
        let callback = callback_of(&tenant, name)?;
        let outcome =
            self.activate(&tenant, callback, Candidate { version, wasm, origin: "pushed" }, options).await;
        self.count_swap(&tenant, name, &outcome);
        outcome
    }

    /// Puts a stored version to use: the one whose digest begins with `digest`, or the one that was used before this one.
    ///
    /// # Errors
    /// When there is no such version, or it can't be put to use any more.
    pub async fn roll_back(
        &self,
        tenant: &Tenant,
        name: &str,
        digest: Option<&str>,
    ) -> Result<Deployment, ActivateError> {
        let tenant = self.current(tenant)?;
        let callback = callback_of(&tenant, name)?;
        let current = callback.version().map(|version| version.digest().to_owned());
        let stored = self.store.versions(tenant.name(), name).await?;
        let mut fitting = stored.iter().filter(|version| match digest {
            Some(digest) => version.digest.starts_with(digest),
            None => Some(&version.digest) != current.as_ref(),
        });
        let missing =
            |text: &str| ActivateError::NoSuchVersion(format!("{text}; see `campanile callbacks list`"));
        let wanted = fitting.next().ok_or_else(|| missing("no such version is kept"))?;
        if digest.is_some() && fitting.next().is_some() {
            return Err(missing("several kept versions begin like that"));
        }
        let wasm = self.store.component(tenant.name(), name, &wanted.digest).await?;
        let wasm = wasm.ok_or_else(|| missing("that version is gone"))?;
        // Not under the lock, as above: what was not used for long is compiled again.
        let version = self.compile(&tenant, callback, &wasm).await?;
        let _changing = self.changing.lock().await;
        let tenant = self.current(&tenant)?;
        let callback = callback_of(&tenant, name)?;
        // Without comparison: who rolls back wants away from the version in use, which may well do better in trials.
        let options = ActivateOptions { force: true, ..ActivateOptions::default() };
        let new = Candidate { version, wasm, origin: &wanted.origin };
        let outcome = self.activate(&tenant, callback, new, options).await;
        self.count_swap(&tenant, name, &outcome);
        outcome
    }

    /// The tenant as it is under the lock of changes: it may have changed, or gone, since the request came.
    fn current(&self, tenant: &Tenant) -> Result<Arc<Tenant>, ActivateError> {
        self.tenant_named(tenant.name()).ok_or(ActivateError::Gone)
    }

    /// Reads the components' files of the operator's own tenant and puts those to use that changed.
    pub async fn refresh_components(&self) {
        let _changing = self.changing.lock().await;
        let tenant = self.tenant();
        let in_use = self.files_in_use(&tenant).await;
        for (name, callback) in tenant.callbacks() {
            let Some(file) = tenant.component_file(name) else { continue };
            let Ok(wasm) = read_component(file).await else {
                tracing::warn!(
                    tenant = tenant.name(),
                    callback = name,
                    "callback's file `{}` cannot be read: the version in use goes on",
                    file.display()
                );
                continue;
            };
            if in_use.get(name).is_some_and(|used| used.file_digest.as_deref() == Some(&digest(&wasm))) {
                continue;
            }
            let outcome = match self.compile(&tenant, callback, &wasm).await {
                Ok(version) => {
                    let new = Candidate { version, wasm, origin: "file" };
                    let outcome = self.activate(&tenant, callback, new, ActivateOptions::default()).await;
                    self.count_swap(&tenant, name, &outcome);
                    outcome
                }
                Err(refused) => Err(refused),
            };
            match outcome {
                Ok(done) => {
                    let (tenant, version) = (tenant.name(), done.version);
                    tracing::info!(tenant, callback = name, version, "callback has a new version");
                }
                Err(error) => {
                    tracing::error!(
                        tenant = tenant.name(),
                        callback = name,
                        "callback's file `{}` is refused: {error}; the version in use goes on",
                        file.display()
                    );
                }
            }
        }
    }

    /// Gives a new tenant's callbacks the versions that are in use, and stores those that come from new files. Gives the
    /// problems of files that can't be used and of which no version is stored either.
    pub async fn restore_active_versions(&self, tenant: &Tenant) -> Vec<Problem> {
        let in_use = self.files_in_use(tenant).await;
        for (name, callback) in tenant.callbacks() {
            let file = callback.version().map(|version| version.digest().to_owned());
            let restored = match (in_use.get(name), callback.version()) {
                // The file is as it was: what was decided then stays.
                (Some(used), _) if used.file_digest == file => {
                    self.restore_version(tenant, callback, used).await
                }
                // It changed, and to something that can't be loaded.
                (Some(used), None) => self.restore_version(tenant, callback, used).await,
                // It changed while the engine was down: it has to prove itself as at any other time.
                (Some(used), Some(new)) => self.supersede_by_file(tenant, callback, used, new).await,
                _ => self.store_file(tenant, name, file).await,
            };
            if let Err(error) = restored {
                let tenant = tenant.name();
                tracing::error!(
                    tenant,
                    callback = name,
                    "callback: {error}; the version that was in use goes on"
                );
            }
        }
        let mut lost = Vec::new();
        for (name, problem) in tenant.unloaded() {
            match tenant.callbacks().get(name).and_then(Callback::version) {
                Some(_) => {
                    let tenant = tenant.name();
                    tracing::error!(
                        tenant,
                        callback = name,
                        "callback: {problem}; the version that was in use goes on"
                    );
                }
                None => lost.push(problem.clone()),
            }
        }
        lost
    }

    /// Puts a file's version to use in the place of the one in use, if it does no worse.
    async fn supersede_by_file(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        used: &InUse,
        version: Arc<Version>,
    ) -> Result<(), ActivateError> {
        let Some(file) = tenant.component_file(callback.name()) else { return Ok(()) };
        let Ok(wasm) = read_component(file).await else { return Ok(()) };
        self.restore_version(tenant, callback, used).await?;
        let new = Candidate { version, wasm, origin: "file" };
        self.activate(tenant, callback, new, ActivateOptions::default()).await.map(drop)
    }

    /// Gives a callback the version in use, from the store unless it has it already.
    async fn restore_version(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        used: &InUse,
    ) -> Result<(), ActivateError> {
        let digest = used.digest.as_str();
        if callback.version().is_some_and(|version| version.digest() == digest) {
            return Ok(());
        }
        let kept = self.store.component(tenant.name(), callback.name(), digest).await?;
        let wasm = kept
            .ok_or_else(|| ActivateError::NoSuchVersion(format!("version {digest} is not kept any more")))?;
        callback.swap(Arc::new(Version::from_wasm(&self.runtime, callback.budget(), wasm).await?));
        Ok(())
    }

    /// Stores the version that a callback has from its file, of which nothing was stored yet.
    async fn store_file(
        &self,
        tenant: &Tenant,
        name: &str,
        version: Option<String>,
    ) -> Result<(), ActivateError> {
        let (Some(file), Some(version)) = (tenant.component_file(name), version) else { return Ok(()) };
        let Ok(wasm) = read_component(file).await else { return Ok(()) };
        // Whoever writes the file just now is seen at the next look.
        if digest(&wasm) == version {
            self.store_version(tenant, name, &version, Some(version.clone()), "file", wasm).await?;
        }
        Ok(())
    }

    /// Compiles and links a component. A failure counts as a refused swap.
    async fn compile(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        wasm: &[u8],
    ) -> Result<Arc<Version>, ActivateError> {
        let version = Version::from_wasm(&self.runtime, callback.budget(), wasm.to_vec()).await;
        if version.is_err() {
            self.metrics.swap(tenant.name(), callback.name(), "refused");
        }
        Ok(Arc::new(version?))
    }

    /// Tries a version, and stores and swaps it in. The caller holds the lock of changes.
    async fn activate(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        new: Candidate<'_>,
        options: ActivateOptions,
    ) -> Result<Deployment, ActivateError> {
        let Candidate { version, wasm, origin } = new;
        let old = callback.version();
        if let Some(old) = &old
            && let Some(lost) = old.kinds().into_iter().find(|kind| !version.kinds().contains(kind))
        {
            return Err(ActivateError::Narrower(lost));
        }
        let trials = self.run_trials(tenant, callback, &version).await?;
        if !options.force && !options.dry_run {
            self.refuse_regression(tenant, callback, &trials).await?;
        }
        let digest = version.digest().to_owned();
        if !options.dry_run {
            let file_digest = self.current_file_digest(tenant, callback.name()).await;
            self.store_version(tenant, callback.name(), &digest, file_digest, origin, wasm).await?;
            callback.swap(Arc::clone(&version));
        }
        Ok(Deployment {
            version: digest,
            before: old.map(|old| old.digest().to_owned()),
            exports: version.kinds().into_iter().map(Kind::name).collect(),
            trials,
            in_use: !options.dry_run,
        })
    }

    /// Stores a version and notes that it is in use, in one transaction.
    async fn store_version(
        &self,
        tenant: &Tenant,
        name: &str,
        digest: &str,
        file_digest: Option<String>,
        origin: &str,
        wasm: Vec<u8>,
    ) -> Result<(), StoreError> {
        let in_use = InUse { callback: name.to_owned(), digest: digest.to_owned(), file_digest };
        let version = KeptVersion {
            digest: digest.to_owned(),
            origin: origin.to_owned(),
            size: wasm.len() as u64,
            at: self.clock.now(),
        };
        self.store.use_version(tenant.name(), in_use, version, wasm).await
    }

    /// Calls a version for recorded builds, as each kind of callback that it exports. Nothing is sent.
    async fn run_trials(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        version: &Arc<Version>,
    ) -> Result<Vec<Trial>, StoreError> {
        let query = BuildQuery { builder: None, page: Page { limit: 4 * TRIALS, before: None } };
        let builds = self.store.builds(tenant.name(), &query).await?;
        let finished: Vec<Build> =
            builds.into_iter().filter(Build::is_finished).take(TRIALS as usize).collect();
        let beside = callback.with_version(Arc::clone(version));
        let mut trials = Vec::new();
        for build in finished {
            let subject = Subject::of_build(build, Arc::clone(tenant.status()));
            for kind in version.kinds() {
                trials.extend(smoke_test(&beside, kind, &subject).await);
            }
        }
        Ok(trials)
    }

    /// Refuses a version that fails where the one in use does not. A failure that both have is no regression.
    async fn refuse_regression(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        trials: &[Trial],
    ) -> Result<(), ActivateError> {
        let Some(failed) = trials.iter().find(|trial| trial.fault.is_some()) else { return Ok(()) };
        let Some(old) = callback.version() else { return Ok(()) };
        let before = self.run_trials(tenant, callback, &old).await?;
        let worse = |new: &&Trial| {
            new.fault.is_some()
                && before.iter().any(|old| {
                    old.callback == new.callback && old.subject == new.subject && old.fault.is_none()
                })
        };
        if trials.iter().any(|trial| worse(&trial)) {
            let worst = trials.iter().find(worse).unwrap_or(failed);
            let fault = worst.fault.as_deref().unwrap_or_default();
            return Err(ActivateError::Worse(format!("{}: {fault}", worst.subject)));
        }
        Ok(())
    }

    /// The versions in use, by callback. None at all if the store can't be asked: then the files decide.
    async fn files_in_use(&self, tenant: &Tenant) -> BTreeMap<String, InUse> {
        match self.store.versions_in_use(tenant.name()).await {
            Ok(in_use) => in_use.into_iter().map(|used| (used.callback.clone(), used)).collect(),
            Err(error) => {
                tracing::error!(tenant = tenant.name(), "callback versions in use cannot be read: {error}");
                BTreeMap::new()
            }
        }
    }

    /// The digest of a callback's file as it is now. Stored with a version that comes from elsewhere: as long as the file
    /// stays as it is, it does not win over that version.
    async fn current_file_digest(&self, tenant: &Tenant, name: &str) -> Option<String> {
        let file = tenant.component_file(name)?;
        read_component(file).await.ok().map(|wasm| digest(&wasm))
    }

    /// Counts a swap, or that it was refused.
    fn count_swap(&self, tenant: &Tenant, name: &str, outcome: &Result<Deployment, ActivateError>) {
        match outcome {
            Ok(done) if done.in_use => self.metrics.swap(tenant.name(), name, "done"),
            Ok(_) => {}
            Err(ActivateError::NoSuchCallback(_)) => {}
            Err(_) => self.metrics.swap(tenant.name(), name, "refused"),
        }
    }
}

fn callback_of<'a>(tenant: &'a Tenant, name: &str) -> Result<&'a Callback, ActivateError> {
    tenant.callbacks().get(name).ok_or_else(|| ActivateError::NoSuchCallback(name.to_owned()))
}

fn digest(wasm: &[u8]) -> String {
    hex::encode(Sha256::digest(wasm))
}
