//! All sources: recorded requests, hostile ones, and what the settings file may say.

use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use campanile_config::{Document, Problems, Reader};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/ingest")
}

fn load(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn headers(of: &Value) -> HeaderMap {
    let header = |(name, value): (&String, &Value)| {
        (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse::<HeaderValue>().unwrap())
    };
    of.as_object().unwrap().iter().map(header).collect()
}

/// A request as it was published.
struct Recorded {
    source: &'static dyn Source,
    name: String,
    headers: HeaderMap,
    body: Value,
    expected: Value,
}

/// The batches or the error of a body under these headers.
fn parsed(name: &str, sent: &[(&str, &str)], body: &str) -> Result<Vec<ParsedBatch>, String> {
    let sent = sent.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    source(name)
        .unwrap()
        .parse(&headers(&Value::Object(sent)), body.as_bytes())
        .map_err(|error| error.to_string())
}

#[test]
fn a_cloudevent_without_data_or_of_another_type_is_a_note_and_costs_its_batch_nothing() {
    let good = json!({"specversion": "1.0", "id": "g", "source": "/x", "type": "campanile.buildStarted",
        "data": {"event": "buildStarted", "build": {"builder": "linux", "number": 1}}});
    let event = |kind: &str| json!({"specversion": "1.0", "id": "m1", "source": "/x", "type": kind});
    let with = |kind: &str, key: &str, value: Value| {
        let mut event = event(kind);
        event[key] = value;
        event
    };
    let structured = [("content-type", "application/cloudevents+json")];
    let batch = [("content-type", "application/cloudevents-batch+json")];
    for odd in [
        event("other"),
        event("campanile.buildStarted"),
        event("dev.cdevents.pipelinerun.finished.0.2.0"),
        with("other", "data", json!("text")),
        with("other", "data_base64", json!("AAAA")),
        with("other", "data", json!([1])),
        with("other", "data", Value::Null),
    ] {
        let alone = parsed("cloudevents", &structured, &odd.to_string()).unwrap();
        assert!(alone.len() == 1 && alone[0].note.is_some() && alone[0].events.is_empty(), "{odd}");
        let both = parsed("cloudevents", &batch, &json!([odd, good]).to_string()).unwrap();
        assert_eq!(both.iter().map(|batch| batch.events.len()).collect::<Vec<_>>(), [0, 1], "{odd}");
    }
    for (kind, body) in [("other", ""), ("other", "text"), ("campanile.buildStarted", "")] {
        let attributes = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/x"), ("ce-type", kind)];
        let told = parsed("cloudevents", &attributes, body).unwrap();
        assert!(told[0].note.is_some(), "{kind} {body:?}");
    }
    let broken = with("campanile.buildStarted", "data", json!({"event": "buildDone"}));
    let told = parsed("cloudevents", &batch, &json!([good, broken]).to_string()).unwrap_err();
    assert!(told.starts_with("$[1].data.event: unknown event"), "{told}");
}

#[test]
fn a_system_hook_of_gitlab_is_a_note() {
    let told = parsed("gitlab", &[], r#"{"event_name": "project_create", "name": "x"}"#).unwrap();
    assert_eq!(told[0].note.as_deref(), Some("`project_create` tells nothing of builds"));
    assert!(parsed("gitlab", &[], "{}").unwrap_err().contains("missing: is this GitLab's webhook?"));
}

#[test]
fn every_source_takes_a_byte_order_mark_half_a_pair_and_gos_zero_time() {
    for Recorded { source, name, headers, body, expected } in recorded() {
        let what = format!("{} {name}", source.name());
        let right = source.parse(&headers, body.to_string().as_bytes());
        let marked = source.parse(&headers, format!("\u{feff}{body}").as_bytes());
        assert_eq!(marked.is_ok(), right.is_ok(), "{what}");
        assert_eq!(marked.ok(), right.ok(), "{what} {expected}");
        if body.is_object() {
            let half = body.to_string().replacen('{', r#"{"half": "\ud83d","#, 1);
            assert!(
                source.parse(&headers, half.as_bytes()).is_ok() || expected.get("error").is_some(),
                "{what}"
            );
        }
    }
    let run = json!({"object_kind": "build", "ref": "main", "sha": "1f0c2d9", "build_id": 3, "build_name": "test",
        "build_stage": "test", "build_status": "success", "build_started_at": "0001-01-01T00:00:00Z",
        "build_finished_at": "0001-01-01T00:00:00Z", "pipeline_id": 5, "project_name": "a / b",
        "project": {"path_with_namespace": "a/b"}});
    let told = parsed("gitlab", &[], &run.to_string()).unwrap();
    let Some(Event::BuildFinished { build }) = told[0].events.first() else { panic!("{told:?}") };
    assert_eq!((build.started, build.finished), (None, None));
}

fn recorded() -> Vec<Recorded> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let source = source(folder.file_name().unwrap().to_str().unwrap()).unwrap();
        for file in std::fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.ends_with(".expected.json") {
                continue;
            }
            let request = load(&path);
            all.push(Recorded {
                source,
                name,
                headers: headers(&request["headers"]),
                body: request["body"].clone(),
                expected: load(&path.with_extension("expected.json")),
            });
        }
    }
    assert!(all.len() > 45, "only {} requests", all.len());
    all
}

