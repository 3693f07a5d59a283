//! Mails read back by Python's `email` package, and compared with what went in: whatever the texts hold, readers see
//! the same, and the form stays right (M-39 to M-64).

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use campanile_testing::{Engine, guest, read_by_python, skip};

/// Texts that have broken mails somewhere (M-T-04: lines of 998 octets; M-T-05: other scripts), and what RFC 2047 has.
fn nasty() -> Vec<String> {
    let mut texts: Vec<String> = [
        "plain",
        "Grün & <b>fett</b> \"zitiert\" \\ quer 'und' so",
        "\u{1f514}\u{1f514} ÄÖÜß \u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} e\u{301}",
        "日本語のビルド 中文 עברית العربية",
        "\u{202e}rückwärts\u{2028}neue Zeile\u{2029}Absatz\u{85}NEL",
        "x\r\nBcc: evil@example.org\r\n\r\n<b>body</b>",
        "x\nX-Evil: 1\n\ty",
        "tab\tvertical\u{b}form\u{c}nul\0bell\u{7}escape\u{1b}[31m del\u{7f}",
        "=?utf-8?q?looks_encoded?= =?x?b?=",
        " leading,  double   and trailing ",
        "a,b;c:d<e@f.g>(h)[i]{j}|`id`$(id)",
        "%(prop:none)s 100% %% %s %(result)s",
        ".\n..\n.dot\n",
        "--\n--boundary\n----campanile-0\n-- \n",
        "From here\n>From there\nFrom",
        "\u{feff}bom \u{fffd} \u{e000} \u{10ffff}",
        "../../etc/passwd\\..\\con",
        "CON.txt:stream*?\"<>|",
        ". .",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(1200));
    texts.push("word ".repeat(300));
    texts.push("ü".repeat(700));
    texts.push(format!("{}\u{1f514}", "a".repeat(38)));
    for length in [996, 997, 998, 999] {
        texts.push(format!("first\n{}\nlast\n", "y".repeat(length)));
    }
    texts
}

/// A text as a header holds it: each run of line breaks and each tab is a space; other control characters go, and what
/// turns the rest of the line around (M-TXT-05).
fn on_one_line(text: &str) -> String {
    let breaks = |c: char| "\n\r\u{b}\u{c}\u{85}\u{2028}\u{2029}".contains(c);
    let mut line = String::new();
    let mut after_break = false;
    for c in text.chars() {
        if breaks(c) || c == '\t' {
            if !(breaks(c) && after_break) {
                line.push(' ');
            }
        } else if !c.is_control() && !matches!(c, '\u{202e}' | '\u{feff}') {
            line.push(c);
        }
        after_break = breaks(c);
    }
    line
}

/// A text as a file name (M-58).
fn as_file_name(text: &str) -> String {
    let bad = |c: char| c.is_control() || "/\\\u{2028}\u{2029}".contains(c);
    text.chars()
        .map(|c| if bad(c) { '_' } else { c })
        .take(120)
        .collect::<String>()
        .trim()
        .replace("=?", "=_")
}

/// Any line ends as LF, and none at the end.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\n').to_owned()
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn header<'a>(mail: &'a Value, name: &str) -> Option<&'a str> {
    let headers = mail["headers"].as_array().unwrap();
    headers.iter().find(|header| header[0] == name).and_then(|header| header[1].as_str())
}

