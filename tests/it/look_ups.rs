//! Look-ups at a GitHub that is broken, slow or out of reach: the change is stored without (H-XGH-13).

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use campanile_testing::{Engine, http};

/// A GitHub that answers everything alike, after a while; 401 to those who don't know its token.
async fn github(status: StatusCode, delay: Duration) -> String {
    let answer = move |headers: HeaderMap| async move {
        tokio::time::sleep(delay).await;
        let agent = headers[header::USER_AGENT].to_str().unwrap().to_owned();
        assert!(agent.starts_with("campanile/"), "{agent}");
        match headers.get(header::AUTHORIZATION) {
            Some(sent) if sent == "token bell-tower" => (status, "it is out of order"),
            _ => (StatusCode::UNAUTHORIZED, "Bad credentials"),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}/api/v3")
}

fn settings(endpoint: &str) -> String {
    format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[change_hooks.dialects.github]\ntoken = \"bell-tower\"\n\
         github_api_endpoint = \"{endpoint}\"\n"
    )
}

/// Sends the published event to an engine with these settings; the files of its change, and the log.
async fn files_and_log(settings: &str) -> (Value, String) {
    let engine = Engine::start(settings);
    let event = include_str!("../data/hooks/github/pull-request-opened.json");
    let request = http().post(format!("{}/change_hook/github", engine.url));
    let request = request.header("X-GitHub-Event", "pull_request").header("Content-Type", "application/json");
    let response = request.body(event).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.text().await.unwrap(), "1 change found");
    let files = engine.get("/api/v1/changes").await["changes"][0]["files"].clone();
    (files, engine.log())
}

#[tokio::test]
async fn h_xgh_13_a_look_up_that_fails_costs_its_files_only() {
    let broken = settings(&github(StatusCode::INTERNAL_SERVER_ERROR, Duration::ZERO).await);
    let cases = [
        (broken.clone(), "500 Internal Server Error it is out of order"),
        (broken.replace("bell-tower", "hush"), "401 Unauthorized Bad credentials"),
        (settings(&github(StatusCode::OK, Duration::ZERO).await), "the answer is no JSON"),
        (settings("http://127.0.0.1:1"), "cannot reach http://127.0.0.1:1"),
        (broken.replace("[\"127.0.0.1\"]", "[]"), "loopback address"),
    ];
    for (settings, reason) in cases {
        let (files, log) = files_and_log(&settings).await;
        assert_eq!(files, json!([]), "{reason}");
        assert!(log.contains("look-up failed: ") && log.contains(reason), "{reason}:\n{log}");
        assert!(!log.contains("hush") && !log.contains("token bell-tower"), "{log}");
    }
}

#[tokio::test]
async fn h_xgh_13_five_seconds_are_the_end_of_it() {
    let never = github(StatusCode::OK, Duration::from_secs(3_600)).await;
    let (files, log) = files_and_log(&settings(&never)).await;
    assert_eq!(files, json!([]));
    assert!(log.contains("there was no time left of 5 s"), "{log}");
}
