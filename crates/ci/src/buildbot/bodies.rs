//! Buildbot's own JSON, as its reporters post it and its REST API answers, and its meaning in the model's terms. Fields
//! that it leaves out stay blank; those that nobody uses are passed over.
#![allow(missing_docs)] // the fields are the sender's own, by its names

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use campanile_model::{
    Build, BuildId, Buildset, Change, Event, LogChannel, LogRef, LogSummary, Patch, Properties, Results,
    SourceStamp, Step, Timestamp, non_empty, state_text,
};

#[derive(Deserialize)]
pub struct BuildbotBuild {
    pub number: u64,
    pub builder: BuildbotBuilder,
    pub buildrequestid: Option<u64>,
    pub started_at: Option<Timestamp>,
    pub complete_at: Option<Timestamp>,
    #[serde(default)]
    pub complete: bool,
    pub state_string: Option<String>,
    pub results: Option<i64>,
    pub properties: Option<BuildbotProperties>,
    pub buildset: Option<BuildbotBuildset>,
    pub url: Option<String>,
    pub steps: Option<Vec<BuildbotStep>>,
    pub changes: Option<Vec<BuildbotChange>>,
}

#[derive(Deserialize)]
pub struct BuildbotBuildsetReport {
    pub buildset: BuildbotBuildset,
    pub builds: Vec<BuildbotBuild>,
}

#[derive(Deserialize)]
pub struct BuildbotRequestReport {
    pub buildrequest: BuildbotRequest,
    pub buildset: Option<BuildbotBuildset>,
    pub builder: Option<BuildbotBuilder>,
    pub properties: Option<BuildbotProperties>,
}

#[derive(Deserialize)]
pub struct BuildbotRequest {
    pub buildrequestid: u64,
    pub buildsetid: Option<u64>,
    pub buildername: Option<String>,
    pub priority: Option<i64>,
    pub claimed_at: Option<Timestamp>,
    #[serde(default)]
    pub complete: bool,
    pub complete_at: Option<Timestamp>,
    pub results: Option<i64>,
    pub submitted_at: Option<Timestamp>,
    pub waited_for: Option<bool>,
}

#[derive(Deserialize)]
pub struct BuildbotBuilder {
    pub name: String,
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Name to value and source.
pub(super) type BuildbotProperties = BTreeMap<String, (Value, String)>;

#[derive(Clone, Deserialize)]
pub struct BuildbotBuildset {
    pub bsid: u64,
    pub external_idstring: Option<String>,
    pub reason: Option<String>,
    pub submitted_at: Option<Timestamp>,
    #[serde(default)]
    pub complete: bool,
    pub complete_at: Option<Timestamp>,
    pub results: Option<i64>,
    #[serde(default)]
    pub sourcestamps: Vec<BuildbotSourceStamp>,
    pub properties: Option<BuildbotProperties>,
}

#[derive(Clone, Deserialize)]
pub struct BuildbotSourceStamp {
    pub ssid: Option<u64>,
    pub branch: Option<String>,
    pub revision: Option<String>,
    pub project: Option<String>,
    pub repository: Option<String>,
    pub codebase: Option<String>,
    pub patch: Option<BuildbotPatch>,
}

#[derive(Clone, Deserialize)]
pub struct BuildbotPatch {
    #[serde(default)]
    pub level: u32,
    pub subdir: Option<String>,
    pub author: Option<String>,
    pub comment: Option<String>,
    pub body: Option<String>,
}

#[derive(Deserialize)]
pub struct BuildbotChange {
    #[serde(default)]
    pub changeid: u64,
    #[serde(default)]
    pub author: String,
    pub committer: Option<String>,
    #[serde(default)]
    pub comments: String,
    pub branch: Option<String>,
    pub revision: Option<String>,
    pub revlink: Option<String>,
    pub when_timestamp: Option<Timestamp>,
    pub category: Option<String>,
    #[serde(default)]
    pub repository: String,
    #[serde(default)]
    pub codebase: String,
    #[serde(default)]
    pub project: String,
    #[serde(default)]
    pub files: Vec<String>,
    pub properties: Option<BuildbotProperties>,
}

#[derive(Deserialize)]
pub struct BuildbotStep {
    pub name: String,
    pub started_at: Option<Timestamp>,
    pub complete_at: Option<Timestamp>,
    pub results: Option<i64>,
    #[serde(default)]
    pub state_string: String,
    #[serde(default)]
    pub urls: Vec<BuildbotLink>,
    #[serde(default)]
    pub hidden: bool,
    pub logs: Option<Vec<BuildbotLog>>,
}

#[derive(Deserialize)]
pub struct BuildbotLink {
    pub name: String,
    pub url: String,
}

#[derive(Deserialize)]
pub struct BuildbotLog {
    pub name: String,
    pub url: Option<String>,
    #[serde(default)]
    pub num_lines: u64,
    /// `s`: each line begins with the letter of its channel.
    #[serde(default, rename = "type")]
    pub kind: String,
    pub content: Option<BuildbotContent>,
}

#[derive(Deserialize)]
pub struct BuildbotContent {
    #[serde(default)]
    pub content: String,
}

/// -1 stands for none.
pub fn results(code: Option<i64>) -> Option<Results> {
    code.and_then(Results::from_code)
}

pub(super) fn properties(theirs: BuildbotProperties) -> Properties {
    let mut properties = Properties::new();
    for (name, (value, source)) in theirs {
        properties.set(name, value, source);
    }
    properties
}

impl BuildbotBuild {
    pub fn id(&self) -> BuildId {
        BuildId { builder: self.builder.name.clone(), number: self.number }
    }

