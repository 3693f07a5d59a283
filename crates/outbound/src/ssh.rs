//! One kept SSH connection to a server, and commands on it (G-RUN-01).

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

use campanile_config::Secret;
use campanile_outbound::Dialer;

/// So many commands at once (G-RUN-01).
const AT_ONCE: usize = 4;
/// What a command says beyond this is left out.
const MOST_SAID: usize = 256 << 10;
/// A connection that says nothing for so long is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Whom to talk with, as whom.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) server: String,
    pub(super) port: u16,
    pub(super) username: String,
    pub(super) keys: Keys,
    pub(super) known_hosts: PathBuf,
    pub(super) dialer: Dialer,
    /// For a connection, and for each command.
    pub(super) timeout: Duration,
}

/// What proves who we are.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    /// Of the first of these files that there is.
    Files(Vec<PathBuf>, Option<Secret>),
    /// The key itself.
    Key(Secret, Option<Secret>),
    /// The agent at this socket, or that `SSH_AUTH_SOCK` names.
    Agent(Option<PathBuf>),
}

/// What a command came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u32,
    pub(super) out: String,
    pub(super) err: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SshError {
    #[error("cannot reach {0}")]
    Unreachable(String),
    /// The server is not known, or not the one that is known.
    #[error("{0}")]
    HostKey(String),
    /// We can't prove who we are.
    #[error("{0}")]
    Login(String),
    #[error("{0} did not answer within {1} s")]
    Timeout(String, u64),
    #[error("the connection to {0}")]
    Lost(String),
}

/// A server, with the connection to it while there is one.
pub(super) struct Ssh {
    login: Login,
    connection: Mutex<Option<Arc<Handle<Host>>>>,
    turns: Semaphore,
}

impl Ssh {
    pub(super) fn new(login: Login) -> Self {
        Self { login, connection: Mutex::new(None), turns: Semaphore::new(AT_ONCE) }
    }

    /// `gerrit.example.org:29418`.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.login.server, self.login.port)
    }

    /// Runs a command with this as its standard input, and waits until it ends.
    pub(super) async fn run(&self, command: &str, input: &str) -> Result<Answer, SshError> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let timeout = self.login.timeout;
        let ran = tokio::time::timeout(timeout, self.run_now(command, input)).await;
        ran.unwrap_or_else(|_| Err(SshError::Timeout(self.place(), timeout.as_secs())))
    }

    async fn run_now(&self, command: &str, input: &str) -> Result<Answer, SshError> {
        let lost = |error: russh::Error| SshError::Lost(format!("{} broke: {error}", self.place()));
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
                    return Err(SshError::Login(format!("{} runs no commands for us", self.place())));
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match status {
            Some(status) => Ok(Answer { status, out: text(out), err: text(err) }),
            None => Err(SshError::Lost(format!("{} broke before the command had ended", self.place()))),
        }
    }

    /// A channel on the kept connection, or on a new one if that has gone.
    async fn channel(&self) -> Result<russh::Channel<client::Msg>, SshError> {
        let kept = self.connection.lock().await.clone().filter(|handle| !handle.is_closed());
        if let Some(handle) = kept
            && let Ok(channel) = handle.channel_open_session().await
        {
            return Ok(channel);
        }
        let mut connection = self.connection.lock().await;
        let handle = match connection.take().filter(|handle| !handle.is_closed()) {
            // Somebody else was first.
            Some(handle) => handle,
            None => Arc::new(self.login.connect().await?),
        };
        let opened = handle.channel_open_session().await;
        if opened.is_ok() {
            *connection = Some(handle);
        }
        opened.map_err(|error| SshError::Lost(format!("{} broke: {error}", self.place())))
    }

    /// Says goodbye.
    pub(super) async fn close(&self) {
        if let Some(handle) = self.connection.lock().await.take() {
            // Whether it is heard does not matter.
            let _ = handle.disconnect(russh::Disconnect::ByApplication, "", "en").await;
        }
    }
}

fn add(said: &mut Vec<u8>, more: &[u8]) {
    let room = MOST_SAID.saturating_sub(said.len());
    said.extend_from_slice(more.get(..room).unwrap_or(more));
}

