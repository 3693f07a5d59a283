//! Hostile components, loaded into a running engine: each is stopped within its limit, its tenant is told why, and the
//! engine goes on as before (M-CB-03).

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use campanile_testing::{Engine, guest, patiently, program, run, skip};

use super::wat_lookups;

/// With so long a deadline that only what never ends meets it, however busy the machine is.
fn settings(component: &std::path::Path) -> String {
    settings_until(component, "10s")
}

fn settings_until(component: &std::path::Path, deadline: &str) -> String {
    format!(
        "[callbacks.own]\ncomponent = {component:?}\ndeadline = \"{deadline}\"\n\n[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\n\
         transport = \"file:outbox\"\nlookup = \"example.org\"\nmessage_formatter = \"own\"\n"
    )
}

fn built(name: &str) -> Option<PathBuf> {
    let component = guest(name);
    if component.is_none() {
        skip(&format!("the guest `{name}` is not built: run `cargo xtask guests`"));
    }
    component
}

async fn calls(engine: &Engine) -> Vec<Value> {
    let answer = engine.get("/api/v1/callbacks/own/log").await;
    answer["calls"].as_array().unwrap().iter().map(|row| row["call"].clone()).collect()
}

/// Resident memory in KiB.
fn resident(engine: &Engine) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", engine.process())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn m_cb_03_each_attack_ends_in_its_limit_and_is_told() {
    for (name, outcome, told) in [
        ("loop", "timed-out", "longer than 250 ms"),
        ("start-loop", "timed-out", "longer than 250 ms"),
        ("host-call-loop", "timed-out", "longer than 250 ms"),
        ("eat-memory", "over-limit", "memory"),
        ("several-memories", "over-limit", "memory"),
        ("deep-recursion", "trapped", "stopped"),
        ("gigabyte-result", "trapped", "stopped"),
        ("trap", "trapped", "stopped"),
        ("panic", "trapped", "stopped"),
        ("error", "answered-error", "no thanks"),
    ] {
        let Some(component) = built(name) else { return };
        let deadline = if outcome == "timed-out" { "250ms" } else { "10s" };
        let engine = Engine::start(&settings_until(&component, deadline));
        let began = std::time::Instant::now();
        engine.build(1, "failure").await;
        let mail = engine.outbox(1).await.remove(0).replace("=\r\n", "").replace("=\n", "");
        assert!(mail.contains(told), "{name}: the mail says why: {mail}");
        assert!(began.elapsed() < Duration::from_secs(20), "{name} took {:?}", began.elapsed());
        let delivery = engine.delivery_in("delivered").await;
        assert_eq!(delivery["callback_version"], Value::Null, "{name}: the built-in text went out");
        let call = patiently("the call is in the log", async || calls(&engine).await.pop()).await;
        assert_eq!(call["outcome"], outcome, "{name}: {call}");
        assert_eq!(call["delivery"], delivery["id"], "{name}: {call}");
        assert_eq!(call["version"].as_str().unwrap().len(), 64, "{name}: {call}");
    }
}

