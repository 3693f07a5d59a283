//! StatusPush and HttpStatusPush through the built program, at receivers that are kind, odd or away (P-*).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use campanile_testing::receiver::{Got, Receiver, Reply};
use campanile_testing::{Engine, free_port, guest, patiently, skip};

const ALLOW: &str = "[outbound]\nallow = [\"127.0.0.1\"]\n\n";

/// `[[http_status_push]]` for this port, quick.
fn settings(port: u16, more: &str) -> String {
    format!(
        "{ALLOW}[[http_status_push]]\nname = \"push\"\nserver_url = \"http://127.0.0.1:{port}/in?k=v\"\n\
         buffer_delay = 0.05\nretry_delay = 0.1\n{more}"
    )
}

fn change(comments: &str) -> Value {
    json!({"event": "changeAdded", "change": {"who": "ada", "comments": comments, "files": []}})
}

/// Sends so many changes, some hundred in a request, named by `first` and up.
async fn changes(engine: &Engine, first: usize, count: usize) {
    let all: Vec<Value> = (first..first + count).map(|number| change(&format!("c{number}"))).collect();
    for some in all.chunks(500) {
        let (status, text) = engine.post("/api/v1/events", json!(some).to_string()).await;
        assert_eq!(status, 202, "{text}");
    }
}

fn ids(packets: &[Value]) -> Vec<u64> {
    packets.iter().map(|packet| packet["id"].as_u64().unwrap()).collect()
}

async fn packets(receiver: &Receiver, count: usize) -> Vec<Value> {
    patiently(&format!("{count} packets arrive"), async || {
        let packets = receiver.packets();
        (packets.len() >= count).then_some(packets)
    })
    .await
}

