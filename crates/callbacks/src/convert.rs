//! The model's facts as the records of the contract.

use super::Status;
use super::bindings::host::campanile::notifier::types as wit;
use campanile_model::{
    Build, BuildId, Change, LogRef, LogSummary, Properties, Results, SourceStamp, Step, Timestamp, web_link,
};

/// A build as a guest sees it. What the feed left out (its page, pages of logs) is computed; addresses that may not be
/// linked count as left out (M-URL-07). Names and texts are as they came.
pub(super) fn build(build: &Build, status: &dyn Status) -> wit::Build {
    let id = build.id();
    wit::Build {
        url: status.url_of(build),
        tags: build.tags.clone(),
        results: build.results.map(results),
        text: build.text.clone(),
        reason: build.reason.clone(),
        worker: build.worker.clone(),
        started: started(build).as_seconds_f64(),
        finished: build.finished.map(Timestamp::as_seconds_f64),
        responsible_users: build.responsible_users(),
        interested_users: build.interested_users(),
        properties: properties(&build.all_properties()),
        source_stamps: build.source_stamps.iter().map(source_stamp).collect(),
        steps: build.steps.iter().map(|one| step(one, &id, status)).collect(),
        buildset: build.buildset,
        id: build_id(id),
    }
}

/// The time of a build's start. The contract has no word for one that nobody told: such a build began with its first step
/// or, so that a guest reckons no time rather than decades, when it ended.
fn started(build: &Build) -> Timestamp {
    build.started.or_else(|| build.first_step_started()).or(build.finished).unwrap_or_default()
}

pub(super) fn build_id(id: BuildId) -> wit::BuildId {
    wit::BuildId { builder: id.builder, number: id.number }
}

pub(super) fn build_id_from(id: wit::BuildId) -> BuildId {
    BuildId { builder: id.builder, number: id.number }
}

pub(super) fn results(results: Results) -> wit::Results {
    match results {
        Results::Success => wit::Results::Success,
        Results::Warnings => wit::Results::Warnings,
        Results::Failure => wit::Results::Failure,
        Results::Skipped => wit::Results::Skipped,
        Results::Exception => wit::Results::Exception,
        Results::Retry => wit::Results::Retry,
        Results::Cancelled => wit::Results::Cancelled,
    }
}

fn properties(properties: &Properties) -> Vec<wit::Property> {
    properties
        .iter()
        .map(|(name, property)| wit::Property {
            name: name.to_owned(),
            value: property.value.to_string(),
            source: property.source.clone(),
        })
        .collect()
}

fn source_stamp(stamp: &SourceStamp) -> wit::SourceStamp {
    wit::SourceStamp {
        codebase: stamp.codebase.clone(),
        repository: stamp.repository.clone(),
        project: stamp.project.clone(),
        branch: stamp.branch.clone(),
        revision: stamp.revision.clone(),
        patch: stamp.patch.as_ref().map(|patch| wit::Patch {
            level: patch.level,
            subdir: patch.subdir.clone().unwrap_or_default(),
            author: patch.author.clone(),
            comment: patch.comment.clone(),
            body: patch.body.clone(),
        }),
        changes: stamp.changes.iter().map(change).collect(),
    }
}

fn change(change: &Change) -> wit::Change {
    wit::Change {
        who: change.who.clone(),
        committer: change.committer.clone(),
        revision: change.revision.clone(),
        branch: change.branch.clone(),
        when: change.when.as_seconds_f64(),
        files: change.files.clone(),
        comments: change.comments.clone(),
        revlink: web_link(&change.revlink).map(str::to_owned),
        repository: change.repository.clone(),
        project: change.project.clone(),
        codebase: change.codebase.clone(),
        category: change.category.clone(),
        properties: properties(&change.properties),
    }
}

fn step(step: &Step, build: &BuildId, status: &dyn Status) -> wit::Step {
    let log = |log: &LogSummary| wit::LogSummary {
        name: log.name.clone(),
        url: {
            let place = LogRef { build: build.clone(), step: step.name.clone(), log: log.name.clone() };
            status.url_of_log(log, &place)
        },
        lines: log.lines,
        bytes: log.bytes,
    };
    wit::Step {
        name: step.name.clone(),
        text: step.text.clone(),
        results: step.results.map(results),
        started: step.started.map(Timestamp::as_seconds_f64),
        finished: step.finished.map(Timestamp::as_seconds_f64),
        logs: step.logs.iter().map(log).collect(),
    }
}

/// A change that a guest made; nothing in it is trusted yet.
pub(super) fn change_from(change: wit::Change) -> Result<Change, String> {
    let mut properties = Properties::new();
    for wit::Property { name, value, source } in change.properties {
        let value: serde_json::Value = serde_json::from_str(&value)
            .map_err(|error| format!("the value of property `{name}` is not JSON: {error}"))?;
        properties.set(name, value, source);
    }
    let when = Timestamp::from_seconds_f64(change.when)
        .ok_or_else(|| format!("the time of a change is out of range: {}", change.when))?;
    Ok(Change {
        who: change.who,
        committer: change.committer,
        files: change.files,
        comments: change.comments,
        revision: change.revision,
        branch: change.branch,
        when,
        category: change.category,
        revlink: change.revlink.unwrap_or_default(),
        repository: change.repository,
        project: change.project,
        codebase: change.codebase,
        properties,
        ..Change::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m_b_08_a_guest_never_sees_a_build_of_decades() {
        let at = Timestamp::from_seconds;
        let mut build = Build { finished: Some(at(90)), ..Build::new("linux", 1) };
        assert_eq!(started(&build), at(90), "the end, so that it took no time");
        build.steps = vec![Step { started: Some(at(30)), ..Step::default() }, Step::default()];
        assert_eq!(started(&build), at(30), "the first step");
        build.started = Some(at(10));
        assert_eq!(started(&build), at(10));
    }
}
