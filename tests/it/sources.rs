//! Pollers on a real Subversion server and on a feed: what is new comes in once, however it is split.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::pollers::{changes, counted, knock, look};
use campanile_testing::{Engine, free_port, patiently, run, skip, write_settings};

/// A Subversion repository behind `svnserve` on a port of its own, which wants a password.
struct Subversion {
    folder: tempfile::TempDir,
    server: Child,
    port: u16,
}

impl Subversion {
    /// None if there is no Subversion, which is then said.
    async fn start() -> Option<Self> {
        if Command::new("svnserve").arg("--version").output().is_err() {
            skip("there is no `svnserve`: install `subversion`");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repository");
        command("svnadmin", &["create", repository.to_str().unwrap()]);
        let conf = repository.join("conf");
        std::fs::write(
            conf.join("svnserve.conf"),
            "[general]\nanon-access = none\nauth-access = write\npassword-db = passwd\nrealm = bells\n",
        )
        .unwrap();
        std::fs::write(conf.join("passwd"), "[users]\nada = tower\n").unwrap();
        let port = free_port();
        let server = Command::new("svnserve")
            .args(["--daemon", "--foreground", "--listen-host=127.0.0.1"])
            .arg(format!("--listen-port={port}"))
            .arg(format!("--root={}", repository.display()))
            .spawn()
            .unwrap();
        patiently("svnserve listens", async || std::net::TcpStream::connect(("127.0.0.1", port)).ok()).await;
        Some(Self { folder, server, port })
    }

    fn url(&self) -> String {
        format!("svn://127.0.0.1:{}", self.port)
    }

    fn svn(&self, arguments: &[&str]) {
        let home = self.folder.path().join("home");
        let options = ["--non-interactive", "--username=ada", "--password=tower", "--config-dir"];
        command("svn", &[arguments, &options, &[home.to_str().unwrap()]].concat());
    }

    /// Puts files there in one revision.
    fn put(&self, message: &str, files: &[&str]) {
        let copy = self.folder.path().join("copy");
        if !copy.exists() {
            self.svn(&["checkout", "--quiet", &self.url(), copy.to_str().unwrap()]);
        }
        for file in files {
            let path = copy.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, message).unwrap();
        }
        self.svn(&["add", "--quiet", "--force", copy.to_str().unwrap()]);
        self.svn(&["commit", "--quiet", "--message", message, copy.to_str().unwrap()]);
    }
}

impl Drop for Subversion {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn command(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).env("LC_ALL", "C.UTF-8").output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn settings(kind: &str, more: &str) -> String {
    format!(
        "[change_hooks.dialects]\npoller = true\n\n[outbound]\nallow = [\"127.0.0.0/8\"]\n\n\
         [[{kind}]]\nname = \"bells\"\npoll_interval = 0\n{more}"
    )
}

#[tokio::test]
async fn revisions_of_subversion_come_in_once_split_into_branches() {
    let Some(svn) = Subversion::start().await else { return };
    svn.put("old", &["trunk/old.c"]);
    let more = format!(
        "svnurl = \"{}/\"\nsplit_file = \"branches\"\nsvnuser = \"ada\"\nsvnpasswd = {{ file = \"password\" }}\n\
         project = \"tower\"\nrevlinktmpl = \"https://svn.example.org/r%s\"\n",
        svn.url()
    );
    let mut engine = Engine::start_with_file(&settings("svn_poller", &more), "password", b"tower\n");
    look(&engine).await;
    assert_eq!(changes(&engine).await, [] as [Value; 0], "what was there at first is not new");

    svn.put("ring ü\n\nthe bells", &["trunk/a b.c", "branches/1.x/ü.c", "tags/1.0/c.c"]);
    engine.kill_and_restart();
    look(&engine).await;
    look(&engine).await;
    let all = changes(&engine).await;
    let mut told: Vec<Value> = all
        .iter()
        .map(|change| json!([change["branch"], change["files"], change["revision"], change["revlink"]]))
        .collect();
    told.sort_by_key(Value::to_string);
    assert_eq!(
        told,
        [
            json!(["branches/1.x", ["ü.c"], "2", "https://svn.example.org/r2"]),
            json!([null, ["a b.c"], "2", "https://svn.example.org/r2"]),
        ],
        "tags belong to no branch"
    );
    for change in &all {
        assert_eq!(change["who"], "ada");
        assert_eq!(change["comments"], "ring ü\n\nthe bells");
        assert_eq!((&change["project"], &change["src"]), (&json!("tower"), &json!("svn")));
        assert_eq!(change["repository"], svn.url());
    }
}

#[tokio::test]
async fn h_po_08_subversion_that_lets_nobody_in_is_told_without_the_password() {
    let Some(svn) = Subversion::start().await else { return };
    let more = format!("svnurl = \"{}\"\nsvnuser = \"ada\"\nsvnpasswd = \"wrong-tower\"\n", svn.url());
    let engine = Engine::start(&settings("svn_poller", &more));
    knock(&engine, "?poller=bells").await;
    let failed = "campanile_polls_total{tenant=\"default\",poller=\"bells\",outcome=\"failed\",code=\"";
    patiently("the look fails", async || {
        let metrics = campanile_testing::http().get(format!("{}/metrics", engine.url)).send().await.unwrap();
        metrics.text().await.unwrap().contains(failed).then_some(())
    })
    .await;
    let log = engine.log();
    assert!(log.contains("bells") && !log.contains("wrong-tower"), "{log}");
    assert_eq!(
        counted(
            &engine,
            "campanile_polls_total{tenant=\"default\",poller=\"bells\",outcome=\"done\",code=\"\"}"
        )
        .await,
        None
    );
}

/// The feed's server: its present answer, and the requests that it got.
#[derive(Default)]
struct Feed {
    entries: Vec<(u32, &'static str)>,
    broken: bool,
    not_modified: u32,
}

fn served(feed: &Feed) -> String {
    let entries: String = feed
        .entries
        .iter()
        .rev()
        .map(|(number, title)| {
            format!(
                "<entry><id>tag:example.org,2026:commit/c{number}</id><title>{title}</title>\
                 <link rel=\"alternate\" href=\"https://git.example.org/c{number}\"/>\
                 <updated>2018-05-15T14:51:{number:02}Z</updated><author><name>Ada</name></author></entry>"
            )
        })
        .collect();
    format!("<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>bells</title>{entries}</feed>")
}

async fn serve(State(feed): State<Arc<Mutex<Feed>>>, headers: HeaderMap) -> Response {
    let mut feed = feed.lock().unwrap();
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Basic YWRhOnRvd2Vy") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if feed.broken {
        return (StatusCode::BAD_GATEWAY, "the tower is down").into_response();
    }
    let tag = format!("\"{}\"", feed.entries.len());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        feed.not_modified += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, tag)], served(&feed)).into_response()
}

