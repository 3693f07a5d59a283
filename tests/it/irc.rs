//! The IRC bot at a real server: what it says by itself, what it answers, and what it lives through.

use serde_json::{Value, json};

use campanile_testing::irc::{Ngircd, Person, Services, linked};
use campanile_testing::{Engine, free_port, guest, patiently, run, skip, write_settings};

/// Fast enough for tests; waits that the rules name are as they are.
fn settings(port: u16, more: &str) -> String {
    format!(
        "[delivery]\nmax_age = \"1h\"\n\n[[irc]]\nname = \"chat\"\nhost = \"localhost\"\nport = {port}\nnick = \"bb\"\n\
         lost_delay = \"1s\"\nfailed_delay = \"1s\"\nflood_burst = 40\nflood_interval = \"50ms\"\nuse_colors = false\n{more}"
    )
}

const IN_CI: &str = "channels = [\"#ci\"]\nnotify_events = [\"started\", \"finished\"]\n";

fn started(number: u64) -> Value {
    json!({"event": "buildStarted", "build": {"builder": "linux", "number": number, "reason": "push",
        "source_stamps": [{"branch": "main", "changes": [{"who": "ada", "revision": "1f0c2d3e4f5061728394a5b6c7d8e9f001122334"}]}]}})
}

/// Both that it began and that it ended, and that what has arrived is known to have.
#[tokio::test]
async fn i_sta_01_i_fin_01_i_evt_07_builds_are_told_in_their_order() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let engine = Engine::start(&settings(server.port, IN_CI));
    let mut ada = Person::arrive(server.port, "Ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    engine.event(&started(1)).await;
    engine.build(1, "failure").await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci build #1 of linux started (including [1f0c2d3])");
    assert_eq!(
        ada.hears().await,
        "PRIVMSG #ci build #1 of linux is complete: Failure [failure compile]  Build details are at \
         https://ci.example.org/builders/linux/builds/1  blamelist: ada"
    );
    let deliveries = patiently("both are delivered", async || {
        let all = engine.deliveries().await;
        all.iter().all(|delivery| delivery["state"] == "delivered").then_some(all)
    })
    .await;
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[0]["text"], format!("localhost:{} has it", server.port));
}

