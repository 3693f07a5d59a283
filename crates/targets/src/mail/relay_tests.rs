//! Sending, against a relay that plays a script, and against a real sink where one is installed.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::message::{Envelope, StoredMail};
use super::smtp::{Encryption, Relay};
use crate::{FaultCode, Outcome};

/// What the relay was told, and how many connections it took.
#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    connections: usize,
}

/// A relay that answers by the recipient's name, hangs up after `mails` mails on a connection, and offers `extensions`.
async fn relay(mails: usize, extensions: &'static str) -> (u16, Arc<Mutex<Heard>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Heard::default()));
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            told.lock().unwrap().connections += 1;
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let greeting = if extensions.starts_with("554") { extensions } else { "220 here" };
                stream.write_all(format!("{greeting}\r\n").as_bytes()).await.unwrap();
                let (mut in_data, mut taken) = (false, 0);
                let mut line = String::new();
                while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                    let said = std::mem::take(&mut line).trim_end().to_owned();
                    told.lock().unwrap().lines.push(said.clone());
                    if in_data {
                        if said == "HANG-UP" {
                            return;
                        }
                        if said == "." {
                            in_data = false;
                            taken += 1;
                            stream.write_all(b"250 2.0.0 queued as X1\r\n").await.unwrap();
                            if taken == mails {
                                return;
                            }
                        }
                        continue;
                    }
                    in_data = said == "DATA";
                    let answer = match said.split_once(' ').map_or(said.as_str(), |(verb, _)| verb) {
                        "EHLO" => extensions,
                        "DATA" if extensions.contains("X-STEP") => "250 ok",
                        "DATA" => "354 go on",
                        "RCPT" if said.contains("gone") => "550 5.1.1 no such user",
                        "RCPT" if said.contains("later") => "452 4.5.3 too many",
                        "RCPT" if said.contains("bye") => "421 4.3.2 closing",
                        "MAIL" if said.contains("bad") => "553 5.1.8 not you",
                        _ => "250 ok",
                    };
                    stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                }
            });
        }
    });
    (port, heard)
}

fn client(port: u16) -> Relay {
    Relay::new("devs", "127.0.0.1".to_owned(), port, Encryption::None, None, None, false)
}

fn mail(recipients: &[&str]) -> StoredMail {
    let recipients = recipients.iter().map(|name| format!("{name}@x.org")).collect();
    let envelope = Envelope { sender: "ci@x.org".to_owned(), recipients, ..Envelope::default() };
    StoredMail { envelope, raw: b"Subject: x\r\n\r\n.dot\r\nend\r\n".to_vec() }
}

#[tokio::test]
async fn m_65_and_m_71_one_transaction_and_one_connection_for_many_mails() {
    let (port, heard) = relay(99, "250 me").await;
    let client = client(port);
    for _ in 0..3 {
        let Outcome::Delivered(receipt) = client.send(mail(&["a", "b"])).await else {
            panic!("not delivered")
        };
        assert!(receipt.contains("took it for 2: 250 2.0.0 queued as X1"), "{receipt}");
    }
    let heard = heard.lock().unwrap();
    assert_eq!(heard.connections, 1);
    let first: Vec<&str> = heard.lines.iter().skip(1).take(8).map(String::as_str).collect();
    assert_eq!(
        first,
        [
            "MAIL FROM:<ci@x.org>",
            "RCPT TO:<a@x.org>",
            "RCPT TO:<b@x.org>",
            "DATA",
            "Subject: x",
            "",
            "..dot",
            "end"
        ]
    );
}

#[tokio::test]
async fn m_71_a_dead_kept_connection_is_replaced_within_the_attempt() {
    let (port, heard) = relay(1, "250 me").await;
    let client = client(port);
    for _ in 0..3 {
        assert!(matches!(client.send(mail(&["a"])).await, Outcome::Delivered(_)));
    }
    assert_eq!(heard.lock().unwrap().connections, 3);
}

#[tokio::test]
async fn m_67_each_recipient_has_a_result_of_its_own() {
    let (port, _) = relay(99, "250 me").await;
    let client = client(port);
    let Outcome::Partial { refused, .. } = client.send(mail(&["a", "gone"])).await else {
        panic!("not partly")
    };
    assert!(refused.concat().contains("refused `gone@x.org` (550 5.1.1 no such user)"), "{refused:?}");

    let Outcome::Refused(fault) = client.send(mail(&["gone"])).await else { panic!("not refused") };
    assert_eq!(fault.code, FaultCode::Rejected);
    assert!(fault.text.starts_with("mail target `devs`: the relay 127.0.0.1:"), "{fault}");

    let Outcome::Deferred { fault, .. } = client.send(mail(&["later", "gone"])).await else {
        panic!("not put off")
    };
    assert_eq!(fault.code, FaultCode::Busy);

    let Outcome::Remainder { message, .. } = client.send(mail(&["a", "gone", "later"])).await else {
        panic!("no rest")
    };
    let mut rest = StoredMail::from_bytes(&message).unwrap();
    assert_eq!(rest.envelope.recipients, ["later@x.org"]);
    assert_eq!((rest.envelope.served, &rest.raw), (1, &mail(&[]).raw));
    rest.envelope.recipients = vec!["b@x.org".to_owned()];
    let Outcome::Partial { refused, .. } = client.send(rest.clone()).await else { panic!("not partly") };
    assert_eq!(refused.len(), 1);
    rest.envelope.recipients = vec!["gone@x.org".to_owned()];
    assert!(matches!(client.send(rest).await, Outcome::Partial { refused, .. } if refused.len() == 2));
}

