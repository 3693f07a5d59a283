//! Commit statuses to a server that takes each at once: by the engine, against a plain loop on one kept connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::rig::{per_second, row, start_engine};
use campanile_testing::Engine;

const STATUSES: u64 = 2_000;

pub(crate) async fn measure() {
    let taken = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&taken);
    let handler = async move |_: axum::body::Bytes| {
        counted.fetch_add(1, Ordering::SeqCst);
        (StatusCode::CREATED, "{}")
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(handler)).await.unwrap() });
    let theirs = plain_loop(&url).await;
    for (name, builders) in [("commit statuses, of one builder", 1), ("the same, of 50 builders", 50)] {
        let engine = start_engine(&format!(
            "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[github]]\ntoken = \"t\"\nbase_url = \"{url}\"\n\
             allow_insecure = true\n"
        ));
        let before = taken.load(Ordering::SeqCst);
        let ours = engine_rate(&engine, builders, || taken.load(Ordering::SeqCst) - before).await;
        row(name, ours, "a loop on one connection", theirs, "/s");
    }
}

/// From the moment that all events are handed over at once until the last status is taken.
async fn engine_rate(engine: &Engine, builders: u64, taken: impl Fn() -> u64) -> f64 {
    let events: Vec<Value> = (0..STATUSES)
        .map(|number| {
            json!({"event": "buildFinished", "build": {"builder": format!("linux {}", number % builders),
                "number": number, "results": "success", "started": 1_700_000_000, "finished": 1_700_000_061,
                "source_stamps": [{"project": "quad/bells", "revision": format!("{number:040x}")}]}})
        })
        .collect();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    let posted = client
        .post(format!("{}/api/v1/events", engine.url))
        .header("content-type", "application/json")
        .body(Value::from(events).to_string());
    assert!(posted.send().await.unwrap().status().is_success());
    while taken() < STATUSES {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    per_second(STATUSES, began.elapsed())
}

async fn plain_loop(url: &str) -> f64 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    for number in 0..STATUSES {
        let body = json!({"state": "success", "description": "Build done.", "context": "buildbot/linux 0",
            "target_url": format!("https://ci.example.org/builders/linux%200/builds/{number}")});
        let request = client
            .post(format!("{url}repos/quad/bells/statuses/{number:040x}"))
            .header("content-type", "application/json")
            .body(body.to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201);
        response.bytes().await.unwrap();
    }
    per_second(STATUSES, began.elapsed())
}
