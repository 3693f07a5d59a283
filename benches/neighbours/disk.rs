//! A disk that is full for a while: what was asked, acknowledged, delivered, delivered twice and lost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use campanile_testing::{Disk, Engine, http};

use crate::load::build;
use crate::sink::{Receipts, Sinks};

/// Builds before the disk is full, while it is, and afterwards.
const BEFORE: u64 = 100;
const FULL: u64 = 100;
const AFTER: u64 = 100;

pub(crate) async fn measure() {
    let Some(disk) = Disk::of_megabytes(24) else { return };
    let sinks = Sinks::start().await;
    let store = format!("[store]\nurl = \"sqlite:{}/campanile.db\"\n", disk.path().display());
    let engine = Engine::start(&[sinks.settings("0.05"), store].concat());
    let (client, url) = (http(), format!("{}/api/v1/events", engine.url));
    let mut taken = BTreeSet::new();
    let mut refused = BTreeSet::new();
    let mut post = async |number| match client
        .post(&url)
        .header("content-type", "application/json")
        .body(build(number).to_string())
        .send()
        .await
    {
        Ok(response) if response.status() == 202 => drop(taken.insert(number)),
        Ok(response) if response.status() == 503 => drop(refused.insert(number)),
        other => println!("build {number} was answered {other:?}"),
    };
    for number in 0..BEFORE {
        post(number).await;
    }
    disk.fill();
    for number in BEFORE..BEFORE + FULL {
        post(number).await;
    }
    disk.make_room();
    let room = Instant::now();
    let ready = format!("{}/readyz", engine.url);
    while client.get(&ready).send().await.unwrap().status() != 200 && room.elapsed() < Duration::from_secs(60)
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("full disk: ready again {} ms after there was room", room.elapsed().as_millis());
    for number in BEFORE + FULL..BEFORE + FULL + AFTER {
        post(number).await;
    }
    let until = Instant::now() + Duration::from_secs(60);
    let missing = |of: &Receipts| taken.iter().filter(|number| !of.contains_key(number)).count();
    while sinks.receipts().iter().any(|(_, of)| missing(of) > 0) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!(
        "full disk: target   | {:>6} | {:>12} | {:>7} | {:>9} | {:>5} | {:>4} | refused and yet told",
        "asked", "acknowledged", "refused", "delivered", "twice", "lost"
    );
    for (name, of) in sinks.receipts() {
        let twice = of.values().filter(|times| times.len() > 1).count();
        let untrue = of.keys().filter(|number| refused.contains(number)).count();
        println!(
            "full disk: {name:<8} | {:>6} | {:>12} | {:>7} | {:>9} | {twice:>5} | {:>4} | {untrue}",
            BEFORE + FULL + AFTER,
            taken.len(),
            refused.len(),
            of.len(),
            missing(&of),
        );
    }
}
