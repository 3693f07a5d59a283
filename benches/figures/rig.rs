//! An engine to measure, and how rows are printed.

use std::path::Path;
use std::time::{Duration, Instant};

use campanile_testing::{Engine, program};
use serde_json::json;

/// Prints a row of rates; more is better.
pub(crate) fn row(name: &str, ours: f64, peer: &str, theirs: f64, unit: &str) {
    let limit = format!("{peer} {theirs:.0}{unit}");
    println!("{name:<52} | {:>14} | {limit:>30} | {:>7.2}", format!("{ours:.0}{unit}"), ours / theirs);
}

/// An engine that logs errors only, on the disk that the bench runs on. It and its folder go when it is dropped.
pub(crate) fn start_engine(settings: &str) -> Measured {
    let folder = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
    Measured { engine: start_engine_in(folder.path(), settings), _folder: folder }
}

/// As `start_engine`, in a folder that stays.
pub(crate) fn start_engine_in(folder: &Path, settings: &str) -> Engine {
    Engine::start_in(folder, settings, &[("CAMPANILE_LOG", "error")])
}

/// An engine with the folder that it runs in.
pub(crate) struct Measured {
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Measured {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

/// Asks `path` (with a body: posts it) from `connections` connections for some seconds; gives requests per second.
pub(crate) async fn rate(
    engine: &Engine,
    path: &str,
    connections: u64,
    seconds: u64,
    body: fn(u64) -> Option<String>,
) -> f64 {
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let workers: Vec<_> = (0..connections)
        .map(|worker| {
            let url = format!("{}{path}", engine.url);
            tokio::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let mut count = 0_u64;
                while Instant::now() < until {
                    let request = match body(worker << 32 | count) {
                        Some(body) => client
                            .post(&url)
                            .header("Content-Type", "application/json")
                            .header("X-GitHub-Event", "push")
                            .body(body),
                        None => client.get(&url),
                    };
                    let response = request.send().await.unwrap();
                    assert!(response.status().is_success(), "{}", response.status());
                    response.bytes().await.unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut total = 0;
    for worker in workers {
        total += worker.await.unwrap();
    }
    per_second(total, began.elapsed())
}

#[allow(clippy::cast_precision_loss)] // counts of a run
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// A failing build with a change, as a CI reports it.
#[allow(clippy::unnecessary_wraps)] // stands where a body may be absent
pub(crate) fn failing_build(unique: u64) -> Option<String> {
    let event = json!({"event": "buildFinished", "build": {
        "builder": format!("bench-{}", unique >> 32), "number": unique & 0xffff_ffff, "results": "failure",
        "text": ["failed", "compile"], "reason": "a push", "worker": "w1",
        "source_stamps": [{"branch": "main", "revision": "1f0c2d", "project": "bells", "changes": [
            {"who": "ada", "comments": "ring", "files": ["tower.c", "bells.c"], "revision": "1f0c2d"}]}],
        "steps": [{"name": "compile", "results": "failure"}]}});
    Some(event.to_string())
}

/// Size of the program and the time from its start to its first answer.
pub(crate) async fn start() {
    let size = std::fs::metadata(program()).unwrap().len() >> 10;
    println!("size of the program: {size} KiB");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    let engine = start_engine("");
    client.get(format!("{}/readyz", engine.url)).send().await.unwrap();
    println!("start to the first `ready`: {} ms", began.elapsed().as_millis());
    println!("resident when idle: {} KiB", engine.resident_kib());
}