/// A session in private and in a channel.
#[tokio::test]
async fn every_command_is_answered() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let engine = Engine::start(&settings(server.port, "channels = [\"#ci\"]\n"));
    engine
        .event(&json!({"event": "builderAdded", "builder": {"name": "my builder", "state": "offline"}}))
        .await;
    engine.build(1, "success").await;
    let mut ada = Person::arrive(server.port, "Ada", &["#ci"]).await;
    let mut zoe = Person::arrive(server.port, "zoe", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    let version = env!("CARGO_PKG_VERSION");
    for (number, said, answer) in [
        ("I-CMD-01", "hello", "yes?".to_owned()),
        ("I-DSP-03", "Hello", "yes?".to_owned()),
        ("I-DSP-01", "  HELLO", "yes?".to_owned()),
        ("I-CMD-02", "version", format!("buildbot-{version} at your service")),
        ("I-CMD-04", "commands", "buildbot commands: commands, dance, destroy, force, hello, help, join, last, leave, list, mute, notify, shutdown, source, status, stop, unmute, version, watch".to_owned()),
        ("I-CMD-05", "list", "try 'list builders'".to_owned()),
        ("I-CMD-06", "list workers", "try 'list builders'".to_owned()),
        ("I-CMD-05", "list builders please", "Configured builders: linux my builder[offline]".to_owned()),
        ("I-TST-02", "status \"my builder\"", "my builder: offline".to_owned()),
        ("I-TST-03", "status   \"my builder\"", "my builder: offline".to_owned()),
        ("I-CMD-09", "status \"my builder\"", "my builder: offline".to_owned()),
        ("I-CMD-08", "status nope", "no such builder 'nope'".to_owned()),
        ("I-CMD-07", "status a b", "try 'status <builder>'".to_owned()),
        ("I-CMD-15", "last \"my builder\"", "last build [my builder]: (no builds run since last restart)".to_owned()),
        ("I-CMD-14", "last a b", "try 'last <builder>'".to_owned()),
        ("I-CMD-10", "watch", "try 'watch <builder>'".to_owned()),
        ("I-CMD-11", "watch linux", "there are no builds currently running".to_owned()),
        ("I-CMD-18", "notify", "try 'notify on|off|list <EVENT>'".to_owned()),
        ("I-CMD-18", "notify maybe", "try 'notify on|off <EVENT>'".to_owned()),
        ("I-CMD-19", "notify list", "The following events are being notified: []".to_owned()),
        ("I-CMD-20", "notify on success nope", "try 'notify on|off <EVENT>'".to_owned()),
        ("I-CMD-19", "notify on", "The following events are being notified: ['finished', 'started']".to_owned()),
        ("I-CMD-19", "notify on successToFailure", "The following events are being notified: ['finished', 'started', 'successToFailure']".to_owned()),
        ("I-CMD-19", "notify off started failure", "The following events are being notified: ['finished', 'successToFailure']".to_owned()),
        ("I-CMD-19", "notify off", "The following events are being notified: []".to_owned()),
        ("I-CMD-22", "help", "Get help on what? (try 'help <foo>', 'help <foo> <bar>, or 'commands' for a command list)".to_owned()),
        ("I-CMD-23", "help nope", "no such command 'nope'".to_owned()),
        ("I-CMD-23", "help hello", "No usage info for 'hello'".to_owned()),
        ("I-CMD-23", "help status x", "No usage info for 'status' 'x'".to_owned()),
        ("I-CMD-23", "help mute", "Usage: mute - nothing more is said here until `unmute`".to_owned()),
        ("I-CMD-23", "help shutdown start", "Usage: shutdown start - no new builds; the CI ends when the running ones are done".to_owned()),
        ("I-CMD-25", "shutdown", "try 'shutdown check|start|stop|now'".to_owned()),
        ("I-CMD-25", "shutdown check", "shutdown control is not enabled".to_owned()),
        ("I-CMD-31", "force", "try 'force build [--branch=BRANCH] [--revision=REVISION] [--props=PROP1=VAL1,PROP2=VAL2...] <WHICH> <REASON>'".to_owned()),
        ("I-CMD-32", "force builds linux", "try 'force build [--branch=BRANCH] [--revision=REVISION] [--props=PROP1=VAL1,PROP2=VAL2...] <WHICH> <REASON>'".to_owned()),
        ("I-CMD-32", "force build", "you must provide a Builder, try 'force build [--branch=BRANCH] [--revision=REVISION] [--props=PROP1=VAL1,PROP2=VAL2...] <WHICH> <REASON>'".to_owned()),
        ("I-CMD-33", "force build --builder=linux mac", "--builder provided in two ways".to_owned()),
        ("I-CMD-34", "force build --help", "try 'force build [--branch=BRANCH] [--revision=REVISION] [--props=PROP1=VAL1,PROP2=VAL2...] <WHICH> <REASON>'".to_owned()),
        ("I-CMD-35", "force build --revision='a;b' linux", "sorry, bad revision 'a;b'".to_owned()),
        ("I-CMD-37", "force build --branch='a b' --revision='a;b' nope", "sorry, bad branch 'a b'".to_owned()),
        ("I-CMD-37", "force build nope", "builder control is not enabled".to_owned()),
        ("I-CMD-37", "force build linux", "builder control is not enabled".to_owned()),
        ("I-CMD-35", "force build --branch='a b' linux", "sorry, bad branch 'a b'".to_owned()),
        ("I-CMD-36", "force build --props=a:1 linux", "try 'force build [--branch=BRANCH] [--revision=REVISION] [--props=PROP1=VAL1,PROP2=VAL2...] <WHICH> <REASON>'".to_owned()),
        ("I-CMD-35", "force build --props='a=x y' linux", "sorry, bad property name='a', value='x y'".to_owned()),
        ("I-CMD-42", "stop build linux now", "builder control is not enabled".to_owned()),
        ("I-CMD-41", "stop build linux", "try 'stop build WHICH <REASON>'".to_owned()),
        ("I-CMD-17", "join #other", "builder control is not enabled".to_owned()),
        ("I-DSP-05", "make it so", "no such command 'make'".to_owned()),
        ("I-DSP-04", "do it!", "What you say!".to_owned()),
        ("I-DSP-05", "it's", "no such command 'it's'".to_owned()),
        ("I-ARG-01", "status it's", "No closing quotation".to_owned()),
        ("I-ARG-01", "status a\\", "No escaped character".to_owned()),
        ("I-CMD-28", "unmute", "You hadn't told me to be quiet, but it's the thought that counts, right?".to_owned()),
        ("I-CMD-28", "mute", "Shutting up for now.".to_owned()),
        ("I-CMD-28", "unmute", "I'm baaaaaaaaaaack!".to_owned()),
    ] {
        assert_eq!(ada.asks(said).await, answer, "{number}: {said}");
    }
    for (command, grammar) in [
        ("list", "list builders"),
        ("status", "status [<which>]"),
        ("notify", "notify on|off|list [<EVENT>] ..."),
        ("watch", "watch <which>"),
        (
            "force",
            "force build [--branch=branch] [--revision=revision] [--props=prop1=val1,prop2=val2...] <which> <reason>",
        ),
        ("stop", "stop build <which> <reason>"),
        ("last", "last <which>"),
        ("mute", "mute"),
        ("unmute", "unmute"),
        ("help", "help <command> [<arg> [<subarg> ...]]"),
        ("source", "source"),
        ("commands", "commands"),
        ("join", "join <channel>"),
        ("leave", "leave <channel>"),
        ("shutdown", "shutdown check|start|stop|now"),
        ("shutdown check", "shutdown check"),
        ("shutdown stop", "shutdown stop"),
        ("shutdown now", "shutdown now"),
    ] {
        let answer = ada.asks(&format!("help {command}")).await;
        assert!(answer.starts_with(&format!("Usage: {grammar} - ")), "{}: {answer}", "I-CMD-24");
    }
    for command in ["hello", "version", "dance", "destroy"] {
        let answer = ada.asks(&format!("help {command}")).await;
        assert_eq!(answer, format!("No usage info for '{command}'"), "I-CMD-24");
    }
    let source = "My source can be found at https://github.com/buildbot/buildbot";
    assert_eq!(ada.asks("source").await, source, "I-CMD-03");
    let last = ada.asks("last linux").await;
    assert!(
        last.starts_with("last build [linux]: ") && last.ends_with(" ago: success compile"),
        "{}: {last}",
        "I-CMD-15"
    );
    let status = ada.asks("status").await;
    assert!(status.starts_with("linux: idle, last build "), "{}: {status}", "I-CMD-09");
    assert_eq!(ada.hears().await, "PRIVMSG Ada my builder: offline", "I-CMD-07");

    // In a channel: with the nickname before it, in any case, and nothing else.
    ada.say("#ci", "BB:hello").await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci yes?", "{} {}", "I-ADR-03", "I-TST-01");
    ada.say("#ci", "bb, hello").await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci yes?", "{} {}", "I-ADR-03", "I-OUT-01");
    ada.say("#ci", "bb hello").await;
    ada.say("#ci", "hello bb: version").await;
    ada.say("#ci", "bb:   ").await;
    assert_eq!(ada.asks_in("#ci", "nope").await, "no such command 'nope'", "{} {}", "I-TST-01", "I-DSP-01");
    // Once in 30 s is enough there.
    ada.say("#ci", "bb: nope").await;
    assert_eq!(ada.asks_in("#ci", "mute").await, "Shutting up for now.", "I-DSP-05");
    ada.say("#ci", "bb: version").await;
    assert_eq!(
        ada.asks("version").await,
        format!("buildbot-{version} at your service"),
        "{}: she is no channel",
        "I-ADR-02"
    );
    assert_eq!(ada.asks_in("#ci", "unmute").await, "I'm baaaaaaaaaaack!", "{} {}", "I-OUT-08", "I-TST-04");
    for _ in 0..3 {
        assert_eq!(zoe.hears().await.split(' ').next(), Some("PRIVMSG"));
    }
    assert_eq!(zoe.hears().await, "PRIVMSG #ci Shutting up for now.");
    assert_eq!(zoe.hears().await, "PRIVMSG #ci I'm baaaaaaaaaaack!");

    // What somebody asks for in private is told to nobody else.
    let signed_up = "The following events are being notified: ['finished']";
    assert_eq!(ada.asks("notify on finished").await, signed_up);
    engine.build(2, "failure").await;
    let heard = ada.hears().await;
    assert!(heard.starts_with("PRIVMSG Ada build #2 of linux is complete"), "{}: {heard}", "I-CMD-21");
    let nothing = "The following events are being notified: []";
    assert_eq!(ada.asks_in("#ci", "notify list").await, nothing, "I-CMD-21");
    assert_eq!(zoe.hears().await, format!("PRIVMSG #ci {nothing}"), "I-CMD-21");
}

