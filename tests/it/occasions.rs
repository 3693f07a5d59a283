//! Mails by templates, and about more than one finished build, through the whole program.

use serde_json::{Value, json};

use campanile_testing::{Engine, read_by_python};

const MAIL: &str =
    "[[mail]]\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n";

fn subjects(mails: &[String]) -> Vec<&str> {
    mails.iter().filter_map(|mail| mail.lines().find_map(|line| line.strip_prefix("Subject: "))).collect()
}

/// A page from a file, with the text of the logs that it asks for.
#[tokio::test]
async fn m_x_08_m_x_11_a_template_from_a_file_writes_a_page() {
    let page = "<h1>{{ buildername }} is {{ result }}</h1>\n\
                {% for step in build.steps %}{% for log in step.logs if log.content %}\
                <pre>{{ log.content }}</pre>{% endfor %}{% endfor %}\n";
    let settings = format!(
        "{MAIL}template = {{ file = \"mail.html\" }}\ntemplate_type = \"html\"\nwant_logs_content = [\"stdio\"]\n\
         subject_template = \"{{{{ news }}}}: {{{{ projects }}}}\"\n"
    );
    let engine = Engine::start_with_file(&settings, "mail.html", page.as_bytes());
    engine.event(&json!({"event": "buildStarted", "build": {"builder": "linux", "number": 7}})).await;
    for (log, text) in [("stdio", "tower.c:1: <bell> & \u{1f514}\n"), ("config", "not asked for\n")] {
        let url = format!("{}/api/v1/builds/linux/7/steps/compile/logs/{log}", engine.url);
        let put = campanile_testing::http().put(url).body(text).send().await.unwrap();
        assert!(put.status().is_success(), "{}", put.status());
    }
    engine.build(7, "failure").await;
    let mails = engine.outbox(1).await;
    let Some(read) = read_by_python(&engine.folder, &mails) else { return };
    let mail = &read[0];
    assert_eq!(subjects(&mails), ["a failed build: bells"]);
    let parts: Vec<(&str, &str)> = mail["parts"].as_array().unwrap().iter().map(kind_and_text).collect();
    let [("text/plain", text), ("text/html", html)] = parts[..] else { panic!("{mail:#}") };
    assert!(text.starts_with("Campanile reports a failed build on builder linux"), "{text}");
    assert!(html.contains("<h1>linux is failure</h1>"), "{html}");
    assert!(html.contains("<pre>tower.c:1: &lt;bell&gt; &amp; \u{1f514}"), "{html}");
    assert!(!html.contains("not asked for"), "{html}");
}

fn kind_and_text(part: &Value) -> (&str, &str) {
    (part["kind"].as_str().unwrap(), part["content"].as_str().unwrap())
}

/// M-22 to M-25: one mail for a buildset, none for its builds.
#[tokio::test]
async fn m_22_one_mail_tells_of_a_whole_buildset() {
    let engine = Engine::start(&format!("{MAIL}build_set_summary = true\n"));
    for (builder, results, who) in
        [("linux", "failure", "ada"), ("mac", "success", "zoe"), ("arm", "skipped", "eve")]
    {
        let stamp = json!({"changes": [{"who": who, "comments": "ring"}]});
        let build = json!({"builder": builder, "number": 3, "results": results, "buildset": 5, "source_stamps": [stamp]});
        engine.event(&json!({"event": "buildFinished", "build": build})).await;
    }
    engine.event(&json!({"event": "buildsetComplete", "buildset": {"bsid": 5, "results": "failure"}})).await;
    let mails = engine.outbox(1).await;
    assert_eq!(subjects(&mails), ["campanile failure in Test CI on (whole buildset)"]);
    let mail = &mails[0];
    assert!(mail.contains("To: ada@example.org,\r\n zoe@example.org\r\n"), "{mail}");
    assert!(
        mail.contains("on builder linux") && mail.contains("on builder mac") && !mail.contains("builder arm"),
        "{mail}"
    );
    let deliveries = engine.deliveries().await;
    let waited = deliveries.iter().filter(|delivery| delivery["code"] == "buildset-summary").count();
    assert_eq!((deliveries.len(), waited), (4, 3));
}

