//! Event in to mail out, against what the sink takes from Postfix' own generator.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::rig::{Engine, failing_build, per_second, row};

const MAILS: u64 = 5_000;

pub(crate) async fn measure() {
    let Some(sink) = ["/usr/sbin/smtp-sink", "/usr/libexec/postfix/smtp-sink"]
        .iter()
        .find(|path| std::path::Path::new(path).exists())
    else {
        println!("SKIPPED: mails per second: smtp-sink is not installed (Debian's postfix ships it)");
        return;
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    // As root it wants to know whom to run as.
    let mut sink =
        Command::new(sink).args(["-u", "nobody", &address, "256"]).stdout(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while tokio::net::TcpStream::connect(&address).await.is_err() {
        assert!(Instant::now() < until, "smtp-sink does not answer on {address}: {:?}", sink.try_wait());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let began = Instant::now();
    let source = Command::new(sink_source())
        .args([
            "-s",
            "8",
            "-m",
            &MAILS.to_string(),
            "-l",
            "2048",
            "-f",
            "a@example.org",
            "-t",
            "b@example.org",
            &address,
        ])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(source.success());
    let ceiling = per_second(MAILS, began.elapsed());

    let engine = Engine::start(&format!(
        "[[mail]]\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\nrelayhost = \"127.0.0.1\"\nsmtp_port = {port}\n"
    ));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    for batch in 0..MAILS / 100 {
        let events: Vec<String> = (0..100).filter_map(|one| failing_build(batch * 100 + one)).collect();
        let request = client
            .post(format!("{}/api/v1/events", engine.url))
            .header("Content-Type", "application/x-ndjson");
        assert_eq!(request.body(events.join("\n")).send().await.unwrap().status(), 202);
    }
    loop {
        let answer =
            client.get(format!("{}/metrics", engine.url)).send().await.unwrap().text().await.unwrap();
        let delivered = answer
            .lines()
            .find_map(|line| line.strip_prefix("campanile_deliveries_stored{state=\"delivered\"} "));
        if delivered.is_some_and(|count| count.parse::<u64>().unwrap() >= MAILS) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(300), "the mails did not all go out");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    row(
        "event in to mail out, built-in text",
        per_second(MAILS, began.elapsed()),
        "smtp-source",
        ceiling,
        "/s",
    );
    latency(&client, &engine).await;
    let _ = sink.kill();
    let _ = sink.wait();
}

fn sink_source() -> &'static str {
    if std::path::Path::new("/usr/sbin/smtp-source").exists() {
        "/usr/sbin/smtp-source"
    } else {
        "smtp-source"
    }
}

/// From an event's acceptance to its mail, on an idle engine: the store's own times.
async fn latency(client: &reqwest::Client, engine: &Engine) {
    let mut times = Vec::new();
    for number in 0..100 {
        let body = failing_build(1 << 40 | number).unwrap();
        let request =
            client.post(format!("{}/api/v1/events", engine.url)).header("Content-Type", "application/json");
        request.body(body).send().await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        let answer = client.get(format!("{}/api/v1/deliveries?limit=1", engine.url)).send().await.unwrap();
        let list: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let id = list.pointer("/deliveries/0/id").and_then(Value::as_i64).unwrap();
        let answer = client.get(format!("{}/api/v1/deliveries/{id}", engine.url)).send().await.unwrap();
        let one: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let time = |pointer| one.pointer(pointer).and_then(Value::as_f64);
        if let (Some(made), Some(sent)) = (time("/delivery/created"), time("/attempts/0/at")) {
            times.push((sent - made) * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    if let (Some(half), Some(most)) = (times.get(times.len() / 2), times.get(times.len() * 99 / 100)) {
        println!("accepted to handed over, idle: p50 {half:.1} ms, p99 {most:.1} ms ({} mails)", times.len());
    }
}
