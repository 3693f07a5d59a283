//! Change hooks through the whole program: dialects of one's own, hostile senders, and the pages about forges.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use campanile_testing::{Engine, guest, http, skip};

fn push_of_sourcehut() -> Value {
    json!({"data": {"webhook": {
        "uuid": "b3c3c2a5", "event": "GIT_POST_RECEIVE", "date": "2024-05-01T10:00:00Z",
        "repository": {"name": "quad", "owner": {"canonicalName": "~alice"}},
        "pusher": {"canonicalName": "~bob"},
        "updates": [{
            "ref": {"name": "refs/heads/main"},
            "old": {"id": "1111111111111111111111111111111111111111"},
            "new": {
                "id": "2222222222222222222222222222222222222222",
                "author": {"name": "Alice\nBcc: eve@example.org", "email": "alice@example.org", "time": "2024-05-01T08:00:00Z"},
                "committer": {"name": "Bob", "email": "bob@example.org", "time": "2024-05-01T11:30:00+02:00"},
                "message": "Fix it\n"
            },
            "diff": "diff --git a/src/main.c b/src/main.c\n--- a/src/main.c\n+++ b/src/main.c\n@@ -1 +1 @@\n-a\n+b\n"
        }]
    }}})
}

/// The component reads it, the engine proves the sender and has the last word on changes.
#[tokio::test]
async fn h_wasm_01_h_wasm_04_a_dialect_of_ones_own_takes_pushes() {
    let Some(component) = guest("sourcehut-dialect") else {
        return skip("the guest `sourcehut-dialect` is not built");
    };
    let engine = Engine::start(&format!(
        "[callbacks.sr]\ncomponent = {component:?}\ndeadline = \"10s\"\n\n[change_hooks.dialects.sourcehut]\ncallback = \"sr\"\n\
         options = {{ origin = \"https://git.example.org\" }}\n\
         verify = {{ header = \"X-Proof\", algorithm = \"token\", secret = \"bell-tower\" }}\n"
    ));
    let send = async |proof: &str, body: String, query: &str| {
        let request =
            http().post(format!("{}/change_hook/sourcehut{query}", engine.url)).header("X-Proof", proof);
        let response =
            request.header("Idempotency-Key", body.len().to_string()).body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let push = push_of_sourcehut().to_string();
    let refused = (403, "sourcehut: authentication failed".to_owned());
    assert_eq!(send("bell", push.clone(), "").await, refused, "H-WASM-02");
    assert_eq!(send("bell-tower", push.clone(), "?project=quad").await, (202, "1 change found".to_owned()));
    let again = (202, "0 changes found (duplicate delivery)".to_owned());
    assert_eq!(send("bell-tower", push.clone(), "").await, again, "H-XALL-01");
    let (status, text) = send("bell-tower", "no json".to_owned(), "").await;
    assert_eq!(status, 400, "H-WASM-03: {text}");
    let changes = engine.get("/api/v1/changes").await;
    let [change] = &changes["changes"].as_array().unwrap()[..] else { panic!("{changes}") };
    assert_eq!(change["who"], "Alice Bcc: eve@example.org <alice@example.org>", "H-CH-05");
    assert_eq!((&change["project"], &change["src"]), (&json!("quad"), &json!("git")), "H-GEN-17");
    assert_eq!(change["repository"], "https://git.example.org/~alice/quad");
    assert_eq!(change["files"], json!(["src/main.c"]));
}

/// H-WASM-03: what a component does wrong is told to nobody outside.
#[tokio::test]
async fn h_wasm_03_a_component_that_cannot_is_told_in_the_settings() {
    let Some(component) = guest("html-mail") else { return skip("the guest `html-mail` is not built") };
    let folder = tempfile::tempdir().unwrap();
    campanile_testing::write_settings(
        folder.path(),
        &format!(
            "[callbacks.mail]\ncomponent = {component:?}\n\n[change_hooks.dialects.x]\ncallback = \"mail\"\n\n\
             [change_hooks.dialects.y]\ncallback = \"gone\"\nverify = {{ header = \"X\", algorithm = \"rot13\" }}\n"
        ),
    );
    let checked = campanile_testing::run(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(2));
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    for text in [
        "error: callback `mail` exports no hook-dialect",
        "error: there is no callback `gone`: name one of `[callbacks]`",
        "`algorithm` must be one of `hmac-sha256`, `hmac-sha1`, `hmac-md5`, `token`, not `rot13`",
        "`secret` is missing: without one there is nothing to verify by",
    ] {
        assert!(told.contains(text), "{text} is missing in:\n{told}");
    }
}

#[tokio::test]
async fn h_gen_01_h_gen_02_h_gen_19_addresses() {
    let engine = Engine::start(
        "[server]\nlisten = \"127.0.0.1:0\"\nbase_path = \"/bbot\"\n\n[change_hooks.dialects]\nbase = true\n",
    );
    let engine_url = engine.url.trim_end_matches('/').trim_end_matches("/bbot").to_owned();
    let status =
        async |path: &str| http().post(format!("{engine_url}{path}")).send().await.unwrap().status().as_u16();
    for taken in [
        "/bbot/change_hook",
        "/bbot/change_hook/",
        "/bbot/change_hook/base",
        "/bbot/change_hook/base/",
        "/bbot/change_hook/bas%65",
    ] {
        assert_eq!(status(taken).await, 202, "{taken}");
    }
    for (path, wanted) in [
        ("/bbot/change_hook/base/x", 404),
        ("/bbot/change_hook/Base", 400),
        ("/bbot/change_hook/base-x", 400),
        ("/change_hook/base", 404),
    ] {
        assert_eq!(status(path).await, wanted, "{path}");
    }
}

/// H-GEN-09: who may, then how, then what; nothing later runs after a failure.
#[tokio::test]
async fn h_gen_09_checks_come_in_order() {
    let engine = Engine::start_with_file(
        "[change_hooks]\nauth = \"file:passwd\"\nmax_body = 10\n\n[change_hooks.dialects.gitlab]\nsecret = \"tower\"\n",
        "passwd",
        b"ci:bell\n",
    );
    let send = async |method: Method, path: &str, user: Option<&str>, token: &str, body: &str| {
        let mut request = http()
            .request(method, format!("{}/change_hook/{path}", engine.url))
            .header("X-Gitlab-Token", token);
        if let Some(password) = user {
            request = request.basic_auth("ci", Some(password));
        }
        request.body(body.to_owned()).send().await.unwrap().status().as_u16()
    };
    use reqwest::Method;
    let large = "x".repeat(11);
    assert_eq!(send(Method::PUT, "nonesuch", None, "", &large).await, 401);
    assert_eq!(send(Method::PUT, "nonesuch", Some("bell"), "", &large).await, 405);
    assert_eq!(send(Method::POST, "nonesuch", Some("bell"), "", &large).await, 400);
    assert_eq!(send(Method::POST, "gitlab", Some("bell"), "", &large).await, 403);
    assert_eq!(send(Method::POST, "gitlab", Some("bell"), "tower", &large).await, 413);
    assert_eq!(send(Method::POST, "gitlab", Some("bell"), "tower", "{").await, 400);
}

/// H-GEN-11, H-GEN-15, H-GEN-16, H-GEN-20: what is answered and what is logged.
#[tokio::test]
async fn h_gen_11_h_gen_15_h_gen_16_h_gen_20_answers_and_the_log() {
    let engine = Engine::start("[change_hooks.dialects.gitlab]\nsecret = \"bell-tower\"\n");
    let send = async |body: Value, accept: &str| {
        let request =
            http().post(format!("{}/change_hook/gitlab", engine.url)).header("X-Gitlab-Token", "bell-tower");
        let request = request.header("Authorization", "Bearer hush").header("Accept", accept);
        let request = request.header("Idempotency-Key", "e0f1");
        let response = request.body(body.to_string()).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let sniff =
            response.headers().get("x-content-type-options").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), kind, sniff, response.text().await.unwrap())
    };
    let push = |more: Value| {
        let mut push = json!({"ref": "refs/heads/main", "repository": {"url": "u"}, "commits": [{"id": "c", "message": "m"}]});
        push.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        push
    };
    let (status, kind, sniff, text) = send(push(json!({"after": "000"})), "*/*").await;
    assert_eq!((status, text.as_str()), (200, "no changes found"));
    assert_eq!((kind.as_str(), sniff.as_deref()), ("text/plain; charset=utf-8", Some("nosniff")));
    let (status, kind, _, text) = send(push(json!({})), "application/json").await;
    assert_eq!((status, kind.as_str()), (202, "application/json"));
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&answer["changes"], answer["ids"].as_array().unwrap().len()), (&json!(1), 1));
    let (status, kind, _, _) = send(json!([]), "application/problem+json").await;
    assert_eq!((status, kind.as_str()), (400, "application/problem+json"));
    let odd = push(
        json!({"object_kind": "push", "commits": [{"id": "c", "message": "m", "timestamp": "so\u{7}on"}]}),
    );
    let (_, _, _, text) = send(odd, "text/plain").await;
    assert!(text.contains("so\\u{7}on") && !text.contains('\u{7}'), "{text}");
    assert_eq!(engine.get("/api/v1/changes").await["changes"][0]["src"], "git", "H-GEN-16");

    let log = engine.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("dialect")).collect();
    assert_eq!(lines.len(), 4, "{log}");
    for part in [
        "tenant=\"default\"",
        "dialect=\"gitlab\"",
        "event=\"push\"",
        "delivery=\"e0f1\"",
        "status=200",
        "branch `main' deleted",
    ] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert!(!log.contains("bell-tower") && !log.contains("hush"), "{log}");
}

