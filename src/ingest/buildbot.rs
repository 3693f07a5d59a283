//! What Buildbot's own HttpStatusPush posts, from 0.9.6 on: a build, a build with what a formatter put around it, a
//! buildset with its builds, or a request. What it leaves out stays blank; what we have no use for is passed over.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::native::{BadEvents, bad, wrong};
use crate::model::{
    Build, BuildId, BuildRequest, Buildset, Change, Event, LogChannel, LogRef, LogSummary, Patch, Properties,
    Results, SourceStamp, Step, Timestamp, state_text,
};

/// What a body comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// In the order of happening.
    pub events: Vec<Event>,
    /// The same for a body that tells the same of the same build: reporters repeat themselves, and each other.
    pub name: String,
}

/// The source `buildbot`.
pub(super) struct Buildbot;

impl super::Source for Buildbot {
    fn name(&self) -> &'static str {
        "buildbot"
    }

    fn parse(&self, _: &axum::http::HeaderMap, body: &[u8]) -> Result<Vec<super::Told>, BadEvents> {
        parse(body).map(|told| super::Told::events(told.events, Some(told.name)))
    }
}

/// Reads a body.
///
/// # Errors
/// Says where it is wrong, and with what.
pub fn parse(body: &[u8]) -> Result<Told, BadEvents> {
    if body.trim_ascii().is_empty() || body.trim_ascii() == b"null" {
        let why = "the body is empty: the reporter's formatter writes text, which HttpStatusPush leaves out; \
                   leave `generators` away, or use a formatter that gives a dict";
        return Err(bad("$", why));
    }
    let value: Value = serde_json::from_slice(body).map_err(|error| bad("$", error.to_string()))?;
    if !value.is_object() {
        return Err(bad("$", "must be an object: a build, a buildset or a request"));
    }
    if let Some(build) = value.get("build").filter(|build| build.is_object()) {
        let build = read::<TheirBuild>(build, "$.build")?;
        return Ok(told_build(build));
    }
    if value.get("builds").is_some_and(Value::is_array) {
        return read::<TheirSet>(&value, "$").map(told_set);
    }
    if value.get("buildrequest").is_some_and(Value::is_object) && value.get("number").is_none() {
        return read::<TheirWish>(&value, "$").map(told_wish);
    }
    if value.get("number").is_none() {
        return Err(bad(
            "$",
            "neither a build (`number`), nor a buildset (`builds`), nor a request (`buildrequest`)",
        ));
    }
    read::<TheirBuild>(&value, "$").map(told_build)
}

fn read<T: for<'de> Deserialize<'de>>(value: &Value, path: &str) -> Result<T, BadEvents> {
    T::deserialize(value).map_err(|error| match wrong::<T>(value) {
        Some((inner, reason)) if !inner.is_empty() => bad(format!("{path}.{inner}"), reason),
        _ => bad(path, error.to_string()),
    })
}

fn told_build(build: TheirBuild) -> Told {
    let set = build.buildset.clone();
    let (id, started, is_over) = (build.id(), build.started_at, build.complete);
    let set_is_over = set.as_ref().is_some_and(TheirBuildset::is_over);
    let name = format!(
        "{}/{}/{}/{is_over}/{set_is_over}",
        id.builder,
        id.number,
        started.map_or(0, Timestamp::as_seconds)
    );
    let mut events = build.into_events();
    events.extend(set.filter(TheirBuildset::is_over).map(TheirBuildset::into_event));
    Told { events, name }
}

fn told_set(set: TheirSet) -> Told {
    let name =
        format!("set/{}/{:?}/{}", set.buildset.bsid, set.buildset.submitted_at, set.buildset.is_over());
    let mut events: Vec<Event> = set.builds.into_iter().flat_map(TheirBuild::into_events).collect();
    events.push(set.buildset.into_event());
    Told { events, name }
}

