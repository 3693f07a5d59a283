//! The most that a tenant's settings may ask for: each has its error at check, and what counts while it runs its refusal.

use std::fmt::Write as _;

use reqwest::Method;
use serde_json::{Value, json};

use campanile_testing::{Engine, build_finished, http};

const OPERATOR: &str = "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"the-operators-own-token\"\n\n\
    [tenants]\ndir = \"tenants.d\"\n\n[tenants.limits]\ntokens = 2\nevent_bytes = \"64 KiB\"\n";
const SERVER: &str = "[server]\ntitle = \"acme\"\napi_token = \"acme-api-token\"\n";

async fn ask(engine: &Engine, token: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = http().request(method, format!("{}{path}", engine.url)).bearer_auth(token);
    let request = request.header("content-type", "application/json").body(body.to_string());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn put(engine: &Engine, settings: &str) -> (u16, String) {
    let body = json!({"settings": format!("{SERVER}{settings}")});
    let path = "/api/v1/tenants/acme";
    let (status, answer) = ask(engine, "the-operators-own-token", Method::PUT, path, &body).await;
    (status, answer["detail"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn m_ten_01_each_ceiling_is_an_error_at_its_line() {
    let engine = Engine::start(OPERATOR);
    let mail =
        |more: &str| format!("[[mail]]\nfromaddr = \"a@example.org\"\ntransport = \"file:outbox\"\n{more}\n");
    let poller = |interval: &str| {
        format!(
            "[[googlecode_atom_poller]]\nfeedurl = \"https://forge.example/feed\"\npoll_interval = {interval}\n"
        )
    };
    let hooks =
        |auth: &str| format!("[change_hooks]\nauth = '{auth}'\n[change_hooks.dialects]\nbase = true\n");
    let mut many = String::new();
    for number in 0..21 {
        write!(
            many,
            "[[googlecode_atom_poller]]\nname = \"p{number}\"\nfeedurl = \"https://forge.example/{number}\"\n"
        )
        .unwrap();
    }
    for (settings, told) in [
        (
            "[change_hooks]\nmax_body = \"100 GiB\"\n".to_owned(),
            "acme.toml:5: error: `max_body` may be 25 MiB at most",
        ),
        (
            mail("max_message_bytes = \"8 GiB\""),
            "acme.toml:7: error: `max_message_bytes` may be 25 MiB at most",
        ),
        (
            mail("max_attachment_bytes = \"8 GiB\""),
            "acme.toml:7: error: `max_attachment_bytes` may be 25 MiB at most",
        ),
        (poller("\"1ms\""), "acme.toml:6: error: `poll_interval` must be 10 s at least"),
        (poller("5"), "acme.toml:6: error: `poll_interval` must be 10 s at least"),
        (many, "21 pollers are more than `pollers` of the limits allows: 20"),
        (
            hooks("memory:u:$argon2id$v=19$m=700000,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"),
            "acme.toml:5: error: a password's hash costs too much",
        ),
        (
            hooks("memory:u:$2b$31$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123"),
            "acme.toml:5: error: a password's hash costs too much",
        ),
        (
            "[change_hooks.dialects]\ngithub = { skips = ['\\w{1000}'] }\n".to_owned(),
            "acme.toml:5: error: `skips`: a regular expression takes more than 1 MiB",
        ),
    ] {
        let (status, detail) = put(&engine, &settings).await;
        assert_eq!(status, 400, "{settings}: {detail}");
        assert!(detail.contains(told), "{settings}: {detail}");
    }
    // A file that is larger than settings may be, put there by hand.
    std::fs::create_dir_all(engine.folder.join("tenants.d")).unwrap();
    std::fs::write(engine.folder.join("tenants.d/zed.toml"), "#".repeat((1 << 20) + 1)).unwrap();
    engine.logs("zed.toml:1: error: cannot be read: it has more than 1048576 bytes").await;
    // The operator may do all that.
    assert_eq!(put(&engine, "").await.0, 200);
}

#[tokio::test]
async fn m_ten_02_tokens_and_events_have_their_limit() {
    let engine = Engine::start(OPERATOR);
    assert_eq!(put(&engine, "").await.0, 200);
    let wish = json!({"name": "one", "role": "read"});
    for wanted in [201, 201, 429] {
        let (status, answer) = ask(&engine, "acme-api-token", Method::POST, "/api/v1/tokens", &wish).await;
        assert_eq!(status, wanted, "{answer}");
    }
    let mut event = build_finished(1, "failure");
    assert_eq!(ask(&engine, "acme-api-token", Method::POST, "/api/v1/events", &event).await.0, 202);
    event["build"]["number"] = 2.into();
    event["build"]["reason"] = "x".repeat(70_000).into();
    let (status, answer) = ask(&engine, "acme-api-token", Method::POST, "/api/v1/events", &event).await;
    assert!(
        matches!(status, 413 | 429) && answer["detail"].as_str().unwrap().contains("`event_bytes`"),
        "{answer}"
    );
}

#[tokio::test]
async fn m_ten_03_files_are_opened_beneath_the_folder_and_pipes_hold_nobody() {
    let engine = Engine::start(OPERATOR);
    let own = engine.folder.join("tenants.d/acme");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(engine.folder.join("secret"), "the operator's").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(own.join("pipe")).status().unwrap().success());
    std::os::unix::fs::symlink(engine.folder.join("secret"), own.join("out")).unwrap();
    let github = |file: &str| format!("[change_hooks.dialects.github]\nsecret = {{ file = \"{file}\" }}\n");
    let page = |file: &str| {
        format!(
            "[[mail]]\nfromaddr = \"a@example.org\"\ntransport = \"file:outbox\"\ntemplate = {{ file = \"{file}\" }}\n"
        )
    };
    for (settings, told) in [
        (github("pipe"), "it is no regular file"),
        (page("pipe"), "it is no regular file"),
        ("[callbacks.l]\ncomponent = \"pipe\"\n".to_owned(), "it is no regular file"),
        (github("out"), "outside of this tenant's folder"),
        (page("out"), "outside of this tenant's folder"),
    ] {
        let (status, detail) = put(&engine, &settings).await;
        assert_eq!(status, 400, "{settings}: {detail}");
        assert!(detail.contains(told), "{settings}: {detail}");
    }
    assert_eq!(put(&engine, "").await.0, 200, "nobody waits for the pipe");
}

#[tokio::test]
async fn h_auth_10_a_verified_password_is_remembered_until_the_settings_change() {
    // Of `U*U` and `U*U*`, as bcrypt's first implementation is tested with.
    let first = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    let second = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK";
    let engine = Engine::start(OPERATOR);
    let hooks = |hash: &str| {
        format!("[change_hooks]\nauth = 'memory:ada:{hash}'\n[change_hooks.dialects]\nbase = true\n")
    };
    let sent = async |password: &str, number: u32| {
        let form = format!("author=ada&comments=ring&revision={number}");
        let request = http().post(format!("{}/t/acme/change_hook/base", engine.url)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.basic_auth("ada", Some(password)).send().await.unwrap().status().as_u16()
    };
    assert_eq!(put(&engine, &hooks(first)).await.0, 200);
    for number in 0..20 {
        let (right, wrong) = tokio::join!(sent("U*U", number), sent("U*U*", number));
        assert_eq!((right, wrong), (202, 401));
    }
    assert_eq!(put(&engine, &hooks(second)).await.0, 200);
    assert_eq!((sent("U*U", 30).await, sent("U*U*", 31).await), (401, 202));
}