/// M-X-05 and M-X-13: builds that begin and workers that are missing, to those who asked for it.
#[tokio::test]
async fn m_x_05_m_x_13_begins_and_missing_workers_are_mailed_on_demand() {
    let engine = Engine::start(&format!("{MAIL}report_new = true\nwatched_workers = [\"w1\"]\nmode = []\n"));
    let stamp = json!({"changes": [{"who": "ada", "comments": "ring"}]});
    let build = json!({"builder": "linux", "number": 3, "source_stamps": [stamp]});
    engine.event(&json!({"event": "buildStarted", "build": build})).await;
    for name in ["w2", "w1"] {
        let worker = json!({"name": name, "notify": ["ops@example.org"]});
        engine.event(&json!({"event": "workerMissing", "worker": worker})).await;
    }
    let mails = engine.outbox(2).await;
    assert_eq!(subjects(&mails), ["campanile started in Test CI on linux", "Test CI: worker w1 is missing"]);
    assert!(mails[1].contains("To: ops@example.org\r\n"), "{}", mails[1]);
}

/// M-03: targets that differ in their names only are two, and each sends.
#[tokio::test]
async fn m_03_equal_targets_with_two_names_both_send() {
    let named = |name: &str| MAIL.replacen("[[mail]]\n", &format!("[[mail]]\nname = \"{name}\"\n"), 1);
    let engine = Engine::start(&[named("one"), named("two")].concat());
    engine.build(1, "failure").await;
    let mails = engine.outbox(2).await;
    assert_eq!(subjects(&mails), ["campanile failure in Test CI on linux"; 2]);
}

/// M-08: a builder is judged by the tags that it has when the build finishes; also one that nobody had announced.
/// M-46: what is told is the build as it was then, whatever is told of it later.
#[tokio::test]
async fn m_08_tags_count_as_they_are_at_the_end_and_m_46_later_news_changes_nothing() {
    let engine = Engine::start(&format!("{MAIL}tags = [\"fast\"]\n"));
    let builder =
        |tags: &[&str]| json!({"event": "builderAdded", "builder": {"name": "linux", "tags": tags}});
    engine.event(&builder(&["slow"])).await;
    for (number, tags) in [(1, ["slow"]), (2, ["fast"])] {
        engine.event(&builder(&tags)).await;
        let mut event = campanile_testing::build_finished(number, "failure");
        event["build"]["tags"] = json!(tags);
        engine.event(&event).await;
    }
    let mails = engine.outbox(1).await;
    assert!(mails[0].contains("/builds/2"), "{}", mails[0]);
    // The same fact again, told otherwise, makes no second mail and leaves the first as it is.
    let mut again = campanile_testing::build_finished(2, "success");
    again["build"]["tags"] = json!(["fast"]);
    engine.event(&again).await;
    let retried = engine.deliveries().await.into_iter().find(|row| row["state"] == "delivered").unwrap();
    let (status, _) = engine.post(&format!("/api/v1/deliveries/{}/retry", retried["id"]), "").await;
    assert_eq!(status, 200);
    campanile_testing::patiently("it is sent again", async || {
        let row = engine.get(&format!("/api/v1/deliveries/{}", retried["id"])).await;
        (row["delivery"]["attempts"] == 2 && row["delivery"]["state"] == "delivered").then_some(())
    })
    .await;
    assert_eq!(engine.outbox(1).await, mails);
}

/// M-04b: told at the next start, once there is a builder to compare with.
#[tokio::test]
async fn m_04b_names_that_no_builder_has_are_told() {
    let mut engine = Engine::start(&format!("{MAIL}builders = [\"linux\", \"linnux\"]\n"));
    assert!(!engine.log().contains("no builder is known"), "nothing is known yet");
    engine.build(1, "failure").await;
    engine.kill_and_restart();
    let told = engine.log();
    assert!(
        told.contains("no builder is known that is called `linnux`") && !told.contains("called `linux`"),
        "{told}"
    );
}

/// M-X-02: on one line of the log, so that nothing in a mail passes for a line of the engine's own.
#[tokio::test]
async fn m_x_02_mails_go_to_the_log_on_demand() {
    let engine = Engine::start(&format!("{MAIL}dump_mails_to_log = true\n"));
    engine.build(1, "failure").await;
    let mails = engine.outbox(1).await;
    let log = engine.log();
    let line = log.lines().find(|line| line.contains("mail: as it will be sent")).expect("no such line");
    let head = mails[0].split("\r\n").next().unwrap();
    assert!(line.contains(head) && line.contains("The build failed: failure compile"), "{line}");
}