/// GitHub's REST API for a pull request, as its published description has it.
async fn github(asked: Arc<Mutex<Vec<String>>>) -> String {
    use axum::extract::{Path, Query, State};
    use axum::http::{HeaderMap, StatusCode};
    type Asked = Arc<Mutex<Vec<String>>>;
    async fn commit(
        State(asked): State<Asked>,
        Path(sha): Path<String>,
        headers: HeaderMap,
    ) -> Result<String, StatusCode> {
        let token = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        asked.lock().unwrap().push(format!("commit {sha} {token:?}"));
        if sha == "dead" {
            return Err(StatusCode::NOT_FOUND);
        }
        let message = if sha == "5c1b" { "not now [skip ci]" } else { "ring" };
        Ok(json!({"sha": sha, "commit": {"message": message, "author": {"name": "Ada"}}, "files": []})
            .to_string())
    }
    async fn files(
        State(asked): State<Asked>,
        Query(query): Query<std::collections::BTreeMap<String, String>>,
    ) -> String {
        let page: usize = query["page"].parse().unwrap();
        asked.lock().unwrap().push(format!("files page {page} of {}", query["per_page"]));
        let file = |number: usize| json!({"sha": "x", "filename": format!("f{number}.c"), "status": "modified", "changes": 2});
        let mut list: Vec<Value> = (page * 100 - 100..(page * 100).min(150)).map(file).collect();
        if page == 2 {
            list.push(json!({"filename": "new.c", "previous_filename": "old.c", "status": "renamed"}));
        }
        Value::from(list).to_string()
    }
    let app = axum::Router::new()
        .route("/api/v3/repos/bells/carillon/commits/{sha}", axum::routing::get(commit))
        .route("/api/v3/repos/bells/carillon/pulls/3/files", axum::routing::get(files))
        .with_state(asked);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}/api/v3")
}

