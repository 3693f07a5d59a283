//! Payloads as the query of `README.md` makes them, whole and broken.

use super::parse;
use campanile_guest::testing::hook_post;
use campanile_guest::{Parsed, Rejection};
use serde_json::{Value, json};

fn payload() -> Value {
    json!({"data": {"webhook": {
        "uuid": "b3c3c2a5-67bd-4b6e-8a0c-2f6f5d0c1b11",
        "event": "GIT_POST_RECEIVE",
        "date": "2024-05-01T10:00:00Z",
        "repository": {"name": "quad", "owner": {"canonicalName": "~alice"}},
        "pusher": {"canonicalName": "~bob"},
        "updates": [{
            "ref": {"name": "refs/heads/main"},
            "old": {"id": "1111111111111111111111111111111111111111"},
            "new": {
                "id": "2222222222222222222222222222222222222222",
                "author": {"name": "Alice", "email": "alice@example.org", "time": "2024-05-01T08:00:00Z"},
                "committer": {"name": "Bob", "email": "bob@example.org", "time": "2024-05-01T11:30:00+02:00"},
                "message": "Fix it\n\nFor good.\n"
            },
            "diff": "diff --git a/src/main.c b/src/main.c\n--- a/src/main.c\n+++ b/src/main.c\n@@ -1 +1 @@\n-a\n+b\n"
        }]
    }}})
}

fn parsed(payload: &Value) -> Result<Parsed, Rejection> {
    parse(&hook_post(&payload.to_string()), "{}")
}

fn update(change: impl FnOnce(&mut Value)) -> Value {
    let mut payload = payload();
    change(&mut payload["data"]["webhook"]["updates"][0]);
    payload
}

#[test]
fn a_push_is_a_change() {
    let parsed = parsed(&payload()).expect("the payload is whole");
    assert_eq!((parsed.src.as_deref(), parsed.note), (Some("git"), None));
    let [change] = &*parsed.changes else { panic!("{} changes", parsed.changes.len()) };
    assert_eq!(change.who, "Alice <alice@example.org>");
    assert_eq!(change.committer.as_deref(), Some("Bob <bob@example.org>"));
    assert_eq!(change.revision.as_deref(), Some("2222222222222222222222222222222222222222"));
    assert_eq!(change.branch.as_deref(), Some("main"));
    assert_eq!(change.when, 1_714_555_800.0);
    assert_eq!(change.files, ["src/main.c"]);
    assert_eq!(change.comments, "Fix it\n\nFor good.\n");
    assert_eq!(change.repository, "https://git.sr.ht/~alice/quad");
    assert_eq!(change.project, "~alice/quad");
    assert_eq!(change.category, None);
    assert_eq!(
        change.revlink.as_deref(),
        Some("https://git.sr.ht/~alice/quad/commit/2222222222222222222222222222222222222222")
    );
    assert_eq!(
        (&*change.properties[0].name, &*change.properties[0].value),
        ("event", "\"GIT_POST_RECEIVE\"")
    );
}

#[test]
fn the_settings_say_where_and_what() {
    let options = r#"{"origin": "https://git.example.org", "project": "quad", "codebase": "main"}"#;
    let parsed = parse(&hook_post(&payload().to_string()), options).expect("the payload is whole");
    let change = &parsed.changes[0];
    assert_eq!(change.repository, "https://git.example.org/~alice/quad");
    assert_eq!((&*change.project, &*change.codebase), ("quad", "main"));
}

#[test]
fn a_tag_is_marked_and_may_have_no_author() {
    let payload = update(|update| {
        update["ref"]["name"] = json!("refs/tags/v1");
        update["new"] = json!({"id": "3333333333333333333333333333333333333333"});
        update["diff"] = Value::Null;
    });
    let parsed = parsed(&payload).expect("the payload is whole");
    let change = &parsed.changes[0];
    assert_eq!((change.branch.as_deref(), change.category.as_deref()), (Some("v1"), Some("tag")));
    assert_eq!((&*change.who, change.when), ("~bob", 1_714_557_600.0));
    assert!(change.files.is_empty() && change.comments.is_empty() && change.committer.is_none());
}

#[test]
fn what_makes_no_change_is_noted() {
    for (payload, note) in [
        (update(|update| update["new"] = Value::Null), "`refs/heads/main` was deleted"),
        (update(|update| update["ref"] = Value::Null), "a reference was deleted"),
        (update(|update| update["ref"]["name"] = json!("refs/notes/x")), "neither a branch nor a tag"),
    ] {
        let parsed = parsed(&payload).expect("the payload is whole");
        assert!(parsed.changes.is_empty());
        assert!(parsed.note.as_deref().is_some_and(|text| text.contains(note)), "{:?}", parsed.note);
    }
}

#[test]
fn other_events_are_ignored_by_name() {
    for event in ["REPO_CREATED", "REPO_UPDATE", "REPO_DELETED", "GIT_PRE_RECEIVE"] {
        let parsed = parsed(&json!({"data": {"webhook": {"event": event}}})).expect("the payload is whole");
        assert_eq!(parsed.note, Some(format!("Ignored event: {event}")));
    }
}

#[test]
fn the_event_may_be_in_the_header_alone() {
    let mut request = hook_post("{\"data\": {\"webhook\": {}}}");
    request.headers.push(("X-Webhook-Event".to_owned(), "REPO_UPDATE".to_owned()));
    let parsed = parse(&request, "").expect("the payload is whole");
    assert_eq!(parsed.note.as_deref(), Some("Ignored event: REPO_UPDATE"));
}

#[test]
fn bad_payloads_are_refused_with_the_place() {
    for (payload, place) in [
        (json!({"errors": [{"message": "no such field"}], "data": null}), "no such field"),
        (json!([]), "data.webhook"),
        (json!({"data": {"webhook": 1}}), "`data.webhook` must be an object"),
        (json!({"data": {"webhook": {}}}), "data.webhook.event"),
        (update(|update| update["ref"] = json!({})), "data.webhook.updates[0].ref.name"),
        (update(|update| update["new"]["id"] = json!(7)), "`data.webhook.updates[0].new.id` must be a text"),
        (update(|update| update["new"]["author"]["time"] = json!("noon")), "updates[0].new.author.time"),
        (update(|update| update["diff"] = json!([])), "updates[0].diff"),
    ] {
        // The committer's time would be found first.
        let mut payload = payload;
        if let Some(commit) =
            payload.pointer_mut("/data/webhook/updates/0/new").and_then(Value::as_object_mut)
        {
            commit.remove("committer");
        }
        let rejection = parsed(&payload).expect_err(place);
        assert_eq!(rejection.status, 400);
        assert!(rejection.message.contains(place), "{}", rejection.message);
    }
    for member in ["repository", "updates"] {
        let mut payload = payload();
        payload["data"]["webhook"].as_object_mut().expect("it is one").remove(member);
        let rejection = parsed(&payload).expect_err(member);
        assert!(rejection.message.contains(member), "{}", rejection.message);
    }
    let rejection = parse(&hook_post("not json"), "").expect_err("it is no JSON");
    assert_eq!(rejection.status, 400);
}

#[test]
fn only_posts_are_taken() {
    let mut request = hook_post("");
    request.method = "GET".to_owned();
    assert_eq!(parse(&request, "").expect_err("a GET").status, 405);
}
