//! GitLab's statuses of commits: `[[gitlab]]` (L-01 to L-05).

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use http::header::HeaderName;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::commit_ref::CommitRef;
use super::forge::{About, DefaultAddressing, Defaults, Forge};
use super::payload::{Details, StoredStatus};
use super::settings::Shared;
use super::states::StateNames;
use crate::http::{JSON, below, deferred, require_success};
use crate::{Decision, Fault, FaultCode, Outcome, Parts, Target};
use campanile_config::{Reader, Secret};
use campanile_model::interpolate::{RenderError, Scope};
use campanile_model::{Results, Timestamp};
use campanile_outbound::{Request, Response};

/// Makes a target of the n-th `[[gitlab]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    super::target::<Gitlab>(reader, index, parts)
}

const TOKEN: HeaderName = HeaderName::from_static("private-token");
/// The most ids that are cached: names come from outside, so there must be an end.
const MOST_PROJECTS: usize = 10_000;

/// GitLab, and the ids of projects that were looked up there.
pub(super) struct Gitlab {
    token: Secret,
    projects: Mutex<HashMap<String, u64>>,
}

/// A project as GitLab describes it, as far as it matters.
#[derive(Deserialize)]
struct Project {
    id: u64,
}

impl Gitlab {
    fn sign(&self, request: Request) -> Result<Request, Outcome> {
        request.secret_header(TOKEN, "", &self.token).map_err(deferred)
    }

    /// Finds the id of a status's project, which GitLab is asked for once (L-02).
    async fn project(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<String, Outcome> {
        if let Some(id) = status.detail("project") {
            return Ok(id.to_owned());
        }
        let name = format!("{}/{}", status.owner, status.name);
        if let Some(id) = self.projects.lock().await.get(&name) {
            return Ok(id.to_string());
        }
        let url = below(&shared.base_url, ["api", "v4", "projects", &name])?;
        let response = shared.client.send(self.sign(Request::get(url))?).await.map_err(deferred)?;
        require_success(&response, now, &format!("the project `{name}` is not found"))?;
        let project: Project = serde_json::from_slice(&response.body).map_err(|_| {
            let text = format!("{} told no id of the project `{name}`", response.origin);
            // A page in front of GitLab, while it is being mended, answers 200 too.
            Outcome::from(Fault::transient(FaultCode::Rejected, text))
        })?;
        let mut projects = self.projects.lock().await;
        if projects.len() >= MOST_PROJECTS {
            projects.clear();
        }
        projects.insert(name, project.id);
        Ok(project.id.to_string())
    }
}

/// Maps as GitLab has it (L-04).
fn state(results: Results) -> &'static str {
    match results {
        Results::Success | Results::Warnings | Results::Skipped => "success",
        Results::Failure | Results::Exception => "failed",
        Results::Retry => "pending",
        Results::Cancelled => "canceled",
    }
}

/// Writes the body of a request (L-03).
fn body(status: &StoredStatus) -> Value {
    let mut body = json!({"state": status.state, "description": status.description, "name": status.context});
    if let Some(body) = body.as_object_mut() {
        let texts = [("target_url", status.target_url.as_deref()), ("ref", status.detail("ref"))];
        for (key, text) in texts {
            if let Some(text) = text {
                body.insert(key.to_owned(), text.into());
            }
        }
    }
    body
}

#[async_trait]
impl Forge for Gitlab {
    const TABLE: &'static str = "gitlab";
    const TITLE: &'static str = "GitLab";
    const STATE_NAMES: StateNames = StateNames {
        states: &["pending", "running", "success", "failed", "canceled", "skipped"],
        transient: &["pending", "running"],
        requested: "pending",
        running: "running",
        unknown: "failed",
        mappings: &[("modern", state)],
    };
    const DEFAULTS: Defaults = Defaults {
        base_url: Some("https://gitlab.com/"),
        example: "https://gitlab.example.org/",
        addressing: DefaultAddressing::EachStamp,
        project_first: false,
        context: ("context", "buildbot/%(prop:buildername)s"),
        start_description: Some("Build started."),
        requests: Some(true),
        needs_url: false,
        max_description: 255,
    };

    fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.item("token").is_none() {
            reader.error("token", "`token` is missing: one with the scope `api`");
        }
        Some(Self { token: reader.secret("token")?, projects: Mutex::default() })
    }

    fn details(
        &self,
        about: &About<'_>,
        commit: &CommitRef,
        _: &Scope<'_>,
    ) -> Result<Decision<Details, String>, RenderError> {
        let branch = about.property("source_branch").or_else(|| commit.branch.clone());
        let project = about.property("source_project_id");
        let known = [("ref", branch), ("project", project)].into_iter();
        let details = known.filter_map(|(key, text)| Some((key.to_owned(), text?.into()))).collect();
        Ok(Decision::Send(details))
    }

    async fn request(
        &self,
        status: &StoredStatus,
        shared: &Shared,
        now: Timestamp,
    ) -> Result<Request, Outcome> {
        let project = self.project(status, shared, now).await?;
        let path = ["api", "v4", "projects", &project, "statuses", &status.sha];
        let url = below(&shared.base_url, path)?;
        self.sign(Request::post(url, JSON, body(status).to_string()))
    }

    async fn probe_request(&self, shared: &Shared, _: Timestamp) -> Result<Request, Outcome> {
        self.sign(Request::get(below(&shared.base_url, ["api", "v4", "version"])?))
    }

    /// GitLab takes statuses of a commit one after the other (409 while another is under way), and refuses a state
    /// that the commit has already: what was to be reached is reached.
    fn outcome(&self, status: &StoredStatus, response: &Response, outcome: Outcome) -> Outcome {
        let Outcome::Refused(fault) = outcome else { return outcome };
        let is_transient = Self::STATE_NAMES.transient.contains(&status.state.as_str());
        match response.status.as_u16() {
            400 if is_transient && fault.text.contains("Cannot transition status via") => {
                Outcome::Delivered(fault.text)
            }
            409 => {
                let fault = Fault::transient(FaultCode::Busy, fault.text).of_message();
                Outcome::Deferred { fault, not_before: None }
            }
            _ => Outcome::Refused(fault),
        }
    }

    fn failure_text(status: &StoredStatus) -> String {
        let StoredStatus { state, owner, name, sha, .. } = status;
        format!("Could not send status \"{state}\" for {owner}/{name} at {sha}:")
    }

    fn hint(code: u16) -> &'static str {
        match code {
            401 | 404 => {
                "; the token lacks the scope `api` or the role Developer, or there is no such project or commit"
            }
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit_status::states::Mapping;
    use crate::http::outcome;

    #[test]
    fn l_04_states_of_results() {
        let mapping = Mapping::new(&Gitlab::STATE_NAMES, Some(state));
        let states: Vec<_> = Results::ALL.into_iter().map(|results| mapping.state(Some(results))).collect();
        assert_eq!(states, ["success", "success", "failed", "success", "failed", "pending", "canceled"]);
        assert_eq!(mapping.state(None), "failed");
    }

    #[test]
    fn l_06_gs_t_7_a_state_that_gitlab_has_already_and_two_at_once() {
        let gitlab = Gitlab { token: Secret::new("t"), projects: Mutex::default() };
        let status = |state: &str| StoredStatus {
            owner: "quad".into(),
            name: "bells".into(),
            sha: "1f0c".into(),
            state: state.into(),
            context: "c".into(),
            description: "d".into(),
            target_url: None,
            details: Details::new(),
        };
        let answered = |state: &str, code: u16| {
            let text = "{\"message\":{\"state\":[\"Cannot transition status via :run from :running\"]}}";
            let response = Response::made_up(code, text);
            gitlab.outcome(&status(state), &response, outcome(&response, Timestamp::default()))
        };
        assert!(matches!(answered("running", 400), Outcome::Delivered(_)));
        assert!(matches!(answered("success", 400), Outcome::Refused(_)));
        assert!(matches!(answered("success", 409), Outcome::Deferred { .. }));
        assert!(matches!(answered("running", 404), Outcome::Refused(_)));
    }
}
