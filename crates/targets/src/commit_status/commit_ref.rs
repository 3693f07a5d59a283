//! Commits that a build is about: repository and revision of each source stamp (GS-ADD-03 to GS-ADD-05, GS-ADD-08).

use super::forge::{About, text_property};
use campanile_model::{Properties, SourceStamp};

/// A commit at a forge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CommitRef {
    /// All but the last part of the repository's path.
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) sha: String,
    pub(super) branch: Option<String>,
    /// The number of the pull request.
    pub(super) issue: Option<String>,
}

/// A repository's address, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repository<'a> {
    pub(super) host: &'a str,
    pub(super) owner: &'a str,
    pub(super) name: &'a str,
}

impl<'a> Repository<'a> {
    /// Takes an address apart (GS-ADD-03): `https://user:password@host:port/owner/name.git`, `git@host:owner/name`,
    /// and what lies between.
    pub(super) fn parse(address: &'a str) -> Option<Self> {
        let address = address.trim();
        let (scheme, rest) = match address.split_once("://") {
            Some((scheme @ ("https" | "http" | "ssh" | "git"), rest)) => (Some(scheme), rest),
            Some(_) => return None,
            None => (None, address),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let rest = match authority.rfind('@') {
            Some(at) => rest.get(at + 1..)?,
            None => rest,
        };
        let end = match rest.strip_prefix('[') {
            Some(_) => rest.find(']')? + 1,
            None => rest.find([':', '/'])?,
        };
        let (host, path) = (rest.get(..end)?, rest.get(end..)?);
        let of = |path: &'a str| {
            let path = path.trim_matches('/');
            let (owner, name) = path.strip_suffix(".git").unwrap_or(path).rsplit_once('/')?;
            let fits = !host.is_empty() && !owner.trim_matches('/').is_empty() && !name.is_empty();
            fits.then_some(Self { host, owner, name })
        };
        let Some(after) = path.strip_prefix(':') else {
            // Without a scheme and a colon it is a path of this machine.
            return scheme.and_then(|_| of(path));
        };
        let port = after.split_once('/').filter(|(port, _)| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.and_then(|(_, path)| of(path)).or_else(|| of(after))
    }
}

/// Finds owner and name of a stamp's repository, by its project or its address.
pub(super) fn repository(stamp: &SourceStamp, project_first: bool) -> Option<(String, String)> {
    let pair = |(owner, name): (&str, &str)| {
        let fits = !owner.is_empty() && !name.is_empty();
        fits.then(|| (owner.to_owned(), name.to_owned()))
    };
    // Only forges that go by the address first have groups within groups.
    let fits = |(owner, _): &(&str, &str)| !project_first || !owner.contains('/');
    let by_project = || stamp.project.trim().rsplit_once('/').filter(fits).and_then(pair);
    let by_address =
        || Repository::parse(&stamp.repository).and_then(|found| pair((found.owner, found.name)));
    if project_first { by_project().or_else(by_address) } else { by_address().or_else(by_project) }
}

/// True if a stamp's repository is at one of these hosts (GS-T-8).
pub(super) fn is_at(stamp: &SourceStamp, hosts: &[String]) -> bool {
    let found = Repository::parse(&stamp.repository);
    found.is_some_and(|found| hosts.iter().any(|host| host.eq_ignore_ascii_case(found.host)))
}

/// Reads the number of a pull request in its branch (GS-ADD-05).
pub(super) fn issue(branch: &str) -> Option<&str> {
    let (number, kind) = branch.strip_prefix("refs/pull/")?.split_once('/')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && matches!(kind, "head" | "merge")).then_some(number)
}

