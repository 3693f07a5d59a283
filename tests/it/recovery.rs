//! After an outage: what waited goes out, in order, at once, or not at all, as somebody says.

use campanile_testing::{Engine, SmtpServer, free_port, patiently, run};

fn settings(port: u16) -> String {
    format!(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\nextra_recipients = [\"ada@example.org\"]\n\
         mode = \"all\"\nrelayhost = \"127.0.0.1\"\nsmtp_port = {port}\n"
    )
}

/// Runs `campanile deliveries` against the engine; gives what it prints, and its exit code.
fn deliveries(engine: &Engine, arguments: &[&str]) -> (String, Option<i32>) {
    let done = run(&engine.folder, &[&["deliveries", "--server", &engine.url], arguments].concat());
    let [out, err] = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap());
    (out + &err, done.status.code())
}

/// The last word is the last one: the failure comes before the success that followed it.
#[tokio::test]
async fn m_72_m_dlv_01_after_an_outage_a_builders_mails_come_in_order() {
    let port = free_port();
    let engine = Engine::start(&settings(port));
    engine.build(1, "failure").await;
    engine.failed("connection").await;
    engine.build(2, "success").await;
    let Some(smtp) = SmtpServer::start_later(port) else { return };
    engine.build(3, "failure").await;
    smtp.wait_for(3).await;
    patiently("all are delivered", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
    })
    .await;
    let mut attempts = Vec::new();
    for id in 1..=3 {
        let shown = engine.get(&format!("/api/v1/deliveries/{id}")).await;
        attempts.push(shown["attempts"].as_array().unwrap().last().unwrap()["at"].as_f64().unwrap());
    }
    assert!(attempts.is_sorted(), "{attempts:?}");
}

#[tokio::test]
async fn m_dlv_05_what_waits_is_counted_hurried_and_dropped() {
    let engine = Engine::start(&settings(free_port()));
    for number in 1..=3 {
        engine.build(number, "failure").await;
    }
    engine.failed("connection").await;
    let (listed, _) = deliveries(&engine, &["list", "--state", "waiting"]);
    assert_eq!(listed.matches("; next try 20").count(), 3, "{listed}");
    assert!(deliveries(&engine, &["show", "1"]).0.contains("; next try 20"));
    let counted = deliveries(&engine, &["retry", "--target", "dev", "--dry-run"]);
    assert_eq!(counted, ("3 deliveries would be sent\n".to_owned(), Some(0)));
    let (asked, code) = deliveries(&engine, &["retry", "--target", "dev"]);
    assert!(asked.contains("3 deliveries would be sent: add `--yes` to do it"), "{asked}");
    assert_eq!(code, Some(1));
    let none = deliveries(&engine, &["retry", "--state", "dead", "--since", "3d"]);
    assert_eq!(none, ("0 deliveries would be sent\n".to_owned(), Some(0)));
    let (hurried, code) = deliveries(&engine, &["retry", "2", "3"]);
    assert_eq!((hurried.as_str(), code), ("2 deliveries wait to be sent, slowly at first\n", Some(0)));
    patiently("all are dropped", async || {
        // One that is just being sent stays.
        let (told, code) = deliveries(&engine, &["drop", "--target", "dev", "--yes"]);
        assert_eq!(code, Some(0), "{told}");
        engine.deliveries().await.iter().all(|delivery| delivery["code"] == "dropped").then_some(())
    })
    .await;
    let (refused, code) = deliveries(&engine, &["retry", "1"]);
    assert!(refused.contains("delivery 1 is silent"), "{refused}");
    assert_eq!(code, Some(1));
    assert!(deliveries(&engine, &["retry", "99"]).0.contains("there is no delivery 99"));
    let (unsaid, _) = deliveries(&engine, &["retry", "--yes"]);
    assert!(unsaid.contains("name the deliveries"), "{unsaid}");
    let (audited, _) = {
        let done = run(&engine.folder, &["audit", "--server", &engine.url]);
        (String::from_utf8(done.stdout).unwrap(), done.status.code())
    };
    assert!(audited.contains("POST /api/v1/deliveries/drop"), "{audited}");
}
