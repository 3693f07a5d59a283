//! The values that a template of a mail has about a build (M-X-08). The names are those that Buildbot's templates know,
//! and `title`, `url`, `result`, `news`, `worker` and `reason` for those who start afresh.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::{Map, json};

use super::built_in_text::{TextInputs, news, projects, status_detected, summary};
use super::logs::LogChoice;
use super::{Fault, store_fault};
use campanile_callbacks::{Sample, Status};
use campanile_model::{Build, LogRef, LogSummary, Results, SourceStamp, Step};

/// Most bytes of a log that a template gets: of a longer one the last part.
const MOST_LOG_BYTES: usize = 1 << 20;

/// Names below which a template may look for anything: what is there depends on the build.
pub(super) const OPEN: &[&str] = &["build.properties"];

/// All values of a template, under their names.
#[derive(Serialize)]
struct TemplateContext<'a> {
    results: u8,
    result: &'static str,
    result_names: [&'static str; 7],
    previous_results: Option<u8>,
    previous_result: Option<&'static str>,
    mode: Vec<&'static str>,
    buildername: &'a str,
    workername: &'a str,
    worker: &'a str,
    reason: &'a str,
    number: u64,
    buildset: Option<u64>,
    is_buildset: bool,
    build: BuildValues<'a>,
    projects: String,
    status_detected: String,
    news: &'static str,
    summary: String,
    blamelist: Vec<String>,
    sourcestamps: Vec<SourceStampValues<'a>>,
    build_url: Option<&'a str>,
    title: &'a str,
    url: Option<&'a str>,
    buildbot_title: &'a str,
    buildbot_url: Option<&'a str>,
}

#[derive(Serialize)]
struct BuildValues<'a> {
    number: u64,
    builder: BuilderValues<'a>,
    tags: &'a [String],
    results: u8,
    result: &'static str,
    state_string: String,
    reason: &'a str,
    url: Option<&'a str>,
    started_at: f64,
    complete_at: Option<f64>,
    properties: serde_json::Value,
    prev_build: Option<PreviousBuildValues>,
    steps: Vec<StepValues<'a>>,
}

#[derive(Serialize)]
struct BuilderValues<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct PreviousBuildValues {
    results: u8,
    result: &'static str,
}

#[derive(Serialize)]
struct StepValues<'a> {
    number: usize,
    name: &'a str,
    state_string: String,
    results: Option<u8>,
    result: Option<&'static str>,
    hidden: bool,
    urls: Vec<Map<String, serde_json::Value>>,
    logs: Vec<LogValues<'a>>,
}

#[derive(Serialize)]
struct LogValues<'a> {
    name: &'a str,
    url: Option<String>,
    num_lines: u64,
    bytes: u64,
    content: Option<String>,
}

#[derive(Serialize)]
struct SourceStampValues<'a> {
    codebase: &'a str,
    project: &'a str,
    repository: &'a str,
    branch: Option<&'a str>,
    revision: Option<&'a str>,
    patch: Option<Map<String, serde_json::Value>>,
    changes: Vec<ChangeValues<'a>>,
}

#[derive(Serialize)]
struct ChangeValues<'a> {
    who: &'a str,
    comments: &'a str,
    files: &'a [String],
    branch: Option<&'a str>,
    revision: Option<&'a str>,
    revlink: &'a str,
    category: Option<&'a str>,
    when: f64,
}

/// The values about a build; with the text of the logs that `contents` asks for.
pub(super) async fn for_build(
    build: &Build,
    inputs: TextInputs<'_>,
    contents: &LogChoice,
    status: &dyn Status,
) -> Result<Value, Fault> {
    let mut steps = Vec::with_capacity(build.steps.len());
    for (number, step) in build.steps.iter().enumerate() {
        steps.push(one_step(build, number, step, contents, status).await?);
    }
    Ok(Value::from(Serde(context(build, inputs, steps))))
}

/// The values about a build of nobody's, to try a template on: every name that there is.
pub(super) fn sample() -> Value {
    let sample = Sample::bundled();
    let build = &sample.build;
    let inputs = TextInputs {
        modes: super::mode::default_modes(),
        results: build.results.unwrap_or(Results::Failure),
        previous: Some(Results::Success),
        title: Status::title(&sample),
        build_url: Some("https://ci.example.org/builders/linux/builds/7"),
        url: Status::url(&sample),
    };
    let log = |log: &LogSummary| LogValues {
        name: "stdio",
        url: Some("https://ci.example.org/".to_owned()),
        num_lines: log.lines,
        bytes: log.bytes,
        content: Some("text\n".to_owned()),
    };
    let steps = build.steps.iter().enumerate().map(|(number, step)| StepValues {
        logs: step.logs.iter().map(log).collect(),
        ..bare_step(number, step)
    });
    Value::from(Serde(context(build, inputs, steps.collect())))
}

