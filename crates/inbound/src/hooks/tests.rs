//! Dialects and settings as a whole: recorded payloads, hostile ones, and what the settings file may say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::{NOW, Parsed, get, post, run, with_header};
use super::*;
use campanile_config::{Document, Limits, Problems};
use campanile_model::Change;
use campanile_outbound::{Allowed, SystemResolver};

mod as_sent;
mod bitbucket_rules;
mod dialects;
mod forge_rules;
mod gitea_rules;
mod github_rules;
mod old_rules;
mod sent;
mod settings;

/// The hooks that these lines of settings make, and what is wrong with them.
fn hooks(settings: &str) -> (Hooks, Vec<String>) {
    let problems = Problems::new();
    let document = Document::parse(Path::new("campanile.toml"), settings, &problems);
    let root = Reader::root(&document, &problems);
    let checked = Settings::read(&root, &Limits::default());
    let outbound = Outbound::new(Allowed::default(), std::sync::Arc::new(SystemResolver));
    let hooks = Hooks::from_settings(&root, &checked, &BTreeMap::new(), &outbound);
    (hooks, problems.into_sorted().iter().map(ToString::to_string).collect())
}

/// `github` with these options, which must be right.
fn github(options: &str) -> Box<dyn Dialect> {
    let (mut hooks, problems) = hooks(&format!("[change_hooks.dialects.github]\n{options}\n"));
    assert!(problems.iter().all(|problem| problem.contains("warning")), "{problems:?}");
    hooks.dialects.remove("github").unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/hooks/github")
}

fn load(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

/// A payload and what is expected of it.
struct Recorded {
    name: String,
    payload: Value,
    event: String,
    note: Option<String>,
    changes: Vec<Change>,
}

fn recorded() -> Vec<Recorded> {
    let names =
        std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let all: Vec<Recorded> = names
        .filter_map(|name| name.strip_suffix(".expected.json").map(ToOwned::to_owned))
        .map(|name| {
            let expected = load(&format!("{name}.expected.json"));
            Recorded {
                payload: load(&format!("{name}.json")),
                event: expected["event"].as_str().unwrap().to_owned(),
                note: expected["note"].as_str().map(ToOwned::to_owned),
                changes: serde_json::from_value(expected["changes"].clone()).unwrap(),
                name,
            }
        })
        .collect();
    assert!(all.len() >= 12, "payloads are missing");
    all
}

fn sent(event: &str, payload: &Value) -> RawHook {
    with_header(post("application/json; charset=utf-8", &payload.to_string()), "x-github-event", event)
}

#[test]
fn h_gh_13_and_all_recorded_payloads_make_what_is_expected() {
    let github = github("");
    for Recorded { name, payload, event, note, changes } in recorded() {
        let hook = with_header(sent(&event, &payload), "x-github-delivery", "72d3162e-cc78");
        let parsed = run(github.as_ref(), hook).unwrap();
        let wanted = Parsed {
            changes,
            event: Some(event),
            note,
            delivery_id: Some("72d3162e-cc78".to_owned()),
            ..Parsed::default()
        };
        assert_eq!(parsed, wanted, "{name}");
    }
}

#[test]
fn h_gh_01_form_and_query_make_the_same_as_a_json_body() {
    let github = github("");
    for Recorded { name, payload, event, changes, .. } in recorded() {
        let field: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &payload.to_string())
            .finish();
        let multipart =
            format!("--B\r\nContent-Disposition: form-data; name=\"payload\"\r\n\r\n{payload}\r\n--B--\r\n");
        let hooks = [
            post("application/x-www-form-urlencoded", &field),
            post("multipart/form-data; boundary=B", &multipart),
            post("application/vnd.github+json", &payload.to_string()),
            get(&field),
        ];
        for hook in hooks {
            let parsed = run(github.as_ref(), with_header(hook, "x-github-event", &event)).unwrap();
            assert_eq!(parsed.changes, changes, "{name}");
        }
    }
}

/// The fields that the rules name; all others may be missing.
const NAMED: &[&str] = &[
    "before",
    "ref",
    "deleted",
    "after",
    "repository.html_url",
    "repository.url",
    "commits",
    "head_commit",
    "commits[].id",
    "commits[].distinct",
    "commits[].message",
    "commits[].timestamp",
    "commits[].url",
    "commits[].author.name",
    "commits[].author.email",
    "commits[].committer.name",
    "commits[].committer.email",
    "commits[].added",
    "commits[].modified",
    "commits[].removed",
    "head_commit.id",
    "head_commit.distinct",
    "head_commit.message",
    "head_commit.timestamp",
    "head_commit.url",
    "head_commit.author.name",
    "head_commit.author.email",
    "head_commit.committer.name",
    "head_commit.committer.email",
    "head_commit.added",
    "head_commit.modified",
    "head_commit.removed",
    "action",
    "number",
    "sender.login",
    "pull_request.head.sha",
    "pull_request.title",
    "pull_request.body",
    "pull_request.commits",
    "pull_request.created_at",
    "pull_request.updated_at",
    "pull_request._links.html.href",
    "pull_request.base.repo.full_name",
    "pull_request.base.ref",
];

fn is_named(path: &str) -> bool {
    NAMED.iter().any(|named| *named == path || named.starts_with(&format!("{path}.")))
}

/// JSON pointers of all members, each with its path in the spelling of [`NAMED`].
fn members(value: &Value, pointer: &str, path: &str, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, member) in object {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                members(member, &pointer, &path, into);
                into.push((pointer, path));
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                members(item, &format!("{pointer}/{n}"), &format!("{path}[]"), into);
            }
        }
        _ => {}
    }
}