#[tokio::test]
async fn entries_of_a_feed_come_in_once_and_a_feed_that_fails_costs_nothing() {
    let feed = Arc::new(Mutex::new(Feed { entries: vec![(1, "old")], ..Feed::default() }));
    let app =
        axum::Router::new().route("/commits.atom", axum::routing::get(serve)).with_state(Arc::clone(&feed));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let more = format!(
        "feedurl = \"http://{address}/commits.atom\"\nuser = \"ada\"\npassword = {{ file = \"password\" }}\n\
         repository = \"https://git.example.org/bells\"\nbranch = \"main\"\n"
    );
    let engine = Engine::start_with_file(&settings("googlecode_atom_poller", &more), "password", b"tower\n");
    look(&engine).await;
    assert_eq!(changes(&engine).await, [] as [Value; 0], "what was there at first is not new");

    feed.lock().unwrap().entries.extend([(2, "ring"), (3, "swing")]);
    look(&engine).await;
    let told = |all: &[Value]| -> Vec<Value> {
        all.iter().map(|change| json!([change["revision"], change["comments"], change["branch"]])).collect()
    };
    let both = [json!(["c2", "ring", "main"]), json!(["c3", "swing", "main"])];
    let all = changes(&engine).await;
    assert_eq!(told(&all), both);
    assert_eq!(all[0]["repository"], "https://git.example.org/bells");
    assert_eq!(all[0]["revlink"], "https://git.example.org/c2");

    look(&engine).await;
    assert_eq!(feed.lock().unwrap().not_modified, 1, "what has not changed is not sent again");
    feed.lock().unwrap().broken = true;
    knock(&engine, "?poller=bells").await;
    engine.logs("502 Bad Gateway").await;
    {
        let mut feed = feed.lock().unwrap();
        feed.broken = false;
        feed.entries = vec![(3, "swing"), (4, "toll")];
    }
    look(&engine).await;
    let all = changes(&engine).await;
    assert_eq!(told(&all), [&both[..], &[json!(["c4", "toll", "main"])]].concat());
}

#[test]
fn settings_of_sources_that_cannot_be_used_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    write_settings(
        Path::new(folder.path()),
        "[server]\nlisten = \"127.0.0.1:0\"\n\n[[svn_poller]]\nsvnurl = \"gopher://h/\"\nsplit_file = \"trunk\"\n\
         svnpasswd = { env = \"HOME\" }\n\n[[googlecode_atom_poller]]\nfeedurl = \"https://ada:tower@h/feed\"\n",
    );
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(2));
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    for line in [
        "campanile.toml:5: error: `svnurl` must be an address that begins with one of file, http",
        "campanile.toml:6: error: `split_file` must be `alwaystrunk`, `branches` or `projects_branches`",
        "campanile.toml:7: error: `svnpasswd` needs `svnuser` beside it",
        "campanile.toml:10: error: `feedurl` must be an http or https address without a password in it",
    ] {
        assert!(told.contains(line), "{line} is missing in:\n{told}");
    }
    assert!(!told.contains("tower"), "{told}");
}
