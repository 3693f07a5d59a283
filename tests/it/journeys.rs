//! Journeys of a user: from a push to a mail, through hooks, reports and the settings as the README has them.

use std::path::PathBuf;

use serde_json::{Value, json};

use campanile_testing::{Engine, http, run};

/// A mail to whoever has broken it, and hooks that tell who that is.
const SETTINGS: &str = "[server]\nlisten = \"127.0.0.1:0\"\n\n[change_hooks.dialects]\nbase = true\ngithub = true\ngitea = true\n\n\
    [[mail]]\nname = \"developers\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nmode = \"all\"\n\
    lookup = \"example.org\"\n";

const HEAD: &str = "68e5df28aa0bbb5b8e2d1f0c9d7e6a5b4c3d2e1f";

/// A push as GitHub tells of it: revision and author of each commit.
async fn push(engine: &Engine, commits: &[(&str, &str)]) {
    let commit = |(id, author): &(&str, &str)| {
        json!({"id": id, "distinct": true, "message": format!("{author} rings\n\nfor long"),
               "timestamp": "2026-11-30T10:00:00Z", "url": format!("https://github.com/ada/bells/commit/{id}"),
               "author": {"name": author, "email": format!("{author}@example.org")},
               "added": ["tower.c"], "removed": [], "modified": []})
    };
    let body = json!({"ref": "refs/heads/main", "deleted": false,
        "head_commit": commits.last().map(commit), "commits": commits.iter().map(commit).collect::<Vec<_>>(),
        "repository": {"full_name": "ada/bells", "name": "bells", "html_url": "https://github.com/ada/bells"}});
    let request = http().post(format!("{}/change_hook/github", engine.url));
    let request = request.header("X-GitHub-Event", "push").header("Content-Type", "application/json");
    let response = request.body(body.to_string()).send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(
        (status.as_u16(), text),
        (202, format!("{} changes found", commits.len()).replace("1 changes", "1 change"))
    );
}

/// Gitea and Forgejo list the newest commit first: whose push it was is to blame all the same, and nobody of the push before.
#[tokio::test]
async fn h_ch_02_m_ch_07_a_forge_that_lists_the_newest_commit_first() {
    let engine = Engine::start(SETTINGS);
    let push = async |commits: &[&str]| {
        let commit = |name: &&str| {
            json!({"id": name.repeat(20), "message": "ring", "timestamp": "2026-11-30T10:00:00Z",
                   "author": {"name": name, "email": format!("{name}@example.org")}})
        };
        let body = json!({"ref": "refs/heads/main", "after": commits[0].repeat(20), "head_commit": commit(&commits[0]),
            "commits": commits.iter().map(commit).collect::<Vec<_>>(),
            "repository": {"full_name": "ada/bells", "html_url": "https://codeberg.org/ada/bells"}});
        let request =
            http().post(format!("{}/change_hook/gitea", engine.url)).header("X-Gitea-Event", "push");
        let answer =
            request.header("Content-Type", "application/json").body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    };
    push(&["cc", "bb", "aa"]).await;
    report(&engine, 1, &["--revision", &"cc".repeat(20), "--branch", "main"]);
    push(&["ee", "dd"]).await;
    report(&engine, 2, &["--revision", &"ee".repeat(20), "--branch", "main"]);
    engine.outbox(2).await;
    let people = |names: &[&str]| {
        names.iter().map(|name| json!(format!("{name} <{name}@example.org>"))).collect::<Vec<_>>()
    };
    assert_eq!(blamelist(&engine, 1).await, people(&["aa", "bb", "cc"]));
    assert_eq!(blamelist(&engine, 2).await, people(&["dd", "ee"]));
}

