//! Tokens for the API: what each role may, how they begin and end, and that what they change is kept.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use campanile_testing::{Engine, http, program};

const OWN: &str = "bells-and-towers";
const SETTINGS: &str = "api_token = \"bells-and-towers\"\n\n[[mail]]\nfromaddr = \"ci@example.org\"\n\
                        transport = \"file:outbox\"\nextra_recipients = [\"ada@example.org\"]\n";

fn engine() -> Engine {
    Engine::start(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{SETTINGS}"))
}

async fn ask(engine: &Engine, token: Option<&str>, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let mut request = http().request(method, format!("{}/api/v1{path}", engine.url));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if !body.is_null() {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

async fn make(engine: &Engine, by: &str, wish: Value) -> (u16, Value) {
    ask(engine, Some(by), Method::POST, "/tokens", &wish).await
}

fn event(number: u64) -> Value {
    json!({"event": "buildFinished", "build": {"builder": "linux", "number": number, "results": "failure"}})
}

/// Each role at each kind of route.
#[tokio::test]
async fn a_role_goes_as_far_as_it_says_and_no_further() {
    let engine = engine();
    assert_eq!(ask(&engine, Some(OWN), Method::POST, "/events", &event(1)).await.0, 202);
    engine.outbox(1).await;
    for (role, tells, reads, steers, makes) in [
        ("admin", 202, 200, 200, 201),
        ("tenant", 202, 200, 200, 403),
        ("ingest", 202, 403, 403, 403),
        ("read", 403, 200, 403, 403),
    ] {
        let (status, made) = make(&engine, OWN, json!({"name": role, "role": role})).await;
        assert_eq!(status, 201, "{made}");
        let token = made["token"].as_str().unwrap().to_owned();
        let may =
            async |method, path: &str, body: Value| ask(&engine, Some(&token), method, path, &body).await.0;
        assert_eq!(may(Method::POST, "/events", event(2)).await, tells, "{role}");
        for path in [
            "/builders",
            "/builds",
            "/builds/linux/1",
            "/changes",
            "/callbacks",
            "/deliveries",
            "/deliveries/1",
        ] {
            assert_eq!(may(Method::GET, path, Value::Null).await, reads, "{role} {path}");
        }
        for path in ["/audit", "/tokens"] {
            assert_eq!(may(Method::GET, path, Value::Null).await, steers, "{role} {path}");
        }
        assert_eq!(may(Method::POST, "/deliveries/1/retry", Value::Null).await, steers, "{role}");
        let log = "/builds/linux/1/steps/compile/logs/stdio";
        assert_eq!(
            may(Method::PUT, log, json!("text")).await,
            if tells == 202 { 200 } else { tells },
            "{role}"
        );
        assert_eq!(
            may(Method::POST, "/tokens", json!({"name": "more", "role": "admin"})).await,
            makes,
            "{role}"
        );
        assert_eq!(
            may(Method::DELETE, "/tokens/nothing", Value::Null).await,
            if steers == 200 { 404 } else { 403 }
        );
        // Other systems' own forms are events too.
        assert_eq!(
            may(Method::POST, "/events/buildbot", json!({})).await,
            if tells == 202 { 400 } else { 403 }
        );
    }
    // Nobody's, and a guess.
    for token in [None, Some("campanile_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), Some("")] {
        assert_eq!(ask(&engine, token, Method::GET, "/builds", &Value::Null).await.0, 401);
    }
}

#[tokio::test]
async fn a_token_is_shown_once_ends_and_outlives_a_restart() {
    let mut engine = engine();
    let (_, made) =
        make(&engine, OWN, json!({"name": "  the wörker  ", "role": "ingest", "lasts": "90d"})).await;
    let (token, id) = (made["token"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
    assert_eq!((&made["name"], &made["role"]), (&json!("the wörker"), &json!("ingest")));
    assert!(token.starts_with("campanile_") && token.len() > 50, "{token}");
    let (_, listed) = ask(&engine, Some(OWN), Method::GET, "/tokens", &Value::Null).await;
    assert_eq!(listed["tokens"][0]["id"], json!(id));
    assert!(!listed.to_string().contains(&token));
    let (_, short) = make(&engine, OWN, json!({"name": "short", "role": "read", "lasts": "50ms"})).await;
    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    assert_eq!(ask(&engine, short["token"].as_str(), Method::GET, "/builds", &Value::Null).await.0, 401);

    engine.kill_and_restart();
    assert_eq!(ask(&engine, Some(&token), Method::POST, "/events", &event(1)).await.0, 202);
    // What the store and the log have does not let anybody in.
    for entry in std::fs::read_dir(&engine.folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(token.len()).any(|part| part == token.as_bytes()), "{}", path.display());
        }
    }
    assert_eq!(ask(&engine, Some(OWN), Method::DELETE, &format!("/tokens/{id}"), &Value::Null).await.0, 204);
    assert_eq!(ask(&engine, Some(&token), Method::POST, "/events", &event(2)).await.0, 401);
    let (_, kept) = ask(&engine, Some(OWN), Method::GET, "/audit", &Value::Null).await;
    let newest = &kept["audit"][0];
    assert_eq!(newest["what"], json!(format!("DELETE /api/v1/tokens/{id}")));
    assert_eq!(
        (&newest["who"], &newest["place"], &newest["answer"]),
        (&json!("the bearer of `server.api_token`"), &json!("127.0.0.1"), &json!("204 No Content"))
    );
}

#[tokio::test]
async fn wrong_wishes_are_told_with_their_place() {
    let engine = engine();
    for (wish, told) in [
        (json!({"name": "x", "role": "root"}), "$.role: must be one of `admin`, `tenant`, `ingest`, `read`"),
        (json!({"name": " ", "role": "read"}), "$.name: `name` must say"),
        (json!({"name": "a\nb", "role": "read"}), "$.name: `name` must say"),
        (json!({"name": "x", "role": "read", "lasts": "soon"}), "$.lasts: must be a time"),
        (json!({"name": "x", "role": "read", "lasts": "0s"}), "$.lasts: must be a time"),
        (json!({"name": "x", "role": "read", "tenant": "other"}), "unknown field `tenant`"),
        (json!({"name": "x"}), "missing field `role`"),
        (json!(7), "$: invalid type"),
    ] {
        let (status, answer) = make(&engine, OWN, wish.clone()).await;
        assert_eq!(status, 400, "{wish}");
        assert!(answer["detail"].as_str().unwrap().contains(told), "{wish}: {answer}");
    }
}

/// `campanile token`, as docs/api.md shows it.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_lists_and_revokes() {
    let engine = engine();
    let token = |arguments: &[&str]| {
        let mut command = Command::new(program());
        command.arg("token").args(arguments).env("CAMPANILE_SERVER", &engine.url).env("CAMPANILE_TOKEN", OWN);
        let done = command.output().unwrap();
        let (out, err) = (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap());
        (done.status.code(), out, err)
    };
    let (code, made, _) = token(&["make", "--name", "build workers", "--role", "ingest", "--lasts", "90d"]);
    assert_eq!(code, Some(0));
    assert_eq!(ask(&engine, Some(made.trim()), Method::POST, "/events", &event(1)).await.0, 202);
    let (_, listed, _) = token(&["list"]);
    let id = listed.split_whitespace().next().unwrap();
    assert!(listed.contains("ingest") && listed.trim_end().ends_with("build workers"), "{listed}");
    assert_eq!(token(&["revoke", id]), (Some(0), String::new(), format!("token {id} ended\n")));
    assert_eq!(ask(&engine, Some(made.trim()), Method::POST, "/events", &event(2)).await.0, 401);
    // An id may begin with a dash.
    for gone in [id, "-YjrXOfJ", "-hjrXOfJ", "--rXOfJ_"] {
        let (code, _, told) = token(&["revoke", gone]);
        assert!(code == Some(1) && told.contains("there is no token"), "{gone}: {told}");
    }
}
