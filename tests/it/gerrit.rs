//! Reviews at a real Gerrit: by SSH and by REST, what it takes, what it refuses, and what comes of it (G-*).

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use campanile_testing::gerrit::{Change, Gerrit};
use campanile_testing::{Engine, guest, patiently, skip};

fn settings(gerrit: &Gerrit, key: &Path, known_hosts: &Path, more: &str) -> String {
    format!(
        "[[gerrit]]\nname = \"review\"\nserver = \"127.0.0.1\"\nport = {}\nusername = \"admin\"\n\
         identity_file = {key:?}\nknown_hosts = {known_hosts:?}\n{more}",
        gerrit.ssh
    )
}

/// The properties that a Gerrit source gives a build (G-FIND-09).
fn properties(change: &Change, revision: &str) -> Value {
    json!({
        "event.change.id": change.id, "event.change.number": change.number,
        "event.change.project": "tools/bells", "event.patchSet.revision": revision,
    })
}

fn started(builder: &str, number: u64, change: &Change, revision: &str) -> Value {
    json!({"event": "buildStarted", "build": {"builder": builder, "number": number, "buildset": number,
        "requests": [number * 10], "properties": properties(change, revision)}})
}

fn finished(builder: &str, number: u64, results: &str, change: &Change, revision: &str) -> Value {
    let mut event = started(builder, number, change, revision);
    event["event"] = "buildFinished".into();
    event["build"]["results"] = results.into();
    event["build"]["text"] = json!([results, "compile"]);
    event
}

fn complete(bsid: u64, results: &str) -> Value {
    json!({"event": "buildsetComplete", "buildset": {"bsid": bsid, "complete": true, "results": results}})
}

/// The delivery of this event about this subject, once it is settled.
async fn settled(engine: &Engine, event: &str, subject: &str) -> Value {
    patiently(&format!("{event} of {subject} is settled"), async || {
        engine.deliveries().await.into_iter().find(|delivery| {
            delivery["event_name"] == event
                && delivery["subject"] == subject
                && delivery["state"] != "waiting"
        })
    })
    .await
}

/// An SSH agent with one key. Ended when dropped.
struct Agent(std::process::Child);