impl Login {
    async fn connect(&self) -> Result<Handle<Host>, SshError> {
        let place = format!("{}:{}", self.server, self.port);
        let host = self.host().await?;
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
        let connected = client::connect_stream(Arc::new(config), stream, host).await;
        let mut handle = connected.map_err(|error| {
            let verdict = verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
            verdict.map_or_else(|| unreachable(&error), SshError::HostKey)
        })?;
        self.log_in(&mut handle).await?;
        Ok(handle)
    }

    /// What `known_hosts` has of the server.
    async fn host(&self) -> Result<Host, SshError> {
        let (server, port, file) = (self.server.clone(), self.port, self.known_hosts.clone());
        let shown = file.display().to_string();
        let read = tokio::task::spawn_blocking(move || known_host_keys_path(&server, port, file)).await;
        let known = match read {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => return Err(SshError::HostKey(format!("cannot read `{shown}`: {error}"))),
            Err(error) => return Err(SshError::HostKey(format!("cannot read `{shown}`: {error}"))),
        };
        let (server, port) = (self.server.clone(), self.port);
        Ok(Host { server, port, file: shown, known, verdict: Arc::default() })
    }

    async fn log_in(&self, handle: &mut Handle<Host>) -> Result<(), SshError> {
        let user = &self.username;
        let place = format!("{}:{}", self.server, self.port);
        let refused = |what: &str| {
            SshError::Login(format!(
                "{place} does not let `{user}` in with {what}: check `username` and the key"
            ))
        };
        let broken = |error: russh::Error| SshError::Lost(format!("{place} broke: {error}"));
        let hash = handle.best_supported_rsa_hash().await.map_err(broken)?.flatten();
        if let Keys::Agent(socket) = &self.keys {
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
        handle: &mut Handle<Host>,
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

    /// The key, and what it is called. Read for each connection: it may have been replaced.
    async fn key(&self) -> Result<(PrivateKey, String), SshError> {
        let (text, passphrase, shown) = match &self.keys {
            Keys::Key(key, passphrase) => {
                (key.clone(), passphrase.clone(), "the key of `identity`".to_owned())
            }
            Keys::Files(files, passphrase) => {
                let (text, file) = first_file(files).await?;
                (text, passphrase.clone(), format!("the key `{}`", file.display()))
            }
            Keys::Agent(_) => return Err(SshError::Login("the SSH agent keeps its keys".to_owned())),
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

async fn first_file(files: &[PathBuf]) -> Result<(Secret, PathBuf), SshError> {
    for file in files {
        match tokio::fs::read_to_string(file).await {
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

/// Judges the server's key.
struct Host {
    server: String,
    port: u16,
    /// For people.
    file: String,
    /// Keys that the server may have, with their lines.
    known: Vec<(usize, PublicKey)>,
    /// Why it was not trusted.
    verdict: Arc<Lock<Option<String>>>,
}

impl Host {
    /// Algorithms of known keys first: a server that has several keys shows one of the first algorithm that it has.
    fn algorithms(&self) -> Cow<'static, [russh::keys::Algorithm]> {
        let usual = Preferred::default().key;
        let is_known = |algorithm: &russh::keys::Algorithm| {
            self.known.iter().any(|(_, key)| same_kind(&key.algorithm(), algorithm))
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = usual.iter().cloned().partition(is_known);
        first.extend(rest);
        Cow::Owned(first)
    }

    fn judge(&self, key: &PublicKey) -> Result<(), String> {
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

/// RSA keys go by several names.
fn same_kind(key: &russh::keys::Algorithm, name: &russh::keys::Algorithm) -> bool {
    key == name || (key.clone().is_rsa() && name.clone().is_rsa())
}

impl client::Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let verdict = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.judge(key),
            PublicKeyOrCertificate::Certificate(_) => {
                Err("the server shows a certificate, which `known_hosts` cannot vouch for".to_owned())
            }
        };
        let trusted = verdict.is_ok();
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = verdict.err();
        Ok(trusted)
    }
}
