//! An engine on a folder of its own, and how rows are printed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_campanile");

/// Prints a row of rates; more is better.
pub(crate) fn row(name: &str, ours: f64, peer: &str, theirs: f64, unit: &str) {
    let limit = format!("{peer} {theirs:.0}{unit}");
    println!("{name:<52} | {:>14} | {limit:>30} | {:>7.2}", format!("{ours:.0}{unit}"), ours / theirs);
}

/// A running engine. Killed when dropped.
pub(crate) struct Engine {
    pub(crate) url: String,
    child: Child,
    folder_to_remove: Option<tempfile::TempDir>,
}

impl Engine {
    pub(crate) fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
        let mut engine = Self::start_in(folder.path(), settings);
        engine.folder_to_remove = Some(folder);
        engine
    }

    /// Starts in a folder that stays.
    pub(crate) fn start_in(folder: &std::path::Path, settings: &str) -> Self {
        let settings = format!("[server]\nlisten = \"127.0.0.1:0\"\n\n{settings}");
        std::fs::write(folder.join("campanile.toml"), settings).unwrap();
        let mut child = Command::new(PROGRAM)
            .arg("serve")
            .current_dir(folder)
            .env("CAMPANILE_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().trim_start_matches("campanile: listening on ").trim_end_matches('/').to_owned();
        Self { url, child, folder_to_remove: None }
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The part of it that belongs to no file, so that the kernel can't take it back, in KiB.
    pub(crate) fn anonymous_kib(&self) -> u64 {
        self.memory_kib("RssAnon:")
    }

    fn memory_kib(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
    let size = std::fs::metadata(PROGRAM).unwrap().len() >> 10;
    println!("size of the program: {size} KiB");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    let engine = Engine::start("");
    client.get(format!("{}/readyz", engine.url)).send().await.unwrap();
    println!("start to the first `ready`: {} ms", began.elapsed().as_millis());
    println!("resident when idle: {} KiB", engine.resident_kib());
}
