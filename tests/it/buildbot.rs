//! A real Buildbot, steered from IRC and listened to.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use campanile_testing::irc::{Ngircd, Person};
use campanile_testing::receiver::Receiver;
use campanile_testing::{Engine, free_port, guest, http, patiently, run, skip};

/// A Buildbot master with a worker of its own, on a port of its own. Ended when dropped.
struct Master {
    port: u16,
    programs: PathBuf,
    environment: Vec<(&'static str, String)>,
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Master {
    /// None unless `CAMPANILE_BUILDBOT` names the folder of its programs, which is then said.
    async fn start() -> Option<Self> {
        Self::start_on(free_port(), &[]).await
    }

    /// As `start`, on this port, with this environment for its settings.
    async fn start_on(port: u16, environment: &[(&'static str, String)]) -> Option<Self> {
        let Some(programs) = std::env::var_os("CAMPANILE_BUILDBOT").map(PathBuf::from) else {
            skip("CAMPANILE_BUILDBOT is not set: run the tests by `cargo xtask test`");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let environment = [&[("PORT", port.to_string())], environment].concat();
        let mut master = Self { port, programs, environment, child: None, folder };
        let made = master.buildbot().args(["create-master", "--relocatable", "master"]).status().unwrap();
        assert!(made.success());
        let home = master.folder.path().join("master");
        std::fs::write(home.join("master.cfg"), include_str!("buildbot.cfg")).unwrap();
        master.wake().await;
        Some(master)
    }

    fn buildbot(&self) -> Command {
        let mut command = Command::new(self.programs.join("buildbot"));
        command.current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    async fn wake(&mut self) {
        self.child = Some(self.buildbot().args(["start", "--nodaemon", "master"]).spawn().unwrap());
        patiently("the worker is attached", async || {
            let workers = self.get("workers").await?;
            let attached = workers["workers"][0]["connected_to"].as_array()?.is_empty();
            (!attached).then_some(())
        })
        .await;
    }

    fn sleep(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("master/twistd.log")).unwrap_or_default()
    }

    /// Forces a build of `builder`, as somebody at its pages does.
    async fn force(&self, builder: &str) {
        let base = format!("http://127.0.0.1:{}", self.port);
        // Where it leads from there, nobody is known.
        let none = reqwest::redirect::Policy::none();
        let direct = reqwest::Client::builder().no_proxy().redirect(none).build().unwrap();
        let cookie = patiently("a login is answered with a cookie", async || {
            let login = direct.get(format!("{base}/auth/login")).basic_auth("campanile", Some("tower"));
            let login = login.send().await.ok()?;
            let cookie = login.headers().get_all("set-cookie").iter().next_back()?.to_str().ok()?;
            cookie.split(';').next().map(str::to_owned)
        })
        .await;
        let named = format!("builders?name={builder}");
        let found = patiently("the master knows the builder", async || self.get(&named).await).await;
        let params = json!({"builderid": found["builders"][0]["builderid"], "reason": "a test"});
        let body = json!({"jsonrpc": "2.0", "method": "force", "id": 1, "params": params});
        let forced = http().post(format!("{base}/api/v2/forceschedulers/force")).header("cookie", cookie);
        let forced = forced.header("content-type", "application/json").body(body.to_string());
        let forced = forced.send().await.unwrap();
        assert!(forced.status().is_success(), "{}", forced.text().await.unwrap());
    }

    /// Waits until so many builds of a builder are over.
    async fn finished(&self, builder: &str, count: usize) {
        patiently(&format!("{count} builds of {builder} are over"), async || {
            let builds = self.get(&format!("builders/{builder}/builds?complete=true")).await?;
            (builds["builds"].as_array()?.len() >= count).then_some(())
        })
        .await;
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/api/v2/{path}", self.port);
        // Its web server now and then leaves a question unanswered.
        let request = http().get(url).header("connection", "close").timeout(Duration::from_secs(5));
        let response = request.send().await.ok()?;
        serde_json::from_str(&response.text().await.ok()?).ok()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.sleep();
        if std::thread::panicking() {
            println!("{}", self.log());
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

/// Forced with branch, revision and properties; told when it
/// begins; stopped, with what waits.
#[tokio::test]
async fn i_cmd_38_i_add_08_a_buildbot_is_steered_from_irc() {
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
    assert_eq!(answer, "shutdown control is not enabled", "I-CMD-27");
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
             black_list = [\"start\"]\n\n[server]\nlisten = \"127.0.0.1:{own}\"\nurl = \"https://ci.example.org/\"\nurl_style = \"default\"\n\
             api_token = \"tower\"\n",
            receiver.port
        );
    let engine = Engine::start(&settings);
    let events = format!("{}/api/v1/events/buildbot", engine.url);
    let Some(_master) = Master::start_on(port, &[("EVENTS", events)]).await else { return };
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

/// A repository with one commit, that a master watches and ada pushes to.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "--quiet", "--bare", "--initial-branch=main", "bells.git"]);
        repository.git(&["clone", "--quiet", "bells.git", "work"]);
        repository.push("the first bell");
        repository
    }

    fn url(&self) -> String {
        format!("file://{}", self.0.path().join("bells.git").display())
    }

    fn git(&self, arguments: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(self.0.path()).args(arguments).stderr(Stdio::null());
        for (name, value) in [
            ("GIT_AUTHOR_NAME", "Ada"),
            ("GIT_AUTHOR_EMAIL", "ada@example.org"),
            ("GIT_COMMITTER_NAME", "Ada"),
            ("GIT_COMMITTER_EMAIL", "ada@example.org"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ] {
            git.env(name, value);
        }
        assert!(git.status().unwrap().success(), "git {arguments:?}");
    }

    fn push(&self, text: &str) {
        std::fs::write(self.0.path().join("work/tower.c"), text).unwrap();
        self.git(&["-C", "work", "add", "tower.c"]);
        self.git(&["-C", "work", "commit", "--quiet", "-m", text]);
        self.git(&["-C", "work", "push", "--quiet", "origin", "HEAD:main"]);
    }
}

/// A push to a repository that a master watches: the master's reporter tells the least it can, and what is missing is
/// fetched: the changes (so the committer is told), the build before (so it is news), the steps and the log.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_reporter_leaves_out_is_fetched() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let Some(words) = guest("html-mail") else { return skip("the guest `html-mail` is not built") };
    let receiver = Receiver::kind().await;
    let (port, own) = (free_port(), free_port());
    let repository = Repository::new();
    let broken = repository.0.path().join("broken");
    let environment = [
        ("EVENTS", format!("http://127.0.0.1:{own}/api/v1/events/buildbot")),
        ("REPORT", "plain".to_owned()),
        ("REPOSITORY", repository.url()),
        ("BROKEN", broken.display().to_string()),
    ];
    let Some(master) = Master::start_on(port, &environment).await else { return };
    // While nobody listens: a build that went well.
    master.force("tower").await;
    master.finished("tower", 1).await;
    let settings = format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[buildbot]\nurl = \"http://127.0.0.1:{port}/\"\n\
         user = \"campanile\"\npassword = \"tower\"\n\n[control]\nkind = \"buildbot\"\n\n\
         [[irc]]\nhost = \"localhost\"\nport = {}\nnick = \"bb\"\nchannels = [\"#ci\"]\nallow_force = true\n\
         flood_burst = 40\nnotify_events = [\"finished\"]\n\n[[mail]]\nfromaddr = \"ci@example.org\"\n\
         transport = \"file:outbox\"\nmode = \"problem\"\nprevious_build = \"number\"\nmessage_formatter = \"html\"\nauthor_addresses = true\n\n\
         [callbacks.html]\ncomponent = {words:?}\ndeadline = \"10s\"\n\n\
         [[http_status_push]]\nserver_url = \"http://127.0.0.1:{}/\"\nbuffer_delay = 0.05\n\n\
         [server]\nlisten = \"127.0.0.1:{own}\"\nurl = \"https://ci.example.org/\"\nurl_style = \"default\"\napi_token = \"tower\"\n",
        server.port, receiver.port
    );
    let engine = Engine::start(&settings);
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    patiently("the repository is watched", async || {
        (master.log().matches("gitpoller: processing changes").count() >= 2).then_some(())
    })
    .await;
    std::fs::write(&broken, "").unwrap();
    repository.push("no bell at all");

    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("To: ada@example.org") || mail.contains("To: Ada <ada@example.org>"), "{mail}");
    assert!(mail.contains("tower.c:7: no bell"), "{mail}");
    // The reporter may tell of the build before after all, if it is slower than the engine's start.
    let mut heard = ada.hears().await;
    while heard.contains("build #1 ") {
        heard = ada.hears().await;
    }
    assert!(heard.contains("tower") && heard.to_lowercase().contains("fail"), "{heard}");
    let ended = patiently("the build's end is pushed", async || {
        let is_second = |packet: &Value| packet["payload"]["build"]["number"] == 2;
        let mut packets = receiver.packets().into_iter();
        packets.find(|packet| packet["event"] == "buildFinished" && is_second(packet))
    })
    .await;
    let build = &ended["payload"]["build"];
    let steps: Vec<&str> =
        build["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert!(steps.ends_with(&["greet", "compile"]), "{steps:?}");
    assert!(ended.to_string().contains("no bell at all"), "{ended}");
    // What was fetched stays.
    let url = format!("{}/api/v1/builds/tower/2", engine.url);
    let known = http().get(url).bearer_auth("tower").send().await.unwrap().text().await.unwrap();
    let known: Value = serde_json::from_str(&known).unwrap();
    let change = &known["build"]["source_stamps"][0]["changes"][0];
    assert_eq!((&change["who"], &change["files"]), (&json!("Ada <ada@example.org>"), &json!(["tower.c"])));

    // And back: a force from the channel. The master is the one of `[buildbot]`.
    let answer = ada.asks_in("#ci", "force build tower").await;
    assert!(answer.contains("queued") || answer.contains("forced"), "{answer}");
    master.finished("tower", 3).await;
    assert!(!engine.log().contains("going on without them"), "{}", engine.log());
}

/// 200 builds, told by two reporters each: every one is reported once.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_builds_are_reported_once_each() {
    let receiver = Receiver::kind().await;
    let (port, own) = (free_port(), free_port());
    let settings = format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[buildbot]\nurl = \"http://127.0.0.1:{port}/\"\n\n[[mail]]\n\
         fromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nmode = \"all\"\n\
         extra_recipients = [\"ada@example.org\"]\n\n[[http_status_push]]\n\
         server_url = \"http://127.0.0.1:{}/\"\nbuffer_delay = 0.05\n\n\
         [server]\nlisten = \"127.0.0.1:{own}\"\napi_token = \"tower\"\n",
        receiver.port
    );
    let engine = Engine::start(&settings);
    let environment =
        [("EVENTS", format!("{}/api/v1/events/buildbot", engine.url)), ("REPORT", "whole plain".to_owned())];
    let Some(master) = Master::start_on(port, &environment).await else { return };
    for begun in 1..=200 {
        master.force("many").await;
        // Not all at once: nobody's patience lasts for 200 builds.
        if begun % 25 == 0 {
            master.finished("many", begun).await;
        }
    }
    let ends = patiently("all ends are pushed", async || {
        let packets = receiver.packets();
        let ends: Vec<u64> = packets
            .iter()
            .filter(|packet| packet["event"] == "buildFinished")
            .map(|packet| packet["payload"]["build"]["number"].as_u64().unwrap())
            .collect();
        (ends.len() >= 200).then_some(ends)
    })
    .await;
    let mails = engine.outbox(200).await;
    // What comes twice would come now.
    patiently("nothing is left to be sent", async || {
        let url = format!("{}/api/v1/deliveries?state=waiting", engine.url);
        let waiting = http().get(url).bearer_auth("tower").send().await.ok()?.text().await.ok()?;
        let waiting: Value = serde_json::from_str(&waiting).ok()?;
        waiting["deliveries"].as_array()?.is_empty().then_some(())
    })
    .await;
    let mut numbers = ends.clone();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=200).collect::<Vec<u64>>());
    assert_eq!((mails.len(), engine.outbox(200).await.len()), (200, 200));
    assert_eq!(
        receiver.packets().iter().filter(|packet| packet["event"] == "buildFinished").count(),
        200,
        "{ends:?}"
    );
}

/// `[[forward]]`: changes reach the master's own hook in their order, each once, also those that came while it was away.
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_handed_on_to_a_master() {
    let port = free_port();
    let settings = |password: &str| {
        format!(
            "[outbound]\nallow = [\"127.0.0.1\"]\n\n[change_hooks.dialects]\nbase = true\n\n[[forward]]\n\
             kind = \"buildbot\"\nurl = \"http://127.0.0.1:{port}/\"\nuser = \"campanile\"\n\
             password = \"{password}\"\nbranches = [\"main\", \"tower\"]\n"
        )
    };
    let Some(mut master) = Master::start_on(port, &[]).await else { return };
    let engine = Engine::start(&settings("bells"));
    let offered = run(&engine.folder, &["check", "--connect"]);
    assert!(String::from_utf8_lossy(&offered.stdout).contains("answers"), "{offered:?}");
    let change = async |revision: &str, branch: &str| {
        let body = json!({
            "author": "Ada <ada@example.org>", "revision": revision, "branch": branch, "project": "bells",
            "repository": "https://git.example.org/bells", "codebase": "", "category": "push",
            "comments": "rüng & rung=\n\"twice\"", "files": ["tower.c", "a b/ü.c"],
            "properties": {"level": 3, "who": "é"}, "when_timestamp": 1_526_395_800,
            "revlink": "https://git.example.org/bells/1f0c?x=1&y=2",
        });
        let (status, text) = engine.post("/change_hook/base", body.to_string()).await;
        assert_eq!(status, 202, "{text}");
    };
    change("1f0c", "main").await;
    let known = patiently("the master knows of the change", async || {
        master.get("changes").await?["changes"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!((&known["author"], &known["branch"]), (&json!("Ada <ada@example.org>"), &json!("main")));
    assert_eq!(known["comments"], "rüng & rung=\n\"twice\"");
    assert_eq!((&known["files"], &known["project"]), (&json!(["tower.c", "a b/ü.c"]), &json!("bells")));
    assert_eq!((&known["category"], &known["when_timestamp"]), (&json!("push"), &json!(1_526_395_800)));
    assert_eq!(known["properties"]["level"], json!([3, "Change"]));
    assert_eq!(known["properties"]["who"], json!(["é", "Change"]));
    assert_eq!(known["revlink"], "https://git.example.org/bells/1f0c?x=1&y=2");
    master.sleep();
    change("elsewhere", "other").await;
    for number in 2..=9 {
        change(&format!("{number}f0c"), if number % 2 == 0 { "main" } else { "tower" }).await;
    }
    engine.failed("connection").await;
    master.wake().await;
    let revisions = patiently("all changes have come", async || {
        let changes = master.get("changes").await?;
        let mut changes = changes["changes"].as_array()?.clone();
        changes.sort_by_key(|change| change["changeid"].as_u64());
        (changes.len() >= 9)
            .then(|| changes.iter().map(|change| change["revision"].clone()).collect::<Vec<_>>())
    })
    .await;
    let wanted: Vec<Value> = (1..=9).map(|number| json!(format!("{number}f0c"))).collect();
    assert_eq!(revisions, wanted);

    let wrong = Engine::start(&settings("wrong"));
    let refused = run(&wrong.folder, &["check", "--connect"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("does not let us in") && !told.contains("wrong"), "{told}");
}

/// `campanile init`: the settings that it writes pass `check --connect`, and the lines that it prints make a master tell.
#[tokio::test(flavor = "multi_thread")]
async fn init_connects_a_master() {
    let (port, own) = (free_port(), free_port());
    let Some(mut master) = Master::start_on(port, &[]).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{port}/");
    let listen = format!("127.0.0.1:{own}");
    let init = || run(folder.path(), &["init", "--buildbot", &url, "--listen", &listen]);
    let made = init();
    let (lines, told) = (String::from_utf8(made.stdout).unwrap(), String::from_utf8(made.stderr).unwrap());
    assert!(made.status.success(), "{told}");
    assert!(told.contains("5 builders"), "{told}");
    let settings = std::fs::read_to_string(folder.path().join("campanile.toml")).unwrap();
    assert!(settings.contains("#   \"quick\"   tags: short   forced by: force\n"), "{settings}");
    let token = std::fs::read_to_string(folder.path().join("api-token")).unwrap();
    assert_eq!(token.trim().len(), 64);
    let checked = run(folder.path(), &["check", "--connect"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("it has 5 builders"), "{said} {checked:?}");
    // What is there is not written over.
    let again = init();
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("move away what is there"));
    assert_eq!(std::fs::read_to_string(folder.path().join("api-token")).unwrap(), token);
    // The lines stand in the page too.
    let page = include_str!("../../docs/connect/buildbot.md");
    let shown = lines.replace(&listen, "127.0.0.1:8010").replace(token.trim(), "TOKEN");
    let code = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let code = code.lines().map(|line| line.split("   # ").next().unwrap()).collect::<Vec<_>>().join("\n");
    assert_eq!(shown.trim(), code.trim());

    master.sleep();
    let config = master.folder.path().join("master/master.cfg");
    let before = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{before}\n{lines}")).unwrap();
    let engine = Engine::start(&settings.replace("{ file = \"api-token\" }", &format!("{:?}", token.trim())));
    master.wake().await;
    master.force("quick").await;
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("quick"), "{mail}");

    let nobody = free_port();
    let failed =
        run(folder.path(), &["init", "--buildbot", &format!("http://127.0.0.1:{nobody}/"), "--dir", "other"]);
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(
        !failed.status.success() && told.contains("cannot look at the Buildbot at http://127.0.0.1"),
        "{told}"
    );
    assert!(!folder.path().join("other").exists());
}

/// News that lacks its changes waits for a master that is away, as long as the settings say, and then goes out without.
#[tokio::test(flavor = "multi_thread")]
async fn news_waits_for_a_master_that_is_away() {
    let engine = Engine::start(&format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[buildbot]\nurl = \"http://127.0.0.1:{}/\"\npatience = \"2s\"\n\n[[mail]]\n\
         fromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nextra_recipients = [\"ada@example.org\"]\n",
        free_port()
    ));
    // This one has all that a build can have: nobody is asked.
    engine.build(1, "success").await;
    engine.outbox(1).await;
    assert!(!engine.log().contains("cannot ask"), "{}", engine.log());
    let build = json!({"builder": "linux", "number": 2, "results": "failure",
                       "source_stamps": [{"revision": "1f0c"}], "steps": [{"name": "compile"}]});
    engine.event(&json!({"event": "buildFinished", "build": build})).await;
    engine.failed("connection").await;
    engine.outbox(2).await;
    let log = engine.logs("going on without them").await;
    assert!(log.contains("for changes and steps of linux #2"), "{log}");
}