#[tokio::test]
async fn m_67_what_may_pass_is_put_off() {
    let (port, heard) = relay(99, "250 me").await;
    let client = client(port);
    assert!(matches!(client.send(mail(&["a", "bye"])).await, Outcome::Deferred { .. }));
    let mut broken = mail(&["a"]);
    broken.raw = b"HANG-UP\r\n".to_vec();
    let Outcome::Deferred { fault, .. } = client.send(broken).await else { panic!("not put off") };
    assert_eq!(fault.code, FaultCode::Connection);
    assert_eq!(heard.lock().unwrap().connections, 2);
    let mut foreign = mail(&["a"]);
    foreign.envelope.sender = "bad@x.org".to_owned();
    assert!(matches!(client.send(foreign).await, Outcome::Refused(_)));
    drop(client);

    let (closed, _) = relay(99, "554 nobody gets in").await;
    let Outcome::Deferred { fault, .. } = self::client(closed).send(mail(&["a"])).await else {
        panic!("not put off")
    };
    assert!(fault.text.contains("does not greet us (554 nobody gets in)"), "{fault}");

    // A relay that takes DATA for done would take the mail for commands, and its answers for what became of it.
    let (confused, heard) = relay(99, "250 X-STEP").await;
    let Outcome::Deferred { fault, .. } = self::client(confused).send(mail(&["a"])).await else {
        panic!("not put off")
    };
    assert!(fault.text.contains("its answers are out of step: 250 ok"), "{fault}");
    assert_eq!(heard.lock().unwrap().lines.last().map(String::as_str), Some("DATA"));

    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let outcome = self::client(nobody).send(mail(&["a"])).await;
    assert!(matches!(outcome, Outcome::Deferred { fault, .. } if fault.code == FaultCode::Connection));
}

#[tokio::test]
async fn m_62_other_scripts_in_addresses_need_smtputf8() {
    let (port, heard) = relay(99, "250-me\r\n250-8BITMIME\r\n250 SMTPUTF8").await;
    let mut mail = mail(&["jörg"]);
    mail.raw = "To: jörg@x.org\r\n\r\nx\r\n".as_bytes().to_vec();
    assert!(matches!(client(port).send(mail.clone()).await, Outcome::Delivered(_)));
    assert!(
        heard.lock().unwrap().lines.iter().any(|line| line == "MAIL FROM:<ci@x.org> BODY=8BITMIME SMTPUTF8")
    );
    let (port, _) = relay(99, "250 me").await;
    let Outcome::Refused(fault) = client(port).send(mail).await else { panic!("not refused") };
    assert!(fault.text.contains("refused `jörg@x.org` (553 it does not offer SMTPUTF8"), "{fault}");
}

#[tokio::test]
async fn m_67_an_address_that_cannot_be_written_does_not_deprive_the_others() {
    let (port, heard) = relay(99, "250 me").await;
    let mut mail = mail(&["jörg", "a"]);
    mail.raw = "To: jörg@x.org,\r\n a@x.org\r\n\r\nx\r\n".as_bytes().to_vec();
    let Outcome::Partial { refused, .. } = client(port).send(mail).await else { panic!("not partly") };
    assert_eq!(refused.len(), 1);
    let heard = heard.lock().unwrap();
    assert!(heard.lines.iter().all(|line| line.is_ascii()), "{:?}", heard.lines);
}

#[tokio::test]
async fn m_65_where_the_relay_can_commands_go_out_together() {
    let (port, heard) = relay(99, "250-me\r\n250-SIZE 0\r\n250 PIPELINING").await;
    let client = client(port);
    let many: Vec<String> = (0..120).map(|n| format!("r{n}")).collect();
    let mut names: Vec<&str> = many.iter().map(String::as_str).collect();
    names.extend(["gone", "later"]);
    let Outcome::Remainder { message, .. } = client.send(mail(&names)).await else { panic!("no rest") };
    let rest = StoredMail::from_bytes(&message).unwrap();
    assert_eq!((rest.envelope.served, rest.envelope.recipients), (120, vec!["later@x.org".to_owned()]));
    // A sender that is refused leaves the connection in step: the next mail goes out on it.
    let mut foreign = mail(&["a", "b"]);
    foreign.envelope.sender = "bad@x.org".to_owned();
    assert!(matches!(client.send(foreign).await, Outcome::Refused(_)));
    assert!(matches!(client.send(mail(&["a", "b"])).await, Outcome::Delivered(_)));
    let heard = heard.lock().unwrap();
    assert_eq!(heard.connections, 1);
    assert!(heard.lines.iter().any(|line| line == "MAIL FROM:<ci@x.org> SIZE=25"));
}

#[tokio::test]
async fn m_68_and_m_70_nothing_is_said_without_tls_or_login() {
    let (port, heard) = relay(99, "250 me").await;
    let tls = campanile_outbound::TlsConnector::new("localhost", None).unwrap();
    let strict =
        Relay::new("devs", "127.0.0.1".to_owned(), port, Encryption::Required, Some(tls), None, false);
    let Outcome::Refused(fault) = strict.send(mail(&["a"])).await else { panic!("not refused") };
    assert_eq!(fault.code, FaultCode::Tls);
    assert!(fault.text.contains("does not offer STARTTLS (use_tls = true); set use_smtps"), "{fault}");

    let credentials = super::login::Credentials {
        user: "u".to_owned(),
        password: campanile_config::Secret::new("bell-tower"),
    };
    let login =
        Relay::new("devs", "127.0.0.1".to_owned(), port, Encryption::None, None, Some(credentials), false);
    let Outcome::Refused(fault) = login.send(mail(&["a"])).await else { panic!("not refused") };
    assert_eq!(fault.code, FaultCode::Authentication);
    assert!(!fault.text.contains("bell-tower"));
    assert!(
        !heard.lock().unwrap().lines.iter().any(|line| line.starts_with("MAIL") || line.starts_with("AUTH"))
    );
}
