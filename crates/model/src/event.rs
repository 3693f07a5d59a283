//! Typed facts: what happened, in the names of M-EV-01.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Build, BuildId, BuildRequest, Builder, BuilderState, Buildset, Change, Results, Step, Worker};

/// Something that happened. The tag `event` names it in JSON; the older `slave...` names are read too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "snake_case")]
pub enum Event {
    /// The engine, or the CI, begins its work.
    Start {},
    /// It is about to end.
    Shutdown {},
    /// A builder exists, or its description or tags changed.
    BuilderAdded {
        /// The builder as it is now.
        builder: Builder,
    },
    /// A builder is gone.
    BuilderRemoved {
        /// Its name.
        builder: String,
    },
    /// A builder went offline, idle or to work.
    BuilderChangedState {
        /// Its name.
        builder: String,
        /// Its state now.
        state: BuilderState,
    },
    /// Somebody asked for builds.
    BuildsetSubmitted {
        /// The buildset as it was submitted.
        buildset: Buildset,
    },
    /// All requests of a buildset are complete.
    BuildsetComplete {
        /// The buildset with its outcome.
        buildset: Buildset,
    },
    /// One build was asked for.
    RequestSubmitted {
        /// The request.
        request: BuildRequest,
    },
    /// A request was taken back before it was built.
    RequestCancelled {
        /// The request.
        request: BuildRequest,
    },
    /// A build began.
    BuildStarted {
        /// The build as far as it is known.
        build: Box<Build>,
    },
    /// A running build's expected end moved.
    #[serde(rename = "buildETAUpdate")]
    BuildEtaUpdate {
        /// The build.
        build: BuildId,
        /// Seconds from now; absent when not known.
        eta: Option<f64>,
    },
    /// A step began.
    StepStarted {
        /// Of which build.
        build: BuildId,
        /// The step as far as it is known.
        step: Step,
    },
    /// A step's words changed.
    StepTextChanged {
        /// Of which build.
        build: BuildId,
        /// The step's name.
        step: String,
        /// Its words.
        text: Vec<String>,
    },
    /// The words changed that a step adds to its build's.
    #[serde(rename = "stepText2Changed")]
    StepText2Changed {
        /// Of which build.
        build: BuildId,
        /// The step's name.
        step: String,
        /// Its words.
        text2: Vec<String>,
    },
    /// A step's expected end moved.
    #[serde(rename = "stepETAUpdate")]
    StepEtaUpdate {
        /// Of which build.
        build: BuildId,
        /// The step's name.
        step: String,
        /// Seconds from now; absent when not known.
        eta: Option<f64>,
        /// `[metric, current, target]` triples.
        #[serde(default)]
        expectations: Vec<(String, f64, f64)>,
    },
    /// A log exists from now on.
    LogStarted {
        /// The log.
        #[serde(flatten)]
        log: LogRef,
    },
    /// A piece of a log.
    LogChunk {
        /// The log.
        #[serde(flatten)]
        log: LogRef,
        /// Channel that the text came out of.
        #[serde(default)]
        channel: LogChannel,
        /// The text itself.
        text: String,
    },
    /// A log is whole.
    LogFinished {
        /// The log.
        #[serde(flatten)]
        log: LogRef,
    },
    /// A step ended.
    StepFinished {
        /// Of which build.
        build: BuildId,
        /// The step as it ended.
        step: Step,
    },
    /// A build ended. Delivered once per build (M-EV-04).
    BuildFinished {
        /// The build as it ended; what it leaves out is taken from what came before.
        build: Box<Build>,
    },
    /// A change came in.
    ChangeAdded {
        /// The change, with its number.
        change: Box<Change>,
    },
    /// A worker connected.
    #[serde(alias = "slaveConnected")]
    WorkerConnected {
        /// The worker.
        worker: Worker,
    },
    /// A worker disconnected.
    #[serde(alias = "slaveDisconnected")]
    WorkerDisconnected {
        /// The worker.
        worker: Worker,
    },
    /// A worker takes no more builds.
    #[serde(alias = "slavePaused")]
    WorkerPaused {
        /// The worker.
        worker: Worker,
    },
    /// A worker takes builds again.
    #[serde(alias = "slaveUnpaused")]
    WorkerUnpaused {
        /// The worker.
        worker: Worker,
    },
    /// A worker has been away for too long.
    #[serde(alias = "slaveMissing")]
    WorkerMissing {
        /// The worker.
        worker: Worker,
    },
}