/// No complaints, no long or broken lines, no header that we did not write.
fn is_sound(mail: &Value, names: &[&str], what: &str) {
    assert_eq!(mail["defects"], json!([]), "{what}");
    assert!(mail["longest"].as_u64().unwrap() <= 998, "{what}: {}", mail["longest"]);
    assert_eq!(mail["bare"], 0, "{what}: a lone CR or LF");
    let mut found: Vec<&str> =
        mail["headers"].as_array().unwrap().iter().map(|header| header[0].as_str().unwrap()).collect();
    let mut wanted = [
        &["Date", "Subject", "From", "To", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"],
        names,
    ]
    .concat();
    found.retain(|name| *name != "Content-Transfer-Encoding");
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{what}");
}

fn event(name: &str, number: usize, text: &str, results: Option<&str>) -> Value {
    let mut build = json!({
        "builder": text, "number": number, "text": [text], "reason": text, "worker": text,
        "properties": {"any": text, "number": number},
        "source_stamps": [{"branch": text, "revision": text, "project": text, "codebase": text,
                           "patch": {"level": 1, "body": text, "author": "ada", "comment": text}}],
        "steps": [{"name": text, "results": "failure", "logs": [{"name": text}]}]});
    if let Some(results) = results {
        build["results"] = results.into();
    }
    json!({"event": name, "build": build})
}

#[tokio::test]
async fn m_41_m_58_m_61_m_62_m_63_every_text_in_every_place_is_read_back() {
    let engine = Engine::start(
        "[server]\nlisten = \"127.0.0.1:0\"\nurl = \"https://ci.example.org/\"\nurl_style = \"default\"\ntitle = \"Über-CI \u{1f514}\"\n\n\
         [[mail]]\nname = \"dev\"\nfromaddr = \"Jörg, Ü. \u{1f514} <ci@example.org>\"\ntransport = \"file:outbox\"\n\
         extra_recipients = [\"Böb \\\"B\\\" <bob@example.org>\"]\nadd_logs = true\nmode = \"failing\"\n\
         send_to_interested_users = false\n\
         extra_headers = { X-Any = \"%(prop:any)s\", X-Number = \"%(prop:number)s\", X-100 = \"100% %s\" }\n",
    );
    let texts = nasty();
    for (number, text) in texts.iter().enumerate() {
        engine.event(&event("buildStarted", number, text, None)).await;
        let name = utf8_percent_encode(text, NON_ALPHANUMERIC);
        let url = format!("{}/api/v1/builds/{name}/{number}/steps/{name}/logs/{name}", engine.url);
        let put = campanile_testing::http().put(url).body(text.clone()).send().await.unwrap();
        assert_eq!(put.status(), 200, "{text:?}: {}", put.text().await.unwrap());
        engine.event(&event("buildFinished", number, text, Some("failure"))).await;
    }
    let Some(mails) = read_by_python(&engine.folder, &engine.outbox(texts.len()).await) else { return };
    assert_eq!(mails.len(), texts.len());
    for mail in &mails {
        let number: usize = header(mail, "X-Number").unwrap().parse().unwrap();
        let text = &texts[number];
        is_sound(mail, &["X-Any", "X-Number", "X-100"], text);
        let subject = on_one_line(&format!("campanile failure in Über-CI \u{1f514} on {text}"));
        assert_eq!(mail["subject"].as_str().unwrap(), subject.trim(), "M-39, M-41: {text:?}");
        assert_eq!(header(mail, "X-Any").unwrap(), on_one_line(text).trim(), "M-61: {text:?}");
        assert_eq!(header(mail, "X-100").unwrap(), "100% %s", "M-61");
        assert_eq!(mail["addresses"]["From"], json!([["Jörg, Ü. \u{1f514}", "ci@example.org"]]), "M-62");
        assert_eq!(mail["addresses"]["To"], json!([["Böb \"B\"", "bob@example.org"]]), "M-62");
        assert_eq!(mail["tree"], "multipart/mixed[text/plain, text/plain, text/plain]", "M-55: {text:?}");
        assert!(letters(mail["text"].as_str().unwrap()).contains(&letters(text)), "M-63: {text:?}");
        let [body, patch, log] = mail["parts"].as_array().unwrap().as_slice() else { panic!("{mail}") };
        assert_eq!(body["charset"], "utf-8", "M-63");
        for (part, name) in
            [(patch, "source patch 0".to_owned()), (log, as_file_name(&format!("{text}.{text}")))]
        {
            assert_eq!(lines(part["content"].as_str().unwrap()), lines(text), "M-56, M-57: {text:?}");
            assert_eq!(part["name"], name, "M-58: {text:?}");
            assert_eq!((&part["disposition"], &part["charset"]), (&json!("attachment"), &json!("utf-8")));
        }
    }
}

/// Names of senders that are written in every way that RFC 5322 has.
#[tokio::test]
async fn m_62_names_of_senders_are_read_back() {
    let names = [
        "plain",
        "Doe, Jane (QA) [x]",
        "a.b",
        "Jörg",
        "\u{1f514}",
        "quote \" and \\ back",
        "semi; colon: at@sign",
        "=?utf-8?q?x?=",
        "日本語",
        "Ü, \"Ö\" \u{1f469}\u{200d}\u{1f467}",
    ];
    let long = "Ünd so weiter ".repeat(12);
    let long = long.trim_end();
    let wordy = "word ".repeat(30);
    let names: Vec<&str> = names.into_iter().chain([long, wordy.trim_end()]).collect();
    let tables: String = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let from = json!(format!("{name} <ci{number}@example.org>"));
            format!(
                "[[mail]]\nfromaddr = {from}\nextra_recipients = [\"a@example.org\"]\ntransport = \"file:outbox\"\n"
            )
        })
        .collect();
    let engine = Engine::start(&tables);
    engine.build(1, "failure").await;
    let Some(mails) = read_by_python(&engine.folder, &engine.outbox(names.len()).await) else { return };
    for mail in &mails {
        is_sound(mail, &[], "a sender");
        let from = &mail["addresses"]["From"];
        let address = from[0][1].as_str().unwrap();
        let number: usize = address.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
        assert_eq!(from, &json!([[names[number], address]]));
    }
}

