//! Rules of `bitbucket`, `bitbucketcloud` and `bitbucketserver` that options and small payloads show.

use super::sent::{load, outcome, request};
use super::*;

const CLOUD: &str = "bitbucketcloud";
const SERVER: &str = "bitbucketserver";

fn changes(name: &str, options: &str, event: &str, payload: &Value) -> Vec<Change> {
    outcome(name, options, request(name, event, payload)).unwrap().changes
}

// H-T-03, H-T-04.
#[test]
fn h_bb_01_webhooks_of_today_are_read_by_the_newer_rules() {
    for (name, file, event) in [
        (CLOUD, "push.json", "repo:push"),
        (CLOUD, "pull-request-created.json", "pullrequest:created"),
        (SERVER, "refs-changed.json", "repo:refs_changed"),
        (SERVER, "plugin-push.json", "repo:push"),
        (SERVER, "plugin-pull-request-created.json", "pullrequest:created"),
        (SERVER, "pull-request-opened.json", "pr:opened"),
    ] {
        let hook = request(name, event, &load(name, file));
        let handed = outcome("bitbucket", "", hook.clone()).unwrap();
        assert_eq!(Ok(handed), outcome(name, "", hook), "{name} {file}");
    }
    let unreadable = with_header(post("application/json", "{"), "x-event-key", "repo:push");
    assert_eq!(outcome("bitbucket", "", unreadable).unwrap_err().0, 400);
    let none = (400, "bitbucket: no payload (send application/json, or a form field \"payload\")".to_owned());
    assert_eq!(outcome("bitbucket", "", get("")).unwrap_err(), none);
}

#[test]
fn h_bb_02_one_slash_at_the_seam_and_one_at_the_end() {
    let repository = |host: &str, path: &str| {
        let mut payload = load("bitbucket", "push.json");
        payload["canon_url"] = host.into();
        payload["repository"]["absolute_url"] = path.into();
        let change = changes("bitbucket", "", "", &payload).remove(0);
        assert!(
            change.revlink.starts_with(&format!("{}commits/620a", change.repository)),
            "{}",
            change.revlink
        );
        change.repository
    };
    for (host, path) in [("https://b.org", "/m/x/"), ("https://b.org/", "/m/x"), ("https://b.org", "m/x")] {
        assert_eq!(repository(host, path), "https://b.org/m/x/");
    }
    let lacking = |pointer: &str| {
        let payload = without(&load("bitbucket", "push.json"), pointer);
        outcome("bitbucket", "", request("bitbucket", "", &payload)).unwrap_err().1
    };
    assert_eq!(lacking("/canon_url"), "bitbucket: canon_url: missing");
    assert_eq!(lacking("/repository/absolute_url"), "bitbucket: repository.absolute_url: missing");
    assert_eq!(lacking("/commits"), "bitbucket: commits: missing", "H-BB-03");
}

#[test]
fn h_bb_05_project_codebase_and_event() {
    let payload = load("bitbucket", "push.json");
    let asked = RawHook { query: "project=p&category=c".into(), ..request("bitbucket", "", &payload) };
    let asked = with_header(asked, "x-event-key", "repo:push");
    let parsed =
        outcome("bitbucket", "codebase = { \"https://bitbucket.org/marcus/project-x/\" = \"x\" }", asked)
            .unwrap();
    let change = &parsed.changes[0];
    assert_eq!((change.project.as_str(), change.codebase.as_str()), ("p", "x"), "H-BB-06");
    assert_eq!((change.category.as_deref(), change.src.as_deref()), (Some("c"), Some("git")));
    assert_eq!(change.properties.value("event"), Some(&json!("repo:push")));
    let plain = changes("bitbucket", "", "", &without(&payload, "/repository/scm")).remove(0);
    assert_eq!((plain.src, plain.properties.value("event")), (None, None));
}