    /// Its logs as far as they are told, and the build itself.
    pub fn into_events(self) -> Vec<Event> {
        let id = self.id();
        let mut events = Vec::new();
        let complete = self.complete;
        for step in self.steps.iter().flatten() {
            for log in step.logs.iter().flatten() {
                let place = LogRef { build: id.clone(), step: step.name.clone(), log: log.name.clone() };
                events.extend(log.chunks(&place));
            }
        }
        let build = Box::new(self.into_build());
        events.push(if complete { Event::BuildFinished { build } } else { Event::BuildStarted { build } });
        events
    }

    pub fn into_build(self) -> Build {
        let all = self.properties.map(properties).unwrap_or_default();
        let worker =
            ["workername", "slavename"].iter().find_map(|name| all.value(name)?.as_str().map(str::to_owned));
        let mut build = Build::new(self.builder.name, self.number);
        build.url = non_empty(self.url);
        build.tags = self.builder.tags;
        if self.complete {
            // A build that is over and says nothing of its end did not go well.
            build.results = Some(results(self.results).unwrap_or(Results::Exception));
            build.finished = self.complete_at;
            build.text = state_text(&self.state_string.unwrap_or_default());
        }
        build.started = self.started_at;
        if let Some(worker) = worker {
            build.worker = worker;
        }
        build.requests = self.buildrequestid.into_iter().collect();
        if let Some(set) = self.buildset {
            build.buildset = Some(set.bsid);
            build.reason = set.reason.unwrap_or_default();
            build.source_stamps = set.sourcestamps.into_iter().map(SourceStamp::from).collect();
        }
        for change in self.changes.into_iter().flatten().map(Change::from) {
            let stamp = build.source_stamps.iter_mut().find(|stamp| stamp.codebase == change.codebase);
            if let Some(stamp) = stamp {
                stamp.changes.push(change);
            }
        }
        build.steps = self.steps.into_iter().flatten().map(Step::from).collect();
        build.properties = all;
        build
    }
}

impl BuildbotBuildset {
    pub fn is_over(&self) -> bool {
        self.complete && results(self.results).is_some()
    }

    pub fn into_event(self) -> Event {
        let is_over = self.is_over();
        let buildset = self.into_set();
        if is_over { Event::BuildsetComplete { buildset } } else { Event::BuildsetSubmitted { buildset } }
    }

