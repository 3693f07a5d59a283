//! The SMTP client at a real relay: TLS, logins, extensions, refusals, sizes (M-65 to M-72, M-X-01,
//! M-X-15).

use std::net::UdpSocket;

use serde_json::{Value, json};

use campanile_testing::{Engine, SmtpServer, patiently, run, write_settings};

fn settings(port: u16, more: &str) -> String {
    settings_for("localhost", port, more)
}

fn settings_for(host: &str, port: u16, more: &str) -> String {
    format!(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"Test CI <ci@example.org>\"\nlookup = \"example.org\"\n\
         relayhost = \"{host}\"\nsmtp_port = {port}\n{more}"
    )
}

fn text(delivery: &Value) -> &str {
    delivery["text"].as_str().unwrap()
}

/// Certificates that are not right, by STARTTLS and from the start: the mail waits, and not a word of it is said.
#[tokio::test]
async fn m_68_m_x_01_wrong_certificates_are_refused() {
    let mut seen = 0;
    for (options, trusted, reason) in [
        (vec!["--starttls"], false, "UnknownIssuer"),
        (vec!["--starttls", "--expired"], true, "expired"),
        (vec!["--starttls", "--name", "relay.example.org"], true, "not valid for name"),
        (vec!["--smtps"], false, "UnknownIssuer"),
        (vec!["--smtps", "--name", "relay.example.org"], true, "not valid for name"),
    ] {
        let Some(smtp) = SmtpServer::start(&options) else { return };
        let key = if options[0] == "--smtps" { "use_smtps" } else { "use_tls" };
        let ca = if trusted { format!("tls_ca = {:?}\n", smtp.ca()) } else { String::new() };
        let engine = Engine::start(&settings(smtp.port, &format!("{key} = true\n{ca}")));
        engine.build(1, "failure").await;
        let delivery = engine.failed("tls").await;
        assert_eq!(delivery["state"], "waiting", "a certificate can be put right: {delivery}");
        let said = text(&delivery);
        assert!(said.contains("the relay localhost:") && said.contains(reason), "{options:?}: {said}");
        assert!(said.contains("check its certificate, `relayhost` and `tls_ca`"), "{said}");
        assert!(smtp.mails().is_empty() && smtp.told("named").is_empty(), "{options:?}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[tokio::test]
async fn m_x_01_tls_from_the_first_byte() {
    let Some(smtp) = SmtpServer::start(&["--smtps", "--auth", "bell:tower"]) else { return };
    let more = format!(
        "use_smtps = true\ntls_ca = {:?}\nsmtp_user = \"bell\"\nsmtp_password = \"tower\"\n",
        smtp.ca()
    );
    let engine = Engine::start(&settings(smtp.port, &more));
    engine.build(1, "failure").await;
    let mails = smtp.wait_for(1).await;
    assert_eq!((&mails[0]["tls"], &mails[0]["user"]), (&json!("TLSv1.3"), &json!("bell")));
    assert!(smtp.told("hellos").iter().all(|hello| hello["tls"] == "TLSv1.3"));
}

/// A port that does not start with TLS.
#[tokio::test]
async fn m_x_01_a_port_that_begins_in_the_clear() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let engine = Engine::start(&settings(smtp.port, "use_smtps = true\n"));
    engine.build(1, "failure").await;
    let delivery = engine.failed("tls").await;
    assert!(text(&delivery).contains("that its port starts with TLS"), "{delivery}");
    assert!(smtp.mails().is_empty());
}

/// Somebody on the way puts answers behind the relay's own one to STARTTLS. They must not pass for words under TLS.
#[tokio::test]
async fn m_68_what_is_said_in_the_clear_behind_starttls_counts_for_nothing() {
    let Some(smtp) = SmtpServer::start(&["--starttls", "--inject"]) else { return };
    let more = format!("use_tls = true\ntls_ca = {:?}\n", smtp.ca());
    let engine = Engine::start(&settings(smtp.port, &more));
    engine.build(1, "failure").await;
    let delivery = engine.failed("tls").await;
    assert!(text(&delivery).contains("it said more behind its answer to STARTTLS"), "{delivery}");
    assert!(smtp.mails().is_empty() && smtp.told("named").is_empty());
    assert!(
        smtp.told("hellos").iter().all(|hello| hello["tls"].is_null()),
        "nothing was said under such TLS"
    );
}

#[tokio::test]
async fn m_68_a_relay_without_starttls_is_final() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let engine = Engine::start(&settings(smtp.port, "use_tls = true\n"));
    engine.build(1, "failure").await;
    let delivery = engine.delivery_in("dead").await;
    let wanted = format!(
        "the relay localhost:{} does not offer STARTTLS (use_tls = true); set use_smtps for a port that starts with TLS",
        smtp.port
    );
    assert!(text(&delivery).contains(&wanted), "{delivery}");
    assert!(smtp.mails().is_empty());
}

#[tokio::test]
async fn m_69_starttls_without_use_tls() {
    let Some(smtp) = SmtpServer::start(&["--starttls", "--auth", "bell:tower"]) else { return };
    let more = format!("tls_ca = {:?}\nsmtp_user = \"bell\"\nsmtp_password = \"tower\"\n", smtp.ca());
    let engine = Engine::start(&settings(smtp.port, &more));
    engine.build(1, "failure").await;
    assert_eq!(smtp.wait_for(1).await[0]["tls"], "TLSv1.3", "with credentials it is used when offered");

    let Some(smtp) = SmtpServer::start(&["--starttls"]) else { return };
    let engine = Engine::start(&settings(smtp.port, ""));
    engine.build(1, "failure").await;
    assert_eq!(smtp.wait_for(1).await[0]["tls"], Value::Null, "without them it is not tried");
}

#[tokio::test]
async fn m_70_every_mechanism() {
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let Some(smtp) = SmtpServer::start(&["--auth", "bell:töwer", "--mechanism", mechanism]) else {
            return;
        };
        let engine = Engine::start(&settings(smtp.port, "smtp_user = \"bell\"\nsmtp_password = \"töwer\"\n"));
        engine.build(1, "failure").await;
        assert_eq!(smtp.wait_for(1).await[0]["user"], "bell", "{mechanism}");
        assert_eq!(smtp.told("logins"), [json!({"mechanism": mechanism, "tls": null})]);
    }
}