/// Watching, and one message where two reasons for one are.
#[tokio::test]
async fn i_cmd_12_i_cmd_13_i_evt_06_watched_builds_are_told_once() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let engine = Engine::start(&settings(server.port, IN_CI));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    engine.event(&started(4)).await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci build #4 of linux started (including [1f0c2d3])");
    engine.event(&json!({"event": "stepStarted", "build": {"builder": "linux", "number": 4}, "step": {"name": "compile", "text": ["compiling"]}})).await;
    assert_eq!(ada.asks("status linux").await, "linux: building(compiling)", "I-CMD-09");
    for _ in 0..2 {
        assert_eq!(ada.asks("watch linux").await, "watching build linux #4 until it finishes..");
    }
    assert_eq!(ada.asks_in("#ci", "watch linux").await, "watching build linux #4 until it finishes..");
    engine.build(4, "success").await;
    let mut heard = [ada.hears().await, ada.hears().await, ada.hears().await];
    heard.sort();
    assert_eq!(
        heard,
        [
            "PRIVMSG #ci build #4 of linux is complete: Success [success compile]  Build details are at https://ci.example.org/builders/linux/builds/4",
            "PRIVMSG ada Build details are at https://ci.example.org/builders/linux/builds/4",
            "PRIVMSG ada Hey! build linux #4 is complete: Success [success compile]",
        ]
    );
    assert_eq!(ada.asks("hello").await, "yes?", "nothing was told twice");
}

/// Kept over the server's end, and over the engine's.
#[tokio::test]
async fn i_rc_01_i_rc_03_announcements_and_contacts_outlive_the_connection() {
    let Some(mut server) = Ngircd::start("", "").await else { return };
    let mut engine = Engine::start(&settings(server.port, IN_CI));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    assert_eq!(
        ada.asks_in("#ci", "notify off started").await,
        "The following events are being notified: ['finished']"
    );
    server.kill();
    engine.event(&started(1)).await;
    engine.build(1, "failure").await;
    engine.failed("connection").await;
    server.restart().await;
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    assert!(
        ada.hears().await.starts_with("PRIVMSG #ci build #1 of linux is complete: Failure"),
        "`started` is off still"
    );
    engine.delivery_in("delivered").await;

    server.kill();
    engine.build(2, "success").await;
    patiently("the second is tried", async || {
        engine
            .deliveries()
            .await
            .iter()
            .any(|d| d["subject"] == "linux #2" && d["code"] == "connection")
            .then_some(())
    })
    .await;
    engine.kill_and_restart();
    server.restart().await;
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    assert!(ada.hears().await.starts_with("PRIVMSG #ci build #2 of linux is complete: Success"));
}

#[tokio::test]
async fn i_con_10_what_happens_before_the_first_connection_is_kept() {
    let Some(mut server) = Ngircd::start("", "").await else { return };
    server.kill();
    let engine = Engine::start(&settings(server.port, IN_CI));
    engine.build(1, "failure").await;
    engine.failed("connection").await;
    server.restart().await;
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    assert!(ada.hears().await.starts_with("PRIVMSG #ci build #1 of linux is complete: Failure"));
}

/// I-CON-07, I-CON-11: the nickname is taken; thrown out, the bot comes back after 30 s.
#[tokio::test]
async fn i_con_07_taken_nicknames_and_i_con_11_coming_back() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let mut other = Person::arrive(server.port, "bb", &["#ci"]).await;
    let engine = Engine::start(&settings(server.port, IN_CI));
    other.sees("bb_", "#ci").await;
    other.say("#ci", "bb_: hello").await;
    assert_eq!(other.hears().await, "PRIVMSG #ci yes?");
    other.say("#ci", "bb: hello").await;
    let thrown_out = std::time::Instant::now();
    other.send("KICK #ci bb_ :out").await;
    let log = engine.logs("IRC channel left").await;
    let line = log.lines().find(|line| line.contains("IRC channel left")).unwrap();
    assert!(line.contains("channel=\"#ci\""), "{line}");
    engine.build(1, "failure").await;
    other.until("it joins again", |line| line.starts_with(":bb_!") && line.contains(" JOIN ")).await;
    assert!(thrown_out.elapsed().as_secs() >= 29);
    other.say("#ci", "bb_: hello").await;
    assert_eq!(other.hears().await, "PRIVMSG #ci yes?", "it knows of its return");
    assert!(other.hears().await.contains("build #1 of linux"), "it has waited");
    engine.build(2, "failure").await;
    assert!(other.hears().await.contains("build #2 of linux"));
}

/// I-RC-06: what a channel can't be told while the bot is out of it waits, and holds up no other channel.
#[tokio::test]
async fn i_rc_06_a_channel_that_threw_the_bot_out_hears_later_what_others_hear_at_once() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    let mut bea = Person::arrive(server.port, "bea", &["#other"]).await;
    let more = "channels = [\"#ci\", \"#other\"]\nnotify_events = [\"finished\"]\n";
    let engine = Engine::start(&settings(server.port, more));
    ada.sees("bb", "#ci").await;
    bea.sees("bb", "#other").await;
    ada.send("KICK #ci bb :out").await;
    engine.logs("IRC channel left").await;
    for number in 1..=3 {
        engine.build(number, "failure").await;
        let heard = bea.hears().await;
        assert!(heard.starts_with(&format!("PRIVMSG #other build #{number} of linux")), "{heard}");
    }
    let waiting = engine.failed("busy").await;
    assert_eq!(waiting["state"], "waiting", "{waiting}");
    assert!(waiting["text"].as_str().unwrap().ends_with("the bot is not in #ci"), "{waiting}");
    let mut heard = Vec::new();
    for _ in 1..=3 {
        heard.push(ada.hears().await);
    }
    for number in 1..=3 {
        let text = format!("PRIVMSG #ci build #{number} of linux");
        assert_eq!(heard.iter().filter(|line| line.starts_with(&text)).count(), 1, "{heard:?}");
    }
    patiently("all is delivered", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
    assert_eq!(bea.asks("hello").await, "yes?", "nothing was told twice");
}

