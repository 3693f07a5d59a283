//! `campanile store`: a backup under load is a whole store; a restore refuses what is none, and running engines.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use campanile_testing::{Engine, build_finished, http, patiently, run, write_settings};

const OUTBOX: &str = "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
                      lookup = \"example.org\"\n";

fn told(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn files_like(folder: &Path, part: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().contains(part)).collect();
    found.sort();
    found
}

/// Builds and deliveries, as the API gives them.
async fn all(engine: &Engine) -> (Value, Value) {
    (
        engine.get("/api/v1/builds?builder=linux&limit=500").await,
        engine.get("/api/v1/deliveries?limit=500").await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_a_store_that_an_engine_starts_on() {
    let engine = Engine::start(OUTBOX);
    for number in 1..=20 {
        engine.build(number, "failure").await;
    }
    engine.outbox(20).await;
    patiently("all are settled", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
    let before = all(&engine).await;

    let stop = Arc::new(AtomicBool::new(false));
    let (client, url, end) = (http(), engine.url.clone(), Arc::clone(&stop));
    let load = tokio::spawn(async move {
        let mut taken = 0_u64;
        while !end.load(Ordering::Relaxed) {
            let mut event = build_finished(taken + 1, "failure");
            event["build"]["builder"] = "busy".into();
            let sent = client
                .post(format!("{url}/api/v1/events"))
                .header("content-type", "application/json")
                .body(event.to_string())
                .send()
                .await;
            assert_eq!(sent.unwrap().status(), 202);
            taken += 1;
        }
        taken
    });
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("backup.db");
    let backup = run(&engine.folder, &["store", "backup", file.to_str().unwrap()]);
    assert!(backup.status.success(), "{}", told(&backup));
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert!(String::from_utf8_lossy(&backup.stdout).contains(&format!("{bytes} bytes")));
    // Messages are in it.
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = run(&engine.folder, &["store", "backup", file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(told(&again).contains("is there already"), "{}", told(&again));
    stop.store(true, Ordering::Relaxed);
    let taken = load.await.unwrap();
    assert!(taken > 0, "the engine took nothing meanwhile");
    assert!(files_like(elsewhere.path(), "partial").is_empty());

    // Onto a store that is in use: refused, and nothing has changed.
    let refused = run(&engine.folder, &["store", "restore", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(told(&refused).contains("another engine uses the store"), "{}", told(&refused));
    let refused = run(&engine.folder, &["store", "vacuum"]);
    assert!(told(&refused).contains("another engine uses the store"), "{}", told(&refused));
    engine.build(21, "failure").await;

    // Elsewhere, over a store that was there before and that had its own news.
    let mut other = Engine::start(OUTBOX);
    other.build(99, "success").await;
    assert_eq!(other.terminate(), Some(0));
    let restored = run(&other.folder, &["store", "restore", file.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", told(&restored));
    assert_eq!(files_like(&other.folder, ".db.replaced-").len(), 1);
    assert!(files_like(&other.folder, "partial").is_empty());
    other.kill_and_restart();
    assert_eq!(all_of_linux(all(&other).await), all_of_linux(before));
    other.build(21, "failure").await;
    // What was in the backup unsent goes out here: mail of its own load, and the new one's.
    patiently("nothing waits", async || {
        other.deliveries().await.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
}

/// Builds of `linux`, and deliveries about them: what else came meanwhile is the load's.
fn all_of_linux((builds, deliveries): (Value, Value)) -> (Value, Vec<Value>) {
    let of_linux = |delivery: &&Value| delivery["subject"].as_str().unwrap().starts_with("linux ");
    (builds, deliveries["deliveries"].as_array().unwrap().iter().filter(of_linux).cloned().collect())
}

#[tokio::test]
async fn a_restore_refuses_what_is_no_whole_store() {
    let mut engine = Engine::start("");
    engine.build(1, "failure").await;
    let good = engine.folder.join("good.db");
    assert!(run(&engine.folder, &["store", "backup", "good.db"]).status.success());
    assert_eq!(engine.terminate(), Some(0));
    let store = std::fs::read(engine.folder.join("campanile.db")).unwrap();

    let bytes = std::fs::read(&good).unwrap();
    std::fs::write(engine.folder.join("text.db"), "no store").unwrap();
    std::fs::write(engine.folder.join("cut.db"), &bytes[..bytes.len() / 2]).unwrap();
    // Another program's.
    let sql = |file: &str, statement: &str| {
        let script =
            "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute(sys.argv[2])\nc.commit()";
        let done = std::process::Command::new("python3")
            .args(["-c", script, file, statement])
            .current_dir(&engine.folder)
            .status();
        done.unwrap().success()
    };
    assert!(sql("foreign.db", "CREATE TABLE t (a)"));
    std::fs::copy(&good, engine.folder.join("newer.db")).unwrap();
    assert!(sql(
        "newer.db",
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'x', 1, x'00', 0)"
    ));
    std::fs::copy(&good, engine.folder.join("busy.db")).unwrap();
    std::fs::write(engine.folder.join("busy.db-wal"), "something").unwrap();
    for (file, reason) in [
        ("gone.db", "cannot read `gone.db`"),
        ("text.db", "it is no store of campanile's"),
        ("cut.db", "`cut.db` can't be restored"),
        ("foreign.db", "it is no store of campanile's"),
        ("newer.db", "a newer campanile has written it"),
        ("busy.db", "it is a store in use"),
    ] {
        let refused = run(&engine.folder, &["store", "restore", file]);
        assert_eq!(refused.status.code(), Some(1), "{file}");
        assert!(told(&refused).contains(reason), "{file}: {}", told(&refused));
        assert!(std::fs::read(engine.folder.join("campanile.db")).unwrap() == store, "{file}");
    }
    assert!(files_like(&engine.folder, "partial").is_empty());
    engine.kill_and_restart();
    assert_eq!(engine.get("/api/v1/builds/linux/1").await["build"]["results"], "failure");
}

#[tokio::test]
async fn a_vacuum_gives_space_back() {
    let mut engine = Engine::start("");
    for number in 1..=100 {
        let mut event = build_finished(number, "failure");
        event["build"]["reason"] = "x".repeat(10_000).into();
        engine.event(&event).await;
    }
    // Only now: what is removed meanwhile would make room for what comes.
    assert_eq!(engine.terminate(), Some(0));
    write_settings(&engine.folder, "[store]\nkeep = \"1s\"\n");
    engine.kill_and_restart();
    patiently("old builds are removed", async || {
        (engine.get("/api/v1/builds?limit=500").await["builds"].as_array().unwrap().len() == 20).then_some(())
    })
    .await;
    assert_eq!(engine.terminate(), Some(0));
    let done = run(&engine.folder, &["store", "vacuum"]);
    assert!(done.status.success(), "{}", told(&done));
    let line = String::from_utf8(done.stdout).unwrap();
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [before, after] = numbers[..] else { panic!("{line}") };
    assert_eq!(after, std::fs::metadata(engine.folder.join("campanile.db")).unwrap().len());
    assert!(after < before / 2, "{line}");
    engine.kill_and_restart();
    assert_eq!(engine.get("/api/v1/builds?limit=500").await["builds"].as_array().unwrap().len(), 20);
}

#[test]
fn there_must_be_a_store_to_back_up() {
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path(), "");
    for command in [&["store", "backup", "b.db"][..], &["store", "vacuum"]] {
        let refused = run(folder.path(), command);
        assert_eq!(refused.status.code(), Some(1));
        assert!(told(&refused).contains("there is no store at"), "{}", told(&refused));
    }
    assert!(!folder.path().join("campanile.db").exists() && !folder.path().join("b.db").exists());
}