#[tokio::test]
async fn m_70_cram_md5_first_and_another_one_if_it_does_not_work() {
    let Some(smtp) = SmtpServer::start(&["--auth", "bell:tower"]) else { return };
    smtp.behave(&json!({"cram": "broken"}));
    let engine = Engine::start(&settings(smtp.port, "smtp_user = \"bell\"\nsmtp_password = \"tower\"\n"));
    engine.build(1, "failure").await;
    smtp.wait_for(1).await;
    let logins: Vec<Value> = smtp.told("logins").iter().map(|login| login["mechanism"].clone()).collect();
    assert_eq!(logins, ["CRAM-MD5", "PLAIN"]);
}

#[tokio::test]
async fn m_70_a_login_that_is_wanted_and_not_offered_is_final() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let engine = Engine::start(&settings(smtp.port, "smtp_user = \"bell\"\nsmtp_password = \"tower\"\n"));
    engine.build(1, "failure").await;
    let delivery = engine.delivery_in("dead").await;
    assert_eq!(delivery["code"], "authentication");
    assert!(text(&delivery).contains("offers no login by CRAM-MD5, PLAIN or LOGIN"), "{delivery}");
    assert!(smtp.mails().is_empty());
}

/// An address of this machine that is not the loopback one. No packet is sent to find it.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then(|| address.to_string())
}

#[tokio::test]
async fn m_70_no_password_in_the_clear_to_another_host() {
    let Some(host) = own_address() else {
        return campanile_testing::skip("this machine has no address but the loopback one");
    };
    let credentials = "smtp_user = \"bell\"\nsmtp_password = \"tower\"\n";
    for (mechanism, more, sent) in [
        ("PLAIN LOGIN", "", false),
        ("PLAIN LOGIN", "allow_plain_auth = true\n", true),
        ("PLAIN CRAM-MD5", "", true),
    ] {
        let options = ["--host", &host, "--auth", "bell:tower", "--mechanism", mechanism];
        let Some(smtp) = SmtpServer::start(&options) else { return };
        let engine = Engine::start(&settings_for(&host, smtp.port, &format!("{credentials}{more}")));
        engine.build(1, "failure").await;
        if sent {
            assert_eq!(smtp.wait_for(1).await[0]["user"], "bell");
            continue;
        }
        let delivery = engine.delivery_in("dead").await;
        assert_eq!(delivery["code"], "authentication");
        assert!(text(&delivery).contains("would get the password unencrypted"), "{delivery}");
        assert!(smtp.told("logins").is_empty() && smtp.mails().is_empty());
    }
}

#[tokio::test]
async fn m_71_the_greeting_is_a_full_name_or_an_address() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let engine = Engine::start(&settings(smtp.port, ""));
    for number in 1..=5 {
        engine.build(number, "failure").await;
    }
    smtp.wait_for(5).await;
    let hellos = smtp.told("hellos");
    let name = hellos[0]["name"].as_str().unwrap();
    assert!(name.contains('.') && (name.starts_with('[') == name.ends_with(']')), "{name}");
    assert!(hellos.len() < 5, "connections are kept: {hellos:?}");
}