/// I-OUT-09: more than goes out in five minutes does not wait in the bot, where nobody would know what becomes of it.
#[tokio::test]
async fn i_out_09_the_outbox_takes_no_more_than_goes_out_soon() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let more = "channels = [\"#a\", \"#b\", \"#c\"]\nnotify_events = [\"finished\"]\n";
    let slow = settings(server.port, more).replace("flood_burst = 40", "flood_burst = 5");
    let engine = Engine::start(&slow.replace("\"50ms\"", "\"10s\""));
    let mut ada = Person::arrive(server.port, "ada", &["#a", "#b", "#c"]).await;
    // Its JOINs count as lines, too.
    ada.sees("bb", "#c").await;
    let builds: Vec<Value> =
        (1..=20).map(|number| campanile_testing::build_finished(number, "failure")).collect();
    engine.event(&Value::Array(builds)).await;
    let log = engine.logs("the outbox is full").await;
    assert!(log.contains("lines wait, and no more than 35 may at this rate"), "{log}");
    assert!(ada.hears().await.contains("build #1 of linux"));
    assert!(engine.deliveries().await.iter().all(|delivery| delivery["state"] != "dead"));
}

/// I-OUT-06: nothing is lost, and the server does not throw the bot out.
#[tokio::test]
async fn i_out_06_five_hundred_events() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let engine =
        Engine::start(&settings(server.port, "channels = [\"#ci\"]\nnotify_events = [\"finished\"]\n"));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    let events: Vec<Value> =
        (1..=500).map(|number| campanile_testing::build_finished(number, "success")).collect();
    let (status, text) = engine.post("/api/v1/events", Value::from(events).to_string()).await;
    assert_eq!(status, 202, "{text}");
    for number in 1..=500 {
        let heard = ada.hears().await;
        assert!(
            heard.starts_with(&format!("PRIVMSG #ci build #{number} of linux is complete")),
            "{number}: {heard}"
        );
    }
    let log = engine.log();
    assert!(!log.contains("IRC connection is down"), "{log}");
}

/// I-OUT-04, I-OUT-05: names and words that would be lines, commands or colours of their own.
#[tokio::test]
async fn i_out_04_hostile_names_stay_text() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let engine = Engine::start(&settings(server.port, IN_CI));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    let builder = "x\r\nJOIN #evil\r\nPRIVMSG #ci :\u{1}ACTION dies\u{1}";
    let text = format!("a\nQUIT :b\u{3}04red{}", " ü🔔".repeat(300));
    engine.event(&json!({"event": "buildFinished", "build": {"builder": builder, "number": 1, "results": "failure", "text": [text]}})).await;
    let mut whole = String::new();
    while !whole.contains("Build details") {
        let heard = ada.hears().await;
        whole.push_str(heard.strip_prefix("PRIVMSG #ci ").unwrap_or_else(|| panic!("{heard}")));
    }
    assert!(
        whole.starts_with(
            "build #1 of x JOIN #evil PRIVMSG #ci :ACTION dies is complete: Failure [a QUIT :b04red ü🔔"
        ),
        "{whole}"
    );
    // In two lines, and cut at 300 characters.
    assert_eq!((whole.matches("ü🔔").count(), whole.contains("ü🔔…]")), (95, true), "M-TXT-07: {whole}");
    assert_eq!(ada.asks("status 'no\u{1}pe'").await, "no such builder 'nope'");
    assert_eq!(ada.asks("hello").await, "yes?");
}

/// I-CFG-13, I-CFG-03, I-CON-04: TLS with a certificate that is checked, a password for the server, a channel's key.
#[tokio::test]
async fn i_cfg_13_tls_server_password_and_channel_keys() {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = free_port();
    let sections =
        format!("[SSL]\nCertFile = {{folder}}/cert.pem\nKeyFile = {{folder}}/key.pem\nPorts = {tls}\n");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), certificate.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    let sections = sections.replace("{folder}", folder.path().to_str().unwrap());
    let Some(server) = Ngircd::start("Password = tower", &sections).await else { return };
    let mut ada = Person::arrive_with(server.port, "ada", Some("tower"), &["#bells"]).await;
    ada.send("MODE #bells +k sesame").await;
    let more = |ca: &str| {
        format!(
            "use_ssl = true\nchannels = [{{ channel = \"bells\", password = \"sesame\" }}]\nserver_password = \"tower\"\n{ca}"
        )
    };
    let untrusting = Engine::start(&settings(tls, &more("")));
    let log = untrusting.logs("IRC connection is down").await;
    assert!(
        log.contains("network=\"localhost\"")
            && log.contains("no TLS")
            && log.contains("tls_ca")
            && !log.contains("sesame")
            && !log.contains("IRC session registered"),
        "{log}"
    );
    drop(untrusting);
    let ca = format!("tls_ca = {:?}\n", folder.path().join("cert.pem"));
    let _engine = Engine::start(&settings(tls, &more(&ca)));
    ada.sees("bb", "#bells").await;
    assert_eq!(ada.asks_in("#bells", "hello").await, "yes?");
}

