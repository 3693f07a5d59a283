//! The load of all runs: builds at a steady pace, each told to every target.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use campanile_testing::{Engine, build_finished, http};
use serde_json::Value;

use crate::sink::{Sinks, WORD};

/// Builds a second.
const PACE: u64 = 20;
/// Longest wait for what is still out after the load.
const PATIENCE: Duration = Duration::from_secs(60);

/// A failed build, the first one of its builder.
pub(crate) fn build(number: u64) -> Value {
    let mut event = build_finished(1, "failure");
    event["build"]["builder"] = format!("{WORD}{number}").into();
    event
}

/// Ages of all receipts, from the request to the arrival.
pub(crate) struct Ages {
    pub(crate) all: Vec<Duration>,
    /// Builds that a target never heard of.
    pub(crate) lost: usize,
}

/// Posts builds for some seconds, and waits until all healthy targets know of them.
pub(crate) async fn run(engine: &Engine, sinks: &Sinks, seconds: u64) -> Ages {
    let (client, url) = (http(), format!("{}/api/v1/events", engine.url));
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(PACE).unwrap());
    let mut posted = BTreeMap::new();
    for number in 0..PACE * seconds {
        ticks.tick().await;
        posted.insert(number, Instant::now());
        let request =
            client.post(&url).header("content-type", "application/json").body(build(number).to_string());
        assert_eq!(request.send().await.unwrap().status(), 202);
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let receipts = sinks.receipts();
        let missing: usize = receipts.iter().map(|(_, of)| posted.len() - of.len().min(posted.len())).sum();
        if missing == 0 || Instant::now() > until {
            let first = |(number, at): (&u64, &Vec<Instant>)| {
                Some(at.first()?.saturating_duration_since(*posted.get(number)?))
            };
            let all = receipts.iter().flat_map(|(_, of)| of.iter().filter_map(first)).collect();
            return Ages { all, lost: missing };
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The age that so many of a hundred receipts do not exceed, in milliseconds.
pub(crate) fn percentile(ages: &mut [Duration], part: usize) -> f64 {
    ages.sort_unstable();
    let index = (ages.len() * part / 100).min(ages.len().saturating_sub(1));
    ages.get(index).map_or(0.0, |age| age.as_secs_f64() * 1e3)
}
