//! The dialect `gitlab`: pushes and tags (H-GL-01 to H-GL-08, H-XGL-01 to H-XGL-03, H-XGL-07).

use http::HeaderMap;
use serde_json::Value;

use super::commit::person;
use super::gitlab_merge_request::{merge_request, note};
use super::gitlab_options::GitlabOptions;
use super::json::Json;
use super::options::ProjectSource;
use super::outcome::{HookOutcome, ParsedHook};
use super::request::{Method, RawHook, Verified};
use super::{Dialect, HookError, push};
use crate::HeaderProof;
use campanile_config::{Reader, is_one_of};
use campanile_model::{Change, Timestamp, read_json};

const NAME: &str = "gitlab";
/// Of GitLab's headers only this one is made for each delivery and kept when it is tried again: `X-Gitlab-Event-UUID` is
/// the same for all hooks that a chain of events calls, `X-Gitlab-Webhook-UUID` new with each try.
const DELIVERY_IDS: &[&str] = &["idempotency-key"];

/// The dialect with its options.
struct Gitlab {
    options: GitlabOptions,
}

/// Makes the dialect from its options.
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    Box::new(Gitlab { options: options.map(GitlabOptions::read).unwrap_or_default() })
}

impl Dialect for Gitlab {
    fn name(&self) -> &'static str {
        NAME
    }

    fn has_secret(&self) -> bool {
        !self.options.secrets.is_empty()
    }

    fn builds(&self) -> Option<&'static str> {
        self.options.builds.of(NAME)
    }

    fn judge_headers(&self, _method: Method, headers: &HeaderMap) -> Result<HeaderProof, HookError> {
        if !self.has_secret() {
            return Ok(HeaderProof::WithBody);
        }
        let sent = headers.get("x-gitlab-token").map_or(&[][..], |value| value.as_bytes());
        if !is_one_of(sent, &self.options.secrets) {
            return Err(HookError::forbidden("Invalid secret"));
        }
        Ok(HeaderProof::Whole)
    }

    fn verify(&self, request: RawHook) -> Result<Verified, HookError> {
        self.judge_headers(request.method, &request.headers)?;
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<ParsedHook, HookError> {
        let request = hook.request();
        let value: Value = read_json(&request.body)
            .map_err(|error| HookError::bad_request(format!("Error loading JSON: {error}")))?;
        let event = Json::top(NAME, &value)?;
        let kind = kind(&event, request)?;
        let outcome = match kind.as_str() {
            "push" | "tag_push" => self.push(&event, now)?,
            "merge_request" => merge_request(&self.options, &event, now)?,
            "note" => note(&self.options, &event, now)?,
            other => HookOutcome::Ignored(format!("`{other}' makes no changes")),
        };
        Ok(outcome.parsed(request, Some(kind), DELIVERY_IDS, now))
    }
}

/// Kind of the event: the payload's, else the header's (H-XGL-02).
fn kind(event: &Json<'_>, request: &RawHook) -> Result<String, HookError> {
    let said = match event.at("object_kind")?.text()? {
        Some(kind) => Some(kind.to_owned()),
        None => event.at("event_name")?.text()?.map(str::to_owned),
    };
    let kind = said.or_else(|| request.header("x-gitlab-event")).unwrap_or_else(|| "push".to_owned());
    Ok(match kind.as_str() {
        "Push Hook" => "push".to_owned(),
        "Tag Push Hook" => "tag_push".to_owned(),
        "Merge Request Hook" => "merge_request".to_owned(),
        "Note Hook" => "note".to_owned(),
        _ => kind,
    })
}

impl Gitlab {
    fn push(&self, event: &Json<'_>, now: Timestamp) -> Result<HookOutcome, HookError> {
        let to = match push::pushed(event, self.options.tags)? {
            Ok(to) => to,
            Err(reason) => return Ok(HookOutcome::Ignored(reason)),
        };
        let repository = self.options.repository_url.of(event)?;
        let commits = push::oldest_first(event, event.listed("commits")?)?;
        let last = commits.last().map(|commit| commit.at("message")?.text()).transpose()?.flatten();
        if let Some(reason) = last.and_then(|message| self.options.skips.reason(message)) {
            return Ok(HookOutcome::Ignored(reason));
        }
        let full_name = event.at("project.path_with_namespace")?.text()?.unwrap_or_default();
        let project = match self.options.project {
            ProjectSource::Payload => event.at("repository.name")?.text()?.unwrap_or_default(),
            ProjectSource::Blank => "",
        };
        let mut template = Change {
            branch: Some(to.name.to_owned()),
            category: to.is_tag().then(|| "tag_push".to_owned()),
            codebase: self.options.codebases.of(&[repository, full_name]),
            repository: repository.to_owned(),
            project: project.to_owned(),
            before: push::before(event.at("before")?.value()),
            src: Some("git".to_owned()),
            ..Change::default()
        };
        let total = event.at("total_commits_count")?;
        if let Some(count) = total.value().and_then(Value::as_u64)
            && count > commits.len() as u64
        {
            tracing::info!(
                repository,
                count,
                "push has more commits than GitLab sends: the others make no changes"
            );
            template.properties.set("total_commits_count", count, "Change");
        }
        if commits.is_empty() && to.is_tag() {
            return Ok(HookOutcome::Changes(vec![tag(event, template, now)?]));
        }
        let none = if commits.is_empty() { "no commits" } else { "no distinct commits" };
        let commits = push::distinct(commits, self.options.non_distinct)?;
        if commits.is_empty() {
            return Ok(HookOutcome::Ignored(format!("{none} in the push to `{}'", to.name)));
        }
        let changes: Result<_, _> =
            commits.iter().map(|commit| push::change(commit, &template, now)).collect();
        changes.map(HookOutcome::Changes)
    }
}

/// A tag on a commit that was there before (H-XGL-03).
fn tag(event: &Json<'_>, template: Change, now: Timestamp) -> Result<Change, HookError> {
    let revision = match event.at("checkout_sha")?.word()? {
        Some(revision) => revision,
        None => event.at("after")?.required()?.word()?.unwrap_or_default(),
    };
    let page = event.at("project.web_url")?.text()?;
    Ok(Change {
        who: person(event, "user_name", "user_email")?,
        comments: event.at("message")?.text()?.unwrap_or_default().to_owned(),
        revlink: page.map(|page| format!("{page}/-/commit/{revision}")).unwrap_or_default(),
        revision: Some(revision),
        when: now,
        ..template
    })
}
