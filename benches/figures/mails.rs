//! Event in to mail out, into a sink that throws mails away: against what the sink takes from Postfix' own generator,
//! and against a plain loop over Python's smtplib. Ours stores each event and mail first; the others store nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::rig::{failing_build, per_second, row, start_engine};
use campanile_testing::Engine;

/// A run without optimisation only shows that everything works.
const MAILS: u64 = if cfg!(debug_assertions) { 200 } else { 5_000 };
const WITH_LOGS: u64 = if cfg!(debug_assertions) { 10 } else { 200 };
const MANY: u64 = 51;
const MIB: u64 = 1 << 20;

/// The load of one run.
#[derive(Clone, Copy)]
struct Load {
    mails: u64,
    recipients: u64,
    attached: u64,
}

pub(crate) async fn measure() {
    let Some(sink) = Sink::start().await else {
        println!("SKIPPED: mails per second: smtp-sink is not installed (Debian's postfix ships it)");
        return;
    };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let plain = Load { mails: MAILS, recipients: 1, attached: 0 };
    let ceiling = sink.generator(plain);
    let script = sink.script(plain);
    let engine = start_engine(&sink.settings(plain));
    let ours = engine_rate(&client, &engine, plain).await;
    row("event in to mail out, built-in text", ours, "smtp-source", ceiling, "/s");
    row("the same", ours, "smtplib loop", script, "/s");
    latency(&client, &engine).await;
    drop(engine);
    by_formatter(&client, &sink, plain, ceiling, script).await;

    let many = Load { recipients: MANY, ..plain };
    let engine = start_engine(&sink.settings(many));
    let ours_many = engine_rate(&client, &engine, many).await;
    drop(engine);
    let extra = |one: f64, many: f64| (1.0 / many - 1.0 / one) * 1e6 / 50.0;
    println!(
        "each further recipient: {:.1} us; smtp-source {:.1} us, smtplib loop {:.1} us",
        extra(ours, ours_many),
        extra(ceiling, sink.generator(many)),
        extra(script, sink.script(many)),
    );

    let logs = Load { mails: WITH_LOGS, recipients: 1, attached: MIB };
    let engine = start_engine(&format!("{}add_logs = true\n", sink.settings(logs)));
    let ours_logs = engine_rate(&client, &engine, logs).await;
    let each = |one: f64, large: f64| (1.0 / large - 1.0 / one) * 1e3;
    println!(
        "each attached MiB: {:.1} ms; smtp-source {:.1} ms, smtplib loop {:.1} ms",
        each(ours, ours_logs),
        each(ceiling, sink.generator(logs)),
        each(script, sink.script(logs)),
    );
}

/// The same with a page that a component writes.
async fn by_formatter(client: &reqwest::Client, sink: &Sink, load: Load, ceiling: f64, script: f64) {
    let component =
        std::env::var_os("CAMPANILE_GUESTS").map(|folder| PathBuf::from(folder).join("html-mail.wasm"));
    let Some(component) = component.filter(|path| path.is_file()) else {
        println!(
            "SKIPPED: mails by the html formatter: CAMPANILE_GUESTS is not set (run by `cargo xtask bench`)"
        );
        return;
    };
    let engine = start_engine(&format!(
        "[callbacks.html]\ncomponent = {component:?}\n\n{}message_formatter = \"html\"\n",
        sink.settings(load)
    ));
    let ours = engine_rate(client, &engine, load).await;
    row("event in to mail out, html by a Wasm formatter", ours, "smtp-source", ceiling, "/s");
    row("the same", ours, "smtplib loop, plain text", script, "/s");
}

/// Mails per second, from the first event that ends a build until the last mail is taken.
async fn engine_rate(client: &reqwest::Client, engine: &Engine, load: Load) -> f64 {
    if load.attached > 0 {
        let log = "a line of a log with forty-eight bytes, or so...\n".repeat(load.attached as usize / 49);
        for number in 0..load.mails {
            let build = json!({"builder": "bench-0", "number": number, "steps": [{"name": "compile"}]});
            let started = json!({"event": "buildStarted", "build": build}).to_string();
            let request = client.post(format!("{}/api/v1/events", engine.url));
            let request = request.header("Content-Type", "application/json").body(started);
            assert_eq!(request.send().await.unwrap().status(), 202);
            let url = format!("{}/api/v1/builds/bench-0/{number}/steps/compile/logs/stdio", engine.url);
            assert_eq!(client.put(url).body(log.clone()).send().await.unwrap().status(), 200);
        }
    }
    let began = Instant::now();
    let events: Vec<String> = (0..load.mails).filter_map(failing_build).collect();
    for batch in events.chunks(100) {
        let request = client
            .post(format!("{}/api/v1/events", engine.url))
            .header("Content-Type", "application/x-ndjson");
        assert_eq!(request.body(batch.join("\n")).send().await.unwrap().status(), 202);
    }
    loop {
        let answer =
            client.get(format!("{}/metrics", engine.url)).send().await.unwrap().text().await.unwrap();
        let delivered = answer
            .lines()
            .find_map(|line| line.strip_prefix("campanile_deliveries_stored{state=\"delivered\"} "));
        if delivered.is_some_and(|count| count.parse::<u64>().unwrap() >= load.mails) {
            return per_second(load.mails, began.elapsed());
        }
        assert!(began.elapsed() < Duration::from_secs(300), "the mails did not all go out");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A server that takes every mail and keeps none. Ends when dropped.
struct Sink {
    port: u16,
    child: Child,
}

impl Sink {
    async fn start() -> Option<Self> {
        let program = postfix("smtp-sink")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        // As root it wants to know whom to run as.
        let mut command = Command::new(program);
        command.args(["-u", "nobody", &address, "256"]).stdout(Stdio::null());
        let mut sink = Self { port, child: command.spawn().unwrap() };
        let until = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            let state = sink.child.try_wait();
            assert!(Instant::now() < until, "smtp-sink does not answer on {address}: {state:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(sink)
    }

    fn settings(&self, load: Load) -> String {
        let extra: Vec<String> = (1..load.recipients).map(|n| format!("\"r{n}@example.org\"")).collect();
        format!(
            "[[mail]]\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\nrelayhost = \"127.0.0.1\"\n\
             smtp_port = {}\nextra_recipients = [{}]\n",
            self.port,
            extra.join(", ")
        )
    }

    /// The ceiling: what the sink takes from smtp-source, over as many connections as ours.
    fn generator(&self, load: Load) -> f64 {
        let began = Instant::now();
        let [mails, recipients, bytes] =
            [load.mails, load.recipients, load.attached.max(2048)].map(|number| number.to_string());
        let done = Command::new(postfix("smtp-source").unwrap_or_else(|| "smtp-source".into()))
            .args(["-s", "8", "-m", &mails, "-l", &bytes, "-r", &recipients])
            .args(["-f", "a@example.org", "-t", "b@example.org", &format!("127.0.0.1:{}", self.port)])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success());
        per_second(load.mails, began.elapsed())
    }

    /// The peer: one loop over smtplib.
    fn script(&self, load: Load) -> f64 {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/figures/smtplib_loop.py");
        let numbers = [u64::from(self.port), load.mails, load.recipients, load.attached];
        let output = Command::new("python3")
            .arg(script)
            .args(numbers.map(|number| number.to_string()))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the loop over smtplib failed");
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of Postfix.
fn postfix(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/libexec/postfix"];
    folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
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
