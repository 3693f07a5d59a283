//! Reviews at a real Gerrit: by the engine, on its one kept connection, against `ssh` run for each.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::rig::{per_second, row, start_engine};
use campanile_testing::Engine;
use campanile_testing::gerrit::{Change, Gerrit};

const REVIEWS: u64 = 200;
const BY_SSH: u64 = 20;
const CHANGES: u64 = 10;

pub(crate) async fn measure() {
    let Some(gerrit) = Gerrit::start().await else { return };
    let (key, known_hosts) = (gerrit.key("ed25519", "").await, gerrit.known_hosts());
    let mut changes = Vec::new();
    for number in 0..CHANGES {
        changes.push(gerrit.change(&format!("ring {number}")).await);
    }
    // Gerrit is a virtual machine's program that has just begun: its first reviews are no measure.
    spawned(&gerrit, &key, &known_hosts, &changes);
    let theirs = spawned(&gerrit, &key, &known_hosts, &changes);
    for (name, more) in [
        ("reviews at Gerrit", "skip_superseded = false\n"),
        ("the same, asked first which is the newest", ""),
    ] {
        let engine = start_engine(&format!(
            "[[gerrit]]\nserver = \"127.0.0.1\"\nport = {}\nusername = \"admin\"\nidentity_file = {key:?}\n\
             known_hosts = {known_hosts:?}\nreview_cb = \"default\"\n{more}",
            gerrit.ssh
        ));
        row(name, engine_rate(&engine, &changes).await, "`ssh` for each", theirs, "/s");
    }
}

async fn engine_rate(engine: &Engine, changes: &[Change]) -> f64 {
    let events: Vec<Value> = (1..=REVIEWS)
        .zip(changes.iter().cycle())
        .map(|(number, change)| {
            json!({"event": "buildFinished", "build": {"builder": "linux", "number": number, "results": "success",
                "properties": {"event.change.id": change.id, "event.change.number": change.number,
                    "event.change.project": "tools/bells", "event.patchSet.revision": change.revision}}})
        })
        .collect();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    let posted = client
        .post(format!("{}/api/v1/events", engine.url))
        .header("content-type", "application/json")
        .body(Value::from(events).to_string());
    assert!(posted.send().await.unwrap().status().is_success());
    loop {
        let waiting = client.get(format!("{}/api/v1/deliveries?state=waiting&limit=1", engine.url));
        let waiting: Value =
            serde_json::from_str(&waiting.send().await.unwrap().text().await.unwrap()).unwrap();
        if waiting["deliveries"].as_array().unwrap().is_empty() {
            return per_second(REVIEWS, began.elapsed());
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn spawned(gerrit: &Gerrit, key: &Path, known_hosts: &Path, changes: &[Change]) -> f64 {
    let began = Instant::now();
    for change in changes.iter().cycle().take(usize::try_from(BY_SSH).unwrap()) {
        let done = Command::new("ssh")
            .args(["-o", "BatchMode=yes", "-p", &gerrit.ssh.to_string(), "-i"])
            .arg(key)
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
            .arg("admin@127.0.0.1")
            .arg(format!(
                "gerrit review --project tools/bells --message 'done' --label Verified=1 {}",
                change.revision
            ))
            .stdin(Stdio::null())
            .status();
        assert!(done.unwrap().success());
    }
    per_second(BY_SSH, began.elapsed())
}
