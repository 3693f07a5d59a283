//! Changing callbacks while the engine runs: by push, by file, back again; never a lost call, never a mixed message.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use campanile_testing::{Engine, guest, http, patiently, run, skip};

fn settings(component: &str) -> String {
    format!(
        "[callbacks.own]\ncomponent = {component:?}\ndeadline = \"10s\"\n\n[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\n\
         transport = \"file:outbox\"\nlookup = \"example.org\"\nmessage_formatter = \"own\"\n"
    )
}

/// An engine whose callback is a copy of version a in its folder, and both versions.
fn engine() -> Option<(Engine, Vec<u8>, Vec<u8>)> {
    let (Some(a), Some(b)) = (guest("version-a"), guest("version-b")) else {
        skip("the guests `version-a` and `version-b` are not built: run `cargo xtask guests`");
        return None;
    };
    let (a, b) = (std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
    let engine = Engine::start_with_file(&settings("own.wasm"), "own.wasm", &a);
    Some((engine, a, b))
}

async fn push(engine: &Engine, wasm: &[u8], query: &str) -> (u16, Value) {
    let url = format!("{}/api/v1/callbacks/own{query}", engine.url);
    let response = http().put(url).body(wasm.to_vec()).send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

/// Which version wrote a mail; all of it must be of that one.
fn version_of(mail: &str) -> char {
    let mail = mail.replace("=\r\n", "");
    let letters: Vec<char> =
        ['a', 'b'].into_iter().filter(|letter| mail.contains(&format!("version {letter}"))).collect();
    assert_eq!(letters.len(), 1, "written by one version alone: {mail}");
    letters[0]
}

#[tokio::test]
async fn two_hundred_swaps_under_load_lose_nothing() {
    let Some((engine, a, b)) = engine() else { return };
    let engine = Arc::new(engine);
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (engine, stop) = (Arc::clone(&engine), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                engine.build(number, "failure").await;
            }
            number
        })
    };
    for round in 0..200 {
        let (status, answer) = push(&engine, if round % 2 == 0 { &b } else { &a }, "").await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["in_use"], true, "{answer}");
    }
    stop.store(true, Ordering::Relaxed);
    let sent = load.await.unwrap();
    let mails = engine.outbox(usize::try_from(sent).unwrap()).await;
    assert_eq!(mails.len(), usize::try_from(sent).unwrap(), "one mail for each build");
    let by_b = mails.iter().filter(|mail| version_of(mail) == 'b').count();
    assert!(by_b > 0 && by_b < mails.len(), "{by_b} of {} by version b", mails.len());
    let metrics = http().get(format!("{}/metrics", engine.url)).send().await.unwrap().text().await.unwrap();
    let calls: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("campanile_callback_calls_total")).collect();
    assert_eq!(calls.len(), 1, "no call failed: {calls:?}");
    assert!(
        metrics.contains(
            "campanile_callback_swaps_total{tenant=\"default\",callback=\"own\",outcome=\"done\"} 200"
        ),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_delivery_names_the_version_that_wrote_it_and_a_rollback_is_one_command() {
    let Some((engine, _, b)) = engine() else { return };
    engine.build(1, "failure").await;
    let first = engine.delivery_in("delivered").await["callback_version"].as_str().unwrap().to_owned();

    let (_, dry) = push(&engine, &b, "?dry_run=true").await;
    assert_eq!(dry["in_use"], false, "{dry}");
    assert_eq!(dry["trials"][0]["subject"], "linux #1", "it was tried on the recorded build: {dry}");
    assert_eq!(dry["trials"][0]["fault"], Value::Null, "{dry}");
    engine.build(2, "failure").await;
    assert!(engine.outbox(2).await.iter().all(|mail| version_of(mail) == 'a'), "a dry run changes nothing");

    let (_, pushed) = push(&engine, &b, "").await;
    assert_eq!(pushed["before"], first.as_str(), "{pushed}");
    engine.build(3, "failure").await;
    assert_eq!(version_of(engine.outbox(3).await.last().unwrap()), 'b');

    let arguments = ["callbacks", "rollback", "own", "--server", &engine.url];
    let back = run(&engine.folder, &arguments);
    assert!(back.status.success(), "{}", String::from_utf8_lossy(&back.stderr));
    engine.build(4, "failure").await;
    assert_eq!(version_of(engine.outbox(4).await.last().unwrap()), 'a');
    let listed = run(&engine.folder, &["callbacks", "list", "own", "--server", &engine.url]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let in_use = listed.lines().find(|line| line.starts_with('*')).unwrap();
    assert!(in_use.contains(&first[..12]), "{listed}");
}

#[tokio::test]
async fn a_pushed_version_survives_a_restart_and_a_changed_file_wins() {
    let Some((mut engine, _, b)) = engine() else { return };
    push(&engine, &b, "").await;
    engine.kill_and_restart();
    engine.build(1, "failure").await;
    assert_eq!(version_of(&engine.outbox(1).await[0]), 'b', "the file is as it was: the push counts");

    let Some(other) = guest("short-mail") else { return skip("the guest `short-mail` is not built") };
    replace(&engine.folder.join("own.wasm"), &std::fs::read(other).unwrap());
    patiently("the file is taken up", async || {
        let swaps = http().get(format!("{}/metrics", engine.url)).send().await.unwrap().text().await.unwrap();
        swaps
            .contains(
                "campanile_callback_swaps_total{tenant=\"default\",callback=\"own\",outcome=\"done\"} 1",
            )
            .then_some(())
    })
    .await;
    engine.build(2, "failure").await;
    assert!(engine.outbox(2).await.last().unwrap().contains("STATUS: Failure"));
}

#[tokio::test]
async fn a_bad_version_is_refused_and_the_old_one_goes_on() {
    let Some((engine, ..)) = engine() else { return };
    engine.build(1, "failure").await;
    engine.outbox(1).await;
    for (name, told) in [
        ("trap", "fails on recorded builds on which the version in use does not"),
        ("previous-none", "it exports no message-formatter, which the version in use does"),
        ("wrong-world", "no callback of campanile:notifier/"),
    ] {
        let Some(bad) = guest(name) else { return skip(&format!("the guest `{name}` is not built")) };
        let bad = std::fs::read(bad).unwrap();
        let (status, answer) = push(&engine, &bad, "").await;
        assert_eq!(status, 422, "{name}: {answer}");
        assert_eq!(answer["code"], "callback-refused", "{name}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(told), "{name}: {answer}");
        replace(&engine.folder.join("own.wasm"), &bad);
    }
    // Refused from the file too.
    engine.logs("the version in use goes on").await;
    engine.build(2, "failure").await;
    assert!(engine.outbox(2).await.iter().all(|mail| version_of(mail) == 'a'));
    let (status, answer) = push(&engine, b"no component", "").await;
    assert_eq!(status, 422, "{answer}");
    let unknown =
        http().put(format!("{}/api/v1/callbacks/nobody", engine.url)).body("x").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
}

#[tokio::test]
async fn a_bad_file_has_to_prove_itself_at_a_start_too() {
    let Some((mut engine, ..)) = engine() else { return };
    let Some(trap) = guest("trap") else { return skip("the guest `trap` is not built") };
    engine.build(1, "failure").await;
    engine.outbox(1).await;
    assert_eq!(engine.terminate(), Some(0));
    replace(&engine.folder.join("own.wasm"), &std::fs::read(trap).unwrap());
    engine.kill_and_restart();
    engine.build(2, "failure").await;
    assert!(engine.outbox(2).await.iter().all(|mail| version_of(mail) == 'a'));
    let log = engine.log();
    assert!(log.contains("the version that was in use goes on"), "{log}");
}

#[tokio::test]
async fn a_file_that_cannot_be_loaded_does_not_keep_the_engine_from_starting() {
    let Some((mut engine, ..)) = engine() else { return };
    engine.build(1, "failure").await;
    engine.outbox(1).await;
    assert_eq!(engine.terminate(), Some(0));
    replace(&engine.folder.join("own.wasm"), b"no component");
    // Whoever asks is told, whatever the store keeps.
    let told = run(&engine.folder, &["check"]);
    assert_eq!(told.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&told.stderr).contains("error: callback `own`"), "{told:?}");
    engine.kill_and_restart();
    engine.build(2, "failure").await;
    assert!(engine.outbox(2).await.iter().all(|mail| version_of(mail) == 'a'));
    assert_eq!(engine.terminate(), Some(0));

    // Without a version in the store there is nothing to go on with.
    std::fs::write(engine.folder.join("other.toml"), OTHER).unwrap();
    let refused = run(&engine.folder, &["serve", "--config", "other.toml"]);
    assert_eq!(refused.status.code(), Some(2));
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("other.toml:6: error: callback `own`"), "{told}");
}

const OTHER: &str = "[server]
listen = \"127.0.0.1:0\"
[store]
url = \"sqlite:other.db\"
[callbacks.own]
component = \"own.wasm\"
";

#[tokio::test]
async fn force_takes_even_what_fails() {
    let Some((engine, ..)) = engine() else { return };
    engine.build(1, "failure").await;
    engine.outbox(1).await;
    let Some(trap) = guest("trap") else { return skip("the guest `trap` is not built") };
    let (status, answer) = push(&engine, &std::fs::read(trap).unwrap(), "?force=true").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer["trials"][0]["fault"].as_str().unwrap().contains("stopped"), "{answer}");
    engine.build(2, "failure").await;
    assert!(engine.outbox(2).await.last().unwrap().contains("message formatter own failed"));
}

/// As careful programs replace files.
fn replace(path: &Path, bytes: &[u8]) {
    let part = path.with_extension("part");
    std::fs::write(&part, bytes).unwrap();
    std::fs::rename(part, path).unwrap();
}
