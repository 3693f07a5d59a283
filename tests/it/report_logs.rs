//! Logs that a shell's job sends: files that are none, output that comes faster than it is taken, and the engine's own limit.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::report::{build, log, report, text};
use campanile_testing::{Engine, patiently, program, run};

const SEVEN: [&str; 7] = ["build-finished", "--builder", "linux", "--number", "7", "--results", "failure"];

/// Bytes of a step's log that the engine keeps.
fn kept(build: &Value, step: &str) -> u64 {
    let steps = build["steps"].as_array().unwrap();
    let step = steps.iter().find(|known| known["name"] == step).unwrap();
    step["logs"][0]["bytes"].as_u64().unwrap_or_else(|| panic!("{build}"))
}

/// The build is told whatever its logs are; each that is left out is named with the reason.
#[tokio::test]
async fn m_ev_12_a_file_that_is_no_log_keeps_no_build_untold() {
    let engine = Engine::start("");
    let file = |name: &str| engine.folder.join(name);
    std::fs::create_dir(file("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(file("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(file("socket")).unwrap();
    let huge = std::fs::File::create(file("huge")).unwrap();
    huge.set_len(5 << 30).unwrap();
    std::os::unix::fs::symlink("gone", file("dangling")).unwrap();
    std::fs::write(file("tests.log"), "no bell\n").unwrap();
    std::os::unix::fs::symlink("tests.log", file("link")).unwrap();
    let logs =
        ["folder", "fifo", "socket", "/dev/null", "huge", "dangling", "gone", "/proc/self/mem", "link"];
    let logs: Vec<String> = logs
        .iter()
        .enumerate()
        .flat_map(|(at, name)| ["--log".to_owned(), format!("s{at}={name}")])
        .collect();
    let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
    let told = report(&engine.folder, &engine.url, &[&SEVEN[..], &logs].concat());
    let errors = text(&told.stderr);
    assert_eq!(told.status.code(), Some(0), "{errors}");
    assert_eq!(text(&told.stdout), "told of linux/7; no target asks for that\n");
    let reasons = [
        ("s0", "folder", "is a directory"),
        ("s1", "fifo", "it is no regular file"),
        ("s2", "socket", "it is no regular file"),
        ("s3", "/dev/null", "it is no regular file"),
        ("s4", "huge", "it has 5,368,709,120 bytes, and 4,294,967,296 is the most"),
        ("s5", "dangling", "No such file"),
        ("s6", "gone", "No such file"),
        ("s7", "/proc/self/mem", "Input/output error"),
    ];
    assert_eq!(errors.lines().count(), reasons.len(), "{errors}");
    for ((step, name, reason), line) in reasons.iter().zip(errors.lines()) {
        let begin = format!("campanile: the log of step `{step}` is left out: cannot send `{name}`: ");
        assert!(line.starts_with(&begin) && line.contains(reason), "{line}");
    }
    assert_eq!(log(&engine, 7, "s8").await, "no bell\n");
    assert_eq!(build(&engine, 7).await["results"], "failure");
}

/// Without an engine the failure is that of the build, and not of its log.
#[test]
fn a_log_without_an_engine_is_told_with_the_build() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tests.log"), "no bell\n").unwrap();
    let nobody = format!("127.0.0.1:{}", campanile_testing::free_port());
    let told = report(folder.path(), &nobody, &[&SEVEN[..], &["--log", "tests=tests.log"]].concat());
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told.stderr).contains("no engine answers at http://127.0.0.1:"), "{}", text(&told.stderr));
}

/// A job that writes fast is slowed, and its log is whole.
#[tokio::test]
async fn m_ev_13_a_fast_log_is_whole() {
    let engine = Engine::start("");
    let script = "head -c 24000000 /dev/zero | tr '\\0' x | fold -w 79; echo; echo end";
    let seven = ["run", "--builder", "linux", "--number", "7", "--", "sh", "-c", script];
    let ended = report(&engine.folder, &engine.url, &seven);
    assert_eq!((ended.status.code(), text(&ended.stderr).as_str()), (Some(0), TOLD));
    let written = ended.stdout.len() as u64;
    assert!(written > 24_000_000);
    assert_eq!(kept(&build(&engine, 7).await, "sh"), written);
    assert!(log(&engine, 7, "sh").await.ends_with("x\nend\n"));
}