#[tokio::test]
async fn p_pkt_01_p_http_11_events_go_out_as_packets_of_a_form() {
    let receiver = Receiver::kind().await;
    let more = "extra_post_params = { token = \"t&1\", n = 2 }\nblack_list = [\"builderChangedState\"]\nfilter = false\n";
    let mut engine = Engine::start(&settings(receiver.port, more));
    let build = json!({"builder": "linux", "number": 1});
    for event in [
        json!({"event": "builderAdded", "builder": {"name": "linux", "tags": ["c"]}}),
        json!({"event": "builderChangedState", "builder": "linux", "state": "building"}),
        json!({"event": "buildsetSubmitted", "buildset": {"bsid": 5, "reason": "push",
            "source_stamps": [{"project": "bells", "revision": "1f0c"}]}}),
        json!({"event": "requestSubmitted", "request": {"brid": 7, "bsid": 5, "builder": "linux"}}),
        json!({"event": "buildStarted", "build": {"builder": "linux", "number": 1,
            "properties": {"owner": "ada"}}}),
        json!({"event": "stepStarted", "build": build, "step": {"name": "compile"}}),
        json!({"event": "stepTextChanged", "build": build, "step": "compile", "text": ["compiling"]}),
        json!({"event": "stepFinished", "build": build, "step": {"name": "compile", "results": 0}}),
        json!({"event": "buildFinished", "build": {"builder": "linux", "number": 1, "results": 5}}),
        json!({"event": "workerConnected", "worker": {"name": "w1"}}),
        json!({"event": "workerDisconnected", "worker": {"name": "w1"}}),
        json!({"event": "builderRemoved", "builder": "linux"}),
        change("läuten & \"so\""),
    ] {
        engine.event(&event).await;
    }
    let all = packets(&receiver, 12).await;
    assert_eq!(ids(&all), (1..=12).collect::<Vec<u64>>(), "P-PKT-02");
    let names: Vec<&str> = all.iter().map(|packet| packet["event"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "start",
            "builderAdded",
            "buildsetSubmitted",
            "requestSubmitted",
            "buildStarted",
            "stepStarted",
            "stepFinished",
            "buildFinished",
            "slaveConnected",
            "slaveDisconnected",
            "buildedRemoved",
            "changeAdded",
        ]
    );
    let payload = |event: &str| &all.iter().find(|packet| packet["event"] == event).unwrap()["payload"];
    assert_eq!(payload("start")["status"]["title"], "Test CI");
    assert_eq!(payload("builderAdded")["builder"]["tags"], json!(["c"]));
    assert_eq!(payload("buildsetSubmitted")["buildset"]["bsid"], 5);
    assert_eq!(payload("requestSubmitted")["request"]["source"]["revision"], "1f0c");
    assert_eq!(payload("buildStarted")["build"]["times"][1], Value::Null);
    let step = payload("stepFinished");
    assert_eq!(step["step"]["name"], "compile");
    assert_eq!((&step["builderName"], &step["buildNumber"]), (&json!("linux"), &json!(1)), "P-PKT-07");
    let properties = step["properties"].as_array().unwrap();
    let names: Vec<_> = properties.iter().map(|property| property[0].as_str().unwrap()).collect();
    assert!(
        ["buildername", "buildnumber", "owner"].iter().all(|name| names.contains(name)),
        "P-PKT-04: {names:?}"
    );
    assert!(names.is_sorted(), "M-PR-02: {names:?}");
    assert_eq!(
        (&payload("buildFinished")["results"], &payload("buildFinished")["final"]),
        (&json!(5), &json!(false))
    );
    assert_eq!(payload("slaveConnected")["slave"]["name"], "w1");
    assert_eq!(payload("slaveDisconnected"), &json!({"slavename": "w1"}));
    assert_eq!(payload("changeAdded")["change"]["comments"], "läuten & \"so\"");
    for packet in &all {
        assert_eq!((&packet["project"], &packet["schema"]), (&json!("Test CI"), &json!("campanile/1")));
        assert_eq!(packet["started"], all[0]["started"]);
        let stamp = packet["timestamp"].as_str().unwrap();
        assert!(stamp.len() >= 19 && stamp.as_bytes()[10] == b' ' && !stamp.ends_with('Z'), "{stamp}");
    }
    let first = &receiver.got()[0];
    assert_eq!(first.path, "/in");
    assert_eq!(first.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(first.headers["user-agent"], "buildbot");
    assert_eq!((first.field("token"), first.field("n")), ("t&1".to_owned(), "2".to_owned()));

    // Numbers and their beginning outlive the engine; what is known of builders comes before the start.
    engine.event(&json!({"event": "builderAdded", "builder": {"name": "mac"}})).await;
    packets(&receiver, 13).await;
    // One that is not settled yet would be pushed once more.
    patiently("all of it is settled", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["state"] != "waiting").then_some(())
    })
    .await;
    engine.kill_and_restart();
    let all = packets(&receiver, 15).await;
    let names: Vec<&str> = all.iter().skip(13).map(|packet| packet["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["builderAdded", "start"], "P-PKT-04");
    assert_eq!((&all[14]["id"], &all[14]["started"]), (&json!(15), &all[0]["started"]), "P-ST-01");
}

/// The end is told too, at once; names may be mended, and rare events asked for.
#[tokio::test(flavor = "multi_thread")]
async fn p_cyc_10_p_pkt_05_the_end_is_told_and_more_events_on_demand() {
    let receiver = Receiver::kind().await;
    let more = "fixed_names = true\nextra_events = [\"stepTextChanged\", \"logStarted\", \"buildETAUpdate\"]\n\
                filter = true\n";
    let mut engine =
        Engine::start(&settings(receiver.port, more).replace("buffer_delay = 0.05", "buffer_delay = 3600"));
    let build = json!({"builder": "linux", "number": 1});
    for event in [
        json!({"event": "buildStarted", "build": build}),
        json!({"event": "stepStarted", "build": build, "step": {"name": "compile"}}),
        json!({"event": "stepTextChanged", "build": build, "step": "compile", "text": ["compiling"]}),
        json!({"event": "logStarted", "build": build, "step": "compile", "log": "stdio"}),
        json!({"event": "logChunk", "build": build, "step": "compile", "log": "stdio", "text": "x"}),
        json!({"event": "buildETAUpdate", "build": build, "eta": 2.5}),
        json!({"event": "builderRemoved", "builder": "linux"}),
    ] {
        engine.event(&event).await;
    }
    assert!(receiver.got().is_empty(), "an hour has not passed");
    assert_eq!(engine.terminate(), Some(0));
    let all = receiver.packets();
    let names: Vec<&str> = all.iter().map(|packet| packet["event"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "start",
            "buildStarted",
            "stepStarted",
            "stepTextChanged",
            "logStarted",
            "buildETAUpdate",
            "builderRemoved",
            "shutdown",
        ]
    );
    assert_eq!(all[3]["payload"]["text"], json!(["compiling"]));
    assert_eq!(all[4]["payload"]["log"], "stdio");
    assert_eq!(all[5]["payload"]["ETA"], 2.5);
    assert!(all[1]["payload"]["build"].get("results").is_none(), "what is empty is left out (P-FLT-01)");
    assert_eq!(receiver.got().len(), 1);
}

/// Away for 10,000 events, and then all come in order, a
/// small one first, one request at a time, and none too many.
#[tokio::test(flavor = "multi_thread")]
async fn p_http_16_ten_thousand_events_wait_for_a_receiver() {
    const EVENTS: usize = 10_000;
    let port = free_port();
    let mut engine = Engine::start(
        &settings(port, "black_list = [\"start\", \"shutdown\"]\nretry_delay = 0.2\n")
            .replace("retry_delay = 0.1\n", ""),
    );
    changes(&engine, 1, EVENTS / 2).await;
    engine.logs("failed, to be tried again").await;
    engine.kill_and_restart();
    changes(&engine, EVENTS / 2 + 1, EVENTS / 2).await;
    let receiver = Receiver::start(port, |_, _| Reply::Status(200)).await;
    let all = packets(&receiver, EVENTS).await;
    assert_eq!(ids(&all), (1..=EVENTS as u64).collect::<Vec<_>>());
    for (packet, number) in all.iter().zip(1..) {
        assert_eq!(packet["payload"]["change"]["comments"], format!("c{number}"));
    }
    let sizes: Vec<usize> = receiver.got().iter().map(|got| got.packets().len()).collect();
    assert_eq!((sizes[0], sizes[1]), (1, 200), "one at first, then as many as may go together");
    assert_eq!(sizes.len(), 2 + (EVENTS - 201).div_ceil(200), "{sizes:?}");
    assert_eq!(receiver.most_at_once(), 1, "P-CYC-02");
}

/// Whatever a receiver does, nothing is lost and the order is kept.
#[tokio::test(flavor = "multi_thread")]
async fn p_http_13_p_http_14_odd_receivers_cost_nothing_but_time() {
    let receiver = Receiver::start(0, |number, body| match number {
        1 => Reply::Status(500),
        2 => Reply::Status(404),
        3 => Reply::Later(429, 1),
        4 => Reply::Hang,
        5 => Reply::Drop,
        6 => Reply::Status(401),
        // Everything with more than three packets in it is too large.
        _ if body.matches("%22id%22").count() > 3 => Reply::Status(413),
        _ => Reply::Status(202),
    })
    .await;
    let engine = Engine::start(&settings(receiver.port, "black_list = [\"start\"]\ntimeout = \"500ms\"\n"));
    changes(&engine, 1, 20).await;
    let all = packets(&receiver, 20).await;
    assert_eq!(ids(&all), (1..=20).collect::<Vec<_>>());
    let statuses: Vec<u16> = receiver.got().iter().map(|got| got.status).collect();
    assert_eq!(statuses[..6], [500, 404, 429, 0, 0, 401]);
    assert!(statuses.contains(&413));
    let log = engine.log();
    let told = "Failed to push 20 events to http://127.0.0.1";
    assert!(log.contains(told) && log.contains("500 Internal Server Error: as told"), "{log}");
    assert!(!log.contains("k=v"), "what follows the host may be a secret");
    let delivered = patiently("all is settled", async || {
        let all = engine.deliveries().await;
        all.iter().all(|delivery| delivery["state"] == "delivered").then_some(all)
    })
    .await;
    assert!(delivered[0]["text"].as_str().unwrap().starts_with("Sent "), "{}", delivered[0]);
    assert_eq!(delivered[0]["place"]["number"], 20, "P-ST-02");
}

/// Halves until it fits; what can't fit alone is dropped, and told.
#[tokio::test]
async fn p_http_09_chunks_are_halved_and_giants_dropped() {
    let receiver = Receiver::kind().await;
    let more = "black_list = [\"start\"]\nmax_http_request_size = 4000\nchunk_size = 8\nbuffer_delay = 0.5\n";
    let engine = Engine::start(&settings(receiver.port, more).replace("buffer_delay = 0.05\n", ""));
    let mut all: Vec<Value> = (1..=8).map(|number| change(&format!("c{number}"))).collect();
    all[4] = change(&"x".repeat(5_000));
    let (status, text) = engine.post("/api/v1/events", json!(all).to_string()).await;
    assert_eq!(status, 202, "{text}");
    let all = packets(&receiver, 7).await;
    assert_eq!(ids(&all), [1, 2, 3, 4, 6, 7, 8]);
    assert!(receiver.got().iter().all(|got| got.body.len() < 4_000));
    let dead = engine.delivery_in("dead").await;
    let text = dead["text"].as_str().unwrap();
    assert!(
        text.starts_with("ERROR: packet 5 was dropped, too large: ") && text.ends_with(" > 4000"),
        "{text}"
    );
    assert!(receiver.got().iter().all(|got| !got.packets().is_empty()), "P-HTTP-10");
}

/// P-Q-01, P-Q-02, P-Q-09, P-HTTP-03, P-HTTP-04: a full queue drops what is oldest, counts it and says so.
#[tokio::test]
async fn p_q_02_a_full_queue_drops_the_oldest_and_counts_them() {
    let port = free_port();
    let more = "black_list = [\"start\"]\nmax_memory_items = 3\nmax_disk_items = 2\n";
    let engine = Engine::start(&settings(port, more));
    changes(&engine, 1, 20).await;
    engine.logs("queue is full").await;
    patiently("fifteen are dropped", async || {
        let all = engine.deliveries().await;
        (all.iter().filter(|delivery| delivery["code"] == "dropped").count() == 15).then_some(())
    })
    .await;
    let metrics = campanile_testing::http().get(format!("{}/metrics", engine.url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let dropped = metrics.lines().find(|line| line.contains("code=\"dropped\"")).unwrap();
    assert!(dropped.contains("target=\"push\"") && dropped.ends_with(" 15"), "{dropped}");
    let receiver = Receiver::start(port, |_, _| Reply::Status(200)).await;
    assert_eq!(ids(&packets(&receiver, 5).await), [16, 17, 18, 19, 20]);
}

/// One body a build, with what is asked for, and signed.
#[tokio::test]
async fn p_mod_02_a_body_for_each_build_signed() {
    let receiver = Receiver::start(0, |number, _| Reply::Status(if number == 3 { 400 } else { 200 })).await;
    let more = "form = \"builds\"\nallow_insecure = true\nsigning_secrets = [\"whsec_dG93ZXI=\", \"bell\"]\n\
                headers = { X-Tenant = \"quad\" }\nwant_steps = true\nwant_logs = true\nlog_size = 24\nwant_previous_build = true\n";
    let url = format!("http://ada:s%26cret@127.0.0.1:{}/in", receiver.port);
    let settings =
        settings(receiver.port, more).replace(&format!("http://127.0.0.1:{}/in?k=v", receiver.port), &url);
    let engine = Engine::start(&settings);
    let build = json!({"builder": "linux", "number": 1, "started": 1_700_000_000,
        "properties": {"branch": "main"}, "source_stamps": [{"project": "bells", "revision": "1f0c",
            "patch": {"level": 1, "body": "+bell"}}]});
    engine.event(&json!({"event": "buildStarted", "build": build})).await;
    let log = json!({"event": "logChunk", "build": {"builder": "linux", "number": 1}, "step": "compile",
        "log": "stdio", "text": "make: the first line\nmake: bells\nmake: ropes\n"});
    engine.event(&log).await;
    let mut finished = build.clone();
    finished["results"] = json!("failure");
    finished["finished"] = json!(1_700_000_061);
    engine.event(&json!({"event": "buildFinished", "build": finished})).await;
    let got =
        patiently("both bodies arrive", async || Some(receiver.got()).filter(|got| got.len() == 2)).await;
    let body = |got: &Got| serde_json::from_str::<Value>(&got.body).unwrap();
    let (begun, ended) = (body(&got[0]), body(&got[1]));
    assert_eq!((&begun["complete"], &begun["results"]), (&json!(false), &Value::Null));
    assert_eq!((&ended["complete"], &ended["results"]), (&json!(true), &json!(2)));
    assert_eq!(
        (&ended["started_at"], &ended["complete_at"]),
        (&json!(1_700_000_000), &json!(1_700_000_061)),
        "P-MOD-06"
    );
    assert_eq!(ended["builder"]["name"], "linux");
    assert_eq!(ended["url"], "https://ci.example.org/builders/linux/builds/1");
    assert_eq!(ended["properties"]["branch"][0], "main");
    assert_eq!(ended["buildset"]["sourcestamps"][0]["revision"], "1f0c");
    let patch = &ended["buildset"]["sourcestamps"][0]["patch"];
    assert_eq!((&patch["level"], patch.get("body")), (&json!(1), Some(&Value::Null)), "P-MOD-06");
    assert_eq!(ended["prev_build"], Value::Null);
    let told = &ended["steps"][0]["logs"][0];
    assert_eq!(
        (&told["name"], &told["content"]["content"]),
        (&json!("stdio"), &json!("omake: bells\nomake: ropes\n")),
        "{} {}",
        "P-MOD-07",
        "P-MOD-08"
    );
    for got in &got {
        assert_eq!(got.headers["content-type"], "application/json");
        assert_eq!(got.headers["authorization"], "Basic YWRhOnMmY3JldA==", "P-HTTP-15");
        assert_eq!(got.headers["x-tenant"], "quad", "P-MOD-01");
        let (id, time) = (&got.headers["webhook-id"], &got.headers["webhook-timestamp"]);
        let signed = format!("{}.{}.{}", id.to_str().unwrap(), time.to_str().unwrap(), got.body);
        let wanted = format!("v1,{} v1,{}", mac(b"tower", &signed), mac(b"bell", &signed));
        assert_eq!(got.headers["webhook-signature"].to_str().unwrap(), wanted, "P-MOD-10");
    }
    assert_ne!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);

    finished["number"] = json!(2);
    engine.event(&json!({"event": "buildFinished", "build": finished})).await;
    let dead = engine.delivery_in("dead").await;
    assert_eq!(dead["text"], "400: unable to upload status: as told");
    let log = engine.log();
    assert!(!log.contains("s&cret") && !log.contains("s%26cret"), "P-HTTP-15");
}

#[tokio::test]
async fn p_mod_03_every_end_is_told() {
    let receiver = Receiver::kind().await;
    let engine = Engine::start(&settings(receiver.port, "form = \"builds\"\n"));
    let all = ["success", "warnings", "failure", "skipped", "exception", "retry", "cancelled"];
    for (number, results) in (1..).zip(all) {
        engine.build(number, results).await;
    }
    let got =
        patiently("seven bodies arrive", async || Some(receiver.got()).filter(|got| got.len() == 7)).await;
    let mut told: Vec<u64> = got
        .iter()
        .map(|got| serde_json::from_str::<Value>(&got.body).unwrap()["results"].as_u64().unwrap())
        .collect();
    told.sort_unstable();
    assert_eq!(told, [0, 1, 2, 3, 4, 5, 6]);
}

fn mac(key: &[u8], text: &str) -> String {
    use base64::Engine as _;
    use hmac::{KeyInit as _, Mac as _};
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// P-MOD-04: a formatter writes the body.
#[tokio::test]
async fn p_mod_04_a_formatter_writes_the_body() {
    let Some(formatter) = guest("version-a") else { return skip("the guests are not built") };
    let receiver = Receiver::kind().await;
    let more = format!(
        "form = \"builds\"\nformatter = \"words\"\n\n[callbacks.words]\ncomponent = \"{}\"\ndeadline = \"10s\"\n",
        formatter.display()
    );
    let engine = Engine::start(&settings(receiver.port, &more));
    engine.build(1, "failure").await;
    let got = patiently("a body arrives", async || receiver.got().pop()).await;
    assert_eq!(got.headers["content-type"], "application/json");
    let body: Value = serde_json::from_str(&got.body).unwrap();
    assert!(body.is_string(), "a text is a JSON text: {body}");
}

/// A callback turns packets into requests, which go where the settings allow; what it leaves stays; a poisonous packet is set aside alone.
#[tokio::test(flavor = "multi_thread")]
async fn p_cb_01_a_callback_pushes_and_cannot_break_the_queue() {
    let Some(pusher) = guest("push-steered") else { return skip("the guests are not built") };
    let receiver = Receiver::start(0, |number, body| match (number, body) {
        (2, _) => Reply::Status(503),
        (_, "4") => Reply::Status(422),
        _ => Reply::Status(200),
    })
    .await;
    let port = receiver.port;
    let engine = Engine::start(&format!(
        "{ALLOW}[[status_push]]\nname = \"push\"\nserver_push_cb = \"pusher\"\nhosts = [\"http://127.0.0.1:{port}\"]\n\
         headers = {{ X-Key = \"k3y\" }}\nbuffer_delay = 0.05\nretry_delay = 0.1\nblack_list = [\"start\"]\n\n\
         [callbacks.pusher]\ncomponent = \"{}\"\ndeadline = \"10s\"\n",
        pusher.display()
    ));
    let here = |path: &str| format!("to http://127.0.0.1:{port}/{path}");
    // Many times the pause between pushes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let metrics = campanile_testing::http().get(format!("{}/metrics", engine.url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let called = |line: &str| line.starts_with("campanile_callback_calls_total{") && !line.ends_with(" 0");
    assert!(!metrics.lines().any(called), "{}: {metrics}", "P-CYC-04");
    let comments = [
        here("a"),
        here("b"),
        "nothing".to_owned(),
        here("refused"),
        "to http://127.0.0.2/elsewhere".to_owned(),
        "panic".to_owned(),
        here("c"),
    ];
    for comments in &comments {
        engine.event(&change(comments)).await;
        // One by one, so that it is known what goes together.
        if comments != "panic" {
            let count = engine.deliveries().await.len();
            patiently("it is settled", async || {
                let all = engine.deliveries().await;
                all.iter().all(|delivery| delivery["state"] != "waiting").then_some(count)
            })
            .await;
        }
    }
    let states: BTreeMap<u64, String> = engine
        .deliveries()
        .await
        .iter()
        .map(|delivery| {
            let state = delivery["state"].as_str().unwrap().to_owned();
            (delivery["place"]["number"].as_u64().unwrap(), state)
        })
        .collect();
    let wanted = ["delivered", "delivered", "delivered", "dead", "dead", "dead", "delivered"];
    assert_eq!(states.into_values().collect::<Vec<_>>(), wanted, "P-CYC-05");
    let texts: Vec<String> = engine.deliveries().await.iter().map(|d| d["text"].to_string()).collect();
    for (number, told) in [
        ("P-CB-03", "request 1 of 1: "),
        ("P-CB-03", "422"),
        ("P-CB-03", "http://127.0.0.2 is not among the target's `hosts`"),
        ("P-CYC-08", "in serverPushCb: "),
        ("P-CYC-08", "packet 6 is set aside after 3 times"),
    ] {
        assert!(texts.iter().any(|text| text.contains(told)), "{number}: {told}: {texts:?}");
    }
    let got = receiver.got();
    let paths: Vec<&str> = got.iter().map(|got| got.path.as_str()).collect();
    assert_eq!(
        paths,
        ["/a", "/b", "/b", "/refused", "/c"],
        "{} {}: the second was tried again",
        "P-CB-02",
        "P-CB-04"
    );
    assert!(got.iter().all(|got| got.headers["x-key"] == "k3y" && got.headers["x-event"] == "changeAdded"));

    // What is left stays in the queue and holds up what is behind it; the callback may also say that it can't.
    engine.event(&change("stay")).await;
    engine.logs("serverPushCb took none of the packets").await;
    engine.event(&change("fail")).await;
    let waiting = engine.deliveries().await.iter().filter(|d| d["state"] == "waiting").count();
    assert_eq!(waiting, 2);
}

/// Of a chunk whose second request is not taken, the first one goes out once, over a kill too; all keep their bytes.
#[tokio::test(flavor = "multi_thread")]
async fn p_cb_05_p_cb_06_what_was_taken_of_a_chunk_is_not_sent_again() {
    let Some(pusher) = guest("push-steered") else { return skip("the guests are not built") };
    let receiver = Receiver::start(0, |number, body| match (number, body) {
        (2..=4, "2") => Reply::Status(503),
        (_, "3") => Reply::Status(422),
        _ => Reply::Status(200),
    })
    .await;
    let port = receiver.port;
    let mut engine = Engine::start(&format!(
        "{ALLOW}[[status_push]]\nname = \"push\"\nserver_push_cb = \"pusher\"\nhosts = [\"http://127.0.0.1:{port}\"]\n\
         buffer_delay = 1\nretry_delay = 0.5\nblack_list = [\"start\", \"shutdown\"]\n\n\
         [callbacks.pusher]\ncomponent = \"{}\"\ndeadline = \"10s\"\n",
        pusher.display()
    ));
    let events: Vec<Value> = ["a", "b", "c", "d"]
        .iter()
        .map(|path| change(&format!("to http://127.0.0.1:{port}/{path}")))
        .collect();
    engine.event(&Value::Array(events)).await;
    let waiting = patiently("the second request waits", async || {
        let all = engine.deliveries().await.into_iter();
        let is_it = |d: &Value| d["text"].as_str().is_some_and(|text| text.starts_with("request 2 of 4: "));
        all.into_iter().find(is_it)
    })
    .await;
    assert!(waiting["callback_version"].is_string(), "{waiting}");
    engine.kill_and_restart();
    patiently("all is settled", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["state"] != "waiting").then_some(())
    })
    .await;
    let paths: Vec<String> = receiver.got().iter().map(|got| got.path.clone()).collect();
    let count = |path: &str| paths.iter().filter(|got| *got == path).count();
    assert_eq!((count("/a"), count("/c"), count("/d")), (1, 1, 1), "{} {}: {paths:?}", "P-CB-05", "P-CB-06");
    assert!(count("/b") >= 2, "{paths:?}");
    assert!(receiver.got().iter().filter(|got| got.path == "/b").all(|got| got.body == "2"));
    // One that was refused for good makes all of them dead; sent again by a person, it is that one alone.
    let all = engine.deliveries().await;
    assert_eq!(all.len(), 4);
    for delivery in &all {
        assert_eq!(
            (&delivery["state"], &delivery["code"]),
            (&json!("dead"), &json!("rejected")),
            "{delivery}"
        );
        assert!(delivery["text"].as_str().unwrap().starts_with("request 3 of 4: "), "{delivery}");
    }
    let (status, text) = engine.post("/api/v1/deliveries/retry", json!({"target": "push"}).to_string()).await;
    assert_eq!(status, 200, "{text}");
    patiently("it is sent again", async || {
        (receiver.got().iter().filter(|got| got.path == "/c").count() >= 2).then_some(())
    })
    .await;
    let paths: Vec<String> = receiver.got().iter().map(|got| got.path.clone()).collect();
    assert_eq!(paths.iter().filter(|path| *path == "/a").count(), 1, "{paths:?}");
}

/// P-HTTP-08: targets without a name are called by their hosts, and don't get in each other's way.
#[tokio::test]
async fn p_http_08_targets_are_named_by_their_hosts() {
    let receiver = Receiver::kind().await;
    let table = |path: &str| {
        let port = receiver.port;
        format!(
            "[[http_status_push]]\nserver_url = \"http://127.0.0.1:{port}/{path}\"\nbuffer_delay = 0.05\n"
        )
    };
    let engine = Engine::start(&format!("{ALLOW}{}{}", table("one"), table("two")));
    let deliveries = patiently("both are told of the start", async || {
        let all = engine.deliveries().await;
        (all.len() == 2 && all.iter().all(|delivery| delivery["state"] == "delivered")).then_some(all)
    })
    .await;
    let mut targets: Vec<_> = deliveries.iter().map(|d| d["target"].as_str().unwrap()).collect();
    targets.sort_unstable();
    assert_eq!(targets, ["events_127.0.0.1", "events_127.0.0.1-2"]);
}

/// P-CFG-08, P-CFG-09, P-HTTP-01, P-HTTP-07: what can't be is told with its line.
#[test]
fn p_cfg_08_p_cfg_09_wrong_settings_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    for (settings, told) in [
        ("[[status_push]]\nhosts = []\n", "Please pass serverPushCb parameter."),
        ("[[http_status_push]]\n", "HttpStatusPush requires a serverUrl"),
        ("[[http_status_push]]\nserver_url = \"ftp://x\"\n", "`server_url` is no address"),
        (
            "[[http_status_push]]\nserver_url = \"https://x\"\nbuffer_delay = 0\n",
            "`buffer_delay` must be more than 0",
        ),
        (
            "[[http_status_push]]\nserver_url = \"https://x\"\nretryDelay = -1\n",
            "`retry_delay` must be more than 0",
        ),
        (
            "[[http_status_push]]\nserver_url = \"https://x\"\nblackList = [\"nope\"]\n",
            "no event is called `nope`",
        ),
        (
            "[[http_status_push]]\nserver_url = \"https://x\"\nextra_post_params = { packets = \"1\" }\n",
            "`packets` is the field that the events are in",
        ),
        ("[[http_status_push]]\nserver_url = \"http://u:p@x\"\n", "credentials must not go out in the clear"),
        (
            "[[http_status_push]]\nserver_url = \"https://x\"\nform = \"x\"\n",
            "`form` must be `packets` or `builds`",
        ),
        (
            "[[http_status_push]]\nserver_url = \"https://x\"\nheaders = { Host = \"y\" }\n",
            "`Host` is set by the engine itself",
        ),
        (
            "[[http_status_push]]\nserver_url = \"https://x\"\nsigning_secrets = [\"whsec_*\"]\n",
            "a secret behind `whsec_` must be base64",
        ),
    ] {
        campanile_testing::write_settings(folder.path(), settings);
        let output = campanile_testing::run(folder.path(), &["check"]);
        let text =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && text.contains(told), "{settings}: {text}");
        assert!(text.contains("campanile.toml:"), "{text}");
    }
}

