//! The HTTP door: events, logs, lists, hooks, limits, who may.

use serde_json::{Value, json};

use campanile_testing::{Engine, http};

#[tokio::test]
async fn a_bad_event_refuses_its_batch_and_leaves_nothing() {
    let engine = Engine::start("");
    let good = campanile_testing::build_finished(1, "success");
    let bad = json!({"event": "buildFinished", "build": {"builder": "x", "number": 2, "results": "broken"}});
    let (status, text) = engine.post("/api/v1/events", json!([good, bad]).to_string()).await;
    assert_eq!(status, 400);
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert!(problem["detail"].as_str().unwrap().starts_with("$[1].build.results: `broken`"), "{problem}");
    assert_eq!(engine.get("/api/v1/builds").await, json!({"builds": []}));
}

#[tokio::test]
async fn m_ev_04_a_build_finishes_once_and_keeps_what_came_before() {
    let engine = Engine::start("");
    let started = json!({"event": "buildStarted", "build": {"builder": "a/b ü", "number": 7, "worker": "w1",
        "source_stamps": [{"branch": "main"}], "properties": {"p": 1}}});
    let finished =
        json!({"event": "buildFinished", "build": {"builder": "a/b ü", "number": 7, "results": 2}});
    engine.event(&json!([started, finished])).await;
    let (status, text) = engine.post("/api/v1/events", finished.to_string()).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    let repeated = json!([{"index": 0, "subject": "a/b ü #7", "differs": []}]);
    assert_eq!((status, answer), (202, json!({"ids": [null], "repeated": repeated})));
    let build = engine.get("/api/v1/builds/a%2Fb%20%C3%BC/7").await;
    assert_eq!(build["build"]["results"], "failure");
    assert_eq!(build["build"]["worker"], "w1");
    assert_eq!(build["build"]["source_stamps"][0]["branch"], "main");
    assert_eq!(engine.get("/api/v1/builders").await["builders"][0]["name"], "a/b ü");
}

