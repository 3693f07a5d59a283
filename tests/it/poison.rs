//! Deliveries and settings that the engine dies of: the second time they are set aside, and everything else goes on.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use campanile_testing::{Engine, Silent, patiently, program, run, write_settings};

use super::wat_lookups;

/// A program for mails that kills the engine while there is a file `armed` beside it.
fn killer(folder: &Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("sendmail");
    let script = format!(
        "#!/bin/sh\nif [ -e {0}/armed ]; then sleep 0.2; kill -9 $PPID; fi\ncat > {0}/mail\n",
        folder.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(folder.join("armed"), "").unwrap();
    path
}

fn mail(name: &str, transport: &str) -> String {
    format!(
        "[[mail]]\nname = \"{name}\"\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\n{transport}\n\n"
    )
}

#[tokio::test]
async fn m_dlv_12_a_delivery_that_kills_the_engine_twice_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let killer = killer(folder.path());
    // Innocent ones are under way each time: they hang at a relay that says nothing.
    let relay = Silent::accepting().await;
    let silent = format!("relayhost = \"127.0.0.1\"\nsmtp_port = {}\norder_by = \"none\"", relay.port);
    let transport = format!("transport = \"sendmail:{}\"", killer.display());
    let settings =
        mail("deadly", &transport) + &mail("silent", &silent) + &mail("good", "transport = \"file:outbox\"");
    let mut engine = Engine::start(&settings);
    // The answer may be lost with the engine.
    let _ = campanile_testing::http()
        .post(format!("{}/api/v1/events", engine.url))
        .header("content-type", "application/json")
        .body(campanile_testing::build_finished(1, "failure").to_string())
        .send()
        .await;
    engine.ended();
    engine.kill_and_restart();
    engine.logs("deliveries were under way when the engine died").await;
    // By itself now, twice.
    for _ in 0..2 {
        engine.ended();
        engine.kill_and_restart();
    }

    let dead = engine.delivery_in("dead").await;
    assert_eq!((&dead["target"], &dead["code"]), (&"deadly".into(), &"poison".into()), "{dead}");
    assert!(dead["text"].as_str().unwrap().contains("the engine died twice"), "{dead}");
    engine.outbox(1).await;
    engine.build(2, "failure").await;
    let states = engine.deliveries().await;
    let of = |target: &str| {
        states.iter().filter(|one| one["target"] == target).map(|one| &one["state"]).next_back()
    };
    assert_eq!(
        (of("silent"), of("good")),
        (Some(&"waiting".into()), Some(&"delivered".into())),
        "{states:?}"
    );
    let log = engine.log();
    assert!(
        log.contains("the engine died twice while it was at it") && log.contains("code=\"poison\""),
        "{log}"
    );
    let metrics = campanile_testing::http().get(format!("{}/metrics", engine.url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let counted =
        "campanile_deliveries_total{tenant=\"default\",target=\"deadly\",outcome=\"dead\",code=\"poison\"} 1";
    assert!(metrics.contains(counted), "{metrics}");

    // A person gives it a new chance.
    std::fs::remove_file(folder.path().join("armed")).unwrap();
    let id = dead["id"].to_string();
    let retried = run(&engine.folder, &["deliveries", "retry", &id, "--server", &engine.url]);
    assert!(retried.status.success(), "{retried:?}");
    patiently("it is delivered", async || {
        let all = engine.deliveries().await;
        all.into_iter().find(|one| one["id"] == dead["id"] && one["state"] == "delivered")
    })
    .await;
}

#[tokio::test]
async fn m_dlv_12_whoever_waits_for_a_far_side_is_not_blamed() {
    let relay = Silent::accepting().await;
    let settings = mail("dev", &format!("relayhost = \"127.0.0.1\"\nsmtp_port = {}", relay.port));
    let mut engine = Engine::start(&settings);
    engine.build(1, "failure").await;
    for _ in 0..4 {
        // Beyond the time in which an attempt that kills is taken to do so.
        tokio::time::sleep(Duration::from_secs(4)).await;
        engine.kill_and_restart();
    }
    let delivery = engine.deliveries().await.remove(0);
    assert_eq!(
        (&delivery["state"], &delivery["code"]),
        (&"waiting".into(), &serde_json::Value::Null),
        "{delivery}"
    );
}

/// Starts the engine, kills it while it compiles a component, and the compiler with it.
async fn dies_while_compiling(folder: &Path) {
    let mut engine = Command::new(program())
        .args(["serve", "--config", "campanile.toml"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task", engine.id());
    let compiler = patiently("it compiles", async || {
        let threads = std::fs::read_dir(&children).unwrap().map(|thread| thread.unwrap().path());
        let children = threads.filter_map(|thread| std::fs::read_to_string(thread.join("children")).ok());
        let all: Vec<String> =
            children.flat_map(|all| all.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        all.into_iter().find(|child| {
            let command = std::fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
            command.contains("compile-component")
        })
    })
    .await;
    engine.kill().unwrap();
    engine.wait().unwrap();
    let _ = Command::new("kill").args(["-9", &compiler]).status();
}

#[tokio::test]
async fn m_dlv_13_settings_of_a_tenant_that_end_two_starts_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let operator = "[server]\nlisten = \"127.0.0.1:0\"\n\n[tenants]\ndir = \"tenants.d\"\n";
    let tenants = folder.path().join("tenants.d");
    std::fs::create_dir_all(tenants.join("acme")).unwrap();
    std::fs::write(tenants.join("acme/l.wasm"), wat_lookups::bomb()).unwrap();
    let own = |name: &str| format!("[server]\ntitle = \"{name}\"\napi_token = \"{name}-api-token\"\n");
    std::fs::write(tenants.join("acme.toml"), own("acme") + "[callbacks.l]\ncomponent = \"l.wasm\"\n")
        .unwrap();
    std::fs::write(tenants.join("bolt.toml"), own("bolt")).unwrap();
    write_settings(folder.path(), operator);
    for _ in 0..2 {
        dies_while_compiling(folder.path()).await;
    }
    let engine = Engine::start_in(folder.path(), operator, &[]);
    let log = engine.logs("tenant is left out: the engine died twice while it loaded these settings").await;
    assert!(log.contains("acme.toml"), "{log}");
    let status = async |name: &str| {
        let asked = campanile_testing::http().get(format!("{}/t/{name}/api/v1/builds", engine.url));
        asked.bearer_auth(format!("{name}-api-token")).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status("bolt").await, 200);
    assert_ne!(status("acme").await, 200);
    // Other settings are tried anew, without a start.
    std::fs::write(tenants.join("acme.toml"), own("acme")).unwrap();
    patiently("it is back", async || (status("acme").await == 200).then_some(())).await;
}
