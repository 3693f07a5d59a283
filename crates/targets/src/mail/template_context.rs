//! The values that a template of a mail has about a build (M-X-08). The names and the form of their values are those that
//! Buildbot's templates know (M-X-18); `title`, `url`, `result`, `news`, `outcome`, `worker` and the like are for those who
//! start afresh.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::built_in_text::{TextInputs, newest_changes, news, projects, status_detected, summary};
use super::diagnosis::Diagnosis;
use super::logs::LogChoice;
use super::source_stamps::{self, ChangeValues, SourceStampValues};
use super::{Fault, durations, store_fault};
use campanile_callbacks::{Sample, Status};
use campanile_model::jinja::{ListWithText, TupleOf};
use campanile_model::{Build, LogRef, LogSummary, Results, Step, brief_text, plain_output};

/// Most bytes of a log that a template gets: of a longer one the last part.
const MOST_LOG_BYTES: usize = 1 << 20;
/// The same of all logs together.
const MOST_BYTES_OF_LOGS: usize = 16 << 20;

/// Names below which a template may look for anything: what is there depends on the build.
pub(super) const OPEN: &[&str] = &["build.properties"];

/// Styles of steps by their result's code, as the pages of Buildbot have them.
const RESULTS_STYLE: [&str; 7] = [
    "",
    "color: #f80;",
    "color: #f00; font-weight: bold;",
    "color: #4af;",
    "color: #f0f; font-weight: bold;",
    "color: #4af;",
    "color: #4af;",
];

/// All values of a template, under their names.
#[derive(Serialize)]
struct TemplateContext<'a> {
    results: u8,
    result: &'static str,
    result_names: [&'static str; 7],
    previous_results: Option<u8>,
    previous_result: Option<&'static str>,
    results_style: [&'static str; 7],
    mode: TupleOf<Vec<&'static str>>,
    buildername: &'a str,
    workername: &'a str,
    worker: &'a str,
    reason: &'a str,
    number: u64,
    buildset: BuildsetValues<'a>,
    is_buildset: bool,
    build: BuildValues<'a>,
    projects: String,
    status_detected: String,
    news: &'static str,
    summary: String,
    outcome: String,
    broken: Option<BrokenValues<'a>>,
    failed_steps: Vec<FailedStepValues<'a>>,
    duration: Option<String>,
    blamelist: Vec<String>,
    changes: Vec<ChangeValues<'a>>,
    older_changes: usize,
    sourcestamps: ListWithText<Vec<SourceStampValues<'a>>>,
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
    state_brief: String,
    reason: &'a str,
    url: Option<&'a str>,
    complete: bool,
    started_at: Option<f64>,
    complete_at: Option<f64>,
    properties: BTreeMap<String, TupleOf<(Value, String)>>,
    buildset: BuildsetValues<'a>,
    parentbuild: Option<()>,
    parentbuilder: Option<()>,
    prev_build: Option<PreviousBuildValues>,
    steps: Vec<StepValues<'a>>,
}

#[derive(Serialize)]
struct BuilderValues<'a> {
    name: &'a str,
    tags: &'a [String],
}

#[derive(Clone, Serialize)]
struct BuildsetValues<'a> {
    bsid: Option<u64>,
    reason: &'a str,
    sourcestamps: Vec<SourceStampValues<'a>>,
}

/// The run of failures that the build belongs to, or ended (M-74).
#[derive(Serialize)]
struct BrokenValues<'a> {
    sentence: String,
    since: u64,
    url: Option<&'a str>,
    by: &'a [String],
    builds: usize,
    worked_last: Option<u64>,
    is_over: bool,
}

/// A step that made the build end as it did, and the end of its log (M-73).
#[derive(Serialize)]
struct FailedStepValues<'a> {
    name: &'a str,
    result: Option<&'static str>,
    verb: &'static str,
    log: Option<LogEndValues<'a>>,
}

#[derive(Serialize)]
struct LogEndValues<'a> {
    name: &'a str,
    url: Option<&'a str>,
    extent: String,
    tail: String,
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
    complete: bool,
    started_at: Option<f64>,
    complete_at: Option<f64>,
    duration: Option<String>,
    hidden: bool,
    urls: Vec<Map<String, Value>>,
    logs: Vec<LogValues<'a>>,
}

