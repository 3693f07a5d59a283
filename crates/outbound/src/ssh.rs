//! An SSH client: one kept connection to a server, and commands on it.
//!
//! The server must prove that it is the one in `known_hosts`; there is no first use on trust. Keys are read for each
//! connection, since they may have been replaced. A connection that broke is made anew for the next command.
//!
//! Invariant: knows nothing of the servers' commands. A command runs once; when to try again is for others to say.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::known_hosts::known_host_keys_path;
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, decode_secret_key};
use russh::{ChannelMsg, Preferred};
use tokio::sync::{Mutex, Semaphore};

use crate::{Dialer, limits};
use campanile_config::{RegularFile, Secret};

/// The most commands at once: servers allow few channels on a connection.
const MAX_CONCURRENT: usize = 4;
/// The most bytes that are kept of each stream of a command's output; the rest is left out.
const MAX_OUTPUT: usize = 256 << 10;
/// A connection that is silent for so long is asked for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The server, the user, and the proofs of both.
#[derive(Clone, Debug)]
pub struct SshConfig {
    /// Its name or address.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// The user to log in as.
    pub username: String,
    /// The proof of being that user.
    pub keys: SshKeys,
    /// The file with the keys that servers may have, as OpenSSH writes it.
    pub known_hosts: PathBuf,
    /// The way to the server, with its guard.
    pub dialer: Dialer,
    /// The limit for a command, with the connection that it may need.
    pub timeout: Duration,
}

/// The proof of being a user: a private key, with its passphrase if it has one.
#[derive(Clone, Debug)]
pub enum SshKeys {
    /// The key in the first of these files that there is.
    Files(Vec<PathBuf>, Option<Secret>),
    /// The key itself.
    Key(Secret, Option<Secret>),
    /// The keys of the agent at this socket, or at the one that `SSH_AUTH_SOCK` names.
    Agent(Option<PathBuf>),
}

/// The output of a command that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// The exit status; 0 is success.
    pub status: u32,
    /// Its standard output, up to 256 KiB.
    pub stdout: String,
    /// Its standard error, up to 256 KiB.
    pub stderr: String,
}

/// The reason of a command having no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// There is no connection.
    #[error("cannot reach {0}")]
    Unreachable(String),
    /// The server is not known, or not the one that is known.
    #[error("{0}")]
    HostKey(String),
    /// The server doesn't take our proof, or we have none.
    #[error("{0}")]
    Login(String),
    /// The command took longer than that many seconds, with its connection.
    #[error("{0} did not answer within {1} s")]
    Timeout(String, u64),
    /// The connection broke before the command ended; it may have run.
    #[error("the connection to {0}")]
    Lost(String),
}

/// A client of one server, with the connection to it while there is one.
pub struct SshClient {
    config: SshConfig,
    connection: Mutex<Option<Arc<Handle<KnownHost>>>>,
    /// One permit for each command that may be under way.
    slots: Semaphore,
}

impl SshClient {
    /// Makes a client, which connects when it is needed.
    #[must_use]
    pub fn new(config: SshConfig) -> Self {
        Self { config, connection: Mutex::new(None), slots: Semaphore::new(MAX_CONCURRENT) }
    }

    /// Tells server and port: `git.example.org:22`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.config.server, self.config.port)
    }

    /// Runs a command with this as its standard input, and waits until it ends.
    ///
    /// A command is one text for the server's own parser: whoever calls must quote, or refuse, what comes from outside.
    ///
    /// Cancel safety: dropping the future keeps the connection; the command may have run.
    ///
    /// # Errors
    /// When it didn't run, or nobody knows how it ended.
    pub async fn run(&self, command: &str, input: &str) -> Result<CommandOutput, SshError> {
        let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
        let timeout = self.config.timeout;
        let ran = tokio::time::timeout(timeout, self.run_now(command, input)).await;
        ran.unwrap_or_else(|_| Err(SshError::Timeout(self.address(), timeout.as_secs())))
    }

    async fn run_now(&self, command: &str, input: &str) -> Result<CommandOutput, SshError> {
        let lost = |error: russh::Error| SshError::Lost(format!("{} broke: {error}", self.address()));
        let mut channel = self.channel().await?;
        channel.exec(true, command).await.map_err(lost)?;
        if !input.is_empty() {
            channel.data_bytes(input.as_bytes().to_vec()).await.map_err(lost)?;
        }
        channel.eof().await.map_err(lost)?;
        let (mut out, mut err, mut status) = (Vec::new(), Vec::new(), None);
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => add(&mut out, &data),
                ChannelMsg::ExtendedData { data, .. } => add(&mut err, &data),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                ChannelMsg::Failure => {
                    return Err(SshError::Login(format!("{} runs no commands for us", self.address())));
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match status {
            Some(status) => Ok(CommandOutput { status, stdout: text(out), stderr: text(err) }),
            None => Err(SshError::Lost(format!("{} broke before the command had ended", self.address()))),
        }
    }

    /// Opens a channel on the kept connection, or on a new one if that has gone.
    async fn channel(&self) -> Result<russh::Channel<client::Msg>, SshError> {
        let kept = self.connection.lock().await.clone().filter(|handle| !handle.is_closed());
        if let Some(handle) = kept
            && let Ok(channel) = handle.channel_open_session().await
        {
            return Ok(channel);
        }
        let mut connection = self.connection.lock().await;
        let handle = match connection.take().filter(|handle| !handle.is_closed()) {
            // Somebody else was first. The lock is held while a connection is made, so that those who wait share it: a
            // server that comes back would otherwise be met by one log-in for each delivery that waits.
            Some(handle) => handle,
            None => Arc::new(self.config.connect().await?),
        };
        let opened = handle.channel_open_session().await;
        if opened.is_ok() {
            *connection = Some(handle);
        }
        opened.map_err(|error| SshError::Lost(format!("{} broke: {error}", self.address())))
    }

    /// Ends the connection; the next command makes a new one.
    pub async fn close(&self) {
        if let Some(handle) = self.connection.lock().await.take() {
            // It ends in any case: that the server doesn't hear of it changes nothing.
            let _ = handle.disconnect(russh::Disconnect::ByApplication, "", "en").await;
        }
    }
}

