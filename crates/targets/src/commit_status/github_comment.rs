//! Comments on pull requests at GitHub: `[[github_comment]]` (GS-ADD-07).

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::commit_ref::CommitRef;
use super::forge::{About, DefaultAddressing, Defaults, Forge};
use super::github::{API, EXAMPLE, GithubAuth};
use super::payload::{Details, StoredStatus};
use super::settings::Shared;
use super::states::StateNames;
use crate::http::{JSON, below};
use crate::{Decision, Outcome, Parts, Target};
use campanile_config::Reader;
use campanile_model::Timestamp;
use campanile_model::interpolate::{RenderError, Scope};
use campanile_outbound::Request;

/// Makes a target of the n-th `[[github_comment]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<GithubComment>(reader, index, parts)
}

/// The names of no states: a comment has none.
pub(super) const NO_STATES: StateNames = StateNames {
    states: &[],
    transient: &[],
    requested: "comment",
    running: "comment",
    unknown: "comment",
    mappings: &[],
};

/// GitHub, for comments.
pub(super) struct GithubComment {
    auth: GithubAuth,
}

#[async_trait]
impl Forge for GithubComment {
    const TABLE: &'static str = "github_comment";
    const TITLE: &'static str = "GitHub";
    const STATE_NAMES: StateNames = NO_STATES;
    const DEFAULTS: Defaults = Defaults {
        base_url: Some(API),
        example: EXAMPLE,
        addressing: DefaultAddressing::EachStamp,
        project_first: true,
        context: ("", "comment"),
        start_description: None,
        requests: None,
        needs_url: false,
        max_description: 65_536,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        GithubAuth::read(reader).map(|auth| Self { auth })
    }

    fn details(
        &self,
        _: &About<'_>,
        commit: &CommitRef,
        _: &Scope<'_>,
    ) -> Result<Decision<Details, String>, RenderError> {
        let Some(issue) = &commit.issue else {
            let CommitRef { name, sha, .. } = commit;
            let text = format!("Skipped status update for repo {name} sha {sha} as issue is not specified");
            return Ok(Decision::Silent(text));
        };
        Ok(Decision::Send(Details::from_iter([("issue".to_owned(), issue.as_str().into())])))
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
        let request = Request::post(below(&shared.base_url, path)?, JSON, body.to_string());
        self.auth.sign(request, shared, now).await
    }

    async fn probe_request(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome> {
        self.auth.probe_request(shared, now).await
    }

    async fn invalidate_token(&self) -> bool {
        self.auth.invalidate_token().await
    }

    fn success_text(status: &StoredStatus) -> String {
        let issue = status.detail("issue").unwrap_or_default();
        format!("Comment sent for {}/{}#{issue}.", status.owner, status.name)
    }

    fn failure_text(status: &StoredStatus) -> String {
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
