//! Relays that fall silent, at each stage of a mail: how long they are waited for (M-OUT-01, M-71).
#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::time::Duration;

use campanile_config::Secret;
use campanile_outbound::{Dialer, TlsConnector, limits};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::{
    Credentials, EhloExtensions, Encryption, Message, MessageContent, MessageTooLarge, Relay, RelayConfig,
};

struct Text;

impl MessageContent for Text {
    fn bytes_for<'a>(&'a self, _: &EhloExtensions) -> Result<Cow<'a, [u8]>, MessageTooLarge> {
        Ok(Cow::Borrowed(b"Subject: x\r\n\r\nx\r\n"))
    }
}

/// A relay that says these lines, one more whenever it is told something, and then nothing more.
async fn relay_that_says(lines: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let mut told = String::new();
        for line in lines {
            stream.write_all(line.as_bytes()).await.unwrap();
            if stream.read_line(&mut told).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
        drop(stream);
    });
    port
}

/// Sends a mail; the time until it is given up, and why.
async fn given_up(
    lines: &'static [&'static str],
    encryption: Encryption,
    log_in: bool,
) -> (Duration, String) {
    let port = relay_that_says(lines).await;
    let password = Secret::new("hush");
    let relay = Relay::new(RelayConfig {
        host: "127.0.0.1".to_owned(),
        port,
        encryption,
        credentials: log_in.then(|| Credentials { user: "bell".to_owned(), password }),
        allow_plain_auth: true,
        dialer: Dialer::default(),
    });
    let recipients = ["dev@example.org".to_owned()];
    let message = Message { sender: "ci@example.org", recipients: &recipients, content: &Text };
    let began = Instant::now();
    let error = relay.send(&message).await.unwrap_err();
    (began.elapsed(), error.to_string())
}

#[tokio::test(start_paused = true)]
async fn m_out_01_m_71_a_relay_may_be_silent_for_so_long() {
    let tls = || TlsConnector::new("127.0.0.1", None).unwrap();
    const GREETING: &str = "220 relay\r\n";
    const OFFERS_TLS: &str = "250-relay\r\n250 STARTTLS\r\n";
    const OFFERS_LOGIN: &str = "250-relay\r\n250 AUTH PLAIN\r\n";
    let rows: [(&str, &'static [&'static str], Encryption, bool, Duration); 9] = [
        ("greeting", &[], Encryption::None, false, limits::SMTP_LOGIN),
        ("TLS from the start", &[], Encryption::FromStart(tls()), false, limits::TLS_HANDSHAKE),
        ("EHLO", &[GREETING], Encryption::None, false, limits::SMTP_LOGIN),
        ("STARTTLS", &[GREETING, OFFERS_TLS], Encryption::Required(tls()), false, limits::SMTP_LOGIN),
        (
            "TLS after STARTTLS",
            &[GREETING, OFFERS_TLS, "220 go\r\n"],
            Encryption::Required(tls()),
            false,
            limits::TLS_HANDSHAKE,
        ),
        ("AUTH", &[GREETING, OFFERS_LOGIN], Encryption::None, true, limits::SMTP_LOGIN),
        ("MAIL", &[GREETING, "250 relay\r\n"], Encryption::None, false, limits::SMTP_REPLY),
        ("RCPT", &[GREETING, "250 relay\r\n", "250 ok\r\n"], Encryption::None, false, limits::SMTP_REPLY),
        (
            "DATA",
            &[GREETING, "250 relay\r\n", "250 ok\r\n", "250 ok\r\n"],
            Encryption::None,
            false,
            limits::SMTP_REPLY,
        ),
    ];
    for (stage, lines, encryption, log_in, limit) in rows {
        let (waited, text) = given_up(lines, encryption, log_in).await;
        assert!(waited >= limit && waited < limit + Duration::from_secs(1), "{stage}: {waited:?}");
        assert!(text.contains("no answer in time"), "{stage}: {text}");
    }
}
