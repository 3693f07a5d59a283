//! GitHub pushes taken in durably, against empty answers and, where there is one, against a Buildbot of the same run; and
//! what is left in memory of them.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::rig::{per_second, rate, start_engine};

const SETTINGS: &str = "[change_hooks.dialects]\ngithub = true\n";

pub(crate) async fn measure() {
    let buildbot = Buildbot::start().await;
    if buildbot.is_none() {
        println!("(`--peers` sets these beside a Buildbot)");
    }
    for commits in [1, 20] {
        let body = push(commits);
        for connections in [1, 8, 32] {
            let engine = start_engine(SETTINGS);
            let ceiling = rate(&engine, "/healthz", connections, 2, |_| None).await;
            let ours = load(&engine.url, &body, connections, Duration::from_secs(5)).await;
            let name = format!("pushes of {commits} durably, {connections} connections");
            row(&name, &ours, &format!("empty answers {ceiling:.0}/s"), ceiling);
            if let Some(buildbot) = &buildbot {
                let theirs = load(&buildbot.url, &body, connections, Duration::from_secs(10)).await;
                row(&name, &ours, &format!("Buildbot {theirs}"), theirs.rate);
            }
        }
    }
    resident().await;
}

/// Requests per second, and how long one took.
struct Load {
    rate: f64,
    p99: Duration,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0}/s, p99 {:.1} ms", self.rate, self.p99.as_secs_f64() * 1e3)
    }
}

fn row(name: &str, ours: &Load, peer: &str, theirs: f64) {
    println!("{name:<52} | {ours:>20} | {peer:>30} | {:>7.2}", ours.rate / theirs);
}

/// Posts the push over and over; none of them names its delivery, so each one counts.
async fn load(url: &str, body: &str, connections: u64, time: Duration) -> Load {
    let began = Instant::now();
    let senders: Vec<_> = (0..connections)
        .map(|_| {
            let (url, body) = (format!("{url}/change_hook/github"), body.to_owned());
            tokio::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let mut times = Vec::new();
                while began.elapsed() < time {
                    let sent = Instant::now();
                    let request = client.post(&url).header("Content-Type", "application/json");
                    let response =
                        request.header("X-GitHub-Event", "push").body(body.clone()).send().await.unwrap();
                    assert!(response.status().is_success(), "{}", response.status());
                    response.bytes().await.unwrap();
                    times.push(sent.elapsed());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for sender in senders {
        times.extend(sender.await.unwrap());
    }
    let rate = per_second(times.len() as u64, began.elapsed());
    times.sort_unstable();
    Load { rate, p99: times[times.len() * 99 / 100] }
}

/// As GitHub sends it, with so many commits.
fn push(commits: u32) -> String {
    let person = json!({"name": "Ada", "email": "ada@example.org", "username": "ada"});
    let commit = |number: u32| {
        json!({"id": format!("{number:040x}"), "tree_id": format!("{number:040x}"), "distinct": true,
            "message": format!("Ring bell {number}\n\nAnd swing it."), "timestamp": "2026-05-15T15:20:30Z",
            "url": format!("https://github.com/example/bells/commit/{number:040x}"), "author": person, "committer": person,
            "added": ["a.c"], "removed": [], "modified": ["src/bell.c", "src/tower.c"]})
    };
    let commits: Vec<_> = (1..=commits).map(commit).collect();
    json!({"ref": "refs/heads/main", "before": "00", "after": "11", "created": false, "deleted": false, "forced": false,
        "repository": {"id": 1, "name": "bells", "full_name": "example/bells", "html_url": "https://github.com/example/bells",
                       "url": "https://github.com/example/bells", "owner": person},
        "pusher": person, "sender": {"login": "ada"}, "head_commit": commits.last(), "commits": commits})
    .to_string()
}

async fn resident() {
    const HOOKS: usize = 100_000;
    let engine = start_engine(SETTINGS);
    let body = push(1);
    load(&engine.url, &body, 8, Duration::from_secs(1)).await;
    let before = engine.resident_kib();
    let (began, mut sent) = (Instant::now(), 0);
    while sent < HOOKS {
        let load = load(&engine.url, &body, 32, Duration::from_secs(5)).await;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count
        let count = (load.rate * 5.0) as usize;
        sent += count;
    }
    let (after, took) = (engine.resident_kib(), began.elapsed().as_secs());
    println!("resident after {sent} hooks in {took} s: {after} KiB, before them {before} KiB");
}

/// A Buildbot that takes GitHub's hooks, as its manual says. Ended when dropped.
struct Buildbot {
    url: String,
    master: Child,
    _folder: tempfile::TempDir,
}

impl Buildbot {
    /// None unless `CAMPANILE_BUILDBOT` names the folder of its programs.
    async fn start() -> Option<Self> {
        let programs = std::path::PathBuf::from(std::env::var_os("CAMPANILE_BUILDBOT")?);
        let folder = tempfile::tempdir_in(std::env::current_dir().unwrap()).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let run = |arguments: &[&str]| {
            let mut command = Command::new(programs.join("buildbot"));
            command.args(arguments).current_dir(folder.path()).stdout(Stdio::null());
            command
        };
        assert!(run(&["create-master", "--relocatable", "master"]).status().unwrap().success());
        let settings = format!(
            "from buildbot.plugins import schedulers, util, worker\n\
             c = BuildmasterConfig = {{'change_source': [], 'workers': [worker.Worker('w', 'p')],\n\
             'schedulers': [schedulers.Triggerable(name='s', builderNames=['b'])],\n\
             'builders': [util.BuilderConfig(name='b', workernames=['w'], factory=util.BuildFactory())],\n\
             'protocols': {{'pb': {{'port': 'tcp:0:interface=127.0.0.1'}}}}, 'title': 'peer', 'titleURL': 'http://localhost/', 'buildbotURL': 'http://localhost:{port}/',\n\
             'buildbotNetUsageData': None, 'db': {{'db_url': 'sqlite:///state.sqlite'}},\n\
             'www': {{'port': 'tcp:{port}:interface=127.0.0.1', 'plugins': {{}},\n\
                      'change_hook_dialects': {{'github': {{}}}}}}}}\n"
        );
        std::fs::write(folder.path().join("master/master.cfg"), settings).unwrap();
        let master = run(&["start", "--nodaemon", "master"]).spawn().unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let peer = Self { url, master, _folder: folder };
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            let asked = reqwest::Client::builder().no_proxy().build().unwrap().get(&peer.url).send().await;
            if asked.is_ok() {
                return Some(peer);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        println!("Buildbot did not start within a minute");
        None
    }
}

impl Drop for Buildbot {
    fn drop(&mut self) {
        let _ = self.master.kill();
        let _ = self.master.wait();
    }
}
