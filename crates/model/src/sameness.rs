//! Sameness of commits, revisions, branches, codebases and repositories, as far as hooks, pollers and CIs tell of them in
//! ways of their own.

use super::{Build, Change, SourceStamp};

/// Length of the shortest hash that names a commit in all the world's repositories.
pub const WHOLE_HASH: usize = 40;
/// Length of the shortest beginning that stands for a hash.
pub const SHORTEST_HASH: usize = 7;

/// True if a commit that a CI told of is this one.
#[must_use]
pub fn is_same_commit(told: &Change, known: &Change) -> bool {
    is_same_revision(told.revision.as_deref(), known.revision.as_deref())
        && (told.who.is_empty() || mailbox(&told.who) == mailbox(&known.who))
}

/// The mail address of `Name <address>`, or all of it.
fn mailbox(who: &str) -> &str {
    who.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).unwrap_or(who)
}

/// True if two revisions are one, or one is the beginning of the other's hash.
#[must_use]
pub fn is_same_revision(a: Option<&str>, b: Option<&str>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short == long || (short.len() >= SHORTEST_HASH && long.len() >= WHOLE_HASH && long.starts_with(short))
}

/// True if both are the same branch; one that is not told is any.
#[must_use]
pub fn is_same_branch(a: Option<&str>, b: Option<&str>) -> bool {
    let short = |branch| str::strip_prefix(branch, "refs/heads/").unwrap_or(branch);
    a.zip(b).is_none_or(|(a, b)| short(a) == short(b))
}

/// True if both are the same codebase; one that is not told is any.
#[must_use]
pub fn is_same_codebase(a: &str, b: &str) -> bool {
    a.is_empty() || b.is_empty() || a == b
}

/// True if both are addresses of the same repository, whichever protocol they are for; one that is not told is any. A path
/// without a host (`ada/bells`) is that of any host.
#[must_use]
pub fn is_same_repository(a: &str, b: &str) -> bool {
    if a.is_empty() || b.is_empty() || a == b {
        return true;
    }
    let (a, b) = (host_and_path(a), host_and_path(b));
    let ends_with = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    ends_with(&a, &b) || ends_with(&b, &a)
}

/// Takes protocol, user and `.git` off a repository's address, also of one in the form of `scp`.
fn host_and_path(repository: &str) -> String {
    let (is_url, rest) = match repository.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, repository),
    };
    let rest = match rest.split_once('@') {
        Some((user, rest)) if !user.contains('/') => rest,
        _ => rest,
    };
    let rest = rest.trim_end_matches('/');
    let rest = rest.strip_suffix(".git").unwrap_or(rest).to_ascii_lowercase();
    if is_url { rest } else { rest.replacen(':', "/", 1) }
}

impl SourceStamp {
    /// True if another stamp is of the same codebase, branch and repository.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.codebase == other.codebase
            && is_same_branch(self.branch.as_deref(), other.branch.as_deref())
            && is_same_repository(&self.repository, &other.repository)
    }
}

impl Build {
    /// True if another build is of the same codebases, and of the same branch and repository in each. One without a branch
    /// is the same as another without one only.
    #[must_use]
    pub fn is_of_same_branches(&self, other: &Self) -> bool {
        let has_branch = |stamp: &SourceStamp| stamp.branch.as_deref().is_some_and(|name| !name.is_empty());
        // A build that says nothing of its sources is one of the default branch.
        let nothing = [SourceStamp::default()];
        let ours = if self.source_stamps.is_empty() { &nothing[..] } else { &self.source_stamps };
        let theirs = if other.source_stamps.is_empty() { &nothing[..] } else { &other.source_stamps };
        let is_same = |ours: &SourceStamp, theirs: &SourceStamp| {
            ours.codebase == theirs.codebase
                && has_branch(ours) == has_branch(theirs)
                && ours.is_same_place(theirs)
        };
        ours.len() == theirs.len()
            && ours.iter().all(|ours| theirs.iter().any(|theirs| is_same(ours, theirs)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_the_same_by_any_protocol() {
        let same = [
            ("https://github.com/ada/bells", "git@github.com:ada/bells.git"),
            ("https://github.com/ada/bells/", "ssh://git@GitHub.com/ada/bells"),
            ("ada/bells", "https://github.com/ada/bells.git"),
            ("", "https://github.com/ada/bells"),
            ("/srv/git/bells.git", "/srv/git/bells"),
        ];
        for (a, b) in same {
            assert!(is_same_repository(a, b) && is_same_repository(b, a), "{a} {b}");
        }
        let other = [
            ("https://github.com/ada/bells", "https://github.com/eve/bells"),
            ("ada/bells", "https://github.com/canada/bells"),
            ("https://github.com/ada/bells", "https://gitlab.com/ada/bells"),
        ];
        for (a, b) in other {
            assert!(!is_same_repository(a, b) && !is_same_repository(b, a), "{a} {b}");
        }
    }

    #[test]
    fn a_revision_may_be_cut_short() {
        let hash = "68e5df28aa0bbb5b8e2d1f0c9d7e6a5b4c3d2e1f";
        for (a, b, same) in [
            (hash, "68e5df2", true),
            (hash, "68e5df", false),
            ("1234567", "12345678", false),
            ("12", "12", true),
        ] {
            assert_eq!(is_same_revision(Some(a), Some(b)), same, "{a} {b}");
            assert_eq!(is_same_revision(Some(b), Some(a)), same, "{b} {a}");
        }
        assert!(!is_same_revision(None, None));
    }

    #[test]
    fn m_18_builds_of_the_same_branches_are_of_the_same_repositories_too() {
        let build = |stamps: &[(&str, Option<&str>, &str)]| {
            let stamp = |(codebase, branch, repository): &(&str, Option<&str>, &str)| SourceStamp {
                codebase: (*codebase).to_owned(),
                branch: branch.map(str::to_owned),
                repository: (*repository).to_owned(),
                ..SourceStamp::default()
            };
            Build { source_stamps: stamps.iter().map(stamp).collect(), ..Build::new("linux", 1) }
        };
        let bells = [("", Some("main"), "https://github.com/ada/bells")];
        for (other, same) in [
            (&[("", Some("refs/heads/main"), "git@github.com:ada/bells.git")][..], true),
            (&[("", Some("main"), "")], true),
            (&[("", Some("main"), "https://github.com/ada/tower")], false),
            (&[("", Some("next"), "https://github.com/ada/bells")], false),
            (&[("", None, "https://github.com/ada/bells")], false),
            (&[("lib", Some("main"), "https://github.com/ada/bells")], false),
            (&[], false),
        ] {
            assert_eq!(build(&bells).is_of_same_branches(&build(other)), same, "{other:?}");
            assert_eq!(build(other).is_of_same_branches(&build(&bells)), same, "{other:?}");
        }
        assert!(build(&[("", None, "")]).is_of_same_branches(&build(&[("", Some(""), "")])));
    }
}
