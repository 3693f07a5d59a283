//! GitLab's webhooks about pipelines and jobs. `docs/connect/gitlab.md` gives the meaning of their fields.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::native::{EventsError, bad};
use super::read::{
    attempt_number, build_event, build_number, builder_name, header_text, json, person, set, typed,
};
use super::{BuildNumbering, ParsedBatch, Proof, Source};
use crate::HeaderProof;
use campanile_config::{Secret, is_one_of};
use campanile_model::{
    Build, Change, Results, SourceStamp, Step, Timestamp, non_empty, step_text, unique_step_name,
};

/// Of properties.
const SET_BY: &str = "GitLab";

/// The source `gitlab`.
pub(super) struct Gitlab;

impl Source for Gitlab {
    fn name(&self) -> &'static str {
        "gitlab"
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof { headers: judge_headers, whole: is_proven })
    }

    fn matches(&self, headers: &HeaderMap) -> bool {
        matches!(header_text(headers, "x-gitlab-event"), Some("Pipeline Hook" | "Job Hook"))
    }

    fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError> {
        let body = json(body)?;
        let kind = match body.get("object_kind") {
            Some(kind) => kind.as_str().ok_or_else(|| bad("$.object_kind", "must be a text"))?,
            None => match body.get("event_name").and_then(Value::as_str) {
                // System hooks name their events so. A refusal would have GitLab switch the hook off.
                Some(name) => return Ok(ParsedBatch::ignored(format!("`{name}` tells nothing of builds"))),
                None => return Err(bad("$.object_kind", "missing: is this GitLab's webhook?")),
            },
        };
        let parsed = match kind {
            "pipeline" => pipeline(typed::<PipelineHook>(&body, "$")?)?,
            "build" => job(typed::<JobHook>(&body, "$")?)?,
            other => Err(format!("`{other}` tells nothing of builds")),
        };
        Ok(match parsed {
            Ok(batch) => {
                let idempotency_key = header_text(headers, "idempotency-key").map(str::to_owned);
                vec![ParsedBatch { idempotency_key, ..batch }]
            }
            Err(note) => ParsedBatch::ignored(note),
        })
    }
}

/// GitLab sends the hook's secret as it is.
fn judge_headers(headers: &HeaderMap, secrets: &[Secret], _: Timestamp) -> Option<HeaderProof> {
    let sent = headers.get("x-gitlab-token").map_or(&[][..], |value| value.as_bytes());
    is_one_of(sent, secrets).then_some(HeaderProof::Whole)
}

fn is_proven(headers: &HeaderMap, _: &[u8], secrets: &[Secret], now: Timestamp) -> bool {
    judge_headers(headers, secrets, now).is_some()
}

/// The events, or the reason for which there are none.
type Outcome = Result<Result<ParsedBatch, String>, EventsError>;

#[derive(Deserialize)]
struct PipelineHook {
    object_attributes: Pipeline,
    project: Project,
    user: Option<User>,
    commit: Option<Commit>,
    merge_request: Option<MergeRequest>,
    #[serde(default)]
    builds: Option<Vec<PipelineJob>>,
}

#[derive(Deserialize)]
struct Pipeline {
    id: u64,
    iid: Option<u64>,
    name: Option<String>,
    #[serde(rename = "ref")]
    branch: Option<String>,
    tag: Option<bool>,
    sha: Option<String>,
    source: Option<String>,
    status: String,
    created_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
    web_url: Option<String>,
    git_http_url: Option<String>,
}

