//! Servers that take the connection and say nothing: how long they are waited for (M-OUT-01).
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use campanile_outbound::{Dialer, TlsConnector, limits};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::{AccountAuth, Client, ClientSettings, Connection, ConnectionError, Rate, ServerSettings};

fn server(port: u16, tls: Option<TlsConnector>) -> ServerSettings {
    ServerSettings {
        host: "127.0.0.1".to_owned(),
        port,
        tls,
        dialer: Dialer::default(),
        nick: "bb".to_owned(),
        real_name: "buildbot".to_owned(),
        server_password: None,
        auth: AccountAuth::None,
        account_tag: false,
    }
}

fn assert_waited(stage: &str, began: Instant, limit: Duration) {
    let waited = began.elapsed();
    assert!(waited >= limit && waited < limit + Duration::from_secs(1), "{stage}: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn m_out_01_a_server_that_says_nothing_is_left() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let began = Instant::now();
    let tls = TlsConnector::new("127.0.0.1", None).unwrap();
    let error = Connection::open(&server(port, Some(tls))).await.err().unwrap();
    assert_waited("TLS", began, limits::TLS_HANDSHAKE);
    assert_eq!(error.to_string(), "no TLS: no handshake within 10 s");

    let settings = ClientSettings {
        server: server(port, None),
        channels: Vec::new(),
        rate: Rate { burst: 5, interval: Duration::from_secs(2) },
        notice_on_channel: false,
        version: "campanile 1".to_owned(),
    };
    let connection = Connection::open(&settings.server).await.unwrap();
    let mut client = Client::new(connection, Arc::new(settings), &[]);
    let began = Instant::now();
    let error = loop {
        if let Err(error) = client.send_due().await {
            break error;
        }
        client.next_events().await.unwrap();
    };
    assert_waited("welcome", began, limits::IRC_WELCOME);
    assert!(matches!(error, ConnectionError::Silent(limits::IRC_WELCOME)), "{error}");
}
