//! The operator's tools: logs, metrics, alerts, a dashboard, completions, the manual, an image's recipe.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use campanile_testing::{Engine, http, run, skip};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap()
}

/// Names that docs/operating.md has in its table.
fn documented() -> BTreeSet<String> {
    let page = read("docs/operating.md");
    let names = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let metrics = names.map(|(name, _)| name.to_owned());
    metrics.filter(|name| name.starts_with("campanile_") || name.starts_with("process_")).collect()
}

/// Names of metrics in a text that the table does not have; parts of a histogram count as the histogram.
fn unknown_metrics(text: &str) -> Vec<String> {
    let known = documented();
    let pattern = regex::Regex::new(r"\b(?:campanile|process)_[a-z_]+\b").unwrap();
    let found: BTreeSet<&str> = pattern.find_iter(text).map(|found| found.as_str()).collect();
    assert!(!found.is_empty());
    let base = |name: &str| {
        let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        histogram.is_some_and(|name| known.contains(name))
    };
    found.into_iter().filter(|name| !known.contains(*name) && !base(name)).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_metrics_prints_is_on_the_page() {
    let engine = Engine::start(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n\
         [[mail]]\nname = \"away\"\nfromaddr = \"ci@example.org\"\nlookup = \"example.org\"\n\
         relayhost = \"127.0.0.1\"\nsmtp_port = 1\n",
    );
    engine.build(1, "failure").await;
    engine.outbox(1).await;
    engine.failed("connection").await;
    let response = http().get(format!("{}/metrics", engine.url)).send().await.unwrap();
    let text = response.text().await.unwrap();
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(unknown_metrics(&samples.join("\n")), [""; 0]);
    for sample in [
        "campanile_deliveries_waiting{tenant=\"default\",target=\"away\"} 1",
        "campanile_delivery_send_seconds_count{tenant=\"default\",target=\"dev\"} 1",
        "campanile_deliveries_stored{state=\"delivered\"} 1",
        "campanile_store_append_seconds_count 1",
    ] {
        assert!(samples.contains(&sample), "{sample} is missing in\n{text}");
    }
    let value = |name: &str| -> f64 {
        let line = samples.iter().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_open_fds") > 5.0);
    assert!(value("process_max_fds") >= value("process_open_fds"));
    assert!(value("campanile_store_works_total") >= value("campanile_store_transactions_total"));
    assert!(value("campanile_store_bytes") > 4096.0);
    let oldest = samples.iter().any(|line| {
        line.starts_with("campanile_delivery_oldest_waiting_seconds{tenant=\"default\",target=\"away\"} ")
    });
    assert!(oldest, "{text}");
    // As a Prometheus reads it, if one is at hand. It reads the older form: the last line is for the newer one alone.
    if let Some(told) = promtool(&["check", "metrics"], &text.replace("# EOF\n", "")) {
        assert!(!told.contains("error while linting"), "{told}");
    }
}

/// Runs promtool on an input and gives its output; none if there is none, which is then said.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let child = Command::new("promtool")
        .args(arguments)
        .current_dir(Path::new(ROOT).join("contrib/prometheus"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        skip("there is no promtool: install prometheus");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(format!(
        "{}{}{}",
        if output.status.success() { "" } else { "FAILED\n" },
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

#[test]
fn the_alerts_come_when_they_should() {
    let alerts = read("contrib/prometheus/alerts.yml");
    assert_eq!(unknown_metrics(&alerts), [""; 0]);
    let cases = read("contrib/prometheus/alerts.test.yml");
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(cases.contains(&format!("alertname: {alert}\n")), "{alert} is not tested");
    }
    let Some(told) = promtool(&["check", "rules", "alerts.yml"], "") else { return };
    assert!(told.contains("SUCCESS") && !told.contains("FAILED"), "{told}");
    let told = promtool(&["test", "rules", "alerts.test.yml"], "").unwrap();
    assert!(told.contains("SUCCESS") && !told.contains("FAILED"), "{told}");
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let dashboard: Value = serde_json::from_str(&read("contrib/grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "two panels have the id {}", panel["id"]);
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert_eq!(unknown_metrics(query), [""; 0], "{query}");
            // As a rule of its own it must be a query: the dashboard's own words stand for values there.
            let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
            let rule = format!("groups: [{{name: g, rules: [{{record: r, expr: '{query}'}}]}}]\n");
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, rule).unwrap();
            let Some(told) = promtool(&["check", "rules", file.path().to_str().unwrap()], "") else { return };
            assert!(told.contains("SUCCESS") && !told.contains("FAILED"), "{query}: {told}");
        }
    }
    assert!(panels.len() > 10);
}

#[tokio::test]
async fn the_log_can_be_json_with_fields() {
    let engine = Engine::start_with_variables(
        "[[mail]]\nname = \"dev\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n",
        &[("CAMPANILE_LOG_FORMAT", "json")],
    );
    engine.build(1, "failure").await;
    let log = engine.logs("\"delivery delivered: ").await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let delivered = lines
        .iter()
        .find(|line| line["message"].as_str().unwrap().starts_with("delivery delivered: "))
        .unwrap();
    assert_eq!(delivered["level"], "INFO");
    assert_eq!((&delivered["tenant"], &delivered["target"]), (&"default".into(), &"dev".into()));
    assert_eq!((&delivered["delivery"], &delivered["subject"]), (&1.into(), &"linux #1".into()));
    assert!(delivered["timestamp"].as_str().unwrap().ends_with('Z'));
    let wrong = run(&engine.folder, &["serve", "--log-format", "xml"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("[possible values: text, json]"));
}

#[test]
fn health_asks_the_engine() {
    let mut engine = Engine::start("");
    let server = engine.url.clone();
    let well = run(&engine.folder, &["health", "--server", &server]);
    assert!(well.status.success() && well.stdout == b"ready\n");
    assert_eq!(engine.terminate(), Some(0));
    let gone = run(&engine.folder, &["health", "--server", &server]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("no engine answers at"));
}

/// True when a program is at hand.
fn have(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let written = run(folder.path(), &["completions", shell]);
        assert!(written.status.success());
        let script = String::from_utf8(written.stdout).unwrap();
        assert!(script.contains("deliveries") && script.contains("log-format"), "{shell}");
        std::fs::write(folder.path().join(shell), script).unwrap();
    }
    if !have("bash") {
        return skip("there is no bash");
    }
    let checked = Command::new("bash").arg("-n").arg(folder.path().join("bash")).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    // Completed as a shell does it.
    let script = "source ./bash; COMP_WORDS=(campanile store b); COMP_CWORD=2; _campanile campanile b store; \
                  echo \"${COMPREPLY[@]}\"";
    let completed = Command::new("bash").args(["-c", script]).current_dir(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "backup");
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let written = run(folder.path(), &["man", "man1"]);
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let pages: BTreeSet<String> = std::fs::read_dir(folder.path().join("man1"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in ["campanile.1", "campanile-serve.1", "campanile-store.1", "campanile-store-backup.1"] {
        assert!(pages.contains(page), "{page} is missing in {pages:?}");
    }
    assert!(pages.iter().all(|page| !page.contains("compile-component")), "{pages:?}");
    if !have("groff") {
        return skip("there is no groff");
    }
    for page in pages {
        let rendered = Command::new("groff")
            .args(["-man", "-Tutf8", "-P-b", "-ww"])
            .arg(folder.path().join("man1").join(&page))
            .output()
            .unwrap();
        assert!(rendered.stderr.is_empty(), "{page}: {}", String::from_utf8_lossy(&rendered.stderr));
        let text = String::from_utf8_lossy(&rendered.stdout).into_owned();
        assert!(text.contains("NAME") && text.contains("campanile"), "{page}");
    }
}

/// No image can be built in the tests: what the recipe says of the program is held against the program.
#[test]
fn the_recipe_of_the_image_fits_the_program() {
    let recipe = read("Dockerfile");
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let rust = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(
        recipe.contains(&format!("FROM rust:{rust}-")),
        "the builder is the oldest Rust that the crate promises"
    );
    assert!(recipe.contains("cargo build --release --locked --bin campanile"));
    assert!(recipe.contains("/target/release/campanile /usr/bin/campanile"));
    let line = |start: &str| {
        let lines: Vec<&str> = recipe.lines().filter(|line| line.starts_with(start)).collect();
        assert_eq!(lines.len(), 1, "{start}: {lines:?}");
        lines[0].to_owned()
    };
    // Not root, by number, so that Kubernetes can tell.
    let user = line("USER ").replace("USER ", "");
    assert!(user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)), "{user}");
    assert_eq!(line("EXPOSE "), "EXPOSE 8010");
    assert_eq!(line("ENTRYPOINT "), r#"ENTRYPOINT ["campanile"]"#);
    assert_eq!(line("CMD "), r#"CMD ["serve"]"#);
    assert!(recipe.contains(r#"CMD ["campanile", "health"]"#));
    let config = line("ENV CAMPANILE_CONFIG=").replace("ENV CAMPANILE_CONFIG=", "");
    let volume = line("VOLUME ").replace("VOLUME ", "");
    assert_eq!(
        Path::new(&config).parent().unwrap(),
        Path::new(&volume),
        "cache and store lie beside the settings"
    );
    // Every file that the recipe copies from here is here.
    let copied: Vec<&str> =
        recipe.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")).collect();
    assert!(!copied.is_empty());
    for line in copied {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        for source in &words[..words.len() - 1] {
            assert!(Path::new(ROOT).join(source).exists(), "{line}");
        }
    }
    // What is asked of the program, it knows: the port by default, the commands, the variables.
    let folder = tempfile::tempdir().unwrap();
    let health = run(folder.path(), &["health", "--help"]);
    assert!(String::from_utf8_lossy(&health.stdout).contains("http://127.0.0.1:8010/"));
    let serve = run(folder.path(), &["serve", "--help"]);
    assert!(String::from_utf8_lossy(&serve.stdout).contains("CAMPANILE_CONFIG"));
}
