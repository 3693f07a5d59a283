//! The JSON objects of the 2014 wire (M-DICT-01 to M-DICT-06, M-SS-06, M-CH-04). They keep its words, `slave` too.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::text::local_text;
use super::{
    Build, BuildRequest, Builder, Buildset, Change, Links, Master, Named, NamedStep, Properties, SourceStamp,
    Step, Worker,
};

/// Makes the wire's objects; knows where pages are and in which zone people read times.
#[derive(Clone, Debug)]
pub struct Dicts {
    /// Makes the addresses of logs.
    pub links: Links,
    /// Zone of times that are text.
    pub zone: TimeZone,
}

/// Facts of a builder that only its keeper has (M-DICT-02).
#[derive(Clone, Debug, Default)]
pub struct BuilderActivity {
    /// Last component of its folder.
    pub basedir: String,
    /// Names of the schedulers that use it.
    pub schedulers: Vec<String>,
    /// Numbers of the builds that are kept.
    pub cached_builds: Vec<u64>,
    /// Numbers of the builds that run.
    pub current_builds: Vec<u64>,
    /// Number of requests that wait.
    pub pending_builds: usize,
}

impl Dicts {
    /// No addresses, times in UTC.
    #[must_use]
    pub fn plain() -> Self {
        Self { links: Links::default(), zone: TimeZone::UTC }
    }

    /// A change (M-CH-04).
    #[must_use]
    pub fn change(&self, change: &Change) -> Value {
        let mut files: Vec<&String> = change.files.iter().collect();
        files.sort_unstable();
        let files: Vec<Value> = files.into_iter().map(|name| json!({"name": name})).collect();
        json!({
            "number": change.number,
            "branch": change.branch,
            "category": change.category,
            "who": change.who,
            "comments": change.comments,
            "revision": change.revision,
            "rev": change.revision,
            "when": change.when,
            "at": change.at(&self.zone),
            "files": files,
            "revlink": change.revlink,
            "properties": triples(&change.properties),
            "repository": change.repository,
            "codebase": change.codebase,
            "project": change.project,
        })
    }

    /// A source stamp; the patch's parts only when it has one (M-SS-06).
    #[must_use]
    pub fn source_stamp(&self, stamp: &SourceStamp) -> Value {
        let mut dict = Map::new();
        for name in ["revision", "hasPatch", "branch", "changes", "project", "repository", "codebase"]
            .into_iter()
            .chain(["patch_level", "patch_body", "patch_subdir", "patch_author", "patch_comment"])
        {
            if let Some(value) = self.source_stamp_attribute(stamp, name) {
                dict.insert(name.to_owned(), value);
            }
        }
        dict.into()
    }

    /// One part of a source stamp by its name on the wire; none when the stamp has no such part (M-SS-06, N-SEL-02).
    #[must_use]
    pub fn source_stamp_attribute(&self, stamp: &SourceStamp, name: &str) -> Option<Value> {
        let patch = stamp.patch.as_ref();
        // A patch from before authors were recorded has neither.
        let info = patch.filter(|patch| !(patch.author.is_empty() && patch.comment.is_empty()));
        Some(match name {
            "revision" => stamp.revision.as_deref().into(),
            "branch" => stamp.branch.as_deref().into(),
            "repository" => stamp.repository.as_str().into(),
            "project" => stamp.project.as_str().into(),
            "codebase" => stamp.codebase.as_str().into(),
            "hasPatch" => patch.is_some().into(),
            "changes" => stamp.changes.iter().map(|change| self.change(change)).collect(),
            "patch_level" => patch?.level.into(),
            "patch_body" => patch?.body.as_str().into(),
            "patch_subdir" => patch?.subdir.as_deref()?.into(),
            "patch_author" => info?.author.as_str().into(),
            "patch_comment" => info?.comment.as_str().into(),
            _ => return None,
        })
    }