impl Agent {
    fn with(key: &Path, socket: &Path) -> Self {
        let mut agent = std::process::Command::new("ssh-agent");
        agent.arg("-D").arg("-a").arg(socket).stdout(std::process::Stdio::null());
        let agent = Self(agent.spawn().unwrap());
        while !socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let mut add = std::process::Command::new("ssh-add");
        add.env("SSH_AUTH_SOCK", socket).arg("-q").arg(key);
        assert!(add.status().unwrap().success());
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The built-in summary, with one key of each kind, and one of an agent; once by the line that older servers take.
#[tokio::test]
async fn g_cfg_14_g_def_02_g_own_03_summaries_with_every_kind_of_key() {
    let Some(gerrit) = Gerrit::start().await else { return };
    let known_hosts = gerrit.known_hosts();
    let odd = "it's \"ü\" `$(reboot)`; && #1\\";
    for (number, (kind, passphrase, more)) in [
        ("ed25519", "", ""),
        ("ecdsa", "", "gerrit_version = \"2.10\"\n"),
        ("rsa", "", "notify = \"NONE\"\n"),
        ("ed25519", "tower bell", "passphrase = \"tower bell\"\n"),
        ("rsa", "", "agent"),
    ]
    .into_iter()
    .enumerate()
    {
        let number = number as u64 + 1;
        let key = gerrit.key(kind, passphrase).await;
        let socket = gerrit.folder.path().join("agent");
        let agent = (more == "agent").then(|| Agent::with(&key, &socket));
        let all = settings(&gerrit, &key, &known_hosts, more);
        let all = match agent {
            Some(_) => all
                .replace(&format!("identity_file = {key:?}\n"), &format!("agent = {socket:?}\n"))
                .replace("\nagent\n", "\n")
                .trim_end_matches("agent")
                .to_owned(),
            None => all,
        };
        let engine = Engine::start(&all);
        let change = gerrit.change(&format!("ring {number}")).await;
        engine.event(&finished(odd, number, "failure", &change, &change.revision)).await;
        let mut second = finished("mac", number, "success", &change, &change.revision);
        second["build"]["requests"] = json!([number * 10 + 1]);
        second["build"]["url"] = "https://ci.example.org/mac".into();
        engine.event(&second).await;
        engine.event(&complete(number, "failure")).await;
        let delivery = engine.delivery_in("delivered").await;
        assert_eq!(delivery["text"], format!("127.0.0.1:{} has it", gerrit.ssh), "{}: {kind}", "G-CMD-01");
        let messages = gerrit.messages(&change).await;
        assert_eq!(messages.len(), 1, "{}: {messages:?}", "G-EV-02");
        let by_line = more.starts_with("gerrit_version");
        let name = if by_line { odd.replace('\'', "\"") } else { odd.to_owned() };
        let summary = format!("Builder {name} failed (failure compile) - ");
        assert!(messages[0].starts_with("Patch Set 1: Verified-1\n\n"), "{messages:?}");
        assert!(messages[0].contains(&summary), "{}: {kind}: {messages:?}", "G-CMD-10");
        let last = "\n\nBuilder mac succeeded (success compile) - https://ci.example.org/mac";
        assert!(messages[0].ends_with(last), "{messages:?}");
        assert_eq!(gerrit.vote(&change, "Verified").await, -1);
        let said = gerrit.ask(Method::GET, &format!("changes/{}/messages", change.id), None).await;
        let tagged = said.as_array().unwrap().iter().any(|one| one["tag"] == "autogenerated:buildbot");
        assert_eq!(tagged, !by_line, "{said}");
    }
}

/// Requests to the verify-status plugin; the plugin itself is in no registry.
#[tokio::test]
async fn g_add_02_g_add_04_verifications() {
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::<(String, Value)>::new()));
    let keep = std::sync::Arc::clone(&told);
    let plugin = async move |headers: axum::http::HeaderMap, uri: axum::http::Uri, body: String| {
        assert_eq!(headers["authorization"], "Basic YWRtaW46c2VjcmV0");
        keep.lock().unwrap().push((uri.path().to_owned(), serde_json::from_str(&body).unwrap()));
        let gone = uri.path().contains("/a/changes/gone/");
        if gone { axum::http::StatusCode::NOT_FOUND } else { axum::http::StatusCode::NO_CONTENT }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(plugin)).await.unwrap() });
    let engine = Engine::start(&format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[gerrit_verify_status]]\nname = \"verify\"\n\
         base_url = \"http://127.0.0.1:{port}/gerrit/\"\nusername = \"admin\"\npassword = \"secret\"\n\
         verification_name = \"ci/%(prop:buildername)s\"\ncategory = \"nightly\"\nabstain = true\n"
    ));
    let properties = json!({"event.change.number": 12, "event.patchSet.number": 3});
    engine
        .event(&json!({"event": "buildStarted", "build": {"builder": "linux", "number": 1, "started": 1_700_000_000,
            "properties": properties}}))
        .await;
    engine
        .event(
            &json!({"event": "buildFinished", "build": {"builder": "linux", "number": 1, "results": "failure",
            "started": 1_700_000_000, "finished": 1_700_003_667, "properties": properties}}),
        )
        .await;
    settled(&engine, "buildFinished", "linux #1").await;
    let heard = told.lock().unwrap().clone();
    let path = "/gerrit/a/changes/12/revisions/3/verify-status~verifications";
    let url = "https://ci.example.org/builders/linux/builds/1";
    let body = |value: i32, comment: &str, duration: &str| {
        json!({"name": "ci/linux", "value": value, "abstain": true, "comment": comment, "reporter": "buildbot",
            "category": "nightly", "url": url, "duration": duration})
    };
    assert_eq!(
        heard,
        [
            (path.to_owned(), body(0, "Build started.", "pending")),
            (path.to_owned(), body(-1, "Build done.", "1h 1m 7s")),
        ]
    );
    // One that is gone keeps nothing from the others.
    let listed =
        json!([{"change_id": "gone", "revision_id": 1}, {"change_id": "tools%2Fbells~I1", "revision_id": 2}]);
    engine
        .event(
            &json!({"event": "buildFinished", "build": {"builder": "linux", "number": 2, "results": "success",
            "properties": {"gerrit_changes": listed}}}),
        )
        .await;
    let delivery = settled(&engine, "buildFinished", "linux #2").await;
    assert_eq!(
        (&delivery["state"], &delivery["code"]),
        (&json!("delivered"), &json!("partly")),
        "{delivery}"
    );
    let last = told.lock().unwrap().last().map(|(_, body)| body.clone()).unwrap();
    assert_eq!((told.lock().unwrap().len(), last.get("duration")), (4, None), "nobody told of its start");
    engine.build(3, "success").await;
    assert_eq!(settled(&engine, "buildFinished", "linux #3").await["code"], "unaddressed");
}

