//! Every dialect on recorded payloads (`tests/data/hooks`): what they make, which fields they need, and what becomes of
//! broken ones.
//!
//! `UPDATE_EXPECTED=1` writes anew what is expected; read the difference before committing it.

use std::collections::BTreeMap;

use super::*;

/// A dialect, how many payloads of it there are at least, and the fields that its rules name. All others may be
/// missing.
struct Rules {
    dialect: &'static str,
    payloads: usize,
    named: &'static [&'static str],
}

const RULES: &[Rules] = &[
    Rules {
        dialect: "gitlab",
        payloads: 14,
        named: &[
            "before",
            "object_kind",
            "event_name",
            "ref",
            "after",
            "checkout_sha",
            "message",
            "user_name",
            "user_email",
            "total_commits_count",
            "repository.url",
            "project.web_url",
            "commits",
            "commits[].id",
            "commits[].message",
            "commits[].timestamp",
            "commits[].url",
            "commits[].author.name",
            "commits[].author.email",
            "commits[].added",
            "commits[].modified",
            "commits[].removed",
            "object_attributes",
            "merge_request",
        ],
    },
    Rules { dialect: "gitea", payloads: 8, named: NAMED },
    Rules { dialect: "forgejo", payloads: 8, named: NAMED },
    Rules {
        dialect: "bitbucketcloud",
        payloads: 8,
        named: &[
            "push.changes.old",
            "actor.display_name",
            "actor.nickname",
            "repository.scm",
            "repository.links.self.href",
            "repository.links.html.href",
            "repository.project.name",
            "push.changes",
            "push.changes[].new",
            "push.changes[].old",
            "pullrequest.id",
            "pullrequest.title",
            "pullrequest.link",
            "pullrequest.links.html.href",
            "pullrequest.updated_on",
            "pullrequest.source.branch.name",
            "pullrequest.source.commit.hash",
            "pullrequest.destination.branch.name",
            "pullrequest.fromRef.branch.name",
            "pullrequest.fromRef.commit.hash",
            "pullrequest.toRef.branch.name",
        ],
    },
    Rules {
        dialect: "bitbucketserver",
        payloads: 10,
        named: &[
            "date",
            "actor.displayName",
            "actor.emailAddress",
            "actor.username",
            "repository.slug",
            "repository.scmId",
            "repository.project.key",
            "repository.project.name",
            "repository.links.self",
            "repository.links.self[].href",
            "repository.links.clone",
            "changes",
            "changes[].type",
            "changes[].fromHash",
            "changes[].toHash",
            "changes[].ref.id",
            "commits",
            "commits[].id",
            "commits[].message",
            "push.changes",
            "push.changes[].new",
            "push.changes[].old",
            "pullRequest",
            "pullrequest",
        ],
    },
    Rules {
        dialect: "bitbucket",
        payloads: 5,
        named: &[
            "canon_url",
            "repository",
            "commits",
            "commits[].files",
            "commits[].files[].file",
            "commits[].raw_author",
            "commits[].utctimestamp",
            "commits[].raw_node",
            "commits[].branch",
            "commits[].message",
        ],
    },
    Rules {
        dialect: "gitorious",
        payloads: 4,
        named: &[
            "before",
            "ref",
            "after",
            "commits",
            "commits[].author.email",
            "commits[].author.name",
            "commits[].id",
            "commits[].message",
            "commits[].timestamp",
            "commits[].url",
            "project.name",
            "repository.url",
        ],
    },
    Rules {
        dialect: "googlecode",
        payloads: 2,
        named: &[
            "repository_path",
            "project_name",
            "revisions",
            "revisions[].added",
            "revisions[].modified",
            "revisions[].removed",
            "revisions[].author",
            "revisions[].message",
            "revisions[].revision",
            "revisions[].timestamp",
            "revisions[].url",
            "revisions[].branch",
        ],
    },
];

/// A request that was recorded.
struct Request {
    name: String,
    headers: BTreeMap<String, String>,
    payload: Value,
}

impl Request {
    fn hook(&self, payload: &Value) -> RawHook {
        self.bytes(&payload.to_string())
    }

    fn bytes(&self, body: &str) -> RawHook {
        self.headers.iter().fold(post("application/json", body), |hook, (name, value)| {
            with_header(hook, &name.to_lowercase(), value)
        })
    }
}

fn folder_of(dialect: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/hooks").join(dialect)
}

fn requests(rules: &Rules) -> Vec<Request> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder_of(rules.dialect)).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(name) = name.strip_suffix(".json").filter(|name| !name.ends_with(".expected")) else {
            continue;
        };
        let recorded: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        all.push(Request {
            name: name.to_owned(),
            headers: serde_json::from_value(recorded["headers"].clone()).unwrap(),
            payload: recorded["payload"].clone(),
        });
    }
    assert!(all.len() >= rules.payloads, "payloads of {} are missing", rules.dialect);
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// A dialect with these options, which must be right.
pub(super) fn dialect(name: &str, options: &str) -> Box<dyn Dialect> {
    let (mut hooks, problems) = hooks(&format!("[change_hooks.dialects.{name}]\n{options}\n"));
    assert!(problems.iter().all(|problem| problem.contains("warning")), "{problems:?}");
    hooks.dialects.remove(name).unwrap()
}

