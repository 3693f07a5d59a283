//! Links in what is sent: to the page that a build came with, else to the CI's pages as the settings say, else nowhere.

use std::path::Path;

use serde_json::{Value, json};

use campanile_testing::forge::{ForgeServer, created, settled};
use campanile_testing::{Engine, run};

const BUILDER: &str = "bells/linux gcc";

/// An engine with this line about links in `[server]`, that mails and marks commits at GitHub and Bitbucket.
fn engine(links: &str, server: &ForgeServer) -> Engine {
    let github = server.settings("github", "token = \"bell-tower\"\n");
    let bitbucket = server.settings("bitbucket", "token = \"bell-tower\"\n").replace("statuses", "bits");
    Engine::start(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n{links}\n{github}\n{}\n\
         [[mail]]\nname = \"devs\"\nfromaddr = \"ci@example.org\"\nsend_to_interested_users = false\n\
         extra_recipients = [\"devs@example.org\"]\ntransport = \"file:outbox\"\n",
        bitbucket.split_once("\n\n").unwrap().1
    ))
}

fn ended(number: u64, url: Option<&str>) -> Value {
    json!({"event": "buildFinished", "build": {"builder": BUILDER, "number": number, "results": "failure", "url": url,
        "steps": [{"name": "compile", "results": "failure", "logs": [{"name": "stdio"}]}],
        "source_stamps": [{"project": "ada/bells", "repository": "https://bitbucket.org/ada/bells",
                           "revision": "1f0c2d3e"}]}})
}

/// The link of each status, oldest first.
fn links(server: &ForgeServer) -> Vec<Value> {
    let link =
        |body: Value| [&body["target_url"], &body["url"]].into_iter().find(|url| url.is_string()).cloned();
    server.asked().into_iter().map(|asked| link(asked.body).unwrap_or_default()).collect()
}

#[tokio::test]
async fn m_url_05_links_follow_the_pattern_of_the_cis_pages() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/links.md")).unwrap();
    let line = page.lines().find(|line| line.contains("{builder}/{number}")).unwrap();
    let server = ForgeServer::start(|_, _| created()).await;
    let engine = engine(line, &server);
    engine.event(&ended(7, None)).await;
    settled(&engine, 3).await;
    let there = "https://ci.example.org/job/bells%2Flinux%20gcc/7/";
    assert!(page.contains(there), "the page says so");
    assert_eq!(links(&server), [there, there]);
    let mails = engine.outbox(1).await.concat().replace("=\r\n", "");
    assert!(mails.contains(there) && !mails.contains("/steps/"), "{mails}");
    // A page that the build came with wins.
    engine.event(&ended(8, Some("https://elsewhere.example.org/8"))).await;
    settled(&engine, 6).await;
    assert_eq!(links(&server)[2..], ["https://elsewhere.example.org/8", "https://elsewhere.example.org/8"]);
}

#[tokio::test]
async fn m_url_07_m_url_08_nothing_leads_to_what_is_no_page() {
    let server = ForgeServer::start(|_, _| created()).await;
    let engine = engine("url_style = \"https://ci.example.org/job/{builder}/{number}/\"\n", &server);
    let unfit = ["javascript:alert(1)", "data:text/html,x", "/job/7", "https://ci@evil.example.org/"];
    for (number, url) in (1..).zip(unfit) {
        engine.event(&ended(number, Some(url))).await;
        settled(&engine, 3 * usize::try_from(number).unwrap()).await;
    }
    let known = |number| format!("https://ci.example.org/job/bells%2Flinux%20gcc/{number}/");
    let wanted: Vec<Value> =
        (1..=4).flat_map(|number| [known(number), known(number)]).map(Value::from).collect();
    assert_eq!(links(&server), wanted);
    let mut dots = ended(5, None);
    dots["build"]["builder"] = "..".into();
    engine.event(&dots).await;
    settled(&engine, 15).await;
    let of_dots = links(&server)[8..].to_vec();
    assert!(of_dots.iter().all(|link| !link.to_string().contains("..")), "{of_dots:?}");
    let mails = engine.outbox(5).await.concat().replace("=\r\n", "");
    for gone in ["javascript:", "data:", "evil", "/../"] {
        assert!(!mails.contains(gone), "{gone}: {mails}");
    }
    // Whoever asks the engine itself gets what came.
    let builds = engine.get("/api/v1/builds/bells%2Flinux%20gcc/1").await;
    assert!(builds.to_string().contains("javascript:alert(1)"), "{builds}");
}

#[tokio::test]
async fn m_url_06_where_no_pages_are_known_nothing_is_linked() {
    let server = ForgeServer::start(|_, _| created()).await;
    let engine = engine("url = \"https://campanile.example.org/\"\n", &server);
    engine.event(&ended(7, None)).await;
    let deliveries = settled(&engine, 3).await;
    assert_eq!(links(&server), [Value::Null], "GitHub takes a status without a link");
    let bits = deliveries.iter().find(|delivery| delivery["target"] == "bits").unwrap();
    assert_eq!(bits["code"], "unaddressed");
    assert!(bits["text"].as_str().unwrap().contains("`[server] url_style`"), "{bits}");
    let mails = engine.outbox(1).await.concat().replace("=\r\n", "");
    assert!(!mails.contains("http"), "{mails}");
    engine.event(&ended(8, Some("https://elsewhere.example.org/8"))).await;
    settled(&engine, 6).await;
    assert_eq!(links(&server)[1..], ["https://elsewhere.example.org/8", "https://elsewhere.example.org/8"]);
}

#[test]
fn m_url_05_m_url_06_check_says_what_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let mail = "[[mail]]\nname = \"devs\"\nfromaddr = \"ci@example.org\"\nextra_recipients = [\"devs@example.org\"]\n\
                transport = \"file:outbox\"\n";
    for (links, code, told) in [
        ("url_style = \"https://ci.example.org/{builder}/{number}\"", 0, None),
        ("url = \"https://ci.example.org/\"\nurl_style = \"modern\"", 0, None),
        ("url = \"https://ci.example.org/\"", 0, Some("warning: nothing links to it: say in `url_style`")),
        ("url_style = \"modern\"", 0, Some("warning: there is no `url` for it")),
        (
            "url_style = \"http://localhost/{number}\"",
            0,
            Some("warning: links in messages start at this machine"),
        ),
        (
            "url_style = \"old\"",
            2,
            Some("error: `url_style` must be `default`, `chapter`, `modern`, or a pattern"),
        ),
        (
            "url_style = \"https://ci.example.org/{job}/{number}\"",
            2,
            Some("error: `url_style`: `{job}` is no placeholder"),
        ),
        (
            "url_style = \"https://ci.example.org/a/../{number}\"",
            2,
            Some("error: `url_style`: it has a segment `.` or `..`"),
        ),
        (
            "url_style = \"https://ci.example.org/{builder}\"",
            2,
            Some("error: `url_style`: it lacks `{number}`"),
        ),
        (
            "url_style = \"ftp://ci.example.org/{number}\"",
            2,
            Some("error: `url_style`: it must begin with `http://`"),
        ),
    ] {
        std::fs::write(folder.path().join("campanile.toml"), format!("[server]\n{links}\n\n{mail}")).unwrap();
        let checked = run(folder.path(), &["check"]);
        let said = String::from_utf8(checked.stderr).unwrap();
        assert_eq!(checked.status.code(), Some(code), "{links}: {said}");
        match told {
            Some(told) => assert!(said.contains(told), "{links}: {said}"),
            None => assert!(!said.contains("warning"), "{links}: {said}"),
        }
    }
}
