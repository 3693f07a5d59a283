//! Rules of `googlecode` and `gitorious` that options and small payloads show.

use super::sent::{load, outcome, request};
use super::*;

/// The body of H-GC-08, to the byte.
const PUSH: &str = concat!(
    r#"{"repository_path":"https://code.example.com/p/carillon/","project_name":"carillon","revisions":["#,
    r#"{"added":["/a.c"],"parents":["00"],"author":"Ada \u003Cada@example.org\u003E","#,
    r#""url":"http://carillon.example.com/hg/68e5/","timestamp":1324082130,"message":"ring","path_count":2,"#,
    r#""removed":[],"modified":["/CMakeLists.txt"],"revision":"68e5df28"}],"revision_count":1}"#
);
const HMAC: &str = "google-code-project-hosting-hook-hmac";

fn google(options: &str, hmac: Option<&str>, body: &str) -> Result<Vec<Change>, (u16, String)> {
    let hook = post("text/plain", body);
    let hook = hmac.map_or(hook.clone(), |value| with_header(hook, HMAC, value));
    outcome("googlecode", options, hook).map(|parsed| parsed.changes)
}

#[test]
fn h_gc_04_without_a_key_all_pass_and_settings_warn() {
    assert_eq!(google("", None, PUSH).unwrap().len(), 1);
    assert_eq!(google("", Some("wrong"), PUSH).unwrap().len(), 1);
    let told = hooks("[change_hooks.dialects]\ngooglecode = true\n").1.join("\n");
    assert!(
        told.contains(
            "warning: change hook `googlecode`: without `secret_key` it takes what nobody has signed"
        ),
        "{told}"
    );
    let told = hooks("[change_hooks.dialects]\ngooglecode = { secret_key = { file = \"Cargo.toml\" } }\n").1;
    assert_eq!(told, [] as [&str; 0]);
}

#[test]
fn h_gc_05_required_fields() {
    for field in ["project_name", "repository_path", "revisions"] {
        let payload = without(&serde_json::from_str(PUSH).unwrap(), &format!("/{field}"));
        let refused = google("", None, &payload.to_string()).unwrap_err();
        assert_eq!(refused, (400, format!("googlecode: {field}: missing")));
    }
}

#[test]
fn h_gc_02_and_h_gc_06_and_h_gc_07_branch_and_src() {
    let change = google("branch = \"stable\"", None, PUSH).unwrap().remove(0);
    assert_eq!((change.branch.as_deref(), change.src.as_deref()), (Some("stable"), Some("Google Code")));
    assert_eq!(google("", None, PUSH).unwrap()[0].branch.as_deref(), Some("default"));
    let asked = RawHook { query: "project=p".into(), ..post("application/json", PUSH) };
    assert_eq!(outcome("googlecode", "", asked).unwrap().changes[0].project, "p", "H-GEN-17");
    let got = RawHook { method: Method::Get, ..post("", PUSH) };
    assert_eq!(outcome("googlecode", "", got).unwrap().changes.len(), 1, "H-GC-01");
}

#[test]
fn h_go_01_and_h_go_02_what_is_missing_is_told() {
    let none = outcome("gitorious", "", post("application/x-www-form-urlencoded", "a=b")).unwrap_err();
    assert_eq!(
        none,
        (400, "gitorious: no payload (send application/json, or a form field \"payload\")".to_owned())
    );
    for (pointer, path) in [
        ("/ref", "ref"),
        ("/repository/url", "repository.url"),
        ("/project/name", "project.name"),
        ("/commits", "commits"),
    ] {
        let payload = without(&load("gitorious", "push.json"), pointer);
        let refused = outcome("gitorious", "", request("gitorious", "", &payload)).unwrap_err();
        assert_eq!(refused, (400, format!("gitorious: {path}: missing")));
    }
}

#[test]
fn h_go_05_files_are_not_looked_at() {
    let mut payload = load("gitorious", "push.json");
    payload["commits"][0]["added"] = json!(["a"]);
    payload["commits"][0]["modified"] = json!(5);
    payload["commits"][0]["distinct"] = json!(false);
    let changes = outcome("gitorious", "", request("gitorious", "", &payload)).unwrap().changes;
    assert_eq!((changes.len(), changes[0].files.len()), (1, 0));
}