fn without(payload: &Value, pointer: &str) -> Value {
    let mut payload = payload.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    payload.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
    payload
}

#[test]
fn h_t_02_no_field_that_is_not_named_is_needed() {
    let github = github("");
    let mut tried = 0;
    for Recorded { name, payload, event, changes, .. } in recorded() {
        let mut all = Vec::new();
        members(&payload, "", "", &mut all);
        for (pointer, _) in all.iter().filter(|(_, path)| event == "ping" || !is_named(path)) {
            let parsed = run(github.as_ref(), sent(&event, &without(&payload, pointer))).unwrap();
            assert_eq!(parsed.changes, changes, "{name} without {pointer}");
            tried += 1;
        }
    }
    assert!(tried > 1000, "only {tried} fields were tried");
}

#[test]
fn h_gen_14_a_named_field_of_the_wrong_type_is_refused_by_its_path() {
    let github = github("");
    let mut refused = BTreeSet::new();
    for Recorded { name, payload, event, changes, .. } in recorded() {
        if changes.is_empty() {
            continue;
        }
        let mut all = Vec::new();
        members(&payload, "", "", &mut all);
        for (pointer, path) in all.iter().filter(|(_, path)| NAMED.contains(&path.as_str())) {
            let mut payload = payload.clone();
            let member = payload.pointer_mut(pointer).unwrap();
            *member = if member.is_object() { json!(true) } else { json!({"wrong": [true]}) };
            // What is not looked at for this payload may be of any type.
            let Err(rejection) = run(github.as_ref(), sent(&event, &payload)) else { continue };
            let place = pointer.trim_start_matches('/').replace('/', ".");
            let told = rejection.message.replace('[', ".").replace(']', "");
            assert!(
                rejection.status == 400 && told.starts_with(&format!("github: {place}: must be ")),
                "{name}: {told}"
            );
            refused.insert(path.clone());
        }
    }
    // These may be of any type, or stand where another is asked first.
    let is_passed_over =
        |path: &&str| path.starts_with("head_commit") || matches!(*path, "repository.url" | "before");
    for path in NAMED.iter().copied().filter(|path| !is_passed_over(path)) {
        assert!(refused.contains(path), "{path} was never refused");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}|refs/heads/[a-z]{1,3}|0{0,41}|[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00:00Z"
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        "\\PC{0,4}",
        prop::sample::select(vec![
            "ref",
            "commits",
            "head_commit",
            "repository",
            "url",
            "id",
            "message",
            "author"
        ])
        .prop_map(ToOwned::to_owned),
        prop::sample::select(vec![
            "files",
            "properties",
            "when",
            "name",
            "pull_request",
            "head",
            "sha",
            "number"
        ])
        .prop_map(ToOwned::to_owned),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Runs a request through every dialect; refusals must be of the kinds there are.
fn survive(hook: &RawHook) -> Result<(), TestCaseError> {
    static HOOKS: LazyLock<Hooks> = LazyLock::new(|| {
        hooks(
            "[change_hooks.dialects]\nbase = true\n[change_hooks.dialects.github]\nsecret = \"x\"\n\
             github_property_whitelist = [\"*\"]\nkeep_non_distinct = true\nproject_from_payload = true\n",
        )
        .0
    });
    for dialect in HOOKS.dialects.values() {
        match run(dialect.as_ref(), hook.clone()) {
            Ok(parsed) => {
                for change in parsed.changes {
                    prop_assert!(!change.who.contains(['\n', '\r']) && change.when <= NOW);
                }
            }
            Err(rejection) => {
                prop_assert!(matches!(rejection.status, 400 | 403));
                prop_assert!(!rejection.message.contains('\n'), "{}", rejection.message);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_json_is_survived(value in any_json(), event in "push|pull_request|ping|[a-z]{0,4}") {
        survive(&sent(&event, &value))?;
    }

    #[test]
    fn any_member_of_a_payload_may_be_anything(which in 0..100_usize, place in any::<prop::sample::Index>(), value in any_json()) {
        static ALL: LazyLock<Vec<Recorded>> = LazyLock::new(recorded);
        let Recorded { payload, event, .. } = &ALL[which % ALL.len()];
        let mut payload = payload.clone();
        let mut places = Vec::new();
        members(&payload, "", "", &mut places);
        let (pointer, _) = place.get(&places);
        *payload.pointer_mut(pointer).unwrap() = value;
        survive(&sent(event, &payload))?;
    }

    #[test]
    fn any_bytes_of_any_type_are_survived(
        body in prop::collection::vec(any::<u8>(), 0..200),
        text in "(payload=|--B\r\n|%|&|[\\PC]){0,20}",
        content_type in "application/json|application/x-www-form-urlencoded|multipart/form-data(; boundary=B)?|[ -~]{0,30}",
        query in "\\PC{0,30}",
        signature in "sha(1|256)=[0-9a-f]{0,64}|[ -~]{0,20}",
        headers in any::<(bool, bool)>(),
    ) {
        for body in [body, text.into_bytes()] {
            let mut hook = RawHook { query: query.clone(), body: body.into(), ..post(&content_type, "") };
            if headers.0 {
                hook = with_header(hook, "x-hub-signature", &signature);
            }
            if headers.1 {
                hook.method = Method::Get;
            }
            survive(&hook)?;
        }
    }
}
