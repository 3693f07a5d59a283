//! Files of tenants that come and go by the API: settings and secrets are checked where they are staged, and then moved to
//! where they are read from.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Engine;
use super::load::{Checked, check_staged};
use super::tenants::TenantPaths;
use campanile_config::{Problem, RegularFile, TenantsSettings};
use campanile_store::StoreError;

/// Size of the largest file that is put back when a change fails, in bytes.
const MAX_BACKUP: u64 = 16 << 20;

/// The reason why a tenant was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TenantChangeError {
    /// The operator's settings name no folder for tenants.
    #[error("this engine has no other tenants: set `dir` of `[tenants]` in its settings")]
    Alone,
    /// It can't be called that.
    #[error(
        "`{0}` is no name for a tenant: lower-case letters, digits and `-`, 63 at most, and not `default`"
    )]
    Name(String),
    /// A secret can't be called that.
    #[error("`{0}` is no name for a secret: letters, digits, `-` and `_`")]
    SecretName(String),
    /// The settings have errors; all stays as it was.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<Problem>),
    /// There is no such tenant.
    #[error("there is no tenant `{0}`")]
    Gone(String),
    /// Its files can't be written.
    #[error("cannot write the tenant's files: {0}")]
    File(std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Checks a tenant's settings and secrets, puts them in their place and to use; gives the warnings. With an error in
    /// them all stays as it was: nothing is where it is read from before it is known to be good.
    ///
    /// # Errors
    /// When they can't be used, or not be written.
    pub async fn put_tenant(
        &self,
        name: &str,
        settings: &str,
        secrets: &BTreeMap<String, String>,
    ) -> Result<Vec<Problem>, TenantChangeError> {
        let _changing = self.changing.lock().await;
        let (operators, paths) = self.paths_of(name)?;
        // Beside a path, nothing that a shell or a log would trip over.
        let is_plain = |name: &str| {
            (1..=100).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if let Some(wrong) = secrets.keys().find(|name| !is_plain(name)) {
            return Err(TenantChangeError::SecretName(wrong.clone()));
        }
        let staged = StagedFiles::write(&paths, settings, secrets).map_err(TenantChangeError::File)?;
        let beside = (settings, &*staged.folder);
        let (checked, problems) = check_staged(&paths, beside, &operators, &self.runtime).await;
        let Some(checked) = checked else { return Err(TenantChangeError::Settings(problems)) };
        let lost = self.lost_callbacks(name, &checked).await?;
        if !lost.is_empty() {
            return Err(TenantChangeError::Settings(problems.into_iter().chain(lost).collect()));
        }
        // From here on nothing waits for anybody but the disk, until all is in place.
        let backup = FileBackup::of(&paths, secrets.keys()).map_err(TenantChangeError::File)?;
        let outcome = match staged.put_in_place(&paths, secrets.keys()) {
            Err(error) => Err(TenantChangeError::File(error)),
            Ok(()) => self.load_tenant(name).await.map_err(TenantChangeError::Settings),
        };
        if outcome.is_err() {
            backup.restore(&paths).map_err(TenantChangeError::File)?;
        }
        outcome
    }

    /// The problems of callbacks whose component can't be loaded and of which no version is in use either.
    async fn lost_callbacks(&self, name: &str, checked: &Checked) -> Result<Vec<Problem>, StoreError> {
        if checked.unloaded.is_empty() {
            return Ok(Vec::new());
        }
        let in_use = self.store.versions_in_use(name).await?;
        let is_lost = |callback: &String| in_use.iter().all(|used| used.callback != *callback);
        let lost = checked.unloaded.iter().filter(|(callback, _)| is_lost(callback));
        Ok(lost.map(|(_, problem)| problem.clone()).collect())
    }

    /// Ends a tenant and removes its files and all that is kept of it.
    ///
    /// # Errors
    /// When there is none such, or it can't be removed altogether; then another try goes on where this one ended.
    pub async fn remove_tenant(&self, name: &str) -> Result<(), TenantChangeError> {
        let _changing = self.changing.lock().await;
        let (_, paths) = self.paths_of(name)?;
        if !paths.settings.exists() && self.tenant_named(name).is_none() {
            return Err(TenantChangeError::Gone(name.to_owned()));
        }
        self.unload_tenant(name).await;
        while self.store.delete_tenant_chunk(name).await? {}
        self.tokens.invalidate().await;
        self.usage.lock().await.remove(name);
        let gone = |removed| absent(removed).map_err(TenantChangeError::File);
        gone(fs::remove_dir_all(&paths.staged))?;
        gone(fs::remove_dir_all(&paths.folder))?;
        // Last: as long as it is there, another try finds the tenant.
        gone(fs::remove_file(&paths.settings))
    }

    /// The operator's settings for tenants, and the paths of this one's files.
    fn paths_of(&self, name: &str) -> Result<(TenantsSettings, TenantPaths), TenantChangeError> {
        let own = self.tenant();
        let settings = own.tenants_settings().ok_or(TenantChangeError::Alone)?;
        if !TenantsSettings::is_valid_name(name) {
            return Err(TenantChangeError::Name(
                name.chars().take(100).flat_map(char::escape_debug).collect(),
            ));
        }
        Ok((settings.clone(), TenantPaths::of(settings, name)))
    }
}

/// A tenant's files as they were; none for those that were not there.
struct FileBackup {
    settings: Option<Vec<u8>>,
    secrets: BTreeMap<String, Option<Vec<u8>>>,
}

impl FileBackup {
    fn of<'n>(paths: &TenantPaths, secrets: impl Iterator<Item = &'n String>) -> std::io::Result<Self> {
        let secrets = secrets.map(|name| Ok((name.clone(), read(&paths.secrets.join(name))?)));
        Ok(Self { settings: read(&paths.settings)?, secrets: secrets.collect::<std::io::Result<_>>()? })
    }

    fn restore(self, paths: &TenantPaths) -> std::io::Result<()> {
        for (name, bytes) in &self.secrets {
            put_back(&paths.secrets.join(name), bytes.as_deref())?;
        }
        put_back(&paths.settings, self.settings.as_deref())
    }
}