#[derive(Serialize)]
struct LogValues<'a> {
    name: &'a str,
    stepname: &'a str,
    /// The log's page, else the build's; blank if there is none, since templates of Buildbot's link it unasked.
    url: String,
    num_lines: u64,
    bytes: u64,
    content: Option<String>,
}

/// The values about a build; with the text of the logs that `contents` asks for.
pub(super) async fn for_build(
    build: &Build,
    inputs: TextInputs<'_>,
    contents: &LogChoice,
    status: &dyn Status,
) -> Result<Value, Fault> {
    let shown = build.legible();
    let mut steps = Vec::with_capacity(build.steps.len());
    let mut room = MOST_BYTES_OF_LOGS;
    for (number, pair) in build.steps.iter().zip(&shown.steps).enumerate() {
        steps.push(one_step(build, number, pair, (contents, &mut room), status).await?);
    }
    Ok(as_json(&context(&shown, inputs, steps)))
}

/// The values about a build of nobody's, to try a template on: every name that there is.
pub(super) fn sample() -> Value {
    let sample = Sample::bundled();
    let build = &sample.build;
    let diagnosis = Diagnosis::sample();
    let inputs = TextInputs {
        modes: super::mode::default_modes(),
        results: build.results.unwrap_or(Results::Failure),
        previous: Some(Results::Success),
        compared: Some(Results::Success),
        title: Status::title(&sample),
        build_url: Some("https://ci.example.org/builders/linux/builds/7"),
        url: Status::url(&sample),
        diagnosis: &diagnosis,
    };
    let log = |log: &LogSummary| LogValues {
        name: "stdio",
        stepname: "compile",
        url: "https://ci.example.org/".to_owned(),
        num_lines: log.lines,
        bytes: log.bytes,
        content: Some("text\n".to_owned()),
    };
    let steps = build.steps.iter().enumerate().map(|(number, step)| StepValues {
        logs: step.logs.iter().map(log).collect(),
        ..bare_step(number, step)
    });
    as_json(&context(build, inputs, steps.collect()))
}

/// The values as renderers get them.
fn as_json(context: &TemplateContext<'_>) -> Value {
    serde_json::to_value(context).expect("all keys of its maps are texts")
}

