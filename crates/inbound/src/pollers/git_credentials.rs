//! Logins of a Git poller: password or SSH key, handed to `git` for one run.

use std::io::Write as _;

use base64::Engine as _;
use tempfile::NamedTempFile;
use url::Url;

use super::PollError;
use super::program::batch_ssh;
use campanile_config::{Reader, Secret};

/// A login, as the settings have it.
#[derive(Debug)]
pub(super) struct Login {
    user: String,
    pub(super) password: Option<Secret>,
    ssh_private_key: Option<Secret>,
    ssh_known_hosts: Option<Secret>,
}

/// Proof of identity for one run of `git`. It goes by the environment, since arguments are seen by everybody on the
/// machine.
pub(super) struct Credentials {
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) secrets: Vec<Secret>,
    /// Gone with the poll.
    _files: Vec<NamedTempFile>,
}

impl Login {
    /// Reads `user`, `password`, `ssh_private_key` and `ssh_known_hosts`.
    pub(super) fn read(table: &Reader<'_>) -> Self {
        Self {
            user: table.text("user").unwrap_or_default(),
            password: table.secret("password"),
            ssh_private_key: table.secret("ssh_private_key"),
            ssh_known_hosts: table.secret("ssh_known_hosts"),
        }
    }

    /// Credentials for this repository. Keys are written to files, since `ssh` takes them no other way.
    pub(super) fn credentials(&self, repourl: &str) -> Result<Credentials, PollError> {
        let mut credentials =
            Credentials { environment: Vec::new(), secrets: Vec::new(), _files: Vec::new() };
        if let Some(password) = &self.password {
            let plain = format!("{}:{}", self.user, password.expose());
            let encoded = base64::engine::general_purpose::STANDARD.encode(plain);
            // For this origin only.
            let origin = Url::parse(repourl).map(|url| url.origin().ascii_serialization());
            let origin = origin.map_err(|error| PollError::Content(format!("`repourl`: {error}")))?;
            credentials.environment.extend([
                ("GIT_CONFIG_COUNT", "1".to_owned()),
                ("GIT_CONFIG_KEY_0", format!("http.{origin}/.extraHeader")),
                ("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {encoded}")),
            ]);
            credentials.secrets.extend([password.clone(), Secret::new(encoded)]);
        }
        let mut ssh = batch_ssh();
        if let Some(key) = &self.ssh_private_key {
            let path = credentials.file(key)?;
            ssh.push_str(&format!(" -o IdentitiesOnly=yes -i {path}"));
        }
        if let Some(hosts) = &self.ssh_known_hosts {
            let path = credentials.file(hosts)?;
            ssh.push_str(&format!(" -o StrictHostKeyChecking=yes -o UserKnownHostsFile={path}"));
        }
        credentials.environment.push(("GIT_SSH_COMMAND", ssh));
        Ok(credentials)
    }
}

impl Credentials {
    /// A secret as a file that only we can read; gives its path, which has no character that a shell minds.
    fn file(&mut self, secret: &Secret) -> Result<String, PollError> {
        let local =
            |error: std::io::Error| PollError::Local(format!("cannot write a key for `ssh`: {error}"));
        let mut file = tempfile::Builder::new().prefix("campanile-").tempfile_in("/tmp").map_err(local)?;
        file.write_all(secret.expose().trim_end().as_bytes()).map_err(local)?;
        file.write_all(b"\n").map_err(local)?;
        let path = file.path().display().to_string();
        self._files.push(file);
        Ok(path)
    }
}