/// A page with its plain text, and attachments beside both.
#[tokio::test]
async fn m_43_m_55_a_page_with_its_text_and_attachments() {
    let Some(component) = guest("html-mail") else { return skip("the guest `html-mail` is not built") };
    let settings = "[callbacks.html]\ncomponent = \"html-mail.wasm\"\n\n\
        [[mail]]\nfromaddr = \"ci@example.org\"\nextra_recipients = [\"a@example.org\"]\ntransport = \"file:outbox\"\n\
        message_formatter = \"html\"\nadd_logs = true\nmode = \"failing\"\n";
    let engine = Engine::start_with_file(settings, "html-mail.wasm", &std::fs::read(component).unwrap());
    let text = "Grüße <script>alert(1)</script> \u{1f514}\n.\n";
    engine.event(&event("buildStarted", 1, text, None)).await;
    let name = utf8_percent_encode(text, NON_ALPHANUMERIC);
    let url = format!("{}/api/v1/builds/{name}/1/steps/{name}/logs/{name}", engine.url);
    assert_eq!(campanile_testing::http().put(url).body(text).send().await.unwrap().status(), 200);
    engine.event(&event("buildFinished", 1, text, Some("failure"))).await;
    let Some(mails) = read_by_python(&engine.folder, &engine.outbox(1).await) else { return };
    let mail = &mails[0];
    is_sound(mail, &[], "a page");
    assert_eq!(
        mail["tree"],
        "multipart/mixed[multipart/alternative[text/plain, text/html], text/plain, text/plain]"
    );
    let parts = mail["parts"].as_array().unwrap();
    let content = |number: usize| parts[number]["content"].as_str().unwrap();
    assert!(content(0).contains("Grüße <script>alert(1)</script> \u{1f514}"), "{}", content(0));
    assert!(content(1).contains("&lt;script&gt;") && !content(1).contains("<script>"), "{}", content(1));
    for number in [2, 3] {
        assert_eq!(lines(content(number)), lines(text));
    }
}

