//! The store in trouble: a full disk, a lock that others hold, damaged pages, lost files, a restore that is killed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use campanile_testing::receiver::{Receiver, Reply};
use campanile_testing::{Disk, Engine, build_finished, http, patiently, program, run, write_settings};

/// A push target, what it waits for before it answers its first request, and its settings.
async fn held_push() -> (Receiver, Arc<Notify>, String) {
    let go_on = Arc::<Notify>::default();
    let held = Arc::clone(&go_on);
    let receiver = Receiver::start(0, move |number, _| match number {
        1 => Reply::Held(200, Arc::clone(&held)),
        _ => Reply::Status(200),
    })
    .await;
    let settings = format!(
        "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[http_status_push]]\nname = \"push\"\n\
         server_url = \"http://127.0.0.1:{}/\"\nbuffer_delay = 0.05\nretry_delay = 0.1\n\n",
        receiver.port
    );
    (receiver, go_on, settings)
}

fn change(comments: &str) -> String {
    json!({"event": "changeAdded", "change": {"who": "ada", "comments": comments, "files": []}}).to_string()
}

async fn ready(engine: &Engine) -> u16 {
    http().get(format!("{}/readyz", engine.url)).send().await.unwrap().status().as_u16()
}

async fn becomes_ready(engine: &Engine) {
    patiently("it is ready again", async || (ready(engine).await == 200).then_some(())).await;
}

