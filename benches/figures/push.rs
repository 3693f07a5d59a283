//! Packets pushed from the durable queue, against a plain loop that posts the very same bodies on one kept connection.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Value, json};

use super::rig::{per_second, row, start_engine};
use campanile_testing::free_port;

const PACKETS: u64 = 40_000;
const CHUNK: u64 = 200;

/// Requests that came, with their times.
type Taken = Arc<Mutex<Vec<(Instant, Bytes)>>>;

pub(crate) async fn measure() {
    let port = free_port();
    let engine = start_engine(&format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[http_status_push]]\nserver_url = \"http://127.0.0.1:{port}/\"\n\
         buffer_delay = \"1ms\"\nretry_delay = 1\nchunk_size = {CHUNK}\nblack_list = [\"start\"]\n"
    ));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for first in (0..PACKETS).step_by(500) {
        let events: Vec<Value> = (first..first + 500)
            .map(|number| {
                json!({"event": "buildFinished", "build": {"builder": "linux", "number": number, "results": "failure",
                    "properties": {"branch": "main", "owner": "ada"}, "text": ["failed", "compile"],
                    "source_stamps": [{"project": "bells", "revision": "1f0c2d"}]}})
            })
            .collect();
        let posted = client
            .post(format!("{}/api/v1/events", engine.url))
            .header("content-type", "application/json")
            .body(Value::from(events).to_string());
        assert!(posted.send().await.unwrap().status().is_success());
    }
    // Nobody has listened until now, so all of them wait.
    let taken = receiver(port).await;
    let wanted = usize::try_from(PACKETS / CHUNK).unwrap();
    while taken.lock().unwrap().len() <= wanted {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let all = std::mem::take(&mut *taken.lock().unwrap());
    // The first is one packet alone, and begins the clock.
    let whole = all.get(1..wanted).unwrap();
    let spent = whole.last().unwrap().0 - all.first().unwrap().0;
    let ours = per_second(CHUNK * whole.len() as u64, spent);
    let began = Instant::now();
    for (_, body) in whole {
        let posted = client
            .post(format!("http://127.0.0.1:{port}/"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.clone());
        assert!(posted.send().await.unwrap().status().is_success());
    }
    let theirs = per_second(CHUNK * whole.len() as u64, began.elapsed());
    row("packets pushed durably", ours, "a loop with the same bodies", theirs, "/s");
}

async fn receiver(port: u16) -> Taken {
    let taken = Taken::default();
    let keep = Arc::clone(&taken);
    let handler = async move |body: Bytes| keep.lock().unwrap().push((Instant::now(), body));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let router = axum::Router::new().fallback(handler).layer(axum::extract::DefaultBodyLimit::disable());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    taken
}
