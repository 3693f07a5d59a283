//! The commands: their output, their exit codes, their hints.

use campanile_testing::{Engine, guest, run, write_settings};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn m_01_check_tells_all_problems_at_once_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    write_settings(
        folder.path(),
        "[server]\nlisten = \"nowhere\"\n\n[[mail]]\nfromadr = \"ci@example.org\"\nmode = [\"all\"]\n\n[storr]\n",
    );
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(2));
    let told = text(&checked.stderr);
    for line in [
        "campanile.toml:2: error: `nowhere` is not an address",
        "campanile.toml:5: error: unknown key `fromadr` in `mail`: did you mean `fromaddr`?",
        "campanile.toml:6: error: mode 'all' is not valid in an iterator",
        "campanile.toml:8: error: unknown key `storr`: did you mean `store`?",
    ] {
        assert!(told.contains(line), "{line} is missing in:\n{told}");
    }
}

#[test]
fn check_refuses_what_is_no_component() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
    std::fs::write(folder.path().join("text.wasm"), b"hello").unwrap();
    write_settings(
        folder.path(),
        "[callbacks.core]\ncomponent = \"core.wasm\"\n[callbacks.gone]\ncomponent = \"gone.wasm\"\n\
         [callbacks.text]\ncomponent = \"text.wasm\"\n",
    );
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(2));
    let told = text(&checked.stderr);
    assert!(told.contains("callback `core`: it is a core module, not a component"), "{told}");
    assert!(told.contains("callback `gone`: cannot read"), "{told}");
    assert!(told.contains("callback `text`: it is no valid component"), "{told}");
}