#[tokio::test]
async fn lines_and_a_repeated_request() {
    let engine = Engine::start("");
    let body = format!(
        "{}\n{}\n",
        campanile_testing::build_finished(1, "success"),
        campanile_testing::build_finished(2, "failure")
    );
    for expected in ["{\"ids\":[1,2]}", "{\"ids\":[],\"duplicate\":true}"] {
        let request = http()
            .post(format!("{}/api/v1/events", engine.url))
            .header("Content-Type", "application/x-ndjson");
        let response = request.header("Idempotency-Key", "once").body(body.clone()).send().await.unwrap();
        assert_eq!(response.status(), 202);
        assert_eq!(response.text().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn logs_stream_in_and_make_their_build_known() {
    let engine = Engine::start("");
    let url = |number: u64| format!("{}/api/v1/builds/linux/{number}/steps/compile/logs/stdio", engine.url);
    let first = async |text| http().put(url(9)).header("If-None-Match", "*").body(text).send().await.unwrap();
    assert_eq!(first("ring\n").await.status(), 200);
    assert_eq!(engine.get("/api/v1/builds/linux/9").await["build"]["results"], Value::Null);
    let second = first("knell\n").await;
    assert_eq!(second.status(), 412);
    assert!(second.text().await.unwrap().contains("\"exists\""));
    assert_eq!(http().get(url(9)).send().await.unwrap().text().await.unwrap(), "ring\n");
    engine.build(1, "failure").await;
    let text: String = (0..50_000).map(|line| format!("line {line}\n")).collect();
    let put = http().put(url(1)).body(text).send().await.unwrap();
    let kept: Value = serde_json::from_str(&put.text().await.unwrap()).unwrap();
    assert_eq!(kept["lines"], 50_000);
    let tail = http().get(format!("{}?lines=2", url(1))).send().await.unwrap().text().await.unwrap();
    assert_eq!(tail.trim_end(), "line 49998\nline 49999");
}

#[tokio::test]
async fn the_api_wants_its_token_and_says_nothing_without() {
    let engine = Engine::start("[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"s3cret\"\n");
    let url = format!("{}/api/v1/builds", engine.url);
    assert_eq!(http().get(&url).send().await.unwrap().status(), 401);
    assert_eq!(http().get(&url).bearer_auth("s3cre").send().await.unwrap().status(), 401);
    assert_eq!(http().get(&url).bearer_auth("s3cret").send().await.unwrap().status(), 200);
    let open = Engine::start("");
    let proxied = http().get(format!("{}/api/v1/builds", open.url)).header("X-Forwarded-For", "192.0.2.1");
    assert_eq!(proxied.send().await.unwrap().status(), 401, "behind a proxy everybody looks local");
}

#[tokio::test]
async fn health_and_metrics() {
    let engine = Engine::start("");
    engine.build(1, "success").await;
    let text = async |path: &str| {
        http().get(format!("{}{path}", engine.url)).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(text("/healthz").await, "ok\n");
    assert_eq!(text("/readyz").await, "ready\n");
    let metrics = text("/metrics").await;
    assert!(
        metrics.contains("campanile_events_accepted_total{tenant=\"default\",event=\"buildFinished\"} 1"),
        "{metrics}"
    );
    assert!(metrics.ends_with("# EOF\n"));
}

const HOOKS: &str = "[change_hooks]\nauth = \"memory:forge:pass\"\nmax_body = \"64 KiB\"\n\n\
                     [change_hooks.dialects]\nbase = true\ngithub = { secret = \"bell-tower\" }\n";

#[tokio::test]
async fn h_gen_a_push_becomes_changes_once() {
    let engine = Engine::start(&HOOKS.replace("bell-tower\"", "bell-tower\", strict = false"));
    let push = include_str!("../../src/cli/demo/push.json");
    let post = async |id: &str| {
        let request =
            http().post(format!("{}/change_hook/github", engine.url)).basic_auth("forge", Some("pass"));
        let request = request.header("Content-Type", "application/json").header("X-GitHub-Event", "push");
        let response = request.header("X-GitHub-Delivery", id).body(push).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(post("1").await, (202, "3 changes found".to_owned()), "H-GEN-10");
    assert_eq!(post("1").await, (202, "0 changes found (duplicate delivery)".to_owned()), "H-XALL-01");
    let changes = engine.get("/api/v1/changes").await;
    let changes = changes["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 3);
    assert_eq!(changes[0]["who"], "Grace Ringer <grace@example.org>", "newest first");
    assert_eq!(changes[0]["number"], 3, "H-CH-02");
    assert_eq!(changes[1]["repository"], "https://github.com/example/bells", "H-GH-03");
}

/// 401 for the guard, 403 for a signature.
#[tokio::test]
async fn h_gen_12_refusals() {
    let engine = Engine::start(HOOKS);
    let url = |path: &str| format!("{}/change_hook{path}", engine.url);
    let auth = |request: reqwest::RequestBuilder| request.basic_auth("forge", Some("pass"));
    let denied = http().post(url("")).send().await.unwrap();
    assert_eq!(denied.status(), 401, "H-AUTH-07");
    assert_eq!(denied.headers()["www-authenticate"], "Basic realm=\"Protected area\"");
    assert_eq!(denied.text().await.unwrap(), "Unauthorized");

    let unknown = auth(http().post(url("/gitlab"))).send().await.unwrap();
    assert_eq!(unknown.status(), 400);
    let text = unknown.text().await.unwrap();
    assert_eq!(text, "The dialect specified, 'gitlab', wasn't whitelisted in change_hook", "H-GEN-06");

    let head = auth(http().head(url("/base"))).send().await.unwrap();
    assert_eq!(head.status(), 405, "H-GEN-07");
    assert!(head.headers().contains_key("allow"));

    let large = auth(http().post(url("/base"))).body(vec![b'x'; 70_000]).send().await.unwrap();
    assert_eq!(large.status(), 413, "H-GEN-13");

    let signed = auth(http().post(url("/github"))).header("Content-Type", "application/json");
    let wrong = signed.header("X-Hub-Signature-256", format!("sha256={}", "0".repeat(64))).body("{}");
    let wrong = wrong.send().await.unwrap();
    assert_eq!(
        (wrong.status().as_u16(), wrong.text().await.unwrap().as_str()),
        (403, "Hash mismatch"),
        "H-XGH-05"
    );

    let form = auth(http().post(url("/base"))).header("Content-Type", "application/x-www-form-urlencoded");
    let bad = form.body("files=notjson").send().await.unwrap();
    assert_eq!(bad.status(), 400, "H-BASE-04");
    assert!(bad.text().await.unwrap().contains("files"));
    assert_eq!(engine.get("/api/v1/changes").await, json!({"changes": []}), "nothing was stored");
}

#[tokio::test]
async fn h_gen_03_no_dialect_no_route() {
    let engine = Engine::start("");
    assert_eq!(http().post(format!("{}/change_hook/base", engine.url)).send().await.unwrap().status(), 404);
}
