//! Requests that are not quite what the forges' pages say, each asked of every dialect.

use super::sent::{load, outcome, request};
use super::*;

/// A recorded push of every dialect that has commits in one list, with the event's name and the key of that list.
const PUSHES: [(&str, &str, &str, &str); 7] = [
    ("github", "push.json", "push", "/commits"),
    ("gitea", "push.json", "push", "/commits"),
    ("forgejo", "push.json", "push", "/commits"),
    ("gitlab", "push.json", "Push Hook", "/commits"),
    ("gitorious", "push.json", "push", "/commits"),
    ("bitbucketcloud", "push.json", "repo:push", "/push/changes"),
    ("bitbucketserver", "refs-changed.json", "repo:refs_changed", "/changes"),
];

fn recorded(dialect: &str, file: &str) -> Value {
    if dialect == "github" {
        // Kept as it was sent, without its headers.
        return super::load(file);
    }
    load(dialect, file)
}

fn sent(dialect: &str, event: &str, payload: &Value) -> Parsed {
    outcome(dialect, "", request(dialect, event, payload))
        .unwrap_or_else(|refused| panic!("{dialect}: {refused:?}"))
}

#[test]
fn h_gen_23_a_byte_order_mark_and_half_a_surrogate_pair_refuse_nothing() {
    for (dialect, file, event, _) in PUSHES {
        let payload = recorded(dialect, file);
        let text = payload.to_string();
        let right = sent(dialect, event, &payload);
        for sent in [format!("\u{feff}{text}"), text.replacen('{', r#"{"half": "bells \ud83d", "#, 1)] {
            let mut hook = request(dialect, event, &payload);
            hook.body = match dialect {
                "gitorious" => {
                    let mut form = form_urlencoded::Serializer::new(String::new());
                    form.append_pair("payload", &sent).finish().into()
                }
                _ => sent.into(),
            };
            assert_eq!(outcome(dialect, "", hook).unwrap(), right, "{dialect}");
        }
    }
    for dialect in ["base", "googlecode"] {
        let fine = match dialect {
            "base" => json!({"project": "p", "comments": "c"}),
            _ => load("googlecode", "push.json"),
        };
        let right = outcome(dialect, "", post("application/json", &fine.to_string())).unwrap();
        let marked = post("application/json", &format!("\u{feff}{fine}"));
        assert_eq!(outcome(dialect, "", marked).unwrap(), right, "{dialect}");
    }
}

#[test]
fn h_gen_24_null_is_an_empty_list_and_a_list_that_is_not_there_is_an_error() {
    for (dialect, file, event, list) in PUSHES {
        let mut payload = recorded(dialect, file);
        *payload.pointer_mut(list).unwrap() = Value::Null;
        if let Some(head) = payload.get_mut("head_commit") {
            *head = Value::Null;
        }
        let parsed = sent(dialect, event, &payload);
        assert!(parsed.changes.is_empty() && parsed.note.is_some(), "{dialect}: {parsed:?}");
        let (parent, key) = list.rsplit_once('/').unwrap();
        payload.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
        let refused = outcome(dialect, "", request(dialect, event, &payload)).unwrap_err();
        assert!(
            refused.0 == 400 && refused.1.ends_with(&format!("{key}: missing")),
            "{dialect}: {refused:?}"
        );
    }
}

#[test]
fn h_xgh_08_a_tag_without_commits_is_on_its_head_commit_and_an_empty_one_is_none() {
    for dialect in ["github", "gitea", "forgejo"] {
        let mut payload = recorded(dialect, "push.json");
        payload["head_commit"] = payload["commits"][0].clone();
        payload["commits"] = Value::Null;
        payload["ref"] = "refs/tags/v1".into();
        let parsed = sent(dialect, "push", &payload);
        assert_eq!(parsed.changes[0].revision.as_deref(), payload["head_commit"]["id"].as_str(), "{dialect}");
        payload["head_commit"] = json!({});
        assert_eq!(sent(dialect, "push", &payload).note.as_deref(), Some("no commits in the push to `v1'"));
    }
}

#[test]
fn h_ch_06_the_year_one_and_zero_are_the_time_of_receipt() {
    for (dialect, file, event, list) in PUSHES {
        if dialect.starts_with("bitbucket") {
            continue;
        }
        for zero in [json!("0001-01-01T00:00:00Z"), json!("0001-01-01T00:00:00+02:00"), json!(0)] {
            let mut payload = recorded(dialect, file);
            for commit in payload.pointer_mut(list).unwrap().as_array_mut().unwrap() {
                commit["timestamp"] = zero.clone();
            }
            let parsed = sent(dialect, event, &payload);
            assert!(!parsed.changes.is_empty());
            assert!(parsed.changes.iter().all(|change| change.when == NOW), "{dialect} {zero}");
        }
    }
    let mut payload = recorded("bitbucketcloud", "push.json");
    for element in payload["push"]["changes"].as_array_mut().unwrap() {
        element["new"]["target"]["date"] = "0001-01-01T00:00:00Z".into();
    }
    assert_eq!(sent("bitbucketcloud", "repo:push", &payload).changes[0].when, NOW);
    let mut payload = recorded("bitbucketserver", "refs-changed.json");
    payload["date"] = "0001-01-01T00:00:00Z".into();
    assert_eq!(sent("bitbucketserver", "repo:refs_changed", &payload).changes[0].when, NOW);
}

#[test]
fn h_gen_17_fields_beside_the_payload_are_arguments_too() {
    for (dialect, file, event, _) in PUSHES {
        if dialect == "gitlab" || dialect.starts_with("bitbucket") {
            continue;
        }
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("payload", &recorded(dialect, file).to_string()).append_pair("project", "bells");
        let hook = post("application/x-www-form-urlencoded", &form.finish());
        let header = if dialect == "github" { "x-github-event" } else { "x-gitea-event" };
        let parsed = outcome(dialect, "", with_header(hook, header, event)).unwrap();
        assert!(parsed.changes.iter().all(|change| change.project == "bells"), "{dialect}");
    }
}

#[test]
fn h_xall_01_each_forge_names_its_deliveries_by_its_own_header_and_by_no_other() {
    let all = [
        "x-github-delivery",
        "x-gitea-delivery",
        "x-forgejo-delivery",
        "x-gogs-delivery",
        "x-request-uuid",
        "x-request-id",
        "idempotency-key",
        "x-gitlab-event-uuid",
        "x-gitlab-webhook-uuid",
    ];
    for (dialect, file, event, own) in [
        ("github", "push.json", "push", &["x-github-delivery"][..]),
        (
            "gitea",
            "push.json",
            "push",
            &["x-github-delivery", "x-gitea-delivery", "x-forgejo-delivery", "x-gogs-delivery"],
        ),
        ("gitlab", "push.json", "Push Hook", &["idempotency-key"]),
        ("gitorious", "push.json", "push", &[]),
        ("bitbucketcloud", "push.json", "repo:push", &["x-request-uuid", "x-request-id"]),
    ] {
        for header in all {
            let hook = with_header(request(dialect, event, &recorded(dialect, file)), header, "7");
            let named = outcome(dialect, "", hook).unwrap().delivery_id;
            assert_eq!(named.as_deref(), own.contains(&header).then_some("7"), "{dialect} {header}");
        }
    }
}

#[test]
fn h_xgt_05_a_pull_request_of_gogs_has_no_revision() {
    let payload = json!({
        "action": "opened", "number": 2,
        "pull_request": {"title": "Swing", "body": "", "head_branch": "feature", "head_repo": {"full_name": "ada/bells"},
            "base_branch": "main", "base_repo": {"full_name": "bells/carillon"},
            "html_url": "https://gogs.example.org/bells/carillon/pulls/2"},
        "repository": {"html_url": "https://gogs.example.org/bells/carillon"}, "sender": {"login": "ada"}});
    let hook = with_header(post("application/json", &payload.to_string()), "x-gogs-event", "pull_request");
    let change = outcome("gitea", "", hook).unwrap().changes.remove(0);
    assert_eq!((change.revision, change.branch.as_deref()), (None, Some("refs/pull/2/head")));
    assert_eq!((change.who.as_str(), change.project.as_str()), ("ada", "bells/carillon"));
    assert_eq!(change.properties.value("basename"), Some(&json!("main")));
}

#[test]
fn h_xgl_05_a_merge_request_without_a_commit_makes_no_changes() {
    let mut payload = load("gitlab", "merge-request-open.json");
    payload["object_attributes"]["last_commit"] = Value::Null;
    payload["object_attributes"]["action"] = "open".into();
    payload["object_attributes"]["state"] = "opened".into();
    let parsed = sent("gitlab", "Merge Request Hook", &payload);
    assert_eq!(parsed.note.as_deref(), Some("the merge request has no commit"));
    let note =
        json!({"object_kind": "note", "object_attributes": {"note": "hm"}, "merge_request": {"iid": 1}});
    assert!(sent("gitlab", "Note Hook", &note).changes.is_empty());
}

#[test]
fn h_ch_02_commits_are_stored_oldest_first_however_they_are_listed() {
    let commit = |id: &str| json!({"id": id, "hash": id, "message": id, "author": {"name": id, "raw": id, "emailAddress": id}});
    let revisions = |parsed: Parsed| -> Vec<String> {
        parsed.changes.into_iter().filter_map(|change| change.revision).collect()
    };
    for (dialect, file, event, _) in
        PUSHES.into_iter().filter(|(dialect, ..)| !dialect.starts_with("bitbucket"))
    {
        for order in [["a", "b", "c"], ["c", "b", "a"]] {
            let mut payload = recorded(dialect, file);
            payload["commits"] = order.map(commit).into();
            payload["after"] = "c".into();
            assert_eq!(revisions(sent(dialect, event, &payload)), ["a", "b", "c"], "{dialect} {order:?}");
        }
        let mut payload = recorded(dialect, file);
        payload["commits"] = ["c", "b"].map(commit).into();
        payload["after"] = "x".into();
        assert_eq!(
            revisions(sent(dialect, event, &payload)),
            ["c", "b"],
            "{dialect}: nothing says which end is new"
        );
    }
    let mut payload = recorded("bitbucketcloud", "push.json");
    payload["push"]["changes"][0]["new"]["target"] = commit("c");
    payload["push"]["changes"][0]["commits"] = ["c", "b", "a"].map(commit).into();
    let parsed = sent("bitbucketcloud", "repo:push", &payload);
    assert_eq!(parsed.changes.iter().map(|change| change.who.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    payload["push"]["changes"][0]["commits"] = ["b", "a"].map(commit).into();
    assert_eq!(
        revisions(sent("bitbucketcloud", "repo:push", &payload)),
        ["c"],
        "without the target they are another's"
    );
    let mut payload = recorded("bitbucketserver", "refs-changed.json");
    payload["changes"][0]["toHash"] = "c".into();
    payload["commits"] = ["c", "b", "a"].map(commit).into();
    payload["commits"][1]["authorTimestamp"] = 1_700_000_000_123_i64.into();
    let parsed = sent("bitbucketserver", "repo:refs_changed", &payload);
    assert_eq!(parsed.changes[1].when, Timestamp::from_seconds(1_700_000_000));
    assert_eq!(
        parsed.changes.iter().map(|change| change.who.as_str()).collect::<Vec<_>>(),
        ["a <a>", "b <b>", "c <c>"]
    );
}
