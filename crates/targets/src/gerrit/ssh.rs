//! Reviews by Gerrit's SSH commands (G-CMD, G-VER, G-RUN).

use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::posting::Posted;
use super::review::{Options, StoredReview};
use super::ssh::{Answer, Login, Ssh, SshError};
use super::version::Version;
use crate::{Fault, FaultCode};

/// A server's version is asked for again after this (G-VER-02), or after this when it could not be told (G-VER-05).
const KNOWN_FOR: Duration = Duration::from_secs(600);
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

pub(super) struct BySsh {
    ssh: Ssh,
    /// `gerrit_version` of the settings.
    pinned: Option<Version>,
    /// What the server said last, and when. Locked while it is asked, so that all who wait share the answer (G-VER-06).
    version: Mutex<Option<(Instant, Option<Version>)>>,
}

/// A change as `gerrit query` tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queried {
    current_patch_set: Option<QueriedPatchSet>,
}

#[derive(Deserialize)]
struct QueriedPatchSet {
    revision: String,
}

impl BySsh {
    pub(super) fn new(login: Login, pinned: Option<Version>) -> Self {
        Self { ssh: Ssh::new(login), pinned, version: Mutex::default() }
    }

    /// Reviews one patch set; `skip_superseded` leaves votes for old ones out.
    pub(super) async fn post(
        &self,
        project: &str,
        revision: &str,
        review: &StoredReview,
        options: &Options,
        skip_superseded: bool,
    ) -> Result<Posted, Fault> {
        if skip_superseded
            && !review.labels.is_empty()
            && let Some(current) = self.current(project, revision).await?
            && !current.starts_with(revision)
        {
            return Ok(Posted::Superseded);
        }
        let version = self.version().await;
        if version.as_ref().is_none_or(Version::takes_json) {
            let command = format!("gerrit review --json --project {project} {revision}");
            let answer = self.run(&command, &review.input(options).to_string()).await?;
            if !answer.err.contains("is not a valid option") {
                return self.judged(&command, &answer);
            }
        }
        let (command, left_out) = review.command(project, revision, version.as_ref(), options);
        for warning in left_out {
            tracing::warn!("{warning}");
        }
        let answer = self.run(&command, "").await?;
        self.judged(&command, &answer)
    }

    /// Proves that commands are run for us.
    pub(super) async fn probe(&self) -> Result<String, Fault> {
        let answer = self.run("gerrit version", "").await?;
        if answer.status != 0 {
            let text = format!("{} refused `gerrit version`: {}", self.ssh.place(), answer.err.trim());
            return Err(Fault::permanent(FaultCode::Rejected, text));
        }
        Ok(format!("{}: {}", self.ssh.place(), answer.out.trim()))
    }

    pub(super) async fn close(&self) {
        self.ssh.close().await;
    }

    async fn run(&self, command: &str, input: &str) -> Result<Answer, Fault> {
        let answer = self.ssh.run(command, input).await.map_err(|error| fault(&error))?;
        for line in answer.out.lines() {
            tracing::debug!("gerritout: {line}");
        }
        for line in answer.err.lines() {
            tracing::info!("gerriterr: {line}");
        }
        Ok(answer)
    }

    /// What a review came to (G-RUN-02).
    fn judged(&self, command: &str, answer: &Answer) -> Result<Posted, Fault> {
        if answer.status == 0 {
            tracing::debug!("gerrit status: OK");
            return Ok(Posted::Taken(format!("{} has it", self.ssh.place())));
        }
        let shown: String = command.chars().take(200).collect();
        tracing::warn!("gerrit status: ERROR: {} of `{shown}`", answer.status);
        let said: Vec<&str> = answer.err.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let text =
            format!("{} refused the review ({}): {}", self.ssh.place(), answer.status, said.join("; "));
        // Its own trouble may pass; what it thinks of the review does not.
        let passes = ["internal server error", "server unavailable", "server busy", "lock failure"];
        let said = answer.err.to_lowercase();
        Err(if passes.iter().any(|trouble| said.contains(trouble)) {
            Fault::transient(FaultCode::Busy, text)
        } else {
            Fault::permanent(FaultCode::Rejected, text)
        })
    }

    /// The newest patch set of the change that a commit is one of; none if the server does not tell.
    async fn current(&self, project: &str, revision: &str) -> Result<Option<String>, Fault> {
        let command =
            format!("gerrit query --format JSON --current-patch-set project:{project} commit:{revision}");
        let answer = self.run(&command, "").await?;
        if answer.status != 0 {
            return Ok(None);
        }
        let changes = answer.out.lines().filter_map(|line| serde_json::from_str::<Queried>(line).ok());
        let mut current = changes.filter_map(|change| change.current_patch_set);
        Ok(current.next().map(|patch_set| patch_set.revision))
    }

    async fn version(&self) -> Option<Version> {
        if self.pinned.is_some() {
            return self.pinned.clone();
        }
        let mut known = self.version.lock().await;
        if let Some((asked, version)) = known.as_ref() {
            let fresh = if version.is_some() { KNOWN_FOR } else { UNKNOWN_FOR };
            if asked.elapsed() < fresh {
                return version.clone();
            }
        }
        let answer = self.run("gerrit version", "").await;
        let version = answer.as_ref().ok().and_then(|answer| Version::from_answer(&answer.out));
        if version.is_none() {
            let place = self.ssh.place();
            tracing::warn!("{place} does not tell its version: it is taken for a modern one ({answer:?})");
        }
        *known = Some((Instant::now(), version.clone()));
        version
    }
}

fn fault(error: &SshError) -> Fault {
    let code = match error {
        SshError::Unreachable(_) | SshError::Lost(_) => FaultCode::Connection,
        SshError::HostKey(_) | SshError::Login(_) => FaultCode::Authentication,
        SshError::Timeout(..) => FaultCode::Timeout,
    };
    Fault::transient(code, error.to_string())
}
