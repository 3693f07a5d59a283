//! Comments on pull requests at Bitbucket Server and Data Center: `[[bitbucket_server_comment]]` (K-07).

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use url::Url;

use super::bitbucket_server::{EXAMPLE, login, proof};
use super::credentials::Login;
use super::forge::{About, Forge, Usual, UsualAddressing, Words, below, word};
use super::github_comment::COMMENT;
use super::place::Place;
use super::settings::Shared;
use super::status::StoredStatus;
use crate::http_outcome::deferred;
use crate::{Outcome, Parts, Target};
use campanile_config::Reader;
use campanile_model::Timestamp;
use campanile_outbound::Request;

/// Makes a target from the n-th `[[bitbucket_server_comment]]` table.
pub fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<BitbucketServerComment>(reader, index, parts)
}

/// A Bitbucket of one's own, for comments.
pub(super) struct BitbucketServerComment {
    login: Login,
}

/// A pull request by the address of its page: `.../projects/QUAD/repos/bells/pull-requests/7`, and `users` likewise.
fn pull_request(address: &str) -> Option<Place> {
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
    Some(Place {
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
    const WORDS: Words = COMMENT;
    const USUAL: Usual = Usual {
        base_url: None,
        example: EXAMPLE,
        addressing: UsualAddressing::Own,
        project_first: false,
        context: ("", "comment"),
        start_description: None,
        requests: None,
        needs_url: false,
        longest: 32_768,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        login(reader).map(|login| Self { login })
    }

    /// Each distinct `pullrequesturl` of the build or of its changes.
    fn own_places(&self, about: &About<'_>) -> Vec<Place> {
        let changes = about.stamps.iter().flat_map(|stamp| &stamp.changes);
        let addresses = std::iter::once(about.properties).chain(changes.map(|change| &change.properties));
        let mut places = Vec::new();
        for address in addresses.filter_map(|properties| word(properties, "pullrequesturl")) {
            match pull_request(&address) {
                Some(place) if !places.contains(&place) => places.push(place),
                Some(_) => {}
                None => tracing::info!("no pull request of Bitbucket Server has the address `{address}`"),
            }
        }
        places
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
        let request = Request::post(url, "application/json", body.to_string());
        self.login.sign(request).map_err(deferred)
    }

    async fn proof(&self, shared: &Shared, _: Timestamp) -> Result<Request, Outcome> {
        proof(&self.login, shared)
    }

    fn told(status: &StoredStatus) -> String {
        format!("Comment sent for {}/{}#{}.", status.owner, status.name, status.sha)
    }

    fn not_told(status: &StoredStatus) -> String {
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
            let told = pull_request(address);
            let told = told.as_ref().map(|place| (place.owner.as_str(), place.sha.as_str()));
            assert_eq!(told, found, "{address}");
        }
    }
}
