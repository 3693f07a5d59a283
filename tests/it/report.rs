//! A shell's job tells of its builds: the start, steps and logs, a command as a build, and a number that is used twice.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use campanile_testing::{Engine, http, patiently, program, run};

const SETTINGS: &str = "[[mail]]\nname = \"developers\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\n\
    mode = \"all\"\nsend_to_interested_users = false\nextra_recipients = [\"all@example.org\"]\n";

pub(super) fn report(folder: &Path, server: &str, arguments: &[&str]) -> Output {
    run(folder, &[&["report", "--server", server], arguments].concat())
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) async fn build(engine: &Engine, number: u64) -> Value {
    engine.get(&format!("/api/v1/builds/linux/{number}")).await["build"].take()
}

pub(super) async fn log(engine: &Engine, number: u64, step: &str) -> String {
    let url = format!("{}/api/v1/builds/linux/{number}/steps/{step}/logs/stdio", engine.url);
    http().get(url).send().await.unwrap().text().await.unwrap()
}

const SEVEN: [&str; 5] = ["build-finished", "--builder", "linux", "--number", "7"];

/// The end alone, with a log and the results of steps: one event, and the mail about it.
#[tokio::test]
async fn m_ev_11_the_end_of_a_build_and_its_log_need_no_start() {
    let engine = Engine::start(SETTINGS);
    std::fs::write(engine.folder.join("tests.log"), "tower.c:7: no bell\n").unwrap();
    let more = [
        "--results",
        "failure",
        "--step",
        "compile=success",
        "--log",
        "tests=tests.log",
        "--log",
        "lint=no.log",
    ];
    let told = report(&engine.folder, &engine.url, &[&SEVEN[..], &more].concat());
    assert!(told.status.success(), "{}", text(&told.stderr));
    assert_eq!(text(&told.stdout), "told of linux/7; mail `developers` waits\n");
    assert!(text(&told.stderr).contains("the log of step `lint` is left out: cannot send `no.log`"));
    engine.outbox(1).await;
    let build = build(&engine, 7).await;
    let steps: Vec<_> =
        build["steps"].as_array().unwrap().iter().map(|step| (&step["name"], &step["results"])).collect();
    let (compile, tests, lint) = (json!("compile"), json!("tests"), json!("lint"));
    let (success, failure) = (json!("success"), json!("failure"));
    assert_eq!(steps, [(&compile, &success), (&tests, &failure), (&lint, &failure)]);
    assert_eq!(build["text"], json!(["failed", "tests", "lint"]));
    assert_eq!(log(&engine, 7, "tests").await, "tower.c:7: no bell\n");
    let explained = engine.get("/api/v1/explain?about=linux/7").await;
    assert!(explained["events"].as_array().unwrap().iter().all(|event| event["name"] != "buildStarted"));
}

/// The start that the script told of stays: the log's upload is no other one.
#[tokio::test]
async fn the_first_start_is_kept() {
    let engine = Engine::start(SETTINGS);
    std::fs::write(engine.folder.join("tests.log"), "ring\n").unwrap();
    let start = ["build-started", "--builder", "linux", "--number", "7", "--started", "1795376670"];
    let told = report(&engine.folder, &engine.url, &start);
    assert_eq!(text(&told.stdout), "told of the start of linux/7; no target asks for that\n");
    let more = ["--results", "success", "--log", "tests=tests.log"];
    assert!(report(&engine.folder, &engine.url, &[&SEVEN[..], &more].concat()).status.success());
    assert_eq!(build(&engine, 7).await["started"], json!(1_795_376_670));
    let explained = engine.get("/api/v1/explain?about=linux/7").await;
    let events = explained["events"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["name"] == "buildStarted").count(), 1, "{explained}");
}