/// Finds the branch of a stamp; of an only one, the build's property may tell it.
pub(super) fn branch(properties: &Properties, stamps: &[SourceStamp], stamp: &SourceStamp) -> Option<String> {
    let own = stamp.branch.clone().filter(|branch| !branch.is_empty());
    let by_property = || text_property(properties, "branch").filter(|_| stamps.len() == 1);
    match own {
        Some(own) if issue(&own).is_some() => Some(own),
        own => by_property().filter(|branch| issue(branch).is_some()).or(own).or_else(by_property),
    }
}

/// Finds the commit that a pull request would bring, for a build of its merge (GS-ADD-08).
///
/// A merge is a commit that the forge made and shows nowhere: a status of it would be seen by nobody. By property, as
/// whoever knows it may set it and hooks do that are told to; else by the hook's own change.
pub(super) fn head(properties: &Properties, stamp: &SourceStamp, branch: Option<&str>) -> Option<String> {
    branch.and_then(issue)?;
    let names = ["head_sha", "github.head.sha", "gitea.head.sha", "forgejo.head.sha"];
    let by_hook = || {
        let change = stamp.changes.iter().rev().find(|change| change.branch.as_deref() == branch)?;
        change.revision.clone().filter(|revision| !revision.is_empty())
    };
    names.iter().find_map(|name| text_property(properties, name)).or_else(by_hook)
}

/// Rules by which a source stamp becomes a commit.
#[derive(Clone, Copy)]
pub(super) struct StampRules<'a> {
    /// The project says more of the repository than the address.
    pub(super) project_first: bool,
    /// A stamp without a repository is left out.
    pub(super) needs_repository: bool,
    /// Hosts that the repository must be at, if that counts.
    pub(super) hosts: Option<&'a [String]>,
}

