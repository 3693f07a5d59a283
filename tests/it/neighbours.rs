//! Neighbours: a far side that hangs, a flood of builds and a stop cost those they concern, and nobody beside them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use campanile_testing::receiver::{Receiver, Reply};
use campanile_testing::{Engine, Silent, build_finished, patiently};

fn mail_to(port: u16) -> String {
    format!(
        "[[mail]]\nname = \"hung\"\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\n\
         relayhost = \"127.0.0.1\"\nsmtp_port = {port}\n"
    )
}

fn push_to(name: &str, port: u16) -> String {
    format!(
        "[[http_status_push]]\nname = \"{name}\"\nserver_url = \"http://127.0.0.1:{port}/\"\nbuffer_delay = 0.05\n"
    )
}

const OUTBOUND: &str = "[outbound]\nallow = [\"127.0.0.1\"]\n";

/// So many failed builds of builders of their own, in one request.
fn builds(count: u64) -> Value {
    let build = |number| {
        let mut event = build_finished(number, "failure");
        event["build"]["builder"] = format!("builder-{number}").into();
        event
    };
    (1..=count).map(build).collect()
}

fn changes(numbers: std::ops::Range<u64>) -> Value {
    let change = |number| {
        json!({"event": "changeAdded", "change": {
            "who": "ada", "files": ["a"], "comments": format!("change {number}"), "revision": format!("{number:040x}")
        }})
    };
    numbers.map(change).collect()
}

fn named<'a>(packets: &'a [Value], event: &'a str) -> impl Iterator<Item = &'a Value> {
    packets.iter().filter(move |packet| packet["event"] == event)
}

#[tokio::test(flavor = "multi_thread")]
async fn m_dlv_08_a_relay_that_hangs_makes_no_queue_drop_anything() {
    const CHANGES: u64 = 12_000;
    let (relay, receiver) = (Silent::accepting().await, Receiver::kind().await);
    let engine = Engine::start(&[OUTBOUND, &mail_to(relay.port), &push_to("ci", receiver.port)].concat());
    engine.event(&builds(60)).await;
    for first in (0..CHANGES).step_by(200) {
        engine.event(&changes(first..first + 200)).await;
    }
    patiently("each change is told", async || {
        (named(&receiver.packets(), "changeAdded").count() as u64 >= CHANGES).then_some(())
    })
    .await;
    let packets = receiver.packets();
    let ids: Vec<u64> = packets.iter().map(|packet| packet["id"].as_u64().unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]), "none was dropped");
    assert_eq!(named(&packets, "buildFinished").count(), 60);
    assert!(!engine.log().contains("dropped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn m_dlv_08_a_flood_reaches_every_target_side_by_side() {
    const BUILDS: u64 = 3_000;
    let receiver = Receiver::kind().await;
    let outbox = "[[mail]]\nname = \"a\"\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\n\
                  transport = \"file:outbox\"\n";
    let engine = Engine::start(&[OUTBOUND, outbox, &push_to("z", receiver.port)].concat());
    for _ in 0..3 {
        engine.event(&builds(1)).await;
    }
    engine.event(&builds(BUILDS)).await;
    patiently("the push has begun", async || {
        named(&receiver.packets(), "buildFinished").nth(5).is_some().then_some(())
    })
    .await;
    let mails = std::fs::read_dir(engine.folder.join("outbox")).map_or(0, Iterator::count) as u64;
    assert!(mails < BUILDS, "all {mails} mails went before the first pushes");
    assert!(engine.deliveries().await.iter().any(|delivery| delivery["state"] == "waiting"));
}

#[tokio::test(flavor = "multi_thread")]
async fn m_dlv_10_news_of_the_end_is_the_last_and_a_hung_relay_costs_its_time_only() {
    let (relay, receiver) = (Silent::accepting().await, Receiver::kind().await);
    let mut engine = Engine::start(&[OUTBOUND, &mail_to(relay.port), &push_to("ci", receiver.port)].concat());
    engine.event(&builds(20)).await;
    patiently("the push is up to date", async || {
        (named(&receiver.packets(), "buildFinished").count() == 20).then_some(())
    })
    .await;
    let url = engine.url.clone();
    let posting = tokio::spawn(async move {
        let client = campanile_testing::http();
        let mut taken = 0_u64;
        for number in 100.. {
            let event = build_finished(number, "success").to_string();
            match client
                .post(format!("{url}/api/v1/events"))
                .header("content-type", "application/json")
                .body(event)
                .send()
                .await
            {
                Ok(response) if response.status() == 202 => taken += 1,
                _ => break,
            }
        }
        taken
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    let code = tokio::task::spawn_blocking(move || {
        let code = engine.terminate();
        (code, engine)
    });
    let (code, engine) = code.await.unwrap();
    let taken = posting.await.unwrap();
    assert_eq!(code, Some(0), "{}", engine.log());
    assert!(began.elapsed() < Duration::from_secs(10), "`docker stop` would have killed it");
    assert!(engine.log().contains("deliveries were cut off"), "{}", engine.log());
    let packets = receiver.packets();
    assert_eq!(packets.last().unwrap()["event"], "shutdown");
    assert_eq!(
        named(&packets, "buildFinished").count() as u64,
        20 + taken,
        "what was taken in was told before"
    );
}

#[tokio::test]
async fn m_dlv_10_a_stop_waits_for_nobody_who_is_well() {
    let receiver = Receiver::start(0, |_, _| Reply::Status(200)).await;
    let mut engine = Engine::start(
        &["[server]\nshutdown_timeout = \"2m\"\n", OUTBOUND, &push_to("ci", receiver.port)].concat(),
    );
    engine.event(&builds(5)).await;
    let began = Instant::now();
    let code = tokio::task::spawn_blocking(move || (engine.terminate(), engine)).await.unwrap().0;
    assert_eq!(code, Some(0));
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(receiver.packets().last().unwrap()["event"], "shutdown");
}

#[tokio::test]
async fn m_dlv_10_targets_are_open_before_the_door_is() {
    let engine = Engine::start(
        "[[irc]]\nhost = \"127.0.0.1\"\nport = 1\nnick = \"ci\"\nchannels = [\"#ci\"]\n\
         notify_events = [\"finished\"]\n[outbound]\nallow = [\"127.0.0.1\"]\n",
    );
    engine.build(1, "failure").await;
    let delivery = engine.delivery_in("waiting").await;
    assert_eq!(delivery["subject"], "linux #1");
}
