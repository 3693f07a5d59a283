//! Comments on pull requests at Bitbucket Server and Data Center: `[[bitbucket_server_comment]]` (K-07).

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use url::Url;

use super::bitbucket_server::{EXAMPLE, credentials, probe_request};
use super::commit_ref::CommitRef;
use super::forge::{About, DefaultAddressing, Defaults, Forge, text_property};
use super::github_comment::NO_STATES;
use super::payload::StoredStatus;
use super::settings::Shared;
use super::states::StateNames;
use crate::http::{Credentials, JSON, below, deferred};
use crate::{Outcome, Parts, Target};
use campanile_config::Reader;
use campanile_model::Timestamp;
use campanile_outbound::Request;

/// Makes a target of the n-th `[[bitbucket_server_comment]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<BitbucketServerComment>(reader, index, parts)
}

/// A Bitbucket of one's own, for comments.
pub(super) struct BitbucketServerComment {
    credentials: Credentials,
}

/// Finds a pull request by the address of its page: `.../projects/QUAD/repos/bells/pull-requests/7`, and `users`
/// likewise.
fn pull_request(address: &str) -> Option<CommitRef> {
    let url = Url::parse(address).ok()?;
    let parts: Vec<&str> = url.path_segments()?.collect();
    let found = parts.windows(6).find_map(|parts| match parts {
        [kind @ ("projects" | "users"), owner, "repos", name, "pull-requests", number] => {
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then_some((*kind, *owner, *name, *number))
        }
        _ => None,
    });
    let (kind, owner, name, number) = found?;
    let plain = |part: &str| {
        percent_encoding::percent_decode_str(part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    Some(CommitRef {
        owner: format!("{kind}/{}", plain(owner)?),
        name: plain(name)?,
        issue: Some(number.to_owned()),
        sha: number.to_owned(),
        branch: None,
    })
}

#[async_trait]
impl Forge for BitbucketServerComment {
    const TABLE: &'static str = "bitbucket_server_comment";
    const TITLE: &'static str = "Bitbucket Server";
    const STATE_NAMES: StateNames = NO_STATES;
    const DEFAULTS: Defaults = Defaults {
        base_url: None,
        example: EXAMPLE,
        addressing: DefaultAddressing::Own,
        project_first: false,
        context: ("", "comment"),
        start_description: None,
        requests: None,
        needs_url: false,
        max_description: 32_768,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        credentials(reader).map(|credentials| Self { credentials })
    }

    /// Finds each distinct `pullrequesturl` of the build or of its changes. The number of the pull request stands in
    /// for the commit's hash: there is no other address of a comment.
    fn own_commits(&self, about: &About<'_>) -> Vec<CommitRef> {
        let changes = about.stamps.iter().flat_map(|stamp| &stamp.changes);
        let addresses = std::iter::once(about.properties).chain(changes.map(|change| &change.properties));
        let mut commits = Vec::new();
        for address in addresses.filter_map(|properties| text_property(properties, "pullrequesturl")) {
            match pull_request(&address) {
                Some(commit) if !commits.contains(&commit) => commits.push(commit),
                Some(_) => {}
                None => {
                    tracing::info!(
                        address,
                        "no pull request of Bitbucket Server has the address `{address}`"
                    );
                }
            }
        }
        commits
    }

    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        _: Timestamp,
    ) -> Result<Request, Outcome> {
        let (kind, owner) = status.owner.split_once('/').unwrap_or(("projects", &status.owner));
        let path = ["rest", "api", "1.0", kind, owner, "repos", &status.name, "pull-requests", &status.sha];
        let url = below(&shared.base_url, path.into_iter().chain(["comments"]))?;
        let body = json!({"text": status.description});
        let request = Request::post(url, JSON, body.to_string());
        self.credentials.sign(request).map_err(deferred)
    }

    async fn probe_request(&self, shared: &Shared, _: Timestamp) -> Result<Request, Outcome> {
        probe_request(&self.credentials, shared)
    }

    fn success_text(status: &StoredStatus) -> String {
        format!("Comment sent for {}/{}#{}.", status.owner, status.name, status.sha)
    }

    fn failure_text(status: &StoredStatus) -> String {
        format!("Fail to send comment for {}/{}#{}.", status.owner, status.name, status.sha)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_07_pull_requests_by_their_pages() {
        for (address, found) in [
            (
                "https://bb.example.org/projects/QUAD/repos/bells/pull-requests/7",
                Some(("projects/QUAD", "7")),
            ),
            (
                "https://bb.example.org/bb/projects/QUAD/repos/bells/pull-requests/7/overview",
                Some(("projects/QUAD", "7")),
            ),
            ("https://bb.example.org/users/ada/repos/bells/pull-requests/12", Some(("users/ada", "12"))),
            ("https://bb.example.org/projects/QUAD/repos/bells/pull-requests/x", None),
            ("https://github.com/quad/bells/pull/7", None),
            ("bells", None),
        ] {
            let parsed = pull_request(address);
            let parsed = parsed.as_ref().map(|commit| (commit.owner.as_str(), commit.sha.as_str()));
            assert_eq!(parsed, found, "{address}");
        }
    }
}
