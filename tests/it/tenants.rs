//! Tenants: they come, change and go while others work on; none sees, names or slows another.

use std::path::PathBuf;

use reqwest::Method;
use serde_json::{Value, json};

use campanile_testing::receiver::Receiver;
use campanile_testing::{Engine, build_finished, http, patiently};

const OPERATOR: &str = "the-operators-own-token";
const SETTINGS: &str = "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"the-operators-own-token\"\n\n\
    [change_hooks.dialects]\nbase = true\n\n[tenants]\ndir = \"tenants.d\"\n";

fn engine(more: &str) -> Engine {
    Engine::start(&format!("{SETTINGS}{more}"))
}

/// A tenant's settings: tokens of its own, open hooks, and mails that are written to its own folder.
fn settings(name: &str) -> String {
    format!(
        "[server]\ntitle = \"{name}\"\napi_token = \"{name}-api-token\"\nevents_token = \"{name}-events-token\"\n\n\
         [change_hooks.dialects]\nbase = true\n\n[[mail]]\nname = \"dev\"\nfromaddr = \"{name}@example.org\"\n\
         transport = \"file:outbox\"\nextra_recipients = [\"ada@example.org\"]\n"
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

async fn put(engine: &Engine, name: &str, settings: &str) -> (u16, Value) {
    let body = json!({"settings": settings});
    // Tokens stand in the settings themselves here, which is worth a warning.
    ask(engine, OPERATOR, Method::PUT, &format!("/api/v1/tenants/{name}"), &body).await
}

fn outbox(engine: &Engine, name: &str) -> Vec<PathBuf> {
    let folder = engine.folder.join("tenants.d").join(name).join("outbox");
    let files = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "eml")).collect()
}

async fn tell(engine: &Engine, token: &str, number: u64) -> u16 {
    ask(engine, token, Method::POST, "/api/v1/events", &build_finished(number, "failure")).await.0
}

#[tokio::test]
async fn tenants_come_change_and_go_by_their_files_and_by_the_api() {
    let engine = engine("");
    let dir = engine.folder.join("tenants.d");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("acme.toml"), settings("acme")).unwrap();
    patiently("the tenant is there", async || {
        (tell(&engine, "acme-events-token", 1).await == 202).then_some(())
    })
    .await;
    patiently("its mail is written", async || (outbox(&engine, "acme").len() == 1).then_some(())).await;
    let mail = std::fs::read_to_string(&outbox(&engine, "acme")[0]).unwrap();
    assert!(mail.contains("acme@example.org"), "{mail}");

    assert_eq!(put(&engine, "bolt", &settings("bolt")).await.0, 200);
    assert_eq!(tell(&engine, "bolt-events-token", 1).await, 202, "at once");
    let listed = ask(&engine, OPERATOR, Method::GET, "/api/v1/tenants", &Value::Null).await.1;
    let names: Vec<_> =
        listed["tenants"].as_array().unwrap().iter().map(|tenant| tenant["name"].clone()).collect();
    assert_eq!(names, ["default", "acme", "bolt"]);
    let acme = ask(&engine, OPERATOR, Method::GET, "/api/v1/tenants/acme", &Value::Null).await.1;
    assert_eq!((&acme["targets"], &acme["events_today"]), (&json!(["dev"]), &json!(1)));

    // An error leaves all as it was, by the API and by the file.
    let (status, refused) = put(&engine, "bolt", "[[mial]]\n").await;
    assert_eq!(status, 400);
    assert!(refused["detail"].as_str().unwrap().contains("bolt.toml:1"), "{refused}");
    std::fs::write(dir.join("acme.toml"), "[server]\ntitle = 7\n").unwrap();
    engine.logs("tenant's settings have errors: all stays as it was").await;
    assert_eq!(tell(&engine, "acme-events-token", 2).await, 202);
    assert_eq!(tell(&engine, "bolt-events-token", 2).await, 202);
    patiently("both are told", async || {
        (outbox(&engine, "acme").len() == 2 && outbox(&engine, "bolt").len() == 2).then_some(())
    })
    .await;

    // A file that has gone takes the tenant along, and not what is kept of it.
    std::fs::remove_file(dir.join("acme.toml")).unwrap();
    patiently("it has gone", async || (tell(&engine, "acme-events-token", 3).await == 401).then_some(()))
        .await;
    std::fs::write(dir.join("acme.toml"), settings("acme")).unwrap();
    patiently("it is back", async || (tell(&engine, "acme-events-token", 3).await == 202).then_some(()))
        .await;
    let builds = ask(&engine, "acme-api-token", Method::GET, "/api/v1/builds", &Value::Null).await.1;
    assert_eq!(builds["builds"].as_array().unwrap().len(), 3);

    // Who is removed leaves nothing to whoever is called the same.
    let removed = ask(&engine, OPERATOR, Method::DELETE, "/api/v1/tenants/acme", &Value::Null).await;
    assert_eq!(removed.0, 204, "{removed:?}");
    assert!(!dir.join("acme.toml").exists() && !dir.join("acme").exists());
    assert_eq!(tell(&engine, "acme-events-token", 4).await, 401);
    assert_eq!(put(&engine, "acme", &settings("acme")).await.0, 200);
    for list in ["builders", "builds", "changes", "deliveries", "audit", "tokens"] {
        let rows =
            ask(&engine, "acme-api-token", Method::GET, &format!("/api/v1/{list}"), &Value::Null).await.1;
        assert_eq!(rows[list], json!([]), "{list}");
    }
    let again = ask(&engine, OPERATOR, Method::DELETE, "/api/v1/tenants/nobody", &Value::Null).await;
    assert_eq!(again.0, 404);
}