fn context<'a>(build: &'a Build, inputs: TextInputs<'a>, steps: Vec<StepValues<'a>>) -> TemplateContext<'a> {
    let TextInputs { modes, results, previous, title, build_url, url } = inputs;
    TemplateContext {
        results: results.code(),
        result: results.name(),
        result_names: Results::ALL.map(Results::name),
        previous_results: previous.map(Results::code),
        previous_result: previous.map(Results::name),
        mode: modes.iter().map(campanile_callbacks::Mode::name).collect(),
        buildername: &build.builder,
        // As the original says it; `worker` says it as everywhere else here.
        workername: if build.worker == "???" { "<unknown>" } else { &build.worker },
        worker: &build.worker,
        reason: &build.reason,
        number: build.number,
        buildset: build.buildset,
        is_buildset: false,
        projects: projects(build, title),
        status_detected: status_detected(inputs),
        news: news(inputs),
        summary: summary(build, results),
        blamelist: build.responsible_users(),
        sourcestamps: build.source_stamps.iter().map(stamp).collect(),
        build: BuildValues {
            number: build.number,
            builder: BuilderValues { name: &build.builder },
            tags: &build.tags,
            results: results.code(),
            result: results.name(),
            state_string: build.text.join(" "),
            reason: &build.reason,
            url: build_url,
            started_at: build.started.as_seconds_f64(),
            complete_at: build.finished.map(campanile_model::Timestamp::as_seconds_f64),
            properties: build.properties.to_map_form(),
            prev_build: previous
                .map(|before| PreviousBuildValues { results: before.code(), result: before.name() }),
            steps,
        },
        build_url,
        title,
        url,
        buildbot_title: title,
        buildbot_url: url,
    }
}

fn bare_step(number: usize, step: &Step) -> StepValues<'_> {
    let link = |(name, url): (&String, &String)| {
        Map::from_iter([("name".to_owned(), json!(name)), ("url".to_owned(), json!(url))])
    };
    StepValues {
        number,
        name: &step.name,
        state_string: step.text.join(" "),
        results: step.results.map(Results::code),
        result: step.results.map(Results::name),
        hidden: step.hidden,
        urls: step.urls.iter().map(link).collect(),
        logs: Vec::new(),
    }
}

async fn one_step<'a>(
    build: &Build,
    number: usize,
    step: &'a Step,
    contents: &LogChoice,
    status: &dyn Status,
) -> Result<StepValues<'a>, Fault> {
    let mut logs = Vec::with_capacity(step.logs.len());
    for log in &step.logs {
        let place = LogRef { build: build.id(), step: step.name.clone(), log: log.name.clone() };
        let content = if contents.wants(step, log) {
            let text = status.log_tail(&place, u32::MAX, MOST_LOG_BYTES).await;
            text.map_err(|error| store_fault(&error))?
        } else {
            None
        };
        logs.push(LogValues {
            name: &log.name,
            url: log.url.clone().or_else(|| status.log_url_for(&place)),
            num_lines: log.lines,
            bytes: log.bytes,
            content,
        });
    }
    Ok(StepValues { logs, ..bare_step(number, step) })
}

fn stamp(stamp: &SourceStamp) -> SourceStampValues<'_> {
    let patch = stamp.patch.as_ref().map(|patch| {
        Map::from_iter([
            ("author".to_owned(), json!(patch.author)),
            ("comment".to_owned(), json!(patch.comment)),
            ("level".to_owned(), json!(patch.level)),
            ("subdir".to_owned(), json!(patch.subdir)),
            ("body".to_owned(), json!(patch.body)),
        ])
    });
    let changes = stamp.changes.iter().map(|change| ChangeValues {
        who: &change.who,
        comments: &change.comments,
        files: &change.files,
        branch: change.branch.as_deref(),
        revision: change.revision.as_deref(),
        revlink: &change.revlink,
        category: change.category.as_deref(),
        when: change.when.as_seconds_f64(),
    });
    SourceStampValues {
        codebase: &stamp.codebase,
        project: &stamp.project,
        repository: &stamp.repository,
        branch: stamp.branch.as_deref(),
        revision: stamp.revision.as_deref(),
        patch,
        changes: changes.collect(),
    }
}