/// The same news is quiet; another build under the number is a warning, and leaves the first one and its log alone.
#[tokio::test]
async fn m_ev_10_a_number_that_is_used_twice_is_told() {
    let engine = Engine::start(SETTINGS);
    let folder = engine.folder.clone();
    let tell = |log: &str, results: &str, more: &[&str]| {
        std::fs::write(folder.join("tests.log"), log).unwrap();
        let rest = ["--log", "tests=tests.log", "--results", results];
        report(&folder, &engine.url, &[&SEVEN[..], &rest, more].concat())
    };
    assert!(tell("first\n", "failure", &["--revision", "1f0c2d"]).status.success());
    let again = tell("first\n", "failure", &["--revision", "1f0c2d"]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(text(&again.stdout), "linux/7 was told before: nobody is told twice\n");
    let other = tell("second\n", "success", &["--revision", "77aa2b"]);
    assert_eq!(other.status.code(), Some(3));
    let warning = text(&other.stderr);
    assert!(
        warning.contains(
            "linux/7 is not taken: it was told of before with other results, text, source_stamps, steps; give every run"
        ),
        "{warning}"
    );
    let start = report(&folder, &engine.url, &["build-started", "--builder", "linux", "--number", "7"]);
    assert_eq!(start.status.code(), Some(3));
    assert!(text(&start.stderr).contains("it is over"), "{}", text(&start.stderr));
    let json = tell("second\n", "success", &["--json"]);
    let answer: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(answer["repeated"][0]["differs"], json!(["results", "text", "steps"]));
    assert_eq!(log(&engine, 7, "tests").await, "first\n");
    assert_eq!(build(&engine, 7).await["results"], "failure");
}

/// A command as a build: its output is there while it runs, its end is its own.
#[tokio::test]
async fn a_command_is_run_as_a_build() {
    let engine = Engine::start(SETTINGS);
    let script = "echo ding; echo dong >&2; until [ -e go ]; do sleep 0.1; done; printf end; exit 4";
    let run = Command::new(program())
        .args(["report", "run", "--server", &engine.url, "--builder", "linux", "--number", "7"])
        .args(["--step", "tests", "--", "sh", "-c", script])
        .current_dir(&engine.folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    patiently("its output is sent while it runs", async || {
        let log = log(&engine, 7, "tests").await;
        (log.contains("ding") && log.contains("dong")).then_some(())
    })
    .await;
    assert_eq!(build(&engine, 7).await["results"], Value::Null);
    std::fs::write(engine.folder.join("go"), "").unwrap();
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(4));
    assert_eq!(text(&ended.stdout), "ding\nend");
    let errors = text(&ended.stderr);
    assert_eq!(errors, "dong\ncampanile: told of linux/7; mail `developers` waits\n");
    let build = build(&engine, 7).await;
    assert_eq!((&build["results"], &build["text"]), (&json!("failure"), &json!(["failed", "tests"])));
    assert_eq!(build["steps"][0]["results"], "failure");
    let (started, finished) = (build["started"].as_f64().unwrap(), build["finished"].as_f64().unwrap());
    assert!(started > 1e9 && started <= finished, "{build}");
    assert!(log(&engine, 7, "tests").await.ends_with("end"));
    engine.outbox(1).await;
    // Run again under the same number: nothing goes to the log of the first one, and the command's end is its own.
    let again = report(
        &engine.folder,
        &engine.url,
        &[
            "run",
            "--builder",
            "linux",
            "--number",
            "7",
            "--step",
            "tests",
            "--",
            "sh",
            "-c",
            "echo again; exit 5",
        ],
    );
    assert_eq!((again.status.code(), text(&again.stdout)), (Some(5), "again\n".to_owned()));
    assert!(text(&again.stderr).contains("the start of linux/7 is not taken: it is over"));
    assert!(!log(&engine, 7, "tests").await.contains("again"));
}

/// Whoever stops the job stops the command, and the build is cancelled.
#[tokio::test]
async fn signals_reach_the_command() {
    let engine = Engine::start(SETTINGS);
    let mut run = Command::new(program())
        .args([
            "report",
            "run",
            "--server",
            &engine.url,
            "--builder",
            "linux",
            "--number",
            "7",
            "--",
            "sh",
            "-c",
        ])
        .arg("trap 'echo stopped; exit 9' TERM; echo ready; while :; do sleep 0.1; done")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    patiently("it runs", async || log(&engine, 7, "sh").await.contains("ready").then_some(())).await;
    let signal = Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap();
    assert!(signal.success());
    assert_eq!(run.wait().unwrap().code(), Some(9));
    assert_eq!(build(&engine, 7).await["results"], "cancelled");
    assert_eq!(log(&engine, 7, "sh").await, "ready\nstopped\n");
}

/// No engine, no harm: the command runs and ends as it would have.
#[test]
fn a_dead_engine_breaks_no_job() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = format!("http://127.0.0.1:{}", campanile_testing::free_port());
    let seven = ["run", "--builder", "linux", "--number", "7", "--"];
    let ended = report(folder.path(), &nobody, &[&seven[..], &["sh", "-c", "echo ding; exit 6"]].concat());
    assert_eq!((ended.status.code(), text(&ended.stdout)), (Some(6), "ding\n".to_owned()));
    let errors = text(&ended.stderr);
    assert!(
        errors.contains("no engine answers at") && errors.contains("the command runs all the same"),
        "{errors}"
    );
    assert!(errors.contains("no engine knows how linux/7 ended"), "{errors}");
    let missing = report(folder.path(), &nobody, &[&seven[..], &["no-such-program"]].concat());
    assert_eq!(missing.status.code(), Some(127));
}

