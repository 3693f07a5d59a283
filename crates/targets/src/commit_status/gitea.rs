//! Statuses of commits at Gitea and Forgejo: `[[gitea]]` (T-01 to T-03).

use std::sync::Arc;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use serde_json::json;

use super::forge::{Forge, Usual, UsualAddressing, Words, below};
use super::settings::Shared;
use super::status::StoredStatus;
use crate::http_outcome::deferred;
use crate::{Outcome, Parts, Target};
use campanile_config::{Reader, Secret};
use campanile_model::{Results, Timestamp};
use campanile_outbound::Request;

/// Makes a target from the n-th `[[gitea]]` table.
pub fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<Gitea>(reader, index, parts)
}

/// Gitea or Forgejo.
pub(super) struct Gitea {
    token: Secret,
}

impl Gitea {
    fn sign(&self, request: Request) -> Result<Request, Outcome> {
        request.secret_header(AUTHORIZATION, "token ", &self.token).map_err(deferred)
    }
}

/// T-02.
fn state(results: Results) -> &'static str {
    match results {
        Results::Success | Results::Skipped => "success",
        Results::Warnings => "warning",
        Results::Failure => "failure",
        Results::Retry => "pending",
        Results::Exception | Results::Cancelled => "error",
    }
}

#[async_trait]
impl Forge for Gitea {
    const TABLE: &'static str = "gitea";
    const TITLE: &'static str = "Gitea";
    const WORDS: Words = Words {
        states: &["pending", "success", "warning", "failure", "error"],
        passing: &["pending"],
        requested: "pending",
        running: "pending",
        unknown: "error",
        mappings: &[("modern", state)],
    };
    const USUAL: Usual = Usual {
        base_url: None,
        example: "https://gitea.example.org/",
        addressing: UsualAddressing::EachStamp,
        project_first: true,
        context: ("context", "buildbot/%(prop:buildername)s"),
        start_description: Some("Build started."),
        requests: Some(false),
        needs_url: false,
        longest: 255,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.item("token").is_none() {
            reader.error("token", "`token` is missing: one with the scope `write:repository`");
        }
        Some(Self { token: reader.secret("token")? })
    }

    /// T-01.
    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        _: Timestamp,
    ) -> Result<Request, Outcome> {
        let path = ["api", "v1", "repos", &status.owner, &status.name, "statuses", &status.sha];
        let url = below(&shared.base_url, path)?;
        let mut body =
            json!({"state": status.state, "context": status.context, "description": status.description});
        if let (Some(url), Some(body)) = (&status.target_url, body.as_object_mut()) {
            body.insert("target_url".to_owned(), url.as_str().into());
        }
        self.sign(Request::post(url, "application/json", body.to_string()))
    }

    async fn proof(&self, shared: &Shared, _: Timestamp) -> Result<Request, Outcome> {
        let mut url = below(&shared.base_url, ["api", "v1", "repos", "search"])?;
        url.set_query(Some("limit=1"));
        self.sign(Request::get(url))
    }

    fn hint(code: u16) -> &'static str {
        match code {
            401 | 403 | 404 => {
                "; the token lacks `write:repository`, or there is no such repository or commit"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit_status::status::Mapping;

    #[test]
    fn t_02_states_of_results() {
        let mapping = Mapping::new(&Gitea::WORDS, Some(state));
        let states: Vec<_> = Results::ALL.into_iter().map(|results| mapping.state(Some(results))).collect();
        assert_eq!(states, ["success", "warning", "failure", "success", "error", "pending", "error"]);
    }
}
