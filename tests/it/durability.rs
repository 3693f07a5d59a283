//! Durability: acknowledged events survive kill -9; settings change without a stop; a stop drains.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use campanile_testing::{Engine, SmtpServer, build_finished, http, patiently, write_settings};

/// So many that a round does not end before the kill, and that a slow machine can still mail them all.
const EVENTS_OF_A_SENDER: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_while_events_pour_in_loses_no_acknowledged_mail() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let mut engine = Engine::start(&format!(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\n\
         relayhost = \"127.0.0.1\"\nsmtp_port = {}\nsubject = \"build %(builder)s\"\n",
        smtp.port
    ));
    let mut acknowledged = BTreeSet::new();
    for round in 0..3_u64 {
        let stop = Arc::new(AtomicBool::new(false));
        let taken = Arc::new(AtomicUsize::new(0));
        let senders: Vec<_> = (0..4_u64)
            .map(|sender| {
                let (stop, url, client) = (Arc::clone(&stop), engine.url.clone(), http());
                let taken = Arc::clone(&taken);
                tokio::spawn(async move {
                    let mut done = Vec::new();
                    for number in 0..EVENTS_OF_A_SENDER {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let name = format!("b-{round}-{sender}-{number}");
                        let mut event = build_finished(1, "failure");
                        event["build"]["builder"] = name.clone().into();
                        let sent = client
                            .post(format!("{url}/api/v1/events"))
                            .header("content-type", "application/json")
                            .body(event.to_string())
                            .send()
                            .await;
                        match sent {
                            Ok(response) if response.status() == 202 => done.push(name),
                            _ => break,
                        }
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                    done
                })
            })
            .collect();
        // Some are on their way at each moment of that: the kill comes upon whatever is done just then.
        patiently("the engine takes events", async || (taken.load(Ordering::Relaxed) > 40).then_some(()))
            .await;
        tokio::time::sleep(Duration::from_millis(100 * round)).await;
        engine.kill_and_restart();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            acknowledged.extend(sender.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 120, "the engine took only {} events", acknowledged.len());
    patiently("every acknowledged event's mail arrives", async || {
        let subjects: BTreeSet<String> =
            smtp.mails().iter().map(|mail| mail["subject"].as_str().unwrap().replace("build ", "")).collect();
        acknowledged.is_subset(&subjects).then_some(())
    })
    .await;
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mail in smtp.mails() {
        let id = mail["message_id"].as_str().unwrap().to_owned();
        ids.entry(mail["subject"].as_str().unwrap().to_owned()).or_default().insert(id);
    }
    assert!(ids.values().all(|ids| ids.len() == 1), "a mail went out under two Message-IDs");
}

const OUTBOX: &str = "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
                      lookup = \"example.org\"\n";

#[tokio::test]
async fn settings_change_while_it_runs_and_errors_change_nothing() {
    let engine = Engine::start(OUTBOX);
    engine.build(1, "failure").await;
    assert!(engine.outbox(1).await[0].contains("ada@example.org"));

    write_settings(&engine.folder, &OUTBOX.replace("lookup = \"example.org\"", "lookup = \"example.net\""));
    let mut number = 2;
    patiently("the new settings count", async || {
        engine.build(number, "failure").await;
        let mails = engine.outbox(usize::try_from(number).unwrap()).await;
        number += 1;
        mails.iter().any(|mail| mail.contains("ada@example.net")).then_some(())
    })
    .await;

    write_settings(&engine.folder, &OUTBOX.replace("lookup", "lokup"));
    engine.signal("-HUP");
    engine.logs("did you mean `lookup`?").await;
    engine.build(number, "failure").await;
    engine.outbox(usize::try_from(number).unwrap()).await;
}

#[tokio::test]
async fn a_stop_drains_and_exits_with_0() {
    let mut engine = Engine::start(OUTBOX);
    engine.build(1, "failure").await;
    assert_eq!(engine.terminate(), Some(0));
    // What was not under way yet goes out after the next start.
    engine.kill_and_restart();
    assert_eq!(engine.outbox(1).await.len(), 1);
}

#[tokio::test]
async fn a_store_belongs_to_one_engine() {
    let engine = Engine::start("");
    let second = campanile_testing::run(&engine.folder, &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another engine uses the store"));
}
