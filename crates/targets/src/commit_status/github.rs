//! GitHub's statuses of commits: `[[github]]`, with a token or as an app (GS-CFG, GS-MAP, GS-API).

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION};
use serde_json::{Value, json};

use super::forge::{Forge, Usual, UsualAddressing, Words, below};
use super::github_app::App;
use super::settings::Shared;
use super::status::StoredStatus;
use crate::http_outcome::deferred;
use crate::{Outcome, Parts, Target};
use campanile_config::{Reader, Secret};
use campanile_model::{Results, Timestamp};
use campanile_outbound::Request;

/// Makes a target from the n-th `[[github]]` table.
pub fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<Github>(reader, index, parts)
}

pub(super) const API: &str = "https://api.github.com/";
pub(super) const EXAMPLE: &str = "https://github.example.org/api/v3/";

/// GitHub, for statuses.
pub(super) struct Github {
    login: GithubLogin,
}

/// Whose statuses and comments they are.
pub(super) enum GithubLogin {
    Token(Secret),
    App(Box<App>),
}

impl GithubLogin {
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

    /// The request with the token and the form of answer that is asked for (GS-API-02).
    pub(super) async fn sign(
        &self,
        request: Request,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome> {
        let passing;
        let token = match self {
            Self::Token(token) => token,
            Self::App(app) => {
                passing = app.token(shared, now).await?;
                &passing
            }
        };
        request
            .header(ACCEPT, "application/vnd.github+json")
            .and_then(|request| request.secret_header(AUTHORIZATION, "token ", token))
            .map_err(deferred)
    }

    /// Throws the token of an app away.
    pub(super) async fn renew(&self) -> bool {
        match self {
            Self::Token(_) => false,
            Self::App(app) => app.forget().await,
        }
    }

    /// Asks for the rates, which every token may.
    pub(super) async fn proof(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome> {
        self.sign(Request::get(below(&shared.base_url, ["rate_limit"])?), shared, now).await
    }
}

/// GS-MAP-01.
fn modern(results: Results) -> &'static str {
    match results {
        Results::Success | Results::Warnings | Results::Skipped => "success",
        Results::Failure => "failure",
        Results::Retry => "pending",
        Results::Exception | Results::Cancelled => "error",
    }
}

/// GS-MAP-01, as the first version had it.
fn of_2014(results: Results) -> &'static str {
    match results {
        Results::Success => "success",
        Results::Failure => "failure",
        _ => "error",
    }
}

/// GS-API-03.
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
    const WORDS: Words = Words {
        states: &["pending", "success", "failure", "error"],
        passing: &["pending"],
        requested: "pending",
        running: "pending",
        unknown: "error",
        mappings: &[("modern", modern), ("2014", of_2014)],
    };
    const USUAL: Usual = Usual {
        base_url: Some(API),
        example: EXAMPLE,
        addressing: UsualAddressing::Templates,
        project_first: true,
        context: ("context", "buildbot/%(prop:buildername)s"),
        start_description: Some("Build started."),
        requests: Some(false),
        needs_url: false,
        longest: 140,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        GithubLogin::read(reader).map(|login| Self { login })
    }

    /// GS-API-01 to GS-API-03.
    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome> {
        let path = ["repos", &status.owner, &status.name, "statuses", &status.sha];
        let url = below(&shared.base_url, path)?;
        self.login.sign(Request::post(url, "application/json", body(status).to_string()), shared, now).await
    }

    async fn proof(&self, shared: &Shared, now: Timestamp) -> Result<Request, Outcome> {
        self.login.proof(shared, now).await
    }

    async fn renew(&self) -> bool {
        self.login.renew().await
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
    use crate::commit_status::status::Mapping;

    #[test]
    fn gs_map_01_gs_map_02_states_of_results() {
        let states = |mapping: &Mapping| {
            Results::ALL.into_iter().map(|results| mapping.state(Some(results))).collect::<Vec<_>>()
        };
        let with = |state: fn(Results) -> &'static str| Mapping::new(&Github::WORDS, Some(state));
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
        let words = Github::WORDS;
        let pending = status("pending", "a", None);
        assert_eq!(body(&pending), json!({"state": "pending", "description": "d", "context": "a"}));
        let done = status("success", "a", Some("https://ci/"));
        assert_eq!(body(&done)["target_url"], "https://ci/");
        assert!(pending.is_replaced_by(&done, &words) && !done.is_replaced_by(&pending, &words));
        assert!(!pending.is_replaced_by(&status("success", "b", None), &words));
    }
}