const TOLD: &str = "campanile: told of linux/7; no target asks for that\n";

/// An engine that hangs holds a job up for a bounded time; then the oldest output goes, and all are told of it.
#[tokio::test]
async fn m_ev_13_an_engine_that_hangs_loses_output_and_not_the_job() {
    let engine = Engine::start("");
    let script = "until [ -e begin ]; do sleep 0.1; done; head -c 12000000 /dev/zero | tr '\\0' x | fold -w 79; \
                  touch wrote; until [ -e go ]; do sleep 0.1; done; echo; echo end";
    let run = Command::new(program())
        .args(["report", "run", "--server", &engine.url, "--builder", "linux", "--number", "7"])
        .args(["--", "sh", "-c", script])
        .current_dir(&engine.folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    patiently("the start is told", async || {
        let url = format!("{}/api/v1/builds/linux/7", engine.url);
        campanile_testing::http().get(url).send().await.unwrap().status().is_success().then_some(())
    })
    .await;
    engine.signal("-STOP");
    std::fs::write(engine.folder.join("begin"), "").unwrap();
    patiently("the job has written all", async || engine.folder.join("wrote").exists().then_some(())).await;
    engine.signal("-CONT");
    std::fs::write(engine.folder.join("go"), "").unwrap();
    let ended = run.wait_with_output().unwrap();
    // An engine that stands still for longer ends the exchange, which is said, and begun again.
    let errors: String = text(&ended.stderr)
        .split_inclusive('\n')
        .filter(|line| !line.contains("and its news is tried again"))
        .collect();
    assert_eq!(ended.status.code(), Some(0), "{errors}");
    let (lost, rest) = errors.strip_prefix("campanile: ").and_then(|line| line.split_once(' ')).unwrap();
    let told = "bytes of the output are not in the log: the engine did not take them in time\n";
    assert_eq!(rest, format!("{told}{TOLD}"));
    let mark =
        format!("[... {lost} bytes were left out: the engine did not take them in time ...]\n").len() as u64;
    let lost: u64 = lost.replace(',', "").parse().unwrap();
    let written = 12_000_000 + 12_000_000_u64.div_ceil(79) - 1 + "\nend\n".len() as u64;
    let kept = kept(&build(&engine, 7).await, "sh");
    assert!(lost > 4_000_000 && kept == written - lost + mark, "{lost} lost, {kept} kept of {written}");
    assert!(log(&engine, 7, "sh").await.ends_with("x\nend\n"));
}

/// The engine's own limit is told, for a file and for a command.
#[tokio::test]
async fn a_log_that_the_engine_cuts_is_told() {
    let engine = Engine::start("[store]\nmax_log_bytes = \"64 KiB\"\n");
    std::fs::write(engine.folder.join("tests.log"), "no bell\n".repeat(100_000)).unwrap();
    let told = report(&engine.folder, &engine.url, &[&SEVEN[..], &["--log", "tests=tests.log"]].concat());
    let errors = text(&told.stderr);
    assert!(
        told.status.success() && errors.starts_with("campanile: `tests.log`: the engine keeps "),
        "{errors}"
    );
    let limit = " of 800,000 bytes of the log, its beginning and its end (`store.max_log_bytes`)\n";
    assert!(errors.ends_with(limit), "{errors}");
    let eight =
        ["run", "--server", &engine.url, "--builder", "linux", "--number", "8", "--", "cat", "tests.log"];
    let ended = run(&engine.folder, &[&["report"], &eight[..]].concat());
    let errors = text(&ended.stderr);
    assert!(errors.starts_with("campanile: the engine keeps ") && errors.contains(limit), "{errors}");
}
