//! Mails that belong together are shown together (M-X-16): each names the same root, which is no mail of its own.
//!
//! A run of trouble begins with the first build after a success and ends with the next success, which still belongs
//! to it: so the mails of a run are one thread, and the next run begins another.

use sha2::{Digest as _, Sha256};

use super::previous_build::walk_back;
use super::{Fault, store_fault};
use campanile_callbacks::{Status, StatusError};
use campanile_config::Reader;
use campanile_model::{Build, Results};

/// The thing that mails of one thread have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadBy {
    /// A run of trouble of one builder.
    Builder,
    /// A run of trouble of one builder and the same branches.
    Branch,
    /// The same revisions, on whatever builder.
    Change,
}

impl ThreadBy {
    /// Reads `thread_by`.
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.text("thread_by")?.as_str() {
            "builder" => Some(Self::Builder),
            "branch" => Some(Self::Branch),
            "change" => Some(Self::Change),
            other => {
                let text = format!("`thread_by` must be `builder`, `branch` or `change`, not `{other}`");
                reader.error("thread_by", text);
                None
            }
        }
    }

    /// Finds the root of the build's thread, as a Message-ID; none for `change` without a revision.
    pub(super) async fn root(
        self,
        build: &Build,
        status: &dyn Status,
        domain: &str,
    ) -> Result<Option<String>, Fault> {
        let mut told = vec![format!("{self:?}")];
        match self {
            Self::Change => {
                let revisions = revisions(build);
                if revisions.is_empty() {
                    return Ok(None);
                }
                told.extend(revisions);
            }
            Self::Builder | Self::Branch => {
                told.push(build.builder.clone());
                if self == Self::Branch {
                    told.extend(
                        branches(build).iter().map(|(codebase, branch)| format!("{codebase}\u{1}{branch}")),
                    );
                }
                let success = self.last_success(build, status).await.map_err(|error| store_fault(&error))?;
                told.push(
                    success.map_or_else(|| "from the beginning".to_owned(), |number| number.to_string()),
                );
            }
        }
        let digest = Sha256::digest(told.join("\0"));
        let mut id = hex::encode(digest);
        id.truncate(32);
        Ok(Some(format!("<thread-{id}@{domain}>")))
    }

    /// Number of the last success before the build; beyond those that are looked through, all belongs to one run without a
    /// beginning.
    async fn last_success(self, build: &Build, status: &dyn Status) -> Result<Option<u64>, StatusError> {
        let ends = |other: &Build| {
            other.results == Some(Results::Success)
                && (self == Self::Builder || build.is_of_same_branches(other))
        };
        walk_back(build, status, |other| ends(&other).then_some(other.number)).await
    }
}

/// The branch of each codebase.
fn branches(build: &Build) -> Vec<(&str, &str)> {
    let stamps = build.source_stamps.iter();
    stamps.map(|stamp| (stamp.codebase.as_str(), stamp.branch.as_deref().unwrap_or_default())).collect()
}

fn revisions(build: &Build) -> Vec<String> {
    let stamps = build.source_stamps.iter();
    let mut revisions: Vec<String> = stamps
        .filter_map(|stamp| Some(format!("{}\u{1}{}", stamp.repository, stamp.revision.as_deref()?)))
        .collect();
    revisions.sort_unstable();
    revisions
}
