//! A server that answers as a forge's API does, keeps what it is asked, and holds that against what the forge has
//! published of its API.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::{Engine, patiently, skip};

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    /// Null: there was none. A text: it was no JSON.
    pub body: Value,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn state(&self) -> &str {
        self.body["state"].as_str().unwrap_or_default()
    }
}

/// The server.
pub struct ForgeServer {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ForgeServer {
    /// Answers as `answer` says, which is told how many came before, too.
    pub async fn start(answer: impl Fn(usize, &Asked) -> Response + Clone + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let keep = Arc::clone(&asked);
        let handler = async move |method: Method, headers: HeaderMap, uri: Uri, body: String| {
            let read = serde_json::from_str(&body);
            let body = if body.is_empty() { Value::Null } else { read.unwrap_or(Value::from(body)) };
            let (path, query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
            let request = Asked { method: method.to_string(), path, query, headers, body };
            let before = {
                let mut asked = keep.lock().unwrap();
                asked.push(request.clone());
                asked.len() - 1
            };
            answer(before, &request)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(
            async move { axum::serve(listener, axum::Router::new().fallback(handler)).await.unwrap() },
        );
        Self { port, asked }
    }

    /// Requests that it got, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Settings of one target there.
    pub fn settings(&self, table: &str, more: &str) -> String {
        let port = self.port;
        format!(
            "[outbound]\nallow = [\"127.0.0.1\"]\n\n[[{table}]]\nname = \"statuses\"\n\
             base_url = \"http://127.0.0.1:{port}\"\nallow_insecure = true\n{more}"
        )
    }

    /// All that it was asked fits the description of this name.
    pub fn fits(&self, description: &str, prefix: &str) {
        if let Some(wrong) = misfits(description, prefix, &self.asked()) {
            assert_eq!(wrong, [] as [&str; 0], "{description}");
        }
    }
}

/// Lists where these requests do not fit a description; none if it can't be told here, which is then said.
pub fn misfits(description: &str, prefix: &str, asked: &[Asked]) -> Option<Vec<String>> {
    assert!(!asked.is_empty(), "there is nothing to hold against {description}");
    let Some(python) = std::env::var_os("CAMPANILE_PYTHON") else {
        skip("CAMPANILE_PYTHON is not set: run the tests by `cargo xtask test`");
        return None;
    };
    let file = if description == "github" {
        let Some(folder) = std::env::var_os("CAMPANILE_OPENAPI") else {
            skip("CAMPANILE_OPENAPI is not set: run the tests by `cargo xtask test`");
            return None;
        };
        PathBuf::from(folder).join("api.github.com.json")
    } else {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/openapi");
        PathBuf::from(data).join(format!("{description}.json"))
    };
    let requests: Vec<Value> = asked
        .iter()
        .map(|asked| {
            json!({"method": asked.method, "path": asked.path, "query": asked.query, "body": asked.body})
        })
        .collect();
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/check_request.py"))
        .arg(file)
        .arg(prefix)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(Value::from(requests).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the check itself failed");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// Waits until there are so many deliveries and none of them waits any more; newest first.
pub async fn settled(engine: &Engine, count: usize) -> Vec<Value> {
    patiently(&format!("{count} deliveries are settled"), async || {
        let all = engine.deliveries().await;
        (all.len() == count && all.iter().all(|delivery| delivery["state"] != "waiting")).then_some(all)
    })
    .await
}

/// Address below which pages of builds are.
pub const PAGE: &str = "https://ci.example.org/builders/linux%20gcc/builds/";

/// The answer to what was taken.
pub fn created() -> Response {
    (StatusCode::CREATED, "{}").into_response()
}

/// A source stamp of this codebase.
pub fn stamp(codebase: &str, repository: &str, revision: Option<&str>) -> Value {
    json!({"codebase": codebase, "repository": repository, "revision": revision, "branch": "main"})
}

/// A build of these source stamps that begins, or ends like this.
pub fn build(number: u64, results: Option<&str>, stamps: &Value) -> Value {
    let name = if results.is_some() { "buildFinished" } else { "buildStarted" };
    json!({"event": name, "build": {"builder": "linux gcc", "number": number, "results": results,
        "started": 1_700_000_000, "finished": results.map(|_| 1_700_000_061), "source_stamps": stamps}})
}
