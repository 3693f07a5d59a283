//! Commit statuses at a server that answers as GitHub's API does (GS-*).

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use campanile_testing::{Engine, patiently};

/// Requests, oldest first: path and body.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes statuses as `POST /repos/{owner}/{repo}/statuses/{sha}` is described; what it answers is for the test to say.
async fn api(answer: impl Fn(usize, &Value) -> Response + Clone + Send + Sync + 'static) -> (u16, Asked) {
    let asked = Asked::default();
    let keep = Arc::clone(&asked);
    let handler = async move |headers: HeaderMap, uri: Uri, body: String| {
        assert_eq!(headers["authorization"], "token bell-tower", "GS-API-02");
        assert_eq!(headers["accept"], "application/vnd.github+json");
        assert!(headers["user-agent"].to_str().unwrap().starts_with("campanile/"));
        let body: Value = serde_json::from_str(&body).unwrap();
        let known = ["state", "target_url", "description", "context"];
        assert!(body.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{body}");
        assert!(
            ["error", "failure", "pending", "success"].contains(&body["state"].as_str().unwrap()),
            "{body}"
        );
        let count = {
            let mut asked = keep.lock().unwrap();
            asked.push((uri.path().to_owned(), body.clone()));
            asked.len()
        };
        answer(count, &body)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handler)).await.unwrap() });
    (port, asked)
}

fn settings(port: u16, more: &str) -> String {
    format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[github]]\nname = \"statuses\"\ntoken = \"bell-tower\"\n\
         base_url = \"http://127.0.0.1:{port}\"\nallow_insecure = true\n{more}"
    )
}

fn event(name: &str, number: u64, results: Option<&str>) -> Value {
    json!({"event": name, "build": {"builder": "linux gcc", "number": number, "results": results,
        "started": 1_700_000_000, "finished": results.map(|_| 1_700_000_061),
        "source_stamps": [{"project": "quad/bells", "revision": "1f0c2d3e"}]}})
}

async fn settled(engine: &Engine, count: usize) -> Vec<Value> {
    patiently(&format!("{count} deliveries are settled"), async || {
        let all = engine.deliveries().await;
        (all.len() == count && all.iter().all(|delivery| delivery["state"] != "waiting")).then_some(all)
    })
    .await
}

/// Thirty builders end while GitHub says "too many": one request finds that out, and none of the others is made.
#[tokio::test]
async fn m_dlv_14_a_rate_limit_holds_the_whole_target() {
    let (port, asked) = api(|count, _| {
        if count == 1 {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "12")], "{\"message\": \"rate limit\"}")
                .into_response()
        } else {
            (StatusCode::CREATED, "{}").into_response()
        }
    })
    .await;
    let engine = Engine::start(&settings(port, ""));
    let told = async |number: u64| {
        let mut event = event("buildFinished", number, Some("success"));
        event["build"]["builder"] = json!(format!("linux {number}"));
        engine.event(&event).await;
    };
    told(1).await;
    engine.failed("busy").await;
    for number in 2..=30 {
        told(number).await;
    }
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(asked.lock().unwrap().len(), 1);
    let last = engine.get("/api/v1/deliveries/30").await;
    assert_eq!(last["delivery"]["text"], "its target rests, as its far side asked for");
    let explained = engine.get("/api/v1/explain?about=linux%2030/30").await;
    let said = &explained["events"][0]["targets"][0];
    assert_eq!(said["text"], "its target rests, as its far side asked for", "{explained}");
    assert!(said["not_before"].as_f64() > last["delivery"]["created"].as_f64(), "{explained}");
    settled(&engine, 30).await;
    assert_eq!(asked.lock().unwrap().len(), 31, "each but for the first once");
}

