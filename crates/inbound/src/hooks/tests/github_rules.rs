//! Rules of `github` that options and small payloads show.

use super::*;

fn commit(id: &str) -> Value {
    json!({"id": id, "message": format!("message of {id}"), "timestamp": "2019-05-15T15:20:30Z"})
}

fn push(changes: &Value) -> Value {
    let mut push = json!({
        "ref": "refs/heads/main",
        "repository": {"url": "https://git.example.org/a/b", "full_name": "a/b"},
        "commits": [commit("c1"), commit("c2")],
    });
    for (key, value) in changes.as_object().unwrap() {
        push[key] = value.clone();
    }
    push
}

fn parsed(options: &str, changes: &Value) -> Parsed {
    run(github(options).as_ref(), sent("push", &push(changes))).unwrap()
}

fn revisions(parsed: &Parsed) -> Vec<&str> {
    parsed.changes.iter().filter_map(|change| change.revision.as_deref()).collect()
}

fn refused(hook: RawHook) -> (u16, String) {
    let rejection = run(github("").as_ref(), hook).unwrap_err();
    (rejection.status, rejection.message)
}

#[test]
fn h_gh_01_what_is_no_payload_is_told() {
    let none = (400, "github: no payload (send application/json, or a form field \"payload\")".to_owned());
    assert_eq!(refused(get("")), none);
    assert_eq!(refused(post("application/json", " ")), none);
    assert_eq!(refused(post("application/x-www-form-urlencoded", "a=b")), none);
    let query = RawHook { query: "payload={}".into(), ..post("application/x-www-form-urlencoded", "") };
    assert_eq!(refused(query), none, "a signature does not cover the query");
    let type_ = "text/Plain; charset=utf-8";
    assert_eq!(refused(post(type_, "{}")), (400, "Unknown content type: text/Plain".to_owned()));
    assert!(refused(post("application/json", "{")).1.starts_with("github: payload: not JSON: "));
    assert_eq!(refused(post("application/json", "5")).1, "github: payload: must be an object, not a number");
}

#[test]
fn h_gh_02_required_fields() {
    let lacking =
        |pointer: &str| refused(sent("push", &without(&push(&json!({"commits": [commit("c")]})), pointer)));
    assert_eq!(lacking("/ref"), (400, "github: ref: missing".to_owned()));
    assert_eq!(lacking("/repository/url").1, "github: repository.url: missing");
    assert_eq!(lacking("/repository").1, "github: repository.url: missing");
    assert_eq!(lacking("/commits").1, "github: commits: missing");
    assert_eq!(lacking("/commits/0/id").1, "github: commits[0].id: missing");
    assert_eq!(lacking("/commits/0/message").1, "github: commits[0].message: missing");
    let null = push(&json!({"commits": [null]}));
    assert_eq!(refused(sent("push", &null)).1, "github: commits[0]: missing");
}

/// A branch may have slashes.
#[test]
fn h_gh_05_h_gh_06_other_refs_make_no_changes() {
    for name in ["refs/notes/x", "refs/heads/", "refs/tags/", "main", ""] {
        let parsed = parsed("", &json!({"ref": name, "commits": null, "repository": null}));
        assert_eq!(parsed.note, Some(format!("`{name}' is neither a branch nor a tag")));
    }
    assert_eq!(parsed("", &json!({"ref": "refs/heads/a/b"})).changes[0].branch.as_deref(), Some("a/b"));
}

#[test]
fn h_gh_07_and_h_t_12_deletions_of_40_and_64_zeros() {
    for after in ["0".repeat(40), "0".repeat(64), String::new()] {
        let parsed = parsed("", &json!({"after": after}));
        assert_eq!((parsed.changes.len(), parsed.note.as_deref()), (0, Some("branch `main' deleted")));
    }
    assert!(parsed("", &json!({"deleted": true})).changes.is_empty());
    assert_eq!(parsed("", &json!({"deleted": false, "after": "c2"})).changes.len(), 2);
}

#[test]
fn h_gh_08_and_h_xgh_08_an_empty_push_counts_by_its_head_commit() {
    let nothing = parsed("", &json!({"commits": []}));
    assert_eq!(nothing.note.as_deref(), Some("no commits in the push to `main'"));
    let mut head = commit("h");
    head["distinct"] = false.into();
    assert_eq!(revisions(&parsed("", &json!({"commits": [], "head_commit": head}))), ["h"]);
    let created = json!({"created": true, "head_commit": head});
    assert_eq!(revisions(&parsed("", &created)), ["c1", "c2"], "commits win over the head commit");
}