/// Every route, with the token of one against the other.
#[tokio::test]
async fn no_tenant_reaches_another() {
    let engine =
        engine("[[mail]]\nname = \"dev\"\nfromaddr = \"op@example.org\"\ntransport = \"file:outbox\"\n");
    for name in ["acme", "bolt"] {
        assert_eq!(put(&engine, name, &settings(name)).await.0, 200);
    }
    // The same names everywhere: a builder, a build's number, a target, a token's name.
    assert_eq!(tell(&engine, "acme-events-token", 7).await, 202);
    patiently("it is told", async || (outbox(&engine, "acme").len() == 1).then_some(())).await;
    let deliveries = ask(&engine, "acme-api-token", Method::GET, "/api/v1/deliveries", &Value::Null).await.1;
    let id = deliveries["deliveries"][0]["id"].as_i64().unwrap();

    let none = Value::Null;
    let routes = [
        (Method::GET, "/audit".to_owned()),
        (Method::GET, "/builders".to_owned()),
        (Method::GET, "/builds".to_owned()),
        (Method::GET, "/builds/linux/7".to_owned()),
        (Method::GET, "/builds/linux/7/steps/compile/logs/stdio".to_owned()),
        (Method::GET, "/builds/linux/7/sample".to_owned()),
        (Method::GET, "/changes".to_owned()),
        (Method::GET, "/callbacks".to_owned()),
        (Method::GET, "/callbacks/html".to_owned()),
        (Method::PUT, "/callbacks/html".to_owned()),
        (Method::POST, "/callbacks/html/rollback".to_owned()),
        (Method::GET, "/callbacks/html/log".to_owned()),
        (Method::GET, "/deliveries".to_owned()),
        (Method::GET, format!("/deliveries/{id}")),
        (Method::POST, format!("/deliveries/{id}/retry")),
        (Method::GET, "/explain?about=linux%20%237".to_owned()),
        (Method::GET, "/tokens".to_owned()),
        (Method::POST, "/tokens".to_owned()),
        (Method::DELETE, "/tokens/x".to_owned()),
        (Method::GET, "/tenants".to_owned()),
        (Method::GET, "/tenants/acme".to_owned()),
        (Method::PUT, "/tenants/acme".to_owned()),
        (Method::DELETE, "/tenants/acme".to_owned()),
    ];
    for (method, route) in &routes {
        // At the other's address there is nothing, whatever is asked.
        for path in [format!("/t/acme/api/v1{route}"), format!("/t/nobody/api/v1{route}")] {
            let (status, answer) = ask(&engine, "bolt-api-token", method.clone(), &path, &none).await;
            assert_eq!(status, 404, "{method} {path}: {answer}");
            assert_eq!(answer["detail"], "there is no such page", "{method} {path}");
        }
        // At its own, what the other has is not there.
        let (status, answer) =
            ask(&engine, "bolt-api-token", method.clone(), &format!("/api/v1{route}"), &none).await;
        let told = answer.to_string();
        assert!(!told.contains("linux\"") && !told.contains("acme"), "{method} {route}: {told}");
        if route.starts_with("/tenants") {
            assert_eq!(status, 403, "{method} {route}: {told}");
        } else if route.contains("linux") || route.contains(&id.to_string()) || route.contains("html") {
            assert!(
                status == 404 || (status == 200 && answer["events"] == json!([])),
                "{method} {route}: {status} {told}"
            );
        }
    }
    assert_eq!(outbox(&engine, "acme").len(), 1, "nothing was retried");
    // Events and logs go to one's own only.
    let path = "/t/acme/api/v1/events";
    for token in ["bolt-events-token", "bolt-api-token", "no-token"] {
        let status = ask(&engine, token, Method::POST, path, &build_finished(8, "failure")).await.0;
        assert!(matches!(status, 401 | 404), "{token}: {status}");
    }
    // The token for events tells, and looks at nothing.
    assert_eq!(ask(&engine, "acme-events-token", Method::GET, "/api/v1/builds", &none).await.0, 403);
    // Tokens that a tenant makes are its own, and never over others.
    let wish = |role: &str| json!({"name": "more", "role": role});
    assert_eq!(ask(&engine, "bolt-api-token", Method::POST, "/api/v1/tokens", &wish("admin")).await.0, 403);
    let (status, made) = ask(&engine, OPERATOR, Method::POST, "/t/bolt/api/v1/tokens", &wish("admin")).await;
    assert_eq!(status, 201, "{made}");
    let token = made["token"].as_str().unwrap();
    assert_eq!(ask(&engine, token, Method::GET, "/t/bolt/api/v1/builds", &none).await.0, 200);
    for path in ["/t/acme/api/v1/builds", "/t/default/api/v1/builds"] {
        assert_eq!(ask(&engine, token, Method::GET, path, &none).await.0, 404, "{path}");
    }
    assert_eq!(ask(&engine, token, Method::GET, "/api/v1/tenants", &none).await.0, 403);
    // The operator looks at anybody's; nobody without a token does.
    let seen = ask(&engine, OPERATOR, Method::GET, "/t/acme/api/v1/builds/linux/7", &none).await;
    assert_eq!((seen.0, &seen.1["build"]["number"]), (200, &json!(7)));
    let open = http().get(format!("{}/t/acme/api/v1/builds", engine.url)).send().await.unwrap();
    assert_eq!(open.status(), 401);
    // Addresses that would lead elsewhere.
    for path in [
        "/t/acme/metrics",
        "/t/acme/healthz",
        "/t/acme/t/bolt/api/v1/builds",
        "/t/../api/v1/builds/x/1",
        "/t/ACME/api/v1/builds",
        "/t/acme/api/v1/tenants",
    ] {
        let status = ask(&engine, OPERATOR, Method::GET, path, &none).await.0;
        assert_eq!(status, 404, "{path}");
    }
}

