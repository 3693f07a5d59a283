//! CDEvents (spec 0.3 and later): runs of pipelines and tasks, and builds.

use serde::Deserialize;
use serde_json::Value;

use super::native::{EventsError, bad};
use super::read::{build_event, builder_name, set, typed};
use super::{BuildNumbering, ParsedBatch};
use campanile_model::{Build, Change, Results, SourceStamp, Timestamp, build_text, non_empty, one_line};

/// Of properties.
const SET_BY: &str = "CDEvents";
/// The property that has a run's identity.
const RUN: &str = "run";

#[derive(Deserialize)]
struct Cdevent {
    context: Context,
    subject: Subject,
    #[serde(default, rename = "customData")]
    custom: Option<Value>,
}

#[derive(Deserialize)]
struct Context {
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Subject {
    id: String,
    source: Option<String>,
    #[serde(default)]
    content: Content,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Content {
    pipeline_name: Option<String>,
    task_name: Option<String>,
    #[serde(alias = "uri")]
    url: Option<String>,
    #[serde(alias = "status")]
    outcome: Option<String>,
    errors: Option<String>,
    artifact_id: Option<String>,
    pipeline_run: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

/// Facts that CDEvents have no word for, in `customData.campanile`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Custom {
    branch: Option<String>,
    revision: Option<String>,
    repository: Option<String>,
    project: Option<String>,
    comments: Option<String>,
    who: Vec<String>,
}

/// Reads one event. `key` is its idempotency key, if an envelope has one.
pub(super) fn parse(event: &Value, path: &str, key: Option<String>) -> Result<Vec<ParsedBatch>, EventsError> {
    let Cdevent { context, subject, custom } = typed::<Cdevent>(event, path)?;
    let idempotency_key =
        key.unwrap_or_else(|| format!("{}/{}/{}", context.source.len(), context.source, context.id));
    let kind_path = format!("{path}.context.type");
    let mut parts = context.kind.strip_prefix("dev.cdevents.").into_iter().flat_map(|kind| kind.split('.'));
    let (Some(what), Some(predicate)) = (parts.next(), parts.next()) else {
        return Err(bad(kind_path, format!("`{}` is no type of CDEvents'", context.kind)));
    };
    let Content { pipeline_name, task_name, url, outcome, errors, artifact_id, pipeline_run } =
        subject.content;
    let source = non_empty(subject.source).unwrap_or_else(|| context.source.clone());
    let (builder, key) = match what {
        "pipelinerun" => (non_empty(pipeline_name), "pipelineName"),
        "taskrun" => (non_empty(task_name), "taskName"),
        // A `build` has no name of its own.
        "build" => (Some(source.clone()), "source"),
        _ => return Ok(ParsedBatch::ignored(format!("`{what}.{predicate}` tells nothing of builds"))),
    };
    let results = match predicate {
        "started" => None,
        "finished" => Some(match (outcome.as_deref(), what) {
            (Some("success"), _) | (None, "build") => Results::Success,
            (Some("failure"), _) => Results::Failure,
            (Some("cancel" | "cancelled" | "canceled"), _) => Results::Cancelled,
            (Some("skip" | "skipped"), _) => Results::Skipped,
            _ => Results::Exception,
        }),
        "queued" => return Ok(ParsedBatch::ignored(format!("`{what}.queued`: told of when it runs"))),
        other => return Err(bad(kind_path, format!("`{what}.{other}` is no type of CDEvents'"))),
    };
    let Some(builder) = builder else {
        return Err(bad(format!("{path}.subject.content.{key}"), "missing: it names the builder"));
    };
    let builder = builder_name(&format!("{path}.subject.content.{key}"), &[&builder])?;
    let custom = match custom.as_ref().and_then(|custom| custom.get("campanile")) {
        Some(custom) => typed::<Custom>(custom, &format!("{path}.customData.campanile"))?,
        None => Custom::default(),
    };
    let mut build = Build::new(builder, 0);
    build.url = non_empty(url);
    match results {
        None => build.started = context.timestamp,
        Some(_) => build.finished = context.timestamp,
    }
    if let (Some(results), Some(line)) = (results, errors.as_deref().and_then(|text| text.lines().next())) {
        build.text = build_text(results, [&[line.to_owned()][..]]);
    }
    build.source_stamps = custom.stamp(context.timestamp).into_iter().collect();
    let properties = &mut build.properties;
    properties.set(RUN, format!("{source} {}", subject.id), SET_BY);
    set(properties, SET_BY, "source", Some(source));
    set(properties, SET_BY, "outcome", outcome);
    set(properties, SET_BY, "errors", errors);
    set(properties, SET_BY, "artifact", artifact_id);
    set(properties, SET_BY, "pipeline_run", pipeline_run.and_then(|run| run.id));
    Ok(vec![ParsedBatch {
        events: vec![build_event(build, results)],
        idempotency_key: Some(idempotency_key),
        numbers: BuildNumbering::Counted { by: RUN },
        ..ParsedBatch::default()
    }])
}

impl Custom {
    fn stamp(self, when: Option<Timestamp>) -> Option<SourceStamp> {
        let Self { branch, revision, repository, project, comments, who } = self;
        let (branch, revision) = (non_empty(branch), non_empty(revision));
        let (repository, project) = (repository.unwrap_or_default(), project.unwrap_or_default());
        if branch.is_none()
            && revision.is_none()
            && repository.is_empty()
            && project.is_empty()
            && who.is_empty()
        {
            return None;
        }
        let change = |who: &String| Change {
            who: one_line(who),
            comments: comments.clone().unwrap_or_default(),
            branch: branch.clone(),
            revision: revision.clone(),
            repository: repository.clone(),
            project: project.clone(),
            when: when.unwrap_or_default(),
            ..Change::default()
        };
        let changes = who.iter().map(change).collect();
        Some(SourceStamp {
            branch: branch.clone(),
            revision: revision.clone(),
            repository: repository.clone(),
            project: project.clone(),
            changes,
            ..SourceStamp::default()
        })
    }
}