fn shown(told: &[ParsedBatch]) -> Value {
    let one = |told: &ParsedBatch| {
        json!({
            "events": told.events.iter().map(Event::to_json).collect::<Vec<_>>(),
            "name": told.idempotency_key,
            "note": told.note,
            "numbers": format!("{:?}", told.numbers),
        })
    };
    told.iter().map(one).collect()
}

#[test]
fn recorded_requests_make_what_is_expected() {
    for Recorded { source, name, headers, body, expected } in recorded() {
        let told = source.parse(&headers, body.to_string().as_bytes());
        let told = told.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(shown(&told), expected, "{}/{name}", source.name());
        let has_events = told.iter().any(|told| !told.events.is_empty());
        assert!(has_events || told.iter().all(|told| told.note.is_some()), "{name}: silence has its reason");
    }
}

#[test]
fn a_form_makes_the_same_as_json_does() {
    let forms = recorded().into_iter().filter(|one| one.source.name() == "github");
    for Recorded { source, name, mut headers, body, expected } in forms {
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        let form: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &body.to_string())
            .finish();
        assert_eq!(shown(&source.parse(&headers, form.as_bytes()).unwrap()), expected, "{name}");
    }
}

/// Checks rules that hold for everything that comes out of any body.
fn judge(source: &dyn Source, headers: &HeaderMap, body: &[u8], what: &str) {
    match source.parse(headers, body) {
        Err(error) => {
            assert!(error.path.starts_with('$') && !error.reason.is_empty(), "{what}: {error}");
        }
        Ok(told) => {
            for event in told.iter().flat_map(|told| &told.events) {
                let stored = event.to_json().to_string();
                assert_eq!(serde_json::from_str::<Event>(&stored).as_ref().ok(), Some(event), "{what}");
                // Our own events are taken as they are.
                let Some(id) = event.build_id().filter(|_| !what.starts_with("own-event")) else { continue };
                assert!(!id.builder.is_empty() && !id.builder.contains('\n'), "{what}");
                assert!(i64::try_from(id.number).is_ok(), "{what}");
                if let Event::BuildStarted { build } | Event::BuildFinished { build } = event {
                    assert!(
                        build.responsible_users().iter().all(|who| !who.contains(['\n', '\r'])),
                        "{what}"
                    );
                    assert_eq!(build.results.is_some(), event.name() == "buildFinished", "{what}");
                }
            }
        }
    }
}

/// JSON pointers of all members; addresses that nothing is made of are left out for the sake of time.
fn members(value: &Value, pointer: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, member) in object.iter().filter(|(key, _)| !key.ends_with("_url") || *key == "html_url")
            {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                members(member, &pointer, into);
                into.push(pointer);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                members(item, &format!("{pointer}/{n}"), into);
            }
        }
        _ => {}
    }
}

