//! Callbacks in five languages, run by `campanile preview`: the same mail from all, and each kind of callback.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use campanile_testing::{guest, program, skip};

/// Runs `preview --json`; compiled code is kept between runs of the tests.
fn run_preview(component: &Path, more: &[&str]) -> Output {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let mut command = Command::new(program());
    command.arg("preview").arg(component).arg("--json").args(more).env("XDG_CACHE_HOME", cache);
    command.output().unwrap()
}

fn preview(component: &Path, more: &[&str]) -> Vec<Value> {
    // In a debug build, an interpreter that shares two cores with the other tests is slow.
    let more: Vec<&str> = ["--deadline", "20000"].iter().chain(more).copied().collect();
    let output = run_preview(component, &more);
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| {
        panic!("{}: {text}{}", component.display(), String::from_utf8_lossy(&output.stderr))
    })
}

fn sample(folder: &Path, sample: &Value) -> PathBuf {
    let path = folder.join("sample.json");
    std::fs::write(&path, sample.to_string()).unwrap();
    path
}

/// The answer of one callback of a component; none where the component is not built, which is then said.
fn answer(name: &str, kind: &str, more: &[&str]) -> Option<Value> {
    let Some(component) = guest(name) else {
        skip(&format!("the guest `{name}` is not built: run `cargo xtask guests`"));
        return None;
    };
    let more: Vec<&str> = ["--callback", kind].iter().chain(more).copied().collect();
    let mut told = preview(&component, &more);
    assert_eq!(told.len(), 1, "{name}: {told:?}");
    let answer = told.remove(0);
    assert_eq!(answer["fault"], Value::Null, "{name}: {answer}");
    Some(answer["answer"].clone())
}

/// M-47 too: the mail has everything in it that a callback can get.
#[test]
fn m_48_five_languages_write_the_same_mail() {
    let folder = tempfile::tempdir().unwrap();
    let bare = json!({"build": {"builder": "b", "number": 1, "results": "success"}});
    let odd = json!({"url": "http://ci.example.org/x?a=1&b=2", "build": {
        "builder": "nightly <b> & \"co\" ' ü/\u{1F514}", "number": 18_014_398_509_481_984_u64, "results": "exception",
        "reason": "tabs\tand\r\nlines", "worker": "w<1>", "started": 0.5, "finished": 4_102_444_800.0,
        "source_stamps": [
            {"branch": "", "revision": "", "codebase": "a&b", "changes": [
                {"who": "ä <ä@example.org>", "when": 951_782_400.0, "files": ["ß", "z", "Z", "a/b", "\u{1F600}", "\u{FB01}"]}]},
            {"revision": "r", "patch": {"level": 0, "body": "", "comment": ""}}],
        "steps": [{"name": "a/b c?", "logs": [{"name": "stdio", "url": "javascript:alert(1)"}]},
                  {"name": "late", "logs": [{"name": "other"}]}]},
        "logs": {"a/b c?/stdio": "no newline \u{0}\u{7f} <x>"}});
    let (bare, odd) = (sample(folder.path(), &bare), {
        let path = folder.path().join("odd.json");
        std::fs::write(&path, odd.to_string()).unwrap();
        path
    });
    let samples: [Vec<&str>; 3] =
        [vec![], vec!["--sample", bare.to_str().unwrap()], vec!["--sample", odd.to_str().unwrap()]];
    for sample in samples {
        let Some(rust) = answer("html-mail", "message-formatter", &sample) else { return };
        assert!(rust["body"].as_str().unwrap().starts_with("<!DOCTYPE html>"), "{rust}");
        for language in ["c", "go", "javascript", "python"] {
            let name = format!("{language}-html-mail");
            let Some(other) = answer(&name, "message-formatter", &sample) else { return };
            assert_eq!(other, rust, "{language} against Rust, {sample:?}");
        }
    }
}

#[test]
fn g_cb_one_component_reviews_announces_and_sums_up() {
    let Some(review) = answer("gerrit-review", "review-callback", &[]) else { return };
    assert_eq!(review["labels"], json!([["Verified", -1]]), "{review}");
    let Some(start) = answer("gerrit-review", "start-callback", &[]) else { return };
    assert!(start.as_str().is_some_and(|text| text.contains("linux gcc")), "{start}");
    let Some(summary) = answer("gerrit-review", "summary-callback", &[]) else { return };
    assert!(summary["message"].as_str().is_some_and(|text| text.contains("linux gcc")), "{summary}");
    assert_eq!(summary["labels"], json!([["Verified", -1]]), "{summary}");
    let Some(script) = answer("javascript-review", "review-callback", &[]) else { return };
    assert_eq!(script["labels"], json!([["Verified", -1]]), "{script}");
}

#[test]
fn i_add_07_a_channel_has_words_of_its_own() {
    let Some(words) = answer("channel-words", "announce-formatter", &[]) else { return };
    let url = "https://ci.example.org/builders/linux%20gcc/builds/42";
    assert_eq!(
        words,
        json!([format!(
            "linux gcc broke: failure in #42, with changes of Ada Lovelace <ada@example.org>, Bob, bob {url}"
        )])
    );
}