#[tokio::test]
async fn h_xgh_13_a_pull_requests_files_and_message_are_looked_up() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let endpoint = github(Arc::clone(&asked)).await;
    let engine = Engine::start(&format!(
        "[outbound]\nallow = [\"127.0.0.0/8\"]\n\n[change_hooks.dialects.github]\ntoken = \"hush-token\"\n\
         github_api_endpoint = \"{endpoint}\"\n"
    ));
    let send = async |sha: &str, name: &str, body: &str| {
        let pull = json!({"title": "Swing", "body": body, "head": {"sha": sha}, "base": {"ref": "main", "repo": {"full_name": name}}});
        let payload =
            json!({"action": "opened", "number": 3, "repository": {"html_url": "u"}, "pull_request": pull});
        let request = http()
            .post(format!("{}/change_hook/github", engine.url))
            .header("X-GitHub-Event", "pull_request");
        let request = request.header("Content-Type", "application/json").body(payload.to_string());
        request.send().await.unwrap().text().await.unwrap()
    };
    // The text asks to be skipped, but the commit counts.
    assert_eq!(send("77aa", "bells/carillon", "[skip ci]").await, "1 change found");
    let change = engine.get("/api/v1/changes").await["changes"][0].clone();
    let files = change["files"].as_array().unwrap();
    assert_eq!((files.len(), &files[149], &files[151]), (152, &json!("f149.c"), &json!("old.c")));
    let token = "Some(\"token hush-token\")";
    let wanted =
        [format!("commit 77aa {token}"), "files page 1 of 100".to_owned(), "files page 2 of 100".to_owned()];
    assert_eq!(*asked.lock().unwrap(), wanted);

    assert_eq!(send("5c1b", "bells/carillon", "").await, "no changes found");
    // What can't be had costs nothing but itself.
    assert_eq!(send("dead", "bells/carillon", "").await, "1 change found");
    assert_eq!(send("beef", "bells/gone", "").await, "1 change found");
    assert_eq!(engine.get("/api/v1/changes").await["changes"][0]["files"], json!([]));
    // Names that would lead elsewhere are not asked for.
    let before = asked.lock().unwrap().len();
    assert_eq!(send("beef", "../../user", "").await, "1 change found");
    assert_eq!(asked.lock().unwrap().len(), before);
    let log = engine.log();
    assert!(log.contains("look-up failed: 404") && !log.contains("hush-token"), "{log}");
}