fn told_wish(wish: TheirWish) -> Told {
    let TheirWish { buildrequest: request, buildset, builder, properties } = wish;
    let name = format!("request/{}/{:?}/{}", request.buildrequestid, request.submitted_at, request.complete);
    let mut events = Vec::new();
    if let Some(mut set) = buildset {
        if set.properties.is_none() {
            set.properties = properties;
        }
        // Its end is told when it has one; what it is for must be known before the request is.
        events.push(Event::BuildsetSubmitted { buildset: Buildset { complete: false, ..set.into_set() } });
    }
    let results = results(request.results);
    let is_cancelled = request.complete && results == Some(Results::Cancelled);
    let request = BuildRequest {
        brid: request.buildrequestid,
        bsid: request.buildsetid.unwrap_or_default(),
        builder: request.buildername.or(builder.map(|builder| builder.name)).unwrap_or_default(),
        priority: request.priority.unwrap_or_default(),
        claimed: request.claimed_at.is_some(),
        claimed_at: request.claimed_at,
        complete: request.complete,
        results,
        submitted_at: request.submitted_at.unwrap_or_default(),
        complete_at: request.complete_at,
        waited_for: request.waited_for.unwrap_or_default(),
    };
    events.push(if is_cancelled {
        Event::RequestCancelled { request }
    } else {
        Event::RequestSubmitted { request }
    });
    Told { events, name }
}

#[derive(Deserialize)]
struct TheirBuild {
    number: u64,
    builder: TheirBuilder,
    #[serde(default)]
    buildrequestid: Option<u64>,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    complete_at: Option<Timestamp>,
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    state_string: Option<String>,
    #[serde(default)]
    results: Option<i64>,
    #[serde(default)]
    properties: Option<TheirProperties>,
    #[serde(default)]
    buildset: Option<TheirBuildset>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    steps: Option<Vec<TheirStep>>,
    #[serde(default)]
    changes: Option<Vec<TheirChange>>,
}

#[derive(Deserialize)]
struct TheirSet {
    buildset: TheirBuildset,
    builds: Vec<TheirBuild>,
}

#[derive(Deserialize)]
struct TheirWish {
    buildrequest: TheirRequest,
    #[serde(default)]
    buildset: Option<TheirBuildset>,
    #[serde(default)]
    builder: Option<TheirBuilder>,
    #[serde(default)]
    properties: Option<TheirProperties>,
}

#[derive(Deserialize)]
struct TheirRequest {
    buildrequestid: u64,
    #[serde(default)]
    buildsetid: Option<u64>,
    #[serde(default)]
    buildername: Option<String>,
    #[serde(default)]
    priority: Option<i64>,
    #[serde(default)]
    claimed_at: Option<Timestamp>,
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    complete_at: Option<Timestamp>,
    #[serde(default)]
    results: Option<i64>,
    #[serde(default)]
    submitted_at: Option<Timestamp>,
    #[serde(default)]
    waited_for: Option<bool>,
}

#[derive(Deserialize)]
struct TheirBuilder {
    name: String,
    #[serde(default)]
    tags: Vec<String>,
}

/// Name to value and source.
type TheirProperties = BTreeMap<String, (Value, String)>;

#[derive(Clone, Deserialize)]
struct TheirBuildset {
    bsid: u64,
    #[serde(default)]
    external_idstring: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    submitted_at: Option<Timestamp>,
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    complete_at: Option<Timestamp>,
    #[serde(default)]
    results: Option<i64>,
    #[serde(default)]
    sourcestamps: Vec<TheirStamp>,
    #[serde(default)]
    properties: Option<TheirProperties>,
}

#[derive(Clone, Deserialize)]
struct TheirStamp {
    #[serde(default)]
    ssid: Option<u64>,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    revision: Option<String>,
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    repository: Option<String>,
    #[serde(default)]
    codebase: Option<String>,
    #[serde(default)]
    patch: Option<TheirPatch>,
}

#[derive(Clone, Deserialize)]
struct TheirPatch {
    #[serde(default)]
    level: u32,
    #[serde(default)]
    subdir: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Deserialize)]
struct TheirChange {
    #[serde(default)]
    changeid: u64,
    #[serde(default)]
    author: String,
    #[serde(default)]
    committer: Option<String>,
    #[serde(default)]
    comments: String,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default)]
    revision: Option<String>,
    #[serde(default)]
    revlink: Option<String>,
    #[serde(default)]
    when_timestamp: Option<Timestamp>,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    repository: String,
    #[serde(default)]
    codebase: String,
    #[serde(default)]
    project: String,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    properties: Option<TheirProperties>,
}

