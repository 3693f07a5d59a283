//! The door among strangers: those who say nothing, those who take all places, pages of other sites, proxies.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use campanile_testing::{Engine, http, patiently, run, write_settings};

fn address(engine: &Engine) -> SocketAddr {
    engine.url.strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap()
}

/// A connection from one of this machine's many own addresses, which has said `begin`.
pub(crate) async fn connect(engine: &Engine, from: [u8; 4], begin: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::from(from), 0)).unwrap();
    let mut stream = socket.connect(address(engine)).await.unwrap();
    stream.write_all(begin.as_bytes()).await.unwrap();
    stream
}

/// Bytes that the far side says until it closes; a reset counts as that too.
pub(crate) async fn rest(mut stream: TcpStream) -> String {
    let mut told = Vec::new();
    let reading = async {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut part).await {
            told.extend_from_slice(&part[..length]);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("the connection was never ended");
    String::from_utf8_lossy(&told).into_owned()
}

async fn ask(engine: &Engine, from: [u8; 4], path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    rest(connect(engine, from, &head).await).await
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

/// Whatever protocol a connection seems to begin with, it ends if no request comes; also after a first one.
#[tokio::test]
async fn connections_that_say_nothing_end() {
    let engine = Engine::start("");
    let begins = [
        "",
        "G",
        "GET /healthz HTTP/1.1\r\nHost: loc",
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        // An HTTP/2 client that has said its settings, and no more.
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0",
        // The begin of a TLS hello, and of a proxy's line.
        "\u{16}\u{3}\u{1}\u{2}",
        "PROXY TCP4 192.0.2.1 ",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    let mut waiting = tokio::task::JoinSet::new();
    for begin in begins {
        let stream = connect(&engine, [127, 0, 0, 1], begin).await;
        waiting.spawn(rest(stream));
    }
    assert_eq!(waiting.join_all().await.len(), begins.len());
}

/// Silent connections keep nobody out, and those with requests under way no other address.
#[tokio::test]
async fn a_full_door_still_tells_its_health() {
    let engine = Engine::start("[change_hooks.dialects]\nbase = true\n");
    let (here, other) = ([127, 0, 0, 2], [127, 0, 0, 1]);
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(connect(&engine, here, "").await);
    }
    assert_eq!(status(&ask(&engine, here, "/api/v1/builds").await), "200", "the quiet make room");
    let unfinished = "POST /change_hook/base HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nauthor";
    let mut busy = Vec::new();
    for _ in 0..256 {
        busy.push(connect(&engine, here, unfinished).await);
    }
    // Those whose head was not read yet made room like the silent ones: some more are needed.
    patiently("all places of this address are taken", async || {
        busy.push(connect(&engine, here, unfinished).await);
        (status(&ask(&engine, here, "/api/v1/builds").await) == "503").then_some(())
    })
    .await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(&ask(&engine, here, path).await), "200", "{path}");
    }
    let refused = ask(&engine, here, "/api/v1/builds").await;
    assert!(status(&refused) == "503" && refused.to_lowercase().contains("retry-after: 5"), "{refused}");
    assert!(refused.contains("\"busy\""), "{refused}");
    assert_eq!(
        status(&ask(&engine, other, "/api/v1/builds").await),
        "200",
        "another's address has its own part"
    );
    drop((silent, busy));
    patiently("the places are free again", async || {
        (status(&ask(&engine, here, "/api/v1/builds").await) == "200").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_names_one_host() {
    let engine = Engine::start("");
    let asked = async |head: &str| {
        let answer = rest(connect(&engine, [127, 0, 0, 1], head).await).await;
        status(&answer).to_owned()
    };
    let get = "GET /healthz HTTP/1.1\r\nConnection: close\r\n";
    assert_eq!(asked(&format!("{get}\r\n")).await, "400");
    assert_eq!(asked(&format!("{get}Host: localhost\r\nHost: localhost\r\n\r\n")).await, "400");
    assert_eq!(asked(&format!("{get}Host: localhost\r\n\r\n")).await, "200");
    assert_eq!(asked("GET /healthz HTTP/1.0\r\n\r\n").await, "200", "older than `Host`");
    // The target's host counts, whatever the header says.
    let absolute =
        "GET http://rebind.example/api/v1/builds HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(asked(absolute).await, "403");
}

/// Without a token the API is for programs on this machine: each of these is what a page or a proxy sends.
#[tokio::test]
async fn without_a_token_neither_pages_nor_proxies_are_answered() {
    let engine = Engine::start(
        "[server]\nlisten = \"127.0.0.1:0\"\nhosts = [\"Bells.internal\"]\n\n[change_hooks.dialects]\nbase = true\n",
    );
    let port = address(&engine).port();
    let of_port = |name: &str| format!("{name}:{port}");
    let ask = async |headers: &[(&str, &str)], post: bool| {
        let url = |path: &str| format!("{}{path}", engine.url);
        let mut request =
            if post { http().post(url("/api/v1/tokens")) } else { http().get(url("/api/v1/tokens")) };
        if post {
            request = request.body(json!({"name": "x", "role": "admin"}).to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let json = ("Content-Type", "application/json");
    for (host, expected) in [
        ("localhost", 200),
        ("127.0.0.1", 200),
        ("[::1]", 200),
        ("bells.internal", 200),
        ("rebind.evil.example", 403),
        ("localhost.evil.example", 403),
    ] {
        assert_eq!(ask(&[("Host", &of_port(host))], false).await, expected, "{host}");
    }
    let own_page = format!("http://{}", of_port("localhost"));
    let rebound = format!("http://{}", of_port("rebind.example"));
    for (headers, expected) in [
        (&[("Origin", "https://evil.example")][..], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", "http://localhost:1")], 403),
        (&[("Origin", &rebound), ("Host", &of_port("rebind.example"))], 403),
        (&[("Origin", &own_page), ("Host", &of_port("localhost"))], 201),
        (&[("Sec-Fetch-Site", "cross-site")], 403),
        (&[("Sec-Fetch-Site", "same-site")], 403),
        (&[("Sec-Fetch-Site", "none")], 201),
    ] {
        let headers: Vec<_> = headers.iter().copied().chain([json]).collect();
        assert_eq!(ask(&headers, true).await, expected, "{headers:?}");
    }
    for kind in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")]
    {
        let headers: Vec<_> = kind.map(|kind| ("Content-Type", kind)).into_iter().collect();
        assert_eq!(ask(&headers, true).await, 415, "{kind:?}");
    }
    for header in [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Forwarded",
        "Via",
        "X-Real-IP",
        "CF-Connecting-IP",
        "True-Client-IP",
    ] {
        assert_eq!(ask(&[(header, "192.0.2.1")], false).await, 401, "{header}");
    }
    // An image of a stranger's page is no push.
    let hook = format!("{}/change_hook/base?author=evil", engine.url);
    let image = http().get(&hook).header("Sec-Fetch-Site", "cross-site").send().await.unwrap();
    assert_eq!(image.status(), 403, "H-GEN-22");
    let events =
        http().post(format!("{}/api/v1/events/jenkins", engine.url)).header("Content-Type", "text/plain");
    assert_eq!(events.body("{}").send().await.unwrap().status(), 415);
    assert_eq!(engine.get("/api/v1/changes").await, json!({"changes": []}));
}

/// One that is blank is refused wherever secrets stand, as text, file or variable.
#[tokio::test]
async fn blank_secrets_are_refused() {
    let mail = "fromaddr = \"ci@example.org\"\nsmtp_user = \"ci\"\n";
    let check = |settings: &str| {
        let folder = tempfile::tempdir().unwrap();
        write_settings(folder.path(), settings);
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let done = run(folder.path(), &["check"]);
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    for (before, key, after) in [
        ("[server]\n", "api_token", ""),
        ("[server]\n", "events_token", ""),
        ("[events.github]\n", "secret", ""),
        ("[events.drone]\n", "secret", ""),
        ("[change_hooks.dialects.github]\n", "secret", ""),
        ("[change_hooks.dialects.gitlab]\n", "secret", ""),
        ("[change_hooks.dialects.gitea]\n", "secret", ""),
        ("[change_hooks.dialects.bitbucketcloud]\n", "secret", ""),
        ("[change_hooks.dialects.bitbucketserver]\n", "secret", ""),
        ("[change_hooks.dialects.googlecode]\n", "secret_key", ""),
        ("[[github]]\n", "token", ""),
        ("[[irc]]\nhost = \"irc.example.org\"\nnick = \"bell\"\n", "password", ""),
        ("[[http_status_push]]\nserver_url = \"https://example.org\"\n", "signing_secrets", ""),
        ("[[mail]]\n", "smtp_password", mail),
    ] {
        for blank in ["\"\"", "\" \"", "{ file = \"empty\" }"] {
            let (fits, told) = check(&format!("{before}{key} = {blank}\n{after}"));
            assert!(!fits && told.contains(&format!("`{key}` is blank")), "{before}{key} = {blank}: {told}");
        }
    }
}