#[derive(Deserialize)]
struct User {
    name: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Commit {
    id: Option<String>,
    message: Option<String>,
    timestamp: Option<Timestamp>,
    url: Option<String>,
    author: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    name: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct MergeRequest {
    iid: Option<u64>,
}

#[derive(Deserialize)]
struct PipelineJob {
    id: u64,
    name: String,
    stage: Option<String>,
    status: String,
    failure_reason: Option<String>,
    #[serde(default)]
    allow_failure: Option<bool>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    runner: Option<Runner>,
}

#[derive(Deserialize)]
struct Runner {
    description: Option<String>,
}

#[derive(Deserialize)]
struct JobHook {
    build_id: u64,
    build_name: String,
    build_stage: Option<String>,
    build_status: String,
    build_started_at: Option<Timestamp>,
    build_finished_at: Option<Timestamp>,
    #[serde(default)]
    build_allow_failure: Option<bool>,
    build_failure_reason: Option<String>,
    #[serde(rename = "ref")]
    branch: Option<String>,
    tag: Option<bool>,
    sha: Option<String>,
    pipeline_id: Option<u64>,
    project_name: Option<String>,
    user: Option<User>,
    commit: Option<JobCommit>,
    repository: Option<JobRepository>,
    project: Option<Project>,
    runner: Option<Runner>,
}

/// Its `id` is the pipeline's.
#[derive(Deserialize)]
struct JobCommit {
    message: Option<String>,
    author_name: Option<String>,
    author_email: Option<String>,
}

#[derive(Deserialize)]
struct JobRepository {
    homepage: Option<String>,
    git_http_url: Option<String>,
}

/// State of a pipeline or a job.
enum Status {
    /// It does not run yet.
    Waiting,
    Running,
    Over(Results),
}

impl Status {
    fn read(path: &str, text: &str, allow_failure: bool) -> Result<Self, EventsError> {
        Ok(match text {
            "created"
            | "waiting_for_resource"
            | "preparing"
            | "waiting_for_callback"
            | "pending"
            | "scheduled"
            | "manual" => Self::Waiting,
            "running" | "canceling" => Self::Running,
            "success" => Self::Over(Results::Success),
            "failed" if allow_failure => Self::Over(Results::Warnings),
            "failed" => Self::Over(Results::Failure),
            "canceled" => Self::Over(Results::Cancelled),
            "skipped" => Self::Over(Results::Skipped),
            other => return Err(bad(path, format!("`{other}` is no status of GitLab's that is known"))),
        })
    }

    fn results(self) -> Option<Results> {
        match self {
            Self::Over(results) => Some(results),
            Self::Waiting | Self::Running => None,
        }
    }
}

/// A pipeline is a build of its project; its jobs are the steps.
fn pipeline(hook: PipelineHook) -> Outcome {
    let PipelineHook { object_attributes: pipeline, project, user, commit, merge_request, builds } = hook;
    let results = match Status::read("$.object_attributes.status", &pipeline.status, false)? {
        Status::Waiting => return Ok(Err(format!("pipeline {}: told of when it runs", pipeline.status))),
        status => status.results(),
    };
    let builder = builder_name("$.project.path_with_namespace", &[&project.path_with_namespace])?;
    let mut jobs = builds.unwrap_or_default();
    jobs.sort_by_key(|job| job.id);
    let steps = steps(&jobs, project.web_url.as_deref())?;
    let complaints = steps.iter().any(|step| step.results == Some(Results::Warnings));
    let results = match results {
        Some(Results::Success) if complaints => Some(Results::Warnings),
        results => results,
    };
    let mut build = Build::new(builder, attempt_number("$.object_attributes.id", pipeline.id, 1)?);
    build.url = non_empty(pipeline.url)
        .or_else(|| project.web_url.as_ref().map(|page| format!("{page}/-/pipelines/{}", pipeline.id)));
    build.reason = reason(pipeline.source.as_deref(), user.as_ref());
    let mut runners: Vec<&str> = jobs.iter().filter_map(PipelineJob::runner).collect();
    runners.sort_unstable();
    runners.dedup();
    if let [runner] = runners[..] {
        runner.clone_into(&mut build.worker);
    }
    let first = jobs.iter().filter_map(|job| job.started_at).min();
    build.started = first.or(pipeline.created_at);
    build.finished = results.and(pipeline.finished_at);
    build.steps = steps;
    let repository = non_empty(project.git_http_url).or(project.web_url).unwrap_or_default();
    let revision = non_empty(pipeline.sha);
    let change = commit.map(|commit| {
        let author = commit.author.as_ref();
        Change {
            who: person(
                author.and_then(|author| author.name.as_deref()),
                author.and_then(|author| author.email.as_deref()),
            ),
            comments: commit.message.unwrap_or_default(),
            revision: non_empty(commit.id).or_else(|| revision.clone()),
            when: commit.timestamp.unwrap_or_default(),
            revlink: commit.url.unwrap_or_default(),
            ..Change::default()
        }
    });
    build.source_stamps =
        vec![stamp(non_empty(pipeline.branch), revision, repository, project.path_with_namespace, change)];
    let properties = &mut build.properties;
    set(properties, SET_BY, "pipeline_id", Some(pipeline.id));
    set(properties, SET_BY, "pipeline_iid", pipeline.iid);
    set(properties, SET_BY, "pipeline_name", pipeline.name);
    set(properties, SET_BY, "event", pipeline.source);
    set(properties, SET_BY, "tag", pipeline.tag.filter(|tag| *tag));
    set(properties, SET_BY, "merge_request", merge_request.and_then(|request| request.iid));
    set(properties, SET_BY, "actor", user.and_then(|user| user.username));
    // A pipeline that is retried goes on under its old id.
    let numbers = BuildNumbering::Attempts;
    Ok(Ok(ParsedBatch { events: vec![build_event(build, results)], numbers, ..ParsedBatch::default() }))
}

impl PipelineJob {
    fn runner(&self) -> Option<&str> {
        self.runner.as_ref()?.description.as_deref().filter(|name| !name.is_empty())
    }
}

fn steps(jobs: &[PipelineJob], page: Option<&str>) -> Result<Vec<Step>, EventsError> {
    let mut steps: Vec<Step> = Vec::with_capacity(jobs.len());
    for job in jobs {
        let name = builder_name("$.builds.name", &[&job.name])?;
        let name = unique_step_name(&name, steps.iter().map(|step| step.name.as_str()));
        let allow_failure = job.allow_failure == Some(true);
        let status = Status::read("$.builds.status", &job.status, allow_failure)?;
        let results = status.results();
        let is_bad = matches!(results, Some(Results::Failure | Results::Warnings));
        let words: Vec<String> = non_empty(job.stage.clone()).into_iter().collect();
        let mut text = step_text(&words, results);
        text.extend(non_empty(job.failure_reason.clone()).filter(|_| is_bad));
        steps.push(Step {
            text,
            text2: is_bad.then(|| name.clone()).into_iter().collect(),
            name,
            results,
            started: job.started_at,
            finished: job.finished_at,
            urls: page
                .map(|page| ("job".to_owned(), format!("{page}/-/jobs/{}", job.id)))
                .into_iter()
                .collect(),
            ..Step::default()
        });
    }
    Ok(steps)
}

/// A job by itself is a build of `PROJECT/JOB`; one that is retried has a new id, so it is another build.
fn job(hook: JobHook) -> Outcome {
    let allow_failure = hook.build_allow_failure == Some(true);
    let results = match Status::read("$.build_status", &hook.build_status, allow_failure)? {
        Status::Waiting => return Ok(Err(format!("job {}: told of when it runs", hook.build_status))),
        status => status.results(),
    };
    let (path, page, repository) = match (hook.project, hook.repository) {
        (Some(project), _) => (project.path_with_namespace, project.web_url, project.git_http_url),
        (None, Some(old)) => (hook.project_name.unwrap_or_default(), old.homepage, old.git_http_url),
        (None, None) => (hook.project_name.unwrap_or_default(), None, None),
    };
    let builder = builder_name("$.build_name", &[&path, &hook.build_name])?;
    let mut build = Build::new(builder, build_number("$.build_id", Some(hook.build_id))?);
    build.url = page.as_ref().map(|page| format!("{page}/-/jobs/{}", hook.build_id));
    build.reason = reason(hook.build_stage.as_deref(), hook.user.as_ref());
    if let Some(runner) = hook.runner.and_then(|runner| non_empty(runner.description)) {
        build.worker = runner;
    }
    build.started = hook.build_started_at;
    build.finished = results.and(hook.build_finished_at);
    if let Some(reason) = non_empty(hook.build_failure_reason)
        && let Some(bad @ (Results::Failure | Results::Warnings)) = results
    {
        build.text = campanile_model::build_text(bad, [&[reason][..]]);
    }
    let revision = non_empty(hook.sha);
    let change = hook.commit.map(|commit| Change {
        who: person(commit.author_name.as_deref(), commit.author_email.as_deref()),
        comments: commit.message.unwrap_or_default(),
        // The commit's own time is not told.
        when: build.started.unwrap_or_default(),
        revision: revision.clone(),
        revlink: page
            .as_ref()
            .zip(revision.as_ref())
            .map(|(page, revision)| format!("{page}/-/commit/{revision}"))
            .unwrap_or_default(),
        ..Change::default()
    });
    let repository = non_empty(repository).or_else(|| page.clone()).unwrap_or_default();
    build.source_stamps = vec![stamp(non_empty(hook.branch), revision, repository, path, change)];
    let properties = &mut build.properties;
    set(properties, SET_BY, "pipeline_id", hook.pipeline_id);
    set(properties, SET_BY, "stage", hook.build_stage);
    set(properties, SET_BY, "tag", hook.tag.filter(|tag| *tag));
    set(properties, SET_BY, "actor", hook.user.and_then(|user| user.username));
    Ok(Ok(ParsedBatch { events: vec![build_event(build, results)], ..ParsedBatch::default() }))
}

fn reason(what: Option<&str>, user: Option<&User>) -> String {
    let by = user.and_then(|user| non_empty(user.name.clone()).or_else(|| non_empty(user.username.clone())));
    let what = what.filter(|what| !what.is_empty()).unwrap_or("pipeline");
    by.map_or_else(|| what.to_owned(), |by| format!("{what} by {by}"))
}

fn stamp(
    branch: Option<String>,
    revision: Option<String>,
    repository: String,
    project: String,
    change: Option<Change>,
) -> SourceStamp {
    let change = change.map(|change| Change {
        branch: branch.clone(),
        repository: repository.clone(),
        project: project.clone(),
        src: Some("git".to_owned()),
        ..change
    });
    SourceStamp {
        branch,
        revision,
        repository,
        project,
        changes: change.into_iter().collect(),
        ..SourceStamp::default()
    }
}