/// Adds to a stream's output, up to the limit.
fn add(output: &mut Vec<u8>, more: &[u8]) {
    let room = MAX_OUTPUT.saturating_sub(output.len());
    output.extend_from_slice(more.get(..room).unwrap_or(more));
}

impl SshConfig {
    async fn connect(&self) -> Result<Handle<KnownHost>, SshError> {
        let place = format!("{}:{}", self.server, self.port);
        let host = self.known_host().await?;
        let verdict = Arc::clone(&host.verdict);
        let config = client::Config {
            keepalive_interval: Some(KEEP_ALIVE),
            nodelay: true,
            preferred: Preferred { key: host.algorithms(), ..Preferred::default() },
            ..client::Config::default()
        };
        let unreachable = |error: &dyn std::fmt::Display| SshError::Unreachable(format!("{place}: {error}"));
        let stream = self.dialer.connect(&self.server, self.port).await;
        let stream = stream.map_err(|error| unreachable(&error))?;
        let logging_in = async {
            let connected = client::connect_stream(Arc::new(config), stream, host).await;
            let mut handle = connected.map_err(|error| {
                let verdict = verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
                verdict.map_or_else(|| unreachable(&error), SshError::HostKey)
            })?;
            self.log_in(&mut handle).await?;
            Ok(handle)
        };
        let logged_in = tokio::time::timeout(limits::SSH_LOGIN, logging_in).await;
        logged_in.unwrap_or_else(|_| Err(SshError::Timeout(place.clone(), limits::SSH_LOGIN.as_secs())))
    }

    /// Reads the keys that `known_hosts` has of the server.
    async fn known_host(&self) -> Result<KnownHost, SshError> {
        let (server, port, file) = (self.server.clone(), self.port, self.known_hosts.clone());
        let shown = file.display().to_string();
        let read = tokio::task::spawn_blocking(move || known_host_keys_path(&server, port, file)).await;
        let known = match read {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => return Err(SshError::HostKey(format!("cannot read `{shown}`: {error}"))),
            Err(error) => return Err(SshError::HostKey(format!("cannot read `{shown}`: {error}"))),
        };
        let (server, port) = (self.server.clone(), self.port);
        Ok(KnownHost { server, port, file: shown, known, verdict: Arc::default() })
    }

    async fn log_in(&self, handle: &mut Handle<KnownHost>) -> Result<(), SshError> {
        let user = &self.username;
        let place = format!("{}:{}", self.server, self.port);
        let refused = |what: &str| {
            SshError::Login(format!(
                "{place} does not let `{user}` in with {what}: check `username` and the key"
            ))
        };
        let broken = |error: russh::Error| SshError::Lost(format!("{place} broke: {error}"));
        let hash = handle.best_supported_rsa_hash().await.map_err(broken)?.flatten();
        if let SshKeys::Agent(socket) = &self.keys {
            return self.log_in_by_agent(handle, hash, socket.as_deref()).await;
        }
        let (key, shown) = self.key().await?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        match handle.authenticate_publickey(user, key).await.map_err(broken)? {
            AuthResult::Success => Ok(()),
            AuthResult::Failure { .. } => Err(refused(&shown)),
        }
    }

    async fn log_in_by_agent(
        &self,
        handle: &mut Handle<KnownHost>,
        hash: Option<russh::keys::HashAlg>,
        socket: Option<&Path>,
    ) -> Result<(), SshError> {
        let failed = |error: &dyn std::fmt::Display| SshError::Login(format!("the SSH agent: {error}"));
        let agent = match socket {
            Some(socket) => AgentClient::connect_uds(socket).await,
            None => AgentClient::connect_env().await,
        };
        let mut agent = agent.map_err(|error| failed(&error))?;
        let identities = agent.request_identities().await.map_err(|error| failed(&error))?;
        for identity in identities {
            let AgentIdentity::PublicKey { key, .. } = identity else { continue };
            let tried = handle.authenticate_publickey_with(&self.username, key, hash, &mut agent).await;
            if tried.map_err(|error| failed(&error))?.success() {
                return Ok(());
            }
        }
        let (user, server) = (&self.username, &self.server);
        Err(SshError::Login(format!("{server} lets `{user}` in with no key of the SSH agent")))
    }

