//! Mail through a real SMTP server: TLS, credentials, refusals, retries, and what a mail says (M-50 to M-72).

use serde_json::json;

use campanile_testing::{Engine, SmtpServer};

fn settings(port: u16, more: &str) -> String {
    format!(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"Test CI <ci@example.org>\"\nlookup = \"example.org\"\n\
         relayhost = \"localhost\"\nsmtp_port = {port}\n{more}"
    )
}

#[tokio::test]
async fn m_68_m_70_m_x_14_starttls_and_auth_and_m_59_headers() {
    let Some(smtp) = SmtpServer::start(&["--starttls", "--auth", "bell:tower"]) else { return };
    let more = format!(
        "use_tls = true\ntls_ca = {:?}\nsmtp_user = \"bell\"\nsmtp_password = {{ file = \"password\" }}\n\
         extra_recipients = [\"Team <team@example.org>\"]\n",
        smtp.ca()
    );
    let engine = Engine::start_with_file(&settings(smtp.port, &more), "password", b"tower\n");
    engine.build(1, "failure").await;
    let mails = smtp.wait_for(1).await;
    let mail = &mails[0];
    assert_eq!(mail["tls"], "TLSv1.3");
    assert_eq!(mail["user"], "bell");
    assert_eq!(mail["from"], "ci@example.org", "M-66");
    assert_eq!(mail["to"], json!(["ada@example.org", "team@example.org"]), "M-35");
    assert!(mail["subject"].as_str().unwrap().contains("failure"), "M-39: {}", mail["subject"]);
    assert_eq!(mail["defects"], json!([]));
    let text = mail["text"].as_str().unwrap();
    for fact in ["linux", "bells", "https://ci.example.org/builders/linux/builds/1", "ada", "1f0c2d"] {
        assert!(text.contains(fact), "M-50: {fact} is missing in {text}");
    }
    let header = |name: &str| {
        let headers = mail["headers"].as_array().unwrap();
        headers.iter().find(|header| header[0] == name).map(|header| header[1].as_str().unwrap().to_owned())
    };
    assert_eq!(header("Auto-Submitted").as_deref(), Some("auto-generated"), "M-59");
    assert!(header("Message-ID").unwrap().ends_with("@example.org>"), "M-59");
    assert_eq!(header("Cc").as_deref(), Some("Team <team@example.org>"));
    let delivery = engine.delivery_in("delivered").await;
    assert_eq!(delivery["attempts"], 1);
}

#[tokio::test]
async fn m_68_a_certificate_of_nobody_we_know_is_not_trusted() {
    let Some(smtp) = SmtpServer::start(&["--starttls"]) else { return };
    let engine = Engine::start(&settings(smtp.port, "use_tls = true\n"));
    engine.build(1, "failure").await;
    let delivery = campanile_testing::patiently("an attempt fails", async || {
        engine.deliveries().await.into_iter().find(|delivery| delivery["code"] == "tls")
    })
    .await;
    assert_ne!(delivery["state"], "delivered");
    assert!(smtp.mails().is_empty());
}

#[tokio::test]
async fn m_70_wrong_credentials_never_show_the_password() {
    let Some(smtp) = SmtpServer::start(&["--auth", "bell:tower"]) else { return };
    let engine =
        Engine::start(&settings(smtp.port, "smtp_user = \"bell\"\nsmtp_password = \"hunter2secret\"\n"));
    engine.build(1, "failure").await;
    campanile_testing::patiently("authentication fails", async || {
        engine.deliveries().await.into_iter().find(|delivery| delivery["code"] == "authentication")
    })
    .await;
    assert!(smtp.mails().is_empty());
    let log = engine.log();
    assert!(!log.contains("hunter2secret"));
}

#[tokio::test]
async fn m_67_one_refused_recipient_does_not_deprive_the_others() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    smtp.behave(&json!({"rcpt": {"gone@example.org": "550 5.1.1 no such user"}}));
    let engine = Engine::start(&settings(smtp.port, "extra_recipients = [\"gone@example.org\"]\n"));
    engine.build(1, "failure").await;
    let mails = smtp.wait_for(1).await;
    assert_eq!(mails[0]["to"], json!(["ada@example.org"]));
    let delivery = engine.delivery_in("delivered").await;
    assert_eq!(delivery["code"], "partly");
    assert!(delivery["text"].as_str().unwrap().contains("gone@example.org"), "{delivery}");
}

#[tokio::test]
async fn m_67_all_refused_is_final_and_a_person_can_retry() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    smtp.behave(&json!({"rcpt": {"ada@example.org": "550 5.1.1 no such user"}}));
    let engine = Engine::start(&settings(smtp.port, ""));
    engine.build(1, "failure").await;
    let delivery = engine.delivery_in("dead").await;
    assert_eq!(delivery["code"], "rejected");
    smtp.behave(&json!({}));
    let (status, _) = engine.post(&format!("/api/v1/deliveries/{}/retry", delivery["id"]), "").await;
    assert_eq!(status, 200);
    smtp.wait_for(1).await;
    engine.delivery_in("delivered").await;
}

