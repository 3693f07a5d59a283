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
    let [third, second, first] = listed.lines().collect::<Vec<_>>()[..] else { panic!("{listed}") };
    for waiting in [third, second] {
        // Never a time of its own: that has passed.
        assert!(
            waiting.contains("; waits for delivery 1, which is ") && !waiting.contains("next try"),
            "{listed}"
        );
    }
    let shown = deliveries(&engine, &["show", "1"]).0;
    for own in [first, &shown] {
        assert!(own.contains("; next try 20") || own.contains("; due or being sent"), "{own}");
    }
    let (explained, _) = deliveries(&engine, &["explain", "linux/2"]);
    assert!(explained.contains("; waits for delivery 1, which is "), "{explained}");
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
    let dropped = "delivery 1 is not to be sent any more: dropped by somebody on this machine at 20";
    assert!(refused.contains(dropped), "{refused}");
    assert_eq!(code, Some(1));
    let (explained, _) = deliveries(&engine, &["explain", "linux/1"]);
    assert!(explained.contains("dropped by somebody on this machine at 20"), "{explained}");
    assert!(deliveries(&engine, &["retry", "99"]).0.contains("there is no delivery 99"));
    let (unsaid, _) = deliveries(&engine, &["retry", "--yes"]);
    assert!(unsaid.contains("name the deliveries"), "{unsaid}");
    let (audited, _) = {
        let done = run(&engine.folder, &["audit", "--server", &engine.url]);
        (String::from_utf8(done.stdout).unwrap(), done.status.code())
    };
    assert!(audited.contains("POST /api/v1/deliveries/drop"), "{audited}");
}

/// One and many, each reason by itself, and a target that there is not.
#[tokio::test]
async fn m_dlv_05_what_stays_as_it_is_has_its_reason() {
    let mut engine = Engine::start(&format!(
        "{}[[mail]]\nname = \"quiet\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nmode = \"warnings\"\n\n\
         [[mail]]\nname = \"loud\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nmode = \"all\"\n\
         extra_recipients = [\"bob@example.org\"]\n",
        settings(free_port())
    ));
    engine.build(1, "failure").await;
    let [mut waiting, mut silent, mut delivered] = [0; 3];
    patiently("all have come to rest", async || {
        // One look for all of them: between two, one that waits may be delivered.
        let all = engine.deliveries().await;
        for (state, id) in [("waiting", &mut waiting), ("silent", &mut silent), ("delivered", &mut delivered)]
        {
            *id = all.iter().find(|of| of["state"] == state)?["id"].as_i64()?;
        }
        Some(())
    })
    .await;
    let [waits, mute, sent] = [waiting, silent, delivered].map(|id| id.to_string());
    let told = patiently("it is not being sent", async || {
        let (told, _) = deliveries(&engine, &["drop", &waits, &mute, &sent, "98", "99"]);
        told.starts_with("1 delivery is dropped\n").then_some(told)
    })
    .await;
    for line in [
        format!("1 delivery stays as it is: it is silent: nothing was to be sent ({mute})\n"),
        format!("1 delivery stays as it is: it is delivered already ({sent})\n"),
        "2 deliveries stay as they are: they are not there (98, 99)\n".to_owned(),
    ] {
        assert!(told.contains(&line), "{told}");
    }
    let again = deliveries(&engine, &["drop", &waits, "--dry-run"]);
    let stays = format!("1 delivery stays as it is: it is dropped already ({waits})\n");
    assert_eq!(again, (format!("0 deliveries would be dropped\n{stays}"), Some(0)));
    assert_eq!(deliveries(&engine, &["retry", &waits, &mute]).0.lines().count(), 3);
    for command in [
        &["list", "--target", "laud"][..],
        &["retry", "--target", "laud", "--yes"],
        &["drop", "--target", "laud"],
    ] {
        let (told, code) = deliveries(&engine, command);
        assert_eq!(code, Some(1), "{told}");
        assert!(
            told.contains(
                "target: there is no `laud`: did you mean `loud`? there are `dev`, `quiet`, `loud`"
            ),
            "{told}"
        );
    }
    // One that is gone is known while deliveries of it are.
    campanile_testing::write_settings(&engine.folder, &settings(free_port()));
    engine.kill_and_restart();
    let (listed, code) = deliveries(&engine, &["list", "--target", "loud"]);
    assert!(code == Some(0) && listed.contains("delivered"), "{listed}");
    assert_eq!(deliveries(&engine, &["drop", "--target", "loud", "--yes"]).1, Some(0));
    assert_eq!(deliveries(&engine, &["list", "--target", "laud"]).1, Some(1));
}

/// A relay that has no room refuses every mail, whosever it is: when one gets through, all others are due.
#[tokio::test]
async fn m_dlv_04_a_relay_that_had_no_room_gets_all_that_waited() {
    let Some(smtp) = SmtpServer::start(&[]) else { return };
    let engine = Engine::start(&settings(smtp.port));
    smtp.behave(&serde_json::json!({"mail": "452 4.3.1 Insufficient system storage"}));
    let told = async |builder: &str| {
        engine
            .event(&serde_json::json!({"event": "buildFinished",
            "build": {"builder": builder, "number": 1, "results": "failure"}}))
            .await;
    };
    for builder in ["a", "b", "c", "d", "e"] {
        told(builder).await;
    }
    let waiting = engine.failed("busy").await;
    let text = waiting["text"].as_str().unwrap();
    assert!(text.contains("452 4.3.1") && !text.contains("fromaddr"), "{text}");
    patiently("each has been tried once", async || {
        engine.deliveries().await.iter().all(|delivery| delivery["attempts"] == 1).then_some(())
    })
    .await;
    // Shorter outages are none (M-DLV-04).
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    smtp.behave(&serde_json::json!({}));
    told("f").await;
    smtp.wait_for(6).await;
    for id in 1..=5 {
        let shown = engine.get(&format!("/api/v1/deliveries/{id}")).await;
        let attempts: Vec<f64> = shown["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attempt| attempt["at"].as_f64().unwrap())
            .collect();
        let [first, second] = attempts[..] else { panic!("{shown}") };
        assert!(
            second - first < 30.0,
            "by its own time it would have been tried after half a minute: {shown}"
        );
    }
}
