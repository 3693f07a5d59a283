//! GitHub's statuses of commits: `[[github]]`, with a token or as an app (GS-CFG, GS-MAP, GS-API).

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION};
use serde_json::{Value, json};

use super::forge::{DefaultAddressing, Defaults, Forge};
use super::github_app::App;
use super::payload::StoredStatus;
use super::settings::Shared;
use super::states::StateNames;
use crate::http::{JSON, below, deferred};
use crate::{Outcome, Parts, Target};
use campanile_config::{Reader, Secret};
use campanile_model::{Results, Timestamp};
use campanile_outbound::Request;

/// Makes a target of the n-th `[[github]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<Github>(reader, index, parts)
}

pub(super) const API: &str = "https://api.github.com/";
pub(super) const EXAMPLE: &str = "https://github.example.org/api/v3/";

/// GitHub, for statuses.
pub(super) struct Github {
    auth: GithubAuth,
}

/// The author of statuses and comments: the owner of a token, or an app.
pub(super) enum GithubAuth {
    Token(Secret),
    App(Box<App>),
}

impl GithubAuth {
    /// Reads `token`, or `app_id`, `installation_id` and `private_key`.
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let app = App::is_given(reader);
        match (reader.item("token"), app) {
            (Some(_), false) => reader.secret("token").map(Self::Token),
            (None, true) => App::read(reader).map(|app| Self::App(Box::new(app))),
            (Some(_), true) => {
                reader.error("token", "keep one of them: `token`, or `app_id` with `private_key`");
                None
            }
            (None, false) => {
                reader.error("token", "`token` is missing: one that may set statuses (`repo:status`)");
                None
            }
        }
    }

    /// Adds the token, and the form of reply that is asked for, to a request (GS-API-02).
    pub(super) async fn sign(
        &self,
        request: Request,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome> {
        let cached;
        let token = match self {
            Self::Token(token) => token,
            Self::App(app) => {
                cached = app.token(shared, now).await?;
                &cached
            }
        };
        request
            .header(ACCEPT, "application/vnd.github+json")
            .and_then(|request| request.secret_header(AUTHORIZATION, "token ", token))
            .map_err(deferred)
    }

    /// Throws the token of an app away; false if there is none.
    pub(super) async fn invalidate_token(&self) -> bool {
        match self {
            Self::Token(_) => false,
            Self::App(app) => app.invalidate_token().await,
        }
    }

    /// Makes a request for the rates, which every token may have.
    pub(super) async fn probe_request(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome> {
        self.sign(Request::get(below(&shared.base_url, ["rate_limit"])?), shared, now).await
    }
}

/// Maps as the manual has it (GS-MAP-01).
fn modern(results: Results) -> &'static str {
    match results {
        Results::Success | Results::Warnings | Results::Skipped => "success",
        Results::Failure => "failure",
        Results::Retry => "pending",
        Results::Exception | Results::Cancelled => "error",
    }
}

/// Maps as the first version did (GS-MAP-01).
fn of_2014(results: Results) -> &'static str {
    match results {
        Results::Success => "success",
        Results::Failure => "failure",
        _ => "error",
    }
}

/// Writes the body of a request (GS-API-03).
fn body(status: &StoredStatus) -> Value {
    let mut body =
        json!({"state": status.state, "description": status.description, "context": status.context});
    if let (Some(url), Some(body)) = (&status.target_url, body.as_object_mut()) {
        body.insert("target_url".to_owned(), url.as_str().into());
    }
    body
}

#[async_trait]
impl Forge for Github {
    const TABLE: &'static str = "github";
    const TITLE: &'static str = "GitHub";
    const STATE_NAMES: StateNames = StateNames {
        states: &["pending", "success", "failure", "error"],
        transient: &["pending"],
        requested: "pending",
        running: "pending",
        unknown: "error",
        mappings: &[("modern", modern), ("2014", of_2014)],
    };
    const DEFAULTS: Defaults = Defaults {
        base_url: Some(API),
        example: EXAMPLE,
        addressing: DefaultAddressing::Templates,
        project_first: true,
        context: ("context", "buildbot/%(prop:buildername)s"),
        start_description: Some("Build started."),
        requests: Some(false),
        needs_url: false,
        max_description: 140,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        GithubAuth::read(reader).map(|auth| Self { auth })
    }

    /// Makes the request (GS-API-01 to GS-API-03).
    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome> {
        let path = ["repos", &status.owner, &status.name, "statuses", &status.sha];
        let url = below(&shared.base_url, path)?;
        self.auth.sign(Request::post(url, JSON, body(status).to_string()), shared, now).await
    }

    async fn probe_request(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome> {
        self.auth.probe_request(shared, now).await
    }

    async fn invalidate_token(&self) -> bool {
        self.auth.invalidate_token().await
    }

    fn hint(code: u16) -> &'static str {
        match code {
            401 | 404 => "; token lacks repo:status or wrong owner/name",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit_status::states::Mapping;

    #[test]
    fn gs_map_01_gs_map_02_states_of_results() {
        let states = |mapping: &Mapping| {
            Results::ALL.into_iter().map(|results| mapping.state(Some(results))).collect::<Vec<_>>()
        };
        let with = |state: fn(Results) -> &'static str| Mapping::new(&Github::STATE_NAMES, Some(state));
        assert_eq!(
            states(&with(modern)),
            ["success", "success", "failure", "success", "error", "pending", "error"]
        );
        assert_eq!(
            states(&with(of_2014)),
            ["success", "error", "failure", "error", "error", "error", "error"]
        );
        let mut own = with(modern);
        own.set(Results::Warnings, "failure");
        assert_eq!((own.state(Some(Results::Warnings)), own.state(None)), ("failure", "error"));
    }

    #[test]
    fn gs_api_03_gs_api_08_the_body_and_what_replaces_it() {
        let status = |state: &str, context: &str, url: Option<&str>| StoredStatus {
            owner: "o".into(),
            name: "n".into(),
            sha: "abcd".into(),
            state: state.into(),
            context: context.into(),
            description: "d".into(),
            target_url: url.map(str::to_owned),
            details: serde_json::Map::new(),
        };
        let names = Github::STATE_NAMES;
        let pending = status("pending", "a", None);
        assert_eq!(body(&pending), json!({"state": "pending", "description": "d", "context": "a"}));
        let done = status("success", "a", Some("https://ci/"));
        assert_eq!(body(&done)["target_url"], "https://ci/");
        assert!(pending.is_replaced_by(&done, &names) && !done.is_replaced_by(&pending, &names));
        assert!(!pending.is_replaced_by(&status("success", "b", None), &names));
    }
}
