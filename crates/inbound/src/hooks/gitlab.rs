//! The dialect `gitlab`: pushes and tags (H-GL-01 to H-GL-08, H-XGL-01 to H-XGL-03, H-XGL-07).

use serde_json::Value;

use super::commit::{Codebases, person};
use super::gitlab_merge_request::{merge_request, note};
use super::json::Json;
use super::options::{Builds, NonDistinct, ProjectSource, Skips, Tags, secrets};
use super::outcome::Outcome;
use super::request::{RawHook, Verified};
use super::{Dialect, Parsed, Rejection, push};
use campanile_config::{Reader, Secret};
use campanile_model::{Change, Timestamp};

pub(super) const NAME: &str = "gitlab";

/// The dialect with what the user chose.
#[derive(Default)]
pub(super) struct Gitlab {
    secrets: Vec<Secret>,
    pub(super) codebases: Codebases,
    project: ProjectSource,
    repository_url: RepositoryUrl,
    pub(super) skips: Skips,
    tags: Tags,
    non_distinct: NonDistinct,
    builds: Builds,
}

/// Which of its addresses a repository goes by (H-GL-03).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RepositoryUrl {
    #[default]
    AsSent,
    Ssh,
    Http,
}

/// Makes the dialect from its options.
pub(super) fn from_options(options: Option<&Reader<'_>>) -> Box<dyn Dialect> {
    let Some(table) = options else { return Box::new(Gitlab::default()) };
    Box::new(Gitlab {
        secrets: secrets(table),
        codebases: Codebases::read(table),
        project: ProjectSource::read(table),
        repository_url: RepositoryUrl::read(table),
        skips: Skips::read(table).unwrap_or_default(),
        tags: Tags::read(table),
        non_distinct: NonDistinct::read(table),
        builds: Builds::read(table),
    })
}

impl RepositoryUrl {
    fn read(table: &Reader<'_>) -> Self {
        match table.text("repository_url").as_deref() {
            None | Some("as_sent") => Self::AsSent,
            Some("ssh") => Self::Ssh,
            Some("http") => Self::Http,
            Some(other) => {
                let text = format!("`repository_url` must be `as_sent`, `ssh` or `http`, not `{other}`");
                table.error("repository_url", text);
                Self::AsSent
            }
        }
    }

    fn of<'a>(self, push: &Json<'a>) -> Result<&'a str, Rejection> {
        let path = match self {
            Self::AsSent => "repository.url",
            Self::Ssh => "project.git_ssh_url",
            Self::Http => "project.git_http_url",
        };
        Ok(push.at(path)?.required()?.text()?.unwrap_or_default())
    }
}

impl Dialect for Gitlab {
    fn name(&self) -> &'static str {
        NAME
    }

    fn has_secret(&self) -> bool {
        !self.secrets.is_empty()
    }

    fn builds(&self) -> Option<&'static str> {
        self.builds.of(NAME)
    }

    fn verify(&self, request: RawHook) -> Result<Verified, Rejection> {
        let sent = request.headers.get("x-gitlab-token").map_or(&[][..], |value| value.as_bytes());
        // Every secret is tried, so that the time does not tell which one is in use.
        let right = self.secrets.iter().filter(|secret| secret.matches(sent)).count();
        if self.has_secret() && right == 0 {
            return Err(Rejection::forbidden("Invalid secret"));
        }
        Ok(Verified::pass(request))
    }

    fn parse(&self, hook: &Verified, now: Timestamp) -> Result<Parsed, Rejection> {
        let request = hook.request();
        let value: Value = serde_json::from_slice(&request.body)
            .map_err(|error| Rejection::bad_request(format!("Error loading JSON: {error}")))?;
        let event = Json::top(NAME, &value)?;
        let kind = kind(&event, request)?;
        let outcome = match kind.as_str() {
            "push" | "tag_push" => self.push(&event, now)?,
            "merge_request" => merge_request(self, &event, now)?,
            "note" => note(self, &event, now)?,
            other => Outcome::Ignored(format!("`{other}' makes no changes")),
        };
        Ok(outcome.parsed(request, Some(kind), now))
    }
}

/// What it is about: the payload says so, else the header (H-XGL-02).
fn kind(event: &Json<'_>, request: &RawHook) -> Result<String, Rejection> {
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
    fn push(&self, event: &Json<'_>, now: Timestamp) -> Result<Outcome, Rejection> {
        let to = match push::pushed(event, self.tags)? {
            Ok(to) => to,
            Err(reason) => return Ok(Outcome::Ignored(reason)),
        };
        let repository = self.repository_url.of(event)?;
        let commits = event.at("commits")?.required()?.list()?;
        let last = commits.last().map(|commit| commit.at("message")?.text()).transpose()?.flatten();
        if let Some(reason) = last.and_then(|message| self.skips.reason(message)) {
            return Ok(Outcome::Ignored(reason));
        }
        let full_name = event.at("project.path_with_namespace")?.text()?.unwrap_or_default();
        let project = match self.project {
            ProjectSource::Payload => event.at("repository.name")?.text()?.unwrap_or_default(),
            ProjectSource::Blank => "",
        };
        let mut template = Change {
            branch: Some(to.name.to_owned()),
            category: to.is_tag().then(|| "tag_push".to_owned()),
            codebase: self.codebases.of(&[repository, full_name]),
            repository: repository.to_owned(),
            project: project.to_owned(),
            src: Some("git".to_owned()),
            ..Change::default()
        };
        let total = event.at("total_commits_count")?;
        if let Some(count) = total.value().and_then(Value::as_u64)
            && count > commits.len() as u64
        {
            tracing::info!(repository, count, "GitLab sends 20 commits at most; the others make no changes");
            template.properties.set("total_commits_count", count, "Change");
        }
        if commits.is_empty() && to.is_tag() {
            return Ok(Outcome::Changes(vec![tag(event, template, now)?]));
        }
        let none = if commits.is_empty() { "no commits" } else { "no distinct commits" };
        let commits = push::distinct(commits, self.non_distinct)?;
        if commits.is_empty() {
            return Ok(Outcome::Ignored(format!("{none} in the push to `{}'", to.name)));
        }
        let changes: Result<_, _> =
            commits.iter().map(|commit| push::change(commit, &template, now)).collect();
        changes.map(Outcome::Changes)
    }
}

/// A tag on a commit that was there before (H-XGL-03).
fn tag(event: &Json<'_>, template: Change, now: Timestamp) -> Result<Change, Rejection> {
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