/// Texts of other scripts go to a relay that takes ASCII only, and arrive whole.
#[tokio::test]
async fn m_63_a_relay_without_8bitmime() {
    let options =
        ["--without", "8BITMIME", "--without", "SMTPUTF8", "--without", "PIPELINING", "--without", "SIZE"];
    let Some(smtp) = SmtpServer::start(&options) else { return };
    let engine = Engine::start(&settings(smtp.port, ""));
    let mut event = campanile_testing::build_finished(1, "failure");
    event["build"]["reason"] = json!("Grüße 🔔");
    engine.event(&event).await;
    let mail = smtp.wait_for(1).await.remove(0);
    assert!(mail["text"].as_str().unwrap().contains("Grüße 🔔"));
    assert_ne!(mail["parts"][0]["encoding"], "8bit");
    assert_eq!(mail["options"], json!([]));
}

/// An address that is not ASCII: as it is where the relay can write it, else it is left out and the others are told.
#[tokio::test]
async fn m_62_m_67_addresses_of_other_scripts() {
    let more = "extra_recipients = [\"Jörg <jörg@example.org>\"]\n";
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let engine = Engine::start(&settings(smtp.port, more));
    engine.build(1, "failure").await;
    let mail = smtp.wait_for(1).await.remove(0);
    assert_eq!(mail["to"], json!(["ada@example.org", "jörg@example.org"]));
    assert!(mail["options"].as_array().unwrap().contains(&json!("SMTPUTF8")), "{}", mail["options"]);
    assert_eq!(engine.delivery_in("delivered").await["code"], Value::Null);

    let Some(smtp) = SmtpServer::start(&["--without", "SMTPUTF8"]) else { return };
    let engine = Engine::start(&settings(smtp.port, more));
    engine.build(1, "failure").await;
    let mail = smtp.wait_for(1).await.remove(0);
    assert_eq!((&mail["to"], &mail["defects"]), (&json!(["ada@example.org"]), &json!([])));
    assert_eq!(mail["addresses"]["To"], json!([["", "ada@example.org"]]));
    let delivery = engine.delivery_in("delivered").await;
    assert_eq!(delivery["code"], "partly");
    assert!(
        text(&delivery).contains("refused `jörg@example.org` (553 it does not offer SMTPUTF8"),
        "{delivery}"
    );
}

#[tokio::test]
async fn m_67_a_retry_goes_only_to_those_left() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    smtp.behave(&json!({"rcpt": {
        "gone@example.org": "550 5.1.1 no such user", "later@example.org": "450 4.2.1 mailbox busy"}}));
    let more = "extra_recipients = [\"gone@example.org\", \"later@example.org\"]\n";
    let engine = Engine::start(&settings(smtp.port, more));
    engine.build(1, "failure").await;
    smtp.wait_for(1).await;
    engine.logs("took the mail for 1, but not yet for 1 (450").await;
    smtp.behave(&json!({}));
    // The half minute that a relay is left alone is not waited for here.
    let waiting = engine.delivery_in("waiting").await;
    let due = waiting["not_before"].as_f64().unwrap() - waiting["created"].as_f64().unwrap();
    assert!((29.0..50.0).contains(&due), "M-67: {due} s");
    let server = engine.url.as_str();
    let args = ["deliveries", "--server", server, "retry", "--state", "waiting", "--yes"];
    let retried = run(&engine.folder, &args);
    assert!(retried.status.success(), "{retried:?}");
    let mails = smtp.wait_for(2).await;
    assert_eq!(mails[0]["to"], json!(["ada@example.org"]));
    assert_eq!(mails[1]["to"], json!(["later@example.org"]));
    assert_eq!(mails[0]["message_id"], mails[1]["message_id"]);
    let delivery = engine.delivery_in("delivered").await;
    assert!(text(&delivery).contains("refused `gone@example.org`"), "{delivery}");
    let named = smtp.told("named");
    let times = |name: &str| named.iter().filter(|one| *one == name).count();
    assert_eq!((times("ada@example.org"), times("gone@example.org")), (1, 1), "{named:?}");
}

