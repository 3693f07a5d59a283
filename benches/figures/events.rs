//! Events accepted durably, against what the door and this load generator come to without a store.

use super::rig::{failing_build, rate, row, start_engine};

pub(crate) async fn measure() {
    for connections in [1, 8, 64] {
        let engine = start_engine("");
        let ceiling = rate(&engine, "/healthz", connections, 2, |_| None).await;
        let ours = rate(&engine, "/api/v1/events", connections, 5, failing_build).await;
        row(
            &format!("events accepted durably, {connections} connections"),
            ours,
            "empty answers",
            ceiling,
            "/s",
        );
    }
    let syncs = fsync_rate();
    let engine = start_engine("");
    let ours = rate(&engine, "/api/v1/events", 64, 5, failing_build).await;
    row("events accepted durably against single fdatasyncs", ours, "fdatasync", syncs, "/s");
}

/// Writes of 4 KiB that this disk makes durable in a second, one after the other.
fn fsync_rate() -> f64 {
    use std::io::Write as _;
    let mut file = tempfile::tempfile_in(std::env::current_dir().unwrap()).unwrap();
    let began = std::time::Instant::now();
    let mut count = 0;
    while began.elapsed() < std::time::Duration::from_secs(2) {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    super::rig::per_second(count, began.elapsed())
}
