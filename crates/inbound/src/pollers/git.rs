//! `[[git_poller]]`: commits that come to branches of a Git repository, seen through the program `git`.
//!
//! The program and not a library of ours: it speaks every transport and proof of identity that forges ask for, gets its
//! security fixes from the system, and takes neither the engine's memory nor its process down. It is run with a bare
//! clone of its own, no settings but ours, no hooks, no prompts, and only the protocols that are named here.
//!
//! A commit counts once in a repository, on the branch that has it first (as H-GH-09 does for pushes): what is new is
//! what no known branch had at the last look. Heads that branches left, because they were forced elsewhere or removed,
//! stay known, so that what comes back is not told again.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use url::Url;

use super::git_log::{self, Commit};
use super::program::Program;
use super::{Labels, Look, PollError, Source};
use campanile_config::{Reader, Secret};
use campanile_model::{Change, Timestamp};
use campanile_outbound::Outbound;
use campanile_store::PollState;

/// Of more new commits than this at once only the newest are told.
const MAX_COMMITS: usize = 5_000;
/// So many heads that branches left stay known.
const MAX_LEFT: usize = 1_000;
/// Stands before a revision that a branch left; no branch's name can begin with it.
const LEFT: char = '~';
/// Where the clone keeps the branches that it follows.
const NAMESPACE: &str = "refs/campanile/";

/// A repository to look at.
#[derive(Debug)]
struct Git {
    repourl: String,
    branches: Branches,
    program: String,
    clone: PathBuf,
    labels: Labels,
    user: String,
    password: Option<Secret>,
    ssh_private_key: Option<Secret>,
    ssh_known_hosts: Option<Secret>,
    times: Times,
    empty_pushes: EmptyPushes,
}

/// Which branches are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Branches {
    /// The one that the repository calls its own.
    Default,
    Named(Vec<String>),
    All,
}

/// Time that a change gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    /// The commit's own (`usetimestamps`).
    Committed,
    /// That of the poll which found it.
    Seen,
}

/// Effect of a branch that moved to commits which are known (`build_pushes_with_no_commits`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EmptyPushes {
    Nothing,
    /// A change of its newest commit.
    Tip,
}

/// Branches by name, with their revisions.
type Heads = BTreeMap<String, String>;

/// Makes one of its table.
pub(super) fn from_settings(
    table: &Reader<'_>,
    name: Option<&str>,
    _outbound: &Outbound,
) -> Option<Box<dyn Source>> {
    let repourl = table.required_text("repourl");
    if let Some(objection) = repourl.as_deref().and_then(objection) {
        table.error("repourl", objection);
    }
    let key = name.or(repourl.as_deref()).unwrap_or_default();
    let digest: String = Sha256::digest(key).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let clone = table.file("workdir");
    let git = Git {
        branches: read_branches(table),
        program: table.text("gitbin").unwrap_or_else(|| "git".to_owned()),
        clone: clone.unwrap_or_else(|| table.folder().join(".campanile-cache/git").join(digest)),
        labels: Labels::read(table),
        user: table.text("user").unwrap_or_default(),
        password: table.secret("password"),
        ssh_private_key: table.secret("ssh_private_key"),
        ssh_known_hosts: table.secret("ssh_known_hosts"),
        times: match table.boolean("usetimestamps") {
            Some(false) => Times::Seen,
            _ => Times::Committed,
        },
        empty_pushes: match table.boolean("build_pushes_with_no_commits") {
            Some(true) => EmptyPushes::Tip,
            _ => EmptyPushes::Nothing,
        },
        repourl: repourl?,
    };
    if git.password.is_some() && !git.repourl.starts_with("https://") && !git.repourl.starts_with("http://") {
        table.error("password", "`password` is for http and https addresses: ssh takes `ssh_private_key`");
    }
    Some(Box::new(git))
}

/// The objection to an address that is not given to `git`.
fn objection(repourl: &str) -> Option<String> {
    if repourl.is_empty() || repourl.starts_with('-') || repourl.contains("::") {
        return Some(format!(
            "`repourl`: `{}` is no address of a repository",
            repourl.replace(char::is_control, "?")
        ));
    }
    let password = Url::parse(repourl).is_ok_and(|url| url.password().is_some());
    password.then(|| {
        "`repourl` holds a password, and addresses are shown: set `user` and `password` instead".to_owned()
    })
}

