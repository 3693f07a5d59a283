//! The bare clone of a Git poller, and the runs of `git` on it.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::PollError;
use super::git_branches::{Branches, is_branch};
use super::git_credentials::Credentials;
use super::git_log::{self, Commit};
use super::program::Program;

/// Refs of the clone that stand for the followed branches.
const NAMESPACE: &str = "refs/campanile/";

/// Branches by name, with their revisions.
pub(super) type Heads = BTreeMap<String, String>;

/// A bare clone of a repository. It is only a cache: without it everything is fetched again.
#[derive(Debug)]
pub(super) struct BareClone {
    pub(super) repourl: String,
    pub(super) branches: Branches,
    /// Name or path of `git`.
    pub(super) program: String,
    pub(super) folder: PathBuf,
}

impl BareClone {
    /// Lists the heads of the followed branches at the far side.
    pub(super) async fn remote_heads(&self, credentials: &Credentials) -> Result<Heads, PollError> {
        let list = self.git("ls-remote", Some(credentials));
        let list = match self.branches {
            Branches::Default => list.arguments(["ls-remote", "--symref", "--", &self.repourl, "HEAD"]),
            Branches::Named(_) | Branches::All => {
                list.arguments(["ls-remote", "--heads", "--", &self.repourl])
            }
        };
        let answer = String::from_utf8_lossy(&list.run().await?).into_owned();
        let mut heads = Heads::new();
        let mut default = "HEAD";
        for (left, right) in answer.lines().filter_map(|line| line.split_once('\t')) {
            let branch = match (left.strip_prefix("ref: refs/heads/"), right.strip_prefix("refs/heads/")) {
                (Some(named), _) => {
                    default = named;
                    continue;
                }
                (None, Some(branch)) => branch,
                (None, None) if right == "HEAD" => default,
                (None, None) => continue,
            };
            if self.branches.includes(branch) && is_branch(branch) && is_revision(left) {
                heads.insert(branch.to_owned(), left.to_owned());
            }
        }
        Ok(heads)
    }

    /// Fetches the branches, into a new clone if there is none; gives their heads in the clone, which may be further than
    /// `asked`.
    pub(super) async fn fetch(&self, credentials: &Credentials, asked: &Heads) -> Result<Heads, PollError> {
        if !tokio::fs::try_exists(self.folder.join("HEAD")).await.unwrap_or(false) {
            let local = |error: std::io::Error| {
                PollError::Local(format!("cannot make `{}`: {error}", self.folder.display()))
            };
            tokio::fs::create_dir_all(&self.folder).await.map_err(local)?;
            let init = self.git("init", None);
            init.arguments(["init", "--quiet", "--bare", "--template="]).run().await?;
        }
        let refspec = |(branch, _): (&String, &String)| match (&self.branches, branch.as_str()) {
            (Branches::Default, "HEAD") => format!("+HEAD:{NAMESPACE}HEAD\n"),
            _ => format!("+refs/heads/{branch}:{NAMESPACE}{branch}\n"),
        };
        let refspecs = match self.branches {
            Branches::All => format!("+refs/heads/*:{NAMESPACE}*\n"),
            Branches::Default | Branches::Named(_) => asked.iter().map(refspec).collect(),
        };
        if !asked.is_empty() {
            let options = ["--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--stdin"];
            let fetch = self.git("fetch", Some(credentials)).arguments(["fetch"]).arguments(options);
            fetch.arguments(["--", &self.repourl]).input(refspecs).run().await?;
        }
        let list = self.git("for-each-ref", None);
        let listed = list.arguments(["for-each-ref", "--format=%(objectname) %(refname)", NAMESPACE]);
        let listed = String::from_utf8_lossy(&listed.run().await?).into_owned();
        let refs = listed.lines().filter_map(|line| line.split_once(' '));
        let heads = refs
            .filter_map(|(revision, name)| Some((name.strip_prefix(NAMESPACE)?, revision)))
            .filter(|(branch, _)| match self.branches {
                Branches::All => is_branch(branch),
                // Others may be left from before they vanished.
                Branches::Default | Branches::Named(_) => asked.contains_key(*branch),
            });
        Ok(heads.map(|(branch, revision)| (branch.to_owned(), revision.to_owned())).collect())
    }