/// Changes go to the tenant whose door it is.
#[tokio::test]
async fn a_tenants_hooks_are_its_own() {
    let engine = engine("");
    for name in ["acme", "bolt"] {
        assert_eq!(put(&engine, name, &settings(name)).await.0, 200);
    }
    let hook = async |path: &str| {
        let form = "author=ada&comments=ring&revision=1f0c2d";
        let sent = http().post(format!("{}{path}", engine.url)).body(form);
        sent.header("content-type", "application/x-www-form-urlencoded")
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(hook("/t/acme/change_hook/base").await, 202);
    assert_eq!(hook("/t/acme/change_hook/github").await, 401, "not enabled");
    assert_eq!(hook("/t/nobody/change_hook/base").await, 401);
    let changes = async |token: &str| {
        let answer = ask(&engine, token, Method::GET, "/api/v1/changes", &Value::Null).await.1;
        answer["changes"].as_array().unwrap().len()
    };
    assert_eq!(
        (changes("acme-api-token").await, changes("bolt-api-token").await, changes(OPERATOR).await),
        (1, 0, 0)
    );
}

/// Settings of a tenant name nothing of the machine that is not the tenant's own.
#[tokio::test]
async fn a_tenants_settings_reach_nothing_of_the_machine() {
    let engine = engine("");
    std::fs::write(engine.folder.join("secret"), "the operator's").unwrap();
    std::fs::create_dir_all(engine.folder.join("tenants.d/bolt")).unwrap();
    std::fs::write(engine.folder.join("tenants.d/bolt/secret"), "bolt's").unwrap();
    std::fs::create_dir_all(engine.folder.join("tenants.d/acme")).unwrap();
    std::os::unix::fs::symlink(engine.folder.join("secret"), engine.folder.join("tenants.d/acme/link"))
        .unwrap();
    let mail = |more: &str| format!("[[mail]]\nfromaddr = \"a@example.org\"\n{more}\n");
    let outside = "lies outside of this tenant's folder";
    for (settings, why) in [
        ("[server]\napi_token = { file = \"../../secret\" }".to_owned(), outside),
        ("[server]\napi_token = { file = \"../bolt/secret\" }".to_owned(), outside),
        ("[server]\napi_token = { file = \"/etc/hostname\" }".to_owned(), outside),
        ("[server]\napi_token = { file = \"link\" }".to_owned(), outside),
        ("[server]\napi_token = { env = \"PATH\" }".to_owned(), "the engine's own environment"),
        ("[server]\nlisten = \"0.0.0.0:1\"".to_owned(), "about the whole engine"),
        ("[server]\nbase_path = \"/x\"".to_owned(), "about the whole engine"),
        ("[store]\nurl = \"sqlite:/tmp/x.db\"".to_owned(), "about the whole engine"),
        ("[outbound]\nallow = [\"127.0.0.1\"]".to_owned(), "about the whole engine"),
        ("[tenants]\ndir = \".\"".to_owned(), "about the whole engine"),
        ("[telemetry]\nurl = \"http://127.0.0.1/\"".to_owned(), "about the whole engine"),
        ("[delivery]\nconcurrency = 1000".to_owned(), "a tenant's share"),
        ("[control]\nshutdown = \"engine\"".to_owned(), "for everybody"),
        ("[callbacks.x]\ncomponent = \"../bolt/x.wasm\"".to_owned(), outside),
        ("[callbacks.x]\ndeadline = \"1h\"".to_owned(), "`callback_deadline` of the limits"),
        ("[change_hooks]\nauth = \"file:../../secret\"".to_owned(), outside),
        (mail("transport = \"sendmail:/bin/true\""), "runs a program"),
        (mail("transport = \"file:../bolt\""), outside),
        (mail("use_tls = true\ntls_ca = \"../../secret\""), outside),
        ("[[git_poller]]\nrepourl = \"file:///srv/other.git\"".to_owned(), "runs a program"),
        ("[[svn_poller]]\nsvnurl = \"file:///srv/other\"".to_owned(), "runs a program"),
        ("[[gerrit]]\nserver = \"review.example.org\"\nusername = \"x\"".to_owned(), "`identity` is missing"),
        (
            "[[gerrit]]\nserver = \"review.example.org\"\nusername = \"x\"\nagent = true".to_owned(),
            "a program of this machine",
        ),
    ] {
        let (status, answer) = put(&engine, "acme", &settings).await;
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{settings}: {answer}");
        assert!(detail.contains(why) && detail.contains("acme.toml:"), "{settings}: {detail}");
        assert!(!detail.contains("the operator's\"") && !detail.contains("bolt's"), "{detail}");
    }
    assert!(!engine.folder.join("tenants.d/acme.toml").exists(), "nothing of it was kept");
    for name in ["default", "Acme", "a.b", "%2e%2e", "a%2fb"] {
        let (status, answer) = put(&engine, name, "").await;
        assert!(matches!(status, 400 | 404), "{name}: {answer}");
    }
    let body = json!({"settings": "", "secrets": {"../../x": "y"}});
    let (status, answer) = ask(&engine, OPERATOR, Method::PUT, "/api/v1/tenants/acme", &body).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("no name for a secret"), "{answer}");
    // A secret that comes by the API is kept for its owner's eyes only, and never shown again.
    let body = json!({"settings": "[server]\napi_token = { file = \"secrets/api\" }\n", "secrets": {"api": "acme's own"}});
    assert_eq!(
        ask(&engine, OPERATOR, Method::PUT, "/api/v1/tenants/acme", &body).await,
        (200, json!({"warnings": []}))
    );
    let kept = engine.folder.join("tenants.d/acme/secrets/api");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(ask(&engine, "acme's own", Method::GET, "/api/v1/builds", &Value::Null).await.0, 200);
    let shown = ask(&engine, OPERATOR, Method::GET, "/api/v1/tenants/acme", &Value::Null).await.1;
    assert!(!shown.to_string().contains("own\""), "{shown}");
    assert!(!engine.log().contains("acme's own"));
}

