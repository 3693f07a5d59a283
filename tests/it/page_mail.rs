//! The example `page-mail`: a mail that its reader has the reason in, whatever somebody wrote into a commit or a log.

use std::path::Path;
use std::process::Command;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use campanile_testing::{Engine, guest, program, read_by_python, skip};

const HOSTILE: &str = "<script>alert('1')</script>";

const SETTINGS: &str = "[callbacks.page]\ncomponent = \"page-mail.wasm\"\ndeadline = \"10s\"\n\n\
    [[mail]]\nfromaddr = \"ci@example.org\"\nextra_recipients = [\"list@example.org\"]\ntransport = \"file:outbox\"\n\
    mode = [\"failing\"]\nmessage_formatter = \"page\"\n";

/// A build of 500 steps and 100 changes, in each of them the same text.
fn huge(event: &str, text: &str) -> Value {
    let step = |number: u32| {
        let results = if number == 250 { "failure" } else { "success" };
        json!({"name": format!("{number} {text}"), "results": results, "started": 1000 + number, "finished": 1002 + number})
    };
    let change = |number: u32| {
        json!({"who": format!("{text} <ada@example.org>"), "comments": format!("{number} {text}\n\nmore"), "files": [text],
               "revision": format!("{number:040x}"), "revlink": format!("javascript:{text}")})
    };
    let mut build = json!({
        "builder": format!("linux {text}"), "number": 7, "reason": text, "worker": text, "started": 1000, "text": ["failed", text],
        "source_stamps": [{"branch": "main", "revision": "1f0c2d", "project": text, "changes": (0..100).map(change).collect::<Vec<_>>()}],
        "steps": (0..500).map(step).collect::<Vec<_>>()});
    if event == "buildFinished" {
        build["results"] = "failure".into();
        build["finished"] = 1502.into();
    }
    json!({"event": event, "build": build})
}

/// One content of a mail as Python reads it.
fn content(mail: &Value, kind: &str) -> String {
    let parts = mail["parts"].as_array().unwrap();
    let part = parts.iter().find(|part| part["kind"] == kind).unwrap();
    part["content"].as_str().unwrap().replace("\r\n", "\n")
}

#[tokio::test]
async fn a_page_mail_quotes_the_log_and_stays_small_and_harmless() {
    let Some(component) = guest("page-mail") else { return skip("the guest `page-mail` is not built") };
    let engine = Engine::start_with_file(SETTINGS, "page-mail.wasm", &std::fs::read(component).unwrap());
    engine.event(&huge("buildStarted", HOSTILE)).await;
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (builder, step) = (encoded(&format!("linux {HOSTILE}")), encoded(&format!("250 {HOSTILE}")));
    let url = format!("{}/api/v1/builds/{builder}/7/steps/{step}/logs/stdio", engine.url);
    let lines: String = (1..=200).map(|line| format!("line {line} {HOSTILE}\n")).collect();
    let put = campanile_testing::http().put(url).body(lines).send().await.unwrap();
    assert_eq!(put.status(), 200);
    engine.event(&huge("buildFinished", HOSTILE)).await;

    let Some(mails) = read_by_python(&engine.folder, &engine.outbox(1).await) else { return };
    let mail = &mails[0];
    assert_eq!(mail["tree"], "multipart/alternative[text/plain, text/html]");
    assert_eq!(mail["defects"], json!([]));
    assert_eq!(mail["subject"], format!("linux {HOSTILE} #7 on main: failed (250 {HOSTILE})"));

    let page = content(mail, "text/html");
    assert!(page.len() < 30_000, "{} bytes", page.len());
    assert!(!page.contains("<script") && !page.contains("href=\"javascript:"), "{page}");
    let escaped = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;";
    for part in [
        format!("linux {escaped} #7 failed</span>"),
        "on main · after 8m 22s</span>".to_owned(),
        format!(">250 {escaped} failed</b>"),
        "the last 30 of 200 lines of <a".to_owned(),
        format!("line 171 {escaped}\n"),
        format!("line 200 {escaped}</pre>"),
        format!("99 {escaped}<span"),
        ">90 older ones are not shown<".to_owned(),
        ">499 more are not shown<".to_owned(),
        ">Open build #7</a>".to_owned(),
    ] {
        assert!(page.contains(&part), "{part} is missing from:\n{page}");
    }
    assert!(!page.contains("line 170 "), "not one line more: {page}");

    let text = content(mail, "text/plain");
    for part in [format!("    line 200 {HOSTILE}\n"), format!(": 99 {HOSTILE}\n")] {
        assert!(text.contains(&part), "{part} is missing from:\n{text}");
    }
}

/// The commands of its README, on the build that lies beside it.
#[test]
fn the_sample_of_the_page_mail_can_be_previewed() {
    let Some(component) = guest("page-mail") else { return skip("the guest `page-mail` is not built") };
    let folder = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest-examples/rust/page-mail/sample.json");
    let page = folder.path().join("mail.html");
    let mut preview = Command::new(program());
    preview.arg("preview").arg(component).arg("--sample").arg(sample).arg("--html").arg(&page);
    let output = preview.args(["--deadline", "20000"]).env("XDG_CACHE_HOME", folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("subject: linux #7 on main: failed (compile)\n"), "{told}");
    assert!(told.contains("Broken since #5 by Ada Läuter, for 3 builds so far.\n"), "{told}");
    let page = std::fs::read_to_string(page).unwrap();
    for part in [
        ">compile failed</b>",
        "error: &#39;clapper&#39; undeclared",
        "<a class=\"link\" href=\"https://git.example.org/bells/commit/e1d0ba8\"",
        "Swing it &amp; let it ring<span",
        "@media (prefers-color-scheme: dark)",
    ] {
        assert!(page.contains(part), "{part} is missing from:\n{page}");
    }
}