fn read_branches(table: &Reader<'_>) -> Branches {
    let branch = table.text("branch");
    let key = if branch.is_some() { "branch" } else { "branches" };
    let branches = match table.item("branches") {
        None => None,
        Some(item) => match item.as_boolean() {
            Some(true) => Some(Branches::All),
            Some(false) => {
                table.error("branches", "`branches` must be true, for all, or a list of names");
                None
            }
            None => item.texts("branches").map(Branches::Named),
        },
    };
    let branches = match (branch, branches) {
        (Some(_), Some(both)) => {
            table.error("branch", "`branch` and `branches` exclude each other: keep one of them");
            both
        }
        (Some(one), None) => Branches::Named(vec![one]),
        (None, Some(branches)) => branches,
        (None, None) => Branches::Default,
    };
    if let Branches::Named(names) = &branches {
        for name in names.iter().filter(|name| !is_branch(name)) {
            table.error(key, format!("`{name}` can't be the name of a branch"));
        }
        if names.is_empty() {
            table.error("branches", "`branches` is empty: name some, or write true for all");
        }
    }
    branches
}

/// True for a name that Git lets a branch have: git-check-ref-format, as far as it matters here.
fn is_branch(name: &str) -> bool {
    let odd = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(odd)
        && name.split('/').all(part)
}

#[async_trait]
impl Source for Git {
    fn address(&self) -> &str {
        &self.repourl
    }

    async fn look(&self, known: Option<&PollState>, now: Timestamp) -> Result<Look, PollError> {
        let keys = Keys::new(self)?;
        let asked = self.ask(&keys).await?;
        if let Some(known) = known
            && same(known, &asked)
        {
            return Ok(Look { state: known.clone(), ..Look::default() });
        }
        let heads = match self.fetch(&keys, &asked).await {
            Err(fault) => {
                self.discard_broken(&fault).await;
                return Err(fault);
            }
            Ok(heads) => heads,
        };
        let Some(known) = known else {
            return Ok(Look { state: heads, ..Look::default() });
        };
        self.compare(known, heads, now).await
    }
}

/// True if the branches stand where they stood.
fn same(known: &PollState, heads: &Heads) -> bool {
    known.iter().filter(|(name, _)| !name.starts_with(LEFT)).eq(heads.iter())
}

