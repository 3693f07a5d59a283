//! Far sides that take connections, or not even these, and say nothing: how long they are waited for (M-OUT-01).
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;
use url::Url;

use super::*;
use campanile_config::Secret;

/// Takes connections and says nothing.
async fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Answers no attempt to connect, as what is behind a firewall: its backlog is full.
fn blackhole() -> (TcpListener, Vec<std::net::TcpStream>, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300));
    let taken = std::iter::from_fn(|| connect().ok()).take(64).collect::<Vec<_>>();
    assert!(taken.len() < 64, "it takes everybody");
    (listener, taken, address.port())
}

fn loopback() -> Outbound {
    Outbound::new(Allowed::new(vec!["127.0.0.0/8".parse().unwrap()]), Arc::new(SystemResolver))
}

fn assert_waited(stage: &str, began: Instant, limit: Duration) {
    let waited = began.elapsed();
    assert!(waited >= limit && waited < limit + Duration::from_secs(1), "{stage}: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn m_out_01_a_connection_comes_up_in_time_or_not_at_all() {
    let (_listener, _taken, port) = blackhole();
    let began = Instant::now();
    let error = Dialer::default().connect("127.0.0.1", port).await.unwrap_err();
    assert_waited("TCP", began, limits::CONNECT);
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (std::io::ErrorKind::TimedOut, "no connection within 10 s")
    );

    let began = Instant::now();
    let url: Url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let error = loopback().client(&Tls::default()).unwrap().send(Request::get(url)).await.unwrap_err();
    assert_waited("HTTP's TCP", began, limits::CONNECT);
    assert!(matches!(error, OutboundError::Timeout { .. }), "{error}");
}

/// Two addresses, of which the first one swallows all.
#[derive(Clone, Copy)]
struct FirstIsSilent;

#[async_trait]
impl Resolver for FirstIsSilent {
    async fn look_up(&self, _name: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(vec!["127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap()])
    }
}

#[tokio::test(start_paused = true)]
async fn m_out_01_an_address_that_swallows_all_leaves_time_for_the_next() {
    let (_listener, _taken, port) = blackhole();
    let other = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let allowed = Allowed::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let guarded = resolver::Guarded { resolver: Arc::new(FirstIsSilent), allowed, is_tenants: false };
    let began = Instant::now();
    let stream = Dialer::guarded(guarded).connect("relay.example.org", port).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), other.local_addr().unwrap());
    assert_waited("the first of two addresses", began, limits::CONNECT / 2);
}

#[tokio::test(start_paused = true)]
async fn m_out_01_who_says_nothing_is_not_waited_for_longer() {
    let (_listener, port) = silent().await;
    let dialer = Dialer::default();

    let stream = dialer.connect("127.0.0.1", port).await.unwrap();
    let began = Instant::now();
    let error = TlsConnector::new("127.0.0.1", None).unwrap().connect(stream).await.unwrap_err();
    assert_waited("TLS", began, limits::TLS_HANDSHAKE);
    assert_eq!(error.to_string(), "no handshake within 10 s");

    let client = loopback().client(&Tls::default()).unwrap();
    for (scheme, stage, limit) in
        [("https", "HTTP's TLS", limits::CONNECT), ("http", "HTTP", limits::HTTP_EXCHANGE)]
    {
        let url: Url = format!("{scheme}://127.0.0.1:{port}/").parse().unwrap();
        let began = Instant::now();
        let error = client.send(Request::get(url)).await.unwrap_err();
        assert_waited(stage, began, limit);
        assert!(matches!(error, OutboundError::Timeout { .. }), "{stage}: {error}");
    }

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("known_hosts"), "").unwrap();
    let ssh = SshClient::new(SshConfig {
        server: "127.0.0.1".to_owned(),
        port,
        username: "ci".to_owned(),
        keys: SshKeys::Key(Secret::new("never read"), None),
        known_hosts: folder.path().join("known_hosts"),
        dialer,
        timeout: Duration::from_secs(60),
    });
    let began = Instant::now();
    let error = ssh.run("gerrit version", "").await.unwrap_err();
    assert_waited("SSH", began, limits::SSH_LOGIN);
    assert_eq!(error, SshError::Timeout(format!("127.0.0.1:{port}"), 30));
}