/// H-GEN-13: 25 MiB are taken, a byte more is not, however it is sent.
#[tokio::test]
async fn h_gen_13_bodies_up_to_the_limit() {
    let engine = Engine::start("[change_hooks.dialects]\ngithub = true\n");
    let push = |length: usize| {
        let head = r#"{"ref":"refs/heads/main","repository":{"html_url":"https://x/y"},"commits":[{"id":"1f","message":"ring"}],"padding":""#;
        let mut body = head.to_owned();
        body.push_str(&"x".repeat(length - head.len() - 2));
        body.push_str("\"}");
        body
    };
    let send = async |body: reqwest::Body| {
        let request = http()
            .post(format!("{}/change_hook/github", engine.url))
            .header("Content-Type", "application/json");
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(send(push(25 << 20).into()).await, (202, "1 change found".to_owned()));
    assert_eq!(send(push((25 << 20) + 1).into()).await.0, 413);
    assert_eq!(engine.get("/api/v1/changes").await["changes"].as_array().unwrap().len(), 1);
}

/// A bomb costs nothing: what is compressed is refused and never unpacked.
#[tokio::test]
async fn compressed_bodies_are_refused_unread() {
    let engine = Engine::start("[change_hooks.dialects]\ngithub = true\n");
    let request =
        http().post(format!("{}/change_hook/github", engine.url)).header("Content-Type", "application/json");
    let response =
        request.header("Content-Encoding", "gzip").body(vec![0x1f, 0x8b, 8, 0]).send().await.unwrap();
    assert_eq!(response.status(), 415);
    let text = response.text().await.unwrap();
    assert_eq!(text, "send the body as it is: Content-Encoding `gzip` is not taken");
}

/// Senders that trickle hold up nobody else, and end at the limit of a head.
#[tokio::test]
async fn slow_senders_hold_up_nobody() {
    let engine = Engine::start("[change_hooks.dialects]\nbase = true\n");
    let address = engine.url.trim_start_matches("http://").to_owned();
    let slow: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(&address).unwrap();
            stream
                .write_all(
                    b"POST /change_hook/base HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nauthor=",
                )
                .unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        let sent = http().post(format!("{}/change_hook/base?author=ada", engine.url)).send().await.unwrap();
        assert_eq!(sent.status(), 202);
    }
    drop(slow);
    assert_eq!(
        engine.get("/api/v1/changes").await["changes"].as_array().unwrap().len(),
        20,
        "no half of a request counts"
    );
}

/// The commands of each page about a forge, as they stand there, against an engine with that page's settings.
#[test]
fn the_commands_of_the_pages_work() {
    for tool in ["curl", "openssl"] {
        if Command::new(tool).arg("--version").output().is_err()
            && Command::new(tool).arg("version").output().is_err()
        {
            return skip(&format!("there is no `{tool}`"));
        }
    }
    let component = guest("sourcehut-dialect");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hooks");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        // The first block is the one that the commands go with.
        let mut settings = blocks(&page, "toml").into_iter().next().unwrap_or_default();
        assert!(!settings.is_empty(), "{} has no settings", path.display());
        if settings.contains("sourcehut-dialect.wasm") {
            let Some(component) = &component else {
                return skip("the guest `sourcehut-dialect` is not built");
            };
            settings = settings.replace("\"sourcehut-dialect.wasm\"", &format!("{component:?}"));
        }
        for secret in ["HOOK_SECRET", "GITHUB_SECRET"] {
            settings = settings.replace(&format!("{{ env = \"{secret}\" }}"), "\"bell-tower\"");
        }
        let engine = Engine::start_with_file(&settings, "changehook.passwd", b"ci:secret\n");
        for commands in blocks(&page, "sh") {
            let commands = commands.replace("http://127.0.0.1:8010", &engine.url);
            let mut shell = Command::new("bash");
            shell.args(["-euo", "pipefail", "-c", &commands]);
            let done = shell
                .envs([("HOOK_SECRET", "bell-tower"), ("GITHUB_SECRET", "bell-tower")])
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&done.stdout).into_owned();
            assert!(
                told.contains("1 change found"),
                "{}:\n{commands}\n{told}\n{}",
                path.display(),
                String::from_utf8_lossy(&done.stderr)
            );
            tried += 1;
        }
    }
    assert!(tried >= 8, "only {tried} commands were tried");
}

fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}