#[tokio::test]
async fn a_trap_is_told_with_its_text_and_function_names() {
    let Some(component) = built("panic") else { return };
    let engine = Engine::start(&settings(&component));
    engine.build(1, "failure").await;
    let call = patiently("the call is in the log", async || calls(&engine).await.pop()).await;
    let lines: Vec<&str> =
        call["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(lines.iter().any(|line| line.contains("gave up")), "the panic's own text: {lines:?}");
    assert!(lines.iter().any(|line| line.contains("panicking::panic_fmt")), "names of functions: {lines:?}");
    let shown = run(&engine.folder, &["callbacks", "logs", "own", "--server", &engine.url]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("gave up"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "nothing steers the terminal: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("ERROR forged")), "{text}");
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut() {
    let Some(component) = built("log-flood") else { return };
    let engine = Engine::start(&settings(&component));
    engine.build(1, "failure").await;
    engine.outbox(1).await;
    let call = patiently("the call is in the log", async || calls(&engine).await.pop()).await;
    // 8 MiB in all are more than a call may hand over; what came before is kept as far as the log goes.
    assert_eq!(call["outcome"], "over-limit", "{call}");
    assert!(call["lines"].to_string().contains("more in one call than the 4 MiB that it may"), "{call}");
    let kept = call["lines"].to_string().len();
    assert!(kept < 200_000, "{kept} bytes are kept");
    assert!(call["lines"].to_string().contains("more bytes were logged"), "{call}");
}

/// Each line costs something, so that a flood of empty ones is one too: printed at once, or logged one by one.
#[tokio::test]
async fn m_cb_04_a_flood_of_empty_lines_costs_no_more_than_one_of_text() {
    for name in ["printed", "logged"] {
        let folder = tempfile::tempdir().unwrap();
        let component = folder.path().join("flood.wasm");
        match name {
            "printed" => wat_lookups::line_ends(&component, 1 << 20),
            _ => wat_lookups::logger(&component, 100_000, 0),
        }
        let mut engine = Engine::start(&format!(
            "[limits]\nstored_bytes = \"1 GiB\"\n\n[callbacks.own]\ncomponent = {component:?}\ndeadline = \"10s\"\n\n[[mail]]\n\
             name = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = {{ callback = \"own\" }}\n"
        ));
        let before = resident(&engine);
        engine.build(1, "failure").await;
        let mail = engine.outbox(1).await.remove(0);
        assert!(mail.contains(wat_lookups::ADDRESS), "{name}: the answer itself is fine: {mail}");
        let call = patiently("the call is in the log", async || calls(&engine).await.pop()).await;
        assert_eq!(call["outcome"], "ok", "{name}");
        let lines = call["lines"].as_array().unwrap();
        assert!(lines.len() <= 2049, "{name}: {} lines are kept", lines.len());
        assert!(lines.last().unwrap()["text"].as_str().unwrap().contains("more bytes were logged"), "{name}");
        let after = resident(&engine);
        assert!(after < before + 64 * 1024, "{name}: {before} KiB before, {after} KiB after");
        // It counts to what the tenant keeps.
        engine.kill_and_restart();
        patiently("stored bytes are counted", async || {
            let tenants = engine.get("/api/v1/tenants").await;
            let own =
                tenants["tenants"].as_array()?.iter().find(|tenant| tenant["name"] == "default")?.clone();
            own["stored_bytes"].as_u64().filter(|bytes| *bytes > 32_000)
        })
        .await;
    }
}

/// Copies of all host calls of a call count together, not each by itself.
#[tokio::test]
async fn m_cb_05_a_call_hands_over_four_mebibytes_at_most() {
    for (times, outcome) in [(4, "ok"), (5, "over-limit")] {
        let folder = tempfile::tempdir().unwrap();
        let component = folder.path().join("logger.wasm");
        wat_lookups::logger(&component, times, 1 << 20);
        let engine = Engine::start(&format!(
            "[callbacks.own]\ncomponent = {component:?}\ndeadline = \"10s\"\n\n[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\n\
             transport = \"file:outbox\"\nextra_recipients = [\"dev@example.org\"]\nlookup = {{ callback = \"own\" }}\n"
        ));
        engine.build(1, "failure").await;
        let call = patiently("the call is in the log", async || calls(&engine).await.pop()).await;
        assert_eq!(call["outcome"], outcome, "{times} times 1 MiB: {}", call["lines"]);
    }
}

#[tokio::test]
async fn m_41_m_60_headers_and_recipients_are_not_a_guests_to_forge() {
    let Some(component) = built("header-injection") else { return };
    let engine = Engine::start(&settings(&component));
    engine.build(1, "failure").await;
    let mail = engine.outbox(1).await.remove(0);
    let head = mail.split("\r\n\r\n").next().unwrap().to_lowercase();
    let names: Vec<&str> = head.lines().filter(|line| !line.starts_with([' ', '\t'])).collect();
    for forbidden in ["bcc:", "cc:", "resent-to:", "resent-bcc:", "return-path:", "sender:", "received:"] {
        assert!(!names.iter().any(|line| line.starts_with(forbidden)), "{forbidden} got through:\n{head}");
    }
    for single in ["to:", "from:", "subject:", "date:", "mime-version:"] {
        assert_eq!(names.iter().filter(|line| line.starts_with(single)).count(), 1, "{single}\n{head}");
    }
}

/// Builds that are not there are absent, and the call goes on.
#[tokio::test]
async fn m_cb_02_a_guest_sees_builds_of_its_own_tenant_only() {
    let Some(component) = built("guess-builds") else { return };
    let engine = Engine::start(&settings(&component));
    engine.build(1, "failure").await;
    let mail = engine.outbox(1).await.remove(0).replace("=\r\n", "").replace("=3D", "=");
    let builders: Vec<&str> = mail.lines().filter(|line| line.starts_with("got build")).collect();
    assert!(!builders.is_empty(), "it sees its own: {mail}");
    assert!(builders.iter().all(|line| line.starts_with("got build \"linux\" 1 ")), "{builders:?}");
}

#[tokio::test]
async fn memory_is_back_after_attacks() {
    let Some(component) = built("eat-memory") else { return };
    let engine = Engine::start(&settings(&component));
    engine.build(1, "failure").await;
    engine.outbox(1).await;
    let before = resident(&engine);
    for number in 2..=40 {
        engine.build(number, "failure").await;
    }
    engine.outbox(40).await;
    let after = resident(&engine);
    // Each of the 39 calls took up to its 64 MiB.
    assert!(after < before + 48 * 1024, "{before} KiB before, {after} KiB after");
}

#[test]
fn what_is_no_callback_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let huge = folder.path().join("huge.wasm");
    std::fs::File::create(&huge).unwrap().set_len(200 << 20).unwrap();
    let text = folder.path().join("text.wasm");
    std::fs::write(&text, "this is no component").unwrap();
    for (path, told) in [(&huge, "200 MiB"), (&text, "no valid component")] {
        let config = format!("[callbacks.own]\ncomponent = {path:?}\n");
        std::fs::write(folder.path().join("campanile.toml"), config).unwrap();
        let checked = run(folder.path(), &["check"]);
        let said = String::from_utf8(checked.stderr).unwrap();
        assert_eq!(checked.status.code(), Some(2), "{said}");
        assert!(said.contains(told) && said.contains("campanile.toml:2"), "{said}");
    }
    for (name, told) in [
        ("core-module", "it is a core module, not a component"),
        ("memory-min", "memory"),
        ("table-bomb", "table"),
        ("unknown-import", "`campanile:notifier/secrets@0.1.0`, which callbacks don't get"),
        ("wrong-world", "no callback of campanile:notifier/"),
    ] {
        let Some(component) = built(name) else { return };
        let checked = std::process::Command::new(program())
            .arg("check")
            .arg(&component)
            .env("XDG_CACHE_HOME", folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(checked.stderr).unwrap();
        assert_eq!(checked.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(told), "{name}: {said}");
    }
}

#[test]
fn a_compile_bomb_costs_its_sender_a_minute_and_nobody_else() {
    // One function with 40,000 locals and 20,000 branches took wasmtime a minute and 6 GB without limits.
    let locals = "(local i64)".repeat(40_000);
    let branches =
        "(if (local.get 0) (then (local.set 1 (i64.add (local.get 2) (local.get 3)))))".repeat(20_000);
    let sum: String =
        (2..=40_000).map(|n| format!("(local.set 1 (i64.add (local.get 1) (local.get {n})))")).collect();
    let text = format!(
        r#"(component
             (core module $main
               (memory (export "memory") 1)
               (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
               (func (export "find") (param i32 i32) (result i32) unreachable)
               (func (export "bomb") (param i32) (result i64) {locals} {branches} {sum} (local.get 1)))
             (core instance $main (instantiate $main))
             (func $find (param "user" string) (result (result (option string) (error string)))
               (canon lift (core func $main "find") (memory (core memory $main "memory"))
                      (realloc (core func $main "realloc"))))
             (instance $lookup (export "get-address" (func $find)))
             (export "campanile:notifier/email-lookup@0.1.0" (instance $lookup)))"#
    );
    let folder = tempfile::tempdir().unwrap();
    let bomb = folder.path().join("bomb.wasm");
    std::fs::write(&bomb, wat::parse_str(&text).unwrap()).unwrap();
    let began = std::time::Instant::now();
    let checked = std::process::Command::new(program())
        .arg("check")
        .arg(&bomb)
        .env("XDG_CACHE_HOME", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(checked.stderr).unwrap();
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(said.contains("compiling it took more than"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(90), "{:?}", began.elapsed());
}