/// Addresses inside of the operator's network are refused: by HTTP, by SMTP and by IRC alike.
#[tokio::test]
async fn a_tenants_messages_stay_out_of_the_operators_network() {
    let inside = Receiver::kind().await;
    let engine = engine("");
    let port = inside.port;
    let all = format!(
        "[server]\napi_token = \"acme-api-token\"\n[[http_status_push]]\nname = \"push\"\nserver_url = \"http://127.0.0.1:{port}/\"\n\
         [[mail]]\nname = \"relay\"\nfromaddr = \"a@example.org\"\nrelayhost = \"localhost\"\nsmtp_port = {port}\n\
         extra_recipients = [\"ada@example.org\"]\n[[irc]]\nhost = \"127.0.0.1\"\nport = {port}\nnick = \"bb\"\nchannels = [\"#x\"]\n"
    );
    let (status, answer) = put(&engine, "acme", &all).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(tell(&engine, "acme-api-token", 1).await, 202);
    // What the settings write is told as it is; where a name leads is not.
    for (target, told) in
        [("push", "loopback address"), ("relay", "an address that tenants may not connect to")]
    {
        patiently(&format!("{target} is refused"), async || {
            let path = format!("/api/v1/deliveries?target={target}");
            let deliveries = ask(&engine, "acme-api-token", Method::GET, &path, &Value::Null).await.1;
            let text = deliveries["deliveries"][0]["text"].as_str().unwrap_or_default().to_owned();
            assert!(target == "push" || !text.contains("127.0.0.1"), "{text}");
            text.contains(told).then_some(())
        })
        .await;
    }
    assert!(inside.got().is_empty());
}