#[tokio::test]
async fn m_67_not_now_is_tried_again_with_the_same_message() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    smtp.behave(&json!({"mail": "421 4.3.2 not now"}));
    let engine = Engine::start(&settings(smtp.port, ""));
    engine.build(1, "failure").await;
    campanile_testing::patiently("an attempt fails", async || {
        engine.deliveries().await.into_iter().find(|delivery| delivery["attempts"] != 0)
    })
    .await;
    smtp.behave(&json!({}));
    smtp.wait_for(1).await;
    let delivery = engine.delivery_in("delivered").await;
    assert!(delivery["attempts"].as_u64().unwrap() >= 2);
}

#[tokio::test]
async fn m_59_a_connection_lost_after_data_repeats_the_message_id() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    smtp.behave(&json!({"data": "drop"}));
    let engine = Engine::start(&settings(smtp.port, ""));
    engine.build(1, "failure").await;
    smtp.wait_for(1).await;
    smtp.behave(&json!({}));
    engine.delivery_in("delivered").await;
    let mails = smtp.mails();
    assert!(mails.len() >= 2, "the far side took it over twice, as far as it can tell");
    assert!(mails.iter().all(|mail| mail["message_id"] == mails[0]["message_id"]));
}

#[tokio::test]
async fn m_67_a_relay_that_is_down_costs_nothing() {
    // A port that nobody listens on until the relay comes up there.
    let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = probe.local_addr().unwrap().port();
    drop(probe);
    let engine = Engine::start(&settings(port, ""));
    engine.build(1, "failure").await;
    let delivery = campanile_testing::patiently("an attempt fails", async || {
        engine.deliveries().await.into_iter().find(|delivery| delivery["attempts"] != 0)
    })
    .await;
    assert_eq!((&delivery["state"], &delivery["code"]), (&json!("waiting"), &json!("connection")));
}

/// Each target decides for itself, and what one comes to is nothing to the other.
#[tokio::test]
async fn m_13_m_21_silences_are_stored_with_their_reason() {
    let engine = Engine::start(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
         lookup = \"example.org\"\nmode = [\"change\"]\n\n\
         [[mail]]\nname = \"other\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox2\"\n\
         lookup = \"example.org\"\nbuilders = [\"windows\"]\n",
    );
    engine.build(1, "success").await;
    engine.build(2, "success").await;
    engine.build(3, "retry").await;
    engine.build(4, "failure").await;
    let mails = engine.outbox(1).await;
    assert_eq!(mails.len(), 1, "only the change from success to failure");
    let silent = campanile_testing::patiently("all are settled", async || {
        let all = engine.deliveries().await;
        all.iter().all(|delivery| delivery["state"] != "waiting").then_some(all)
    })
    .await;
    let code = |target: &str, subject: &str| {
        let found = silent.iter().find(|row| row["target"] == target && row["subject"] == subject);
        found.map(|row| row["code"].clone()).unwrap()
    };
    assert_eq!(code("dev", "linux #1"), "mode");
    assert_eq!(code("dev", "linux #2"), "mode");
    assert_eq!(code("dev", "linux #3"), "retry");
    assert_eq!(code("other", "linux #4"), "builders");
}

#[tokio::test]
async fn m_ev_06_a_target_that_fails_takes_nothing_from_another() {
    let more = "\n[[mail]]\nname = \"other\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
                lookup = \"example.org\"\n";
    let engine = Engine::start(&settings(campanile_testing::free_port(), more));
    engine.build(1, "failure").await;
    let mails = engine.outbox(1).await;
    assert!(mails[0].contains("/builds/1"), "{}", mails[0]);
    let failed = engine.failed("connection").await;
    assert_eq!((&failed["target"], &failed["state"]), (&json!("dev"), &json!("waiting")));
    engine.logs("failed, to be tried again").await;
}

#[tokio::test]
async fn m_41_m_62_text_from_outside_stays_text() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let engine = Engine::start(&settings(smtp.port, ""));
    let mut event = campanile_testing::build_finished(1, "failure");
    event["build"]["builder"] = json!("lin\r\nBcc: evil@example.org\r\n\u{fc}x \u{1f514}");
    event["build"]["reason"] = json!("Grüße 🔔");
    engine.event(&event).await;
    let mails = smtp.wait_for(1).await;
    let names: Vec<_> =
        mails[0]["headers"].as_array().unwrap().iter().map(|header| header[0].clone()).collect();
    assert!(!names.contains(&json!("Bcc")), "{names:?}");
    assert_eq!(mails[0]["to"], json!(["ada@example.org"]));
    assert!(mails[0]["subject"].as_str().unwrap().contains("\u{fc}x \u{1f514}"), "{}", mails[0]["subject"]);
    assert!(mails[0]["text"].as_str().unwrap().contains("Grüße 🔔"));
}