fn context<'a>(build: &'a Build, inputs: TextInputs<'a>, steps: Vec<StepValues<'a>>) -> TemplateContext<'a> {
    let TextInputs { modes, results, previous, title, build_url, url, diagnosis, .. } = inputs;
    let sourcestamps = source_stamps::of(build);
    let buildset = BuildsetValues {
        bsid: build.buildset,
        reason: &build.reason,
        sourcestamps: sourcestamps.items.clone(),
    };
    let (changes, older_changes) = newest_changes(build);
    TemplateContext {
        results: results.code(),
        result: results.name(),
        result_names: Results::ALL.map(Results::name),
        previous_results: previous.map(Results::code),
        previous_result: previous.map(Results::name),
        results_style: RESULTS_STYLE,
        mode: TupleOf(modes.iter().map(campanile_callbacks::Mode::name).collect()),
        buildername: &build.builder,
        // As the original says it; `worker` says it as everywhere else here.
        workername: if matches!(build.worker.as_str(), "" | Build::NO_WORKER) {
            "<unknown>"
        } else {
            &build.worker
        },
        worker: &build.worker,
        reason: &build.reason,
        number: build.number,
        buildset: buildset.clone(),
        is_buildset: false,
        projects: projects(build, title),
        status_detected: status_detected(inputs),
        news: news(inputs),
        summary: buildbot_summary(build, results),
        outcome: summary(build, results),
        broken: broken(build, diagnosis),
        failed_steps: failed_steps(diagnosis),
        duration: durations::of_build(build),
        blamelist: build.responsible_users(),
        changes: changes.into_iter().map(ChangeValues::of).collect(),
        older_changes,
        sourcestamps,
        build: BuildValues {
            number: build.number,
            builder: BuilderValues { name: &build.builder, tags: &build.tags },
            tags: &build.tags,
            results: results.code(),
            result: results.name(),
            state_string: build.text.join(" "),
            state_brief: brief_text(&build.text),
            reason: &build.reason,
            url: build_url,
            complete: true,
            started_at: build.started.map(campanile_model::Timestamp::as_seconds_f64),
            complete_at: build.finished.map(campanile_model::Timestamp::as_seconds_f64),
            properties: properties(build),
            buildset,
            parentbuild: None,
            parentbuilder: None,
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

/// All properties, name to value and source (M-PR-02, M-PR-04, M-PR-05).
fn properties(build: &Build) -> BTreeMap<String, TupleOf<(Value, String)>> {
    let all = build.all_properties();
    let pairs = all.iter().map(|(name, property)| {
        (name.to_owned(), TupleOf((property.value.clone(), property.source.clone())))
    });
    pairs.collect()
}

/// The end of the build in the words of Buildbot's templates.
fn buildbot_summary(build: &Build, results: Results) -> String {
    let text = match build.text.join(" ") {
        text if text.is_empty() => text,
        text => format!(": {text}"),
    };
    match results {
        Results::Success => "Build succeeded!".to_owned(),
        Results::Warnings => format!("Build Had Warnings{text}"),
        Results::Cancelled => "Build was cancelled".to_owned(),
        _ => format!("BUILD FAILED{text}"),
    }
}

fn broken<'a>(build: &Build, diagnosis: &'a Diagnosis) -> Option<BrokenValues<'a>> {
    let run = diagnosis.run.as_ref()?;
    Some(BrokenValues {
        sentence: run.sentence(build.number),
        since: run.first,
        url: run.url.as_deref(),
        by: &run.by,
        builds: run.builds,
        worked_last: run.worked_last,
        is_over: run.is_over,
    })
}

fn failed_steps(diagnosis: &Diagnosis) -> Vec<FailedStepValues<'_>> {
    let quotes = diagnosis.quotes.iter();
    quotes
        .map(|quote| FailedStepValues {
            name: &quote.step,
            result: quote.results.map(Results::name),
            verb: quote.verb(),
            log: quote.log.as_ref().map(|log| LogEndValues {
                name: &log.name,
                url: log.url.as_deref(),
                extent: log.extent(),
                tail: log.lines.join("\n"),
            }),
        })
        .collect()
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
        complete: step.results.is_some(),
        started_at: step.started.map(campanile_model::Timestamp::as_seconds_f64),
        complete_at: step.finished.map(campanile_model::Timestamp::as_seconds_f64),
        duration: durations::of_step(step),
        hidden: step.hidden,
        urls: step.urls.iter().map(link).collect(),
        logs: Vec::new(),
    }
}

/// A step, from the one that the store knows and the same as people may be shown it.
async fn one_step<'a>(
    build: &Build,
    number: usize,
    (step, shown): (&Step, &'a Step),
    (contents, room): (&LogChoice, &mut usize),
    status: &dyn Status,
) -> Result<StepValues<'a>, Fault> {
    let mut logs = Vec::with_capacity(step.logs.len());
    for (log, shown_log) in step.logs.iter().zip(&shown.logs) {
        let place = LogRef { build: build.id(), step: step.name.clone(), log: log.name.clone() };
        let content = if contents.wants(step, log) && *room > 0 {
            let text = status.log_tail(&place, u32::MAX, MOST_LOG_BYTES.min(*room)).await;
            let text = text.map_err(|error| store_fault(&error))?;
            *room = room.saturating_sub(text.as_ref().map_or(0, String::len));
            text.map(|text| plain_output(&text))
        } else {
            None
        };
        logs.push(LogValues {
            name: &shown_log.name,
            stepname: &shown.name,
            url: status.url_of_log(log, &place).or_else(|| status.url_of(build)).unwrap_or_default(),
            num_lines: log.lines,
            bytes: log.bytes,
            content,
        });
    }
    Ok(StepValues { logs, ..bare_step(number, shown) })
}