/// Mails of one run of trouble name the same root, those of the next run another one.
#[tokio::test]
async fn m_x_16_a_run_of_trouble_is_one_thread() {
    let table = |name: &str, more: &str| {
        format!(
            "[[mail]]\nname = \"{name}\"\nfromaddr = \"{name}@example.org\"\nextra_recipients = [\"a@example.org\"]\n\
             transport = \"file:outbox\"\nmode = \"all\"\n{more}\n"
        )
    };
    let engine = Engine::start(
        &[
            table("builder", "thread_by = \"builder\""),
            table("branch", "threadBy = \"branch\""),
            table("change", "thread_by = \"change\""),
            table("own", "thread_by = \"builder\"\nextra_headers = { References = \"<mine@example.org>\" }"),
            table("none", ""),
        ]
        .concat(),
    );
    for (number, results, branch, revision) in [
        (1, "success", "main", "a"),
        (2, "failure", "main", "b"),
        (3, "failure", "main", "b"),
        (4, "success", "side", "c"),
        (5, "failure", "main", "d"),
        (6, "success", "main", "e"),
        (7, "failure", "main", "f"),
    ] {
        let mut event = campanile_testing::build_finished(number, results);
        event["build"]["source_stamps"][0]["branch"] = branch.into();
        event["build"]["source_stamps"][0]["revision"] = revision.into();
        engine.event(&event).await;
        // Each build's mails are written before the next one ends, as in life.
        engine.outbox(usize::try_from(number).unwrap() * 5).await;
    }
    let Some(mails) = read_by_python(&engine.folder, &engine.outbox(35).await) else { return };
    let threads = |target: &str| -> Vec<Option<String>> {
        let of = |mail: &&Value| mail["addresses"]["From"][0][1] == format!("{target}@example.org");
        mails.iter().filter(of).map(|mail| header(mail, "References").map(str::to_owned)).collect()
    };
    // Which builds belong together, by the first of each group.
    let groups = |target: &str| -> Vec<usize> {
        let threads = threads(target);
        threads.iter().map(|thread| threads.iter().position(|one| one == thread).unwrap() + 1).collect()
    };
    assert_eq!(groups("builder"), [1, 2, 2, 2, 5, 5, 7]);
    assert_eq!(groups("branch"), [1, 2, 2, 4, 2, 2, 7], "a success elsewhere ends nothing");
    assert_eq!(groups("change"), [1, 2, 2, 4, 5, 6, 7]);
    assert_eq!(threads("own"), vec![Some("<mine@example.org>".to_owned()); 7], "M-60");
    assert_eq!(threads("none"), vec![None; 7]);
    for mail in &mails {
        let root = header(mail, "In-Reply-To");
        assert_ne!(header(mail, "Message-ID"), root);
        if mail["addresses"]["From"][0][1] != "own@example.org" {
            assert_eq!(header(mail, "References"), root);
        }
    }
}

/// Logs as they come out, in pieces of three channels, and logs that are no text.
#[tokio::test]
async fn m_57_m_t_08_logs_are_attached_without_marks_and_headers() {
    let engine = Engine::start(
        "[[mail]]\nfromaddr = \"ci@example.org\"\nextra_recipients = [\"a@example.org\"]\n\
         transport = \"file:outbox\"\nadd_logs = [\"stdio\", \"test.bytes\"]\nmode = \"failing\"\n",
    );
    let mut started = campanile_testing::build_finished(1, "failure");
    started["event"] = "buildStarted".into();
    started["build"].as_object_mut().unwrap().remove("results");
    engine.event(&started).await;
    for (step, log) in [("compile", "stdio"), ("test", "stdio"), ("test", "bytes"), ("compile", "bytes")] {
        for (channel, text) in [
            ("header", "argv: make\n"),
            ("stdout", "one\nh two\n"),
            ("stderr", "o three\n"),
            ("header", "exit code 2\n"),
        ] {
            let log = json!({"build": {"builder": "linux", "number": 1}, "step": step, "log": log});
            let mut chunk = json!({"event": "logChunk", "channel": channel, "text": text});
            chunk.as_object_mut().unwrap().extend(log.as_object().unwrap().clone());
            engine.event(&chunk).await;
        }
    }
    let url = format!("{}/api/v1/builds/linux/1/steps/test/logs/bytes", engine.url);
    let put = campanile_testing::http().put(url).body(b"\xff\xfe raw \x00\n".to_vec()).send().await.unwrap();
    assert_eq!(put.status(), 200);
    engine.build(1, "failure").await;
    let Some(mails) = read_by_python(&engine.folder, &engine.outbox(1).await) else { return };
    let parts = mails[0]["parts"].as_array().unwrap();
    let found: Vec<(&str, String)> = parts[1..]
        .iter()
        .map(|part| (part["name"].as_str().unwrap(), lines(part["content"].as_str().unwrap())))
        .collect();
    let text = "one\nh two\no three".to_owned();
    assert_eq!(
        found[..2],
        [("compile.stdio", text.clone()), ("test.stdio", text)],
        "M-57: by name, in order"
    );
    assert_eq!(found.len(), 3, "M-57: by label, and `compile.bytes` was not asked for: {found:?}");
    assert!(found[2].0 == "test.bytes" && found[2].1.ends_with("\u{fffd}\u{fffd} raw \0"), "{found:?}");
}