/// I-CFG-21: what does not concern the connection is taken up without a new one.
#[tokio::test]
async fn i_cfg_21_a_reload_leaves_the_connection() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let engine = Engine::start(&settings(server.port, IN_CI));
    let mut ada = Person::arrive(server.port, "ada", &["#ci", "#more"]).await;
    ada.sees("bb", "#ci").await;
    let more = "channels = [\"#ci\", \"#more\"]\nnotify_events = { failure = true, started = false }\nnotice_on_channel = true\nshow_blame_list = false\n";
    write_settings(&engine.folder, &settings(server.port, more));
    engine.signal("-HUP");
    ada.sees("bb", "#more").await;
    ada.say("#more", "bb: notify list").await;
    assert_eq!(ada.hears().await, "NOTICE #more The following events are being notified: ['failure']");
    engine.event(&started(1)).await;
    engine.build(1, "failure").await;
    let wanted = "is complete: Failure [failure compile]  Build details are at https://ci.example.org/builders/linux/builds/1";
    let mut heard = [ada.hears().await, ada.hears().await];
    heard.sort();
    assert_eq!(heard, ["#ci", "#more"].map(|channel| format!("NOTICE {channel} build #1 of linux {wanted}")));
    let log = engine.log();
    assert_eq!(log.matches("IRC session registered").count(), 1, "{log}");
    // Without the table the bot says goodbye (I-RC-04).
    write_settings(&engine.folder, "");
    engine.signal("-HUP");
    let quit = ada.until("it quits", |line| line.starts_with(":bb!") && line.contains(" QUIT ")).await;
    assert!(quit.contains("buildmaster reconfigured: bot disconnecting"), "{}: {quit}", "I-RC-04");
}

#[tokio::test]
async fn i_fun_01_i_fun_02_i_fun_03_i_fun_04_scenes_dances_and_actions() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let _engine = Engine::start(&settings(server.port, "channels = [\"#ci\"]\n"));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    ada.say("#ci", "bb:What happen ?").await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci Somebody set up us the bomb.", "I-DSP-02");
    assert_eq!(ada.asks("dance").await, "<(^.^<)");
    for step in ["<(^.^)>", "(>^.^)>", "(7^.^)7", "(>^.^<)"] {
        assert_eq!(ada.hears().await, format!("PRIVMSG ada {step}"));
    }
    assert_eq!(ada.asks("destroy all monsters").await, "\u{1}ACTION readies phasers\u{1}");
    ada.say("bb", "destroy bb").await;
    ada.say("#ci", "\u{1}ACTION kicks bb\u{1}").await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci \u{1}ACTION kicks back\u{1}");
    ada.say("bb", "\u{1}ACTION hugs BB\u{1}").await;
    assert_eq!(ada.hears().await, "PRIVMSG ada \u{1}ACTION hugs ada too\u{1}");
    ada.say("bb", "\u{1}PING 17\u{1}").await;
    assert_eq!(ada.hears().await, "NOTICE ada \u{1}PING 17\u{1}", "I-CON-09");
    ada.say("bb", "\u{1}VERSION\u{1}").await;
    let version = concat!("NOTICE ada \u{1}VERSION campanile ", env!("CARGO_PKG_VERSION"), "\u{1}");
    assert_eq!(ada.hears().await, version, "I-CON-09");
    ada.say("bb", "\u{1}TIME\u{1}").await;
    ada.send("NOTICE bb :hello").await;
    assert_eq!(ada.asks("version").await.split('-').next(), Some("buildbot"), "I-CON-09");
}

/// Takes what people ask of the CI, and answers as a CI would.
async fn ci() -> (u16, std::sync::Arc<std::sync::Mutex<Vec<Value>>>) {
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::<Value>::new()));
    let told = std::sync::Arc::clone(&asked);
    let answer = async move |headers: axum::http::HeaderMap, axum::Json(body): axum::Json<Value>| {
        assert_eq!(headers["authorization"], "Bearer tower");
        told.lock().unwrap().push(body.clone());
        match (body["action"].as_str().unwrap(), body["what"].as_str()) {
            ("force", _) if body["branch"] == "closed" => {
                (StatusCode::CONFLICT, "the branch is\nclosed").into_response()
            }
            ("force", _) => {
                axum::Json(json!({"buildset": 7, "requests": [9], "said": "queued"})).into_response()
            }
            ("shutdown", Some("check")) => axum::Json(json!({"state": "running"})).into_response(),
            _ => StatusCode::NO_CONTENT.into_response(),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap() });
    (port, asked)
}

/// Requests reach the CI once; its answers, and their effects, are told.
#[tokio::test]
async fn i_cmd_38_i_cmd_40_forced_and_stopped_builds() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let (port, asked) = ci().await;
    let control = format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[control]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}/ci\"\ntoken = \"tower\"\n\n"
    );
    let more = "channels = [\"#ci\"]\nallow_force = true\nallow_shutdown = true\n";
    let engine = Engine::start(&format!("{control}{}", settings(server.port, more)));
    engine.event(&json!({"event": "builderAdded", "builder": {"name": "linux", "state": "idle"}})).await;
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    assert_eq!(ada.asks("force build nope").await, "no such builder 'nope'");
    assert_eq!(ada.asks("force build --branch closed linux").await, "the CI refused: the branch is closed");
    assert_eq!(
        ada.asks("stop build linux why not").await,
        "sorry, no build is currently running",
        "I-CMD-42"
    );
    let text = "force build --branch=main --rev=1f0c --props=a=1,b=2,a=3 linux  ring the bell";
    let queued = "The build has been queued, I'll give a shout when it starts";
    assert_eq!(ada.asks_in("#ci", text).await, queued, "I-CMD-39");
    let request = asked.lock().unwrap().pop().unwrap();
    let user = "IRC user <ada> on channel #ci";
    assert_eq!(
        request,
        json!({"action": "force", "asker": {"who": user, "place": "localhost/#ci"}, "builder": "linux",
            "branch": "main", "revision": "1f0c", "properties": {"a": "3", "b": "2"},
            "reason": format!("forced: by {user}: ring the bell")}),
        "I-CMD-36"
    );
    // Another build of the same builder is not it.
    engine
        .event(&json!({"event": "buildStarted", "build": {"builder": "linux", "number": 1, "buildset": 6}}))
        .await;
    engine
        .event(&json!({"event": "buildStarted", "build": {"builder": "linux", "number": 2, "buildset": 7}}))
        .await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci build #2 forced");
    assert_eq!(ada.hears().await, "PRIVMSG #ci I'll give a shout when the build finishes");
    assert_eq!(ada.asks("stop build linux it is late").await, "build 1 interrupted");
    assert_eq!(ada.hears().await, "PRIVMSG ada build 2 interrupted", "I-CMD-43");
    let request = asked.lock().unwrap().pop().unwrap();
    let who = "IRC user <ada> (privmsg)";
    assert_eq!(
        request,
        json!({"action": "stop", "asker": {"who": who, "place": "localhost"}, "builder": "linux", "number": 2,
            "reason": format!("stopped: by {who}: it is late")}),
        "{} {}",
        "I-CMD-41",
        "I-CMD-43"
    );
    engine.event(&json!({"event": "buildFinished", "build": {"builder": "linux", "number": 2, "results": "cancelled"}})).await;
    assert_eq!(ada.hears().await, "PRIVMSG #ci Hey! build linux #2 is complete: Cancelled [cancelled]");
    assert_eq!(
        ada.hears().await,
        "PRIVMSG #ci Build details are at https://ci.example.org/builders/linux/builds/2"
    );
    let audit = run(&engine.folder, &["audit", "--server", &engine.url]);
    let audit = String::from_utf8(audit.stdout).unwrap();
    let lines: Vec<&str> = audit.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(
        lines,
        [
            format!("{who} at localhost: stop linux #2; stopped: by {who}: it is late: done"),
            format!("{who} at localhost: stop linux #1; stopped: by {who}: it is late: done"),
            format!(
                "{user} at localhost/#ci: force linux, branch main, revision 1f0c, a=3, b=2; forced: by {user}: ring the bell: queued"
            ),
            format!(
                "{who} at localhost: force linux, branch closed; forced: by {who}: the CI refused: the branch is closed"
            ),
        ],
        "{audit}"
    );
    assert_eq!(ada.asks("shutdown check").await, "Status: buildbot is running");
    assert_eq!(ada.asks("shutdown stop").await, "Nothing to stop");
    assert_eq!(ada.asks("shutdown start").await, "Starting clean shutdown", "I-CMD-27");
    patiently("the CI is told to end (I-CMD-27)", async || {
        (asked.lock().unwrap().last().unwrap()["what"] == "start").then_some(())
    })
    .await;
}

