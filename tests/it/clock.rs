//! A machine whose clock is set by a day while messages wait: by libfaketime, beneath the engine alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use campanile_testing::receiver::{Receiver, Reply};
use campanile_testing::{Engine, SmtpServer, free_port, patiently, skip};

/// The library of Debian's package `faketime`, on any of its architectures; the one for programs with threads.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.into_iter().find(|path| path.exists())
}

/// Sets the clock of the engine by so many days from the real one.
fn set(file: &Path, days: i32) {
    std::fs::write(file.with_extension("new"), format!("{days:+}d\n")).unwrap();
    std::fs::rename(file.with_extension("new"), file).unwrap();
}

#[tokio::test]
async fn m_dlv_06_a_clock_that_is_set_by_a_day_loses_and_doubles_nothing() {
    let Some(library) = library() else { return skip("`faketime` is not installed") };
    let (relay, receiver) = (free_port(), free_port());
    let settings = format!(
        "[delivery]\nmax_age = \"12h\"\n\n[outbound]\nallow = [\"127.0.0.1\"]\n\n\
         [[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\nextra_recipients = [\"ada@example.org\"]\n\
         mode = \"all\"\nrelayhost = \"127.0.0.1\"\nsmtp_port = {relay}\n\n\
         [[http_status_push]]\nname = \"push\"\nserver_url = \"http://127.0.0.1:{receiver}/\"\nbuffer_delay = 0.1\n\
         retry_delay = 0.2\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    set(&clock, 0);
    let (library, file) = (library.display().to_string(), clock.display().to_string());
    let variables = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    let engine = Engine::start_in(folder.path(), &settings, &variables);
    engine.build(1, "failure").await;
    engine.failed("connection").await;
    // Forward by a day, which is twice `max_age`, back to the day before, and home.
    for (number, days) in [(2, 1), (3, -1), (4, 0)] {
        set(&clock, days);
        patiently(&format!("the clock is found to be set by {days} days"), async || {
            (engine.log().matches("the system's clock was set").count() + 1 >= number).then_some(())
        })
        .await;
        engine.build(number as u64, "failure").await;
        // Whoever had given up or fallen silent would do so now.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let deliveries = engine.deliveries().await;
        assert!(deliveries.iter().all(|delivery| delivery["state"] == "waiting"), "{days}: {deliveries:#?}");
    }
    let Some(smtp) = SmtpServer::start_later(relay) else { return skip("there is no SMTP server") };
    let pushes = Receiver::start(receiver, |_, _| Reply::Status(200)).await;
    patiently("all are delivered", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
    smtp.wait_for(4).await;
    // The target goes on with what comes now, and sends nothing twice.
    engine
        .event(&json!({"event": "changeAdded", "change": {"who": "ada", "comments": "last", "files": []}}))
        .await;
    let packets = patiently("the last packet arrives", async || {
        let packets = pushes.packets();
        packets.iter().any(|packet| packet.to_string().contains("\"last\"")).then_some(packets)
    })
    .await;
    let mut ids: Vec<u64> = packets.iter().map(|packet| packet["id"].as_u64().unwrap()).collect();
    let count = ids.len();
    ids.dedup();
    assert!(ids.is_sorted() && ids.len() == count, "each once: {ids:?}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(smtp.wait_for(4).await.len(), 4, "nothing is mailed twice");
}
