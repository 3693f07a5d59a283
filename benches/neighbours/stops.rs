//! Stops under load: the time from SIGTERM to the end of the process.

use std::time::{Duration, Instant};

use campanile_testing::{Engine, Silent, free_port, http};

use crate::far_sides::mail;
use crate::load::build;
use crate::sink::Sinks;
use crate::{Goal, Row};

/// Time that a stop may take where all far sides are well, in milliseconds.
const HEALTHY: f64 = 1_000.0;
/// `shutdown_timeout` as it is by default, in milliseconds, and a second for the rest.
const HUNG: f64 = 7_000.0;

pub(crate) async fn measure() {
    let alone = stop("").await;
    let (silent, blackhole) = (Silent::accepting().await, Silent::blackhole().await);
    let rows = [
        ("no neighbour", String::new(), HEALTHY),
        ("mail relay that refuses connections", mail(free_port()), HEALTHY),
        ("mail relay that takes connections and says nothing", mail(silent.port), HUNG),
        ("mail relay behind a firewall that drops all", mail(blackhole.port), HUNG),
    ];
    for (name, neighbour, most) in rows {
        let beside = stop(&neighbour).await;
        let name = format!("{name}: stop under load");
        Row { name, beside, alone, unit: "ms", goal: Goal::AtMost(most) }.print();
    }
}

/// Stops an engine that is being told of builds; milliseconds.
async fn stop(neighbour: &str) -> f64 {
    let sinks = Sinks::start().await;
    // The default: at a stop nobody waits for it.
    let mut engine = Engine::start(&[sinks.settings("1").as_str(), neighbour].concat());
    let (client, url) = (http(), format!("{}/api/v1/events", engine.url));
    let posting = tokio::spawn(async move {
        let mut taken = 0_u64;
        for number in 0.. {
            match client
                .post(&url)
                .header("content-type", "application/json")
                .body(build(number).to_string())
                .send()
                .await
            {
                Ok(response) if response.status() == 202 => taken += 1,
                _ => break,
            }
        }
        taken
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    let (code, took, engine) = tokio::task::spawn_blocking(move || {
        let code = engine.terminate();
        (code, began.elapsed(), engine)
    })
    .await
    .unwrap();
    let taken = posting.await.unwrap();
    let packets = sinks.packets();
    let told = packets.iter().filter(|packet| packet["event"] == "buildFinished").count() as u64;
    let last = packets.last().map(|packet| packet["event"].to_string()).unwrap_or_default();
    if code != Some(0) || last != "\"shutdown\"" || told != taken {
        println!("exit code {code:?}, last packet {last}, {told} of {taken} builds told: {}", engine.log());
    }
    took.as_secs_f64() * 1e3
}
