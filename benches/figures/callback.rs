//! The html mail as a sandboxed component, against the same code native in this process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use campanile_callbacks::{CallRecord, Callback, Caller, Mode, Modes, Runtime, Status, StatusError};
use campanile_config::CallbackSettings;
use campanile_guest::bindings::{status::LogError, types};
use campanile_model::{
    Build, BuildId, Builder, Buildset, Change, LogRef, LogSummary, Results, SourceStamp, Step, Timestamp,
};

const CALLS: usize = 5_000;

pub(crate) async fn measure() {
    let Some(component) =
        std::env::var_os("CAMPANILE_GUESTS").map(|folder| PathBuf::from(folder).join("html-mail.wasm"))
    else {
        println!("SKIPPED: callback call: CAMPANILE_GUESTS is not set (run by `cargo xtask bench`)");
        return;
    };
    let cache = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(campanile_testing::program().into(), cache.path()).unwrap();
    let settings =
        CallbackSettings { component: None, deadline: Duration::from_secs(1), memory: None, concurrency: 16 };
    let callback = Callback::load(&runtime, "html", &settings, &component).await.unwrap();

    let facts: Arc<dyn Status> = Arc::new(Facts::with_log());
    let build = sample();
    let modes = Modes::default().with(Mode::Failing);
    let caller = Caller { status: Arc::clone(&facts), delivery: None };
    let mut sandboxed = Vec::with_capacity(CALLS);
    let mut body = String::new();
    for _ in 0..CALLS {
        let began = Instant::now();
        let (message, _) =
            callback.format_message(&caller, modes, "linux", &build, Results::Failure).await.unwrap();
        sandboxed.push(began.elapsed());
        body = message.body;
    }

    let native_facts = NativeFacts(Arc::clone(&facts));
    let mut native = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        let request = campanile_guest::MessageRequest {
            mode: campanile_guest::Mode::FAILING,
            name: "linux".to_owned(),
            build: guest_build(&build),
            results: types::Results::Failure,
        };
        let message = html_mail::render(&request, &native_facts).unwrap();
        native.push(began.elapsed());
        assert_eq!(message.body, body, "both write the same");
    }
    for (name, part) in [("p50", 50), ("p99", 99)] {
        let (ours, theirs) = (percentile(&mut sandboxed, part), percentile(&mut native, part));
        let name = format!("sandboxed html formatter call, {name} (less is better)");
        super::rig::row(&name, ours, "native", theirs, " us");
    }
}

#[allow(clippy::cast_precision_loss)] // microseconds of a call
pub(crate) fn percentile(times: &mut [Duration], part: usize) -> f64 {
    times.sort();
    times[times.len() * part / 100].as_nanos() as f64 / 1e3
}

/// Two source stamps, six changes of five files, ten properties, six steps with a log each.
pub(crate) fn sample() -> Build {
    let change = |number: u64| Change {
        number,
        who: format!("Author {number} <author{number}@example.org>"),
        files: (0..5).map(|file| format!("src/part{number}/file{file}.c")).collect(),
        comments: "Swing it & let it ring <loudly>".to_owned(),
        revision: Some(format!("{number:040x}")),
        branch: Some("main".to_owned()),
        when: Timestamp::from_seconds(1_700_000_000),
        repository: "https://git.example.org/bells".to_owned(),
        ..Change::default()
    };
    let stamp = |codebase: &str, changes: std::ops::Range<u64>| SourceStamp {
        codebase: codebase.to_owned(),
        branch: Some("main".to_owned()),
        revision: Some("1f0c2d".to_owned()),
        changes: changes.map(change).collect(),
        ..SourceStamp::default()
    };
    let step = |number: u64| Step {
        name: format!("step{number}"),
        results: Some(Results::Success),
        logs: vec![LogSummary { name: "stdio".to_owned(), lines: 5_000, bytes: 130_000, url: None }],
        ..Step::default()
    };
    let mut build = Build::new("linux", 7);
    build.results = Some(Results::Failure);
    build.finished = Some(Timestamp::from_seconds(1_700_000_100));
    build.source_stamps = vec![stamp("bells", 0..3), stamp("tower", 3..6)];
    build.steps = (0..6).map(step).collect();
    for number in 0..10 {
        build.properties.set(format!("property{number}"), "value", "Build");
    }
    build
}

/// A tenant with one log.
pub(crate) struct Facts {
    log: String,
}

impl Facts {
    /// Of 5,000 lines.
    pub(crate) fn with_log() -> Self {
        Self { log: (0..5_000).map(|n| format!("line {n} <of> the & log\n")).collect() }
    }
}

