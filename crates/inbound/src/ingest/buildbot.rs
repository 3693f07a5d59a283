//! JSON of Buildbot's own HttpStatusPush, from 0.9.6 on: a build, a build inside of a formatter's own object, a
//! buildset with its builds, or a request. Fields that it leaves out stay blank; those that nobody uses are passed
//! over.

use serde_json::Value;

use super::ParsedBatch;
use super::native::{EventsError, bad};
use super::read::{json, typed};
use campanile_ci::buildbot::{
    BuildbotBuild, BuildbotBuildset, BuildbotBuildsetReport, BuildbotRequestReport, results,
};
use campanile_model::{BuildRequest, Buildset, Event, Results, Timestamp};

/// The source `buildbot`.
pub(super) struct Buildbot;

impl super::Source for Buildbot {
    fn name(&self) -> &'static str {
        "buildbot"
    }

    fn parse(&self, _: &http::HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError> {
        parse(body).map(|told| vec![told])
    }
}

/// Reads a body; its name is the same for one that tells the same of the same build: reporters repeat themselves, and
/// each other.
fn parse(body: &[u8]) -> Result<ParsedBatch, EventsError> {
    if body.trim_ascii().is_empty() || body.trim_ascii() == b"null" {
        let why = "the body is empty: the reporter's formatter writes text, which HttpStatusPush leaves out; \
                   leave `generators` away, or use a formatter that gives a dict";
        return Err(bad("$", why));
    }
    let value: Value = json(body)?;
    if !value.is_object() {
        return Err(bad("$", "must be an object: a build, a buildset or a request"));
    }
    if let Some(build) = value.get("build").filter(|build| build.is_object()) {
        let build = typed::<BuildbotBuild>(build, "$.build")?;
        return Ok(build_batch(build));
    }
    if value.get("builds").is_some_and(Value::is_array) {
        return typed::<BuildbotBuildsetReport>(&value, "$").map(set_batch);
    }
    if value.get("buildrequest").is_some_and(Value::is_object) && value.get("number").is_none() {
        return typed::<BuildbotRequestReport>(&value, "$").map(request_batch);
    }
    if value.get("number").is_none() {
        return Err(bad(
            "$",
            "neither a build (`number`), nor a buildset (`builds`), nor a request (`buildrequest`)",
        ));
    }
    typed::<BuildbotBuild>(&value, "$").map(build_batch)
}

fn build_batch(build: BuildbotBuild) -> ParsedBatch {
    let set = build.buildset.clone();
    let (id, started, is_over) = (build.id(), build.started_at, build.complete);
    let set_is_over = set.as_ref().is_some_and(BuildbotBuildset::is_over);
    let key = format!(
        "{}/{}/{}/{is_over}/{set_is_over}",
        id.builder,
        id.number,
        started.map_or(0, Timestamp::as_seconds)
    );
    let mut events = build.into_events();
    events.extend(set.filter(BuildbotBuildset::is_over).map(BuildbotBuildset::into_event));
    ParsedBatch { events, idempotency_key: Some(key), ..ParsedBatch::default() }
}

fn set_batch(set: BuildbotBuildsetReport) -> ParsedBatch {
    let key = format!("set/{}/{:?}/{}", set.buildset.bsid, set.buildset.submitted_at, set.buildset.is_over());
    let mut events: Vec<Event> = set.builds.into_iter().flat_map(BuildbotBuild::into_events).collect();
    events.push(set.buildset.into_event());
    ParsedBatch { events, idempotency_key: Some(key), ..ParsedBatch::default() }
}

fn request_batch(report: BuildbotRequestReport) -> ParsedBatch {
    let BuildbotRequestReport { buildrequest: request, buildset, builder, properties } = report;
    let key = format!("request/{}/{:?}/{}", request.buildrequestid, request.submitted_at, request.complete);
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
    ParsedBatch { events, idempotency_key: Some(key), ..ParsedBatch::default() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use campanile_model::Build;

    fn sample(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/buildbot");
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
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/buildbot");
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
                assert!(
                    names.insert(told.idempotency_key),
                    "{name}: each body of a series tells something new"
                );
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
        assert_eq!(build.started, Some(Timestamp::from_seconds(1_795_376_759)));
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
        let told = |name: &str| parse(&sample(name)).unwrap().idempotency_key;
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
}
