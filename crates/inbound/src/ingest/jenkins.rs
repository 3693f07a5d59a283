//! JSON of Jenkins' notification plugin. `docs/connect/jenkins.md` gives the meaning of its fields.

use std::collections::BTreeMap;

use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use super::native::{EventsError, bad};
use super::read::{build_event, build_number, builder_name, id, json, set, typed};
use super::{ParsedBatch, Source};
use campanile_model::{
    Build, Change, Event, LogChannel, LogRef, Results, SourceStamp, Step, Timestamp, non_empty, one_line,
    step_text,
};

/// Of properties.
const SET_BY: &str = "Jenkins";
/// The step that has a build's log.
const STEP: &str = "console";
/// The log of that step.
const LOG: &str = "stdio";

/// The source `jenkins`. The plugin signs nothing; it can send a user and a password, which stand in the address.
pub(super) struct Jenkins;

impl Source for Jenkins {
    fn name(&self) -> &'static str {
        "jenkins"
    }

    fn parse(&self, _: &HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError> {
        if body.trim_ascii_start().starts_with(b"<") {
            return Err(bad("$", "is XML: choose the format JSON at the job's notification endpoint"));
        }
        let job = typed::<Job>(&json(body)?, "$")?;
        parse_job(job)
    }
}

#[derive(Deserialize)]
struct Job {
    name: String,
    url: Option<String>,
    build: JenkinsBuild,
}

#[derive(Deserialize)]
struct JenkinsBuild {
    number: u64,
    phase: String,
    full_url: Option<String>,
    queue_id: Option<i64>,
    status: Option<String>,
    timestamp: Option<Value>,
    duration: Option<i64>,
    scm: Option<Scm>,
    parameters: Option<BTreeMap<String, Value>>,
    log: Option<String>,
    notes: Option<String>,
    test_summary: Option<Value>,
    artifacts: Option<Value>,
}

#[derive(Deserialize)]
struct Scm {
    url: Option<String>,
    branch: Option<String>,
    commit: Option<String>,
    changes: Option<Vec<String>>,
    culprits: Option<Vec<String>>,
}

fn parse_job(job: Job) -> Result<Vec<ParsedBatch>, EventsError> {
    let Job { name, url, build: theirs } = job;
    let results = match theirs.phase.as_str() {
        "STARTED" => None,
        // The first of the two ends the build; what comes after it can't change the result.
        "COMPLETED" | "FINALIZED" => Some(status(theirs.status.as_deref())),
        other => return Ok(ParsedBatch::ignored(format!("phase {other}: told of when it runs"))),
    };
    let path = url.as_deref().map(job_path).unwrap_or_default();
    let builder = builder_name("$.name", &[if path.is_empty() { &name } else { &path }])?;
    let mut build = Build::new(builder, build_number("$.build.number", Some(theirs.number))?);
    build.url = non_empty(theirs.full_url);
    let at = timestamp(theirs.timestamp.as_ref())?;
    match results {
        None => build.started = at,
        Some(_) => {
            // The plugin tells how long the build took when it is over, but not when it is being finalized.
            let took = theirs.duration.filter(|took| *took > 0 && theirs.phase == "COMPLETED");
            build.finished = at;
            build.started = at.zip(took).map(|(at, took)| {
                Timestamp::from_micros(at.as_micros().saturating_sub(took.saturating_mul(1000)))
            });
        }
    }
    build.source_stamps = theirs.scm.and_then(|scm| stamp(scm, at)).into_iter().collect();
    let properties = &mut build.properties;
    for (name, value) in theirs.parameters.into_iter().flatten() {
        properties.set(one_line(&name), value, "Jenkins parameter");
    }
    set(properties, SET_BY, "queue_id", theirs.queue_id);
    set(properties, SET_BY, "notes", theirs.notes);
    set(properties, SET_BY, "test_summary", theirs.test_summary);
    let is_blank = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    set(properties, SET_BY, "artifacts", theirs.artifacts.filter(|value| !is_blank(value)));
    let build_id = id(&build.builder, build.number);
    let mut events = Vec::new();
    if let (Some(text), Some(_)) = (non_empty(theirs.log), results) {
        let log = LogRef { build: build_id.clone(), step: STEP.to_owned(), log: LOG.to_owned() };
        let is_bad = matches!(results, Some(Results::Failure | Results::Exception));
        build.steps.push(Step {
            name: STEP.to_owned(),
            text: step_text(&[STEP.to_owned()], results),
            text2: if is_bad { vec![STEP.to_owned()] } else { Vec::new() },
            results,
            finished: build.finished,
            ..Step::default()
        });
        events.push(Event::LogChunk { log, channel: LogChannel::Stdout, text });
    }
    events.push(build_event(build, results));
    let part = if results.is_some() { "end" } else { "start" };
    Ok(ParsedBatch::events(events, Some(format!("{}/{}/{part}", build_id.builder, build_id.number))))
}

/// `job/folder/job/app/` is the job `folder/app`: the name alone is not unique.
fn job_path(url: &str) -> String {
    let mut names = Vec::new();
    let mut parts = url.split('/').filter(|part| !part.is_empty());
    while let (Some("job"), Some(name)) = (parts.next(), parts.next()) {
        names.push(percent_decode_str(name).decode_utf8_lossy().into_owned());
    }
    names.join("/")
}

fn status(text: Option<&str>) -> Results {
    match text {
        Some("SUCCESS") => Results::Success,
        Some("UNSTABLE") => Results::Warnings,
        Some("FAILURE") => Results::Failure,
        Some("NOT_BUILT") => Results::Skipped,
        Some("ABORTED") => Results::Cancelled,
        _ => Results::Exception,
    }
}

/// Milliseconds since the epoch; a date from older versions of the plugin.
fn timestamp(value: Option<&Value>) -> Result<Option<Timestamp>, EventsError> {
    let wrong = || bad("$.build.timestamp", "must be milliseconds since the epoch, or a date");
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let millis = number.as_i64().ok_or_else(wrong)?;
            Ok(Some(Timestamp::from_micros(millis.saturating_mul(1000))).filter(|at| at.as_micros() > 0))
        }
        Some(Value::String(text)) => Timestamp::parse_date(text).map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

/// The source stamp of a build; none if the plugin found nothing.
fn stamp(scm: Scm, at: Option<Timestamp>) -> Option<SourceStamp> {
    let branch = non_empty(scm.branch);
    // Jenkins names branches as its own clone does.
    let branch = branch.map(|branch| branch.strip_prefix("origin/").map_or(branch.clone(), str::to_owned));
    let (repository, revision) = (non_empty(scm.url).unwrap_or_default(), non_empty(scm.commit));
    let files = scm.changes.unwrap_or_default();
    let mut people: Vec<String> = scm.culprits.iter().flatten().map(|who| one_line(who)).collect();
    people.retain(|who| !who.is_empty());
    if people.is_empty() && !files.is_empty() {
        people.push(String::new());
    }
    if repository.is_empty() && revision.is_none() && branch.is_none() && people.is_empty() {
        return None;
    }
    let change = |who| Change {
        who,
        files: files.clone(),
        // When it was made is not told.
        when: at.unwrap_or_default(),
        revision: revision.clone(),
        branch: branch.clone(),
        repository: repository.clone(),
        ..Change::default()
    };
    let changes = people.into_iter().map(change).collect();
    Some(SourceStamp {
        branch: branch.clone(),
        revision: revision.clone(),
        repository: repository.clone(),
        changes,
        ..SourceStamp::default()
    })
}
