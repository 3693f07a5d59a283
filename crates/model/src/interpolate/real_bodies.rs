//! Templates over what a real Buildbot sent (`tests/data/buildbot`).

use serde_json::Value;

use super::{Scope, Template};
use crate::literal::value_text;
use crate::{Build, Change, Patch, Properties, Results, SourceStamp, Timestamp};

/// Every object that stands anywhere in a body.
fn objects<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(map) => {
            found.push(value);
            map.values().for_each(|inner| objects(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| objects(inner, found)),
        _ => {}
    }
}

fn bodies() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/buildbot");
    let mut bodies = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the bodies are part of the project").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            let bytes = std::fs::read(entry.path()).expect("a file that was just listed");
            bodies.push((name, serde_json::from_slice(&bytes).expect("a body is JSON")));
        }
    }
    assert!(bodies.len() > 100, "{} bodies", bodies.len());
    bodies
}

fn text(object: &Value, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn optional(object: &Value, name: &str) -> Option<String> {
    Some(text(object, name)).filter(|text| !text.is_empty())
}

/// `{name: [value, source]}`; none when it has any other form.
fn properties(object: &Value) -> Option<Properties> {
    let mut properties = Properties::new();
    for (name, pair) in object.get("properties")?.as_object()? {
        let [value, source] = pair.as_array()?.as_slice() else { return None };
        properties.set(name, value.clone(), source.as_str()?);
    }
    Some(properties)
}

/// -1 is "not yet".
fn results(object: &Value) -> Option<Result<Option<Results>, i64>> {
    match object.get("results")?.as_i64()? {
        -1 => Some(Ok(None)),
        code => Some(Results::from_code(code).map(Some).ok_or(code)),
    }
}

fn change(object: &Value) -> Change {
    let files = object.get("files").and_then(Value::as_array).into_iter().flatten();
    Change {
        number: object.get("changeid").and_then(Value::as_u64).unwrap_or_default(),
        who: text(object, "author"),
        files: files.filter_map(Value::as_str).map(str::to_owned).collect(),
        comments: text(object, "comments"),
        revision: optional(object, "revision"),
        branch: optional(object, "branch"),
        when: Timestamp::from_seconds(
            object.get("when_timestamp").and_then(Value::as_i64).unwrap_or_default(),
        ),
        repository: text(object, "repository"),
        project: text(object, "project"),
        codebase: text(object, "codebase"),
        properties: properties(object).unwrap_or_default(),
        ..Change::default()
    }
}

fn stamp(object: &Value, changes: &[Change]) -> SourceStamp {
    let patch = object.get("patch").filter(|patch| patch.is_object());
    let codebase = text(object, "codebase");
    SourceStamp {
        ssid: object.get("ssid").and_then(Value::as_u64),
        branch: optional(object, "branch"),
        revision: optional(object, "revision"),
        repository: text(object, "repository"),
        project: text(object, "project"),
        patch: patch.map(|patch| Patch { author: text(patch, "author"), ..Patch::default() }),
        changes: changes.iter().filter(|change| change.codebase == codebase).cloned().collect(),
        codebase,
    }
}

/// Every object that has a number, a builder and properties is a build.
fn builds(body: &Value) -> Vec<Build> {
    let mut found = Vec::new();
    objects(body, &mut found);
    let is_build = |object: &&&Value| object.get("buildid").is_some() && object.get("builder").is_some();
    found
        .iter()
        .filter(is_build)
        .map(|object| {
            let name = object.pointer("/builder/name").and_then(Value::as_str).unwrap_or_default();
            let mut build =
                Build::new(name, object.get("number").and_then(Value::as_u64).unwrap_or_default());
            build.properties = properties(object).unwrap_or_default();
            build.results = results(object).and_then(Result::ok).flatten();
            let list = |pointer| object.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
            let changes: Vec<_> = list("/changes").map(change).collect();
            build.source_stamps =
                list("/buildset/sourcestamps").map(|object| stamp(object, &changes)).collect();
            build
        })
        .collect()
}

#[test]
fn m_pr_01_and_m_res_01_every_body_converts() {
    let (mut sets, mut codes, mut changes) = (0, 0, 0);
    for (name, body) in bodies() {
        let mut found = Vec::new();
        objects(&body, &mut found);
        for object in found {
            if object.get("properties").is_some_and(Value::is_object) {
                assert!(properties(object).is_some(), "{name}: {object}");
                sets += 1;
            }
            if let Some(results) = results(object) {
                assert!(results.is_ok(), "{name}: {object}");
                codes += 1;
            }
            if object.get("changeid").is_some() {
                let change = change(object);
                assert!(change.number > 0 && !change.who.is_empty(), "{name}: {object}");
                assert!(change.as_text(&jiff::tz::TimeZone::UTC).starts_with("Files:\n"));
                changes += 1;
            }
        }
    }
    assert!(sets > 100 && codes > 200 && changes > 0, "{sets} {codes} {changes}");
}

#[test]
fn n_ev_05_templates_render_over_every_body() {
    let recipe = "%(prop:buildername)s #%(prop:buildnumber)s by %(prop:owner:-%(prop:owners)s)s \
                  %(prop:got_revision:-%(src::revision)s)s %(src:app:hasPatch:#?|patched|plain)s %(prop:want:~nothing)s";
    let template = Template::parse(recipe).expect("the template is valid");
    let mut rendered = 0;
    for (name, body) in bodies() {
        for build in builds(&body) {
            let properties = build.all_properties();
            let scope = Scope::new(&properties, &build.source_stamps);
            let text = template.render(&scope).expect("nothing in it can fail");
            let head = format!("{} #{} by ", build.builder, build.number);
            assert!(text.starts_with(&head), "{name}: {text}");
            for (property, set) in properties.iter() {
                let template = Template::parse(&format!("%(prop:{property})s")).expect("names are plain");
                assert_eq!(template.render(&scope), Ok(value_text(&set.value)), "{name}: {property}");
            }
            assert!(build.source_stamps.len() < 2 || properties.value("branch").is_none(), "{name}");
            rendered += 1;
        }
    }
    assert!(rendered > 100, "{rendered} builds");
}

#[test]
fn m_b_05_and_m_who_04_over_a_build_of_two_codebases() {
    let body = bodies().into_iter().find(|(name, _)| name == "all-17-two-codebases-success.json");
    let build = body.and_then(|(_, body)| builds(&body).pop()).expect("the body holds one build");
    assert_eq!(build.source_stamps.len(), 2);
    let revisions: Vec<_> = build.absolute_source_stamps().into_iter().map(|s| s.revision).collect();
    assert_eq!(revisions, [Some("b".repeat(40)), Some("a".repeat(40))]);
    assert_eq!(build.interested_users(), ["Ada Example <ada@example.org>"]);
}