fn read(file: &Path) -> std::io::Result<Option<Vec<u8>>> {
    match RegularFile::new(file).read(MAX_BACKUP) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn put_back(file: &Path, bytes: Option<&[u8]>) -> std::io::Result<()> {
    match bytes {
        Some(bytes) => replace(file, bytes),
        None => absent(fs::remove_file(file)),
    }
}

/// Settings and secrets beside their places, in a folder that is removed when this is dropped.
struct StagedFiles {
    folder: PathBuf,
}

impl StagedFiles {
    /// The file of the settings; no secret has a dot in its name.
    const SETTINGS: &str = "settings.toml";

    /// Writes them durably. The caller holds the lock of changes: what a crash has left there is nobody's.
    fn write(
        paths: &TenantPaths,
        settings: &str,
        secrets: &BTreeMap<String, String>,
    ) -> std::io::Result<Self> {
        absent(fs::remove_dir_all(&paths.staged))?;
        private_folder(&paths.staged)?;
        let staged = Self { folder: paths.staged.clone() };
        for (name, secret) in secrets {
            write_durably(&staged.folder.join(name), secret.as_bytes())?;
        }
        write_durably(&staged.folder.join(Self::SETTINGS), settings.as_bytes())?;
        Ok(staged)
    }

    /// Moves them to their places, each whole or not at all. Secrets first: settings that name them are never without.
    fn put_in_place<'n>(
        &self,
        paths: &TenantPaths,
        secrets: impl Iterator<Item = &'n String>,
    ) -> std::io::Result<()> {
        private_folder(&paths.secrets)?;
        for name in secrets {
            fs::rename(self.folder.join(name), paths.secrets.join(name))?;
        }
        fs::File::open(&paths.secrets)?.sync_all()?;
        fs::rename(self.folder.join(Self::SETTINGS), &paths.settings)?;
        fs::File::open(folder_of(&paths.settings))?.sync_all()
    }
}

impl Drop for StagedFiles {
    fn drop(&mut self) {
        // A leftover is in nobody's way, and goes with the next change.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Takes it as done if there is nothing to be removed.
fn absent(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

/// Writes a file that is not there yet, which nobody else may read.
fn write_durably(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut written = fs::OpenOptions::new().write(true).create_new(true).open(file)?;
    written.set_permissions(fs::Permissions::from_mode(0o600))?;
    written.write_all(bytes)?;
    written.sync_all()
}

/// Replaces a file: durably, whole or not at all, and with nobody else allowed to read it.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = folder_of(file);
    let partial = folder.join(format!(".{:016x}.tmp", fastrand::u64(..)));
    let written = (|| {
        write_durably(&partial, bytes)?;
        fs::rename(&partial, file)?;
        fs::File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // A leftover is in nobody's way, but need not stay.
        let _ = fs::remove_file(&partial);
    }
    written
}