/// I-ADD-01: rules by name, and what is not named is not for everybody.
#[tokio::test]
async fn i_add_01_who_may_do_what() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let more = "channels = [\"#ci\"]\nauthz = { \"force, join, leave\" = [\"ada\"], mute = false }\n";
    let engine = Engine::start(&settings(server.port, more));
    engine.build(1, "success").await;
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    let mut eve = Person::arrive(server.port, "eve", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    assert_eq!(
        ada.asks("force build linux").await,
        "builder control is not enabled",
        "there is no `[control]`"
    );
    for command in ["force build linux", "join #x", "stop build linux now", "mute", "shutdown check"] {
        assert_eq!(eve.asks(command).await, "Thou shall not pass, eve!!!", "{command}");
    }
    assert!(eve.asks("status").await.starts_with("linux: idle"));
    assert_eq!(ada.asks("join bells").await, "Joined #bells", "I-CMD-16");
    ada.send("JOIN #bells").await;
    ada.sees("bb", "#bells").await;
    assert_eq!(ada.asks_in("#bells", "hello").await, "yes?");
    assert_eq!(ada.asks("join").await, "try 'join <channel>'", "I-CMD-16");
    assert_eq!(ada.asks("leave").await, "try 'leave <channel>'", "I-CMD-16");
    assert_eq!(ada.asks("leave bells").await, "Buildbot has been told to leave #bells", "I-CMD-16");
    ada.until("the bot leaves", |line| line.starts_with(":bb!") && line.contains(" PART ")).await;
}

/// Settings of a bot at a network with services.
fn at_services(port: u16, more: &str) -> String {
    settings(port, &format!("channels = [\"#ci\"]\npassword = \"sesame\"\n{more}"))
}

/// I-ADD-03, I-CON-03 to I-CON-05: SASL, or NickServ; and a password that is wrong.
#[tokio::test]
async fn i_add_03_i_con_03_proving_who_the_bot_is() {
    let Some(services) = Services::start().await else { return };
    let mut bb = Person::arrive(services.port, "bb", &[]).await;
    bb.registers("sesame").await;
    drop(bb);
    let mut ada = Person::arrive(services.port, "ada", &["#ci"]).await;
    for more in ["sasl = true\n", ""] {
        patiently("the nickname is free", async || ada.account_of("bb").await.is_none().then_some(())).await;
        let mut engine = Engine::start(&at_services(services.port, more));
        ada.until("the bot joins", |line| line.starts_with(":bb!") && line.contains(" JOIN ")).await;
        assert_eq!(
            ada.account_of("bb").await.as_deref(),
            Some("bb"),
            "before it joins it has proven itself: {more}"
        );
        let log = engine.log();
        assert!(!log.contains("sesame"), "{log}");
        // At a clean stop the bot says goodbye.
        engine.terminate();
        let quit =
            ada.until("the bot quits", |line| line.starts_with(":bb!") && line.contains(" QUIT ")).await;
        assert!(quit.contains("buildmaster reconfigured: bot disconnecting"), "{}: {quit}", "I-RC-04");
    }
    let wrong = at_services(services.port, "sasl = true\n").replace("sesame", "wrong-word");
    let engine = Engine::start(&wrong);
    let log = engine.logs("SASL was refused").await;
    assert!(
        log.contains("check `nick` and `password`")
            && !log.contains("wrong-word")
            && !log.contains("IRC session registered"),
        "{log}"
    );
}

/// I-ADD-01: an account is what counts, whatever nickname its owner has today.
#[tokio::test]
async fn i_add_01_accounts_count_for_more_than_nicknames() {
    let Some(services) = Services::start().await else { return };
    let mut ada = Person::arrive(services.port, "ada", &["#ci"]).await;
    ada.registers("tower").await;
    let more = "channels = [\"#ci\"]\nauthz = { force = \"ada\" }\n";
    let engine = Engine::start(&settings(services.port, more));
    engine.build(1, "success").await;
    ada.sees("bb", "#ci").await;
    assert_eq!(ada.asks("force build linux").await, "builder control is not enabled");
    ada.send("NICK ada_away").await;
    ada.nick = "ada_away".to_owned();
    assert_eq!(ada.asks("force build linux").await, "builder control is not enabled");
    let mut eve = Person::arrive(services.port, "eve", &["#ci"]).await;
    eve.registers("moat").await;
    eve.send("NICK ada").await;
    eve.nick = "ada".to_owned();
    assert_eq!(eve.asks("force build linux").await, "Thou shall not pass, ada!!!");
}

