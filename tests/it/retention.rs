//! Retention: old rows are removed while the engine works, and nothing that is under way suffers from it.

use std::collections::BTreeSet;

use serde_json::json;

use campanile_testing::{Engine, build_finished, http, patiently};

const SETTINGS: &str = "[store]\nkeep = \"1s\"\n\n[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\n\
                        transport = \"file:outbox\"\nlookup = \"example.org\"\nsubject = \"build %(builder)s\"\n";

/// A metric's value, summed over its labels.
pub(crate) async fn metric(engine: &Engine, name: &str, label: &str) -> f64 {
    let text = http().get(format!("{}/metrics", engine.url)).send().await.unwrap().text().await.unwrap();
    let of_metric = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
    });
    of_metric.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_under_load_removes_what_is_old_and_loses_nothing() {
    let engine = Engine::start(SETTINGS);
    let senders: Vec<_> = (0..3)
        .map(|sender| {
            let (client, url) = (http(), engine.url.clone());
            tokio::spawn(async move {
                for number in 0..200 {
                    let mut event = build_finished(number, "failure");
                    event["build"]["builder"] = json!(format!("b{sender}"));
                    let sent = client
                        .post(format!("{url}/api/v1/events"))
                        .header("content-type", "application/json")
                        .body(event.to_string())
                        .send()
                        .await;
                    assert_eq!(sent.unwrap().status(), 202);
                    let log = format!("{url}/api/v1/builds/b{sender}/{number}/steps/compile/logs/stdio");
                    let sent = client.put(log).body("tower.c:1: error\n".repeat(50)).send().await;
                    assert!(sent.unwrap().status().is_success());
                    // Longer than `keep` in all, so that walks come while events do.
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    // Every one was mailed, though the events of the first ones are gone.
    assert_eq!(engine.outbox(600).await.len(), 600);
    patiently("only what is always kept is left", async || {
        let left = engine.get("/api/v1/builds?limit=500").await;
        (left["builds"].as_array().unwrap().len() == 60).then_some(())
    })
    .await;
    let left = engine.get("/api/v1/builds?builder=b1&limit=500").await;
    let numbers: BTreeSet<u64> =
        left["builds"].as_array().unwrap().iter().map(|build| build["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (180..200).collect());
    patiently("the deliveries go too", async || (engine.deliveries().await.len() == 1).then_some(())).await;
    assert_eq!(metric(&engine, "campanile_store_pruned_rows_total", "kind=\"builds\"").await, 540.0);
    assert_eq!(metric(&engine, "campanile_store_pruned_rows_total", "kind=\"deliveries\"").await, 599.0);
    assert_eq!(metric(&engine, "campanile_deliveries_stored", "").await, 1.0);
    // And it goes on: the next build's previous one is known, so a recovery is told.
    engine.build(1, "failure").await;
    engine.outbox(601).await;
}

#[test]
fn a_wrong_keep_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (keep, wrong) in [("0s", "at least"), ("ever", "a length of time")] {
        campanile_testing::write_settings(folder.path(), &format!("[store]\nkeep = \"{keep}\"\n"));
        let checked = campanile_testing::run(folder.path(), &["check"]);
        assert_eq!(checked.status.code(), Some(2));
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(told.contains(wrong), "{told}");
    }
    campanile_testing::write_settings(folder.path(), "[store]\nkeep = \"forever\"\n");
    assert!(campanile_testing::run(folder.path(), &["check"]).status.success());
}