#[tokio::test]
async fn limits_are_told_and_others_notice_nothing() {
    let engine = engine("[tenants.limits]\nevents_per_day = 3\ntargets = 1\ncomponent_bytes = 1000\n");
    assert_eq!(put(&engine, "acme", &format!("{}[callbacks.html]\n", settings("acme"))).await.0, 200);
    assert_eq!(
        put(
            &engine,
            "bolt",
            &format!("{}[limits]\nevents_per_day = \"none\"\nevents_per_second = 1\n", settings("bolt"))
        )
        .await
        .0,
        200
    );
    for number in 1..=3 {
        assert_eq!(tell(&engine, "acme-events-token", number).await, 202);
    }
    let sent = http().post(format!("{}/api/v1/events", engine.url)).bearer_auth("acme-events-token");
    let refused =
        sent.header("content-type", "application/json").body(build_finished(4, "failure").to_string());
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
    let problem: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(problem["code"], "over-limit");
    assert!(problem["detail"].as_str().unwrap().contains("`events_per_day` of the limits"), "{problem}");
    // By its hooks too; others and the operator go on.
    let form = "author=ada&comments=ring&revision=1f0c2d";
    let hook = http().post(format!("{}/t/acme/change_hook/base", engine.url)).body(form);
    let hook = hook.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(hook.status(), 429);
    assert!(hook.headers().contains_key("retry-after"));
    for number in 1..=10 {
        assert_eq!(tell(&engine, OPERATOR, number).await, 202);
    }
    let burst: Vec<Value> = (1..=11).map(|number| build_finished(number, "success")).collect();
    let (status, answer) =
        ask(&engine, "bolt-events-token", Method::POST, "/api/v1/events", &json!(burst)).await;
    assert_eq!((status, &answer["code"]), (413, &json!("over-limit")), "more than ever fits: {answer}");
    assert_eq!(tell(&engine, "bolt-events-token", 1).await, 202);
    // A kill does not bring the day's events back.
    let mut engine = engine;
    engine.kill_and_restart();
    assert_eq!(tell(&engine, "acme-events-token", 5).await, 429);

    let (status, answer) =
        put(&engine, "acme", &format!("{}{}", settings("acme"), "[[mail]]\nfromaddr = \"a@b.example\"\n"))
            .await;
    assert_eq!(status, 400);
    assert!(answer["detail"].as_str().unwrap().contains("2 targets are more than"), "{answer}");
    let component = http().put(format!("{}/api/v1/callbacks/html", engine.url)).bearer_auth("acme-api-token");
    let component =
        component.header("content-type", "application/wasm").body(vec![0_u8; 1001]).send().await.unwrap();
    let status = component.status().as_u16();
    let text = component.text().await.unwrap();
    assert!(status == 422 && text.contains("at most 1000"), "{status} {text}");
    let metrics = http().get(format!("{}/metrics", engine.url)).bearer_auth(OPERATOR).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let counted = "campanile_tenant_refusals_total{tenant=\"acme\",limit=\"events_per_day\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}