#[tokio::test]
async fn m_t_06_check_connect_says_what_the_relay_offers() {
    let Some(smtp) = SmtpServer::start(&["--starttls"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let more = format!("use_tls = true\ntls_ca = {:?}\n", smtp.ca());
    campanile_testing::write_settings(folder.path(), &settings(smtp.port, &more));
    let checked = campanile_testing::run(folder.path(), &["check", "--connect"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}{}", String::from_utf8_lossy(&checked.stderr));
    assert!(
        said.contains("dev: ")
            && said.contains("answers (TLS 1.3) and offers 8BITMIME, SMTPUTF8, PIPELINING, SIZE 33554432"),
        "{said}"
    );

    campanile_testing::write_settings(folder.path(), &settings(1, ""));
    let refused = campanile_testing::run(folder.path(), &["check", "--connect"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("dev: connection: "));
}

#[tokio::test]
async fn m_55_m_57_m_x_15_logs_are_attached_by_name_and_cut_to_their_end() {
    let engine = Engine::start(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n\
         add_logs = [\"compile.stdio\", \"warnings\"]\nmax_attachment_bytes = 1000\n",
    );
    let mut started = campanile_testing::build_finished(1, "failure");
    started["event"] = "buildStarted".into();
    started["build"].as_object_mut().unwrap().remove("results");
    engine.event(&started).await;
    for (log, text) in [
        ("stdio", (1..=500).map(|line| format!("line {line}\n")).collect::<String>()),
        ("warnings", "short \u{fc}\n".to_owned()),
        ("other", "not wanted\n".to_owned()),
    ] {
        let url = format!("{}/api/v1/builds/linux/1/steps/compile/logs/{log}", engine.url);
        assert_eq!(campanile_testing::http().put(url).body(text).send().await.unwrap().status(), 200);
    }
    engine.build(1, "failure").await;
    let mail = engine.outbox(1).await.remove(0);
    assert!(mail.contains("multipart/mixed"), "{mail}");
    let (stdio, warnings) = (mail.find("compile.stdio").unwrap(), mail.find("compile.warnings").unwrap());
    assert!(stdio < warnings, "in the order of logs");
    assert!(!mail.contains("compile.other") && !mail.contains("not wanted"), "{mail}");
    assert!(mail.contains("line 500") && !mail.contains("line 100\r\n"), "the end of a long log: {mail}");
    assert!(mail.contains("[this log has "), "a cut log says so: {mail}");
}

#[tokio::test]
async fn m_pr_04_m_pr_05_headers_and_templates_have_what_every_build_has() {
    let engine = Engine::start(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n\
         extra_headers = { X-Branch = \"%(prop:branch)s\", X-Build = \"%(prop:buildername)s/%(prop:buildnumber)s\", \
         X-Revision = \"%(prop:revision)s\" }\n\
         subject_template = \"{{ buildername }}: {{ news }} ({{ build.properties.branch[0] }})\"\n",
    );
    engine.build(1, "failure").await;
    let mail = engine.outbox(1).await.remove(0);
    for header in [
        "X-Branch: main\n",
        "X-Build: linux/1\n",
        "X-Revision: 1f0c2d\n",
        "Subject: linux: a failed build (main)\n",
    ] {
        assert!(mail.replace("\r\n", "\n").contains(header), "{header}: {mail}");
    }
}

/// The end of a log is readable, whatever it was coloured with, in the built-in text and in templates.
#[tokio::test]
async fn m_73_m_74_m_log_03_a_mail_says_why() {
    let dev = "fromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n";
    let engine = Engine::start(&format!(
        "[[mail]]\nname = \"text\"\n{dev}\n[[mail]]\nname = \"template\"\n{dev}want_logs_content = true\n\
         template = \"{{% for step in build.steps %}}{{% for log in step.logs %}}{{{{ log.content }}}}{{% endfor %}}{{% endfor %}}\"\n",
    ));
    engine.build(1, "success").await;
    let mut started = campanile_testing::build_finished(2, "failure");
    started["event"] = "buildStarted".into();
    started["build"].as_object_mut().unwrap().remove("results");
    engine.event(&started).await;
    let log = b"\x1b[2K[##--] 50%\r[####] 100%\n\x1b[1m\x1b[38;5;9merror\x1b[0m: no \xff\0bell\n";
    let url = format!("{}/api/v1/builds/linux/2/steps/compile/logs/stdio", engine.url);
    assert_eq!(campanile_testing::http().put(url).body(log.to_vec()).send().await.unwrap().status(), 200);
    engine.build(2, "failure").await;
    let mails = engine.outbox(4).await;
    let Some(read) = campanile_testing::read_by_python(&engine.folder, &mails) else { return };
    let mails: Vec<String> =
        read.iter().map(|mail| mail["text"].as_str().unwrap().replace("\r\n", "\n")).collect();
    let told = |part: &str| mails.iter().any(|mail| mail.contains(part));
    let log = "[####] 100%\n    error: no \u{fffd}bell\n";
    assert!(
        told(&format!(
            "compile failed. The end of its log stdio, https://ci.example.org/builders/linux/builds/2/steps/compile/logs/stdio:\n\n    {log}"
        )),
        "{mails:#?}"
    );
    assert!(told("Broken since this build: #1 worked.\n"), "{mails:#?}");
    assert!(told("Changes:\n    ada: ring\n"), "{mails:#?}");
    assert!(mails.iter().any(|mail| mail.starts_with("[####] 100%\nerror: no \u{fffd}bell\n")), "{mails:#?}");
}
