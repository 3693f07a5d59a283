//! Statuses of commits at Gitea and Forgejo: `[[gitea]]` (T-01 to T-03).

use std::sync::Arc;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use serde_json::json;

use super::forge::{DefaultAddressing, Defaults, Forge};
use super::payload::StoredStatus;
use super::settings::Shared;
use super::states::StateNames;
use crate::http::{JSON, below, deferred};
use crate::{Outcome, Parts, Target};
use campanile_config::{Reader, Secret};
use campanile_model::{Results, Timestamp};
use campanile_outbound::Request;

/// Makes a target of the n-th `[[gitea]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
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

/// Maps as Gitea has it (T-02).
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
    const STATE_NAMES: StateNames = StateNames {
        states: &["pending", "success", "warning", "failure", "error"],
        transient: &["pending"],
        requested: "pending",
        running: "pending",
        unknown: "error",
        mappings: &[("modern", state)],
    };
    const DEFAULTS: Defaults = Defaults {
        base_url: None,
        example: "https://gitea.example.org/",
        addressing: DefaultAddressing::EachStamp,
        project_first: true,
        context: ("context", "buildbot/%(prop:buildername)s"),
        start_description: Some("Build started."),
        requests: Some(false),
        needs_url: false,
        max_description: 255,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.item("token").is_none() {
            reader.error("token", "`token` is missing: one with the scope `write:repository`");
        }
        Some(Self { token: reader.secret("token")? })
    }

    /// Makes the request (T-01).
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
        self.sign(Request::post(url, JSON, body.to_string()))
    }

    async fn probe_request(&self, shared: &Shared, _: Timestamp) -> Result<Request, Outcome> {
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
    use crate::commit_status::states::Mapping;

    #[test]
    fn t_02_states_of_results() {
        let mapping = Mapping::new(&Gitea::STATE_NAMES, Some(state));
        let states: Vec<_> = Results::ALL.into_iter().map(|results| mapping.state(Some(results))).collect();
        assert_eq!(states, ["success", "warning", "failure", "success", "error", "pending", "error"]);
    }
}
