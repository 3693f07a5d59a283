//! `[[git_poller]]`: commits that come to branches of a Git repository, seen through the program `git`.
//!
//! The program and not a library of ours: it speaks every transport and proof of identity that forges ask for, gets its
//! security fixes from the system, and takes neither the engine's memory nor its process down. It is run with a bare
//! clone of its own, no settings but ours, no hooks, no prompts, and only the protocols that are named here.
//!
//! A commit counts once in a repository, on the branch that has it first (as H-GH-09 does for pushes): what is new is
//! what no known branch had at the last poll. Heads that branches left, because they were forced elsewhere or removed,
//! stay known, so that what comes back is not told again.

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::git_branches::Branches;
use super::git_clone::{BareClone, Heads};
use super::git_credentials::Login;
use super::git_log::Commit;
use super::{ChangeSource, Labels, PollError, PollResult};
use campanile_config::Reader;
use campanile_model::{Change, Timestamp};
use campanile_outbound::Outbound;
use campanile_store::PollState;

/// Of more new commits than this at once only the newest are told.
const MAX_COMMITS: usize = 5_000;
/// So many heads that branches left stay known.
const MAX_LEFT: usize = 1_000;
/// Stands before a revision that a branch left; no branch's name can begin with it.
const LEFT: char = '~';

/// A repository to poll.
#[derive(Debug)]
struct Git {
    clone: BareClone,
    login: Login,
    labels: Labels,
    times: Times,
    empty_pushes: EmptyPushes,
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

/// Makes one of its table.
pub(super) fn from_settings(
    table: &Reader<'_>,
    name: Option<&str>,
    _outbound: &Outbound,
) -> Option<Box<dyn ChangeSource>> {
    let repourl = table.required_text("repourl");
    if let Some(objection) = repourl.as_deref().and_then(objection) {
        table.error("repourl", objection);
    }
    let key = name.or(repourl.as_deref()).unwrap_or_default();
    let digest = Sha256::digest(key);
    let digest = hex::encode(digest.get(..8).unwrap_or(&digest));
    let folder = table.file("workdir");
    let (branches, program) =
        (Branches::read(table), table.text("gitbin").unwrap_or_else(|| "git".to_owned()));
    let clone = repourl.map(|repourl| BareClone {
        repourl,
        branches,
        program,
        folder: folder.unwrap_or_else(|| table.folder().join(".campanile-cache/git").join(digest)),
    });
    let git = Git {
        labels: Labels::read(table),
        login: Login::read(table),
        times: match table.boolean("usetimestamps") {
            Some(false) => Times::Seen,
            _ => Times::Committed,
        },
        empty_pushes: match table.boolean("build_pushes_with_no_commits") {
            Some(true) => EmptyPushes::Tip,
            _ => EmptyPushes::Nothing,
        },
        clone: clone?,
    };
    let by_http = ["https://", "http://"].iter().any(|scheme| git.clone.repourl.starts_with(scheme));
    if git.login.password.is_some() && !by_http {
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

#[async_trait]
impl ChangeSource for Git {
    fn address(&self) -> &str {
        &self.clone.repourl
    }

    async fn poll(&self, known: Option<&PollState>, now: Timestamp) -> Result<PollResult, PollError> {
        let credentials = self.login.credentials(&self.clone.repourl)?;
        let asked = self.clone.remote_heads(&credentials).await?;
        if let Some(known) = known
            && same(known, &asked)
        {
            return Ok(PollResult { state: known.clone(), ..PollResult::default() });
        }
        let heads = match self.clone.fetch(&credentials, &asked).await {
            Err(fault) => {
                self.clone.discard_broken(&fault).await;
                return Err(fault);
            }
            Ok(heads) => heads,
        };
        let Some(known) = known else {
            return Ok(PollResult { state: heads, ..PollResult::default() });
        };
        self.compare(known, heads, now).await
    }
}

/// True if the branches stand where they stood.
fn same(known: &PollState, heads: &Heads) -> bool {
    known.iter().filter(|(name, _)| !name.starts_with(LEFT)).eq(heads.iter())
}

impl Git {
    /// Finds the commits that came to the branches between two polls.
    async fn compare(
        &self,
        known: &PollState,
        heads: Heads,
        now: Timestamp,
    ) -> Result<PollResult, PollError> {
        let mut result = PollResult::default();
        let left = known.keys().filter_map(|key| key.strip_prefix(LEFT));
        let before = known.iter().filter(|(name, _)| !name.starts_with(LEFT)).map(|(_, head)| head.as_str());
        let mut seen: Vec<&str> = left.chain(before).collect();
        let there = self.clone.existing(&seen).await?;
        let mut budget = MAX_COMMITS;
        for (branch, head) in &heads {
            let old = known.get(branch);
            if old == Some(head) {
                continue;
            }
            // A clone that was lost and a branch that was forced: nothing tells where the new commits begin.
            let lost = old.is_some_and(|old| !there.contains(old));
            let limit = if lost { 1 } else { budget };
            let revisions = self.clone.new_revisions(head, &seen, limit).await?;
            if lost {
                result.notes.push(format!(
                    "`{branch}` was forced and its old commits are gone: only its newest is told"
                ));
            } else if revisions.len() >= budget {
                result
                    .notes
                    .push(format!("`{branch}` has more than {budget} new commits: the oldest are not told"));
            }
            budget = budget.saturating_sub(revisions.len()).max(1);
            let told = if revisions.is_empty() && self.empty_pushes == EmptyPushes::Tip {
                vec![head.clone()]
            } else {
                revisions
            };
            let commits = self.clone.commits(&told).await?;
            result.changes.extend(commits.into_iter().map(|commit| self.change(commit, branch, now)));
            seen.push(head);
        }
        result.state = remember(known, heads, now);
        Ok(result)
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
            repository: self.clone.repourl.clone(),
            src: Some("git".to_owned()),
            ..self.labels.change()
        };
        change.clamp_time(now);
        change
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