#[tokio::test]
async fn gs_ev_01_a_build_marks_its_commit() {
    let (port, asked) = api(|_, _| (StatusCode::CREATED, "{}").into_response()).await;
    let more = "start_description = \"%(kw:state)s, %(kw:endDateTime)s: %(kw:duration)s\"\n\
                end_description = \"%(kw:state)s in %(kw:duration)s\"\n";
    let engine = Engine::start(&settings(port, more));
    engine.event(&event("buildStarted", 1, None)).await;
    settled(&engine, 1).await;
    engine.event(&event("buildFinished", 1, Some("warnings"))).await;
    let deliveries = settled(&engine, 2).await;
    assert_eq!(deliveries[0]["text"], "Status \"success\" sent for quad/bells at 1f0c2d3e.", "GS-API-04");
    let path = "/repos/quad/bells/statuses/1f0c2d3e".to_owned();
    let url = "https://ci.example.org/builders/linux%20gcc/builds/1";
    let body = |state: &str, description: &str| json!({"state": state, "description": description, "context": "buildbot/linux gcc", "target_url": url});
    let pending = (path.clone(), body("pending", "pending, In progress: In progress"));
    let done = (path, body("success", "success in 1 minutes, 1 seconds"));
    assert_eq!(*asked.lock().unwrap(), [pending, done], "{} {} {}", "GS-DESC-02", "GS-URL-01", "GS-EV-02");
    for (build, (number, project, revision, why)) in (2..).zip([
        ("GS-CFG-14", "bells", "1f0c", "`owner/name`"),
        ("GS-CFG-14", "quad/tower/bells", "1f0c", "`owner/name`"),
        ("GS-SKIP-01", "", "1f0c", "`owner/name`"),
        ("GS-SKIP-02", "quad/bells", "", "GitHubStatus: No revision found."),
    ]) {
        let mut odd = event("buildFinished", build, Some("success"));
        odd["build"]["source_stamps"] = json!([{"project": project, "revision": revision}]);
        engine.event(&odd).await;
        let deliveries = patiently("it is settled", async || {
            let all = engine.deliveries().await;
            (all[0]["subject"] == format!("linux gcc #{build}") && all[0]["state"] != "waiting")
                .then_some(all)
        })
        .await;
        let told = &deliveries[0];
        assert_eq!((&told["state"], &told["code"]), (&json!("silent"), &json!("unaddressed")), "{number}");
        assert!(told["text"].as_str().unwrap().contains(why), "{number}: {told}");
    }
    // One half that is left out does not hinder the other.
    let mut odd = event("buildStarted", 6, None);
    odd["build"]["source_stamps"][0]["project"] = json!("bells");
    engine.event(&odd).await;
    engine.event(&event("buildFinished", 6, Some("success"))).await;
    engine.event(&event("buildStarted", 7, None)).await;
    settled(&engine, 9).await;
    let mut odd = event("buildFinished", 7, Some("success"));
    odd["build"]["source_stamps"][0]["project"] = json!("bells");
    engine.event(&odd).await;
    settled(&engine, 10).await;
    let told: Vec<String> = asked.lock().unwrap()[2..]
        .iter()
        .map(|(_, body)| body["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, ["success", "pending"], "GS-SKIP-04");
}

/// A limit is waited out; a pending status that a later one follows is not sent; and what GitHub
/// refuses is final, with a hint, and without the token. Where it leads elsewhere, that is not gone to.
#[tokio::test]
async fn gs_api_06_gs_api_07_gs_api_08_limits_order_and_refusals() {
    let (port, asked) = api(|count, body| match (count, body["context"].as_str().unwrap()) {
        (1, _) => (StatusCode::FORBIDDEN, [("retry-after", "2")], "secondary rate limit").into_response(),
        (_, "gone") => (StatusCode::NOT_FOUND, "{\"message\":\"Not Found\"}").into_response(),
        (_, "moved") => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.1:1/")], "").into_response()
        }
        (_, "full") => {
            let text = "{\"message\":\"This SHA and context has reached the maximum number of statuses.\"}";
            (StatusCode::UNPROCESSABLE_ENTITY, text).into_response()
        }
        _ => (StatusCode::CREATED, "{}").into_response(),
    })
    .await;
    let engine = Engine::start(&settings(port, "context = \"%(prop:context:-ci)s\"\n"));
    let began = std::time::Instant::now();
    engine.event(&event("buildFinished", 1, Some("failure"))).await;
    engine.failed("busy").await;
    for number in 2..=4 {
        engine.event(&event("buildStarted", number, None)).await;
        engine.event(&event("buildFinished", number, Some("success"))).await;
    }
    let deliveries = settled(&engine, 7).await;
    assert!(began.elapsed().as_millis() >= 1_900, "it was left alone for as long as it asked");
    let states: Vec<String> =
        asked.lock().unwrap().iter().map(|(_, body)| body["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["failure", "failure", "success", "success", "success"]);
    assert_eq!(deliveries.iter().filter(|delivery| delivery["code"] == "overtaken").count(), 3);
    for (number, context, code, told) in [
        (5, "gone", "rejected", "token lacks repo:status or wrong owner/name"),
        (6, "full", "content", "maximum number of statuses"),
        (7, "moved", "rejected", "redirects are not followed"),
    ] {
        let mut refused = event("buildFinished", number, Some("success"));
        refused["build"]["properties"] = json!({"context": context});
        engine.event(&refused).await;
        let delivery = patiently("it is given up", async || {
            engine.deliveries().await.into_iter().find(|delivery| {
                delivery["state"] == "dead" && delivery["subject"] == format!("linux gcc #{number}")
            })
        })
        .await;
        assert_eq!(delivery["code"], code, "{delivery}");
        let text = delivery["text"].as_str().unwrap();
        assert!(
            text.starts_with("Fail to send status \"success\" for quad/bells at 1f0c2d3e."),
            "{}: {text}",
            "GS-API-05"
        );
        assert!(text.contains(told), "{text}");
    }
    assert!(!engine.log().contains("bell-tower"));
}

/// Hook and target with their defaults fit: the hook leaves the project blank, the address says which repository it is.
#[tokio::test]
async fn gs_cfg_14_a_pushed_commit_is_marked_by_the_repositorys_address() {
    let (port, asked) = api(|_, _| (StatusCode::CREATED, "{}").into_response()).await;
    let engine = Engine::start(&format!("{}\n[change_hooks.dialects]\ngithub = true\n", settings(port, "")));
    let sha = "68e5df28aa0bbb5b8e2d1f0c9d7e6a5b4c3d2e1f";
    let push = json!({"ref": "refs/heads/main", "after": sha, "commits": [{"id": sha, "message": "ring"}],
        "repository": {"full_name": "quad/bells", "html_url": "https://github.com/quad/bells"}});
    let request = campanile_testing::http().post(format!("{}/change_hook/github", engine.url));
    let request = request.header("X-GitHub-Event", "push").header("Content-Type", "application/json");
    assert_eq!(request.body(push.to_string()).send().await.unwrap().status(), 202);
    let change = engine.get("/api/v1/changes").await["changes"][0].take();
    let stamp = json!({"repository": change["repository"], "project": change["project"], "branch": change["branch"],
        "revision": change["revision"]});
    assert_eq!(stamp["project"], "");
    let mut told = event("buildFinished", 1, Some("failure"));
    told["build"]["source_stamps"] = json!([stamp]);
    told["build"]["builder"] = format!("matrix {}", "axis=value ".repeat(40)).trim().into();
    engine.event(&told).await;
    let deliveries = settled(&engine, 1).await;
    assert_eq!(deliveries[0]["state"], "delivered", "{}", deliveries[0]);
    let (path, body) = asked.lock().unwrap()[0].clone();
    assert_eq!(path, format!("/repos/quad/bells/statuses/{sha}"));
    let context = body["context"].as_str().unwrap();
    assert!(
        context.starts_with("buildbot/matrix axis=value") && context.chars().count() == 255,
        "GS-DESC-06: {context}"
    );
}

/// GitHub answers so for a repository that was renamed.
#[tokio::test]
async fn gs_api_06_a_renamed_repository_is_said_to_be_one() {
    let moved = |_, _: &Value| {
        let to = [("location", "https://api.github.com/repositories/1/statuses")];
        (StatusCode::TEMPORARY_REDIRECT, to, "{\"message\": \"Moved Permanently\"}").into_response()
    };
    let (port, _) = api(moved).await;
    let engine = Engine::start(&settings(port, ""));
    engine.event(&event("buildFinished", 1, Some("failure"))).await;
    let deliveries = settled(&engine, 1).await;
    assert_eq!(deliveries[0]["state"], "dead");
    let text = deliveries[0]["text"].as_str().unwrap();
    assert!(
        text.contains("the repository has another name or owner now: correct it in the settings"),
        "{text}"
    );
}
