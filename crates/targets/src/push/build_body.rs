//! The body that tells of a build in the later form (section 9 of the rules); unknown values are null.

use serde_json::{Map, Value, json};

use campanile_callbacks::{Status, StatusError};
use campanile_model::{
    Build, LogRef, PACKET_SCHEMA, Properties, Results, SourceStamp, Step, Timestamp, build_text,
};

/// The things that are told beside the build itself (P-MOD-01).
pub(super) struct BodyOptions {
    pub(super) properties: bool,
    pub(super) steps: bool,
    pub(super) previous_build: bool,
    pub(super) logs: bool,
    /// The most bytes of a log; of a longer one the end is told (P-MOD-08).
    pub(super) log_size: usize,
}

/// The most lines of a log that are told.
const MAX_LOG_LINES: u32 = 100_000;

/// Makes the whole body.
pub(super) async fn of_build(
    build: &Build,
    options: &BodyOptions,
    status: &dyn Status,
) -> Result<Value, StatusError> {
    let mut body = plain(build, options, status);
    if options.steps || options.logs {
        let mut steps = Vec::with_capacity(build.steps.len());
        for (number, known) in build.steps.iter().enumerate() {
            let mut step = step(known, number);
            if options.logs {
                step.insert("logs".to_owned(), logs(build, known, options, status).await?.into());
            }
            steps.push(Value::Object(step));
        }
        body.insert("steps".to_owned(), steps.into());
    }
    if options.previous_build {
        let previous = status.earlier_builds(&build.id(), 1).await?.pop();
        let previous = previous.map(|previous| Value::Object(plain(&previous, options, status)));
        body.insert("prev_build".to_owned(), previous.unwrap_or(Value::Null));
    }
    Ok(body.into())
}

fn plain(build: &Build, options: &BodyOptions, status: &dyn Status) -> Map<String, Value> {
    let url = build.url.clone().or_else(|| status.url_for(&build.id()));
    let properties = build.all_properties();
    let body = json!({
        "schema": PACKET_SCHEMA,
        "buildid": null,
        "number": build.number,
        "builderid": null,
        "buildrequestid": build.requests.first(),
        "workerid": null,
        "masterid": null,
        "started_at": epoch(build.started),
        "complete": build.results.is_some(),
        "complete_at": epoch(build.finished),
        "locks_duration_s": 0,
        "results": build.results.map(Results::code),
        "state_string": state_string(build),
        "properties": if options.properties { pairs(&properties) } else { json!({}) },
        "url": url,
        "builder": {"builderid": null, "name": build.builder, "masterids": [], "description": null,
            "description_format": null, "description_html": null, "projectid": null, "tags": build.tags},
        "buildrequest": {"buildrequestid": build.requests.first(), "buildsetid": build.buildset,
            "builderid": null},
        "buildset": {"bsid": build.buildset, "reason": build.reason,
            "sourcestamps": build.source_stamps.iter().map(stamp).collect::<Vec<_>>()},
        "parentbuild": null,
        "parentbuilder": null,
        "worker": build.worker,
        "final": build.results.is_some_and(|results| results != Results::Retry),
    });
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

/// Gives the build's words, as people read them.
fn state_string(build: &Build) -> String {
    if !build.text.is_empty() {
        return build.text.join(" ");
    }
    match build.results {
        Some(results) => build_text(results, build.steps.iter().map(|step| step.text2.as_slice())).join(" "),
        None => "starting".to_owned(),
    }
}

fn epoch(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_seconds)
}

fn pairs(properties: &Properties) -> Value {
    properties
        .iter()
        .map(|(name, property)| (name.to_owned(), json!([property.value, property.source])))
        .collect::<Map<_, _>>()
        .into()
}

/// Describes a source stamp. Patches' bodies have no form here (P-MOD-06).
fn stamp(stamp: &SourceStamp) -> Value {
    let patch = stamp.patch.as_ref().map(|patch| {
        json!({"patchid": null, "level": patch.level, "subdir": patch.subdir, "author": patch.author,
            "comment": patch.comment, "body": null})
    });
    json!({"ssid": stamp.ssid, "branch": stamp.branch, "revision": stamp.revision, "project": stamp.project,
        "repository": stamp.repository, "codebase": stamp.codebase, "created_at": null, "patch": patch})
}

fn step(step: &Step, number: usize) -> Map<String, Value> {
    let urls: Vec<Value> = step.urls.iter().map(|(name, url)| json!({"name": name, "url": url})).collect();
    let body = json!({
        "stepid": null, "number": number, "name": step.name, "buildid": null, "started_at": epoch(step.started),
        "locks_acquired_at": null, "complete": step.finished.is_some(), "complete_at": epoch(step.finished),
        "results": step.results.map(Results::code), "state_string": step.text.join(" "), "urls": urls,
        "hidden": step.hidden,
    });
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

async fn logs(
    build: &Build,
    step: &Step,
    options: &BodyOptions,
    status: &dyn Status,
) -> Result<Vec<Value>, StatusError> {
    let mut logs = Vec::with_capacity(step.logs.len());
    for log in &step.logs {
        let log_ref = LogRef { build: build.id(), step: step.name.clone(), log: log.name.clone() };
        let tail = status.log_tail(&log_ref, MAX_LOG_LINES, options.log_size).await?.unwrap_or_default();
        let shown = tail.lines().count() as u64;
        let kind = if log.name == "stdio" { "s" } else { "t" };
        // A stdio log's lines say where they came out (P-MOD-07); header lines are not among them.
        let content = match kind {
            "s" => tail.lines().map(|line| format!("o{line}\n")).collect(),
            _ => tail,
        };
        logs.push(json!({
            "logid": null, "name": log.name, "slug": log.name, "stepid": null, "complete": true,
            "num_lines": log.lines, "type": kind, "stepname": step.name,
            "url": log.url.clone().or_else(|| status.log_url_for(&log_ref)),
            "content": {"logid": null, "firstline": log.lines.saturating_sub(shown), "content": content},
        }));
    }
    Ok(logs)
}
