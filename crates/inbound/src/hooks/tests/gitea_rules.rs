//! Rules of `gitea` and `forgejo` that options and small payloads show.

use hmac::{Hmac, KeyInit as _, Mac as _};

use super::sent::{load, outcome, request};
use super::*;

fn hex_of(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn h_xgt_02_and_h_gen_07_posts_only_and_create_and_delete_are_told_by_pushes() {
    for name in ["gitea", "forgejo"] {
        assert_eq!(dialects::dialect(name, "").methods(), [Method::Post]);
    }
    let event = |event: &str| outcome("gitea", "", request("gitea", event, &json!({}))).unwrap();
    assert_eq!(event("delete").note.as_deref(), Some("`delete' makes no changes"));
    assert_eq!(event("issues").note.as_deref(), Some("Ignored event: issues"));
    let forgejos = with_header(request("gitea", "push", &json!({})), "x-forgejo-event", "issues");
    assert_eq!(
        outcome("gitea", "", forgejos).unwrap().event.as_deref(),
        Some("issues"),
        "its own header first"
    );
    let unnamed = post("application/json", &load("gitea", "push.json").to_string());
    assert_eq!(outcome("gitea", "", unnamed).unwrap().changes.len(), 2);
}

#[test]
fn h_xgt_03_a_signature_of_either_name_over_the_payload() {
    let payload = load("gitea", "push.json").to_string();
    let right = hex_of("bell-tower", &payload);
    let json = post("application/json", &payload);
    let field: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload).finish();
    let form = post("application/x-www-form-urlencoded", &field);
    let status = |options: &str, hook: RawHook| {
        outcome("gitea", options, hook).map_or_else(|refused| refused.0, |_| 200)
    };
    let secret = "secret = \"bell-tower\"";
    for header in ["x-gitea-signature", "x-forgejo-signature", "x-gogs-signature"] {
        for hook in [&json, &form] {
            assert_eq!(status(secret, with_header(hook.clone(), header, &right)), 200, "{header}");
            assert_eq!(status(secret, with_header(hook.clone(), header, &hex_of("bell", &payload))), 403);
        }
    }
    let two = "secret = [\"new\", \"bell-tower\"]";
    assert_eq!(status(two, with_header(json.clone(), "x-gitea-signature", &right)), 200, "H-XALL-02");
    assert_eq!(status("", with_header(json.clone(), "x-gitea-signature", "00")), 200, "not looked at");
    let refused = |hook: RawHook| outcome("gitea", secret, hook).unwrap_err();
    assert_eq!(refused(json.clone()), (403, "Request has no required signature".to_owned()));
    assert_eq!(
        refused(with_header(json.clone(), "x-gitea-signature", "")).1,
        "Request has no required signature"
    );
    assert_eq!(refused(with_header(json.clone(), "x-gitea-signature", "xyz")).1, "Hash mismatch");
    let hub = |hex: &str| with_header(json.clone(), "x-hub-signature-256", &format!("sha256={hex}"));
    assert_eq!(
        (status(secret, hub(&right)), status(secret, hub("00"))),
        (200, 403),
        "GitHub's, in its absence"
    );
    let both = with_header(hub(&right), "x-gitea-signature", "00");
    assert_eq!(status(secret, both), 403, "but the forge's own comes first");
    assert_eq!(status("secret = \"bell-tower\"\nstrict = false", json.clone()), 200, "H-XGH-04");
    assert_eq!(status("secret = \"bell-tower\"", json.clone()), 403, "strict unless told otherwise");
}

#[test]
fn h_xgt_04_pull_requests_by_action() {
    let pull = |action: &str, options: &str| {
        let mut payload = load("gitea", "pull-request-opened.json");
        payload["action"] = action.into();
        outcome("gitea", options, request("gitea", "pull_request", &payload)).unwrap().changes
    };
    for action in ["opened", "reopened", "synchronized", "synchronize"] {
        assert_eq!(pull(action, "")[0].branch.as_deref(), Some("refs/pull/3/head"), "{action}");
    }
    for action in ["closed", "edited", "assigned", "label_updated", "milestoned", ""] {
        assert!(pull(action, "").is_empty(), "{action}");
    }
    let merged = pull("opened", "pullrequest_ref = \"merge\"\ncodebase = { \"gitea/webhooks\" = \"app\" }");
    assert_eq!(
        (merged[0].branch.as_deref(), merged[0].codebase.as_str()),
        (Some("refs/pull/3/merge"), "app")
    );
}

#[test]
fn h_xgt_01_options() {
    let push = |options: &str| {
        outcome("gitea", options, request("gitea", "push", &load("gitea", "push.json"))).unwrap().changes
    };
    assert_eq!(push("project_from_payload = true")[0].project, "gitea/webhooks");
    assert!(push("skips = [\"hooks\"]").is_empty());
    let listed = push("gitea_property_whitelist = [\"gitea.pusher.login\"]");
    assert_eq!(listed[0].properties.value("gitea.pusher.login"), Some(&json!("gitea")));
    let tag = request("gitea", "push", &load("gitea", "push-tag.json"));
    assert!(outcome("gitea", "tags = false", tag).unwrap().changes.is_empty());
    let told = hooks(
        "[change_hooks.dialects]\ngitea = { stricter = true }\nforgejo = { gitea_property_whitelist = [] }\n",
    )
    .1;
    assert!(told.len() == 2 && told.iter().all(|problem| problem.contains("error: unknown key")), "{told:?}");
}