/// Components that were built for an older contract go on working, imports and all.
#[test]
fn a_component_of_the_first_contract_goes_on_working() {
    let text = r#"(component
        (import "campanile:notifier/logging@0.1.0" (instance $logging
            (type $levels (enum "debug" "info" "warn" "error"))
            (export "level" (type $level (eq $levels)))
            (export "log" (func (param "level" $level) (param "message" string)))))
        (core module $memory
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $next) (global.set $next (i32.add (global.get $next) (local.get 3))))
            (data (i32.const 0) "looking up") (data (i32.const 32) "old@example.org"))
        (core instance $memory (instantiate $memory))
        (core func $log (canon lower (func $logging "log") (memory (core memory $memory "memory"))))
        (core module $main
            (import "host" "log" (func $log (param i32 i32 i32)))
            (import "host" "memory" (memory 1))
            (func (export "find") (param i32 i32) (result i32)
                (call $log (i32.const 1) (i32.const 0) (i32.const 10))
                (i32.store8 (i32.const 64) (i32.const 0)) (i32.store8 (i32.const 68) (i32.const 1))
                (i32.store (i32.const 72) (i32.const 32)) (i32.store (i32.const 76) (i32.const 15))
                (i32.const 64)))
        (core instance $main (instantiate $main (with "host" (instance
            (export "log" (func $log)) (export "memory" (memory $memory "memory"))))))
        (func $find (param "user" string) (result (result (option string) (error string)))
            (canon lift (core func $main "find") (memory (core memory $memory "memory"))
                (realloc (core func $memory "realloc"))))
        (instance $lookup (export "get-address" (func $find)))
        (export "campanile:notifier/email-lookup@0.1.0" (instance $lookup)))"#;
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("old.wasm");
    std::fs::write(&component, wat::parse_str(text).unwrap()).unwrap();
    let told = preview(&component, &[]);
    assert_eq!(told[0]["answer"], "old@example.org", "{told:?}");
    assert_eq!(told[0]["log"][0]["text"], "looking up", "{told:?}");
}

#[test]
fn m_19_a_getter_goes_by_a_property_not_by_completion() {
    // 40 has the commit number 1039, 41 has 1041; the build is of commit 1042.
    let Some(previous) = answer("topological-previous", "previous-build-getter", &[]) else { return };
    assert_eq!(previous, json!({"builder": "linux gcc", "number": 41}));
}

#[test]
fn p_cb_packets_become_requests() {
    for name in ["push-packets", "python-push-packets"] {
        let Some(pushed) = answer(name, "push-callback", &[]) else { return };
        assert_eq!(pushed["consumed"], 2, "{name}: {pushed}");
        let request = &pushed["requests"][0];
        assert_eq!(request["method"], "POST", "{name}: {request}");
        let body: Vec<u8> = serde_json::from_value(request["body"].clone()).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(body.to_string().contains("buildFinished"), "{name}: {body}");
    }
}

#[test]
fn h_wasm_a_dialect_reads_pushes_and_rejects_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let build = json!({"builder": "b", "number": 1});
    let bad = sample(folder.path(), &json!({"build": build, "request": {"body": "no json"}}));
    let Some(answered) = answer("sourcehut-dialect", "hook-dialect", &["--sample", bad.to_str().unwrap()])
    else {
        return;
    };
    let status = answered["rejected"]["status"].as_u64();
    assert!(status.is_some_and(|status| (400..500).contains(&status)), "{answered}");
}

#[test]
fn m_30_a_lookup_answers_or_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let stranger =
        sample(folder.path(), &json!({"build": {"builder": "b", "number": 1}, "user": "no such user!"}));
    let Some(known) = answer("email-table", "email-lookup", &[]) else { return };
    assert!(known.as_str().is_some_and(|address| address.contains('@')), "{known}");
    let Some(unknown) = answer("email-table", "email-lookup", &["--sample", stranger.to_str().unwrap()])
    else {
        return;
    };
    assert_eq!(unknown, Value::Null);
}

#[test]
fn a_closed_wasi_gives_nothing_away() {
    let Some(message) = answer("ask-wasi", "message-formatter", &[]) else { return };
    let body = message["body"].as_str().unwrap();
    let got: Vec<&str> = body.lines().filter(|line| line.contains(": got ")).collect();
    for line in &got {
        let harmless = ["environment: got {}", "arguments: got []", "standard input: got ''"];
        let empty = harmless.iter().any(|known| line.starts_with(known));
        assert!(empty, "the guest got something: {line}\n{body}");
    }
    assert!(body.lines().count() >= 15, "all was tried:\n{body}");
}

#[test]
fn sleeping_in_wasi_ends_with_the_deadline() {
    let Some(component) = guest("ask-wasi") else { return skip("the guest `ask-wasi` is not built") };
    let folder = tempfile::tempdir().unwrap();
    let sleepy = sample(
        folder.path(),
        &json!({"build": {"builder": "b", "number": 1, "results": "failure", "reason": "sleep"}}),
    );
    let began = std::time::Instant::now();
    // Left alone, the guest would sleep for a minute.
    let output = run_preview(&component, &["--sample", sleepy.to_str().unwrap(), "--deadline", "3000"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("it took longer than 3000 ms"), "{told}");
    assert!(began.elapsed().as_secs() < 55, "{:?}", began.elapsed());
}
