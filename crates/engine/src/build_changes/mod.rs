//! Changes of builds that were told of by their revision alone: those that hooks and pollers told of.
//!
//! A CI that says "linux #7 built 68e5df28" leaves out who made that, which the push has said. They meet here, when the
//! message about the build is prepared: whichever of them comes first.

mod reasons;

use campanile_model::{
    Build, BuildId, Change, Results, SourceStamp, WHOLE_HASH, is_same_branch, is_same_codebase,
    is_same_commit, is_same_repository, is_same_revision,
};
use campanile_store::{BuildQuery, Page, Store, StoreError};

pub(super) use reasons::{revisions_of, why_unknown};

/// Greatest number of changes that a source stamp is given; of more, the newest.
const MAX_CHANGES: usize = 100;
/// Greatest number of changes that are looked through for those between two revisions.
const MAX_BETWEEN: u32 = 2_000;
/// Greatest number of tellings of one revision that are looked at: hooks and pollers may all have told of it.
const MAX_TELLINGS: u32 = 50;
/// Greatest number of pushes that are followed back from one revision to another.
const MAX_PUSHES: usize = 50;
/// Greatest number of builds that are looked through for one of another revision.
const MAX_BUILDS: u32 = 100;

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
    let pushed = match &from {
        Some(from) => pushes_since(store, tenant, from, &head).await?,
        None => None,
    };
    let (changes, rule) = match (before, from, pushed) {
        (Some((build, before)), _, Some(pushed)) => {
            let rule = format!("{} pushed between {before} (#{}) and {revision}", pushed.len(), build.number);
            (pushed, rule)
        }
        (Some((build, before)), Some(from), None) if from.number < head.number => {
            let between = changes_between(store, tenant, &from, &head).await?;
            let rule =
                format!("{} told of between {before} (#{}) and {revision}", between.len(), build.number);
            (between, rule)
        }
        // An older one, built anew: it has its own commit only.
        (Some(_), Some(_), None) => (vec![head], format!("what was told of {revision}")),
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
    build.source_stamps.iter().find(|other| other.is_same_place(stamp))
}

/// Changes of the pushes that lead from one revision to another, oldest first, by what each push says of the revision
/// before it (M-CH-10): whatever the order in which they were told of, and however often. None where they do not say so, or
/// one is missing.
async fn pushes_since(
    store: &dyn Store,
    tenant: &str,
    from: &Change,
    head: &Change,
) -> Result<Option<Vec<Change>>, StoreError> {
    let mut newest_first: Vec<Change> = Vec::new();
    let mut end = head.clone();
    for _ in 0..MAX_PUSHES {
        let Some(before) = end.before.clone() else { return Ok(None) };
        let mut of_push = changes_of_push(store, tenant, &end).await?;
        of_push.reverse();
        let until = of_push.iter().position(|change| change.revision == from.revision);
        newest_first.extend(of_push.into_iter().take(until.unwrap_or(usize::MAX)));
        if until.is_some() || from.revision.as_deref() == Some(&before) {
            return Ok(Some(of_same_place(newest_first, head)));
        }
        let told = store.changes_to(tenant, &before, MAX_TELLINGS).await?;
        let Some(next) = told.into_iter().find(|change| is_of_same_place(change, head)) else {
            return Ok(None);
        };
        end = next;
    }
    Ok(None)
}

/// True for changes of the same branch and repository.
fn is_of_same_place(change: &Change, head: &Change) -> bool {
    change.branch == head.branch
        && change.category == head.category
        && is_same_repository(&change.repository, &head.repository)
        && change.codebase == head.codebase
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
        let is_same = is_of_same_place(&change, head);
        // A hook and a poller may both have told of it.
        if is_same && same.len() < MAX_CHANGES && !same.iter().any(|known| known.revision == change.revision)
        {
            same.push(change);
        }
    }
    same.reverse();
    same
}