/// And the property that says so.
#[test]
fn h_gh_09_h_gh_11_commits_that_are_not_distinct() {
    let mut old = commit("old");
    old["distinct"] = false.into();
    let commits = json!({"commits": [old, commit("new")]});
    assert_eq!(revisions(&parsed("", &commits)), ["new"]);
    let kept = parsed("keep_non_distinct = true", &commits);
    assert_eq!(revisions(&kept), ["old", "new"]);
    let flags: Vec<_> =
        kept.changes.iter().map(|change| change.properties.value("github_distinct").cloned()).collect();
    assert_eq!(flags, [Some(false.into()), Some(true.into())]);
    let change = serde_json::to_value(&kept.changes[0]).unwrap();
    assert_eq!((&change["src"], &change["category"]), (&"git".into(), &Value::Null));
    assert_eq!(kept.changes[0].properties.value("event"), Some(&"push".into()));
    let forward = json!({"commits": [old]});
    assert_eq!(revisions(&parsed("", &forward)), ["old"], "a branch that moves forward is told");
    assert_eq!(revisions(&parsed("keep_non_distinct = false", &commits)), ["new"]);
    let none = parsed("keep_non_distinct = false", &forward);
    assert_eq!(none.note.as_deref(), Some("no distinct commits in the push to `main'"));
}

#[test]
fn h_gh_10_defaults_and_dates_of_a_commit() {
    let change = |extra: Value| {
        let mut commit = json!({"id": 42, "message": ""});
        commit.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        run(github("").as_ref(), sent("push", &push(&json!({"commits": [commit]}))))
            .map(|mut parsed| parsed.changes.remove(0))
    };
    let plain = change(json!({})).unwrap();
    assert_eq!((plain.revision.as_deref(), plain.when, plain.who.as_str()), (Some("42"), NOW, ""));
    assert_eq!((plain.committer, plain.revlink.as_str(), plain.files.len()), (None, "", 0));
    assert_eq!(change(json!({"timestamp": "2999-01-01T00:00:00Z"})).unwrap().when, NOW, "m_ch_02");
    let error = change(json!({"timestamp": "yesterday"})).unwrap_err().message;
    assert!(error.starts_with("github: commits[0].timestamp: `yesterday` is not a date"), "{error}");
    let hostile =
        json!({"author": {"name": "Ada\nX-Evil: 1", "email": "a\r\n@b"}, "committer": {"name": " \n"}});
    let hostile = change(hostile).unwrap();
    assert_eq!((hostile.who.as_str(), hostile.committer), ("Ada X-Evil: 1 <a @b>", None));
}

#[test]
fn h_gen_17_and_h_gh_04_project_by_query_option_or_blank() {
    assert_eq!(parsed("", &json!({})).changes[0].project, "");
    assert_eq!(parsed("project_from_payload = true", &json!({})).changes[0].project, "a/b");
    let hook = RawHook { query: "project=&codebase=q&category=c".into(), ..sent("push", &push(&json!({}))) };
    let parsed = run(github("project_from_payload = true\ncodebase = \"o\"").as_ref(), hook).unwrap();
    for change in &parsed.changes {
        assert_eq!((change.project.as_str(), change.codebase.as_str()), ("", "q"));
        assert_eq!(change.category.as_deref(), Some("c"));
    }
}

#[test]
fn h_gen_18_codebase_for_all_or_by_repository() {
    let codebase = |options: &str| parsed(options, &json!({})).changes[0].codebase.clone();
    assert_eq!(codebase(""), "");
    assert_eq!(codebase("codebase = \"all\""), "all");
    assert_eq!(codebase("codebase = { \"a/b\" = \"name\" }"), "name");
    assert_eq!(
        codebase("codebase = { \"a/b\" = \"name\", \"https://git.example.org/a/b\" = \"url\" }"),
        "url"
    );
    assert_eq!(codebase("codebase = { \"a/c\" = \"other\" }"), "");
}

#[test]
fn h_xgh_07_events() {
    let event = |name: &str| run(github("").as_ref(), sent(name, &json!({}))).unwrap();
    assert_eq!(event("issues").note.as_deref(), Some("Ignored event: issues"));
    assert_eq!(event("ping").note.as_deref(), Some("`ping' makes no changes"));
    assert!(event("workflow_run").changes.is_empty());
    let absent = post("application/json", &push(&json!({})).to_string());
    assert_eq!(run(github("").as_ref(), absent).unwrap().event.as_deref(), Some("push"));
}

#[test]
fn h_xgh_09_tags_can_be_turned_off() {
    let tag = json!({"ref": "refs/tags/v1"});
    let on = parsed("", &tag);
    assert_eq!(
        (on.changes[0].branch.as_deref(), on.changes[0].category.as_deref()),
        (Some("v1"), Some("tag"))
    );
    assert_eq!(parsed("tags = false", &tag).note.as_deref(), Some("tag `v1' ignored"));
}