#[tokio::test]
async fn m_67_m_t_07_a_relay_comes_up_again() {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = probe.local_addr().unwrap().port();
    drop(probe);
    let mut engine = Engine::start(&settings(port, ""));
    engine.build(1, "failure").await;
    engine.build(2, "failure").await;
    engine.failed("connection").await;
    // Also over a crash, nothing is lost.
    engine.kill_and_restart();
    let Some(smtp) = SmtpServer::start_later(port) else { return };
    let mails = smtp.wait_for(2).await;
    assert_ne!(mails[0]["message_id"], mails[1]["message_id"]);
    patiently("both are delivered", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
    assert_eq!(smtp.mails().len(), 2);
}

/// Sends a failing build with two logs, of 1 KB and of 60 KB.
async fn build_with_logs(engine: &Engine) {
    let mut started = campanile_testing::build_finished(1, "failure");
    started["event"] = "buildStarted".into();
    started["build"].as_object_mut().unwrap().remove("results");
    engine.event(&started).await;
    for (log, lines) in [("small", 100), ("large", 6000)] {
        let url = format!("{}/api/v1/builds/linux/1/steps/compile/logs/{log}", engine.url);
        let body = "ten bytes\n".repeat(lines);
        assert_eq!(campanile_testing::http().put(url).body(body).send().await.unwrap().status(), 200);
    }
    engine.build(1, "failure").await;
}

fn names(mail: &Value) -> Vec<&str> {
    mail["parts"].as_array().unwrap().iter().filter_map(|part| part["name"].as_str()).collect()
}

fn note(mail: &Value) -> &str {
    mail["parts"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap()
}

#[tokio::test]
async fn m_x_15_the_relays_size_and_the_settings_limit_what_is_attached() {
    for (options, more, said) in [
        (vec!["--size", "20000"], "", "the mail relay takes 20000 bytes at most"),
        (
            vec![],
            "max_message_bytes = \"20 KiB\"\n",
            "this mail may have 20480 bytes at most (max_message_bytes)",
        ),
    ] {
        let Some(smtp) = SmtpServer::start(&options) else { return };
        let engine = Engine::start(&settings(smtp.port, &format!("add_logs = true\n{more}")));
        build_with_logs(&engine).await;
        let mail = smtp.wait_for(1).await.remove(0);
        assert!(mail["bytes"].as_u64().unwrap() < 20_480);
        assert_eq!(names(&mail), ["compile.small"]);
        let url = "https://ci.example.org/builders/linux/builds/1/steps/compile/logs/large";
        assert_eq!(
            note(&mail).replace("\r\n", "\n"),
            format!("Left out: {said}:\n- compile.large, 60000 bytes: {url}\n")
        );
        assert_eq!(mail["defects"], json!([]));
        assert!(
            mail["options"].as_array().unwrap().iter().any(|one| one.as_str().unwrap().starts_with("SIZE="))
        );
    }
}

#[tokio::test]
async fn m_x_15_m_t_09_a_relay_that_refuses_the_size_gets_the_text_alone() {
    let Some(smtp) = SmtpServer::start(&["--without", "SIZE"]) else { return };
    smtp.behave(&json!({"room": 5000}));
    let engine = Engine::start(&settings(smtp.port, "add_logs = true\n"));
    build_with_logs(&engine).await;
    let mail = smtp.wait_for(1).await.remove(0);
    assert_eq!(names(&mail), Vec::<&str>::new());
    let said = note(&mail);
    assert!(said.starts_with("Left out: the mail relay did not take them:"), "{said}");
    assert!(
        said.contains("- compile.small, 1000 bytes") && said.contains("- compile.large, 60000"),
        "{said}"
    );
    engine.delivery_in("delivered").await;
}

#[tokio::test]
async fn m_x_15_a_text_that_no_relay_takes_is_final() {
    let Some(smtp) = SmtpServer::start(&["--size", "100"]) else { return };
    let engine = Engine::start(&settings(smtp.port, ""));
    engine.build(1, "failure").await;
    let delivery = engine.delivery_in("dead").await;
    assert_eq!(delivery["code"], "content");
    assert!(text(&delivery).contains("takes no mail of more than 100 bytes"), "{delivery}");
}

#[tokio::test]
async fn m_t_06_check_connect_says_everything_that_the_relay_offers() {
    let Some(smtp) = SmtpServer::start(&["--starttls", "--auth", "bell:tower", "--size", "10240000"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let more = format!(
        "use_tls = true\ntls_ca = {:?}\nsmtp_user = \"bell\"\nsmtp_password = \"tower\"\n",
        smtp.ca()
    );
    write_settings(folder.path(), &settings(smtp.port, &more));
    let checked = run(folder.path(), &["check", "--connect"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let wanted = format!(
        "dev: localhost:{} answers (TLS 1.3, the credentials work by CRAM-MD5) and offers 8BITMIME, SMTPUTF8, \
         PIPELINING, SIZE 10240000, AUTH CRAM-MD5 LOGIN PLAIN",
        smtp.port
    );
    assert!(checked.status.success() && said.contains(&wanted), "{said}");
    assert!(smtp.mails().is_empty(), "a check sends nothing");
}