/// Options that can't be meant are refused before anything is told.
#[tokio::test]
async fn wrong_facts_are_a_usage_error() {
    let engine = Engine::start(SETTINGS);
    let late = (campanile_model::now().as_seconds() + 3_600).to_string();
    for (option, value, reason) in [
        ("--url", "javascript:alert(1)", "write the whole address of a page, such as"),
        ("--url", "/builds/7", "write the whole address of a page, such as"),
        ("--url", "ci.example.org/builds/7", "write the whole address of a page, such as"),
        ("--started", "2099-01-01", "that is 2099-01-01T00:00:00Z, in the future"),
        ("--started", &late, ", in the future"),
        ("--started", "1795376670000", ", in the future"),
        ("--started", "1999-12-31T23:59:59Z", "before the year 2000"),
        ("--started", "2026-11", "write it like 2026-01-31T14:30:00Z"),
    ] {
        let told = report(
            &engine.folder,
            &engine.url,
            &[&SEVEN[..], &["--results", "success", option, value]].concat(),
        );
        let errors = text(&told.stderr);
        assert_eq!(told.status.code(), Some(2), "{option} {value}: {errors}");
        assert!(errors.contains(reason) && errors.contains(option), "{option} {value}: {errors}");
    }
    let twice = ["--results", "failure", "--step", "compile=success", "--step", "compile=failure"];
    let told = report(&engine.folder, &engine.url, &[&SEVEN[..], &twice].concat());
    assert_eq!(told.status.code(), Some(2));
    assert!(text(&told.stderr).contains("`--step compile=...` stands there with two results"));
    let builds = engine.get("/api/v1/builds").await;
    assert_eq!(builds["builds"], json!([]), "nothing was told");
    let fine =
        ["--results", "failure", "--step", "compile=success", "--step", "compile=success", "--url", ""];
    assert!(
        report(&engine.folder, &engine.url, &[&SEVEN[..], &fine, &["--started", "2026-11-30"]].concat())
            .status
            .success()
    );
    let build = build(&engine, 7).await;
    assert_eq!(
        (&build["started"], build["steps"].as_array().map(Vec::len)),
        (&json!(1_795_996_800), Some(1))
    );
}

/// Authors whom no mail can reach are named.
#[tokio::test]
async fn authors_without_an_address_are_warned_of() {
    let engine = Engine::start(SETTINGS);
    let who = [
        "--who",
        "Ada <ada@example.org>",
        "--who",
        " <>",
        "--who",
        "Eve\nBcc: x@example.org",
        "--who",
        "Bob <bob>",
    ];
    let told = report(&engine.folder, &engine.url, &[&SEVEN[..], &["--results", "success"], &who].concat());
    let errors = text(&told.stderr);
    assert!(told.status.success(), "{errors}");
    let lines: Vec<&str> = errors.lines().collect();
    let [blank, broken, bare] = lines[..] else { panic!("{errors}") };
    assert_eq!(blank, "campanile: `--who  <>`: it names nobody, and is left out");
    assert!(broken.contains("it has line breaks or control characters"), "{broken}");
    assert!(bare.starts_with("campanile: `--who Bob <bob>`: no address can be made of it"), "{bare}");
    let changes = &build(&engine, 7).await["source_stamps"][0]["changes"];
    let who: Vec<&Value> = changes.as_array().unwrap().iter().map(|change| &change["who"]).collect();
    assert_eq!(who, ["Ada <ada@example.org>", "Eve Bcc: x@example.org", "Bob <bob>"]);
}

/// A page that no mail will link is warned of, without showing what may be a password.
#[tokio::test]
async fn a_page_that_cannot_be_linked_is_warned_of() {
    let engine = Engine::start(SETTINGS);
    let told = |url: &str| {
        report(&engine.folder, &engine.url, &[&SEVEN[..], &["--results", "success", "--url", url]].concat())
    };
    for url in ["https://ci.example.org/\"7\"", "https://ci:bell-tower@ci.example.org/7"] {
        let done = told(url);
        let errors = text(&done.stderr);
        assert!(errors.starts_with("campanile: `--url` is not linked"), "{errors}");
        assert!(!errors.contains("bell-tower"), "{errors}");
    }
    let errors = text(&told("https://ci.example.org/7").stderr);
    assert!(!errors.contains("--url"), "{errors}");
}

/// The address of an engine needs no scheme; what is none says what is expected.
#[tokio::test]
async fn the_engines_address() {
    let engine = Engine::start(SETTINGS);
    let host = engine.url.strip_prefix("http://").unwrap();
    let told = report(&engine.folder, host, &[&SEVEN[..], &["--results", "success"]].concat());
    assert!(told.status.success(), "{}", text(&told.stderr));
    for wrong in ["", "javascript:alert(1)", "ftp://engine", "/run/socket"] {
        let told = report(&engine.folder, wrong, &[&SEVEN[..], &["--results", "success"]].concat());
        let errors = text(&told.stderr);
        assert_eq!(told.status.code(), Some(2), "{wrong}: {errors}");
        assert!(
            errors.contains("write the server's address, such as `http://127.0.0.1:8010`"),
            "{wrong}: {errors}"
        );
    }
}