    pub fn into_set(self) -> Buildset {
        Buildset {
            bsid: self.bsid,
            external_idstring: non_empty(self.external_idstring),
            reason: self.reason.unwrap_or_default(),
            submitted_at: self.submitted_at.unwrap_or_default(),
            complete: self.complete,
            complete_at: self.complete_at,
            results: results(self.results),
            source_stamps: self.sourcestamps.into_iter().map(SourceStamp::from).collect(),
            properties: self.properties.map(properties).unwrap_or_default(),
        }
    }
}

impl From<BuildbotSourceStamp> for SourceStamp {
    fn from(stamp: BuildbotSourceStamp) -> Self {
        Self {
            ssid: stamp.ssid,
            codebase: stamp.codebase.unwrap_or_default(),
            branch: non_empty(stamp.branch),
            revision: non_empty(stamp.revision),
            repository: stamp.repository.unwrap_or_default(),
            project: stamp.project.unwrap_or_default(),
            patch: stamp.patch.map(|patch| Patch {
                level: patch.level,
                subdir: non_empty(patch.subdir),
                author: patch.author.unwrap_or_default(),
                comment: patch.comment.unwrap_or_default(),
                body: patch.body.unwrap_or_default(),
            }),
            changes: Vec::new(),
        }
    }
}

impl From<BuildbotChange> for Change {
    fn from(change: BuildbotChange) -> Self {
        Self {
            number: change.changeid,
            who: change.author,
            committer: non_empty(change.committer),
            files: change.files,
            comments: change.comments,
            revision: non_empty(change.revision),
            branch: non_empty(change.branch),
            when: change.when_timestamp.unwrap_or_default(),
            category: non_empty(change.category),
            revlink: change.revlink.unwrap_or_default(),
            repository: change.repository,
            project: change.project,
            codebase: change.codebase,
            properties: change.properties.map(properties).unwrap_or_default(),
            before: None,
            src: None,
        }
    }
}

impl From<BuildbotStep> for Step {
    fn from(step: BuildbotStep) -> Self {
        let results = results(step.results);
        let text = state_text(&step.state_string);
        // Buildbot tells one text only; the words that a step adds to its build's are taken from that.
        let adds = matches!(results, Some(Results::Failure | Results::Exception | Results::Warnings));
        Self {
            text2: if adds { text.clone() } else { Vec::new() },
            text,
            results,
            started: step.started_at,
            finished: step.complete_at,
            urls: step.urls.into_iter().map(|link| (link.name, link.url)).collect(),
            hidden: step.hidden,
            logs: step
                .logs
                .into_iter()
                .flatten()
                .map(|log| LogSummary {
                    name: log.name,
                    url: non_empty(log.url),
                    lines: log.num_lines,
                    bytes: 0,
                })
                .collect(),
            name: step.name,
        }
    }
}

impl BuildbotLog {
    /// Its text, channel by channel.
    pub fn chunks(&self, place: &LogRef) -> Vec<Event> {
        let Some(content) = &self.content else { return Vec::new() };
        let mut chunks: Vec<(LogChannel, String)> = Vec::new();
        for (channel, text) in lines(&self.kind, &content.content) {
            match chunks.last_mut() {
                Some((last, gathered)) if *last == channel => gathered.push_str(text),
                _ => chunks.push((channel, text.to_owned())),
            }
        }
        let chunk = |(channel, text)| Event::LogChunk { log: place.clone(), channel, text };
        chunks.into_iter().map(chunk).collect()
    }
}

/// The lines of a log's content, each with its channel: in a log of the kind `s` a line begins with its letter.
pub(super) fn lines<'t>(kind: &str, content: &'t str) -> impl Iterator<Item = (LogChannel, &'t str)> {
    let lettered = kind == "s";
    content.split_inclusive('\n').map(move |line| match line.split_at_checked(1) {
        Some(("o", text)) if lettered => (LogChannel::Stdout, text),
        Some(("e", text)) if lettered => (LogChannel::Stderr, text),
        Some(("h", text)) if lettered => (LogChannel::Header, text),
        _ => (LogChannel::Stdout, line),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_a_log_are_told_apart() {
        let log = BuildbotLog {
            name: "stdio".to_owned(),
            url: None,
            num_lines: 4,
            kind: "s".to_owned(),
            content: Some(BuildbotContent { content: "hmake\noone\notwo\neoops\n".to_owned() }),
        };
        let place = LogRef {
            build: BuildId { builder: "b".to_owned(), number: 1 },
            step: "s".to_owned(),
            log: "stdio".to_owned(),
        };
        let chunks: Vec<_> = log
            .chunks(&place)
            .into_iter()
            .map(|event| match event {
                Event::LogChunk { channel, text, .. } => (channel, text),
                other => panic!("{other:?}"),
            })
            .collect();
        let chunk = |channel, text: &str| (channel, text.to_owned());
        assert_eq!(
            chunks,
            [
                chunk(LogChannel::Header, "make\n"),
                chunk(LogChannel::Stdout, "one\ntwo\n"),
                chunk(LogChannel::Stderr, "oops\n"),
            ]
        );
    }
}