#[test]
fn h_xbc_01_and_h_xbs_01_media_type_and_key() {
    for (name, text) in
        [(CLOUD, "Header X-Event-Key was not present"), (SERVER, "Header X-Event-Key is not present")]
    {
        assert_eq!(dialects::dialect(name, "").methods(), [Method::Post], "H-GEN-07");
        assert_eq!(outcome(name, "", post("application/json", "{}")).unwrap_err(), (400, text.to_owned()));
        let form = with_header(post("text/xml; charset=utf-8", "{}"), "x-event-key", "repo:push");
        assert_eq!(outcome(name, "", form).unwrap_err(), (400, "Unknown content type: text/xml".to_owned()));
        let form = with_header(post("application/x-www-form-urlencoded", "{}"), "x-event-key", "repo:push");
        assert_eq!(outcome(name, "", form).unwrap_err().0, 400);
        let ignored = outcome(name, "", request(name, "repo:imported", &json!({"a": 1}))).unwrap();
        assert_eq!(ignored.note.as_deref(), Some("Ignored event: repo:imported"), "H-XBC-06");
    }
    for body in ["", " ", "{}", "{\"test\": true}"] {
        let ping = with_header(post("application/json", body), "x-event-key", "diagnostics:ping");
        assert!(outcome(SERVER, "", ping).unwrap().changes.is_empty(), "{body}");
    }
    let empty = with_header(post("application/json", "{}"), "x-event-key", "repo:refs_changed");
    assert!(outcome(SERVER, "", empty).unwrap().changes.is_empty());
}

// H-XBS-01, H-BB-06: the same option in all three.
#[test]
fn h_xbc_02_signatures() {
    let body = r#"{"zen":"campanile","ok":true}"#;
    let right = "sha256=fcc8fa4e18aa6c8084e174339da8388e543cbc7ad034ce9fdd7702ba37c88af1";
    for name in [CLOUD, SERVER, "bitbucket"] {
        let sent = |signature: Option<&str>| {
            let hook = with_header(post("application/json", body), "x-event-key", "repo:fork");
            let hook = signature.map_or(hook.clone(), |value| with_header(hook, "x-hub-signature", value));
            outcome(name, "secret = [\"new\", \"bell-tower\"]", hook).map(|parsed| parsed.changes.len())
        };
        assert_eq!(sent(Some(right)), Ok(0), "{name}: H-XALL-02");
        assert_eq!(sent(None), Err((403, "Request has no required signature".to_owned())));
        assert_eq!(sent(Some("sha256=00")), Err((403, "Hash mismatch".to_owned())));
        assert_eq!(
            sent(Some("00")),
            Err((403, "Wrong signature format: it must be `sha256=` and hex digits".to_owned()))
        );
    }
}

#[test]
fn h_xbc_03_addresses_and_what_is_missing() {
    let payload = load(CLOUD, "push.json");
    let html = changes(CLOUD, "repository_url = \"html\"", "repo:push", &payload).remove(0);
    assert_eq!(html.repository, "https://bitbucket.org/team_name/repo_name");
    let by_name = changes(CLOUD, "codebase = { \"team_name/repo_name\" = \"app\" }", "repo:push", &payload);
    assert_eq!(by_name[0].codebase, "app", "H-GEN-18");
    let mut bare = without(&payload, "/repository/project");
    bare["push"]["changes"][0]["new"]["target"] = json!({"hash": "709d"});
    bare["push"]["changes"][0]["new"]["type"] = "named_branch".into();
    let bare = changes(CLOUD, "", "repo:push", &bare).remove(0);
    assert_eq!((bare.comments.as_str(), bare.when), ("Bitbucket Cloud commit 709d", NOW));
    assert_eq!((bare.branch, bare.project.as_str()), (None, "none"));
    let mut neither = payload.clone();
    neither["push"]["changes"] = json!([{"new": null, "old": null}]);
    let refused = outcome(CLOUD, "", request(CLOUD, "repo:push", &neither)).unwrap_err();
    assert_eq!(refused, (400, "bitbucketcloud: push.changes[0].old: missing".to_owned()));
    neither["push"]["changes"] = json!([]);
    assert!(changes(CLOUD, "", "repo:push", &neither).is_empty());
}

