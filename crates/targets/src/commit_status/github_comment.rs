//! Comments on pull requests at GitHub: `[[github_comment]]` (GS-ADD-07).

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::forge::{About, Details, Forge, Usual, UsualAddressing, Words, below};
use super::github::{API, EXAMPLE, GithubLogin};
use super::place::Place;
use super::settings::Shared;
use super::status::StoredStatus;
use crate::{Outcome, Parts, Target};
use campanile_config::Reader;
use campanile_model::Timestamp;
use campanile_model::interpolate::{RenderError, Scope};
use campanile_outbound::Request;

/// Makes a target from the n-th `[[github_comment]]` table.
pub fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<GithubComment>(reader, index, parts)
}

/// A comment has no state.
pub(super) const COMMENT: Words = Words {
    states: &[],
    passing: &[],
    requested: "comment",
    running: "comment",
    unknown: "comment",
    mappings: &[],
};

/// GitHub, for comments.
pub(super) struct GithubComment {
    login: GithubLogin,
}

#[async_trait]
impl Forge for GithubComment {
    const TABLE: &'static str = "github_comment";
    const TITLE: &'static str = "GitHub";
    const WORDS: Words = COMMENT;
    const USUAL: Usual = Usual {
        base_url: Some(API),
        example: EXAMPLE,
        addressing: UsualAddressing::EachStamp,
        project_first: true,
        context: ("", "comment"),
        start_description: None,
        requests: None,
        needs_url: false,
        longest: 65_536,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        GithubLogin::read(reader).map(|login| Self { login })
    }

    fn details(
        &self,
        _: &About<'_>,
        place: &Place,
        _: &Scope<'_>,
    ) -> Result<Result<Details, String>, RenderError> {
        let Some(issue) = &place.issue else {
            let Place { name, sha, .. } = place;
            let text = format!("Skipped status update for repo {name} sha {sha} as issue is not specified");
            return Ok(Err(text));
        };
        Ok(Ok(Details::from_iter([("issue".to_owned(), issue.as_str().into())])))
    }

    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome> {
        let issue = status.detail("issue").unwrap_or_default();
        let path = ["repos", &status.owner, &status.name, "issues", issue, "comments"];
        let body = json!({"body": status.description});
        let request = Request::post(below(&shared.base_url, path)?, "application/json", body.to_string());
        self.login.sign(request, shared, now).await
    }

    async fn proof(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome> {
        self.login.proof(shared, now).await
    }

    async fn renew(&self) -> bool {
        self.login.renew().await
    }

    fn told(status: &StoredStatus) -> String {
        let issue = status.detail("issue").unwrap_or_default();
        format!("Comment sent for {}/{}#{issue}.", status.owner, status.name)
    }

    fn not_told(status: &StoredStatus) -> String {
        let issue = status.detail("issue").unwrap_or_default();
        format!("Fail to send comment for {}/{}#{issue}.", status.owner, status.name)
    }

    fn hint(code: u16) -> &'static str {
        match code {
            401 | 403 | 404 => "; token may not write issues, or wrong owner/name",
            _ => "",
        }
    }
}