    /// The revisions among these that the clone has.
    pub(super) async fn existing(&self, revisions: &[&str]) -> Result<HashSet<String>, PollError> {
        let input: String = revisions.iter().map(|revision| format!("{revision}\n")).collect();
        let check = self.git("cat-file", None).arguments(["cat-file", "--batch-check=%(objectname)"]);
        let answer = check.input(input).run().await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        Ok(answer.lines().filter(|line| is_revision(line)).map(str::to_owned).collect())
    }

    /// Commits of a head that no head of `seen` has, oldest first; of more than `limit` the newest.
    pub(super) async fn new_revisions(
        &self,
        head: &str,
        seen: &[&str],
        limit: usize,
    ) -> Result<Vec<String>, PollError> {
        let mut input = format!("{head}\n");
        for revision in seen {
            input.push_str(&format!("^{revision}\n"));
        }
        let list = self.git("rev-list", None).arguments(["rev-list", "--reverse", "--topo-order"]);
        let list = list.arguments(["--ignore-missing".to_owned(), format!("--max-count={limit}")]);
        let answer = list.arguments(["--stdin"]).input(input).run().await?;
        Ok(String::from_utf8_lossy(&answer).lines().map(str::to_owned).collect())
    }

    /// Commits of these revisions, in their order.
    pub(super) async fn commits(&self, revisions: &[String]) -> Result<Vec<Commit>, PollError> {
        if revisions.is_empty() {
            return Ok(Vec::new());
        }
        let input: String = revisions.iter().map(|revision| format!("{revision}\n")).collect();
        let log = self.git("log", None).arguments(git_log::ARGUMENTS.iter().copied());
        git_log::parse(&log.input(input).run().await?, revisions)
    }

    /// `git` in the clone, or in the folder that it is to have. With credentials it may connect.
    ///
    /// Settings of the machine and of its users are shut out: a repository, or another user, could have `git` run
    /// programs by them.
    fn git(&self, task: &'static str, credentials: Option<&Credentials>) -> Program {
        let mut git = Program::new(&self.program, task)
            .environment("GIT_DIR", &self.folder)
            .environment("HOME", &self.folder)
            .environment("GIT_CONFIG_NOSYSTEM", "1")
            .environment("GIT_CONFIG_GLOBAL", "/dev/null")
            .environment("GIT_TERMINAL_PROMPT", "0")
            .environment("GIT_ASKPASS", "/bin/false")
            .environment("SSH_ASKPASS", "/bin/false")
            .environment(
                "GIT_ALLOW_PROTOCOL",
                if credentials.is_some() { "file:git:http:https:ssh" } else { "" },
            )
            .arguments(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
            .arguments(["-c", "http.followRedirects=false", "-c", "credential.helper="])
            .arguments(["-c", "fetch.recurseSubmodules=false", "-c", "gc.autoDetach=false"])
            .arguments(["-c", "i18n.logOutputEncoding=UTF-8"])
            // A far side that says nothing for a minute says nothing.
            .arguments(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"]);
        if let Some(credentials) = credentials {
            git =
                credentials.environment.iter().fold(git, |git, (name, value)| git.environment(*name, value));
            git = credentials.secrets.iter().fold(git, Program::hide);
        }
        git
    }

    /// Removes a clone that a crash left broken or locked, so that the next poll makes a new one: it is only a cache.
    pub(super) async fn discard_broken(&self, fault: &PollError) {
        let PollError::Program { said, .. } = fault else { return };
        let signs =
            [".lock'", "cannot lock ref", "corrupt", "bad object", "not a git repository", "loose object"];
        if signs.iter().any(|sign| said.contains(sign)) && is_clone(&self.folder) {
            tracing::warn!(clone = %self.folder.display(), "clone is broken: a new one is made");
            let _ = tokio::fs::remove_dir_all(&self.folder).await;
        }
    }
}

/// True for a folder that looks like a bare clone, so that nothing else is ever removed.
fn is_clone(folder: &Path) -> bool {
    ["HEAD", "objects", "refs"].iter().all(|entry| folder.join(entry).exists())
}

fn is_revision(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