#[test]
fn h_xgh_10_skips() {
    let head = |message: &str| json!({"head_commit": {"id": "c2", "message": message}});
    for message in ["x [ci skip]", "[ skip  ci ]\nmore"] {
        assert!(parsed("", &head(message)).changes.is_empty(), "{message}");
        assert_eq!(parsed("skips = []", &head(message)).changes.len(), 2);
    }
    assert_eq!(parsed("", &head("skip ci")).changes.len(), 2);
    assert!(parsed("skips = [\"^WIP\"]", &head("WIP: x")).changes.is_empty());
}

#[test]
fn h_xgh_11_pull_requests_by_action() {
    let pull = |action: &str, options: &str| {
        let mut payload = load("pull-request-opened.json");
        payload["action"] = action.into();
        payload["pull_request"]["updated_at"] = "2019-05-16T08:00:00Z".into();
        run(github(options).as_ref(), sent("pull_request", &payload)).unwrap().changes
    };
    assert_eq!(pull("opened", "")[0].when.as_seconds(), 1_557_933_633);
    for action in ["reopened", "synchronize"] {
        assert_eq!(pull(action, "")[0].when.as_seconds(), 1_557_993_600);
    }
    for action in ["closed", "edited", "labeled", "assigned", "review_requested", ""] {
        assert!(pull(action, "").is_empty(), "{action}");
    }
    assert_eq!(pull("opened", "pullrequest_ref = \"head\"")[0].branch.as_deref(), Some("refs/pull/2/head"));
    assert!(
        pull("opened", "skips = [\"README\"]").is_empty(),
        "h_xgh_13: the title stands in for the message"
    );
    let closed = json!({"action": "closed"});
    assert!(run(github("").as_ref(), sent("pull_request", &closed)).unwrap().changes.is_empty());
    let error = refused(sent("pull_request", &json!({"action": "opened"})));
    assert_eq!(error, (400, "github: number: missing".to_owned()));
}

#[test]
fn h_xgh_12_whitelisted_properties() {
    let names = |changes: &[Change]| -> Vec<String> {
        changes[0].properties.iter().map(|(name, _)| name.to_owned()).collect()
    };
    let options = "github_property_whitelist = [\"github.number\", \"github.base.repo.owner.l*\"]";
    let pull =
        run(github(options).as_ref(), sent("pull_request", &load("pull-request-opened.json"))).unwrap();
    let wanted = ["basename", "event", "github.base.repo.owner.login", "github.number", "pullrequesturl"];
    assert_eq!(names(&pull.changes), wanted);
    let push = parsed("github_property_whitelist = [\"github.repository.*\"]", &json!({}));
    let wanted = ["event", "github.repository.full_name", "github.repository.url", "github_distinct"];
    assert_eq!(names(&push.changes), wanted);
}

#[test]
fn h_xgh_12_properties_copied_to_each_commit_are_bounded() {
    let filler = "x".repeat(1 << 20);
    let commits: Vec<Value> = (0..80).map(|n| commit(&n.to_string())).collect();
    let payload = push(&json!({"filler": filler, "commits": commits}));
    let whole = github("github_property_whitelist = [\"github.filler\"]");
    assert_eq!(run(whole.as_ref(), sent("push", &payload)).unwrap_err().status, 400);
    assert_eq!(run(github("").as_ref(), sent("push", &payload)).unwrap().changes.len(), 80);
}

#[test]
fn h_xgh_04_signed_and_unsigned_requests() {
    let body = r#"{"zen":"campanile","ok":true}"#;
    let ping = || with_header(post("application/json", body), "x-github-event", "ping");
    let right = "sha256=fcc8fa4e18aa6c8084e174339da8388e543cbc7ad034ce9fdd7702ba37c88af1";
    let signed = |value: &str| with_header(ping(), "x-hub-signature-256", value);
    let status =
        |options: &str, hook: RawHook| run(github(options).as_ref(), hook).map_or_else(|e| e.status, |_| 200);
    let (loose, strict) = ("secret = \"bell-tower\"\nstrict = false", "secret = [\"new\", \"bell-tower\"]");
    for options in [loose, strict] {
        assert_eq!(status(options, signed(right)), 200);
        assert_eq!(status(options, signed("sha256=00")), 403);
    }
    assert_eq!((status(loose, ping()), status(strict, ping())), (200, 403));
    assert_eq!(status("", signed("sha256=00")), 200, "without a secret signatures are not looked at");
    assert_eq!((status(loose, get("payload={}")), status(strict, get("payload={}"))), (400, 403));
}
