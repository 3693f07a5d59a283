//! Gerrit's SSH commands, on one kept connection (G-CMD, G-VER, G-RUN).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::patch_set::PatchSet;
use super::payload::{ReviewOptions, StoredReview, is_branch};
use super::send::ReviewResult;
use super::version::Version;
use crate::{Fault, FaultCode};
use campanile_outbound::{CommandOutput, SshClient, SshConfig, SshError};

/// The age at which a server's version is asked for again (G-VER-02).
const VERSION_TTL: Duration = Duration::from_secs(600);
/// The same where the server did not tell it (G-VER-05).
const UNKNOWN_VERSION_TTL: Duration = Duration::from_secs(60);

/// A server that takes reviews by SSH.
pub(super) struct SshTransport {
    ssh: SshClient,
    /// `gerrit_version` of the settings.
    pinned: Option<Version>,
    /// The version that the server told last, with the time. Locked while it is asked, so that all who wait share the
    /// answer (G-VER-06).
    version: Mutex<Option<(Instant, Option<Version>)>>,
}

/// A change in the output of `gerrit query`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QueriedChange {
    /// Every change has one; the line of statistics at the end has none.
    number: Value,
    branch: Option<String>,
    current_patch_set: Option<QueriedPatchSet>,
}

#[derive(Deserialize)]
struct QueriedPatchSet {
    revision: String,
}

impl SshTransport {
    /// Makes a transport, which connects when it is needed.
    pub(super) fn new(config: SshConfig, pinned: Option<Version>) -> Self {
        Self { ssh: SshClient::new(config), pinned, version: Mutex::default() }
    }

    /// Reviews one patch set; `skip_superseded` leaves votes for old ones out.
    pub(super) async fn post(
        &self,
        patch_set: &PatchSet,
        review: &StoredReview,
        options: &ReviewOptions,
        skip_superseded: bool,
    ) -> Result<ReviewResult, Fault> {
        let PatchSet { project, revision, .. } = patch_set;
        let must_be_newest = skip_superseded && !review.labels.is_empty();
        let is_asked = must_be_newest || patch_set.branch.is_none();
        let change = if is_asked { self.change(patch_set).await? } else { None };
        if must_be_newest
            && let Some(current) = change.as_ref().and_then(|change| change.current_patch_set.as_ref())
            && !current.revision.starts_with(revision)
        {
            return Ok(ReviewResult::Superseded);
        }
        let branch = change.and_then(|change| change.branch).filter(|branch| is_branch(branch));
        let branch = branch.or_else(|| patch_set.branch.clone());
        let version = self.version().await;
        if version.as_ref().is_none_or(Version::takes_json) {
            // Of several changes with this commit only that of this branch is meant.
            let of_branch = branch.map(|branch| format!(" --branch {branch}")).unwrap_or_default();
            let command = format!("gerrit review --json --project {project}{of_branch} {revision}");
            let output = self.run(&command, &review.input(options).to_string()).await?;
            if !output.stderr.contains("is not a valid option") {
                return self.result(&command, &output);
            }
        }
        let (command, left_out) = review.command(patch_set, version.as_ref(), options);
        for warning in left_out {
            tracing::warn!(server = self.ssh.address(), "{warning}");
        }
        let output = self.run(&command, "").await?;
        self.result(&command, &output)
    }

    /// Proves that commands are run for us.
    pub(super) async fn probe(&self) -> Result<String, Fault> {
        let output = self.run("gerrit version", "").await?;
        if output.status != 0 {
            let text = format!("{} refused `gerrit version`: {}", self.ssh.address(), output.stderr.trim());
            return Err(Fault::permanent(FaultCode::Rejected, text));
        }
        Ok(format!("{}: {}", self.ssh.address(), output.stdout.trim()))
    }

    /// Ends the connection.
    pub(super) async fn close(&self) {
        self.ssh.close().await;
    }

    /// Runs a command and logs its output (G-RUN-02).
    async fn run(&self, command: &str, input: &str) -> Result<CommandOutput, Fault> {
        let output = self.ssh.run(command, input).await.map_err(|error| fault(&error))?;
        for line in output.stdout.lines() {
            tracing::debug!(server = self.ssh.address(), "gerritout: {line}");
        }
        for line in output.stderr.lines() {
            tracing::info!(server = self.ssh.address(), "gerriterr: {line}");
        }
        Ok(output)
    }

    /// Reads the result of a review in its command's output (G-RUN-02).
    fn result(&self, command: &str, output: &CommandOutput) -> Result<ReviewResult, Fault> {
        if output.status == 0 {
            tracing::debug!(server = self.ssh.address(), "gerrit status: OK");
            return Ok(ReviewResult::Posted(format!("{} has it", self.ssh.address())));
        }
        let shown: String = command.chars().take(200).collect();
        let (server, status) = (self.ssh.address(), output.status);
        tracing::warn!(server, status, "gerrit status: ERROR: {status} of `{shown}`");
        let lines: Vec<&str> = output.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let text =
            format!("{} refused the review ({}): {}", self.ssh.address(), output.status, lines.join("; "));
        // Its own trouble may pass; its opinion of the review does not.
        let transient = ["internal server error", "server unavailable", "server busy", "lock failure"];
        let stderr = output.stderr.to_lowercase();
        Err(if transient.iter().any(|trouble| stderr.contains(trouble)) {
            Fault::transient(FaultCode::Busy, text)
        } else {
            Fault::permanent(FaultCode::Rejected, text)
        })
    }

    /// Finds the change that a patch set is one of; none if the server does not tell.
    ///
    /// # Errors
    /// When several may be meant.
    async fn change(&self, patch_set: &PatchSet) -> Result<Option<QueriedChange>, Fault> {
        let command = format!("gerrit query --format JSON --current-patch-set {}", patch_set.query());
        let output = self.run(&command, "").await?;
        if output.status != 0 {
            return Ok(None);
        }
        let changes =
            output.stdout.lines().filter_map(|line| serde_json::from_str::<QueriedChange>(line).ok());
        let changes: Vec<QueriedChange> = changes.filter(|change| !change.number.is_null()).collect();
        if changes.is_empty() {
            // It may keep from us what it lets us review; then the review's own answer counts.
            return Ok(None);
        }
        patch_set.only_one(changes, &self.ssh.address()).map(Some)
    }

    /// Gives the server's version, from the settings, the cache or the server; none if it does not tell.
    async fn version(&self) -> Option<Version> {
        if self.pinned.is_some() {
            return self.pinned.clone();
        }
        let mut known = self.version.lock().await;
        if let Some((asked, version)) = known.as_ref() {
            let ttl = if version.is_some() { VERSION_TTL } else { UNKNOWN_VERSION_TTL };
            if asked.elapsed() < ttl {
                return version.clone();
            }
        }
        let output = self.run("gerrit version", "").await;
        let version = output.as_ref().ok().and_then(|output| Version::from_output(&output.stdout));
        if version.is_none() {
            let server = self.ssh.address();
            tracing::warn!(
                server,
                "gerrit version: {server} does not tell it and is taken for a modern one ({output:?})"
            );
        }
        *known = Some((Instant::now(), version.clone()));
        version
    }
}

/// Makes the fault of a command that has no output. All may pass: keys and `known_hosts` are read anew each time.
fn fault(error: &SshError) -> Fault {
    let code = match error {
        SshError::Unreachable(_) | SshError::Lost(_) => FaultCode::Connection,
        SshError::HostKey(_) | SshError::Login(_) => FaultCode::Authentication,
        SshError::Timeout(..) => FaultCode::Timeout,
    };
    Fault::transient(code, error.to_string())
}
