//! Costs that guests of one tenant put on those of another: they share lanes, instances and the compiler, and take turns there.
//!
//! No test looks at a clock: one side's guests sleep until a deadline that no test reaches, and the other's answer comes.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use campanile_testing::{Engine, build_finished, http, patiently};

use super::wat_lookups::{self, ADDRESS};

const OPERATOR: &str = "the-operators-own-token";

/// Longer than any test waits.
const DEADLINE: &str = "10m";

fn settings(more: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"{OPERATOR}\"\n\n[tenants]\ndir = \"tenants.d\"\n\n\
         [tenants.limits]\ncallback_deadline = \"{DEADLINE}\"\n\n{more}"
    )
}

fn mail(target: &str, callback: &str) -> String {
    format!(
        "[[mail]]\nname = \"{target}\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:{target}\"\n\
         lookup = {{ callback = \"{callback}\" }}\n\n"
    )
}

fn callback(name: &str, file: &str, deadline: &str) -> String {
    format!("[callbacks.{name}]\ncomponent = \"{file}\"\ndeadline = \"{deadline}\"\nconcurrency = 64\n\n")
}

/// Makes a tenant whose components lie in its folder.
async fn tenant(engine: &Engine, name: &str, settings: &str) {
    let settings = format!("[server]\napi_token = \"{name}-token\"\n\n{settings}");
    let sent = http()
        .put(format!("{}/api/v1/tenants/{name}", engine.url))
        .bearer_auth(OPERATOR)
        .header("content-type", "application/json")
        .body(json!({ "settings": settings }).to_string());
    let answer = sent.send().await.unwrap();
    let status = answer.status();
    assert_eq!(status, 200, "{}", answer.text().await.unwrap());
}

async fn tell(engine: &Engine, token: &str, number: u64) {
    let sent = http()
        .post(format!("{}/api/v1/events", engine.url))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(build_finished(number, "failure").to_string());
    assert_eq!(sent.send().await.unwrap().status(), 202);
}

async fn get(engine: &Engine, token: &str, path: &str) -> Value {
    let request = http().request(Method::GET, format!("{}{path}", engine.url)).bearer_auth(token);
    serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
}

async fn calls(engine: &Engine, token: &str, callback: &str) -> Vec<Value> {
    let answer = get(engine, token, &format!("/api/v1/callbacks/{callback}/log")).await;
    answer["calls"].as_array().unwrap().iter().map(|row| row["call"].clone()).collect()
}

async fn metrics(engine: &Engine) -> String {
    let asked = http().get(format!("{}/metrics", engine.url)).bearer_auth(OPERATOR).send().await.unwrap();
    asked.text().await.unwrap()
}

/// The mail in a folder, once it is there.
async fn mail_in(folder: std::path::PathBuf) -> String {
    patiently(&format!("a mail in {}", folder.display()), async || {
        let mut files = std::fs::read_dir(&folder).ok()?.map(|entry| entry.unwrap().path());
        let mail = files.find(|file| file.extension().is_some_and(|extension| extension == "eml"))?;
        Some(std::fs::read_to_string(mail).unwrap())
    })
    .await
}

