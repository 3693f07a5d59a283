//! Other systems tell of their builds, each in its own form and with its own proof.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Digest as _;

use campanile_testing::{Engine, http, patiently, run, write_settings};

const TOKEN: &str = "api-tower";
const SECRET: &str = "bell-tower";

/// Failures are mailed to those who are to blame; every source that can has a secret.
const SETTINGS: &str = "[server]\nlisten = \"127.0.0.1:0\"\nurl = \"https://ci.example.org/\"\nurl_style = \"default\"\napi_token = \"api-tower\"\n\n\
    [events]\ngithub = { secret = [\"old\", \"bell-tower\"] }\ngitlab = { secret = \"bell-tower\" }\n\
    drone = { secret = \"bell-tower\" }\ncloudevents = { secret = \"bell-tower\" }\n\n\
    [[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n\
    mode = [\"failing\", \"warnings\", \"passing\"]\nignored_addresses = []\n";

/// A request that was published, or is made of one.
#[derive(Clone)]
struct Sent {
    source: &'static str,
    headers: Vec<(String, String)>,
    body: Value,
}

fn sample(source: &'static str, name: &str) -> Sent {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ingest");
    let bytes = std::fs::read(root.join(source).join(format!("{name}.json"))).unwrap();
    let request: Value = serde_json::from_slice(&bytes).unwrap();
    let header = |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap().to_owned());
    let headers = request["headers"].as_object().unwrap().iter().map(header).collect();
    Sent { source, headers, body: request["body"].clone() }
}

