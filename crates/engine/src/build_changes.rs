//! Changes of builds that were told of by their revision alone: those that hooks and pollers told of.
//!
//! A CI that says "linux #7 built 68e5df28" leaves out who made that, which the push has said. They meet here, when the
//! message about the build is prepared: whichever of them comes first.

use super::explain::listed;
use campanile_model::{Build, BuildId, Change, Results, SourceStamp};
use campanile_store::{BuildQuery, Page, Store, StoreError};

/// Greatest number of changes that a source stamp is given; of more, the newest.
const MAX_CHANGES: usize = 100;
/// Greatest number of changes that are looked through for those between two revisions.
const MAX_BETWEEN: u32 = 2_000;
/// Greatest number of tellings of one revision that are looked at: hooks and pollers may all have told of it.
const MAX_TELLINGS: u32 = 50;
/// Greatest number of builds that are looked through for one of another revision.
const MAX_BUILDS: u32 = 100;
/// Length of the shortest hash that names a commit in all the world's repositories.
const WHOLE_HASH: usize = 40;
/// Length of the shortest beginning that stands for a hash.
const SHORTEST_HASH: usize = 7;

/// The changes of one source stamp.
enum OfStamp {
    /// Nothing is to be done: they were told, and there is nothing to be looked for, or it says something else.
    Told,
    /// They are these, by this rule.
    Found(String),
    /// Nobody has told of its revision yet.
    Unknown,
}

/// Completes a build with the changes that are known of its revisions; they go into the store too, with the rule by which
/// they are its. False if nobody has told of one of them yet.
///
/// # Errors
/// When the store fails.
pub(super) async fn complete(store: &dyn Store, tenant: &str, build: &mut Build) -> Result<bool, StoreError> {
    if build.source_stamps.iter().all(is_told) {
        return Ok(true);
    }
    // Found when another target's message was prepared, or when the build began.
    if store.changes_rule(tenant, &build.id()).await?.is_some()
        && let Some(known) = store.build(tenant, &build.id()).await?
    {
        build.take_changes(&known);
        return Ok(true);
    }
    let (mut rules, mut all_known) = (Vec::new(), true);
    let earlier = EarlierBuilds::of(store, tenant, build).await?;
    let mut completed = build.clone();
    for stamp in &mut completed.source_stamps {
        match complete_stamp(store, tenant, &earlier, stamp).await? {
            OfStamp::Told => {}
            OfStamp::Found(rule) => rules.push(rule),
            OfStamp::Unknown => all_known = false,
        }
    }
    if all_known && !rules.is_empty() {
        store.set_changes(tenant, &completed, &rules.join("; ")).await?;
    }
    *build = completed;
    Ok(all_known)
}

/// True if the changes of a stamp are more than what a CI says of the commit that it has checked out, or there is no
/// revision to look for.
fn is_told(stamp: &SourceStamp) -> bool {
    match &stamp.changes[..] {
        _ if stamp.revision.is_none() => true,
        [] => false,
        // A commit without its files: it was at the head of a push which may have had more.
        [head] => !head.files.is_empty() || head.revision != stamp.revision,
        _ => true,
    }
}

/// Gives a stamp the changes of its revision: those since the last build of another one, if there was one that is known.
async fn complete_stamp(
    store: &dyn Store,
    tenant: &str,
    earlier: &EarlierBuilds,
    stamp: &mut SourceStamp,
) -> Result<OfStamp, StoreError> {
    let Some(revision) = stamp.revision.clone().filter(|_| !is_told(stamp)) else { return Ok(OfStamp::Told) };
    let before = earlier.revision_before(stamp);
    if let Some((build, before)) = &before
        && is_same_revision(Some(before), Some(&revision))
        && stamp.changes.is_empty()
    {
        return Ok(OfStamp::Found(format!("none in {}, which is that of #{}", stamp.codebase, build.number)));
    }
    let Some(head) = change_of(store, tenant, stamp, &revision).await? else { return Ok(OfStamp::Unknown) };
    let from = match &before {
        Some((_, before)) => change_of(store, tenant, stamp, before).await?,
        None => None,
    };
    let (changes, rule) = match (before, from) {
        (Some((build, before)), Some(from)) if from.number < head.number => {
            let between = changes_between(store, tenant, &from, &head).await?;
            let rule =
                format!("{} told of between {before} (#{}) and {revision}", between.len(), build.number);
            (between, rule)
        }
        // An older one, built anew: it has its own commit only.
        (Some(_), Some(_)) => (vec![head], format!("what was told of {revision}")),
        _ => match changes_of_push(store, tenant, &head).await? {
            pushed if pushed.len() > 1 => {
                let rule = format!("{} told of in one push up to {revision}", pushed.len());
                (pushed, rule)
            }
            _ => (vec![head], format!("what was told of {revision}")),
        },
    };
    // What was told with the build stays if it says something else: who has asked for it, say.
    if !stamp.changes.iter().all(|told| changes.iter().any(|known| is_same_commit(told, known))) {
        return Ok(OfStamp::Told);
    }
    if let Some(newest) = changes.last() {
        stamp.fill_place(&newest.repository, &newest.project);
    }
    stamp.changes = changes;
    Ok(OfStamp::Found(rule))
}