/// Finds the commits of all source stamps, and a line for the log for each that is left out (GS-ADD-04).
pub(super) fn of_stamps(
    about: &About<'_>,
    context: &str,
    rules: StampRules<'_>,
) -> (Vec<CommitRef>, Vec<String>) {
    let (mut commits, mut skipped) = (Vec::new(), Vec::new());
    for stamp in about.stamps {
        let branch = branch(about.properties, about.stamps, stamp);
        let issue = branch.as_deref().and_then(issue).map(str::to_owned);
        if rules.hosts.is_some_and(|hosts| !is_at(stamp, hosts)) {
            skipped.push(format!(
                "Skipped status update because the repository of codebase '{}' is not at one of the `hosts`.",
                stamp.codebase
            ));
            continue;
        }
        let found = repository(stamp, rules.project_first);
        let Some((owner, name)) = found.or_else(|| (!rules.needs_repository).then(Default::default)) else {
            skipped.push("Skipped status update because required repo information is missing.".to_owned());
            continue;
        };
        let requested = || stamp.revision.clone().filter(|revision| !revision.trim().is_empty());
        let Some(sha) = head(about.properties, stamp, branch.as_deref()).or_else(requested) else {
            skipped.push(format!(
                "Skipped status update for codebase {}, context '{context}', issue {}.",
                stamp.codebase,
                issue.as_deref().unwrap_or("None")
            ));
            continue;
        };
        commits.push(CommitRef { owner, name, sha: sha.trim().to_owned(), branch, issue });
    }
    (commits, skipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::Change;

    #[test]
    fn gs_add_03_repositories_by_their_addresses() {
        for (address, found) in [
            ("https://github.com/quad/bells.git", Some(("github.com", "quad", "bells"))),
            ("http://github.com/quad/bells", Some(("github.com", "quad", "bells"))),
            ("https://github.com/quad/bells/", Some(("github.com", "quad", "bells"))),
            ("git://github.com/quad/bells.git", Some(("github.com", "quad", "bells"))),
            ("ssh://git@github.com/quad/bells.git", Some(("github.com", "quad", "bells"))),
            ("ssh://git@git.example.org:7999/quad/bells.git", Some(("git.example.org", "quad", "bells"))),
            (
                "https://ada:p@ss:w@git.example.org:8443/quad/bells",
                Some(("git.example.org", "quad", "bells")),
            ),
            ("git@github.com:quad/bells.git", Some(("github.com", "quad", "bells"))),
            ("github.com:quad/bells", Some(("github.com", "quad", "bells"))),
            ("git@host:22/quad/bells.git", Some(("host", "quad", "bells"))),
            ("git@host:22/bells.git", Some(("host", "22", "bells"))),
            ("https://gitlab.com/quad/tower/bells.git", Some(("gitlab.com", "quad/tower", "bells"))),
            ("ssh://git@[::1]:22/quad/bells", Some(("[::1]", "quad", "bells"))),
            ("https://github.com/bells", None),
            ("https://github.com", None),
            ("git@github.com:bells.git", None),
            ("file:///srv/git/quad/bells", None),
            ("/srv/git/quad/bells", None),
            ("quad/bells", None),
            ("", None),
        ] {
            let parsed = Repository::parse(address).map(|found| (found.host, found.owner, found.name));
            assert_eq!(parsed, found, "{address}");
        }
    }

    fn stamp(project: &str, repository: &str, branch: Option<&str>) -> SourceStamp {
        SourceStamp {
            project: project.to_owned(),
            repository: repository.to_owned(),
            branch: branch.map(str::to_owned),
            revision: Some("1f0c".to_owned()),
            ..SourceStamp::default()
        }
    }

    #[test]
    fn gs_add_03_project_or_address() {
        let both = stamp("a/b", "https://github.com/c/d.git", None);
        assert_eq!(repository(&both, true), Some(("a".to_owned(), "b".to_owned())));
        assert_eq!(repository(&both, false), Some(("c".to_owned(), "d".to_owned())));
        let address = stamp("bells", "https://github.com/c/d.git", None);
        assert_eq!(repository(&address, true), Some(("c".to_owned(), "d".to_owned())));
        assert_eq!(repository(&stamp("a/", "x", None), true), None);
        let deep = stamp("a/b/c", "https://github.com/c/d.git", None);
        assert_eq!(repository(&deep, true), Some(("c".to_owned(), "d".to_owned())));
        let deep = stamp("a/b/c", "", None);
        assert_eq!(repository(&deep, false), Some(("a/b".to_owned(), "c".to_owned())));
        let hosts = ["GitHub.com".to_owned()];
        assert!(is_at(&both, &hosts) && !is_at(&stamp("a/b", "git@gitlab.com:a/b", None), &hosts));
    }

    #[test]
    fn gs_add_05_gs_add_08_pull_requests_and_their_heads() {
        for (branch, number) in [
            ("refs/pull/12/merge", Some("12")),
            ("refs/pull/3/head", Some("3")),
            ("refs/pull//head", None),
            ("refs/pull/3/other", None),
            ("refs/pull/3x/head", None),
            ("main", None),
        ] {
            assert_eq!(issue(branch), number, "{branch}");
        }
        let merge = Some("refs/pull/12/merge");
        let mut properties = Properties::new();
        let mut built = stamp("a/b", "", merge);
        assert_eq!(head(&properties, &built, merge), None);
        let revision = Some("beef".to_owned());
        built.changes.push(Change { branch: merge.map(str::to_owned), revision, ..Change::default() });
        assert_eq!(head(&properties, &built, merge).as_deref(), Some("beef"));
        assert_eq!(head(&properties, &built, Some("main")), None);
        properties.set("github.head.sha", "cafe", "Change");
        assert_eq!(head(&properties, &built, merge).as_deref(), Some("cafe"));
        properties.set("head_sha", "feed", "Change");
        assert_eq!(head(&properties, &built, merge).as_deref(), Some("feed"));
        properties.set("branch", "refs/pull/7/head", "Change");
        let stamps = [stamp("a/b", "", Some("main"))];
        assert_eq!(branch(&properties, &stamps, &stamps[0]).as_deref(), Some("refs/pull/7/head"));
    }
}
