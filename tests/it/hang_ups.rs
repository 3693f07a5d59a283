//! Clients that hang up: what they asked for is done to its end, with its entry in the audit log, or not at all.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use campanile_testing::{Engine, patiently};

const SETTINGS: &str = "[server]\nlisten = \"127.0.0.1:0\"\n\n[tenants]\ndir = \"tenants.d\"\n\n\
    [[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
    extra_recipients = [\"ada@example.org\"]\nmode = \"all\"\n";

/// Sends a whole request, and closes the socket after a time that is too short for the answer.
async fn ask_and_hang_up(engine: &Engine, method: &str, path: &str, body: &Value, after: Duration) {
    let address = engine.url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    tokio::time::sleep(after).await;
}

/// The entries of the audit log that begin like this.
async fn audited(engine: &Engine, what: &str) -> Vec<Value> {
    let log = engine.get("/api/v1/audit?limit=500").await;
    let entries = log["audit"].as_array().unwrap().iter();
    entries.filter(|entry| entry["what"].as_str().unwrap().starts_with(what)).cloned().collect()
}

#[tokio::test]
async fn m_aud_01_sixty_retries_are_done_and_audited_though_nobody_waits_for_them() {
    let engine = Engine::start(SETTINGS);
    for number in 1..=60 {
        engine.build(number, "failure").await;
    }
    let delivered = async |attempts: u64| {
        patiently("all are delivered", async || {
            let all = engine.deliveries().await;
            let done = |delivery: &&Value| {
                delivery["state"] == "delivered" && delivery["attempts"].as_u64() == Some(attempts)
            };
            (all.iter().filter(done).count() == 60).then_some(all)
        })
        .await
    };
    for delivery in delivered(1).await {
        let path = format!("/api/v1/deliveries/{}/retry", delivery["id"]);
        ask_and_hang_up(&engine, "POST", &path, &Value::Null, Duration::from_micros(1_500)).await;
    }
    delivered(2).await;
    let entries = patiently("all are audited", async || {
        let entries = audited(&engine, "POST /api/v1/deliveries/").await;
        (entries.len() == 60).then_some(entries)
    })
    .await;
    assert!(entries.iter().all(|entry| entry["answer"] == "200 OK"), "{entries:?}");

    // Whatever else changes something.
    let hang_up = async |method: &str, path: &str, body: Value| {
        ask_and_hang_up(&engine, method, path, &body, Duration::from_micros(500)).await;
    };
    for number in 1..=20 {
        hang_up("POST", "/api/v1/tokens", json!({"name": format!("t{number}"), "role": "read"})).await;
        hang_up("POST", "/api/v1/deliveries/drop", json!({"target": "dev"})).await;
        hang_up("PUT", &format!("/api/v1/tenants/t{number}"), json!({"settings": ""})).await;
        let build = json!({"event": "buildFinished", "build": {"builder": "hasty", "number": number, "results": "success"}});
        hang_up("POST", "/api/v1/events", build).await;
    }
    for what in ["POST /api/v1/tokens", "POST /api/v1/deliveries/drop", "PUT /api/v1/tenants/"] {
        patiently(what, async || (audited(&engine, what).await.len() == 20).then_some(())).await;
    }
    assert_eq!(engine.get("/api/v1/tokens").await["tokens"].as_array().unwrap().len(), 20);
    assert_eq!(engine.get("/api/v1/tenants").await["tenants"].as_array().unwrap().len(), 21);
    let hasty = async || engine.get("/api/v1/builds?builder=hasty").await["builds"].as_array().unwrap().len();
    patiently("all builds are taken", async || (hasty().await == 20).then_some(())).await;
}

#[tokio::test]
async fn m_aud_02_bad_settings_of_a_tenant_are_nowhere_at_no_time() {
    let engine = Engine::start(SETTINGS);
    let dir = engine.folder.join("tenants.d");
    let files = || -> Vec<String> {
        let entries = std::fs::read_dir(&dir).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let bad =
        json!({"settings": "[[mail]]\nfromaddr = { file = \"secrets/from\" }\n", "secrets": {"from": "x"}});
    for number in 0..30_u32 {
        let after = Duration::from_micros(200) * number;
        ask_and_hang_up(&engine, "PUT", "/api/v1/tenants/x", &bad, after).await;
        assert!(!files().iter().any(|file| file == "x.toml" || file == "x"), "{:?}", files());
    }
    patiently("all are audited", async || {
        let entries = audited(&engine, "PUT /api/v1/tenants/x").await;
        assert!(entries.iter().all(|entry| entry["answer"] == "400 Bad Request"), "{entries:?}");
        (entries.len() == 30).then_some(())
    })
    .await;
    assert_eq!(files(), [""; 0]);
    assert_eq!(engine.get("/api/v1/tenants").await["tenants"].as_array().unwrap().len(), 1);

    // A component that can't be loaded is found out before anything is there, too.
    let lost = json!({"settings": "[callbacks.packer]\ncomponent = \"secrets/packer\"\n", "secrets": {"packer": "x"}});
    ask_and_hang_up(&engine, "PUT", "/api/v1/tenants/y", &lost, Duration::from_millis(1)).await;
    patiently("it is refused", async || {
        let entries = audited(&engine, "PUT /api/v1/tenants/y").await;
        entries.iter().any(|entry| entry["answer"] == "400 Bad Request").then_some(())
    })
    .await;
    assert_eq!(files(), [""; 0]);

    // Good ones find the secrets that came with them, and nothing is left beside them.
    let good = json!({"settings": "[server]\napi_token = { file = \"secrets/api\" }\n", "secrets": {"api": "acmes-own-token"}});
    ask_and_hang_up(&engine, "PUT", "/api/v1/tenants/acme", &good, Duration::from_millis(1)).await;
    patiently("it is audited", async || {
        let entries = audited(&engine, "PUT /api/v1/tenants/acme").await;
        entries.iter().any(|entry| entry["answer"] == "200 OK").then_some(())
    })
    .await;
    let mut left = files();
    left.sort();
    assert_eq!(left, ["acme", "acme.toml"]);
    assert_eq!(std::fs::read_to_string(dir.join("acme/secrets/api")).unwrap(), "acmes-own-token");
}