/// Lists the revisions that pushes told of and that this is, or begins: newest first, each once.
///
/// # Errors
/// When the store fails.
pub(super) async fn revisions_of(
    store: &dyn Store,
    tenant: &str,
    revision: &str,
) -> Result<Vec<String>, StoreError> {
    let told = store.changes_to(tenant, revision, MAX_TELLINGS).await?;
    Ok(distinct(told.into_iter().filter_map(|change| change.revision)))
}

/// Says why a stamp has no changes though it has a revision.
///
/// # Errors
/// When the store fails.
pub(super) async fn why_unknown(
    store: &dyn Store,
    tenant: &str,
    stamp: &SourceStamp,
) -> Result<String, StoreError> {
    let Some(revision) = stamp.revision.as_deref() else { return Ok("no revision was told".to_owned()) };
    let all = store.changes_to(tenant, revision, MAX_TELLINGS).await?;
    if all.is_empty() {
        return why_nobody_told(store, tenant, revision).await;
    }
    let elsewhere = distinct(all.iter().map(place));
    let found = tellings_for(stamp, all);
    let is_one_place = found.first().is_none_or(|newest| {
        found.iter().all(|change| is_same_repository(&change.repository, &newest.repository))
    });
    let places = distinct(found.iter().map(place));
    let revisions = distinct(found.into_iter().filter_map(|change| change.revision));
    Ok(match revisions.as_slice() {
        [] => format!(
            "pushes of {revision} were told of for {}, and the build is of `{}`",
            listed("repositories", &elsewhere),
            if stamp.repository.is_empty() { &stamp.codebase } else { &stamp.repository }
        ),
        [_, _, ..] => {
            format!("{revision} is the beginning of {}: tell more of it", listed("revisions", &revisions))
        }
        [_] if !is_one_place && revision.len() < WHOLE_HASH => format!(
            "pushes of {revision} were told of for {}: tell the build's repository",
            listed("repositories", &places)
        ),
        [_] => format!("the push of {revision} is known by now, and no message about the build had it"),
    })
}

/// Says why no change has a revision, or begins with it.
async fn why_nobody_told(store: &dyn Store, tenant: &str, revision: &str) -> Result<String, StoreError> {
    let nobody = format!("nobody told of a push of {revision}");
    if !revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(nobody);
    }
    let lower = revision.to_ascii_lowercase();
    if lower != revision && !store.changes_to(tenant, &lower, 1).await?.is_empty() {
        return Ok(format!("{nobody}, but of {lower}: hashes are told in lower case"));
    }
    Ok(if revision.len() < SHORTEST_HASH {
        format!("{nobody}; the beginning of a hash has {SHORTEST_HASH} digits or more")
    } else {
        nobody
    })
}

/// The place of a change, for people.
fn place(change: &Change) -> String {
    if change.repository.is_empty() {
        format!("codebase `{}`", change.codebase)
    } else {
        change.repository.clone()
    }
}

/// The different ones, in their order.
fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for name in names {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    known
}

/// Those of the tellings of a revision that are of a stamp's repository and codebase, and of its branch if any is.
fn tellings_for(stamp: &SourceStamp, mut found: Vec<Change>) -> Vec<Change> {
    found.retain(|change| {
        is_same_repository(&change.repository, &stamp.repository)
            && is_same_codebase(&change.codebase, &stamp.codebase)
    });
    // A commit that was pushed to another branch first is the same commit.
    if found.iter().any(|change| is_same_branch(change.branch.as_deref(), stamp.branch.as_deref())) {
        found.retain(|change| is_same_branch(change.branch.as_deref(), stamp.branch.as_deref()));
    }
    found
}

/// The change to a revision of a stamp's branch and repository, as it was told of last; none if there is none, or if the
/// revision means commits of several repositories.
async fn change_of(
    store: &dyn Store,
    tenant: &str,
    stamp: &SourceStamp,
    revision: &str,
) -> Result<Option<Change>, StoreError> {
    let mut found = tellings_for(stamp, store.changes_to(tenant, revision, MAX_TELLINGS).await?);
    let Some(newest) = found.first() else { return Ok(None) };
    let is_one = found.iter().all(|change| {
        let is_whole = revision.len() >= WHOLE_HASH;
        change.revision == newest.revision
            && (is_whole || is_same_repository(&change.repository, &newest.repository))
    });
    Ok(is_one.then(|| found.swap_remove(0)))
}

