//! The revisions that pushes told of, and why a build has no changes of them, in words for people.

use campanile_model::{Change, SHORTEST_HASH, SourceStamp, WHOLE_HASH, is_same_repository};
use campanile_store::{Store, StoreError};

use super::{MAX_TELLINGS, tellings_for};
use crate::explain::listed;

/// Lists the revisions that pushes told of and that this is, or begins: newest first, each once.
///
/// # Errors
/// When the store fails.
pub(crate) async fn revisions_of(
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
pub(crate) async fn why_unknown(
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