/// A start, a review and a summary by a component, in their order; and what Gerrit refuses: labels, closed changes,
/// commits that it does not have.
#[tokio::test]
async fn g_cb_01_reviews_starts_and_summaries_by_callbacks() {
    let Some(component) = guest("gerrit-review") else {
        return skip("the guest `gerrit-review` is not built: run `cargo xtask guests`");
    };
    let Some(mut gerrit) = Gerrit::start().await else { return };
    let (key, known_hosts) = (gerrit.key("ed25519", "").await, gerrit.known_hosts());
    let callbacks = format!("[callbacks.review]\ncomponent = {component:?}\n\n");
    let more = "review_cb = \"review\"\nstart_cb = \"review\"\nsummary_cb = \"review\"\n\
                review_arg = { label = \"Code-Review\" }\nnotify = \"NONE\"\n";
    let engine = Engine::start(&(callbacks.clone() + &settings(&gerrit, &key, &known_hosts, more)));
    let change = gerrit.change("ring the bell").await;
    engine.event(&started("linux", 1, &change, &change.revision)).await;
    engine.event(&finished("linux", 1, "success", &change, &change.revision)).await;
    engine.event(&complete(1, "success")).await;
    settled(&engine, "buildsetComplete", "buildset 1").await;
    let messages = gerrit.messages(&change).await;
    assert_eq!(messages.len(), 3, "{}: {messages:?}", "G-EV-01");
    assert!(
        messages[0].starts_with("Patch Set 1:\n\nBuildbot started compiling your patchset"),
        "{}: {messages:?}",
        "G-CB-04"
    );
    assert!(
        messages[1].starts_with("Patch Set 1: Code-Review+1\n\nBuildbot finished compiling"),
        "{}: {messages:?}",
        "G-CB-02"
    );
    assert!(messages[2].starts_with("Patch Set 1: Verified+1\n\n[+] linux"), "{messages:?}");
    assert_eq!((gerrit.vote(&change, "Verified").await, gerrit.vote(&change, "Code-Review").await), (1, 1));

    // The server goes and comes back: nothing is lost, and the order is kept.
    gerrit.stop();
    let broken = finished("linux", 2, "failure", &change, &change.revision);
    engine.event(&started("linux", 2, &change, &change.revision)).await;
    engine.event(&broken).await;
    engine.event(&complete(2, "failure")).await;
    engine.failed("connection").await;
    gerrit.begin().await;
    settled(&engine, "buildsetComplete", "buildset 2").await;
    let messages = gerrit.messages(&change).await;
    assert_eq!(messages.len(), 6, "{}: {messages:?}", "G-RUN-03");
    assert!(messages[5].starts_with("Patch Set 1: Verified-1\n\n[-] linux"), "{}: {messages:?}", "G-CB-09");
    assert_eq!(gerrit.vote(&change, "Verified").await, -1);

    // What Gerrit refuses is final, and told in its words.
    engine.event(&finished("linux", 3, "success", &change, "0123456789abcdef0123456789abcdef01234567")).await;
    let delivery = settled(&engine, "buildFinished", "linux #3").await;
    assert_eq!((&delivery["state"], &delivery["code"]), (&json!("dead"), &json!("rejected")), "{delivery}");
    assert!(delivery["text"].as_str().unwrap().contains("no such patch set"), "{}: {delivery}", "G-RUN-03");
    gerrit.ask(Method::POST, &format!("changes/{}/abandon", change.id), Some(json!({}))).await;
    engine.event(&finished("linux", 4, "success", &change, &change.revision)).await;
    let delivery = settled(&engine, "buildFinished", "linux #4").await;
    assert_eq!((&delivery["state"], &delivery["code"]), (&json!("dead"), &json!("rejected")), "{delivery}");
    assert!(delivery["text"].as_str().unwrap().contains("closed"), "{delivery}");

    let log = engine.log();
    assert!(log.contains("gerriterr:") && log.contains("gerrit status: ERROR:"), "{}: {log}", "G-RUN-02");

    // Not about a change, and of a builder that is not asked for.
    engine.event(&json!({"event": "buildFinished", "build": {"builder": "linux", "number": 5, "results": "success"}})).await;
    let delivery = settled(&engine, "buildFinished", "linux #5").await;
    assert_eq!(
        (&delivery["state"], &delivery["code"]),
        (&json!("silent"), &json!("unaddressed")),
        "{delivery}"
    );

    drop(engine);
    let more = more.replace("Code-Review", "No-Such-Label") + "builders = [\"linux\"]\n";
    let engine = Engine::start(&(callbacks.clone() + &settings(&gerrit, &key, &known_hosts, &more)));
    let change = gerrit.change("another bell").await;
    engine.event(&finished("linux", 6, "success", &change, &change.revision)).await;
    let delivery = settled(&engine, "buildFinished", "linux #6").await;
    assert_eq!((&delivery["state"], &delivery["code"]), (&json!("dead"), &json!("rejected")), "{delivery}");
    assert!(delivery["text"].as_str().unwrap().contains("No-Such-Label"), "{delivery}");
    engine.event(&finished("mac", 6, "success", &change, &change.revision)).await;
    assert_eq!(settled(&engine, "buildFinished", "mac #6").await["code"], "builders");

    // A callback that fails costs its review, or has the built-in one take its place.
    drop(engine);
    for (number, on_error) in [(7, ""), (8, "on_callback_error = \"default\"\n")] {
        let more = format!("review_cb = \"review\"\nreview_arg = 7\n{on_error}");
        let engine = Engine::start(&(callbacks.clone() + &settings(&gerrit, &key, &known_hosts, &more)));
        engine.event(&finished("linux", number, "success", &change, &change.revision)).await;
        let delivery = settled(&engine, "buildFinished", &format!("linux #{number}")).await;
        if on_error.is_empty() {
            assert_eq!(
                (&delivery["state"], &delivery["code"]),
                (&json!("dead"), &json!("callback")),
                "{delivery}"
            );
            assert!(
                delivery["text"].as_str().unwrap().contains("the argument must be an object"),
                "{}: {delivery}",
                "G-OWN-01"
            );
        } else {
            assert_eq!(
                (&delivery["state"], &delivery["callback_version"]),
                (&json!("delivered"), &Value::Null)
            );
            let said = gerrit.messages(&change).await.pop().unwrap();
            assert!(
                said.ends_with("on configuration: linux\nThe result is: SUCCESS"),
                "{}: {said}",
                "G-OWN-01"
            );
        }
    }
}

