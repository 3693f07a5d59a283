//! Sameness of commits, revisions, branches, codebases and repositories, as far as hooks, pollers and CIs tell of them in
//! ways of their own.

use campanile_model::Change;

/// Length of the shortest hash that names a commit in all the world's repositories.
pub(super) const WHOLE_HASH: usize = 40;
/// Length of the shortest beginning that stands for a hash.
pub(super) const SHORTEST_HASH: usize = 7;

/// True if a commit that a CI told of is this one.
pub(super) fn is_same_commit(told: &Change, known: &Change) -> bool {
    is_same_revision(told.revision.as_deref(), known.revision.as_deref())
        && (told.who.is_empty() || mailbox(&told.who) == mailbox(&known.who))
}

/// The mail address of `Name <address>`, or all of it.
fn mailbox(who: &str) -> &str {
    who.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).unwrap_or(who)
}

/// True if two revisions are one, or one is the beginning of the other's hash.
pub(super) fn is_same_revision(a: Option<&str>, b: Option<&str>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short == long || (short.len() >= SHORTEST_HASH && long.len() >= WHOLE_HASH && long.starts_with(short))
}

/// True if both are the same branch; one that is not told is any.
pub(super) fn is_same_branch(a: Option<&str>, b: Option<&str>) -> bool {
    let short = |branch| str::strip_prefix(branch, "refs/heads/").unwrap_or(branch);
    a.zip(b).is_none_or(|(a, b)| short(a) == short(b))
}

/// True if both are the same codebase; one that is not told is any.
pub(super) fn is_same_codebase(a: &str, b: &str) -> bool {
    a.is_empty() || b.is_empty() || a == b
}

/// True if both are addresses of the same repository, whichever protocol they are for; one that is not told is any. A path
/// without a host (`ada/bells`) is that of any host.
pub(super) fn is_same_repository(a: &str, b: &str) -> bool {
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
}