    /// The CI server (M-DICT-01).
    #[must_use]
    pub fn master(&self, master: &Master) -> Value {
        json!({"title": master.title, "titleURL": master.title_url, "buildbotURL": master.buildbot_url})
    }

    /// A builder (M-DICT-02).
    #[must_use]
    pub fn builder(&self, builder: &Builder, activity: &BuilderActivity) -> Value {
        let mut cached = activity.cached_builds.clone();
        cached.sort_unstable();
        json!({
            "basedir": activity.basedir,
            "tags": builder.tags,
            "category": builder.category(),
            "slaves": builder.workers,
            "schedulers": activity.schedulers,
            "cachedBuilds": cached,
            "currentBuilds": activity.current_builds,
            "state": builder.state,
            "pendingBuilds": activity.pending_builds,
        })
    }

    /// A build; `eta` is in seconds from now (M-DICT-03).
    #[must_use]
    pub fn build(&self, build: &Build, eta: Option<f64>) -> Value {
        let steps: Vec<Value> =
            build.steps.iter().enumerate().map(|(number, step)| self.step(build, number, step)).collect();
        let numbered = build.steps.iter().enumerate();
        let logs: Vec<Value> = numbered.flat_map(|(number, step)| self.logs(build, number, step)).collect();
        let current = build.steps.iter().position(|step| step.started.is_some() && step.finished.is_none());
        json!({
            "builderName": build.builder,
            "number": build.number,
            "sourceStamps": build.source_stamps.iter().map(|s| self.source_stamp(s)).collect::<Vec<_>>(),
            "reason": build.reason,
            "blame": build.responsible_users(),
            "properties": triples(&build.all_properties()),
            "times": [json!(build.started), json!(build.finished)],
            "text": build.text,
            "results": build.results.map(super::Results::code),
            "slave": build.worker,
            "logs": logs,
            "eta": eta.filter(|_| !build.is_finished()),
            "currentStep": current.and_then(|index| steps.get(index).cloned()),
            "steps": steps,
        })
    }

    /// The step of a build that has this number, from 0 (M-DICT-04).
    #[must_use]
    pub fn step(&self, build: &Build, number: usize, step: &Step) -> Value {
        let (results, text2) = step.outcome();
        json!({
            "name": step.name,
            "text": step.text,
            "results": [json!(results.map(super::Results::code)), json!(text2)],
            "isStarted": step.started.is_some(),
            "isFinished": step.finished.is_some(),
            "statistics": {},
            "times": [json!(step.started), json!(step.finished)],
            "expectations": [],
            "eta": null,
            "urls": step.urls,
            "step_number": number,
            "hidden": step.hidden,
            "logs": self.logs(build, number, step),
        })
    }

    fn logs(&self, build: &Build, number: usize, step: &Step) -> Vec<Value> {
        let builder = Named::by_name(&build.builder);
        let place = NamedStep { name: &step.name, number: Some(number) };
        let url = |name: &str| self.links.log(builder, build.number, place, name);
        step.logs.iter().map(|log| json!([log.name, log.url.clone().or_else(|| url(&log.name))])).collect()
    }

    /// A request with the source it is for and the builds made for it (M-DICT-05).
    #[must_use]
    pub fn request(&self, request: &BuildRequest, source: Option<&SourceStamp>, builds: &[Build]) -> Value {
        json!({
            "source": source.map(|stamp| self.source_stamp(stamp)),
            "builderName": request.builder,
            "submittedAt": request.submitted_at,
            "builds": builds.iter().map(|build| self.build(build, None)).collect::<Vec<_>>(),
        })
    }

    /// A buildset, its time of submission as text (M-DICT-05).
    #[must_use]
    pub fn buildset(&self, set: &Buildset) -> Value {
        json!({
            "bsid": set.bsid,
            "external_idstring": set.external_idstring,
            "reason": set.reason,
            "submitted_at": local_text(set.submitted_at, &self.zone),
            "complete": set.complete,
            "complete_at": set.complete_at,
            "results": set.results.map(super::Results::code),
            "sourcestamps": set.source_stamps.iter().map(|s| self.source_stamp(s)).collect::<Vec<_>>(),
            "properties": triples(&set.properties),
        })
    }

