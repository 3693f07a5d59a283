//! Explanations by revisions: abbreviated, ambiguous, told of elsewhere, or not at all.

use serde_json::json;

use campanile_testing::{Engine, run};

const BELLS: &str = "https://git.example.org/ada/bells";
const ONE: &str = "68e5df28aa0bbb5b8e2d1f0c9d7e6a5b4c3d2e1f";
const TWO: &str = "68e5df28ffffff5b8e2d1f0c9d7e6a5b4c3d2e1f";
const FAR: &str = "77aa2b1daa0bbb5b8e2d1f0c9d7e6a5b4c3d2e1f";

/// Runs `campanile deliveries explain`; gives what it prints, and its exit code.
fn explain(engine: &Engine, about: &str) -> (String, Option<i32>) {
    let done = run(&engine.folder, &["deliveries", "--server", &engine.url, "explain", about]);
    let [out, err] = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap());
    (out + &err, done.status.code())
}

async fn pushed(repositories: &[(&str, &str)]) -> Engine {
    let engine = Engine::start("");
    for (revision, repository) in repositories {
        let change = json!({"who": "ada", "revision": revision, "repository": repository, "branch": "main"});
        engine.event(&json!({"event": "changeAdded", "change": change})).await;
    }
    engine
}

#[tokio::test]
async fn m_21_a_build_without_changes_says_why_it_has_none() {
    let engine = pushed(&[(ONE, BELLS), (TWO, BELLS), (FAR, BELLS)]).await;
    let elsewhere = format!(
        "pushes of 77aa2b1 were told of for {BELLS}, and the build is of `https://git.example.org/eve/bells`"
    );
    let cases = [
        ("68e5df2", "", format!("68e5df2 is the beginning of 2 revisions ({TWO}, {ONE}): tell more of it")),
        (
            "77AA2B1",
            BELLS,
            "nobody told of a push of 77AA2B1, but of 77aa2b1: hashes are told in lower case".to_owned(),
        ),
        (
            "77aa2",
            BELLS,
            "nobody told of a push of 77aa2; the beginning of a hash has 7 digits or more".to_owned(),
        ),
        ("77aa2b1", "https://git.example.org/eve/bells", elsewhere),
        ("0123456789", BELLS, "nobody told of a push of 0123456789".to_owned()),
    ];
    for (number, (revision, repository, why)) in (1..).zip(&cases) {
        let stamp = json!({"revision": revision, "repository": repository, "branch": "main"});
        let build =
            json!({"builder": "linux", "number": number, "results": "failure", "source_stamps": [stamp]});
        engine.event(&json!({"event": "buildFinished", "build": build})).await;
        let (told, code) = explain(&engine, &format!("linux/{number}"));
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains(&format!("  changes: none: {why}\n")), "{why} is missing in {told}");
    }
}

#[tokio::test]
async fn m_21_a_revision_may_be_abbreviated() {
    let engine = pushed(&[(ONE, BELLS), (TWO, BELLS), (FAR, BELLS)]).await;
    for about in [FAR, "77aa2b1", "77AA2B1D"] {
        let (told, code) = explain(&engine, about);
        assert_eq!(code, Some(0), "{about}: {told}");
        assert!(told.starts_with(&format!("event 3: changeAdded {FAR}\n")), "{about}: {told}");
    }
    let (told, code) = explain(&engine, "68e5df2");
    assert_eq!(code, Some(1));
    assert!(
        told.contains(&format!("`68e5df2` is the beginning of 2 revisions ({TWO}, {ONE}): write more of it")),
        "{told}"
    );
    let (told, code) = explain(&engine, "77aa2b");
    assert_eq!(code, Some(1));
    assert!(told.contains("no event `77aa2b` is known") && told.contains("seven digits of a hash"), "{told}");
}
