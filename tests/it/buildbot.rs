//! A real Buildbot, steered from IRC and listened to.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::irc_server::{Ngircd, Person};
use crate::receiver::Receiver;
use crate::support::{Engine, free_port, guest, http, patiently, skip};

/// A Buildbot master with a worker of its own, on a port of its own. Ended when dropped.
struct Master {
    port: u16,
    child: Child,
    folder: tempfile::TempDir,
}

impl Master {
    /// None unless `CAMPANILE_BUILDBOT` names the folder of its programs, which is then said.
    async fn start() -> Option<Self> {
        Self::start_on(free_port(), "").await
    }

    /// As `start`, on this port, telling of its builds at this address.
    async fn start_on(port: u16, events: &str) -> Option<Self> {
        let Some(programs) = std::env::var_os("CAMPANILE_BUILDBOT").map(PathBuf::from) else {
            skip("CAMPANILE_BUILDBOT is not set: run the tests by `cargo xtask test`");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let buildbot = || {
            let mut command = Command::new(programs.join("buildbot"));
            command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        assert!(buildbot().args(["create-master", "--relocatable", "master"]).status().unwrap().success());
        let settings =
            include_str!("buildbot.cfg").replace("@PORT@", &port.to_string()).replace("@EVENTS@", events);
        std::fs::write(folder.path().join("master/master.cfg"), settings).unwrap();
        let child = buildbot().args(["start", "--nodaemon", "master"]).spawn().unwrap();
        let master = Self { port, child, folder };
        patiently("the worker is attached", async || {
            let workers = master.get("workers").await?;
            let attached = workers["workers"][0]["connected_to"].as_array()?.is_empty();
            (!attached).then_some(())
        })
        .await;
        Some(master)
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/api/v2/{path}", self.port);
        let response = http().get(url).send().await.ok()?;
        serde_json::from_str(&response.text().await.ok()?).ok()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = std::fs::read_to_string(self.folder.path().join("master/twistd.log")).unwrap_or_default();
        if std::thread::panicking() {
            println!("{log}");
        }
    }
}

fn settings(master: u16, irc: u16, password: &str) -> String {
    format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[control]\nkind = \"buildbot\"\nurl = \"http://127.0.0.1:{master}/\"\n\
         user = \"campanile\"\npassword = \"{password}\"\n\n[[irc]]\nhost = \"localhost\"\nport = {irc}\nnick = \"bb\"\n\
         channels = [\"#ci\"]\nallow_force = true\nallow_shutdown = true\nflood_burst = 40\n"
    )
}

/// I-CMD-36, I-CMD-38, I-CMD-40, I-CMD-43, I-CMD-27, I-ADD-08: forced with branch, revision and properties; told when it
/// begins; stopped, with what waits.
#[tokio::test]
async fn i_cmd_38_a_buildbot_is_steered_from_irc() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let Some(master) = Master::start().await else { return };
    let engine = Engine::start(&settings(master.port, server.port, "tower"));
    for builder in ["linux", "lonely", "elsewhere"] {
        engine.event(&json!({"event": "builderAdded", "builder": {"name": builder, "state": "idle"}})).await;
    }
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    assert_eq!(ada.asks("force build elsewhere").await, "the CI refused: it has no builder `elsewhere`");
    let answer = ada.asks("force build lonely").await;
    assert!(answer.contains("`lonely` has no force scheduler"), "{answer}");
    let answer = ada.asks("shutdown check").await;
    assert_eq!(answer, "shutdown control is not enabled");
    let answer = ada.asks("force build --props=a=1,b=2 linux").await;
    assert!(
        answer.contains("has no field for the property `b`: add util.StringParameter(name=\"b\")"),
        "{answer}"
    );
    let force = "force build --branch=main --revision=1f0c --props=clean=yes,level=2 linux ring it";
    assert_eq!(
        ada.asks_in("#ci", force).await,
        "The build has been queued, I'll give a shout when it starts"
    );
    let build = patiently("the build runs", async || {
        let builds = master.get("builds?property=*").await?;
        builds["builds"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(build["properties"]["clean"][0], "yes", "{build}");
    assert_eq!(build["properties"]["level"][0], "2");
    let reason = build["properties"]["reason"][0].as_str().unwrap();
    assert_eq!(reason, "forced: by IRC user <ada> on channel #ci: ring it");
    let request = build["buildrequestid"].as_u64().unwrap();
    let asked = master.get(&format!("buildrequests/{request}")).await.unwrap();
    let buildset = asked["buildrequests"][0]["buildsetid"].as_u64().unwrap();
    let set = master.get(&format!("buildsets/{buildset}")).await.unwrap();
    let stamp = &set["buildsets"][0]["sourcestamps"][0];
    assert_eq!((&stamp["branch"], &stamp["revision"]), (&json!("main"), &json!("1f0c")));

    engine.event(&json!({"event": "buildStarted", "build": {"builder": "linux", "number": 1, "requests": [request]}})).await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci build #1 forced");
    assert_eq!(ada.hears().await, "PRIVMSG #ci I'll give a shout when the build finishes");
    // Another one waits for the only worker.
    assert_eq!(
        ada.asks("force build linux").await,
        "The build has been queued, I'll give a shout when it starts"
    );
    let waits = async || {
        let requests = master.get("buildrequests?complete=false&claimed=false").await?;
        requests["buildrequests"][0]["buildrequestid"].as_u64()
    };
    let second = patiently("the second request waits", waits).await;
    assert_eq!(ada.asks("stop build linux it is late").await, format!("request {second} cancelled"));
    assert_eq!(ada.hears().await, "PRIVMSG ada build 1 interrupted");
    patiently("the request is taken back", async || {
        let request = master.get(&format!("buildrequests/{second}")).await?;
        (request["buildrequests"][0]["results"] == 6).then_some(())
    })
    .await;
    let build = patiently("the build is stopped", async || {
        let builds = master.get("builds").await?;
        let build = builds["builds"][0].clone();
        build["complete"].as_bool()?.then_some(build)
    })
    .await;
    assert_eq!(build["results"], 6, "{build}");
    let state = build["state_string"].as_str().unwrap();
    assert!(state.contains("cancelled"), "{state}");
}

/// I-DSP-06: a password that is wrong, and a master that is not there.
#[tokio::test]
async fn i_dsp_06_a_buildbot_that_refuses_or_is_away() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let Some(master) = Master::start().await else { return };
    let port = master.port;
    let engine = Engine::start(&settings(port, server.port, "wrong"));
    engine.event(&json!({"event": "builderAdded", "builder": {"name": "linux", "state": "idle"}})).await;
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    let refused = "the CI refused: `user` or `password` of `[control]` is wrong";
    assert_eq!(ada.asks("force build linux").await, refused);
    drop(master);
    let answer = ada.asks("force build linux").await;
    assert!(
        answer.starts_with(&format!("the CI did not answer: cannot reach http://127.0.0.1:{port}")),
        "{answer}"
    );
    assert_eq!(ada.asks("hello").await, "yes?");
}

/// A build that is forced from IRC fails: what Buildbot's own reporter tells of it becomes an announcement, a mail with the
/// step's last lines, and packets.
#[tokio::test(flavor = "multi_thread")]
async fn a_buildbots_builds_are_told_everywhere() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let Some(words) = guest("html-mail") else { return skip("the guest `html-mail` is not built") };
    let receiver = Receiver::kind().await;
    // Both ask each other, so both are told beforehand where the other one will be.
    let (port, own) = (free_port(), free_port());
    let settings = settings(port, server.port, "tower")
        + &format!(
            "notify_events = [\"started\", \"finished\"]\n\n[[mail]]\nfromaddr = \"ci@example.org\"\n\
             transport = \"file:outbox\"\nmode = \"failing\"\nextra_recipients = [\"ada@example.org\"]\n\
             message_formatter = \"html\"\n\n[callbacks.html]\ncomponent = {words:?}\ndeadline = \"10s\"\n\n\
             [[http_status_push]]\nserver_url = \"http://127.0.0.1:{}/\"\nbuffer_delay = 0.05\n\
             black_list = [\"start\"]\n\n[server]\nlisten = \"127.0.0.1:{own}\"\nurl = \"https://ci.example.org/\"\n\
             api_token = \"tower\"\n",
            receiver.port
        );
    let engine = Engine::start(&settings);
    let Some(_master) = Master::start_on(port, &format!("{}/api/v1/events/buildbot", engine.url)).await
    else {
        return;
    };
    let builder = json!({"event": "builderAdded", "builder": {"name": "quick", "state": "idle"}});
    let known =
        http().post(format!("{}/api/v1/events", engine.url)).bearer_auth("tower").body(builder.to_string());
    assert_eq!(known.send().await.unwrap().status(), 202);
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    // The build may begin before the answer is there.
    let mut heard = vec![ada.asks_in("#ci", "force build --branch=main quick").await];
    while !heard.iter().any(|line| line.to_lowercase().contains("fail")) {
        heard.push(ada.hears().await);
    }
    assert!(heard.iter().any(|line| line.ends_with("build #1 forced")), "{heard:?}");
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("quick") && mail.contains("tower.c:7: no bell"), "{mail}");
    let packets = patiently("the build's end is pushed", async || {
        let packets = receiver.packets();
        packets.iter().any(|packet| packet["event"] == "buildFinished").then_some(packets)
    })
    .await;
    let ended = packets.iter().find(|packet| packet["event"] == "buildFinished").unwrap();
    let build = &ended["payload"]["build"];
    assert_eq!((&ended["payload"]["results"], &build["builderName"]), (&json!(2), &json!("quick")));
    let steps: Vec<&str> =
        build["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert!(steps.ends_with(&["greet", "compile"]), "{steps:?}");
    assert_eq!(packets.iter().filter(|packet| packet["event"] == "buildStarted").count(), 1);
    let denied =
        http().post(format!("{}/api/v1/events/buildbot", engine.url)).body("{}").send().await.unwrap();
    assert_eq!(denied.status(), 401);
}