    /// A worker and the builds that it runs (M-DICT-06).
    #[must_use]
    pub fn worker(&self, worker: &Worker, running: &[Build]) -> Value {
        json!({
            "name": worker.name,
            "access_uri": worker.access_uri,
            "host": worker.host,
            "admin": worker.admin,
            "version": worker.version,
            "connected": worker.connected,
            "runningBuilds": running.iter().map(|build| self.build(build, None)).collect::<Vec<_>>(),
            "info": worker_info(worker),
        })
    }
}

/// Facts of a worker that templates can ask for, by name (N-SEL-05).
#[must_use]
pub fn worker_info(worker: &Worker) -> Map<String, Value> {
    [
        ("admin", &worker.admin),
        ("host", &worker.host),
        ("version", &worker.version),
        ("access_uri", &worker.access_uri),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.as_deref().into()))
    .collect()
}

/// The list form, `[name, value, source]` sorted by name (M-PR-02).
pub(super) fn triples(properties: &Properties) -> Value {
    properties.iter().map(|(name, property)| json!([name, property.value, property.source])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogSummary, Patch, Results, Timestamp, UrlStyle};

    fn dicts() -> Dicts {
        Dicts { links: Links::new(Some("http://ci"), UrlStyle::Default), zone: TimeZone::UTC }
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    fn change() -> Change {
        let mut change = Change {
            number: 3,
            who: "ada".to_owned(),
            files: vec!["b".to_owned(), "a".to_owned()],
            revision: Some("abc".to_owned()),
            when: Timestamp::from_seconds(1_397_948_626),
            ..Change::default()
        };
        change.properties.set("p", 1, "Change");
        change
    }

    fn build() -> Build {
        let log = LogSummary { name: "stdio".to_owned(), ..LogSummary::default() };
        let step = |name: &str| Step {
            name: name.to_owned(),
            started: Some(Timestamp::from_seconds(1)),
            logs: vec![log.clone()],
            ..Step::default()
        };
        let mut build = Build::new("b", 1);
        build.started = Some(Timestamp::from_seconds(1));
        build.source_stamps = vec![SourceStamp { changes: vec![change()], ..SourceStamp::default() }];
        build.steps = vec![
            Step {
                finished: Some(Timestamp::from_seconds(2)),
                results: Some(Results::Failure),
                text2: vec!["make".to_owned()],
                ..step("make")
            },
            step("test"),
        ];
        build
    }

    #[test]
    fn m_dict_03_a_start_that_nobody_told_is_null() {
        let ended = Some(Timestamp::from_seconds(9));
        let build = Build { started: None, finished: ended, ..build() };
        assert_eq!(dicts().build(&build, None)["times"], json!([null, 9]));
    }

    #[test]
    fn m_ch_04_change() {
        assert_eq!(
            dicts().change(&change()),
            json!({
                "number": 3, "branch": null, "category": null, "who": "ada", "comments": "", "revision": "abc",
                "rev": "abc", "when": 1_397_948_626, "at": "Sat 19 Apr 2014 23:03:46",
                "files": [{"name": "a"}, {"name": "b"}], "revlink": "", "properties": [["p", 1, "Change"]],
                "repository": "", "codebase": "", "project": "",
            })
        );
    }

    #[test]
    fn m_ss_06_source_stamp() {
        let mut stamp = SourceStamp::default();
        let plain = dicts().source_stamp(&stamp);
        assert_eq!(
            keys(&plain),
            ["branch", "changes", "codebase", "hasPatch", "project", "repository", "revision"]
        );
        assert_eq!(plain.get("hasPatch"), Some(&json!(false)));
        stamp.patch = Some(Patch { level: 1, author: "bob".to_owned(), ..Patch::default() });
        let patched = dicts().source_stamp(&stamp);
        assert_eq!(patched.get("patch_level"), Some(&json!(1)));
        assert_eq!(patched.get("patch_author"), Some(&json!("bob")));
        assert_eq!(patched.get("patch_comment"), Some(&json!("")));
        assert_eq!(patched.get("patch_subdir"), None);
    }

    #[test]
    fn m_dict_01_master() {
        assert_eq!(
            dicts().master(&Master::default()),
            json!({"title": "Buildbot", "titleURL": "http://buildbot.net", "buildbotURL": "http://localhost:8080/"})
        );
    }

    #[test]
    fn m_dict_02_builder() {
        let builder = Builder { tags: vec!["fast".to_owned()], ..Builder::default() };
        let activity = BuilderActivity { cached_builds: vec![2, 1], ..BuilderActivity::default() };
        assert_eq!(
            dicts().builder(&builder, &activity),
            json!({
                "basedir": "", "tags": ["fast"], "category": "fast", "slaves": [], "schedulers": [],
                "cachedBuilds": [1, 2], "currentBuilds": [], "state": "offline", "pendingBuilds": 0,
            })
        );
    }

    #[test]
    fn m_dict_03_build() {
        let dict = dicts().build(&build(), Some(5.0));
        assert_eq!(dict.get("times"), Some(&json!([1, null])));
        assert_eq!(dict.get("blame"), Some(&json!(["ada"])));
        assert_eq!(dict.get("results"), Some(&Value::Null));
        assert_eq!(dict.pointer("/currentStep/name"), Some(&json!("test")));
        assert_eq!(dict.get("slave"), Some(&json!("???")));
        let log = |step| json!(["stdio", format!("http://ci/builders/b/builds/1/steps/{step}/logs/stdio")]);
        assert_eq!(dict.get("logs"), Some(&json!([log("make"), log("test")])));
        assert_eq!(dict.get("eta"), Some(&json!(5.0)));
        assert_eq!(keys(&dict).len(), 14);
    }

    #[test]
    fn m_dict_04_step() {
        let dict = Dicts::plain().build(&build(), None);
        assert_eq!(dict.pointer("/steps/0/results"), Some(&json!([2, ["make"]])));
        assert_eq!(dict.pointer("/steps/1/results"), Some(&json!([null, []])));
        assert_eq!(dict.pointer("/steps/1/step_number"), Some(&json!(1)));
        assert_eq!(dict.pointer("/steps/1/isFinished"), Some(&json!(false)));
        assert_eq!(dict.pointer("/steps/0/logs"), Some(&json!([["stdio", null]])));
        assert_eq!(dict.pointer("/steps/0").map(keys).map(|keys| keys.len()), Some(13));
    }

    #[test]
    fn m_dict_05_request_and_buildset() {
        let request = dicts().request(&BuildRequest::default(), None, &[build()]);
        assert_eq!(keys(&request), ["builderName", "builds", "source", "submittedAt"]);
        assert_eq!(request.pointer("/builds/0/number"), Some(&json!(1)));
        let set = Buildset {
            submitted_at: Timestamp::from_seconds(1_397_948_626),
            results: Some(Results::Failure),
            ..Buildset::default()
        };
        let dict = dicts().buildset(&set);
        assert_eq!(dict.get("submitted_at"), Some(&json!("Sat 19 Apr 2014 23:03:46")));
        assert_eq!(dict.get("results"), Some(&json!(2)));
    }

    #[test]
    fn m_dict_06_worker() {
        let worker = Worker { name: "w".to_owned(), host: Some("h".to_owned()), ..Worker::default() };
        let dict = dicts().worker(&worker, &[build()]);
        assert_eq!(dict.pointer("/info/host"), Some(&json!("h")));
        assert_eq!(dict.pointer("/runningBuilds/0/builderName"), Some(&json!("b")));
        assert_eq!(keys(&dict).len(), 8);
    }
}