    /// Reads the key, and names it for people.
    async fn key(&self) -> Result<(PrivateKey, String), SshError> {
        let (text, passphrase, shown) = match &self.keys {
            SshKeys::Key(key, passphrase) => {
                (key.clone(), passphrase.clone(), "the key of `identity`".to_owned())
            }
            SshKeys::Files(files, passphrase) => {
                let (text, file) = first_file(files).await?;
                (text, passphrase.clone(), format!("the key `{}`", file.display()))
            }
            SshKeys::Agent(_) => return Err(SshError::Login("the SSH agent keeps its keys".to_owned())),
        };
        // A passphrase is meant to take long.
        let decoded = tokio::task::spawn_blocking(move || {
            decode_secret_key(text.expose(), passphrase.as_ref().map(Secret::expose))
        });
        match decoded.await {
            Ok(Ok(key)) => Ok((key, shown)),
            Ok(Err(russh::keys::Error::KeyIsEncrypted)) => {
                Err(SshError::Login(format!("{shown} is encrypted: set `passphrase`")))
            }
            Ok(Err(error)) => Err(SshError::Login(format!("{shown} cannot be used: {error}"))),
            Err(error) => Err(SshError::Login(format!("{shown} cannot be used: {error}"))),
        }
    }
}

/// Size of the largest key file, in bytes.
const MAX_KEY: u64 = 64 << 10;

/// Reads the first of the key files that there is.
async fn first_file(files: &[PathBuf]) -> Result<(Secret, PathBuf), SshError> {
    for file in files {
        // Off the runtime, and only a regular file: a pipe in its place would hold this for ever.
        let key = RegularFile::new(file);
        let read = tokio::task::spawn_blocking(move || key.read_text(MAX_KEY)).await;
        match read.unwrap_or_else(|stopped| Err(std::io::Error::other(stopped))) {
            Ok(text) => return Ok((Secret::new(text), file.clone())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(SshError::Login(format!("cannot read the key `{}`: {error}", file.display())));
            }
        }
    }
    let names: Vec<String> = files.iter().map(|file| format!("`{}`", file.display())).collect();
    Err(SshError::Login(format!("there is no SSH key: none of {}; set `identity_file`", names.join(", "))))
}

/// The keys that a server may have, and the verdict on the one that it showed.
struct KnownHost {
    server: String,
    port: u16,
    /// The name of `known_hosts`, for people.
    file: String,
    /// The keys, with their lines.
    known: Vec<(usize, PublicKey)>,
    /// The reason of the server not being trusted. The library asks for yes or no; the reason is handed round it.
    verdict: Arc<Lock<Option<String>>>,
}

impl KnownHost {
    /// Orders the algorithms, those of known keys first: a server with several keys shows one of the first algorithm
    /// that it has, and one that isn't known would be refused though another one is.
    fn algorithms(&self) -> Cow<'static, [russh::keys::Algorithm]> {
        let default = Preferred::default().key;
        let is_known = |algorithm: &russh::keys::Algorithm| {
            self.known.iter().any(|(_, key)| same_kind(&key.algorithm(), algorithm))
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = default.iter().cloned().partition(is_known);
        first.extend(rest);
        Cow::Owned(first)
    }

    /// Checks the key that the server showed; or says why it isn't trusted.
    fn check(&self, key: &PublicKey) -> Result<(), String> {
        if self.known.iter().any(|(_, known)| known.key_data() == key.key_data()) {
            return Ok(());
        }
        let (server, port, file) = (&self.server, self.port, &self.file);
        let fingerprint = key.fingerprint(russh::keys::HashAlg::Sha256);
        match self.known.iter().find(|(_, known)| known.algorithm() == key.algorithm()) {
            Some((line, _)) => Err(format!(
                "{server}:{port} has the key {fingerprint}, which is not the one in line {line} of `{file}`: somebody \
                 may be in between, or it has a new key"
            )),
            None => Err(format!(
                "`{file}` does not know {server}:{port} with its key {fingerprint}: check that with its owner, then \
                 add what `ssh-keyscan -p {port} {server}` says"
            )),
        }
    }
}

/// Compares algorithms; RSA keys go by several names.
fn same_kind(key: &russh::keys::Algorithm, name: &russh::keys::Algorithm) -> bool {
    key == name || (key.clone().is_rsa() && name.clone().is_rsa())
}

impl client::Handler for KnownHost {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let verdict = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check(key),
            PublicKeyOrCertificate::Certificate(_) => {
                Err("the server shows a certificate, which `known_hosts` cannot vouch for".to_owned())
            }
        };
        let trusted = verdict.is_ok();
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = verdict.err();
        Ok(trusted)
    }
}