/// A push that is told of again, late, or before the one that it followed moves nobody's commits.
#[tokio::test]
async fn m_ch_10_pushes_that_come_twice_or_in_another_order() {
    let engine = Engine::start(SETTINGS);
    let push = async |before: &str, commits: &[&str]| {
        let commit = |name: &&str| {
            json!({"id": name.repeat(20), "message": "ring", "timestamp": "2026-11-30T10:00:00Z",
                   "author": {"name": name, "email": format!("{name}@example.org")}})
        };
        let body = json!({"ref": "refs/heads/main", "before": before.repeat(20), "after": commits[commits.len() - 1].repeat(20),
            "commits": commits.iter().map(commit).collect::<Vec<_>>(),
            "repository": {"full_name": "ada/bells", "html_url": "https://github.com/ada/bells"}});
        let request =
            http().post(format!("{}/change_hook/github", engine.url)).header("X-GitHub-Event", "push");
        let answer =
            request.header("Content-Type", "application/json").body(body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    };
    let built = |number: u64, revision: &str| {
        report(&engine, number, &["--revision", &revision.repeat(20), "--branch", "main"]);
    };
    let people = |names: &[&str]| {
        names.iter().map(|name| json!(format!("{name} <{name}@example.org>"))).collect::<Vec<_>>()
    };
    push("00", &["a1", "a2"]).await;
    built(1, "a2");
    push("a2", &["a3"]).await;
    // Sent again by hand, as after an outage.
    push("00", &["a1", "a2"]).await;
    push("a3", &["a4"]).await;
    built(2, "a4");
    // The later push comes first.
    push("a5", &["a6"]).await;
    push("a4", &["a5"]).await;
    built(3, "a6");
    push("a6", &["a7"]).await;
    built(4, "a7");
    engine.outbox(4).await;
    assert_eq!(blamelist(&engine, 1).await, people(&["a1", "a2"]));
    assert_eq!(blamelist(&engine, 2).await, people(&["a3", "a4"]));
    assert_eq!(blamelist(&engine, 3).await, people(&["a5", "a6"]));
    assert_eq!(blamelist(&engine, 4).await, people(&["a7"]));
    let told = explanation(&engine, "linux/3");
    assert!(told.contains("changes: 2 pushed between "), "{told}");
}

/// Tells of a build's end as a CI job does.
fn report(engine: &Engine, number: u64, more: &[&str]) {
    let (server, number) = (engine.url.clone(), number.to_string());
    let mut arguments =
        vec!["report", "build-finished", "--server", &server, "--builder", "linux", "--number", &number];
    if !more.contains(&"--results") {
        arguments.extend(["--results", "failure"]);
    }
    arguments.extend(more);
    let told = run(&engine.folder, &arguments);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

/// Recipients of a mail, and all of it.
fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let line = mail.lines().find(|line| line.starts_with(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in:\n{mail}")).split_at(name.len() + 2).1
}

fn explanation(engine: &Engine, about: &str) -> String {
    let told = run(&engine.folder, &["deliveries", "--server", &engine.url, "explain", about]);
    String::from_utf8_lossy(&told.stdout).into_owned()
}

async fn build(engine: &Engine, number: u64) -> Value {
    engine.get(&format!("/api/v1/builds/linux/{number}")).await["build"].take()
}

async fn blamelist(engine: &Engine, number: u64) -> Vec<Value> {
    let build = build(engine, number).await;
    build["source_stamps"][0]["changes"].as_array().unwrap().iter().map(|one| one["who"].clone()).collect()
}

/// The author of the push is told of the build, of which the job knew the revision only.
#[tokio::test]
async fn m_ch_07_a_push_and_the_build_of_it_meet() {
    let engine = Engine::start(SETTINGS);
    push(&engine, &[(HEAD, "ada")]).await;
    report(&engine, 1, &["--revision", HEAD]);
    let mails = engine.outbox(1).await;
    assert_eq!(header(&mails[0], "To"), "ada <ada@example.org>");
    let told = explanation(&engine, "linux/1");
    assert!(told.contains(&format!("changes: what was told of {HEAD}")), "{told}");
    let build = build(&engine, 1).await;
    let change = &build["source_stamps"][0]["changes"][0];
    assert_eq!(change["files"], json!(["tower.c"]));
    assert_eq!(change["revlink"], format!("https://github.com/ada/bells/commit/{HEAD}"));
    assert_eq!(build["source_stamps"][0]["repository"], "https://github.com/ada/bells");
}

/// Two pushes later, those who made them are to blame, and nobody else.
#[tokio::test]
async fn m_ch_07_a_build_has_all_that_was_pushed_since_the_last_one() {
    let engine = Engine::start(SETTINGS);
    push(&engine, &[("1111111111111111111111111111111111111111", "ada")]).await;
    report(&engine, 1, &["--revision", "1111111", "--branch", "main"]);
    push(
        &engine,
        &[
            ("2222222222222222222222222222222222222222", "bob"),
            ("3333333333333333333333333333333333333333", "cyd"),
        ],
    )
    .await;
    push(&engine, &[(HEAD, "dan")]).await;
    let about = ["--revision", HEAD, "--branch", "main", "--repository", "git@github.com:ada/bells.git"];
    report(&engine, 2, &about);
    // Run again: the same commits are to blame.
    report(&engine, 3, &about);
    engine.outbox(3).await;
    assert_eq!(blamelist(&engine, 1).await, ["ada <ada@example.org>"]);
    let since = ["bob <bob@example.org>", "cyd <cyd@example.org>", "dan <dan@example.org>"];
    assert_eq!(blamelist(&engine, 2).await, since);
    assert_eq!(blamelist(&engine, 3).await, since);
    let told = explanation(&engine, "linux/2");
    assert!(told.contains(&format!("changes: 3 told of between 1111111 (#1) and {HEAD}")), "{told}");
    // An older one, built anew: what came after it is not its fault.
    report(&engine, 4, &["--revision", "2222222222222222222222222222222222222222", "--branch", "main"]);
    engine.outbox(4).await;
    assert_eq!(blamelist(&engine, 4).await, ["bob <bob@example.org>"]);
}

/// Nobody was told of what a build that came to nothing had built: the next one is told to its authors too.
#[tokio::test]
async fn m_ch_07_a_build_that_came_to_nothing_takes_nobodys_changes() {
    let engine = Engine::start(SETTINGS);
    let revisions = ["1".repeat(40), "2".repeat(40), "3".repeat(40), "4".repeat(40), "5".repeat(40)];
    for ((number, revision), (author, results)) in (1..).zip(&revisions).zip([
        ("ada", "success"),
        ("bob", "cancelled"),
        ("cyd", "retry"),
        ("dan", "skipped"),
        ("eve", "failure"),
    ]) {
        push(&engine, &[(revision, author)]).await;
        report(&engine, number, &["--revision", revision, "--branch", "main", "--results", results]);
    }
    // Of the five, those that came to a success, that were cancelled and that failed are mailed.
    engine.outbox(3).await;
    let to_blame = blamelist(&engine, 5).await;
    assert_eq!(
        to_blame,
        ["bob", "cyd", "dan", "eve"].map(|name| json!(format!("{name} <{name}@example.org>")))
    );
}

/// All of a push is in the first build of it, and of what was pushed before Campanile heard of a build nothing.
#[tokio::test]
async fn m_ch_07_the_first_build_of_a_branch_has_all_of_its_push() {
    let engine = Engine::start(SETTINGS);
    push(&engine, &[(&"1".repeat(40), "ada")]).await;
    push(&engine, &[(&"2".repeat(40), "bob"), (&"3".repeat(40), "cyd"), (HEAD, "dan")]).await;
    report(&engine, 1, &["--revision", HEAD]);
    engine.outbox(1).await;
    assert_eq!(
        blamelist(&engine, 1).await,
        ["bob", "cyd", "dan"].map(|name| json!(format!("{name} <{name}@example.org>")))
    );
    let told = explanation(&engine, "linux/1");
    assert!(told.contains(&format!("changes: 3 told of in one push up to {HEAD}")), "{told}");
}

/// Who changed the library is to blame for it once, not for each change of the program behind it.
#[tokio::test]
async fn m_ch_07_a_codebase_that_did_not_change_has_no_changes() {
    let engine = Engine::start(SETTINGS);
    let (library, first, second) = ("1".repeat(40), "2".repeat(40), "3".repeat(40));
    let build = async |number: u64, program: &str| {
        let stamp = |codebase: &str, revision: &str| json!({"codebase": codebase, "branch": "main", "revision": revision, "changes": []});
        let build = json!({"builder": "linux", "number": number, "results": "failure",
            "source_stamps": [stamp("library", &library), stamp("program", program)]});
        let body = json!([{"event": "buildFinished", "build": build}]).to_string();
        let request = http().post(format!("{}/api/v1/events", engine.url)).body(body);
        let answer = request.header("Content-Type", "application/json").send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    };
    push(&engine, &[(&library, "ada"), (&first, "bob")]).await;
    build(1, &first).await;
    engine.outbox(1).await;
    push(&engine, &[(&second, "cyd")]).await;
    build(2, &second).await;
    build(3, &second).await;
    let mails = engine.outbox(3).await;
    assert!(mails.iter().skip(1).all(|mail| header(mail, "To") == "cyd <cyd@example.org>"), "{mails:?}");
    let told = explanation(&engine, "linux/2");
    assert!(told.contains("changes: none in library, which is that of #1; "), "{told}");
}

/// A fast job is told of before the forge has told of the push.
#[tokio::test]
async fn m_ch_09_a_build_that_comes_first_waits_for_its_push() {
    let engine = Engine::start(&format!("{SETTINGS}\n[delivery]\nchange_wait = \"60s\"\n"));
    report(&engine, 1, &["--revision", HEAD]);
    let waiting = engine.delivery_in("waiting").await;
    assert_eq!((&waiting["attempts"], &waiting["code"]), (&json!(0), &Value::Null));
    push(&engine, &[(HEAD, "ada")]).await;
    let mails = engine.outbox(1).await;
    assert_eq!(header(&mails[0], "To"), "ada <ada@example.org>");
}

/// A push that nobody tells of is not waited for long, and where nothing could tell of it not at all.
#[tokio::test]
async fn m_ch_09_the_wait_has_an_end() {
    let engine = Engine::start(&format!(
        "{SETTINGS}extra_recipients = [\"all@example.org\"]\n\n[delivery]\nchange_wait = \"1s\"\n"
    ));
    report(&engine, 1, &["--revision", HEAD]);
    engine.outbox(1).await;
    let told = explanation(&engine, "linux/1");
    assert!(told.contains(&format!("changes: none: nobody told of a push of {HEAD}")), "{told}");
    let deaf = SETTINGS.replace(
        "[change_hooks.dialects]\nbase = true\ngithub = true\ngitea = true\n",
        "[delivery]\nchange_wait = \"10m\"\n",
    );
    let engine = Engine::start(&format!("{deaf}extra_recipients = [\"all@example.org\"]\n"));
    report(&engine, 1, &["--revision", HEAD]);
    engine.outbox(1).await;
}

/// GitHub Actions tells of the head of the push; the mail is for all who made it.
#[tokio::test]
async fn m_ch_08_a_run_of_github_actions_has_all_that_was_pushed() {
    let engine = Engine::start(SETTINGS);
    let sample = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/ingest/github/workflow-run-completed.json"
    ));
    let mut run: Value =
        serde_json::from_slice::<Value>(&std::fs::read(sample).unwrap()).unwrap()["body"].take();
    let mut tell = async |number: u64, revision: &str, author: &str| {
        run["workflow_run"]["id"] = json!(number);
        run["workflow_run"]["head_sha"] = json!(revision);
        run["workflow_run"]["head_branch"] = json!("main");
        run["workflow_run"]["conclusion"] = json!("failure");
        run["workflow_run"]["head_commit"] = json!({"id": revision, "message": "ring", "timestamp": "2026-11-30T10:00:00Z",
            "author": {"name": author, "email": format!("{author}@example.org")}});
        run["repository"]["html_url"] = json!("https://github.com/ada/bells");
        let request = http()
            .post(format!("{}/api/v1/events/github", engine.url))
            .header("X-GitHub-Event", "workflow_run");
        let response =
            request.header("Content-Type", "application/json").body(run.to_string()).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 202, "{}", response.text().await.unwrap());
    };
    push(&engine, &[("1111111111111111111111111111111111111111", "ada")]).await;
    tell(1, "1111111111111111111111111111111111111111", "ada").await;
    push(&engine, &[("2222222222222222222222222222222222222222", "bob"), (HEAD, "cyd")]).await;
    tell(2, HEAD, "cyd").await;
    let mails = engine.outbox(2).await;
    assert_eq!(mails.iter().filter(|mail| mail.contains("To: ada <ada@example.org>\r\n")).count(), 1);
    let both =
        |mail: &&String| mail.contains("bob <bob@example.org>") && mail.contains("cyd <cyd@example.org>");
    assert_eq!(mails.iter().filter(both).count(), 1, "{mails:?}");
}
