//! GitHub's webhooks about GitHub Actions and other apps' check suites. `docs/connect/github-actions.md` gives the
//! meaning of their fields.

use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::native::{EventsError, bad};
use super::read::{
    attempt_number, build_event, build_number, builder_name, header_text, id, json, media_type, person, set,
    typed,
};
use super::{ParsedBatch, Proof, Source};
use crate::HeaderProof;
use campanile_config::{Hash, Secret, is_hex_code, verify_hex_hmac};
use campanile_model::{
    Build, Change, Event, Results, SourceStamp, Step, Timestamp, non_empty, one_line, step_text,
};

/// Of properties.
const SET_BY: &str = "GitHub";
/// The app behind GitHub Actions, whose suites are told as runs.
const ACTIONS: (&str, &str) = ("github-actions", "GitHub Actions");

/// The source `github`.
pub(super) struct Github;

impl Source for Github {
    fn name(&self) -> &'static str {
        "github"
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof { headers: judge_headers, whole: is_proven })
    }

    fn matches(&self, headers: &HeaderMap) -> bool {
        matches!(
            header_text(headers, "x-github-event"),
            Some("workflow_run" | "workflow_job" | "check_suite")
        )
    }

    fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError> {
        let Some(event) = header_text(headers, "x-github-event") else {
            return Err(bad("$", "the header `X-GitHub-Event` is missing: is this GitHub's webhook?"));
        };
        let body = payload(headers, body)?;
        let parsed = match event {
            "workflow_run" => run(&typed::<RunHook>(&body, "$")?)?,
            "workflow_job" => job(&typed::<JobHook>(&body, "$")?)?,
            "check_suite" => suite(&typed::<SuiteHook>(&body, "$")?)?,
            other => Err(format!("`{other}` tells nothing of builds")),
        };
        match parsed {
            Ok(event) => {
                let key = header_text(headers, "x-github-delivery").map(str::to_owned);
                Ok(ParsedBatch::events(vec![event], key))
            }
            Err(note) => Ok(ParsedBatch::ignored(note)),
        }
    }
}

/// The signature that was sent: GitHub signs the body with the hook's secret.
fn sent_code(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, "x-hub-signature-256").and_then(|sent| sent.strip_prefix("sha256="))
}

fn judge_headers(headers: &HeaderMap, _: &[Secret], _: Timestamp) -> Option<HeaderProof> {
    sent_code(headers).filter(|hex| is_hex_code(Hash::Sha256, hex)).map(|_| HeaderProof::WithBody)
}

fn is_proven(headers: &HeaderMap, body: &[u8], secrets: &[Secret], _: Timestamp) -> bool {
    sent_code(headers).is_some_and(|hex| verify_hex_hmac(Hash::Sha256, body, secrets, hex))
}

/// The JSON itself, or in the field `payload` of a form, which is what GitHub sends unless told otherwise.
fn payload(headers: &HeaderMap, body: &[u8]) -> Result<Value, EventsError> {
    if media_type(headers) != "application/x-www-form-urlencoded" {
        return json(body);
    }
    match form_urlencoded::parse(body).find(|(name, _)| name == "payload") {
        Some((_, payload)) => json(payload.as_bytes()),
        None => Err(bad("$", "the form has no field `payload`")),
    }
}

/// An event, or why there is none.
type Outcome = Result<Result<Event, String>, EventsError>;

#[derive(Deserialize)]
struct RunHook {
    action: String,
    workflow_run: Run,
    #[serde(default)]
    workflow: Option<Workflow>,
    repository: Repository,
}

#[derive(Deserialize)]
struct Workflow {
    name: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    html_url: Option<String>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    name: Option<String>,
    path: Option<String>,
    display_title: Option<String>,
    run_number: Option<u64>,
    run_attempt: Option<u64>,
    event: Option<String>,
    actor: Option<Account>,
    triggering_actor: Option<Account>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    head_commit: Option<Commit>,
    html_url: Option<String>,
    conclusion: Option<String>,
    run_started_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    #[serde(default)]
    pull_requests: Option<Vec<Pull>>,
}

#[derive(Deserialize)]
struct Account {
    login: Option<String>,
}

#[derive(Deserialize)]
struct Pull {
    number: Option<u64>,
}

