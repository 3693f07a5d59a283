//! Changing versions of callbacks while the engine runs: compile, try, keep, swap; and back again.
//!
//! A version is in use when the store says so. The settings' own file wins over it only when the file has changed
//! since that was decided.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Engine, Tenant, now};
use campanile_callbacks::{Callback, CompileError, Kind, Subject, Trial, Version, smoke_test};
use campanile_config::Problem;
use campanile_model::Build;
use campanile_store::{BuildQuery, InUse, KeptVersion, Page, StoreError};

/// A new version is tried on so many of the newest finished builds.
const TRIALS: u32 = 5;

/// What came of a new version.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Deployment {
    /// Digest of the version.
    pub version: String,
    /// The version that was in use before.
    pub before: Option<String>,
    /// What it can be called as.
    pub exports: Vec<&'static str>,
    /// How it did on recorded builds.
    pub trials: Vec<Trial>,
    /// Whether it is in use now.
    pub in_use: bool,
}

/// Why a version was not put to use.
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
    /// The component itself.
    #[error(transparent)]
    Component(#[from] CompileError),
    /// Targets use the callback as something that the new version is not.
    #[error("it exports no {}, which the version in use does", .0.name())]
    Narrower(Kind),
    /// It fails where the version in use does not.
    #[error("it fails on recorded builds on which the version in use does not: {0}")]
    Worse(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How careful to be with a new version.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActivateOptions {
    /// Stop after the trials.
    pub dry_run: bool,
    /// Put it to use however the trials went.
    pub force: bool,
}

/// A version that may be put to use.
struct New<'a> {
    version: Arc<Version>,
    wasm: Vec<u8>,
    origin: &'a str,
}

impl Engine {
    /// Compiles a component, tries it on recorded builds, and puts it to use. The version in use goes on whenever
    /// something is wrong.
    ///
    /// # Errors
    /// When it can't be put to use, and why.
    pub async fn push_component(
        &self,
        tenant: &Tenant,
        name: &str,
        wasm: Vec<u8>,
        care: ActivateOptions,
    ) -> Result<Deployment, ActivateError> {
        find(tenant, name)?;
        if let Some(most) = tenant.limits().component_bytes.filter(|most| wasm.len() as u64 > *most) {
            self.metrics.refused(tenant.name(), "component_bytes");
            return Err(CompileError::too_large(wasm.len() as u64, most).into());
        }
        // Compiling can take a minute; others may change theirs meanwhile.
        let version = self.compiled(tenant, name, &wasm).await?;
        let _turn = self.changing.lock().await;
        let tenant = self.as_it_is_now(tenant)?;
        let callback = find(&tenant, name)?;
        let outcome = self.activate(&tenant, callback, New { version, wasm, origin: "pushed" }, care).await;
        self.count(&tenant, name, &outcome);
        outcome
    }

    /// Puts a kept version to use: the one that begins with `digest`, or the one that was used before this one.
    ///
    /// # Errors
    /// When there is no such version, or it can't be put to use any more.
    pub async fn roll_back(
        &self,
        tenant: &Tenant,
        name: &str,
        digest: Option<&str>,
    ) -> Result<Deployment, ActivateError> {
        let _turn = self.changing.lock().await;
        let tenant = self.as_it_is_now(tenant)?;
        let callback = find(&tenant, name)?;
        let current = callback.version().map(|version| version.digest().to_owned());
        let kept = self.store.versions(tenant.name(), name).await?;
        let mut fitting = kept.iter().filter(|version| match digest {
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
        let version = self.compiled(&tenant, name, &wasm).await?;
        let care = ActivateOptions { force: true, ..ActivateOptions::default() };
        let new = New { version, wasm, origin: &wanted.origin };
        let outcome = self.activate(&tenant, callback, new, care).await;
        self.count(&tenant, name, &outcome);
        outcome
    }

    /// The tenant as it is now: it may have changed since a request came.
    fn as_it_is_now(&self, tenant: &Tenant) -> Result<Arc<Tenant>, ActivateError> {
        self.tenant_named(tenant.name()).ok_or(ActivateError::Gone)
    }

    /// Looks at the components' files and puts those to use that changed.
    pub async fn refresh_components(&self) {
        let _turn = self.changing.lock().await;
        let tenant = self.tenant();
        let in_use = self.files_in_use(&tenant).await;
        for (name, callback) in tenant.callbacks() {
            let Some(file) = tenant.component_file(name) else { continue };
            let Ok(wasm) = tokio::fs::read(file).await else {
                tracing::warn!(
                    callback = name,
                    "`{}` cannot be read: the version in use goes on",
                    file.display()
                );
                continue;
            };
            if in_use.get(name).is_some_and(|used| used.file_digest.as_deref() == Some(&digest(&wasm))) {
                continue;
            }
            let outcome = match self.compiled(&tenant, name, &wasm).await {
                Ok(version) => {
                    let new = New { version, wasm, origin: "file" };
                    let outcome = self.activate(&tenant, callback, new, ActivateOptions::default()).await;
                    self.count(&tenant, name, &outcome);
                    outcome
                }
                Err(refused) => Err(refused),
            };
            match outcome {
                Ok(done) => {
                    tracing::info!(callback = name, version = done.version, "a new version is in use");
                }

                Err(error) => {
                    tracing::error!(
                        callback = name,
                        "`{}` is refused: {error}; the version in use goes on",
                        file.display()
                    );
                }
            }
        }
    }

    /// Gives a new tenant's callbacks the versions that are in use, and keeps those that come from new files. Gives back
    /// what is wrong with files of which no version is kept either.
    pub async fn restore_active_versions(&self, tenant: &Tenant) -> Vec<Problem> {
        let in_use = self.files_in_use(tenant).await;
        for (name, callback) in tenant.callbacks() {
            let file = callback.version().map(|version| version.digest().to_owned());
            let taken = match (in_use.get(name), callback.version()) {
                // The file is as it was: what was decided then stays.
                (Some(used), _) if used.file_digest == file => self.take_up(tenant, callback, used).await,
                // It changed, and to something that can't be loaded.
                (Some(used), None) => self.take_up(tenant, callback, used).await,
                // It changed while the engine was down: it has to prove itself as at any other time.
                (Some(used), Some(new)) => self.supersede_by_file(tenant, callback, used, new).await,
                _ => self.keep_file(tenant, name, file).await,
            };
            if let Err(error) = taken {
                tracing::error!(callback = name, "{error}; the version that was in use goes on");
            }
        }
        let mut lost = Vec::new();
        for (name, problem) in tenant.unloaded() {
            match tenant.callbacks().get(name).and_then(Callback::version) {
                Some(_) => tracing::error!(callback = name, "{problem}; the version that was in use goes on"),
                None => lost.push(problem.clone()),
            }
        }
        lost
    }

    async fn supersede_by_file(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        used: &InUse,
        version: Arc<Version>,
    ) -> Result<(), ActivateError> {
        let Some(file) = tenant.component_file(callback.name()) else { return Ok(()) };
        let Ok(wasm) = tokio::fs::read(file).await else { return Ok(()) };
        self.take_up(tenant, callback, used).await?;
        let new = New { version, wasm, origin: "file" };
        self.activate(tenant, callback, new, ActivateOptions::default()).await.map(drop)
    }

    async fn take_up(&self, tenant: &Tenant, callback: &Callback, used: &InUse) -> Result<(), ActivateError> {
        let digest = used.digest.as_str();
        if callback.version().is_some_and(|version| version.digest() == digest) {
            return Ok(());
        }
        let kept = self.store.component(tenant.name(), callback.name(), digest).await?;
        let wasm = kept
            .ok_or_else(|| ActivateError::NoSuchVersion(format!("version {digest} is not kept any more")))?;
        callback.swap(Arc::new(Version::from_wasm(&self.runtime, wasm).await?));
        Ok(())
    }

    async fn keep_file(
        &self,
        tenant: &Tenant,
        name: &str,
        version: Option<String>,
    ) -> Result<(), ActivateError> {
        let (Some(file), Some(version)) = (tenant.component_file(name), version) else { return Ok(()) };
        let Ok(wasm) = tokio::fs::read(file).await else { return Ok(()) };
        // Whoever writes the file just now is seen at the next look.
        if digest(&wasm) == version {
            self.keep(tenant, name, &version, Some(version.clone()), "file", wasm).await?;
        }
        Ok(())
    }

    async fn compiled(
        &self,
        tenant: &Tenant,
        name: &str,
        wasm: &[u8],
    ) -> Result<Arc<Version>, ActivateError> {
        let version = Version::from_wasm(&self.runtime, wasm.to_vec()).await;
        if version.is_err() {
            self.metrics.swap(tenant.name(), name, "refused");
        }
        Ok(Arc::new(version?))
    }

    async fn activate(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        new: New<'_>,
        care: ActivateOptions,
    ) -> Result<Deployment, ActivateError> {
        let New { version, wasm, origin } = new;
        let old = callback.version();
        if let Some(old) = &old
            && let Some(lost) = old.kinds().into_iter().find(|kind| !version.kinds().contains(kind))
        {
            return Err(ActivateError::Narrower(lost));
        }
        let trials = self.try_out(tenant, callback, &version).await?;
        if !care.force && !care.dry_run {
            self.compare(tenant, callback, &trials).await?;
        }
        let digest = version.digest().to_owned();
        if !care.dry_run {
            let file = self.current_file_digest(tenant, callback.name()).await;
            self.keep(tenant, callback.name(), &digest, file, origin, wasm).await?;
            callback.swap(Arc::clone(&version));
        }
        Ok(Deployment {
            version: digest,
            before: old.map(|old| old.digest().to_owned()),
            exports: version.kinds().into_iter().map(Kind::name).collect(),
            trials,
            in_use: !care.dry_run,
        })
    }

    async fn keep(
        &self,
        tenant: &Tenant,
        name: &str,
        version: &str,
        file_digest: Option<String>,
        origin: &str,
        wasm: Vec<u8>,
    ) -> Result<(), StoreError> {
        let in_use = InUse { callback: name.to_owned(), digest: version.to_owned(), file_digest };
        let kept = KeptVersion {
            digest: version.to_owned(),
            origin: origin.to_owned(),
            size: wasm.len() as u64,
            at: now(),
        };
        self.store.use_version(tenant.name(), in_use, kept, wasm).await
    }

    async fn try_out(
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

    /// Refuses a version that fails where the one in use does not.
    async fn compare(
        &self,
        tenant: &Tenant,
        callback: &Callback,
        trials: &[Trial],
    ) -> Result<(), ActivateError> {
        let Some(failed) = trials.iter().find(|trial| trial.fault.is_some()) else { return Ok(()) };
        let Some(old) = callback.version() else { return Ok(()) };
        let before = self.try_out(tenant, callback, &old).await?;
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

    async fn files_in_use(&self, tenant: &Tenant) -> BTreeMap<String, InUse> {
        match self.store.versions_in_use(tenant.name()).await {
            Ok(in_use) => in_use.into_iter().map(|used| (used.callback.clone(), used)).collect(),
            Err(error) => {
                tracing::error!("cannot read which callback versions are in use: {error}");
                BTreeMap::new()
            }
        }
    }

    async fn current_file_digest(&self, tenant: &Tenant, name: &str) -> Option<String> {
        let file = tenant.component_file(name)?;
        tokio::fs::read(file).await.ok().map(|wasm| digest(&wasm))
    }

    fn count(&self, tenant: &Tenant, name: &str, outcome: &Result<Deployment, ActivateError>) {
        match outcome {
            Ok(done) if done.in_use => self.metrics.swap(tenant.name(), name, "done"),
            Ok(_) => {}
            Err(ActivateError::NoSuchCallback(_)) => {}
            Err(_) => self.metrics.swap(tenant.name(), name, "refused"),
        }
    }
}

fn find<'a>(tenant: &'a Tenant, name: &str) -> Result<&'a Callback, ActivateError> {
    tenant.callbacks().get(name).ok_or_else(|| ActivateError::NoSuchCallback(name.to_owned()))
}

fn digest(wasm: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(wasm).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