fn mac(key: &str, text: &str) -> Vec<u8> {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl Sent {
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn set(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        *self.body.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value.into();
        self
    }

    /// As the sender proves itself when it was told this secret.
    fn signed(self, secret: &str) -> Self {
        let body = self.body.to_string();
        match self.source {
            "github" => {
                let hex: String = mac(secret, &body).iter().map(|byte| format!("{byte:02x}")).collect();
                self.with("X-Hub-Signature-256", format!("sha256={hex}"))
            }
            "gitlab" => self.with("X-Gitlab-Token", secret),
            "drone" => {
                let date = "Wed, 01 Jan 2020 00:00:00 GMT";
                let digest = format!("SHA-256={}", STANDARD.encode(sha2::Sha256::digest(&body)));
                let code = STANDARD.encode(mac(secret, &format!("date: {date}\ndigest: {digest}")));
                let signature = format!(
                    "keyId=\"hmac-key\",algorithm=\"hmac-sha256\",signature=\"{code}\",headers=\"date digest\""
                );
                self.with("Date", date).with("Digest", digest).with("Signature", signature)
            }
            "cloudevents" => {
                let now =
                    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
                let code = STANDARD.encode(mac(secret, &format!("msg_1.{now}.{body}")));
                self.with("webhook-id", "msg_1")
                    .with("webhook-timestamp", now.to_string())
                    .with("webhook-signature", format!("v1,{code}"))
            }
            other => panic!("{other} signs nothing"),
        }
    }

    async fn to_path(&self, engine: &Engine, path: &str) -> (u16, Value) {
        let mut request = http().post(format!("{}{path}", engine.url)).body(self.body.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        assert_eq!(response.headers().contains_key("www-authenticate"), status == 401, "{status}");
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn to(&self, engine: &Engine) -> (u16, Value) {
        self.to_path(engine, &format!("/api/v1/events/{}", self.source)).await
    }

    /// Sends it with the right proof; it must be taken.
    async fn taken(self, engine: &Engine) -> Value {
        let (status, answer) = self.signed(SECRET).to(engine).await;
        assert_eq!(status, 202, "{answer}");
        answer
    }
}

async fn get(engine: &Engine, path: &str) -> Value {
    let response = http().get(format!("{}{path}", engine.url)).bearer_auth(TOKEN).send().await.unwrap();
    assert!(response.status().is_success(), "{path}: {}", response.status());
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

async fn build(engine: &Engine, builder: &str, number: u64) -> Value {
    let builder = builder.replace('/', "%2F").replace(' ', "%20");
    get(engine, &format!("/api/v1/builds/{builder}/{number}")).await["build"].clone()
}

async fn numbers(engine: &Engine, builder: &str) -> Vec<u64> {
    let builder = builder.replace('/', "%2F");
    let builds = get(engine, &format!("/api/v1/builds?builder={builder}")).await;
    builds["builds"].as_array().unwrap().iter().map(|one| one["number"].as_u64().unwrap()).collect()
}

/// A sender that does not prove itself gets nowhere, whichever way it fails to; nothing secret is logged.
async fn refuses_others(engine: &Engine, good: Sent) {
    for sent in
        [good.clone(), good.clone().signed("wrong"), good.clone().with("Authorization", "Bearer wrong")]
    {
        let (status, answer) = sent.to(engine).await;
        assert_eq!((status, &answer["code"]), (401, &json!("unauthorized")));
    }
    let tampered = Sent { body: json!({"another": "body"}), ..good.clone().signed(SECRET) };
    if good.source != "gitlab" {
        assert_eq!(tampered.to(engine).await.0, 401);
    }
    let log = engine.logs(&format!("source request refused source={:?}", good.source)).await;
    assert!(!log.contains(SECRET) && !log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn github_actions_with_its_signature() {
    let engine = Engine::start(SETTINGS);
    let run = sample("github", "workflow-run-failed-again");
    refuses_others(&engine, run.clone()).await;
    let (status, answer) = sample("github", "ping").signed(SECRET).to(&engine).await;
    assert_eq!((status, &answer["note"]), (200, &json!("`ping` tells nothing of builds")));
    // A job, then the run that it is of.
    let job = sample("github", "workflow-job-failed")
        .with("X-GitHub-Delivery", "job")
        .set("/repository/full_name", "octo-org/octo-repo")
        .set("/workflow_job/workflow_name", "test")
        .set("/workflow_job/run_id", 289_782_451)
        .set("/workflow_job/run_attempt", 2);
    job.taken(&engine).await;
    let answer = run.clone().taken(&engine).await;
    assert_eq!(answer["ids"].as_array().unwrap().len(), 1, "{answer}");
    let stored = build(&engine, "octo-org/octo-repo/test", 28_978_245_102).await;
    assert_eq!((&stored["results"], &stored["steps"][0]["name"]), (&json!("failure"), &json!("linters")));
    let mail = engine.outbox(1).await.remove(0);
    assert!(
        mail.contains("matfax@users.noreply.github.com") && mail.contains("octo-org/octo-repo/test"),
        "{mail}"
    );
    // Delivered again, and told again by another delivery.
    assert_eq!(run.clone().taken(&engine).await["duplicate"], true);
    let another = run.clone().with("X-GitHub-Delivery", "another").taken(&engine).await;
    assert_eq!(another["duplicate"], true);
    assert_eq!(numbers(&engine, "octo-org/octo-repo/test").await, [28_978_245_102]);
    // The API's token opens too, as a bearer's and as a password.
    let basic = format!("Basic {}", STANDARD.encode(format!("anyone:{TOKEN}")));
    for authorization in [format!("Bearer {TOKEN}"), basic.clone()] {
        assert_eq!(run.clone().with("Authorization", authorization).to(&engine).await.0, 202);
    }
    // Elsewhere a password is no token.
    let elsewhere = http().get(format!("{}/api/v1/builders", engine.url)).header("Authorization", basic);
    assert_eq!(elsewhere.send().await.unwrap().status(), 401);
    assert_eq!(engine.outbox(1).await.len(), 1);
}

#[tokio::test]
async fn gitlab_with_its_token_and_a_pipeline_that_is_retried() {
    let engine = Engine::start(SETTINGS);
    refuses_others(&engine, sample("gitlab", "pipeline-failed")).await;
    let keyed = |name: &str, key: &str| sample("gitlab", name).with("Idempotency-Key", key);
    keyed("pipeline-running", "1").taken(&engine).await;
    assert_eq!(keyed("pipeline-running", "2").taken(&engine).await["duplicate"], true);
    keyed("pipeline-failed", "3").taken(&engine).await;
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("user@gitlab.com") && mail.contains("gitlab-org/gitlab-test"), "{mail}");
    let stored = build(&engine, "gitlab-org/gitlab-test", 3101).await;
    assert_eq!((&stored["results"], stored["steps"].as_array().unwrap().len()), (&json!("failure"), 5));
    assert_eq!(stored["worker"], "shared-runners-manager-6.gitlab.com");
    // The same end again, and a late `running`, say nothing new.
    assert_eq!(keyed("pipeline-failed", "4").taken(&engine).await["duplicate"], true);
    assert_eq!(keyed("pipeline-running", "5").taken(&engine).await["duplicate"], true);
    let retried =
        keyed("pipeline-success", "6").set("/object_attributes/finished_at", "2016-08-12 15:40:00 UTC");
    let retried = retried.set("/builds/2/status", "success");
    retried.taken(&engine).await;
    assert_eq!(numbers(&engine, "gitlab-org/gitlab-test").await, [3102, 3101]);
    assert_eq!(build(&engine, "gitlab-org/gitlab-test", 3102).await["results"], "success");
    sample("gitlab", "job-failed").taken(&engine).await;
    let job = build(&engine, "gitlab-org/gitlab-test/test", 1977).await;
    assert_eq!(job["text"], json!(["failed", "script_failure"]));
    assert_eq!(engine.outbox(3).await.len(), 3);
}

#[tokio::test]
async fn jenkins_with_the_token_in_its_address() {
    let engine = Engine::start(SETTINGS);
    let ended = sample("jenkins", "completed-failure");
    assert_eq!(ended.to(&engine).await.0, 401);
    let basic = format!("Basic {}", STANDARD.encode(format!("jenkins:{TOKEN}")));
    let wrong = format!("Basic {}", STANDARD.encode(format!("{TOKEN}:jenkins")));
    assert_eq!(ended.clone().with("Authorization", wrong).to(&engine).await.0, 401);
    let with_token = |name: &str| sample("jenkins", name).with("Authorization", basic.clone());
    assert_eq!(with_token("queued").to(&engine).await.0, 200);
    assert_eq!(with_token("started").to(&engine).await.0, 202);
    assert_eq!(build(&engine, "halls/as gard", 18).await["results"], Value::Null);
    assert_eq!(with_token("completed-failure").to(&engine).await.0, 202);
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("ada@example.org") && mail.contains("zoe@example.org"), "{mail}");
    let (status, answer) = with_token("finalized-unstable").to(&engine).await;
    assert_eq!((status, &answer["duplicate"]), (202, &json!(true)));
    let stored = build(&engine, "halls/as gard", 18).await;
    assert_eq!((&stored["results"], &stored["steps"][0]["logs"][0]["lines"]), (&json!("failure"), &json!(2)));
    let log = get(&engine, "/api/v1/builds/halls%2Fas%20gard/18/steps/console/logs/stdio?lines=1").await;
    assert_eq!(log.as_str().unwrap().trim_end(), "tower.c:7: no bell");
    assert!(!engine.log().contains(TOKEN));
}

#[tokio::test]
async fn drone_with_its_signature() {
    let engine = Engine::start(SETTINGS);
    refuses_others(&engine, sample("drone", "build-failed-two-stages")).await;
    assert_eq!(sample("drone", "build-created").signed(SECRET).to(&engine).await.0, 200);
    sample("drone", "build-updated").taken(&engine).await;
    // Each step of a running build is told; the build began once.
    assert_eq!(sample("drone", "build-updated").taken(&engine).await["duplicate"], true);
    sample("drone", "build-failed-two-stages").taken(&engine).await;
    assert_eq!(sample("drone", "build-failed-two-stages").taken(&engine).await["duplicate"], true);
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("octocat@github.com") && mail.contains("octocat/hello-world"), "{mail}");
    let stored = build(&engine, "octocat/hello-world", 42).await;
    assert_eq!(stored["text"], json!(["failed", "default/test", "docs/test"]));
    assert_eq!(engine.outbox(1).await.len(), 1);
}

#[tokio::test]
async fn cdevents_in_every_mode_are_numbered_here() {
    let engine = Engine::start(SETTINGS);
    refuses_others(&engine, sample("cloudevents", "structured-with-sources")).await;
    let builder = "myPipeline";
    let event = |name: &str, id: &str, subject: &str| {
        sample("cloudevents", name).set("/context/id", id).set("/subject/id", subject)
    };
    event("conformance-pipelinerun-started", "1", "one").taken(&engine).await;
    event("conformance-pipelinerun-started", "2", "two").taken(&engine).await;
    event("conformance-pipelinerun-started", "2", "two").taken(&engine).await;
    assert_eq!(numbers(&engine, builder).await, [2, 1]);
    let binary = sample("cloudevents", "binary").set("/subject/id", "one").with("ce-id", "3");
    binary.clone().taken(&engine).await;
    assert_eq!(binary.taken(&engine).await["duplicate"], true);
    assert_eq!(build(&engine, builder, 1).await["results"], "failure");
    assert_eq!(build(&engine, builder, 2).await["results"], Value::Null);
    let structured = sample("cloudevents", "structured-with-sources");
    structured.set("/data/subject/id", "two").set("/id", "4").taken(&engine).await;
    // Only this one says whom to tell.
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("ada@example.org"), "{mail}");
    // A batch begins and ends a third; the change in it tells nothing.
    let batch = sample("cloudevents", "batch").set("/0/id", "b1").set("/2/id", "b3");
    let answer = batch.taken(&engine).await;
    assert_eq!(answer["ids"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(numbers(&engine, builder).await, [3, 2, 1]);
    assert_eq!(build(&engine, builder, 3).await["results"], "failure");
    // A late start does not begin anew what has ended.
    let late = event("conformance-pipelinerun-started", "9", "one").taken(&engine).await;
    assert_eq!(late["duplicate"], true);
    sample("cloudevents", "own-event").taken(&engine).await;
    assert_eq!(build(&engine, "linux", 7).await["results"], "failure");
    let (status, answer) = sample("cloudevents", "spec-example").signed(SECRET).to(&engine).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn unknown_systems_and_bodies_that_are_not_understood() {
    let engine = Engine::start("");
    let (status, text) = engine.post("/api/v1/events/teamcity", "{}").await;
    assert_eq!(status, 404);
    let known = "known are `buildbot`, `cloudevents`, `drone`, `github`, `gitlab`, `jenkins`";
    assert!(text.contains("no system `teamcity` is known") && text.contains(known), "{text}");
    // Without a secret and a token, this machine may tell everything.
    let (status, text) = engine.post("/api/v1/events/gitlab", "{\"object_kind\": 3}").await;
    assert!(status == 400 && text.contains("$.object_kind: must be a text"), "{status}: {text}");
    engine.logs("source request refused source=\"gitlab\" reason=\"$.object_kind: must be a text\"").await;
    assert_eq!(sample("gitlab", "pipeline-running").to(&engine).await.0, 202);
    let proxied = sample("gitlab", "pipeline-running").with("X-Forwarded-For", "192.0.2.1");
    assert_eq!(proxied.to(&engine).await.0, 401);
    // A secret is asked for on this machine too.
    let guarded = Engine::start("[events.gitlab]\nsecret = \"bell-tower\"\n");
    assert_eq!(sample("gitlab", "pipeline-running").to(&guarded).await.0, 401);
    sample("gitlab", "pipeline-running").taken(&guarded).await;
}

#[tokio::test]
async fn one_webhook_for_pushes_and_builds() {
    let engine = Engine::start(
        "[change_hooks.dialects]\ngithub = { secret = \"bell-tower\", strict = true, builds = true }\n\
         gitlab = { secret = \"bell-tower\", builds = true }\n",
    );
    let run = sample("github", "workflow-run-failed-again");
    let (status, answer) = run.to_path(&engine, "/change_hook/github").await;
    assert_eq!((status, answer), (403, json!("Request has no required signature")));
    let signed = run.clone().signed(SECRET);
    assert_eq!(signed.to_path(&engine, "/change_hook/github").await, (202, json!("build event taken")));
    let again = signed.to_path(&engine, "/change_hook/github").await;
    assert_eq!(again, (202, json!("0 changes found (duplicate delivery)")));
    // One delivery is one, whichever door it comes to.
    assert_eq!(run.to(&engine).await.1["duplicate"], true);
    let stored = engine.get("/api/v1/builds/octo-org%2Focto-repo%2Ftest/28978245102").await;
    assert_eq!(stored["build"]["results"], "failure");
    let job = sample("gitlab", "job-failed").signed(SECRET);
    assert_eq!(job.to_path(&engine, "/change_hook/gitlab").await.0, 202);
    let wrong = sample("github", "workflow-run-completed").set("/workflow_run/id", "x").signed(SECRET);
    let (status, answer) = wrong.to_path(&engine, "/change_hook/github").await;
    assert_eq!(status, 400);
    assert!(answer.as_str().unwrap().starts_with("github: $.workflow_run.id: invalid type"), "{answer}");
    // Pings and pushes are what they were.
    let ping = sample("github", "ping").signed(SECRET);
    assert_eq!(ping.to_path(&engine, "/change_hook/github").await, (200, json!("no changes found")));

    let without =
        Engine::start("[change_hooks.dialects]\ngithub = { secret = \"bell-tower\", strict = true }\n");
    let ignored = run.signed(SECRET).to_path(&without, "/change_hook/github").await;
    assert_eq!(ignored, (200, json!("no changes found")));
    let builders =
        patiently("the builders are listed", async || Some(without.get("/api/v1/builders").await)).await;
    assert_eq!(builders["builders"], json!([]));
}

#[test]
fn check_knows_who_can_have_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path(), "[events.gihub]\nsecret = \"x\"\n[events.jenkins]\nsecret = \"x\"\n");
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(2));
    let told = String::from_utf8_lossy(&checked.stderr);
    assert!(told.contains("unknown key `gihub` in `events`: did you mean `github`?"), "{told}");
    assert!(told.contains("`jenkins` signs nothing: send `server.api_token` with its requests"), "{told}");
}