async fn all_delivered(engine: &Engine) {
    patiently("all is delivered", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m_sto_01_a_full_disk_costs_nothing_but_the_time() {
    let Some(disk) = Disk::of_megabytes(12) else { return };
    let (receiver, go_on, push) = held_push().await;
    let settings = format!("{push}[store]\nurl = \"sqlite:{}/campanile.db\"\n", disk.path().display());
    let engine = Engine::start(&settings);
    assert_eq!(engine.post("/api/v1/events", change("first")).await.0, 202);
    patiently("the first push is under way", async || (!receiver.got().is_empty()).then_some(())).await;
    disk.fill();
    // What is under way ends; its end can't be stored.
    go_on.notify_one();
    engine.logs("delivery cannot be settled yet").await;
    assert_eq!(ready(&engine).await, 503);
    // Small ones may fit into pages that a large one has got and given up.
    for size in [500_000, 900_000, 500_000, 700_000] {
        let (status, text) = engine.post("/api/v1/events", change(&"x".repeat(size))).await;
        assert_eq!(status, 503, "{text}");
    }
    engine.logs("the disk of the store is full: make room").await;
    disk.make_room();
    becomes_ready(&engine).await;
    assert_eq!(engine.post("/api/v1/events", change("last")).await.0, 202);
    engine.logs("delivery settled at last").await;
    all_delivered(&engine).await;
    // What was refused is not there, what was taken came once.
    let packets = receiver.packets();
    let changes = packets.iter().filter(|packet| packet["event"] == "changeAdded").count();
    assert_eq!(changes, 2, "{packets:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn m_sto_02_another_programs_lock_delays_a_settlement() {
    let (receiver, go_on, settings) = held_push().await;
    let engine = Engine::start(&settings);
    assert_eq!(engine.post("/api/v1/events", change("first")).await.0, 202);
    patiently("the first push is under way", async || (!receiver.got().is_empty()).then_some(())).await;
    let script = "import sqlite3, sys\nc = sqlite3.connect('campanile.db', isolation_level=None)\n\
                  c.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\nsys.stdin.read()";
    let mut other = Command::new("python3")
        .args(["-c", script])
        .current_dir(&engine.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(other.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert_eq!(line, "locked\n");
    go_on.notify_one();
    engine.logs("delivery cannot be settled yet").await;
    engine.logs("another program has locked the store").await;
    drop(other.stdin.take());
    other.wait().unwrap();
    engine.logs("delivery settled at last").await;
    all_delivered(&engine).await;
    assert_eq!(engine.post("/api/v1/events", change("last")).await.0, 202);
}

fn store_of(engine: &Engine) -> PathBuf {
    engine.folder.join("campanile.db")
}

/// Overwrites the first page of a table or an index, as a bad disk does.
fn damage(folder: &Path, name: &str) {
    let script = "import sqlite3, sys\nc = sqlite3.connect('campanile.db')\n\
                  page = c.execute('SELECT rootpage FROM sqlite_master WHERE name = ?', sys.argv[1:]).fetchone()[0]\n\
                  size = c.execute('PRAGMA page_size').fetchone()[0]\nc.close()\n\
                  f = open('campanile.db', 'r+b')\nf.seek((page - 1) * size)\nf.write(b'\\xff' * size)";
    let done = Command::new("python3").args(["-c", script, name]).current_dir(folder).status().unwrap();
    assert!(done.success());
}

fn text_of(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn store(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(folder, &[&["store"], arguments].concat());
    (output.status.code(), text_of(&output))
}

#[tokio::test]
async fn m_sto_03_damaged_pages_are_told_of_and_a_backup_helps() {
    let mut engine = Engine::start("");
    engine.build(1, "failure").await;
    assert_eq!(store(&engine.folder, &["backup", "good.db"]).0, Some(0));
    let (code, text) = store(&engine.folder, &["check"]);
    assert!(code == Some(0) && text.ends_with("campanile.db: whole\n"), "{text}");
    assert_eq!(engine.terminate(), Some(0));
    damage(&engine.folder, "events");
    engine.kill_and_restart();
    let (status, text) = engine.post("/api/v1/events", build_finished(2, "failure").to_string()).await;
    assert_eq!(status, 503, "{text}");
    assert_eq!(ready(&engine).await, 503);
    let log = engine.logs("table=\"events\"").await;
    let line = log.lines().find(|line| line.contains("table=\"events\"")).unwrap();
    assert!(line.contains("campanile store restore") && line.contains("campanile store check"), "{line}");
    let (code, text) = store(&engine.folder, &["check"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("table events is damaged"), "{text}");
    let (code, text) = store(&engine.folder, &["check", "--salvage", "saved.db"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("can't be saved whole") && text.contains("campanile store restore"), "{text}");
    assert!(!engine.folder.join("saved.db").exists());
    engine.terminate();
    assert_eq!(store(&engine.folder, &["restore", "good.db"]).0, Some(0));
    engine.kill_and_restart();
    assert_eq!(ready(&engine).await, 200);
    engine.build(2, "failure").await;
    assert_eq!(engine.get("/api/v1/builds/linux/1").await["build"]["results"], "failure");
}

#[tokio::test]
async fn a_damaged_index_is_made_anew() {
    let mut engine = Engine::start("");
    engine.build(1, "failure").await;
    assert_eq!(engine.terminate(), Some(0));
    damage(&engine.folder, "events_by_tenant");
    let (code, text) = store(&engine.folder, &["check", "--salvage", "saved.db"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("table events is damaged") && text.contains("saved.db: "), "{text}");
    assert_eq!(store(&engine.folder, &["restore", "saved.db"]).0, Some(0));
    assert_eq!(store(&engine.folder, &["check"]).0, Some(0));
    engine.kill_and_restart();
    engine.build(2, "failure").await;
    assert_eq!(engine.get("/api/v1/builds/linux/1").await["build"]["results"], "failure");
}

#[tokio::test]
async fn m_sto_04_lost_and_replaced_files_take_nothing_more() {
    let engine = Engine::start("");
    let (file, aside, other) = (store_of(&engine), engine.folder.join("aside"), engine.folder.join("other"));
    engine.build(1, "failure").await;
    let refused = async |told: &str| {
        let (status, text) = engine.post("/api/v1/events", build_finished(9, "failure").to_string()).await;
        assert_eq!(status, 503, "{text}");
        assert_eq!(ready(&engine).await, 503);
        engine.logs(told).await;
    };
    std::fs::rename(&file, &aside).unwrap();
    refused("campanile.db` was deleted or moved").await;
    std::fs::copy(&aside, &file).unwrap();
    refused("campanile.db` was replaced by another file").await;
    std::fs::rename(&aside, &file).unwrap();
    becomes_ready(&engine).await;
    engine.build(2, "failure").await;
    std::fs::hard_link(&file, &other).unwrap();
    refused("campanile.db` was given a second name").await;
    std::fs::remove_file(&other).unwrap();
    becomes_ready(&engine).await;
    engine.build(3, "failure").await;
    std::fs::remove_file(engine.folder.join("campanile.db-wal")).unwrap();
    refused("campanile.db-wal` was deleted or moved").await;
    // None of the refused ones is there.
    assert_eq!(engine.get("/api/v1/builds?limit=9").await["builds"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_new_store_is_told_of() {
    let mut engine = Engine::start("");
    engine.logs("a new and empty one was made").await;
    assert_eq!(engine.terminate(), Some(0));
    engine.kill_and_restart();
    assert_eq!(engine.log().matches("a new and empty one was made").count(), 1);
}

#[tokio::test]
async fn m_sto_05_no_link_leads_around_the_lock() {
    let mut engine = Engine::start("");
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path(), "[store]\nurl = \"sqlite:link.db\"\n");
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(store_of(&engine), &link).unwrap();
    let refused = |told: &str| {
        let second = run(folder.path(), &["serve"]);
        assert_eq!(second.status.code(), Some(1));
        assert!(text_of(&second).contains(told), "{}", text_of(&second));
    };
    refused("another engine uses the store");
    std::fs::remove_file(&link).unwrap();
    std::fs::hard_link(store_of(&engine), &link).unwrap();
    refused("another engine uses the store");
    // Nor one after the other: the write-ahead log lies beside one name only.
    engine.terminate();
    refused("has a second name (a hard link)");
    std::fs::remove_file(&link).unwrap();
    engine.kill_and_restart();
    engine.build(1, "failure").await;
}

#[tokio::test]
async fn m_sto_06_a_restore_that_is_killed_leaves_a_whole_store() {
    let mut engine = Engine::start("");
    for number in 1..=40 {
        let mut event = build_finished(number, "failure");
        event["build"]["reason"] = "x".repeat(50_000).into();
        engine.event(&event).await;
    }
    assert_eq!(store(&engine.folder, &["backup", "good.db"]).0, Some(0));
    engine.build(41, "failure").await;
    engine.kill_and_restart();
    engine.signal("-KILL");
    engine.ended();
    let restore = || {
        let mut command = Command::new(program());
        command.args(["store", "restore", "good.db"]).current_dir(&engine.folder);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let began = std::time::Instant::now();
    assert!(restore().wait().unwrap().success());
    let whole = began.elapsed();
    for part in 1..=14 {
        let mut child = restore();
        std::thread::sleep(whole * part / 14);
        let _ = child.kill();
        let _ = child.wait();
        let (code, text) = store(&engine.folder, &["check"]);
        assert_eq!(code, Some(0), "{text}");
    }
    // As a kill right before the last step leaves it.
    let second = engine.folder.join("campanile.db.replaced-20260101T000000Z");
    std::fs::hard_link(store_of(&engine), &second).unwrap();
    std::fs::write(engine.folder.join(".campanile-x1.partial"), "half").unwrap();
    engine.kill_and_restart();
    assert_eq!(engine.get("/api/v1/builds?limit=500").await["builds"].as_array().unwrap().len(), 40);
    assert!(!second.exists() && std::fs::metadata(store_of(&engine)).unwrap().nlink() == 1);
    let names = std::fs::read_dir(&engine.folder).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains(".partial")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p_st_03_numbers_after_a_restore_are_others() {
    let (receiver, go_on, settings) = held_push().await;
    go_on.notify_one();
    let mut engine = Engine::start(&settings);
    let send = async |engine: &Engine, comments: &str| {
        assert_eq!(engine.post("/api/v1/events", change(comments)).await.0, 202);
        patiently("its packet arrives", async || {
            let told = |packet: &serde_json::Value| packet.to_string().contains(comments);
            receiver.packets().into_iter().find(told)
        })
        .await
    };
    send(&engine, "one").await;
    all_delivered(&engine).await;
    assert_eq!(store(&engine.folder, &["backup", "good.db"]).0, Some(0));
    let before = send(&engine, "two").await;
    all_delivered(&engine).await;
    let newest = engine.deliveries().await[0]["id"].as_i64().unwrap();
    engine.terminate();
    assert_eq!(store(&engine.folder, &["restore", "good.db"]).0, Some(0));
    let known: Vec<_> =
        receiver.packets().iter().map(|packet| (packet["started"].clone(), packet["id"].clone())).collect();
    engine.kill_and_restart();
    let after = send(&engine, "three").await;
    assert!(!known.contains(&(after["started"].clone(), after["id"].clone())), "{after}");
    assert!(after["started"].as_str() > before["started"].as_str(), "{before} {after}");
    let first_after = engine.deliveries().await[0]["id"].as_i64().unwrap();
    assert!(first_after > newest, "{first_after} {newest}");
}