/// A step of a build by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StepRef {
    /// Of which build.
    pub build: BuildId,
    /// The step's name.
    pub step: String,
}

/// A log of a step by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogRef {
    /// Of which build.
    pub build: BuildId,
    /// The step's name.
    pub step: String,
    /// The log's name.
    pub log: String,
}

/// Channel that a piece of a log came out of (M-LOG-01).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogChannel {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Remarks of the machinery about the command; never part of the log's text.
    Header,
}

impl Event {
    /// Every event's name, as in JSON.
    pub const NAMES: [&'static str; 26] = [
        "start",
        "shutdown",
        "builderAdded",
        "builderRemoved",
        "builderChangedState",
        "buildsetSubmitted",
        "buildsetComplete",
        "requestSubmitted",
        "requestCancelled",
        "buildStarted",
        "buildETAUpdate",
        "stepStarted",
        "stepTextChanged",
        "stepText2Changed",
        "stepETAUpdate",
        "logStarted",
        "logChunk",
        "logFinished",
        "stepFinished",
        "buildFinished",
        "changeAdded",
        "workerConnected",
        "workerDisconnected",
        "workerPaused",
        "workerUnpaused",
        "workerMissing",
    ];

    /// The name of M-EV-01, as in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Start {} => "start",
            Self::Shutdown {} => "shutdown",
            Self::BuilderAdded { .. } => "builderAdded",
            Self::BuilderRemoved { .. } => "builderRemoved",
            Self::BuilderChangedState { .. } => "builderChangedState",
            Self::BuildsetSubmitted { .. } => "buildsetSubmitted",
            Self::BuildsetComplete { .. } => "buildsetComplete",
            Self::RequestSubmitted { .. } => "requestSubmitted",
            Self::RequestCancelled { .. } => "requestCancelled",
            Self::BuildStarted { .. } => "buildStarted",
            Self::BuildEtaUpdate { .. } => "buildETAUpdate",
            Self::StepStarted { .. } => "stepStarted",
            Self::StepTextChanged { .. } => "stepTextChanged",
            Self::StepText2Changed { .. } => "stepText2Changed",
            Self::StepEtaUpdate { .. } => "stepETAUpdate",
            Self::LogStarted { .. } => "logStarted",
            Self::LogChunk { .. } => "logChunk",
            Self::LogFinished { .. } => "logFinished",
            Self::StepFinished { .. } => "stepFinished",
            Self::BuildFinished { .. } => "buildFinished",
            Self::ChangeAdded { .. } => "changeAdded",
            Self::WorkerConnected { .. } => "workerConnected",
            Self::WorkerDisconnected { .. } => "workerDisconnected",
            Self::WorkerPaused { .. } => "workerPaused",
            Self::WorkerUnpaused { .. } => "workerUnpaused",
            Self::WorkerMissing { .. } => "workerMissing",
        }
    }

    /// The build that this is about, if it is about one.
    #[must_use]
    pub fn build_id(&self) -> Option<BuildId> {
        match self {
            Self::BuildStarted { build } | Self::BuildFinished { build } => Some(build.id()),
            Self::BuildEtaUpdate { build, .. }
            | Self::StepStarted { build, .. }
            | Self::StepTextChanged { build, .. }
            | Self::StepText2Changed { build, .. }
            | Self::StepEtaUpdate { build, .. }
            | Self::StepFinished { build, .. } => Some(build.clone()),
            Self::LogStarted { log } | Self::LogChunk { log, .. } | Self::LogFinished { log } => {
                Some(log.build.clone())
            }
            _ => None,
        }
    }

    /// Subject of this event, for people: `linux #4`, a change's revision, `buildset 3`, a worker's name.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::BuilderAdded { builder } => builder.name.clone(),
            Self::BuilderRemoved { builder } | Self::BuilderChangedState { builder, .. } => builder.clone(),
            Self::BuildsetSubmitted { buildset } | Self::BuildsetComplete { buildset } => {
                format!("buildset {}", buildset.bsid)
            }
            Self::RequestSubmitted { request } | Self::RequestCancelled { request } => {
                format!("request {}", request.brid)
            }
            Self::ChangeAdded { change } => match change.revision.as_deref() {
                Some(revision) if !revision.is_empty() => revision.to_owned(),
                _ => format!("change {}", change.number),
            },
            Self::WorkerConnected { worker }
            | Self::WorkerDisconnected { worker }
            | Self::WorkerPaused { worker }
            | Self::WorkerUnpaused { worker }
            | Self::WorkerMissing { worker } => worker.name.clone(),
            _ => self.build_id().map(|id| id.to_string()).unwrap_or_default(),
        }
    }

    /// The outcome that this reports, if it reports one.
    #[must_use]
    pub fn results(&self) -> Option<Results> {
        match self {
            Self::BuildFinished { build } => build.results,
            Self::BuildsetComplete { buildset } => buildset.results,
            Self::StepFinished { step, .. } => step.results,
            _ => None,
        }
    }

    /// The event as a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("events hold only JSON-able data with text keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// One of each, as JSON without what has a default.
    fn samples() -> Vec<Value> {
        let build = json!({"builder": "b", "number": 1});
        let bodies = [
            ("start", json!({})),
            ("shutdown", json!({})),
            ("builderAdded", json!({"builder": {"name": "b"}})),
            ("builderRemoved", json!({"builder": "b"})),
            ("builderChangedState", json!({"builder": "b", "state": "idle"})),
            ("buildsetSubmitted", json!({"buildset": {"bsid": 1}})),
            ("buildsetComplete", json!({"buildset": {"bsid": 1, "results": "failure"}})),
            ("requestSubmitted", json!({"request": {"brid": 1}})),
            ("requestCancelled", json!({"request": {"brid": 1}})),
            ("buildStarted", json!({"build": build})),
            ("buildETAUpdate", json!({"build": build, "eta": 2.5})),
            ("stepStarted", json!({"build": build, "step": {"name": "s"}})),
            ("stepTextChanged", json!({"build": build, "step": "s", "text": ["a"]})),
            ("stepText2Changed", json!({"build": build, "step": "s", "text2": ["a"]})),
            ("stepETAUpdate", json!({"build": build, "step": "s", "eta": null})),
            ("logStarted", json!({"build": build, "step": "s", "log": "stdio"})),
            ("logChunk", json!({"build": build, "step": "s", "log": "stdio", "text": "x"})),
            ("logFinished", json!({"build": build, "step": "s", "log": "stdio"})),
            ("stepFinished", json!({"build": build, "step": {"name": "s", "results": 0}})),
            ("buildFinished", json!({"build": {"builder": "b", "number": 1, "results": 2}})),
            ("changeAdded", json!({"change": {"number": 1}})),
            ("workerConnected", json!({"worker": {"name": "w"}})),
            ("workerDisconnected", json!({"worker": {"name": "w"}})),
            ("workerPaused", json!({"worker": {"name": "w"}})),
            ("workerUnpaused", json!({"worker": {"name": "w"}})),
            ("workerMissing", json!({"worker": {"name": "w"}})),
        ];
        let named = |(name, mut body): (&str, Value)| {
            if let Some(map) = body.as_object_mut() {
                map.insert("event".to_owned(), name.into());
            }
            body
        };
        bodies.into_iter().map(named).collect()
    }

    #[test]
    fn m_ev_01_every_event_reads_and_writes_under_its_name() {
        let samples = samples();
        assert_eq!(samples.len(), Event::NAMES.len());
        for (sample, name) in samples.into_iter().zip(Event::NAMES) {
            let event: Event =
                serde_json::from_value(sample).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(event.name(), name);
            let json = event.to_json();
            assert_eq!(json.get("event").and_then(Value::as_str), Some(name));
            assert_eq!(serde_json::from_value::<Event>(json).ok().as_ref(), Some(&event));
            let of_build =
                name.starts_with("build") && !name.starts_with("builder") && !name.starts_with("buildset");
            let about_build = of_build || name.starts_with("step") || name.starts_with("log");
            assert_eq!(event.build_id().is_some(), about_build, "{name}");
        }
    }

    /// Every field is read, and written as it was.
    #[test]
    fn m_ss_01_m_ch_01_every_field_of_the_model_is_kept() {
        let change = json!({"number": 3, "who": "ada", "committer": "zoe", "files": ["b", "a"], "comments": "ring",
            "revision": "1f", "branch": "main", "when": 5, "category": "pull", "revlink": "https://x", "repository": "r",
            "project": "p", "properties": [["x", 1, "Change"]], "codebase": "c", "src": "git"});
        let patch = json!({"level": 1, "body": "+a", "subdir": "d", "author": "eve", "comment": "try"});
        let stamp = json!({"ssid": 9, "codebase": "c", "branch": "main", "revision": "1f", "repository": "r",
            "project": "p", "patch": patch, "changes": [change]});
        for (number, event) in [
            (
                "M-BLD-01",
                json!({"event": "builderAdded", "builder": {"name": "b", "description": "d", "tags": ["t"], "state": "idle",
                "workers": ["w"]}}),
            ),
            (
                "M-SET-01",
                json!({"event": "buildsetSubmitted", "buildset": {"bsid": 1, "external_idstring": "x", "reason": "r",
                "submitted_at": 4, "complete": true, "complete_at": 5, "results": "warnings", "source_stamps": [stamp],
                "properties": [["x", 1, "S"]]}}),
            ),
            (
                "M-SET-02",
                json!({"event": "requestSubmitted", "request": {"brid": 1, "bsid": 2, "builder": "b", "priority": 3,
                "claimed": true, "claimed_at": 4, "complete": true, "results": "success", "submitted_at": 5,
                "complete_at": 6, "waited_for": true}}),
            ),
            (
                "M-WK-01",
                json!({"event": "workerMissing", "worker": {"name": "w", "admin": "a", "host": "h", "access_uri": "u",
                "version": "1", "connected": true, "paused": true, "last_message": 7, "notify": ["n@x.org"]}}),
            ),
            // One build may belong to several requests.
            (
                "M-SET-03",
                json!({"event": "buildStarted", "build": {"builder": "b", "number": 1, "url": "https://x", "tags": ["t"],
                "results": null, "text": ["x"], "reason": "r", "worker": "w", "started": 1, "finished": null,
                "properties": [], "source_stamps": [stamp], "steps": [], "buildset": 5, "requests": [7, 8]}}),
            ),
        ] {
            let read: Event = serde_json::from_value(event.clone())
                .unwrap_or_else(|error| panic!("{number}: {error}: {event}"));
            assert_eq!(read.to_json(), event, "{number}");
        }
    }

    #[test]
    fn m_ev_01_the_older_names_of_worker_events_are_read() {
        for (old, new) in [("slaveConnected", "workerConnected"), ("slaveUnpaused", "workerUnpaused")] {
            let event: Option<Event> =
                serde_json::from_value(json!({"event": old, "worker": {"name": "w"}})).ok();
            assert_eq!(event.map(|event| event.name()), Some(new));
        }
    }
}
