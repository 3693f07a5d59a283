//! Builds whose start nobody told of, and those whose start is told twice: what the far sides hear of them.

use serde_json::{Value, json};

use campanile_testing::Engine;
use campanile_testing::forge::{Asked, ForgeServer, created, settled};

/// A commit status with the times in its description, the build as JSON, and a mail.
fn settings(server: &ForgeServer) -> String {
    let statuses = "token = \"bell-tower\"\ncontext = \"ci\"\n\
                    start_description = \"since %(kw:startDateTime)s\"\n\
                    end_description = \"took %(kw:duration:~an unknown time)s.\"\n";
    format!(
        "{}\n[[http_status_push]]\nname = \"push\"\nserver_url = \"http://127.0.0.1:{}/builds\"\nform = \"builds\"\n\
         allow_insecure = true\nbuffer_delay = 0.05\n\n\
         [[mail]]\nname = \"devs\"\nfromaddr = \"ci@example.org\"\nsend_to_interested_users = false\n\
         extra_recipients = [\"devs@example.org\"]\ntransport = \"file:outbox\"\n",
        server.settings("github", statuses),
        server.port
    )
}

fn build(event: &str, more: &Value) -> Value {
    let mut build = json!({"builder": "linux", "number": 1,
        "source_stamps": [{"project": "ada/bells", "revision": "1f0c2d3e"}]});
    build.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"event": event, "build": build})
}

/// Bodies sent to a path that ends so, oldest first.
fn bodies(server: &ForgeServer, path: &str) -> Vec<Value> {
    server
        .asked()
        .into_iter()
        .filter(|Asked { path: at, .. }| at.ends_with(path))
        .map(|asked| asked.body)
        .collect()
}

#[tokio::test]
async fn m_b_08_gs_desc_05_a_start_that_nobody_told_is_nowhere() {
    let server = ForgeServer::start(|_, _| created()).await;
    let engine = Engine::start(&settings(&server));
    for (number, started) in (1..).zip([json!({}), json!({"started": null}), json!({"started": 0})]) {
        let mut end = build("buildFinished", &json!({"results": "failure"}));
        end["build"]["number"] = json!(number);
        end["build"].as_object_mut().unwrap().extend(started.as_object().unwrap().clone());
        engine.event(&end).await;
        settled(&engine, number * 3).await;
    }
    let described: Vec<Value> =
        bodies(&server, "/1f0c2d3e").into_iter().map(|body| body["description"].clone()).collect();
    assert_eq!(described, ["took an unknown time."; 3]);
    for body in bodies(&server, "/builds") {
        assert_eq!((&body["started_at"], body["complete_at"].is_i64()), (&Value::Null, true), "{body}");
    }
    let known = engine.get("/api/v1/builds/linux/1").await["build"].clone();
    assert!(known["finished"].is_number() && known["started"].is_null(), "{known}");
    for mail in engine.outbox(3).await {
        assert!(!mail.contains("1970") && !mail.contains("Duration:"), "{mail}");
    }
}

#[tokio::test]
async fn m_ev_09_a_second_start_is_told_to_nobody() {
    let server = ForgeServer::start(|_, _| created()).await;
    let engine = Engine::start(&settings(&server));
    engine.event(&build("buildStarted", &json!({"started": 1_700_000_000}))).await;
    settled(&engine, 2).await;
    let again = build("buildStarted", &json!({"started": 1_700_000_050, "reason": "a push"}));
    let (status, text) = engine.post("/api/v1/events", again.to_string()).await;
    assert_eq!(status, 202, "{text}");
    let known = engine.get("/api/v1/builds/linux/1").await["build"].clone();
    assert_eq!((&known["started"], &known["reason"]), (&json!(1_700_000_000), &json!("a push")));
    engine.event(&build("buildFinished", &json!({"results": "success", "finished": 1_700_000_061}))).await;
    settled(&engine, 5).await;
    let told: Vec<Value> =
        bodies(&server, "/1f0c2d3e").into_iter().map(|body| body["state"].clone()).collect();
    assert_eq!(told, ["pending", "success"]);
    assert_eq!(bodies(&server, "/1f0c2d3e")[1]["description"], "took 1 minutes, 1 seconds.");
    let told: Vec<Value> =
        bodies(&server, "/builds").into_iter().map(|body| body["complete"].clone()).collect();
    assert_eq!(told, [false, true]);
}