#[test]
fn bodies_with_a_field_gone_or_mistyped_are_refused_with_its_place_or_taken() {
    for Recorded { source, name, headers, body, .. } in recorded() {
        let mut pointers = Vec::new();
        members(&body, "", &mut pointers);
        for pointer in pointers {
            for other in [None, Some(json!(-1)), Some(json!("a\nb")), Some(json!([{}])), Some(Value::Null)] {
                let what = format!("{name}: {pointer} as {other:?}");
                let mut changed = body.clone();
                match other {
                    Some(other) => *changed.pointer_mut(&pointer).unwrap() = other,
                    None => {
                        let (parent, key) = pointer.rsplit_once('/').unwrap();
                        changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
                    }
                }
                judge(source, &headers, changed.to_string().as_bytes(), &what);
            }
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let run = json!({"action": "completed", "repository": {"full_name": "a/b"}, "workflow_run": {"id": 1, "name": "CI"}});
    let with = |pointer: &str, value: Value| {
        let mut run = run.clone();
        *run.pointer_mut(pointer).unwrap() = value;
        run.to_string()
    };
    let big = json!({"action": "completed", "repository": {"full_name": "a/b"},
        "workflow_run": {"id": u64::MAX, "name": "CI", "run_attempt": 1}});
    let many = json!({"action": "completed", "repository": {"full_name": "a/b"},
        "workflow_run": {"id": 1, "name": "CI", "run_attempt": 100}});
    let event = [("x-github-event", "workflow_run")];
    let job = json!({"name": "a", "build": {"number": 1, "phase": "STARTED", "timestamp": "soon"}});
    let status = json!({"object_kind": "pipeline", "project": {"path_with_namespace": "a/b"},
        "object_attributes": {"id": 1, "status": "odd"}});
    for (source_name, sent, body, wanted) in [
        ("github", &[][..], run.to_string(), "$: the header `X-GitHub-Event` is missing"),
        ("github", &event, String::new(), "$: the body is empty"),
        ("github", &event, "{".to_owned(), "$: EOF"),
        ("github", &event, "[]".to_owned(), "$: must be an object"),
        ("github", &event, with("/workflow_run/id", json!("x")), "$.workflow_run.id: invalid type: string"),
        ("github", &event, with("/workflow_run", json!({})), "$.workflow_run: missing field `id`"),
        ("github", &event, with("/repository/full_name", json!("")), ""),
        ("github", &event, big.to_string(), "$.workflow_run.run_attempt: is out of the range"),
        ("github", &event, many.to_string(), "$.workflow_run.run_attempt: attempt 100: must be from 1 to 99"),
        ("gitlab", &[], "{}".to_owned(), "$.object_kind: missing"),
        ("gitlab", &[], status.to_string(), "$.object_attributes.status: `odd` is no status"),
        ("jenkins", &[], "<job/>".to_owned(), "$: is XML"),
        ("jenkins", &[], job.to_string(), "$.build.timestamp: must be milliseconds"),
        (
            "drone",
            &[],
            "{\"repo\":{\"name\":\"a\"},\"build\":{}}".to_owned(),
            "$.build: missing field `number`",
        ),
        ("cloudevents", &[], "{}".to_owned(), "$: neither a CloudEvent"),
        ("cloudevents", &[("ce-type", "x")], "{}".to_owned(), "$: the header `ce-specversion` is missing"),
        (
            "cloudevents",
            &[("content-type", "application/cloudevents-batch+json")],
            json!([{"specversion": "1.0", "id": "1", "source": "s", "type": "campanile.event",
                "data": [{"event": "buildDone"}]}])
            .to_string(),
            "$[0].data[0].event: unknown event `buildDone`",
        ),
        (
            "cloudevents",
            &[("content-type", "application/cloudevents+json")],
            json!({"specversion": "0.3", "id": "1", "source": "s", "type": "t", "data": {}}).to_string(),
            "$: CloudEvents `0.3` are not understood",
        ),
    ] {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        match source(source_name).unwrap().parse(&headers, body.as_bytes()) {
            Err(error) => {
                assert!(!wanted.is_empty() && error.to_string().starts_with(wanted), "{body}: {error}");
            }
            Ok(told) => assert!(wanted.is_empty(), "{body}: {told:?}"),
        }
    }
}

#[test]
fn each_way_of_proving_a_sender() {
    let secrets = [Secret::new("other"), Secret::new("It's a Secret to Everybody")];
    let now = Timestamp::from_seconds(1_800_000_000);
    let mut headers = HeaderMap::new();
    let proof = source("github").unwrap().proof().unwrap().whole;
    assert!(!proof(&headers, b"Hello, World!", &secrets, now));
    // The sample of GitHub's documentation.
    let sent = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    headers.insert("x-hub-signature-256", sent.parse().unwrap());
    assert!(proof(&headers, b"Hello, World!", &secrets, now));
    assert!(!proof(&headers, b"Hello, World?", &secrets, now));
    assert!(!proof(&headers, b"Hello, World!", &secrets[..1], now));
    assert!(!proof(&headers, b"Hello, World!", &[], now));
    let proof = source("gitlab").unwrap().proof().unwrap().whole;
    assert!(!proof(&headers, b"", &secrets, now));
    headers.insert("x-gitlab-token", "other".parse().unwrap());
    assert!(proof(&headers, b"", &secrets, now) && !proof(&headers, b"", &secrets[1..], now));
    assert!(source("jenkins").unwrap().proof().is_none() && source("buildbot").unwrap().proof().is_none());
}

fn sources(settings: &str) -> (Sources, Vec<String>) {
    let problems = Problems::new();
    let document = Document::parse(Path::new("campanile.toml"), settings, &problems);
    let sources = Sources::from_settings(&Reader::root(&document, &problems));
    (sources, problems.into_sorted().iter().map(ToString::to_string).collect())
}

#[test]
fn settings_name_sources_that_can_prove_themselves() {
    let (none, problems) = sources("");
    assert!(problems.is_empty() && none.secrets("github").is_none());
    let (some, problems) = sources("[events]\ngithub = { secret = [\"a\", \"b\"] }\n");
    assert!(problems.iter().all(|problem| problem.contains("is safer")), "{problems:?}");
    assert_eq!(some.secrets("github").map(<[Secret]>::len), Some(2));
    for (settings, wanted) in [
        ("[events.gihub]\nsecret = \"x\"\n", "unknown key `gihub` in `events`: did you mean `github`?"),
        ("[events.github]\n", "`secret` is missing in `events.github`"),
        ("[events.github]\nsecret = []\n", "`secret` is missing in `events.github`"),
        ("[events.github]\nsecret = \"\"\n", "`secret` is blank: everybody knows that"),
        ("[events.github]\nsecret = \"x\"\nscret = 1\n", "unknown key `scret`"),
        ("[events.jenkins]\nsecret = \"x\"\n", "`jenkins` signs nothing: send `server.api_token`"),
        ("[events]\ngithub = 5\n", "`github` must be a table"),
    ] {
        let (_, problems) = sources(settings);
        assert!(problems.iter().any(|problem| problem.contains(wanted)), "{settings}: {problems:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_a_source_panic(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        for source in SOURCES {
            judge(*source, &HeaderMap::new(), &body, "bytes");
        }
    }

    #[test]
    fn no_fields_make_a_source_panic(
        event in "workflow_run|workflow_job|check_suite",
        kind in "pipeline|build",
        json in "[\\[\\]{}\":,a-z0-9]{0,40}",
    ) {
        let body = format!(
            "{{\"action\":\"completed\",\"object_kind\":\"{kind}\",\"build\":{json},\"{event}\":{json},\
             \"object_attributes\":{json},\"context\":{json},\"subject\":{json},\"repo\":{json}}}"
        );
        let mut headers = HeaderMap::new();
        headers.insert("x-github-event", event.parse().unwrap());
        for source in SOURCES {
            judge(*source, &headers, body.as_bytes(), &body);
        }
    }
}
