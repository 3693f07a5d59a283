//! Requests as the forges of each dialect send them, for the tests of its rules.

use super::*;

/// The payload of a recorded request.
pub(super) fn load(dialect: &str, file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/hooks").join(dialect).join(file);
    let mut recorded: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    recorded["payload"].take()
}

/// The text where the payload belongs, under the header that names events.
pub(super) fn request(dialect: &str, event: &str, payload: &Value) -> RawHook {
    let header = match dialect {
        "gitlab" => "x-gitlab-event",
        "gitea" => "x-gitea-event",
        "forgejo" => "x-forgejo-event",
        "bitbucketcloud" | "bitbucketserver" => "x-event-key",
        "bitbucket" | "gitorious" => {
            let field = form_urlencoded::Serializer::new(String::new())
                .append_pair("payload", &payload.to_string())
                .finish();
            return post("application/x-www-form-urlencoded", &field);
        }
        _ => return post("application/json", &payload.to_string()),
    };
    with_header(post("application/json", &payload.to_string()), header, event)
}

/// Outcome of a request at a dialect with these options, or status and text of its refusal.
pub(super) fn outcome(name: &str, options: &str, hook: RawHook) -> Result<Parsed, (u16, String)> {
    run(dialects::dialect(name, options).as_ref(), hook)
        .map_err(|rejection| (rejection.status, rejection.message))
}