/// The session of docs/targets/irc.md, word for word.
#[tokio::test]
async fn the_session_of_the_page_is_what_happens() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/targets/irc.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, session) = page.split_once("```irc\n").unwrap();
    let (session, _) = session.split_once("```").unwrap();
    let engine = Engine::start(&settings(server.port, "channels = [\"#ci\"]\n"));
    for (name, state) in [("linux", "idle"), ("mac", "offline")] {
        engine.event(&json!({"event": "builderAdded", "builder": {"name": name, "state": state}})).await;
    }
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    let mut heard = 0;
    for line in session.lines() {
        if let Some(said) = line.strip_prefix("<ada> ") {
            ada.say("#ci", said).await;
        } else if let Some(answer) = line.strip_prefix("<bb> ") {
            assert_eq!(ada.hears().await, format!("PRIVMSG #ci {answer}"));
            heard += 1;
        } else if line == "* build linux 1 begins" {
            engine.event(&started(1)).await;
        } else {
            assert_eq!(line, "* build linux 1 fails");
            engine.build(1, "failure").await;
        }
    }
    assert!(heard > 10, "{heard} lines only");
}

/// Issue: `shutdown` in Campanile's own sense ends the engine when what is under way is done.
#[tokio::test]
async fn i_cmd_26_shutdown_of_the_engine_itself() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let more = "channels = [\"#ci\"]\nallow_shutdown = true\n";
    let mut engine =
        Engine::start(&format!("[control]\nshutdown = \"engine\"\n\n{}", settings(server.port, more)));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    assert_eq!(ada.asks("shutdown check").await, "Status: buildbot is running");
    assert_eq!(ada.asks("shutdown start").await, "Starting clean shutdown");
    let quit = ada.until("the bot quits", |line| line.starts_with(":bb!") && line.contains(" QUIT ")).await;
    assert!(quit.contains("bot disconnecting"), "{quit}");
    assert_eq!(engine.ended(), Some(0));
}

/// Tags choose what is announced and listed, not what is asked for by name; a retry is no build before.
#[tokio::test]
async fn i_evt_05_i_evt_08_tags_and_changes_of_result() {
    let Some(server) = Ngircd::start("", "").await else { return };
    let more = "channels = [\"#ci\"]\nnotify_events = [\"successToFailure\"]\ntags = [\"fast\"]\neaster_eggs = false\n";
    let engine = Engine::start(&settings(server.port, more).replace("use_colors = false\n", ""));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    for (builder, tag) in [("slow", "weekly"), ("quick", "fast")] {
        let builder_added =
            json!({"event": "builderAdded", "builder": {"name": builder, "tags": [tag], "state": "idle"}});
        engine.event(&builder_added).await;
        for (number, results) in [(1, "success"), (2, "retry"), (3, "failure"), (4, "failure")] {
            let build = json!({"builder": builder, "number": number, "results": results, "tags": [tag], "text": [results]});
            engine.event(&json!({"event": "buildFinished", "build": build})).await;
        }
    }
    let heard = ada.hears().await;
    assert!(
        heard.starts_with("PRIVMSG #ci build #3 of quick is complete: Failure [\u{3}04failure\u{3}]  "),
        "{}: {heard}",
        "I-FIN-03"
    );
    assert!(ada.asks("status").await.starts_with("quick: idle"));
    assert!(ada.asks("status slow").await.starts_with("slow: idle"), "I-FLT-01");
    assert_eq!(ada.asks("list builders").await, "Configured builders: quick", "I-FLT-01");
    ada.say("bb", "dance").await;
    ada.say("bb", "destroy it").await;
    ada.say("bb", "What happen ?").await;
    assert_eq!(ada.hears().await, "PRIVMSG ada no such command 'What'", "I-FUN-05");
    let silent = engine.deliveries().await.into_iter().find(|d| d["subject"] == "slow #3").unwrap();
    assert_eq!((&silent["state"], &silent["code"]), (&json!("silent"), &json!("tags")));
}

/// I-RC-05: what could not be told within ten minutes is told to nobody, and says so.
#[tokio::test]
async fn i_rc_05_old_news_is_no_news() {
    use sqlx::Connection as _;
    let Some(mut server) = Ngircd::start("", "").await else { return };
    let mut engine = Engine::start(&settings(server.port, IN_CI));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    server.kill();
    engine.build(1, "failure").await;
    engine.build(2, "failure").await;
    engine.failed("connection").await;
    engine.terminate();
    // Eleven minutes pass for the first.
    let url = format!("sqlite:{}", engine.folder.join("campanile.db").display());
    let mut store = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let aged = sqlx::query("UPDATE deliveries SET created = created - 660000000 WHERE id = 1")
        .execute(&mut store)
        .await;
    assert_eq!(aged.unwrap().rows_affected(), 1);
    store.close().await.unwrap();
    // She is there before the bot, who speaks as soon as it has joined.
    server.restart().await;
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    engine.kill_and_restart();
    assert!(ada.hears().await.starts_with("PRIVMSG #ci build #2 of linux"));
    let first = engine.deliveries().await.into_iter().find(|d| d["subject"] == "linux #1").unwrap();
    assert_eq!((&first["state"], &first["code"]), (&json!("silent"), &json!("expired")));
    assert_eq!(first["text"], "it could not be sent within 10 minutes, and is no news any more");
}

