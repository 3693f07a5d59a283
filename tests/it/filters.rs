//! Filters of targets, as the page about them has them: names, patterns, and what is left out again.

use std::path::Path;

use serde_json::json;

use campanile_testing::{Engine, run};

/// The settings of the page, and a door.
fn settings() -> String {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/filters.md")).unwrap();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    format!("[server]\nlisten = \"127.0.0.1:0\"\n\n{example}")
}

#[tokio::test]
async fn m_flt_01_m_flt_03_patterns_choose_builds_and_explain_says_which_list_left_one_out() {
    let engine = Engine::start(&settings());
    let cases = [
        ("linux-gcc", "main", "https://github.com/ada/bells", None),
        ("linux-gcc", "release/1.0", "https://github.com/ada/bells", None),
        ("linux-gcc", "release/1.0/hotfix", "https://github.com/ada/bells", Some("branches")),
        ("linux-gcc", "release/old-1", "https://github.com/ada/bells", Some("branches")),
        ("linux-nightly", "main", "https://github.com/ada/bells", Some("builders")),
        ("mac", "main", "https://github.com/ada/bells", Some("builders")),
        ("linux-gcc", "main", "https://github.com/eve/bells", Some("repositories")),
    ];
    for (number, (builder, branch, repository, _)) in (1..).zip(cases) {
        engine
            .event(&json!({"event": "buildFinished", "build": {"builder": builder, "number": number,
                "results": "failure", "source_stamps": [{"branch": branch, "repository": repository}]}}))
            .await;
    }
    let mails = engine.outbox(2).await;
    assert_eq!(mails.len(), 2);
    for (number, (builder, branch, _, left_out_by)) in (1..).zip(cases) {
        let told = run(
            &engine.folder,
            &["deliveries", "--server", &engine.url, "explain", &format!("{builder}/{number}")],
        );
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        match left_out_by {
            None => assert!(told.contains("delivered"), "{builder} {branch}: {told}"),
            Some(key) => {
                assert!(told.contains(&format!("among the target's `{key}`")), "{builder} {branch}: {told}");
            }
        }
    }
}

#[test]
fn m_flt_02_check_refuses_what_is_no_pattern_and_warns_of_what_can_never_match() {
    let folder = tempfile::tempdir().unwrap();
    let check = |branches: &str| {
        let settings = settings().replace(r#"["main", "release/*", "!release/old-*"]"#, branches);
        std::fs::write(folder.path().join("campanile.toml"), settings).unwrap();
        let told = run(folder.path(), &["check"]);
        (told.status.code(), String::from_utf8_lossy(&told.stderr).into_owned())
    };
    let (code, told) = check(r#"["main", "!m*"]"#);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains(
            "campanile.toml:11: warning: `branches`: `main` can never match, since it is left out again"
        ),
        "{told}"
    );
    let (code, told) = check(r#"["release/["]"#);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("campanile.toml:11: error: `branches`: `release/[` is no pattern"), "{told}");
}