/// H-GL-01 to H-GL-08, H-XGL-02 to H-XGL-06, H-XBC-03 to H-XBC-06, H-XBS-01 to H-XBS-05, H-BB-02 to H-BB-05, H-GO-02 to
/// H-GO-05, H-GC-05 to H-GC-07, H-XGT-01 to H-XGT-04; and H-BB-01, the handing over.
#[test]
fn h_xgl_06_recorded_payloads_make_what_is_expected() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    for rules in RULES {
        let dialect = dialect(rules.dialect, "");
        for request in requests(rules) {
            let parsed = run(dialect.as_ref(), request.hook(&request.payload)).unwrap();
            let made = json!({"event": parsed.event, "note": parsed.note, "changes": parsed.changes});
            let path = folder_of(rules.dialect).join(format!("{}.expected.json", request.name));
            if update {
                std::fs::write(&path, format!("{made:#}\n")).unwrap();
            }
            let expected: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(made, expected, "{} {}", rules.dialect, request.name);
        }
    }
}

/// H-T-02: each field that the rules do not name is taken away, one at a time, and nothing changes.
#[test]
fn h_t_02_no_field_that_is_not_named_is_needed_by_any_dialect() {
    for rules in RULES {
        let dialect = dialect(rules.dialect, "");
        // What is above a named field is needed with it; what is below one belongs to it.
        let named = |path: &str| {
            let is_in = |inner: &str, outer: &str| {
                inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
            };
            path == "pull_request.html_url"
                || rules.named.iter().any(|named| *named == path || is_in(named, path) || is_in(path, named))
        };
        let mut tried = 0;
        // What is handed on to another dialect is that one's to judge.
        for request in requests(rules).iter().filter(|request| !request.name.starts_with("todays-")) {
            let whole = run(dialect.as_ref(), request.hook(&request.payload)).unwrap();
            let mut all = Vec::new();
            members(&request.payload, "", "", &mut all);
            for (pointer, _) in all.iter().filter(|(_, path)| !named(path)) {
                let without = without(&request.payload, pointer);
                let parsed = run(dialect.as_ref(), request.hook(&without));
                let changes = parsed.map(|parsed| parsed.changes);
                assert_eq!(
                    changes.as_ref(),
                    Ok(&whole.changes),
                    "{} {} without {pointer}",
                    rules.dialect,
                    request.name
                );
                tried += 1;
            }
        }
        assert!(tried > 5, "{}: only {tried} fields were tried", rules.dialect);
    }
}

/// H-T-02: what the rules do not name is not looked at, so it may be of any type.
#[test]
fn h_t_02_a_field_that_is_not_named_may_be_of_any_type() {
    for rules in RULES {
        let dialect = dialect(rules.dialect, "");
        let named = |path: &str| {
            let mut named = rules.named.iter().chain(FULL_NAMES);
            named.any(|named| is_in(named, path) || is_in(path, named))
        };
        for request in requests(rules).iter().filter(|request| !request.name.starts_with("todays-")) {
            let whole = run(dialect.as_ref(), request.hook(&request.payload)).unwrap();
            let mut all = Vec::new();
            members(&request.payload, "", "", &mut all);
            for (pointer, _) in all.iter().filter(|(_, path)| !named(path)) {
                let mut payload = request.payload.clone();
                let member = payload.pointer_mut(pointer).unwrap();
                *member = if member.is_object() { json!(true) } else { json!({"wrong": [true]}) };
                let parsed = run(dialect.as_ref(), request.hook(&payload));
                let changes = parsed.map(|parsed| parsed.changes);
                let place = format!("{} {} at {pointer}", rules.dialect, request.name);
                assert_eq!(changes.as_ref(), Ok(&whole.changes), "{place}");
            }
        }
    }
}

/// Paths that codebases may be chosen by (H-GEN-18), or that a link is taken from as the last resort: never needed.
const FULL_NAMES: &[&str] = &[
    "repository.full_name",
    "project.path_with_namespace",
    "pull_request.html_url",
    "repository.project.key",
];

/// True if a path is another one, or below it.
fn is_in(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// H-GEN-14: whatever stands where, a refusal says where; and a body that ends too early is refused.
#[test]
fn h_gen_14_wrong_types_and_truncated_bodies_are_refused_with_their_place() {
    for rules in RULES {
        let dialect = dialect(rules.dialect, "");
        let (mut refused, mut cut) = (0, 0);
        for request in requests(rules) {
            let mut all = Vec::new();
            members(&request.payload, "", "", &mut all);
            for (pointer, path) in &all {
                let mut payload = request.payload.clone();
                let member = payload.pointer_mut(pointer).unwrap();
                *member = if member.is_object() { json!(true) } else { json!({"wrong": [true]}) };
                let Err(rejection) = run(dialect.as_ref(), request.hook(&payload)) else { continue };
                let place = pointer.trim_start_matches('/').replace('/', ".");
                let told = rejection.message.replace('[', ".").replace(']', "");
                assert_eq!(rejection.status, 400, "{told}");
                assert!(
                    told.contains(&format!(": {place}: must be ")) || told.contains(": missing"),
                    "{path}: {told}"
                );
                refused += 1;
            }
            let text = request.payload.to_string();
            for end in (1..text.len()).step_by(97).filter(|end| text.is_char_boundary(*end)) {
                match run(dialect.as_ref(), request.bytes(&text[..end])) {
                    Err(rejection) => assert_eq!(rejection.status, 400, "{} cut at {end}", request.name),
                    // A test of the connection is answered whatever it holds (H-XBS-01).
                    Ok(parsed) => assert!(parsed.changes.is_empty() && request.name == "ping"),
                }
                cut += 1;
            }
        }
        assert!(refused >= 8 && cut >= 8, "{}: {refused} refused, {cut} cut", rules.dialect);
    }
}
