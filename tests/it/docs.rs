//! The documents' own examples: every settings example passes `check`, the event of docs/events.md is taken.

use std::path::{Path, PathBuf};
use std::process::Command;

use campanile_testing::{Engine, guest, program, skip};

/// The fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/callbacks", "docs/connect", "docs/hooks", "docs/targets"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages
}

#[test]
fn every_settings_example_passes_check() {
    let named: Vec<_> =
        ["html-mail", "page-mail", "sourcehut-dialect", "channel-words", "gerrit-review", "push-packets"]
            .into_iter()
            .filter_map(|name| Some((format!("{name}.wasm"), guest(name)?)))
            .collect();
    if named.len() < 6 {
        return skip("the guests that the pages name are not built: run `cargo xtask guests`");
    }
    let mut examples = 0;
    for page in pages() {
        for example in blocks(&std::fs::read_to_string(&page).unwrap(), "toml") {
            examples += 1;
            let folder = tempfile::tempdir().unwrap();
            for (name, component) in &named {
                std::fs::copy(component, folder.path().join(name)).unwrap();
            }
            std::fs::write(folder.path().join("changehook.passwd"), "forge:password\n").unwrap();
            std::fs::write(folder.path().join("campanile.toml"), &example).unwrap();
            let checked = Command::new(program())
                .arg("check")
                .current_dir(folder.path())
                .env("GITHUB_SECRET", "bell-tower")
                .env("SMTP_PASSWORD", "tower")
                .env("IRC_PASSWORD", "tower")
                .env("IRC_KEY", "tower")
                .env("CONTROL_TOKEN", "tower")
                .env("BUILDBOT_PASSWORD", "tower")
                .env("GITHUB_TOKEN", "tower")
                .env("GITLAB_TOKEN", "tower")
                .env("GITEA_TOKEN", "tower")
                .env("BITBUCKET_SECRET", "tower")
                .env("BITBUCKET_TOKEN", "tower")
                .env("GERRIT_KEY", "tower")
                .env("GERRIT_PASSWORD", "tower")
                .env("PUSH_PASSWORD", "tower")
                .env("WEBHOOK_SECRET", "tower")
                .env("HOOK_SECRET", "bell-tower")
                .env("CAMPANILE_TOKEN", "tower")
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&checked.stderr);
            assert!(checked.status.success(), "{}:\n{example}\n{told}", page.display());
        }
    }
    assert!(examples >= 5, "only {examples} examples were found");
}

#[tokio::test]
async fn the_event_of_the_events_page_is_taken() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).unwrap();
    let shell = blocks(&page, "sh").remove(0);
    let body = shell.split_once("-d '").unwrap().1.trim_end().trim_end_matches('\'');
    let engine = Engine::start("");
    assert_eq!(engine.post("/api/v1/events", body).await.0, 202);
    let build = engine.get("/api/v1/builds/linux/7").await;
    assert_eq!(build["build"]["results"], "failure");
}

/// Runs the commands for what waits or is dead after an outage.
#[test]
fn m_dlv_05_the_commands_of_the_operating_page_work() {
    let page = include_str!("../../docs/operating.md");
    let target = |name| {
        format!(
            "[[mail]]\nname = \"{name}\"\nfromaddr = \"ci@example.org\"\ntransport = \"file:outbox\"\nlookup = \"example.org\"\n"
        )
    };
    let engine = Engine::start(&["devs", "gone-for-good"].map(target).concat());
    let script = blocks(page, "sh").into_iter().find(|script| script.contains("deliveries retry")).unwrap();
    for line in script.lines() {
        let arguments: Vec<&str> = line
            .split('#')
            .next()
            .unwrap()
            .split_whitespace()
            .skip(1)
            .chain(["--server", &engine.url])
            .collect();
        let done = campanile_testing::run(&engine.folder, &arguments);
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// Runs the commands that the pages about other CIs have people try by hand: afterwards the engine knows their builds.
#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_pages_about_other_cis_work() {
    if ["curl", "openssl"].iter().any(|tool| Command::new(tool).arg("--version").output().is_err()) {
        return skip("curl or openssl is missing");
    }
    let engine = Engine::start(
        "[server]\nlisten = \"127.0.0.1:0\"\napi_token = \"tower\"\n[events]\ngithub = { secret = \"bell-tower\" }\n\
         gitlab = { secret = \"bell-tower\" }\ncloudevents = { secret = \"bell-tower\" }\n",
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run-tests"), "#!/bin/sh\necho 'tower.c:7: no bell' >&2\nexit 3\n")
        .unwrap();
    let executable = Command::new("chmod").arg("+x").arg(folder.path().join("run-tests")).status().unwrap();
    assert!(executable.success());
    let programs = program().parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    for (page, builder, number, results) in [
        ("shell", "bells", 7, "failure"),
        ("shell", "chimes", 7, "failure"),
        ("shell", "bells-by-curl", 8, "failure"),
        ("github-actions", "ada/bells/CI", 101, "failure"),
        ("gitlab", "ada/bells", 101, "failure"),
        ("jenkins", "towers/bells", 7, "failure"),
        ("woodpecker-drone", "ada/bells-at-drone", 7, "failure"),
        ("cdevents", "bells at large", 1, "failure"),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/connect/{page}.md"));
        let scripts = blocks(&std::fs::read_to_string(&file).unwrap(), "sh");
        let script = match builder {
            "chimes" => &scripts[1],
            "bells-by-curl" => &scripts[2],
            _ => &scripts[0],
        };
        let done = Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("CAMPANILE_SERVER", &engine.url)
            .env("CAMPANILE_TOKEN", "tower")
            .env("WEBHOOK_SECRET", "bell-tower")
            .output()
            .unwrap();
        let told =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        // The shell's job fails as its tests did.
        let code = if ["bells", "chimes"].contains(&builder) { 3 } else { 0 };
        assert_eq!(done.status.code(), Some(code), "{page}: {told}");
        let builder = builder.replace('/', "%2F").replace(' ', "%20");
        let url = format!("{}/api/v1/builds/{builder}/{number}", engine.url);
        let answer = campanile_testing::http().get(url).bearer_auth("tower").send().await.unwrap();
        assert!(answer.status().is_success(), "{page}: {}: {told}", answer.status());
        let build: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let build = &build["build"];
        assert_eq!(build["results"], results, "{page}: {told}");
        if page == "shell" {
            assert_eq!(build["steps"][0]["logs"][0]["lines"], 1, "{page}: {build}");
        }
    }
}