/// Builds of the same builder before one, newest first, but for those that came to nothing (nobody was told of what they
/// had built) and those of the same sources (it runs them again).
struct EarlierBuilds(Vec<Build>);

impl EarlierBuilds {
    async fn of(store: &dyn Store, tenant: &str, build: &Build) -> Result<Self, StoreError> {
        let before = i64::try_from(build.number).unwrap_or(i64::MAX);
        let page = Page { limit: MAX_BUILDS, before: Some(before) };
        let query = BuildQuery { builder: Some(build.builder.clone()), page };
        let mut builds = store.builds(tenant, &query).await?;
        builds.retain(|earlier| {
            let came_to_nothing =
                matches!(earlier.results, Some(Results::Retry | Results::Cancelled | Results::Skipped));
            let is_again = build.source_stamps.iter().all(|stamp| {
                stamp_of(earlier, stamp)
                    .is_some_and(|same| is_same_revision(same.revision.as_deref(), stamp.revision.as_deref()))
            });
            !came_to_nothing && !is_again
        });
        Ok(Self(builds))
    }

    /// The last build of a stamp's codebase, branch and repository, with its revision of that.
    fn revision_before(&self, stamp: &SourceStamp) -> Option<(BuildId, &str)> {
        self.0.iter().find_map(|build| {
            let revision = stamp_of(build, stamp)?.revision.as_deref()?;
            Some((build.id(), revision))
        })
    }
}

/// The stamp of a build that is of another one's codebase, branch and repository.
fn stamp_of<'a>(build: &'a Build, stamp: &SourceStamp) -> Option<&'a SourceStamp> {
    build.source_stamps.iter().find(|other| {
        other.codebase == stamp.codebase
            && is_same_branch(other.branch.as_deref(), stamp.branch.as_deref())
            && is_same_repository(&other.repository, &stamp.repository)
    })
}

/// Changes behind one and up to another, of the branch and repository of the latter, oldest first.
async fn changes_between(
    store: &dyn Store,
    tenant: &str,
    from: &Change,
    head: &Change,
) -> Result<Vec<Change>, StoreError> {
    let before = i64::try_from(head.number).unwrap_or(i64::MAX).saturating_add(1);
    let mut found = store.changes(tenant, Page { limit: MAX_BETWEEN, before: Some(before) }).await?;
    found.retain(|change| change.number > from.number && change.revision != from.revision);
    Ok(of_same_place(found, head))
}

/// Changes that were told of together with one and before it, and itself; oldest first.
async fn changes_of_push(store: &dyn Store, tenant: &str, head: &Change) -> Result<Vec<Change>, StoreError> {
    let told = store.changes_told_with(tenant, head.number, MAX_BETWEEN).await?;
    Ok(of_same_place(told, head))
}

/// Those of some changes, newest first, that are of one's branch and repository; the newest of them, oldest first.
fn of_same_place(changes: Vec<Change>, head: &Change) -> Vec<Change> {
    let mut same: Vec<Change> = Vec::new();
    for change in changes {
        let is_same = change.branch == head.branch
            && change.category == head.category
            && is_same_repository(&change.repository, &head.repository)
            && change.codebase == head.codebase;
        // A hook and a poller may both have told of it.
        if is_same && same.len() < MAX_CHANGES && !same.iter().any(|known| known.revision == change.revision)
        {
            same.push(change);
        }
    }
    same.reverse();
    same
}

/// True if a commit that a CI told of is this one.
fn is_same_commit(told: &Change, known: &Change) -> bool {
    is_same_revision(told.revision.as_deref(), known.revision.as_deref())
        && (told.who.is_empty() || mailbox(&told.who) == mailbox(&known.who))
}

/// The mail address of `Name <address>`, or all of it.
fn mailbox(who: &str) -> &str {
    who.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).unwrap_or(who)
}

/// True if two revisions are one, or one is the beginning of the other's hash.
fn is_same_revision(a: Option<&str>, b: Option<&str>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short == long || (short.len() >= SHORTEST_HASH && long.len() >= WHOLE_HASH && long.starts_with(short))
}

/// True if both are the same branch; one that is not told is any.
fn is_same_branch(a: Option<&str>, b: Option<&str>) -> bool {
    let short = |branch| str::strip_prefix(branch, "refs/heads/").unwrap_or(branch);
    a.zip(b).is_none_or(|(a, b)| short(a) == short(b))
}

/// True if both are the same codebase; one that is not told is any.
fn is_same_codebase(a: &str, b: &str) -> bool {
    a.is_empty() || b.is_empty() || a == b
}

/// True if both are addresses of the same repository, whichever protocol they are for; one that is not told is any. A path
/// without a host (`ada/bells`) is that of any host.
fn is_same_repository(a: &str, b: &str) -> bool {
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