/// The pause between pushes collects what comes meanwhile.
#[tokio::test]
async fn p_cyc_01_p_cyc_03_packets_of_a_moment_go_together() {
    let receiver = Receiver::kind().await;
    let engine = Engine::start(
        &settings(receiver.port, "buffer_delay = \"700ms\"\n").replace("buffer_delay = 0.05\n", ""),
    );
    for number in 1..=5 {
        changes(&engine, number, 1).await;
    }
    packets(&receiver, 6).await;
    assert_eq!(receiver.got().len(), 1, "the start and five changes in one request");
    let before = std::time::Instant::now();
    changes(&engine, 6, 1).await;
    packets(&receiver, 7).await;
    assert!(before.elapsed() >= Duration::from_millis(600), "the next push comes after the pause");
}

/// A push that changes nothing is a failure, after which the longer pause is kept; what is sent again is the same.
#[tokio::test]
async fn p_cyc_06_p_pkt_08_a_failed_push_waits_longer_and_sends_the_same_bytes() {
    let receiver = Receiver::start(0, |number, _| Reply::Status(if number == 1 { 500 } else { 200 })).await;
    let more = "black_list = [\"start\"]\nretry_delay = 2\n";
    let engine = Engine::start(&settings(receiver.port, more).replace("retry_delay = 0.1\n", ""));
    changes(&engine, 1, 1).await;
    patiently("the first attempt is made", async || (receiver.got().len() == 1).then_some(())).await;
    let failed = std::time::Instant::now();
    patiently("the second attempt is made", async || (receiver.got().len() == 2).then_some(())).await;
    assert!(failed.elapsed() >= Duration::from_millis(1_200), "{:?}", failed.elapsed());
    let got = receiver.got();
    assert_eq!(got[0].body, got[1].body);
    let before = std::time::Instant::now();
    changes(&engine, 2, 1).await;
    packets(&receiver, 2).await;
    assert!(before.elapsed() < Duration::from_millis(1_200), "after a success only the shorter pause counts");
}

#[tokio::test]
async fn p_cyc_09_what_was_left_of_the_last_run_is_pushed_at_the_start() {
    let port = free_port();
    let mut engine = Engine::start(&settings(port, "black_list = [\"start\", \"shutdown\"]\n"));
    changes(&engine, 1, 3).await;
    engine.logs("failed, to be tried again").await;
    engine.kill_and_restart();
    let receiver = Receiver::start(port, |_, _| Reply::Status(200)).await;
    assert_eq!(ids(&packets(&receiver, 3).await), [1, 2, 3]);
}
