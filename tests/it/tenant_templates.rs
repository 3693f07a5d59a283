//! Templates of tenants that would end the engine, or hold it for ever: they end their own rendering, and nobody notices.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use campanile_testing::{Engine, build_finished, http, patiently};

const OPERATOR: &str = "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"the-operators-own-token\"\n\n\
    [tenants]\ndir = \"tenants.d\"\n";

/// Nests lists, which overflows the stack of whoever writes them.
const DEEP: &str = "{% set ns = namespace(x=[1]) %}{% for i in range(60000) %}{% set ns.x = [[[[ns.x]]]] %}{% endfor %}\
    {{ ns.x|tojson }}";
/// Doubles a list that is never there as a whole, and counts its entries.
const ENDLESS: &str = "{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x|length }}";

fn settings(name: &str, template: &str) -> String {
    format!(
        "[server]\ntitle = \"{name}\"\napi_token = \"{name}-api-token\"\n\n[[mail]]\nname = \"dev\"\n\
         fromaddr = \"{name}@example.org\"\ntransport = \"file:outbox\"\nextra_recipients = [\"ada@example.org\"]\n\
         template = '''{template}'''\n"
    )
}

async fn ask(engine: &Engine, token: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let mut request = http().request(method, format!("{}{path}", engine.url)).bearer_auth(token);
    if !body.is_null() {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn put(engine: &Engine, name: &str, template: &str) -> (u16, Value) {
    let path = format!("/api/v1/tenants/{name}");
    let body = json!({"settings": settings(name, template)});
    ask(engine, "the-operators-own-token", Method::PUT, &path, &body).await
}

/// Tells of a build of a tenant, and gives the mail about it.
async fn mailed(engine: &Engine, name: &str, number: u64) -> String {
    let folder = engine.folder.join("tenants.d").join(name).join("outbox");
    let mails = || {
        let files = std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut mails: Vec<_> =
            files.filter(|file| file.extension().is_some_and(|extension| extension == "eml")).collect();
        mails.sort();
        mails
    };
    let before = mails().len();
    let event = build_finished(number, "failure");
    assert_eq!(
        ask(engine, &format!("{name}-api-token"), Method::POST, "/api/v1/events", &event).await.0,
        202
    );
    let mail = patiently("the mail is written", async || mails().get(before).cloned()).await;
    std::fs::read_to_string(mail).unwrap().replace("=\r\n", "").replace("=\n", "")
}

/// The processes that render for an engine.
fn renderers(engine: &Engine) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", engine.process())).unwrap();
    let children = threads
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("children")).ok())
        .flat_map(|all| all.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    children
        .filter(|child| {
            let command = std::fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
            command.contains("render-templates")
        })
        .collect()
}

#[tokio::test]
async fn m_x_19_deep_and_endless_templates_are_refused_and_nobody_notices() {
    let engine = Engine::start(OPERATOR);
    assert_eq!(put(&engine, "bolt", "{{ result }} of {{ buildername }}").await.0, 200);
    assert!(mailed(&engine, "bolt", 1).await.contains("failure of linux"));
    for (template, told) in
        [(DEEP, "the process that rendered it died of it"), (ENDLESS, "it takes too long")]
    {
        let others = async {
            // Before that is answered, and while it is at it.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let asked = ask(&engine, "bolt-api-token", Method::GET, "/api/v1/builds", &Value::Null);
            asked.await.0
        };
        let ((status, answer), seen) = tokio::join!(put(&engine, "acme", template), others);
        assert_eq!((status, seen), (400, 200), "{answer}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains("acme.toml:10: error") && detail.contains(told), "{detail}");
    }
    assert!(!engine.folder.join("tenants.d/acme.toml").exists(), "nothing of it is kept");
    assert!(mailed(&engine, "bolt", 2).await.contains("failure of linux"));
}

#[tokio::test]
async fn m_x_19_a_start_survives_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tenants.d")).unwrap();
    for (name, template) in [("acme", DEEP), ("cord", ENDLESS), ("bolt", "{{ result }}")] {
        std::fs::write(folder.path().join(format!("tenants.d/{name}.toml")), settings(name, template))
            .unwrap();
    }
    let engine = Engine::start_in(folder.path(), OPERATOR, &[]);
    let log = engine.log();
    assert_eq!(log.matches("tenant's settings have errors").count(), 2, "{log}");
    assert!(mailed(&engine, "bolt", 1).await.contains("failure"));
}

#[tokio::test]
async fn m_x_19_one_that_fails_with_a_build_costs_that_mail_its_form() {
    let engine = Engine::start(OPERATOR);
    let only =
        |template: &str| format!("{{% if number == 66 %}}{template}{{% endif %}}{{{{ result }}}} at last");
    for (name, template) in [("acme", DEEP), ("cord", ENDLESS)] {
        let (status, answer) = put(&engine, name, &only(template)).await;
        assert_eq!(status, 200, "{answer}");
        assert!(mailed(&engine, name, 1).await.contains("failure at last"));
        let mail = mailed(&engine, name, 66).await;
        assert!(mail.contains("The template failed: ") && mail.contains("it takes too long"), "{mail}");
        assert!(mail.contains("This is the built-in text."), "{mail}");
        assert!(mailed(&engine, name, 67).await.contains("failure at last"), "the next one is as ever");
    }
    // So is one whose renderer somebody has killed; and there are not more of them than needed.
    let all = renderers(&engine);
    assert!((1..=3).contains(&all.len()), "{all:?}");
    for process in all {
        let _ = std::process::Command::new("kill").args(["-9", &process]).status();
    }
    assert!(mailed(&engine, "acme", 68).await.contains("failure at last"));
}
