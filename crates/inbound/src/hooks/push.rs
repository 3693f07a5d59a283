//! Parts of pushes that GitHub and all that take after it share: refs, and commits (H-GH-05 to H-GH-10).

use serde_json::Value;

use super::HookError;
use super::commit::{author, files, is_deletion};
use super::json::Json;
use super::options::{NonDistinct, Tags};
use campanile_model::{Change, Timestamp};

/// A branch or a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ref<'a> {
    pub(super) kind: RefKind,
    /// Without `refs/heads/` or `refs/tags/`.
    pub(super) name: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefKind {
    Branch,
    Tag,
}

impl<'a> Ref<'a> {
    /// `refs/heads/NAME` or `refs/tags/NAME`; a blank NAME is neither.
    pub(super) fn read(full: &'a str) -> Option<Self> {
        let of = |kind, prefix| {
            let name = full.strip_prefix(prefix).filter(|name| !name.is_empty())?;
            Some(Self { kind, name })
        };
        of(RefKind::Branch, "refs/heads/").or_else(|| of(RefKind::Tag, "refs/tags/"))
    }

    pub(super) fn is_tag(self) -> bool {
        self.kind == RefKind::Tag
    }
}

/// `repository.html_url`, else `repository.url` (H-GH-03).
pub(super) fn repository<'a>(payload: &Json<'a>) -> Result<&'a str, HookError> {
    if let Some(page) = payload.at("repository.html_url")?.text()? {
        return Ok(page);
    }
    Ok(payload.at("repository.url")?.required()?.text()?.unwrap_or_default())
}

/// The ref that a push goes to, or the reason for which it makes no changes.
pub(super) fn pushed<'a>(push: &Json<'a>, tags: Tags) -> Result<Result<Ref<'a>, String>, HookError> {
    let full = push.at("ref")?.required()?.text()?.unwrap_or_default();
    let Some(to) = Ref::read(full) else {
        return Ok(Err(format!("`{full}' is neither a branch nor a tag")));
    };
    let (kind, name) = (if to.is_tag() { "tag" } else { "branch" }, to.name);
    if is_deletion(push.at("deleted")?.boolean()?, push.at("after")?.word()?.as_deref()) {
        return Ok(Err(format!("{kind} `{name}' deleted")));
    }
    if to.is_tag() && tags == Tags::Nothing {
        return Ok(Err(format!("tag `{name}' ignored")));
    }
    Ok(Ok(to))
}

/// The revision that the branch was at before, as the sender wrote it; none if it is new. No push is refused for it.
pub(super) fn before(told: Option<&Value>) -> Option<String> {
    let before = told?.as_str()?;
    (!is_deletion(None, Some(before))).then(|| before.to_owned())
}

/// The commits of a push, oldest first (H-CH-02). GitHub lists them so, Gitea and those that come of it the other way
/// round: the one that the push ends at tells which it is.
pub(super) fn oldest_first<'a>(
    push: &Json<'a>,
    mut commits: Vec<Json<'a>>,
) -> Result<Vec<Json<'a>>, HookError> {
    let Some(after) = push.at("after")?.word()? else { return Ok(commits) };
    let is_end = |commit: Option<&Json<'a>>| match commit {
        Some(commit) => Ok::<_, HookError>(commit.at("id")?.word()?.as_ref() == Some(&after)),
        None => Ok(false),
    };
    if is_end(commits.first())? && !is_end(commits.last())? {
        commits.reverse();
    }
    Ok(commits)
}

/// The commits that count: those that another branch had only if they are kept, or if there are no others (H-GH-09).
pub(super) fn distinct(
    commits: Vec<Json<'_>>,
    non_distinct: NonDistinct,
) -> Result<Vec<Json<'_>>, HookError> {
    if non_distinct == NonDistinct::Keep {
        return Ok(commits);
    }
    let mut taken = Vec::with_capacity(commits.len());
    for commit in &commits {
        if commit.at("distinct")?.boolean()? != Some(false) {
            taken.push(*commit);
        }
    }
    Ok(if taken.is_empty() && non_distinct == NonDistinct::DropBesideNew { commits } else { taken })
}

/// One commit of a push (H-GH-10).
pub(super) fn change(commit: &Json<'_>, template: &Change, now: Timestamp) -> Result<Change, HookError> {
    Ok(Change { files: files(commit)?, ..change_without_files(commit, template, now)? })
}

/// As `change`, of a forge that never says which files.
pub(super) fn change_without_files(
    commit: &Json<'_>,
    template: &Change,
    now: Timestamp,
) -> Result<Change, HookError> {
    let commit = commit.required()?;
    let committer = author(&commit.at("committer")?)?;
    Ok(Change {
        revision: commit.at("id")?.required()?.word()?,
        who: author(&commit.at("author")?)?,
        committer: Some(committer).filter(|committer| !committer.is_empty()),
        comments: commit.at("message")?.required()?.text()?.unwrap_or_default().to_owned(),
        when: commit.at("timestamp")?.date()?.unwrap_or(now),
        revlink: commit.at("url")?.text()?.unwrap_or_default().to_owned(),
        ..template.clone()
    })
}
