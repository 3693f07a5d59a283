//! Builds whose senders mean readers ill: addresses that are no pages, names that forge lines or turn text.

use serde_json::{Value, json};

use campanile_testing::{Engine, read_by_python};

const NAME: &str = "x\r\n\r\nResponsible: \u{202e}nobody\u{2066}\u{1b}[2J";
const LINK: &str = "javascript:alert(1)";

fn hostile(builder: &str, number: u64) -> Value {
    json!({"event": "buildFinished", "build": {
        "builder": format!("{builder} {NAME}"), "number": number, "results": "failure", "url": LINK, "reason": NAME,
        "worker": NAME, "text": ["failed", NAME], "buildset": 5,
        "source_stamps": [{"branch": NAME, "revision": "1f0c2d", "project": NAME, "changes": [
            {"who": format!("{NAME} <ada@example.org>"), "comments": NAME, "files": [NAME], "revision": "1f0c2d3e",
             "revlink": LINK}]}],
        "steps": [{"name": NAME, "results": "failure", "urls": {"page": LINK},
                   "logs": [{"name": NAME, "url": LINK}]}]}})
}

/// The contents of one kind of all mails.
fn contents(mails: &[Value], kind: &str) -> Vec<String> {
    let parts = mails.iter().flat_map(|mail| mail["parts"].as_array().unwrap());
    let parts = parts.filter(|part| part["kind"] == kind);
    parts.map(|part| part["content"].as_str().unwrap().replace("\r\n", "\n")).collect()
}

fn settings(more: &str) -> String {
    format!(
        "[[mail]]\nname = \"devs\"\nfromaddr = \"ci@example.org\"\nextra_recipients = [\"devs@example.org\"]\n\
         transport = \"file:outbox\"\ntemplate_type = \"html\"\n{more}"
    )
}

#[tokio::test]
async fn m_txt_05_m_txt_08_m_url_07_m_77_a_mail_forges_turns_and_links_nothing() {
    let engine = Engine::start(&settings("build_set_summary = true\n"));
    engine.event(&hostile("linux", 3)).await;
    engine.event(&hostile("mac", 4)).await;
    engine.event(&json!({"event": "buildsetComplete", "buildset": {"bsid": 5, "results": "failure"}})).await;
    let Some(mails) = read_by_python(&engine.folder, &engine.outbox(1).await) else { return };
    let (pages, texts) = (contents(&mails, "text/html"), contents(&mails, "text/plain"));
    let ([page], [text]) = (pages.as_slice(), texts.as_slice()) else { panic!("{mails:#?}") };
    for tag in ["<!DOCTYPE html>", "<html", "<head>", "<body", "</body>", "</html>"] {
        assert_eq!(page.matches(tag).count(), 1, "M-77: {tag}");
    }
    assert!(page.len() < 60_000 && page.contains("linux x") && page.contains("mac x"), "{page}");
    for whole in [page, text] {
        for gone in ["javascript:", "\u{202e}", "\u{2066}", "\u{1b}"] {
            assert!(!whole.contains(gone), "{gone:?}: {whole}");
        }
    }
    assert!(page.contains("href=\"https://ci.example.org/builders/linux%20x"), "as `url_style` says: {page}");
    let forged = text.lines().filter(|line| line.starts_with("Responsible: nobody")).count();
    assert_eq!((forged, text.matches("\n-- \nCampanile").count()), (0, 1), "{text}");
    // The API has what came.
    let builds = engine.get("/api/v1/builds?limit=5").await.to_string();
    assert!(builds.contains(LINK) && builds.contains("\u{202e}"), "M-TXT-08: {builds}");
}

/// M-52, M-54: a success after a build that was cancelled restores nothing; an exception is no failure.
#[tokio::test]
async fn m_52_m_54_words_say_what_happened() {
    let engine = Engine::start(&settings("").replace("\"html\"\n", "\"plain\"\nmode = \"all\"\n"));
    for (number, results) in (1..).zip(["success", "cancelled", "success", "exception", "skipped", "success"])
    {
        engine.build(number, results).await;
        engine.outbox(usize::try_from(number).unwrap()).await;
    }
    let mails = engine.outbox(6).await;
    let begins: Vec<&str> = mails
        .iter()
        .map(|mail| {
            mail.split("Campanile reports ").nth(1).and_then(|text| text.split(" on builder").next()).unwrap()
        })
        .collect();
    assert_eq!(
        begins,
        [
            "a passing build",
            "a cancelled build",
            "a passing build",
            "a build stopped by an exception",
            "a skipped build",
            "a restored build"
        ]
    );
    assert!(mails[3].contains("The build ended with an exception: exception compile"), "{}", mails[3]);
}
