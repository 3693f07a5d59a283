//! The API's description: a fuzzer that reads it (schemathesis) finds the engine doing just that.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use campanile_testing::{Engine, guest, http, skip};

fn engine() -> Engine {
    let Some(words) = guest("html-mail") else { panic!("asked for before") };
    Engine::start(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"bells-and-towers\"\n\n[callbacks.html]\n\
         component = {words:?}\ndeadline = \"10s\"\n\n[[mail]]\nfromaddr = \"ci@example.org\"\n\
         transport = \"file:outbox\"\nextra_recipients = [\"ada@example.org\"]\n"
    ))
}

/// The codes of errors are a closed set, and the page lists it.
#[tokio::test]
async fn the_codes_of_errors_are_on_the_page() {
    let engine = Engine::start("");
    let described = engine.get("/api/openapi.json").await;
    assert_eq!(described["openapi"], "3.1.0");
    let codes = described["components"]["schemas"]["ProblemCode"]["enum"].as_array().unwrap().clone();
    let mut codes: Vec<&str> = codes.iter().map(|code| code.as_str().unwrap()).collect();
    let page = include_str!("../../docs/api.md");
    let table = page.split("| `code` |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut listed: Vec<&str> = rows.map(|(code, _)| code).collect();
    codes.sort_unstable();
    listed.sort_unstable();
    assert_eq!(codes, listed);
    let problem = http().get(format!("{}/api/v1/builds/linux/seven", engine.url)).send().await.unwrap();
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(&problem.text().await.unwrap()).unwrap();
    assert_eq!(
        (&problem["code"], &problem["type"]),
        (&json!("bad-request"), &json!("urn:campanile:problem:bad-request"))
    );
    assert!(problem["detail"].as_str().unwrap().contains("seven"), "{problem}");
    let wrong = http().delete(format!("{}/api/v1/builders", engine.url)).send().await.unwrap();
    assert_eq!((wrong.status().as_u16(), &wrong.headers()["allow"]), (405, &"GET,HEAD".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fuzzer_finds_the_engine_as_described() {
    let Some(python) = std::env::var_os("CAMPANILE_PYTHON") else {
        return skip("CAMPANILE_PYTHON is not set: run the tests by `cargo xtask test`");
    };
    if guest("html-mail").is_none() {
        return skip("the guest `html-mail` is not built");
    }
    let fuzzer = Path::new(&python).with_file_name("schemathesis");
    if !fuzzer.exists() {
        return skip("schemathesis is not beside CAMPANILE_PYTHON: run the tests by `cargo xtask test`");
    }
    let engine = engine();
    // Something to be found.
    for (path, body) in [
        ("/api/v1/events", campanile_testing::build_finished(1, "failure").to_string()),
        ("/api/v1/tokens", "{\"name\": \"one\", \"role\": \"read\"}".to_owned()),
    ] {
        let request = http().post(format!("{}{path}", engine.url)).bearer_auth("bells-and-towers");
        let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    }
    let report = engine.folder.join("report");
    let mut command = Command::new(fuzzer);
    command.arg("run").arg(format!("{}/api/openapi.json", engine.url)).current_dir(&engine.folder).args([
        "--header",
        "Authorization: Bearer bells-and-towers",
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
         response_headers_conformance,unsupported_method",
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "25",
        "--seed",
        "1526395800",
        "--continue-on-failure",
        "--no-color",
        "--warnings",
        "off",
        "--suppress-health-check",
        "all",
        "--report",
        "json",
        "--report-json-path",
    ]);
    let done = command.arg(&report).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{told}\n{}", String::from_utf8_lossy(&done.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert!(report.is_object(), "{report}");
    assert!(told.contains("generated"), "{told}");
    let log = engine.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
}