impl Git {
    /// Asks the far side where the followed branches stand.
    async fn ask(&self, keys: &Keys) -> Result<Heads, PollError> {
        let ask = self.git("ls-remote", Some(keys));
        let ask = match self.branches {
            Branches::Default => ask.arguments(["ls-remote", "--symref", "--", &self.repourl, "HEAD"]),
            Branches::Named(_) | Branches::All => {
                ask.arguments(["ls-remote", "--heads", "--", &self.repourl])
            }
        };
        let answer = String::from_utf8_lossy(&ask.run().await?).into_owned();
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
            if self.follows(branch) && is_branch(branch) && is_revision(left) {
                heads.insert(branch.to_owned(), left.to_owned());
            }
        }
        Ok(heads)
    }

    fn follows(&self, branch: &str) -> bool {
        match &self.branches {
            Branches::Default | Branches::All => true,
            Branches::Named(names) => names.iter().any(|name| name == branch),
        }
    }

    /// Fetches the branches; gives where they stand in the clone, which may be further than when they were asked for.
    async fn fetch(&self, keys: &Keys, asked: &Heads) -> Result<Heads, PollError> {
        if !tokio::fs::try_exists(self.clone.join("HEAD")).await.unwrap_or(false) {
            let local = |error: std::io::Error| {
                PollError::Local(format!("cannot make `{}`: {error}", self.clone.display()))
            };
            tokio::fs::create_dir_all(&self.clone).await.map_err(local)?;
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
            let fetch = self.git("fetch", Some(keys)).arguments(["fetch"]).arguments(options);
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

    /// Finds the commits that came to the branches between two polls.
    async fn compare(&self, known: &PollState, heads: Heads, now: Timestamp) -> Result<Look, PollError> {
        let mut look = Look::default();
        let left = known.keys().filter_map(|key| key.strip_prefix(LEFT));
        let before = known.iter().filter(|(name, _)| !name.starts_with(LEFT)).map(|(_, head)| head.as_str());
        let mut seen: Vec<&str> = left.chain(before).collect();
        let there = self.existing(&seen).await?;
        let mut budget = MAX_COMMITS;
        for (branch, head) in &heads {
            let old = known.get(branch);
            if old == Some(head) {
                continue;
            }
            // A clone that was lost and a branch that was forced: nothing tells where the new commits begin.
            let lost = old.is_some_and(|old| !there.contains(old));
            let limit = if lost { 1 } else { budget };
            let revisions = self.new_revisions(head, &seen, limit).await?;
            if lost {
                look.notes.push(format!(
                    "`{branch}` was forced and its old commits are gone: only its newest is told"
                ));
            } else if revisions.len() >= budget {
                look.notes
                    .push(format!("`{branch}` has more than {budget} new commits: the oldest are not told"));
            }
            budget = budget.saturating_sub(revisions.len()).max(1);
            let told = if revisions.is_empty() && self.empty_pushes == EmptyPushes::Tip {
                vec![head.clone()]
            } else {
                revisions
            };
            let commits = self.commits(&told).await?;
            look.changes.extend(commits.into_iter().map(|commit| self.change(commit, branch, now)));
            seen.push(head);
        }
        look.state = remember(known, heads, now);
        Ok(look)
    }

    /// Those of the revisions that the clone has.
    async fn existing(&self, revisions: &[&str]) -> Result<std::collections::HashSet<String>, PollError> {
        let input: String = revisions.iter().map(|revision| format!("{revision}\n")).collect();
        let check = self.git("cat-file", None).arguments(["cat-file", "--batch-check=%(objectname)"]);
        let answer = check.input(input).run().await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        Ok(answer.lines().filter(|line| is_revision(line)).map(str::to_owned).collect())
    }

    /// Commits of a head that no head of `seen` has, oldest first; of more than `limit` the newest.
    async fn new_revisions(&self, head: &str, seen: &[&str], limit: usize) -> Result<Vec<String>, PollError> {
        let mut input = format!("{head}\n");
        for revision in seen {
            input.push_str(&format!("^{revision}\n"));
        }
        let list = self.git("rev-list", None).arguments(["rev-list", "--reverse", "--topo-order"]);
        let list = list.arguments(["--ignore-missing".to_owned(), format!("--max-count={limit}")]);
        let answer = list.arguments(["--stdin"]).input(input).run().await?;
        Ok(String::from_utf8_lossy(&answer).lines().map(str::to_owned).collect())
    }

    async fn commits(&self, revisions: &[String]) -> Result<Vec<Commit>, PollError> {
        if revisions.is_empty() {
            return Ok(Vec::new());
        }
        let input: String = revisions.iter().map(|revision| format!("{revision}\n")).collect();
        let log = self.git("log", None).arguments(git_log::ARGUMENTS.iter().copied());
        git_log::parse(&log.input(input).run().await?, revisions)
    }

    fn change(&self, commit: Commit, branch: &str, now: Timestamp) -> Change {
        let mut change = Change {
            who: commit.author,
            committer: Some(commit.committer),
            files: commit.files,
            comments: commit.message,
            revision: Some(commit.revision),
            branch: Some(branch.to_owned()),
            when: match self.times {
                Times::Committed => commit.when,
                Times::Seen => now,
            },
            repository: self.repourl.clone(),
            src: Some("git".to_owned()),
            ..self.labels.change()
        };
        change.clamp_time(now);
        change
    }

    /// `git` in the clone, or before there is one in its folder; with `keys` it may connect.
    fn git(&self, task: &'static str, keys: Option<&Keys>) -> Program {
        let mut git = Program::new(&self.program, task)
            .environment("GIT_DIR", &self.clone)
            .environment("HOME", &self.clone)
            .environment("GIT_CONFIG_NOSYSTEM", "1")
            .environment("GIT_CONFIG_GLOBAL", "/dev/null")
            .environment("GIT_TERMINAL_PROMPT", "0")
            .environment("GIT_ASKPASS", "/bin/false")
            .environment("SSH_ASKPASS", "/bin/false")
            .environment("GIT_ALLOW_PROTOCOL", if keys.is_some() { "file:git:http:https:ssh" } else { "" })
            .arguments(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
            .arguments(["-c", "http.followRedirects=false", "-c", "credential.helper="])
            .arguments(["-c", "fetch.recurseSubmodules=false", "-c", "gc.autoDetach=false"])
            .arguments(["-c", "i18n.logOutputEncoding=UTF-8"])
            // A far side that says nothing for a minute says nothing.
            .arguments(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"]);
        if let Some(keys) = keys {
            git = keys.environment.iter().fold(git, |git, (name, value)| git.environment(*name, value));
            git = keys.secrets.iter().fold(git, Program::hide);
        }
        git
    }

    /// A clone that a crash left broken or locked is only a cache: the next look makes a new one.
    async fn discard_broken(&self, fault: &PollError) {
        let PollError::Program { said, .. } = fault else { return };
        let signs =
            [".lock'", "cannot lock ref", "corrupt", "bad object", "not a git repository", "loose object"];
        if signs.iter().any(|sign| said.contains(sign)) && is_clone(&self.clone) {
            tracing::warn!(clone = %self.clone.display(), "the clone is broken: making a new one");
            let _ = tokio::fs::remove_dir_all(&self.clone).await;
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

/// The branches as they stand, and the heads that branches left, each with when; of too many the newest.
fn remember(known: &PollState, heads: Heads, now: Timestamp) -> PollState {
    let mut left: Vec<(String, String)> = known
        .iter()
        .filter_map(|(name, value)| match name.strip_prefix(LEFT) {
            Some(revision) => Some((value.clone(), revision.to_owned())),
            None if heads.get(name) == Some(value) => None,
            None => Some((now.as_seconds().to_string(), value.clone())),
        })
        .collect();
    left.sort();
    let surplus = left.len().saturating_sub(MAX_LEFT);
    let left = left.into_iter().skip(surplus).map(|(when, revision)| (format!("{LEFT}{revision}"), when));
    heads.into_iter().chain(left).collect()
}

/// What `git` is given to prove who asks: by its environment, since arguments are seen by everybody on the machine.
struct Keys {
    environment: Vec<(&'static str, String)>,
    secrets: Vec<Secret>,
    /// Gone with the look.
    _files: Vec<NamedTempFile>,
}

impl Keys {
    fn new(git: &Git) -> Result<Self, PollError> {
        let mut keys = Self { environment: Vec::new(), secrets: Vec::new(), _files: Vec::new() };
        if let Some(password) = &git.password {
            let plain = format!("{}:{}", git.user, password.expose());
            let encoded = base64::engine::general_purpose::STANDARD.encode(plain);
            // For this origin only.
            let origin = Url::parse(&git.repourl).map(|url| url.origin().ascii_serialization());
            let origin = origin.map_err(|error| PollError::Content(format!("`repourl`: {error}")))?;
            keys.environment.extend([
                ("GIT_CONFIG_COUNT", "1".to_owned()),
                ("GIT_CONFIG_KEY_0", format!("http.{origin}/.extraHeader")),
                ("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {encoded}")),
            ]);
            keys.secrets.extend([password.clone(), Secret::new(encoded)]);
        }
        let mut ssh = "ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=30".to_owned();
        if let Some(key) = &git.ssh_private_key {
            let path = keys.file(key)?;
            ssh.push_str(&format!(" -o IdentitiesOnly=yes -i {path}"));
        }
        if let Some(hosts) = &git.ssh_known_hosts {
            let path = keys.file(hosts)?;
            ssh.push_str(&format!(" -o StrictHostKeyChecking=yes -o UserKnownHostsFile={path}"));
        }
        keys.environment.push(("GIT_SSH_COMMAND", ssh));
        Ok(keys)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_branch_can_have() {
        for name in ["main", "feature/x", "ü", "a.b", "release-1.0"] {
            assert!(is_branch(name), "{name}");
        }
        for name in
            ["", "-x", "--upload-pack=x", "a..b", "a b", "a:b", "*", "~x", "a/", "/a", ".a", "a.lock", "a\nb"]
        {
            assert!(!is_branch(name), "{name}");
        }
    }

    #[test]
    fn addresses_that_are_not_given_to_git() {
        for address in
            ["https://git.example.org/x.git", "git@example.org:x.git", "/srv/git/x", "ssh://git@h/x"]
        {
            assert_eq!(objection(address), None, "{address}");
        }
        for address in ["", "--upload-pack=touch", "ext::sh -c id", "https://ada:hush@example.org/x"] {
            assert!(objection(address).is_some_and(|text| !text.contains("hush")), "{address}");
        }
    }

    #[test]
    fn heads_that_branches_left_stay_known_up_to_a_number() {
        let heads = |pairs: &[(&str, &str)]| -> Heads {
            pairs.iter().map(|(name, head)| ((*name).to_owned(), (*head).to_owned())).collect()
        };
        let now = Timestamp::from_seconds(7);
        let known = heads(&[("gone", "1"), ("main", "2"), ("same", "3"), ("~0", "5")]);
        let state = remember(&known, heads(&[("main", "4"), ("same", "3")]), now);
        assert_eq!(state, heads(&[("main", "4"), ("same", "3"), ("~0", "5"), ("~1", "7"), ("~2", "7")]));
        let many: Heads = (0..2_000).map(|n| (format!("~{n}"), format!("{n:04}"))).collect();
        let state = remember(&many, Heads::new(), now);
        assert_eq!(state.len(), MAX_LEFT);
        assert!(state.contains_key("~1999") && !state.contains_key("~0"));
    }
}