#[async_trait]
impl Status for Facts {
    fn title(&self) -> &'static str {
        "Bench CI"
    }

    fn url(&self) -> Option<&str> {
        Some("https://ci.example.org/")
    }

    fn url_for(&self, id: &BuildId) -> Option<String> {
        Some(format!("https://ci.example.org/builders/{}/builds/{}", id.builder, id.number))
    }

    fn log_url_for(&self, log: &LogRef) -> Option<String> {
        Some(format!("{}/steps/{}/logs/{}", self.url_for(&log.build)?, log.step, log.log))
    }

    async fn build(&self, _id: &BuildId) -> Result<Option<Build>, StatusError> {
        Ok(None)
    }

    async fn earlier_builds(&self, _before: &BuildId, _limit: u32) -> Result<Vec<Build>, StatusError> {
        Ok(Vec::new())
    }

    async fn builders(&self) -> Result<Vec<Builder>, StatusError> {
        Ok(Vec::new())
    }

    async fn running_builds(&self, _builder: &str) -> Result<Vec<Build>, StatusError> {
        Ok(Vec::new())
    }

    async fn builds_of_buildset(&self, _bsid: u64) -> Result<Vec<Build>, StatusError> {
        Ok(Vec::new())
    }

    async fn buildset(&self, _: u64) -> Result<Option<Buildset>, StatusError> {
        Ok(None)
    }

    async fn log_tail(&self, _log: &LogRef, lines: u32, _max: usize) -> Result<Option<String>, StatusError> {
        Ok(Some(self.tail(lines)))
    }

    async fn log_read(
        &self,
        _log: &LogRef,
        _offset: u64,
        _limit: usize,
    ) -> Result<Option<Vec<u8>>, StatusError> {
        Ok(None)
    }

    fn record(&self, _: CallRecord) {}
}

impl Facts {
    fn tail(&self, lines: u32) -> String {
        let lines = usize::try_from(lines).unwrap();
        let start = self.log.rmatch_indices('\n').nth(lines).map_or(0, |(at, _)| at + 1);
        self.log[start..].to_owned()
    }
}

/// The same tenant, for the formatter's native twin.
struct NativeFacts(Arc<dyn Status>);

impl campanile_guest::Status for NativeFacts {
    fn title(&self) -> String {
        self.0.title().to_owned()
    }

    fn url(&self) -> Option<String> {
        self.0.url().map(str::to_owned)
    }

    fn url_for(&self, build: &types::BuildId) -> Option<String> {
        self.0.url_for(&BuildId { builder: build.builder.clone(), number: build.number })
    }

    fn get_build(&self, _id: &types::BuildId) -> Option<types::Build> {
        None
    }

    fn previous_build(&self, _id: &types::BuildId) -> Option<types::Build> {
        None
    }

    fn recent_builds(&self, _before: &types::BuildId, _limit: u32) -> Vec<types::Build> {
        Vec::new()
    }

    fn log_tail(
        &self,
        build: &types::BuildId,
        step: &str,
        log: &str,
        lines: u32,
    ) -> Result<String, LogError> {
        use futures_util::FutureExt as _;
        let build = BuildId { builder: build.builder.clone(), number: build.number };
        let log = LogRef { build, step: step.to_owned(), log: log.to_owned() };
        let tail = self.0.log_tail(&log, lines, usize::MAX).now_or_never().and_then(Result::ok).flatten();
        tail.ok_or(LogError::NotFound)
    }

    fn log_read(&self, _: &types::BuildId, _: &str, _: &str, _: u64, _: u32) -> Result<Vec<u8>, LogError> {
        Err(LogError::NotFound)
    }
}

/// The build as the bindings hand it to a guest.
fn guest_build(build: &Build) -> types::Build {
    let id = build.id();
    let url = format!("https://ci.example.org/builders/{}/builds/{}", id.builder, id.number);
    types::Build {
        id: types::BuildId { builder: id.builder, number: id.number },
        tags: build.tags.clone(),
        results: Some(types::Results::Failure),
        text: build.text.clone(),
        reason: build.reason.clone(),
        worker: build.worker.clone(),
        started: build.started.map_or(0.0, Timestamp::as_seconds_f64),
        finished: build.finished.map(Timestamp::as_seconds_f64),
        responsible_users: build.responsible_users(),
        interested_users: build.interested_users(),
        properties: build
            .properties
            .iter()
            .map(|(name, property)| types::Property {
                name: name.to_owned(),
                value: property.value.to_string(),
                source: property.source.clone(),
            })
            .collect(),
        source_stamps: build.source_stamps.iter().map(guest_stamp).collect(),
        steps: build.steps.iter().map(|step| guest_step(step, &url)).collect(),
        buildset: build.buildset,
        url: Some(url),
    }
}

fn guest_stamp(stamp: &SourceStamp) -> types::SourceStamp {
    let change = |change: &Change| types::Change {
        who: change.who.clone(),
        committer: change.committer.clone(),
        revision: change.revision.clone(),
        branch: change.branch.clone(),
        when: change.when.as_seconds_f64(),
        files: change.files.clone(),
        comments: change.comments.clone(),
        revlink: None,
        repository: change.repository.clone(),
        project: change.project.clone(),
        codebase: change.codebase.clone(),
        category: change.category.clone(),
        properties: Vec::new(),
    };
    types::SourceStamp {
        codebase: stamp.codebase.clone(),
        repository: stamp.repository.clone(),
        project: stamp.project.clone(),
        branch: stamp.branch.clone(),
        revision: stamp.revision.clone(),
        patch: None,
        changes: stamp.changes.iter().map(change).collect(),
    }
}

fn guest_step(step: &Step, build_url: &str) -> types::Step {
    let log = |log: &LogSummary| types::LogSummary {
        name: log.name.clone(),
        url: Some(format!("{build_url}/steps/{}/logs/{}", step.name, log.name)),
        lines: log.lines,
        bytes: log.bytes,
    };
    types::Step {
        name: step.name.clone(),
        text: step.text.clone(),
        results: Some(types::Results::Success),
        started: None,
        finished: None,
        logs: step.logs.iter().map(log).collect(),
    }
}