fn folder_of(engine: &Engine, tenant: &str) -> std::path::PathBuf {
    let folder = engine.folder.join("tenants.d").join(tenant);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A hundred of the operator's interpreted calls and eight of a tenant's, each with all the tables that a component may have,
/// sleep in their lane; the compiled ones of the same operator and the interpreted ones of another tenant are answered.
#[tokio::test]
async fn m_cb_06_sleepers_keep_nobody_from_lanes_and_instances() {
    let folder = tempfile::tempdir().unwrap();
    wat_lookups::sleeper(&folder.path().join("sleeper.wasm"));
    wat_lookups::quick(&folder.path().join("quick.wasm"));
    let slow = (1..=12).map(|number| mail(&format!("slow{number}"), "sleeper"));
    let engine = Engine::start_in(
        folder.path(),
        &settings(&format!(
            "[delivery]\nconcurrency = 128\n\n{}{}{}{}",
            callback("sleeper", "sleeper.wasm", DEADLINE),
            callback("quick", "quick.wasm", "1m"),
            slow.collect::<String>(),
            mail("fast", "quick"),
        )),
        &[],
    );
    for name in ["acme", "bolt"] {
        let folder = folder_of(&engine, name);
        wat_lookups::sleeper(&folder.join("sleeper.wasm"));
        // Prints, and so runs in the interpreters' lane.
        wat_lookups::line_ends(&folder.join("printer.wasm"), 1);
    }
    tenant(&engine, "acme", &(callback("sleeper", "sleeper.wasm", DEADLINE) + &mail("slow", "sleeper")))
        .await;
    tenant(&engine, "bolt", &(callback("printer", "printer.wasm", "1m") + &mail("fast", "printer"))).await;

    for number in 1..=10 {
        tell(&engine, "acme-token", number).await;
    }
    for number in 1..=9 {
        tell(&engine, OPERATOR, number).await;
    }
    tell(&engine, "bolt-token", 1).await;
    for mail in
        [mail_in(engine.folder.join("fast")).await, mail_in(folder_of(&engine, "bolt").join("fast")).await]
    {
        assert!(mail.contains(ADDRESS), "{mail}");
    }
    for call in calls(&engine, "bolt-token", "printer").await {
        assert_eq!(call["outcome"], "ok", "{call}");
    }
    assert_eq!(calls(&engine, OPERATOR, "quick").await.len(), 0);
    for (token, of) in [("acme-token", "acme"), (OPERATOR, "the operator")] {
        assert_eq!(calls(&engine, token, "sleeper").await.len(), 0, "those of {of} sleep still");
    }
}

/// Time for which a guest holds what others wait for counts, asleep or not; each refusal is counted, and in the log.
#[tokio::test]
async fn m_cb_07_sleeping_counts_and_its_refusals_are_told() {
    let engine = Engine::start(&settings(""));
    wat_lookups::sleeper(&folder_of(&engine, "acme").join("sleeper.wasm"));
    let limits = "[limits]\ncallback_cpu = \"500ms\"\n\n";
    let callback = callback("sleeper", "sleeper.wasm", "600ms");
    tenant(&engine, "acme", &format!("{limits}{callback}{}", mail("slow", "sleeper"))).await;
    tell(&engine, "acme-token", 1).await;
    let call =
        patiently("the first call ends", async || calls(&engine, "acme-token", "sleeper").await.pop()).await;
    assert_eq!(call["outcome"], "timed-out", "{call}");
    tell(&engine, "acme-token", 2).await;
    let refused = patiently("the second is refused", async || {
        calls(&engine, "acme-token", "sleeper").await.into_iter().find(|call| call["outcome"] == "over-limit")
    })
    .await;
    assert!(refused["lines"].to_string().contains("`callback_cpu` of the limits"), "{refused}");
    let counted = "campanile_tenant_refusals_total{tenant=\"acme\",limit=\"callback_cpu\"}";
    assert!(metrics(&engine).await.contains(counted));
}

/// One tenant's components that never compile leave a compiler to the others.
#[tokio::test]
async fn m_cb_06_the_compiler_is_taken_in_turns() {
    let engine = Engine::start(&settings(""));
    for name in ["acme", "bolt"] {
        tenant(&engine, name, "[callbacks.own]\n").await;
    }
    let push = async |name: &str, wasm: Vec<u8>| {
        let url = format!("{}/api/v1/callbacks/own?dry_run=true", engine.url);
        http().put(url).bearer_auth(format!("{name}-token")).body(wasm).send().await.unwrap().status()
    };
    let bombs = (0..3_u8).map(|number| {
        // Each is another one by a custom section at its end.
        let wasm = [wat_lookups::bomb(), vec![0, 3, 1, b'v', number]].concat();
        push("acme", wasm)
    });
    let others = async {
        patiently("a compiler runs", async || compilers(&engine).checked_sub(1)).await;
        // Time for the others to get to the line; there are two compilers.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let file = engine.folder.join("quick.wasm");
        wat_lookups::quick(&file);
        push("bolt", std::fs::read(file).unwrap()).await
    };
    // Whichever ends first; the bombs take a minute and more.
    tokio::select! {
        status = others => assert_eq!(status, 200),
        first = futures_util::future::select_all(bombs.map(Box::pin)) => panic!("a bomb ended first: {}", first.0),
    }
}

/// The engine's compilers that run.
fn compilers(engine: &Engine) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", engine.process())).unwrap();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
    children.map(|list| list.split_whitespace().count()).sum()
}
