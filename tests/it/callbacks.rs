//! Formatters and previousBuildGetters in use, among them hostile ones (M-19, M-44, M-45, M-48, M-CB-03).

use campanile_testing::{Engine, guest, skip};

fn settings(component: &std::path::Path, more: &str) -> String {
    format!(
        "[callbacks.own]\ncomponent = {component:?}\ndeadline = \"10s\"\n\n[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\n\
         transport = \"file:outbox\"\nlookup = \"example.org\"\n{more}"
    )
}

/// One failing build's mail, or none where the guest is not built.
async fn mail_by(name: &str, more: &str) -> Option<String> {
    let Some(component) = guest(name) else {
        skip(&format!("the guest `{name}` is not built: run `cargo xtask guests`"));
        return None;
    };
    let engine = Engine::start(&settings(&component, &format!("message_formatter = \"own\"\n{more}")));
    engine.build(1, "failure").await;
    let mails = engine.outbox(1).await;
    mails.into_iter().next()
}

#[tokio::test]
async fn m_48_the_short_mail() {
    let Some(mail) = mail_by("short-mail", "").await else { return };
    assert!(mail.contains("STATUS: Failure"), "{mail}");
}

#[tokio::test]
async fn m_48_the_html_mail_quotes_the_log() {
    let Some(component) = guest("html-mail") else { return skip("the guest `html-mail` is not built") };
    let engine = Engine::start(&settings(&component, "message_formatter = \"own\"\n"));
    let mut started = campanile_testing::build_finished(1, "failure");
    started["event"] = "buildStarted".into();
    started["build"].as_object_mut().unwrap().remove("results");
    engine.event(&started).await;
    let log = format!("{}/api/v1/builds/linux/1/steps/compile/logs/stdio", engine.url);
    let lines: String = (1..=200).map(|line| format!("line {line} <tag>\n")).collect();
    let put = campanile_testing::http().put(log).body(lines).send().await.unwrap();
    assert_eq!(put.status(), 200);
    engine.build(1, "failure").await;
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("text/html"), "{mail}");
    let decoded = mail.replace("=\r\n", "").replace("=\n", "");
    assert!(decoded.contains("line 200 &lt;tag&gt;"), "{decoded}");
    assert!(decoded.contains("line 121 &lt;tag&gt;"), "the last 80 lines");
    assert!(!decoded.contains("line 120 &lt;tag&gt;"), "not one more");
}

/// Everything that a formatter is handed, and what it can ask for.
#[tokio::test]
async fn m_45_m_47_what_a_formatter_is_told_and_can_ask_for() {
    let Some(component) = guest("everything-told") else {
        return skip("the guest `everything-told` is not built: run `cargo xtask guests`");
    };
    let engine = Engine::start(&settings(&component, "message_formatter = \"own\"\nmode = \"warnings\"\n"));
    engine.build(1, "success").await;
    let mut build = campanile_testing::build_finished(2, "failure")["build"].clone();
    build["properties"] = serde_json::json!([["owner", "Zoe", "Force"]]);
    build["worker"] = "w1".into();
    build["reason"] = "a push".into();
    build["source_stamps"][0]["patch"] = serde_json::json!({"level": 1, "body": "+bell", "subdir": "tower", "author": "Eve", "comment": "louder"});
    let mut running = build.clone();
    running.as_object_mut().unwrap().remove("results");
    engine.event(&serde_json::json!({"event": "buildStarted", "build": running})).await;
    let log = format!("{}/api/v1/builds/linux/2/steps/compile/logs/stdio", engine.url);
    let put = campanile_testing::http().put(log).body("no bell\n").send().await.unwrap();
    assert_eq!(put.status(), 200);
    engine.event(&serde_json::json!({"event": "buildFinished", "build": build})).await;
    let mail = engine.outbox(1).await.remove(0);
    let text = mail.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=").replace("\r\n", "\n");
    assert!(text.contains("Subject: told everything"), "{}: {text}", "M-45");
    for (number, told) in [
        ("M-45", "mode: failing warnings\n"),
        ("M-45", "name: linux\n"),
        ("M-45", "results: Failure\n"),
        ("M-47", "title: Test CI\n"),
        ("M-47", "url: https://ci.example.org/\n"),
        ("M-47", "url of the build: https://ci.example.org/builders/linux/builds/2\n"),
        ("M-47", "text: failure compile\n"),
        ("M-47", "property: owner \"Zoe\" Force\n"),
        ("M-47", "worker: w1\n"),
        ("M-47", "reason: a push\n"),
        ("M-47", "responsible: Eve ada\n"),
        ("M-47", "stamp: main 1f0c2d bells\n"),
        ("M-47", "patch: 1 +bell tower Eve louder\n"),
        ("M-47", "change: ada ring tower.c\n"),
        ("M-47", "step: compile Failure\n"),
        ("M-47", "log: compile stdio no bell\n"),
        ("M-47", "previous: 1\n"),
    ] {
        assert!(text.contains(&format!("\n{told}")), "{number}: {told}: {text}");
    }
}