#[test]
fn h_xbc_05_older_names_and_numbers_as_text() {
    let mut payload = load(CLOUD, "pull-request-created.json");
    let today = changes(CLOUD, "", "pullrequest:created", &payload);
    let pull = payload["pullrequest"].as_object_mut().unwrap();
    let (source, destination) = (pull.remove("source").unwrap(), pull.remove("destination").unwrap());
    let link = pull.remove("links").unwrap()["html"]["href"].clone();
    pull.extend([
        ("fromRef".to_owned(), source),
        ("toRef".to_owned(), destination),
        ("link".to_owned(), link),
        ("id".to_owned(), "1".into()),
    ]);
    assert_eq!(changes(CLOUD, "", "pullrequest:created", &payload), today);
    payload["pullrequest"]["id"] = "1/../2".into();
    let refused = outcome(CLOUD, "", request(CLOUD, "pullrequest:created", &payload)).unwrap_err();
    assert_eq!(refused.1, "bitbucketcloud: pullrequest.id: must be a number");
    let lacking = without(&payload, "/pullrequest/fromRef");
    let refused = outcome(CLOUD, "", request(CLOUD, "pullrequest:created", &lacking)).unwrap_err();
    assert_eq!(refused.1, "bitbucketcloud: pullrequest.source.commit.hash: missing");
}

#[test]
fn h_xbc_01_whitelisted_properties() {
    let options = "bitbucket_property_whitelist = [\"bitbucket.source.branch.*\", \"bitbucket.id\"]";
    let payload = load(CLOUD, "pull-request-created.json");
    let change = changes(CLOUD, options, "pullrequest:created", &payload).remove(0);
    assert_eq!(change.properties.value("bitbucket.source.branch.name"), Some(&json!("branch2")));
    assert_eq!(change.properties.value("bitbucket.id"), Some(&json!(1)));
}

// H-T-04: "browse" is a segment, not a set of letters.
#[test]
fn h_xbs_03_a_repository_whose_name_ends_in_letters_of_browse() {
    let mut payload = load(SERVER, "plugin-push.json");
    let mut repository = |link: &str| {
        payload["repository"]["links"]["self"][0]["href"] = link.into();
        changes(SERVER, "", "repo:push", &payload).remove(0).repository
    };
    assert_eq!(repository("https://b.org/repos/browser-bows/browse"), "https://b.org/repos/browser-bows/");
    assert_eq!(repository("https://b.org/repos/browse/browse"), "https://b.org/repos/browse/");
    assert_eq!(repository("https://b.org/repos/x/browse/"), "https://b.org/repos/x/");
    assert_eq!(repository("https://b.org/repos/x"), "https://b.org/repos/x/");
}

#[test]
fn h_xbs_02_both_keys_take_both_shapes() {
    for (file, count) in [("plugin-push.json", 1), ("refs-changed.json", 1)] {
        for key in ["repo:push", "repo:refs_changed"] {
            assert_eq!(changes(SERVER, "", key, &load(SERVER, file)).len(), count, "{file} as {key}");
        }
    }
    let refused = outcome(
        SERVER,
        "",
        request(SERVER, "repo:push", &json!({"repository": {"slug": "x", "project": {"key": "X"}}})),
    )
    .unwrap_err();
    assert_eq!(refused, (400, "bitbucketserver: changes: missing".to_owned()));
}

#[test]
fn h_xbs_05_pull_requests_by_key_in_both_shapes() {
    let native = load(SERVER, "pull-request-opened.json");
    let plugin = load(SERVER, "plugin-pull-request-created.json");
    let told = |key: &str, payload: &Value| {
        let change = changes(SERVER, "", key, payload).remove(0);
        (change.category.unwrap(), change.branch.unwrap())
    };
    let pair = |category: &str, branch: &str| (category.to_owned(), branch.to_owned());
    assert_eq!(told("pr:from_ref_updated", &native), pair("pull-updated", "refs/pull-requests/1/merge"));
    assert_eq!(told("pr:merged", &native), pair("pull-fulfilled", "refs/heads/master"));
    assert_eq!(told("pr:declined", &native), pair("pull-rejected", "refs/heads/a-branch"));
    assert_eq!(told("pullrequest:updated", &plugin), pair("pull-updated", "refs/pull-requests/21/merge"));
    assert_eq!(told("pullrequest:fulfilled", &plugin), pair("pull-fulfilled", "refs/heads/main"));
    assert_eq!(told("pullrequest:rejected", &plugin), pair("pull-rejected", "refs/heads/louder"));
    for key in ["pr:modified", "pr:comment:added", "pr:deleted", "pr:reviewer:approved"] {
        let parsed = outcome(SERVER, "", request(SERVER, key, &native)).unwrap();
        assert_eq!(parsed.note, Some(format!("Ignored event: {key}")));
    }
}