#[derive(Deserialize)]
struct Commit {
    id: Option<String>,
    message: Option<String>,
    timestamp: Option<Timestamp>,
    author: Option<Author>,
    committer: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    name: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct JobHook {
    action: String,
    workflow_job: Job,
    repository: Repository,
}

#[derive(Deserialize)]
struct Job {
    name: String,
    run_id: u64,
    run_attempt: Option<u64>,
    workflow_name: Option<String>,
    html_url: Option<String>,
    conclusion: Option<String>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    runner_name: Option<String>,
    #[serde(default)]
    steps: Option<Vec<JobStep>>,
}

#[derive(Deserialize)]
struct JobStep {
    name: Option<String>,
    conclusion: Option<String>,
}

#[derive(Deserialize)]
struct SuiteHook {
    action: String,
    check_suite: Suite,
    repository: Repository,
}

#[derive(Deserialize)]
struct Suite {
    id: u64,
    head_branch: Option<String>,
    head_sha: Option<String>,
    head_commit: Option<Commit>,
    conclusion: Option<String>,
    app: Option<App>,
    latest_check_runs_count: Option<u64>,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct App {
    name: Option<String>,
    slug: Option<String>,
}

/// A workflow's run is a build of `OWNER/REPOSITORY/WORKFLOW`.
fn run(hook: &RunHook) -> Outcome {
    let RunHook { action, workflow_run: run, workflow, repository } = hook;
    let results = match action.as_str() {
        "in_progress" => None,
        "completed" => Some(conclusion(run.conclusion.as_deref())),
        other => return Ok(Err(format!("`workflow_run` {other}: told of when it runs"))),
    };
    let workflow = workflow.as_ref();
    let names = [
        workflow.and_then(|workflow| workflow.name.as_deref()),
        run.name.as_deref(),
        workflow.and_then(|workflow| workflow.path.as_deref()),
        run.path.as_deref(),
    ];
    let name = names.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_default();
    let builder = builder_name("$.repository.full_name", &[&repository.full_name, name])?;
    let attempt = run.run_attempt.unwrap_or(1);
    let mut build = Build::new(builder, attempt_number("$.workflow_run.run_attempt", run.id, attempt)?);
    build.url = run.html_url.as_ref().map(|page| match attempt {
        1 => page.clone(),
        _ => format!("{page}/attempts/{attempt}"),
    });
    let login =
        |account: &Option<Account>| account.as_ref().and_then(|account| non_empty(account.login.clone()));
    let by = login(&run.triggering_actor).or_else(|| login(&run.actor));
    let event = run.event.as_deref().unwrap_or("run");
    build.reason = by.as_ref().map_or_else(|| event.to_owned(), |by| format!("{event} by {by}"));
    if attempt > 1 {
        build.reason.push_str(&format!(", attempt {attempt}"));
    }
    build.started = run.run_started_at.or(run.created_at);
    build.finished = results.and(run.updated_at);
    build.source_stamps = vec![stamp(repository, &run.head_branch, &run.head_sha, run.head_commit.as_ref())];
    let properties = &mut build.properties;
    set(properties, SET_BY, "event", run.event.clone());
    set(properties, SET_BY, "run_id", Some(run.id));
    set(properties, SET_BY, "run_number", run.run_number);
    set(properties, SET_BY, "run_attempt", Some(attempt));
    set(properties, SET_BY, "run_title", run.display_title.clone());
    set(properties, SET_BY, "actor", by);
    let pulls: Vec<u64> = run.pull_requests.iter().flatten().filter_map(|pull| pull.number).collect();
    set(properties, SET_BY, "pull_requests", Some(pulls).filter(|pulls| !pulls.is_empty()));
    set(properties, SET_BY, "conclusion", run.conclusion.clone());
    Ok(Ok(build_event(build, results)))
}

/// A job is a step of its workflow's run: the payload has the run's id, but neither its commit's author nor the
/// workflow's other jobs, so by itself it would be a build that nobody is to blame for.
fn job(hook: &JobHook) -> Outcome {
    let JobHook { action, workflow_job: job, repository } = hook;
    let results = match action.as_str() {
        "in_progress" => None,
        "completed" => Some(conclusion(job.conclusion.as_deref())),
        other => return Ok(Err(format!("`workflow_job` {other}: told of when it runs"))),
    };
    let Some(workflow) = job.workflow_name.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(Err("the job does not say which workflow it is of".to_owned()));
    };
    let builder = builder_name("$.repository.full_name", &[&repository.full_name, workflow])?;
    let attempt = job.run_attempt.unwrap_or(1);
    let build = id(&builder, attempt_number("$.workflow_job.run_attempt", job.run_id, attempt)?);
    let name = builder_name("$.workflow_job.name", &[&job.name])?;
    let failed = job.steps.iter().flatten().filter(|step| {
        step.conclusion.as_deref().is_some_and(|end| conclusion(Some(end)) == Results::Failure)
    });
    let failed: Vec<String> = failed.filter_map(|step| step.name.as_deref()).map(one_line).collect();
    let mut text = step_text(std::slice::from_ref(&name), results);
    text.extend((!failed.is_empty()).then(|| format!("in {}", failed.join(", "))));
    text.extend(non_empty(job.runner_name.clone()).map(|runner| format!("on {runner}")));
    let is_bad = matches!(results, Some(Results::Failure | Results::Exception));
    let step = Step {
        text2: is_bad.then(|| name.clone()).into_iter().collect(),
        name,
        text,
        results,
        started: job.started_at,
        finished: results.and(job.completed_at),
        urls: job.html_url.iter().map(|page| ("job".to_owned(), page.clone())).collect(),
        ..Step::default()
    };
    Ok(Ok(if results.is_some() {
        Event::StepFinished { build, step }
    } else {
        Event::StepStarted { build, step }
    }))
}

/// Another app's check suite is a build of `OWNER/REPOSITORY/APP`, told when it is complete.
fn suite(hook: &SuiteHook) -> Outcome {
    let SuiteHook { action, check_suite: suite, repository } = hook;
    if action != "completed" {
        return Ok(Err(format!("`check_suite` {action}: told of when it is complete")));
    }
    let app = suite.app.as_ref();
    let (slug, name) = (app.and_then(|app| app.slug.as_deref()), app.and_then(|app| app.name.as_deref()));
    if slug == Some(ACTIONS.0) || name == Some(ACTIONS.1) {
        return Ok(Err("GitHub Actions' own suites are told as runs".to_owned()));
    }
    if suite.latest_check_runs_count == Some(0) {
        return Ok(Err("the suite has no checks".to_owned()));
    }
    let Some(app) = name.or(slug).filter(|name| !name.is_empty()) else {
        return Ok(Err("the suite does not say whose it is".to_owned()));
    };
    let builder = builder_name("$.repository.full_name", &[&repository.full_name, app])?;
    // A suite that is run again keeps its id: what tells its ends apart is when they were.
    let Some(ended) = suite.updated_at else {
        return Err(bad("$.check_suite.updated_at", "missing: it numbers the build"));
    };
    let number = u64::try_from(ended.as_seconds()).ok().and_then(|seconds| seconds.checked_mul(1000));
    let number = number.and_then(|number| number.checked_add(suite.id % 1000));
    let mut build = Build::new(builder, build_number("$.check_suite.updated_at", number)?);
    let page = repository.html_url.as_deref();
    build.url = page
        .zip(suite.head_sha.as_deref())
        .map(|(page, revision)| format!("{page}/commit/{revision}/checks?check_suite_id={}", suite.id));
    build.reason = "check suite".to_owned();
    build.started = suite.created_at;
    build.finished = Some(ended);
    build.source_stamps =
        vec![stamp(repository, &suite.head_branch, &suite.head_sha, suite.head_commit.as_ref())];
    set(&mut build.properties, SET_BY, "check_suite_id", Some(suite.id));
    set(&mut build.properties, SET_BY, "conclusion", suite.conclusion.clone());
    Ok(Ok(build_event(build, Some(conclusion(suite.conclusion.as_deref())))))
}

/// Results of a conclusion: one that GitHub counts as passed is a success, one that no better commit can pass no
/// failure.
fn conclusion(text: Option<&str>) -> Results {
    match text {
        Some("success" | "neutral") => Results::Success,
        Some("failure" | "timed_out") => Results::Failure,
        Some("cancelled") => Results::Cancelled,
        Some("skipped" | "action_required") => Results::Skipped,
        // `startup_failure`, `stale`, and what says nothing of its end.
        _ => Results::Exception,
    }
}

fn stamp(
    repository: &Repository,
    branch: &Option<String>,
    revision: &Option<String>,
    commit: Option<&Commit>,
) -> SourceStamp {
    let page = repository.html_url.clone().unwrap_or_default();
    let change = |commit: &Commit| {
        let who = |author: &Option<Author>| {
            let author = author.as_ref();
            person(
                author.and_then(|author| author.name.as_deref()),
                author.and_then(|author| author.email.as_deref()),
            )
        };
        let revision = non_empty(commit.id.clone()).or_else(|| non_empty(revision.clone()));
        Change {
            who: who(&commit.author),
            committer: non_empty(Some(who(&commit.committer))),
            comments: commit.message.clone().unwrap_or_default(),
            revlink: revision
                .as_ref()
                .filter(|_| !page.is_empty())
                .map(|revision| format!("{page}/commit/{revision}"))
                .unwrap_or_default(),
            revision,
            branch: non_empty(branch.clone()),
            when: commit.timestamp.unwrap_or_default(),
            repository: page.clone(),
            project: repository.full_name.clone(),
            src: Some("git".to_owned()),
            ..Change::default()
        }
    };
    SourceStamp {
        branch: non_empty(branch.clone()),
        revision: non_empty(revision.clone()),
        project: repository.full_name.clone(),
        changes: commit.map(change).into_iter().collect(),
        repository: page.clone(),
        ..SourceStamp::default()
    }
}