#[tokio::test]
async fn m_cb_01_a_callback_is_told_the_build_as_it_was() {
    let (Some(error), Some(told)) = (guest("error"), guest("everything-told")) else {
        return skip("the guests `error` and `everything-told` are not built: run `cargo xtask guests`");
    };
    let more = "message_formatter = \"own\"\non_callback_error = \"retry\"\n";
    let engine = Engine::start(&settings(&error, more));
    engine.build(1, "failure").await;
    engine.failed("callback").await;
    // Told otherwise while the mail waits for a callback that works.
    engine.build(1, "success").await;
    let url = format!("{}/api/v1/callbacks/own", engine.url);
    let put = campanile_testing::http().put(url).body(std::fs::read(told).unwrap()).send().await.unwrap();
    assert_eq!(put.status(), 200);
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("results: Failure") && !mail.contains("Success"), "{mail}");
}

#[tokio::test]
async fn m_44_a_trap_a_loop_and_greed_never_cost_a_mail() {
    for (name, reason) in [
        ("trap", "stopped"),
        ("loop", "longer than"),
        ("eat-memory", "memory"),
        ("error", "no thanks"),
        ("big-output", "own"),
    ] {
        let Some(mail) = mail_by(name, "").await else { return };
        let text = mail.replace("=\r\n", "").replace("=\n", "");
        assert!(text.contains("own") && text.contains(reason), "{name}: {text}");
        assert!(text.contains("linux"), "{name}: the built-in text follows");
    }
}

#[tokio::test]
async fn m_40_m_41_m_60_a_formatter_cannot_forge_headers() {
    let Some(mail) = mail_by("bad-subject", "").await else { return };
    let head = mail.split("\r\n\r\n").next().unwrap();
    assert_eq!(head.lines().filter(|line| line.starts_with("Subject:")).count(), 1);
    assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{head}");
}

#[tokio::test]
async fn m_44_on_callback_error_dead_says_so() {
    let Some(component) = guest("trap") else { return skip("the guest `trap` is not built") };
    let more = "message_formatter = \"own\"\non_callback_error = \"dead\"\n";
    let engine = Engine::start(&settings(&component, more));
    engine.build(1, "failure").await;
    let delivery = engine.delivery_in("dead").await;
    assert_eq!(delivery["code"], "callback");
}

#[tokio::test]
async fn m_19_the_getter_decides_what_changed() {
    let Some(component) = guest("previous-none") else {
        return skip("the guest `previous-none` is not built");
    };
    let engine =
        Engine::start(&settings(&component, "previous_build_getter = \"own\"\nmode = [\"change\"]\n"));
    engine.build(1, "success").await;
    engine.build(2, "failure").await;
    let all = campanile_testing::patiently("both are settled", async || {
        let all = engine.deliveries().await;
        (all.len() == 2 && all.iter().all(|row| row["state"] == "silent")).then_some(all)
    })
    .await;
    assert!(all.iter().all(|row| row["code"] == "mode"), "{all:?}");
}

/// M-20: asked only when the filter lets the build pass and a mode wants to know, and once then.
#[tokio::test]
async fn m_20_the_getter_is_asked_only_when_it_matters() {
    let Some(component) = guest("previous-none") else {
        return skip("the guest `previous-none` is not built");
    };
    for (more, calls) in [
        ("mode = [\"failing\"]\n", 0),
        ("mode = [\"change\"]\nbuilders = [\"mac\"]\n", 0),
        ("mode = [\"change\", \"problem\"]\n", 1),
    ] {
        let engine =
            Engine::start(&settings(&component, &format!("previous_build_getter = \"own\"\n{more}")));
        engine.build(1, "failure").await;
        campanile_testing::patiently("it is settled", async || {
            engine.deliveries().await.iter().all(|row| row["state"] != "waiting").then_some(())
        })
        .await;
        let metrics = campanile_testing::http().get(format!("{}/metrics", engine.url)).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let counted = metrics
            .lines()
            .filter(|line| line.starts_with("campanile_callback_calls_total{"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap())
            .sum::<u32>();
        assert_eq!(counted, calls, "{more}: {metrics}");
    }
}

#[tokio::test]
async fn m_31_a_lookup_finds_addresses_and_a_failing_one_costs_one_user() {
    let Some(component) = guest("email-table") else { return skip("the guest `email-table` is not built") };
    let settings = format!(
        "[callbacks.table]\ncomponent = {component:?}\n\n[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\n\
         transport = \"file:outbox\"\nextra_recipients = [\"list@example.org\"]\nlookup = {{ callback = \"table\" }}\n"
    );
    let engine = Engine::start(&settings);
    engine.build(1, "failure").await;
    let mail = engine.outbox(1).await.remove(0);
    let head = mail.split("\r\n\r\n").next().unwrap();
    let to = head.lines().find(|line| line.starts_with("To: ")).unwrap();
    assert!(to.contains("ada") && to.contains('@'), "ada's address comes from the callback: {head}");
    assert!(head.lines().any(|line| line == "Cc: list@example.org"), "{head}");
}