/// A key that is none, and nobody there to use it at: the build's mail goes out all the same.
#[tokio::test]
async fn g_run_04_a_failing_review_takes_nothing_from_other_targets() {
    let folder = tempfile::tempdir().unwrap();
    let (key, known_hosts) = (folder.path().join("key"), folder.path().join("known_hosts"));
    std::fs::write(&key, "").unwrap();
    std::fs::write(&known_hosts, "").unwrap();
    let engine = Engine::start(&format!(
        "[[gerrit]]\nname = \"review\"\nserver = \"127.0.0.1\"\nport = {}\nusername = \"admin\"\n\
         identity_file = {key:?}\nknown_hosts = {known_hosts:?}\nreview_cb = \"default\"\n\n\
         [[mail]]\nname = \"mail\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
         extra_recipients = [\"ada@example.org\"]\n",
        campanile_testing::free_port()
    ));
    let mut event = campanile_testing::build_finished(1, "failure");
    event["build"]["properties"] = json!({"event.change.id": "I1", "event.change.project": "tools/bells",
        "event.patchSet.revision": "0123456789abcdef0123456789abcdef01234567"});
    engine.event(&event).await;
    assert_eq!(engine.outbox(1).await.len(), 1);
    let review = patiently("the review fails", async || {
        let all = engine.deliveries().await;
        all.into_iter().find(|delivery| delivery["target"] == "review" && delivery["attempts"] != 0)
    })
    .await;
    assert_eq!(review["state"], "waiting", "{review}");
}

/// Many reviews, one connection, and the version is asked for once.
#[tokio::test]
async fn g_run_01_g_ver_02_g_ver_06_one_connection_for_many_reviews() {
    let Some(gerrit) = Gerrit::start().await else { return };
    let (key, known_hosts) = (gerrit.key("ed25519", "").await, gerrit.known_hosts());
    let before = gerrit.ssh_log().len();
    let engine = Engine::start(&settings(&gerrit, &key, &known_hosts, "review_cb = \"default\"\n"));
    let mut events = Vec::new();
    for number in 1..=10 {
        let change = gerrit.change(&format!("ring {number}")).await;
        events.push(finished("linux", number, "success", &change, &change.revision));
    }
    let (status, text) = engine.post("/api/v1/events", Value::from(events).to_string()).await;
    assert_eq!(status, 202, "{text}");
    for number in 1..=10 {
        let delivery = settled(&engine, "buildFinished", &format!("linux #{number}")).await;
        assert_eq!(delivery["state"], "delivered", "{delivery}");
    }
    let log = gerrit.ssh_log().split_off(before);
    let count = |what: &str| log.iter().filter(|line| line.contains(what)).count();
    assert_eq!((count(" LOGIN "), count("gerrit.version"), count("gerrit.review")), (1, 1, 10), "{log:#?}");
}

/// A vote for a patch set that is not the newest any more is left out, unless it is asked for; several labels;
/// the REST door; and servers that are not whom they should be.
#[tokio::test]
async fn g_own_02_old_patch_sets_get_no_votes_and_g_run_01_strangers_no_reviews() {
    let Some(component) = guest("javascript-review") else {
        return skip("the guest `javascript-review` is not built: run `cargo xtask guests`");
    };
    let Some(gerrit) = Gerrit::start().await else { return };
    let (key, known_hosts) = (gerrit.key("ed25519", "").await, gerrit.known_hosts());
    let change = gerrit.change("ring").await;
    let newer = gerrit.amend(&change, "ring louder").await;
    assert_ne!(change.revision, newer);
    let rest = format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[gerrit]]\nname = \"review\"\ntransport = \"rest\"\n\
         url = \"http://127.0.0.1:{}/\"\nusername = \"admin\"\npassword = \"secret\"\n",
        gerrit.http
    );
    let callbacks = format!("[callbacks.review]\ncomponent = {component:?}\ndeadline = \"20s\"\n\n");
    let more = "review_cb = \"review\"\nreview_arg = { labels = { Verified = { failure = -1, success = 1 }, \
                Code-Review = { failure = -2, success = 2 } } }\n";
    for (number, (way, settings)) in
        [("ssh", settings(&gerrit, &key, &known_hosts, more)), ("rest", format!("{rest}{more}"))]
            .into_iter()
            .enumerate()
    {
        let number = number as u64 * 10;
        let engine = Engine::start(&(callbacks.clone() + &settings));
        engine.event(&finished("linux", number + 1, "failure", &change, &change.revision)).await;
        let delivery = settled(&engine, "buildFinished", &format!("linux #{}", number + 1)).await;
        assert_eq!(
            (&delivery["state"], &delivery["code"]),
            (&json!("silent"), &json!("overtaken")),
            "{}: {way}: {delivery}",
            "G-RUN-03"
        );
        engine.event(&finished("linux", number + 2, "success", &change, &newer)).await;
        let delivery = settled(&engine, "buildFinished", &format!("linux #{}", number + 2)).await;
        assert_eq!(delivery["state"], "delivered", "{way}: {delivery}");
        let messages = gerrit.messages(&change).await;
        let last = messages.last().unwrap();
        assert!(last.contains(&format!("linux #{}: SUCCESS", number + 2)), "{way}: {messages:?}");
        assert_eq!(
            (gerrit.vote(&change, "Verified").await, gerrit.vote(&change, "Code-Review").await),
            (1, 2),
            "{way}"
        );
        engine.event(&finished("linux", number + 3, "success", &change, "0123456789abcdef")).await;
        let delivery = settled(&engine, "buildFinished", &format!("linux #{}", number + 3)).await;
        assert_eq!(
            (&delivery["state"], &delivery["code"]),
            (&json!("dead"), &json!("rejected")),
            "{way}: {delivery}"
        );
    }

    // A key that is not let in, a server that is not known, and one that has another key than it should.
    let stranger = gerrit.folder.path().join("id_stranger");
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&stranger);
    assert!(keygen.status().unwrap().success());
    let empty = gerrit.folder.path().join("nobody");
    std::fs::write(&empty, "").unwrap();
    let changed = gerrit.folder.path().join("changed");
    let public = std::fs::read_to_string(stranger.with_extension("pub")).unwrap();
    std::fs::write(&changed, format!("[127.0.0.1]:{} {public}", gerrit.ssh)).unwrap();
    for (key, hosts, told) in [
        (&stranger, &known_hosts, "does not let `admin` in with the key"),
        (&key, &empty, "does not know 127.0.0.1"),
        (&key, &changed, "somebody may be in between"),
        (&empty, &known_hosts, "cannot be used"),
    ] {
        let engine = Engine::start(&settings(&gerrit, key, hosts, "review_cb = \"default\"\n"));
        engine.event(&finished("linux", 50, "success", &change, &newer)).await;
        let delivery = engine.failed("authentication").await;
        assert!(delivery["text"].as_str().unwrap().contains(told), "{told}: {delivery}");
        assert_eq!(delivery["state"], "waiting", "somebody can put it right");
        let checked = campanile_testing::run(&engine.folder, &["check", "--connect"]);
        assert!(String::from_utf8_lossy(&checked.stderr).contains(told), "{told}: {checked:?}");
    }
}