#[derive(Deserialize)]
struct TheirStep {
    name: String,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    complete_at: Option<Timestamp>,
    #[serde(default)]
    results: Option<i64>,
    #[serde(default)]
    state_string: String,
    #[serde(default)]
    urls: Vec<TheirLink>,
    #[serde(default)]
    hidden: bool,
    #[serde(default)]
    logs: Option<Vec<TheirLog>>,
}

#[derive(Deserialize)]
struct TheirLink {
    name: String,
    url: String,
}

#[derive(Deserialize)]
struct TheirLog {
    name: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    num_lines: u64,
    /// `s`: each line begins with the letter of its channel.
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    content: Option<TheirContent>,
}

#[derive(Deserialize)]
struct TheirContent {
    #[serde(default)]
    content: String,
}

/// -1 stands for none.
fn results(code: Option<i64>) -> Option<Results> {
    code.and_then(Results::from_code)
}

/// Both null and "" stand for none.
fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn properties(theirs: TheirProperties) -> Properties {
    let mut properties = Properties::new();
    for (name, (value, source)) in theirs {
        properties.set(name, value, source);
    }
    properties
}

impl TheirBuild {
    fn id(&self) -> BuildId {
        BuildId { builder: self.builder.name.clone(), number: self.number }
    }

    /// Its logs as far as they are told, and the build itself.
    fn into_events(self) -> Vec<Event> {
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

    fn into_build(self) -> Build {
        let all = self.properties.map(properties).unwrap_or_default();
        let worker =
            ["workername", "slavename"].iter().find_map(|name| all.value(name)?.as_str().map(str::to_owned));
        let mut build = Build::new(self.builder.name, self.number);
        build.url = said(self.url);
        build.tags = self.builder.tags;
        if self.complete {
            // A build that is over and says nothing of its end did not go well.
            build.results = Some(results(self.results).unwrap_or(Results::Exception));
            build.finished = self.complete_at;
            build.text = state_text(&self.state_string.unwrap_or_default());
        }
        build.started = self.started_at.unwrap_or_default();
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

impl TheirBuildset {
    fn is_over(&self) -> bool {
        self.complete && results(self.results).is_some()
    }

    fn into_event(self) -> Event {
        let is_over = self.is_over();
        let buildset = self.into_set();
        if is_over { Event::BuildsetComplete { buildset } } else { Event::BuildsetSubmitted { buildset } }
    }

    fn into_set(self) -> Buildset {
        Buildset {
            bsid: self.bsid,
            external_idstring: said(self.external_idstring),
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

impl From<TheirStamp> for SourceStamp {
    fn from(stamp: TheirStamp) -> Self {
        Self {
            ssid: stamp.ssid,
            codebase: stamp.codebase.unwrap_or_default(),
            branch: said(stamp.branch),
            revision: said(stamp.revision),
            repository: stamp.repository.unwrap_or_default(),
            project: stamp.project.unwrap_or_default(),
            patch: stamp.patch.map(|patch| Patch {
                level: patch.level,
                subdir: said(patch.subdir),
                author: patch.author.unwrap_or_default(),
                comment: patch.comment.unwrap_or_default(),
                body: patch.body.unwrap_or_default(),
            }),
            changes: Vec::new(),
        }
    }
}

impl From<TheirChange> for Change {
    fn from(change: TheirChange) -> Self {
        Self {
            number: change.changeid,
            who: change.author,
            committer: said(change.committer),
            files: change.files,
            comments: change.comments,
            revision: said(change.revision),
            branch: said(change.branch),
            when: change.when_timestamp.unwrap_or_default(),
            category: said(change.category),
            revlink: change.revlink.unwrap_or_default(),
            repository: change.repository,
            project: change.project,
            codebase: change.codebase,
            properties: change.properties.map(properties).unwrap_or_default(),
            src: None,
        }
    }
}

impl From<TheirStep> for Step {
    fn from(step: TheirStep) -> Self {
        let results = results(step.results);
        let text = state_text(&step.state_string);
        // What a step adds to its build's text, as far as one text tells it.
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
                .map(|log| LogSummary { name: log.name, url: said(log.url), lines: log.num_lines, bytes: 0 })
                .collect(),
            name: step.name,
        }
    }
}

impl TheirLog {
    /// Its text, channel by channel.
    fn chunks(&self, place: &LogRef) -> Vec<Event> {
        let Some(content) = self.content.as_ref().map(|content| content.content.as_str()) else {
            return Vec::new();
        };
        let chunk =
            |channel, text: &str| Event::LogChunk { log: place.clone(), channel, text: text.to_owned() };
        if self.kind != "s" {
            return if content.is_empty() { Vec::new() } else { vec![chunk(LogChannel::Stdout, content)] };
        }
        let mut chunks: Vec<(LogChannel, String)> = Vec::new();
        for line in content.split_inclusive('\n') {
            let (channel, text) = match line.split_at_checked(1) {
                Some(("o", text)) => (LogChannel::Stdout, text),
                Some(("e", text)) => (LogChannel::Stderr, text),
                Some(("h", text)) => (LogChannel::Header, text),
                _ => (LogChannel::Stdout, line),
            };
            match chunks.last_mut() {
                Some((last, gathered)) if *last == channel => gathered.push_str(text),
                _ => chunks.push((channel, text.to_owned())),
            }
        }
        chunks.into_iter().map(|(channel, text)| chunk(channel, &text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sample(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/buildbot");
        std::fs::read(folder.join(format!("{name}.json"))).unwrap()
    }

    fn events(name: &str) -> Vec<Event> {
        parse(&sample(name)).unwrap_or_else(|error| panic!("{name}: {error}")).events
    }

    fn build(name: &str) -> Build {
        match events(name).into_iter().rfind(|event| event.build_id().is_some()) {
            Some(Event::BuildStarted { build } | Event::BuildFinished { build }) => *build,
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn every_recorded_body_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/buildbot");
        let mut names = std::collections::BTreeSet::new();
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let told =
                parse(&std::fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!told.events.is_empty() || name.contains("no-build"), "{name}");
            let result = name.rsplit('-').next().unwrap();
            let last = told.events.iter().rfind(|event| event.build_id().is_some());
            match (result, last) {
                ("started", Some(last)) => assert_eq!(last.name(), "buildStarted", "{name}"),
                ("requested", None) => {
                    assert_eq!(told.events.last().unwrap().name(), "requestSubmitted", "{name}");
                }
                ("cancelled", None) if name.starts_with("buildrequest") => {
                    assert_eq!(told.events.last().unwrap().name(), "requestCancelled", "{name}");
                }
                (_, Some(last)) => {
                    let wanted = Results::from_name(result).unwrap_or_else(|| panic!("{name}"));
                    assert_eq!(last.results(), Some(wanted), "{name}");
                }
                (_, None) => assert!(name.starts_with("buildset-combined"), "{name}"),
            }
            if name.starts_with("all-") {
                assert!(names.insert(told.name), "{name}: each body of a series tells something new");
            }
            count += 1;
        }
        assert!(count > 130, "only {count} samples");
    }

    #[test]
    fn a_build_comes_over_whole() {
        let build = build("logs-content-02-failure-failure");
        assert_eq!((&*build.builder, build.number, build.results), ("failure", 1, Some(Results::Failure)));
        assert_eq!((&*build.worker, build.buildset, &*build.requests), ("local1", Some(2), &[2][..]));
        assert_eq!(build.text, ["failed compile failed (2 errors)"]);
        assert!(build.reason.starts_with("A build was forced by"), "{}", build.reason);
        assert_eq!(build.url.as_deref(), Some("https://ci.example.org/#/builders/11/builds/1"));
        assert_eq!(build.tags, ["linux"]);
        assert_eq!(build.started, Timestamp::from_seconds(1_795_376_759));
        assert_eq!(build.finished, Some(Timestamp::from_seconds(1_795_376_760)));
        assert_eq!(build.properties.value("got_revision").and_then(Value::as_str).map(str::len), Some(40));
        let stamp = &build.source_stamps[0];
        assert_eq!((stamp.branch.as_deref(), stamp.revision.as_deref()), (Some("main"), None));
        assert_eq!((&*stamp.project, stamp.ssid), ("example/app", Some(1)));
        let steps: Vec<_> = build.steps.iter().map(|step| (&*step.name, step.results)).collect();
        assert_eq!(steps[2], ("compile", Some(Results::Failure)));
        assert_eq!(build.steps[2].text2, ["compile failed (2 errors)"]);
        assert!(build.steps[2].logs[0].url.as_ref().unwrap().ends_with("/steps/2/logs/stdio"));
        let logs: Vec<_> = events("logs-content-02-failure-failure")
            .into_iter()
            .filter_map(|event| match event {
                Event::LogChunk { log, text, .. } => Some((log.step, text)),
                _ => None,
            })
            .collect();
        assert_eq!(logs.len(), 2);
        assert!(logs[1].0 == "compile" && logs[1].1.ends_with("module number 2 of the example\n"));
    }

    #[test]
    fn changes_patches_codebases_and_sets() {
        let pushed = build("changes-14-success-push-success");
        let change = &pushed.source_stamps[0].changes[0];
        assert_eq!(change.who, "Ada Example <ada@example.org>");
        assert_eq!(change.files, ["src/new_3277.rs", "src/parser.rs", "Cargo.toml"]);
        assert_eq!(change.when, Timestamp::from_seconds(1_715_934_618));
        assert_eq!(pushed.responsible_users(), ["Ada Example <ada@example.org>"]);
        let tried = build("all-39-failure-try-failure");
        let patch = tried.source_stamps[0].patch.as_ref().unwrap();
        assert_eq!((&*patch.comment, &*patch.body), ("try this", ""));
        let codebases: Vec<_> = build("all-17-two-codebases-success")
            .source_stamps
            .into_iter()
            .map(|stamp| stamp.codebase)
            .collect();
        assert_eq!(codebases, ["lib", "app"]);
        let set = events("buildset-02-failure-failure");
        let Some(Event::BuildsetComplete { buildset }) = set.last() else { panic!("{set:?}") };
        assert_eq!((buildset.bsid, buildset.results), (2, Some(Results::Failure)));
        let names = |name: &str| events(name).iter().map(Event::name).collect::<Vec<_>>();
        assert_eq!(
            names("buildset-combined-08-two-codebases-set-success"),
            ["buildFinished", "buildsetComplete"]
        );
        assert_eq!(names("buildset-combined-15-no-build-set-success"), ["buildsetComplete"]);
        assert_eq!(names("buildrequest-21-success-cancelled"), ["buildsetSubmitted", "requestCancelled"]);
        assert_eq!(names("start-end-10-retry-once-retry"), ["buildFinished"]);
        // The same told twice has one name; what is new has another.
        let told = |name: &str| parse(&sample(name)).unwrap().name;
        assert_eq!(told("all-02-success-success"), told("all-02-success-success"));
        assert_ne!(told("all-01-success-started"), told("all-02-success-success"));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (body, wanted) in [
            ("", "$: the body is empty: the reporter's formatter writes text"),
            ("null", "$: the body is empty"),
            ("[]", "$: must be an object"),
            ("{", "$: EOF"),
            ("{}", "$: neither a build (`number`), nor a buildset (`builds`), nor a request"),
            ("{\"number\": 1}", "$: missing field `builder`"),
            ("{\"number\": 1, \"builder\": {\"name\": 3}}", "$.builder.name: invalid type: integer `3`"),
            (
                "{\"build\": {\"number\": \"x\", \"builder\": {\"name\": \"b\"}}}",
                "$.build.number: invalid type",
            ),
            ("{\"builds\": [{}], \"buildset\": {\"bsid\": 1}}", "$.builds[0]: missing field `number`"),
        ] {
            let error = parse(body.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{body}: {error}");
        }
    }

    #[test]
    fn channels_of_a_log_are_told_apart() {
        let log = TheirLog {
            name: "stdio".to_owned(),
            url: None,
            num_lines: 4,
            kind: "s".to_owned(),
            content: Some(TheirContent { content: "hmake\noone\notwo\neoops\n".to_owned() }),
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