#[tokio::test]
async fn report_and_deliveries() {
    let engine = Engine::start(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n",
    );
    let server = engine.url.clone();
    std::fs::write(engine.folder.join("build.log"), "oops\n").unwrap();
    let arguments =
        ["report", "--server", &server, "build-finished", "--builder", "linux", "--number", "7", "--results"];
    let reported = run(
        &engine.folder,
        &[&arguments[..], &["failure", "--who", "ada", "--log", "compile=build.log"]].concat(),
    );
    assert!(reported.status.success(), "{}", text(&reported.stderr));
    engine.outbox(1).await;
    engine.delivery_in("delivered").await;
    let build = engine.get("/api/v1/builds/linux/7").await;
    assert_eq!(build["build"]["steps"][0]["logs"][0]["lines"], 1);

    let listed = run(&engine.folder, &["deliveries", "--server", &server, "list"]);
    assert!(text(&listed.stdout).contains("delivered"), "{}", text(&listed.stdout));
    let shown = run(&engine.folder, &["deliveries", "--server", &server, "show", "1"]);
    assert!(text(&shown.stdout).contains("attempt 1:"), "{}", text(&shown.stdout));
    let retried = run(&engine.folder, &["deliveries", "--server", &server, "retry", "1"]);
    assert!(retried.status.success());
    let missing = run(&engine.folder, &["deliveries", "--server", &server, "show", "99"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("99"));

    let wrong = run(&engine.folder, &[&arguments[..], &["broken"]].concat());
    assert_eq!(wrong.status.code(), Some(2));
}

/// M-21: every target has its sentence, also one that never made a delivery of the event.
#[tokio::test]
async fn m_21_explain_says_for_each_target_why_it_told_or_not() {
    let mail = |name: &str, more: &str| {
        format!(
            "[[mail]]\nname = \"{name}\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
             extra_recipients = [\"team@example.org\"]\nsend_to_interested_users = false\n{more}\n"
        )
    };
    let settings =
        [mail("all", ""), mail("windows", "builders = [\"windows\"]"), mail("news", "report_new = true")]
            .concat();
    let engine = Engine::start(&settings);
    let server = engine.url.clone();
    let explain = |about: &str| run(&engine.folder, &["deliveries", "--server", &server, "explain", about]);
    let build = serde_json::json!({ "builder": "li/nux", "number": 7 });
    engine.event(&serde_json::json!({ "event": "buildStarted", "build": build })).await;
    let mut finished = build.clone();
    finished["results"] = "failure".into();
    engine.event(&serde_json::json!({ "event": "buildFinished", "build": finished })).await;
    campanile_testing::patiently("all deliveries settle", async || {
        let all = engine.deliveries().await;
        (all.len() == 4 && all.iter().all(|delivery| delivery["state"] != "waiting")).then_some(())
    })
    .await;

    let told = explain("li/nux/7");
    assert!(told.status.success(), "{}", text(&told.stderr));
    let told = text(&told.stdout);
    let lines: Vec<&str> = told.lines().collect();
    let [finished, changes, all, windows, news, started, _, not_all, _, new] = lines[..] else {
        panic!("{told}")
    };
    assert_eq!(changes, "  changes: none: the build was told of without a revision");
    assert_eq!(finished, "event 2: buildFinished li/nux #7");
    assert!(all.contains("delivered all") && all.contains("written to `"), "{told}");
    let why = "silent    windows          the builder is not among the target's `builders` (delivery ";
    assert!(windows.contains(why), "{told}");
    assert!(news.contains("delivered news"), "{told}");
    assert_eq!(started, "event 1: buildStarted li/nux #7");
    assert!(not_all.contains("unwanted  all              `report_new` is off"), "{told}");
    assert!(new.contains("delivered news"), "{told}");
    assert!(text(&explain("1").stdout).starts_with("event 1: buildStarted"));

    let missing = explain("mac/1");
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("no event `mac/1` is known: name an event's id"));
}

#[tokio::test]
async fn h_cli_send_change() {
    let engine = Engine::start("[change_hooks.dialects]\nbase = true\n");
    let host = engine.url.replace("http://", "");
    let sent = run(
        &engine.folder,
        &[
            "send-change",
            "-H",
            &host,
            "-r",
            "repo",
            "-P",
            "bells",
            "-w",
            "ada",
            "-f",
            "a.c",
            "-f",
            "b.c",
            "-p",
            "n=1",
            "-v",
        ],
    );
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
    assert_eq!(text(&sent.stdout), "202 Accepted\n", "H-CLI-06");
    let change = &engine.get("/api/v1/changes").await["changes"][0];
    assert_eq!(change["who"], "ada");
    assert_eq!(change["files"], serde_json::json!(["a.c", "b.c"]));
    assert_eq!(change["properties"], serde_json::json!([["n", 1, "Change"]]));

    let missing = run(&engine.folder, &["send-change", "-P", "bells"]);
    assert_eq!(missing.status.code(), Some(2), "H-CLI-02");
    assert!(text(&missing.stderr).starts_with("repository must be specified\n"));
    let dry = run(&engine.folder, &["send-change", "-r", "r", "-P", "p", "-w", "ada", "-t"]);
    assert_eq!(
        text(&dry.stdout),
        "params: author=ada&comments=post_build_request+submission&repository=r&project=p\n\
         host: localhost:8010\nurlpath: /change_hook/base\n",
        "H-CLI-07"
    );
    for wrong in [["--revlink", "javascript:alert(1)"], ["--url", "/change_hook/base"]] {
        let refused =
            run(&engine.folder, &[&["send-change", "-r", "r", "-P", "p", "-t"], &wrong[..]].concat());
        assert_eq!(refused.status.code(), Some(2), "H-CLI-01 {wrong:?}");
        assert!(text(&refused.stderr).contains("such as `http"), "{}", text(&refused.stderr));
    }
    let python = run(&engine.folder, &["send-change", "-r", "r", "-P", "p", "-p", "{'a': 1}"]);
    assert_eq!(python.status.code(), Some(2), "H-CLI-03");
}

/// H-CLI-01: every option; H-CLI-04: how it is sent; H-CLI-05: the exit code; H-CLI-08: the answer as JSON.
#[tokio::test]
async fn h_cli_01_h_cli_04_h_cli_05_h_cli_08_all_options_of_send_change() {
    let engine = Engine::start_with_file(
        "[change_hooks]\nauth = \"file:passwd\"\n\n[change_hooks.dialects]\nbase = true\n",
        "passwd",
        b"ci:tower\n",
    );
    let url = format!("{}/change_hook/base", engine.url);
    let options = [
        "--who=Ada <ada@example.org>",
        "--file=b ü.c",
        "--comments=ring",
        "--revision=42",
        "--when=2026-01-31T14:30:00Z",
        "--branch=main",
        "--category=cat",
        "--revlink=https://x/42",
        "--property=n=[1]",
        "--property={\"m\": \"x\", \"n\": 2}",
        "--repository=repo",
        "--project=bells",
        "--codebase=core",
    ];
    let sent = run(
        &engine.folder,
        &[&["send-change", "--url", &url, "--auth", "ci:tower", "--json"], &options[..]].concat(),
    );
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!(answer["changes"], 1);
    let change = &engine.get("/api/v1/changes").await["changes"][0];
    for (field, value) in [
        ("who", "Ada <ada@example.org>"),
        ("comments", "ring"),
        ("revision", "42"),
        ("branch", "main"),
        ("category", "cat"),
        ("revlink", "https://x/42"),
        ("repository", "repo"),
        ("project", "bells"),
        ("codebase", "core"),
    ] {
        assert_eq!(change[field], value, "{field}");
    }
    assert_eq!(change["files"], serde_json::json!(["b ü.c"]));
    assert_eq!(change["when"], 1_769_869_800);
    assert_eq!(change["properties"], serde_json::json!([["m", "x", "Change"], ["n", 2, "Change"]]));

    let refused = run(
        &engine.folder,
        &["send-change", "--url", &url, "--auth", "ci:wrong", "-r", "r", "-P", "p", "-w", "a"],
    );
    assert_eq!(refused.status.code(), Some(1), "H-CLI-05");
    assert!(
        text(&refused.stderr).contains("401") && text(&refused.stderr).contains("Unauthorized"),
        "H-CLI-06"
    );
    assert!(!text(&refused.stderr).contains("wrong"), "no password is shown");
    let nobody = run(
        &engine.folder,
        &["send-change", "--url", "http://127.0.0.1:1/", "-r", "r", "-P", "p", "-w", "a"],
    );
    assert_eq!(nobody.status.code(), Some(1), "H-CLI-05");
    assert!(!nobody.stderr.is_empty());
}

#[test]
fn the_demo_tells_its_story() {
    let folder = tempfile::tempdir().unwrap();
    let component = guest("html-mail");
    let mut arguments = vec!["demo"];
    let path = component.as_ref().map(|path| path.to_str().unwrap());
    if let Some(path) = path {
        arguments.extend(["--formatter", path]);
    }
    let played = run(folder.path(), &arguments);
    let (out, err) = (text(&played.stdout), text(&played.stderr));
    assert_eq!(played.status.code(), Some(0), "{out}\n{err}");
    assert_eq!(out.matches("Subject: ").count(), 3, "{out}");
    assert!(out.contains("3 changes found"), "{out}");
    assert!(out.contains("no mail, and the engine says why"), "{out}");
}

/// The mails of the demo are there to be looked at: they say what it says of them.
#[test]
fn the_demo_shows_the_log_and_who_broke_it() {
    let folder = tempfile::tempdir().unwrap();
    let played = run(folder.path(), &["demo"]);
    let (out, err) = (text(&played.stdout), text(&played.stderr));
    assert_eq!(played.status.code(), Some(0), "{out}\n{err}");
    let mails: Vec<String> = out
        .lines()
        .filter(|line| line.trim_end().ends_with(".eml"))
        .map(|line| std::fs::read_to_string(line.trim()).unwrap())
        .collect();
    let [_, failed, mended] = mails.as_slice() else { panic!("{out}") };
    for part in [
        "compile failed. The end of its log stdio",
        "tower.c:41:9: error: 'clapper' undeclared",
        "Broken since this build: #1 worked.",
        "e1d0ba8 Grace Ringer: Swing it & let it ring <loudly>",
        "Duration: 1m 24s",
    ] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    assert!(mended.contains("Mended: broken since #2 by Grace Ringer, for 1 build."), "{mended}");
}