/// One commit may be a patch set of several changes: a vote goes to the one that was built, by SSH and by REST.
#[tokio::test]
async fn g_find_10_a_vote_goes_to_the_change_that_was_built() {
    let Some(gerrit) = Gerrit::start().await else { return };
    let (key, known_hosts) = (gerrit.key("ed25519", "").await, gerrit.known_hosts());
    let change = gerrit.change("ring").await;
    let other = gerrit.same_commit_for("stable", &change).await;
    assert_eq!(change.revision, other.revision);
    assert_ne!(change.number, other.number);
    let rest = format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[gerrit]]\nname = \"review\"\ntransport = \"rest\"\n\
         url = \"http://127.0.0.1:{}/\"\nusername = \"admin\"\npassword = \"secret\"\nreview_cb = \"default\"\n",
        gerrit.http
    );
    let ssh = settings(&gerrit, &key, &known_hosts, "review_cb = \"default\"\n");
    for (way, settings, number) in [("ssh", ssh, 1), ("rest", rest, 101)] {
        let engine = Engine::start(&settings);
        let (before, other_before) =
            (gerrit.messages(&change).await.len(), gerrit.messages(&other).await.len());
        let reference = format!("refs/changes/{:02}/{}/1", other.number % 100, other.number);
        let by_ref =
            json!({"gerrit_branch": reference, "project": "tools/bells", "got_revision": other.revision});
        let by_branch = json!({"event.change.id": "I1", "event.change.branch": "stable",
            "event.change.project": "tools/bells", "got_revision": other.revision});
        for (step, properties) in
            [properties(&other, &other.revision), by_ref, by_branch].into_iter().enumerate()
        {
            let number = number + step as u64;
            let mut event = finished("linux", number, "failure", &other, &other.revision);
            event["build"]["properties"] = properties;
            engine.event(&event).await;
            let delivery = settled(&engine, "buildFinished", &format!("linux #{number}")).await;
            assert_eq!(delivery["state"], "delivered", "{way} {step}: {delivery}");
            assert_eq!(gerrit.messages(&other).await.len(), other_before + step + 1, "{way} {step}");
        }
        assert_eq!(gerrit.messages(&change).await.len(), before, "{way}: the other change hears nothing");
        let mut unknown = finished("linux", number + 9, "failure", &other, &other.revision);
        unknown["build"]["properties"] =
            json!({"event.change.id": "I1", "project": "tools/bells", "got_revision": other.revision});
        engine.event(&unknown).await;
        let delivery = settled(&engine, "buildFinished", &format!("linux #{}", number + 9)).await;
        assert_eq!(delivery["state"], "dead", "{way}: {delivery}");
        assert!(
            delivery["text"].as_str().unwrap().contains("has 2 changes of `tools/bells`"),
            "{way}: {delivery}"
        );
    }
}