/// I-RC-05: of many announcements that were missed, the newest are summed up, and it is told how many are not.
#[tokio::test]
async fn i_rc_05_what_was_missed_is_summed_up() {
    let Some(mut server) = Ngircd::start("", "").await else { return };
    let engine = Engine::start(&settings(server.port, IN_CI));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    server.kill();
    for number in 1..=40 {
        engine.build(number, "success").await;
    }
    engine.failed("connection").await;
    server.restart().await;
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.contains("build #40 ")) {
        lines.push(ada.hears().await.strip_prefix("PRIVMSG #ci ").unwrap().to_owned());
    }
    assert!(lines.len() <= 5, "{lines:?}");
    let (note, rest) = lines[0].split_once(" older messages are left out").unwrap();
    let left_out: u64 = note.parse().unwrap();
    assert!((20..30).contains(&left_out) && !rest.contains(&format!("build #{left_out} ")), "{lines:?}");
    let all = lines.join(" | ");
    for number in left_out + 1..=40 {
        assert_eq!(
            all.matches(&format!("build #{number} of linux is complete")).count(),
            1,
            "{number}: {all}"
        );
    }
    let deliveries = patiently("nothing waits any more", async || {
        let all = engine.deliveries().await;
        all.iter().all(|delivery| delivery["state"] != "waiting").then_some(all)
    })
    .await;
    for delivery in deliveries {
        let number: u64 =
            delivery["subject"].as_str().unwrap().strip_prefix("linux #").unwrap().parse().unwrap();
        let expected =
            if number <= left_out { json!(["silent", "overtaken"]) } else { json!(["delivered", null]) };
        assert_eq!(json!([delivery["state"], delivery["code"]]), expected, "{delivery}");
    }
    // What happens from now on is told line by line again.
    engine.build(41, "success").await;
    assert!(ada.hears().await.starts_with("PRIVMSG #ci build #41 of linux is complete: Success"));
}

/// A network that falls apart and comes together again: the bot stays where it is, and is heard by whoever is there.
#[tokio::test]
async fn a_netsplit_costs_nothing() {
    let Some([first, mut second]) = linked().await else { return };
    let engine = Engine::start(&settings(first.port, IN_CI));
    let mut near = Person::arrive(first.port, "near", &["#ci"]).await;
    near.sees("bb", "#ci").await;
    let mut far = Person::arrive(second.port, "far", &["#ci"]).await;
    far.sees("bb", "#ci").await;
    assert_eq!(
        far.asks_in("#ci", "notify off started").await,
        "The following events are being notified: ['finished']"
    );
    near.hears().await;
    second.kill();
    near.until("far is gone", |line| line.starts_with(":far!") && line.contains(" QUIT ")).await;
    engine.build(1, "failure").await;
    assert!(near.hears().await.starts_with("PRIVMSG #ci build #1 of linux is complete"));
    second.restart().await;
    let mut far = Person::arrive(second.port, "far", &["#ci"]).await;
    far.sees("bb", "#ci").await;
    engine.event(&started(2)).await;
    engine.build(2, "success").await;
    for person in [&mut near, &mut far] {
        assert!(
            person.hears().await.starts_with("PRIVMSG #ci build #2 of linux is complete"),
            "`started` is off still"
        );
    }
    assert_eq!(engine.log().matches("IRC session registered").count(), 1, "{}", engine.log());
}

/// I-ADD-07: a callback words what channels are told; commands are answered as ever.
#[tokio::test]
async fn i_add_07_words_of_a_channels_own() {
    let (Some(words), Some(panics)) = (guest("channel-words"), guest("announce-panic")) else {
        return skip("the guest `channel-words` is not built: run `cargo xtask guests`");
    };
    let Some(server) = Ngircd::start("", "").await else { return };
    let formatted = |component: &std::path::Path, more: &str| {
        let callback = format!("[callbacks.words]\ncomponent = {component:?}\ndeadline = \"10s\"\n\n");
        let more = format!("channels = [\"#ci\"]\nannounce_formatter = \"words\"\n{more}");
        callback + &settings(server.port, &more)
    };
    let engine = Engine::start(&formatted(&words, "notify_events = [\"started\", \"finished\"]\n"));
    let mut ada = Person::arrive(server.port, "ada", &["#ci"]).await;
    ada.sees("bb", "#ci").await;
    engine.event(&started(1)).await;
    engine.build(1, "success").await;
    engine.event(&started(2)).await;
    engine.build(2, "failure").await;
    let url = "https://ci.example.org/builders/linux/builds";
    assert_eq!(
        ada.hears().await,
        format!("PRIVMSG #ci linux broke: failure in #2, with changes of ada {url}/2"),
        "a success after nothing and what begins are no news"
    );
    let told = engine.delivery_in("delivered").await;
    let digest = told["callback_version"].as_str().unwrap();
    assert!(digest.len() == 64 && told["subject"] == "linux #2", "{told}");
    engine.event(&started(3)).await;
    assert!(ada.asks("watch linux").await.starts_with("watching build linux #3 until it finishes"));
    engine.build(3, "success").await;
    let again = format!("linux is fine again: success in #3 {url}/3");
    let mut heard = [ada.hears().await, ada.hears().await];
    heard.sort();
    assert_eq!(heard, [format!("PRIVMSG #ci {again}"), format!("PRIVMSG ada {again}")]);

    // In private it panics: the bot's own words are said. In a channel it says what no bot may.
    write_settings(
        &engine.folder,
        &formatted(&panics, "notify_events = [\"finished\"]\npm_to_nicks = [\"ada\"]\n"),
    );
    engine.signal("-HUP");
    patiently("the settings are in use", async || {
        (ada.asks("notify list").await.contains("['finished']")).then_some(())
    })
    .await;
    engine.build(4, "failure").await;
    let mut heard = Vec::new();
    while heard.len() < 7 {
        heard.push(ada.hears().await);
    }
    heard.sort();
    assert_eq!(heard[0], "PRIVMSG #ci ACTION three");
    assert_eq!(heard[1], "PRIVMSG #ci QUIT :two");
    assert_eq!(heard[2], "PRIVMSG #ci one", "no formatting without colours");
    assert!(heard[3..6].iter().all(|line| line.starts_with("PRIVMSG #ci xxx")), "{heard:?}");
    assert!(heard[6].starts_with("PRIVMSG ada build #4 of linux is complete: Failure"), "{heard:?}");
    let log = engine.logs("the announce formatter failed").await;
    assert!(log.contains("callback=\"words\""), "{log}");
    assert!(!log.contains("nobody shall know"), "what a callback says belongs into its own log: {log}");
    let log = run(&engine.folder, &["callbacks", "logs", "words", "--server", &engine.url]);
    assert!(String::from_utf8(log.stdout).unwrap().contains("nobody shall know of 4"));
}
