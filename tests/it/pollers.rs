//! Pollers on real repositories and feeds: what is new comes in once, whatever happens in between.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use campanile_testing::{Engine, http, patiently, run, skip, write_settings};

/// A bare Git repository, and a working copy to commit in.
struct GitRepository {
    folder: tempfile::TempDir,
}

impl GitRepository {
    /// None if there is no `git`, which is then said.
    fn new() -> Option<Self> {
        if Command::new("git").arg("--version").output().is_err() {
            skip("there is no `git`");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let repository = Self { folder };
        repository.run(
            repository.folder.path(),
            &["init", "--quiet", "--bare", "--initial-branch=main", "bare.git"],
        );
        repository.run(repository.folder.path(), &["init", "--quiet", "--initial-branch=main", "work"]);
        repository.git(&["remote", "add", "origin", "../bare.git"]);
        Some(repository)
    }

    fn url(&self) -> String {
        self.folder.path().join("bare.git").display().to_string()
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.run(&self.work(), arguments)
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> String {
        let done = Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .env("HOME", self.folder.path())
            .envs([("GIT_AUTHOR_NAME", "Ada Lovelace"), ("GIT_AUTHOR_EMAIL", "ada@example.org")])
            .envs([("GIT_COMMITTER_NAME", "Bob"), ("GIT_COMMITTER_EMAIL", "bob@example.org")])
            .envs([("GIT_COMMITTER_DATE", "1400000000 +0200"), ("GIT_AUTHOR_DATE", "1300000000 +0200")])
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Commits a file named like the message, on the branch that is checked out.
    fn commit(&self, message: &str) -> String {
        std::fs::write(self.work().join(message), message).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn push(&self) {
        self.git(&["push", "--quiet", "--force", "--prune", "origin", "refs/heads/*:refs/heads/*"]);
    }
}

/// Tells pollers to look by the hook; gives status and text.
pub(crate) async fn knock(engine: &Engine, query: &str) -> (u16, String) {
    engine.post(&format!("/change_hook/poller{query}"), "").await
}

pub(crate) async fn counted(engine: &Engine, line: &str) -> Option<u64> {
    let metrics = http().get(format!("{}/metrics", engine.url)).send().await.unwrap().text().await.unwrap();
    metrics.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

/// Has `bells` look, and waits until it has.
pub(crate) async fn look(engine: &Engine) {
    let done = "campanile_polls_total{tenant=\"default\",poller=\"bells\",outcome=\"done\",code=\"\"}";
    let before = counted(engine, done).await.unwrap_or(0);
    assert_eq!(knock(engine, "?poller=bells").await, (200, "no changes found".to_owned()), "H-PO-05");
    patiently("the poller looks", async || (counted(engine, done).await.unwrap_or(0) > before).then_some(()))
        .await;
}

/// All changes, oldest first.
pub(crate) async fn changes(engine: &Engine) -> Vec<Value> {
    let mut changes = engine.get("/api/v1/changes?limit=500").await["changes"].as_array().unwrap().clone();
    changes.reverse();
    changes
}

/// The comments of the changes, each with its branch.
async fn told(engine: &Engine) -> Vec<String> {
    let changes = changes(engine).await;
    let text = |change: &Value, key: &str| change[key].as_str().unwrap_or("-").to_owned();
    changes.iter().map(|change| format!("{} {}", text(change, "branch"), text(change, "comments"))).collect()
}

fn git_settings(repository: &GitRepository, more: &str) -> String {
    format!(
        "[change_hooks.dialects]\npoller = true\n\n[[git_poller]]\nname = \"bells\"\nrepourl = \"{}\"\n\
         pollInterval = 0\n{more}",
        repository.url()
    )
}

#[tokio::test]
async fn commits_come_in_once_with_all_that_they_say() {
    let Some(repository) = GitRepository::new() else { return };
    repository.commit("old");
    repository.push();
    let settings = git_settings(&repository, "branches = true\nproject = \"tower\"\ncategory = \"poll\"\n");
    let engine = Engine::start(&settings);
    look(&engine).await;
    assert_eq!(told(&engine).await, [] as [&str; 0], "what was there at first is not new");

    std::fs::write(repository.work().join("b c ü.txt"), "").unwrap();
    let revision = repository.commit("ring\n\nthe bells");
    repository.push();
    look(&engine).await;
    look(&engine).await;
    let all = changes(&engine).await;
    assert_eq!(all.len(), 1);
    let change = &all[0];
    for (key, value) in [
        ("who", "Ada Lovelace <ada@example.org>"),
        ("committer", "Bob <bob@example.org>"),
        ("comments", "ring\n\nthe bells"),
        ("revision", &revision),
        ("branch", "main"),
        ("project", "tower"),
        ("category", "poll"),
        ("repository", &repository.url()),
        ("src", "git"),
    ] {
        assert_eq!(change[key], value, "{key}");
    }
    assert_eq!(change["files"], serde_json::json!(["b c ü.txt", "ring\n\nthe bells"]));
    assert_eq!(change["when"], 1_400_000_000);
}

#[tokio::test]
async fn branches_that_come_go_and_are_forced_are_no_errors_and_nothing_is_told_twice() {
    let Some(repository) = GitRepository::new() else { return };
    repository.commit("old");
    repository.push();
    let engine = Engine::start(&git_settings(&repository, "branches = true\n"));
    look(&engine).await;

    // A new branch: only its own commits. A merge: what only it has.
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    repository.commit("s1");
    repository.push();
    look(&engine).await;
    repository.git(&["checkout", "--quiet", "main"]);
    repository.commit("m1");
    repository.git(&["merge", "--quiet", "--no-ff", "--message", "merged", "side"]);
    repository.push();
    look(&engine).await;
    let mut expected = vec!["side s1", "main m1", "main merged"];
    assert_eq!(told(&engine).await, expected);
    assert_eq!(changes(&engine).await[2]["files"], serde_json::json!(["s1"]), "a merge's files");

    // Forced elsewhere, and back again.
    let there = repository.git(&["rev-parse", "side"]);
    repository.git(&["checkout", "--quiet", "side"]);
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    repository.commit("s2");
    let forced = repository.git(&["rev-parse", "side"]);
    repository.push();
    look(&engine).await;
    expected.push("side s2");
    assert_eq!(told(&engine).await, expected);
    repository.git(&["reset", "--quiet", "--hard", &there]);
    repository.push();
    look(&engine).await;
    assert_eq!(told(&engine).await, expected);

    // Gone, and back again; then one that could only be told with its whole history.
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git(&["branch", "--quiet", "-D", "side"]);
    repository.push();
    look(&engine).await;
    repository.git(&["branch", "--quiet", "side", &forced]);
    repository.push();
    look(&engine).await;
    assert_eq!(told(&engine).await, expected);
    let failed =
        counted(&engine, "campanile_polls_total{tenant=\"default\",poller=\"bells\",outcome=\"failed\"")
            .await;
    assert_eq!(failed, None);

    // The clone is only a cache, even if the branch was forced while it was lost.
    std::fs::remove_dir_all(engine.folder.join(".campanile-cache/git")).unwrap();
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    for message in ["x1", "x2"] {
        repository.commit(message);
    }
    repository.git(&["branch", "--quiet", "-D", "side"]);
    repository.push();
    repository.run(Path::new(&repository.url()), &["gc", "--quiet", "--prune=now"]);
    look(&engine).await;
    expected.push("main x2");
    assert_eq!(told(&engine).await, expected);
    let log = engine.log();
    assert!(log.contains("was forced and its old commits are gone"), "{log}");
}

#[tokio::test]
async fn one_branch_some_branches_or_the_default_one() {
    let Some(repository) = GitRepository::new() else { return };
    repository.commit("old");
    for branch in ["a", "b", "a-b"] {
        repository.git(&["branch", "--quiet", branch]);
    }
    repository.push();
    for (more, expected) in [
        ("", vec!["main new-main"]),
        ("branch = \"a\"\n", vec!["a new-a"]),
        ("branches = [\"b\", \"a\", \"gone\"]\n", vec!["a new-a", "b new-b"]),
    ] {
        let engine = Engine::start(&git_settings(&repository, more));
        look(&engine).await;
        let heads = repository.git(&["rev-parse", "main", "a", "b", "a-b"]);
        for branch in ["main", "a", "b", "a-b"] {
            repository.git(&["checkout", "--quiet", branch]);
            repository.commit(&format!("new-{branch}"));
        }
        repository.push();
        look(&engine).await;
        assert_eq!(told(&engine).await, expected, "{more}");
        // As it was, for the next one.
        for (branch, head) in ["main", "a", "b", "a-b"].iter().zip(heads.lines()) {
            repository.git(&["checkout", "--quiet", "-B", branch, head]);
        }
        repository.push();
    }
}

#[tokio::test]
async fn kill_9_at_any_point_neither_loses_nor_repeats_a_change() {
    let Some(repository) = GitRepository::new() else { return };
    repository.commit("old");
    repository.push();
    let mut engine = Engine::start(&git_settings(&repository, "branches = true\npoll_at_launch = true\n"));
    look(&engine).await;
    let mut expected = Vec::new();
    for round in 0..12_u64 {
        for commit in 0..3 {
            repository.commit(&format!("c{round}-{commit}"));
            expected.push(format!("main c{round}-{commit}"));
        }
        repository.push();
        knock(&engine, "").await;
        tokio::time::sleep(Duration::from_millis(round * 9)).await;
        engine.kill_and_restart();
    }
    look(&engine).await;
    assert_eq!(told(&engine).await, expected);
}

#[tokio::test]
async fn h_po_03_h_po_04_the_hook_looks_only_where_it_may() {
    let Some(repository) = GitRepository::new() else { return };
    repository.commit("old");
    repository.push();
    let settings =
        git_settings(&repository, "").replace("poller = true", "poller = { allowed = [\"bells\"] }");
    let second = format!("\n[[git_poller]]\nrepourl = \"{}\"\npoll_interval = 0\n", repository.url());
    let engine = Engine::start(&format!("{settings}{second}"));
    look(&engine).await;
    let url = repository.url();
    for (query, missing) in [
        ("?poller=gone&poller=bells&poller=other&poller=gone".to_owned(), "gone,other".to_owned()),
        // H-PO-02: without a name it goes by its address; it is there, and not allowed.
        (format!("?poller={url}"), url.clone()),
        ("?poller=".to_owned(), String::new()),
    ] {
        let refused = knock(&engine, &query).await;
        assert_eq!(refused, (400, format!("Could not find pollers: {missing}")), "{query}");
    }
    // Its label is no address (H-PO-10).
    let done = async || {
        let metrics =
            http().get(format!("{}/metrics", engine.url)).send().await.unwrap().text().await.unwrap();
        let begin = "campanile_polls_total{tenant=\"default\",poller=\"here-";
        metrics.lines().any(|line| line.starts_with(begin) && line.contains("outcome=\"done\"")).then_some(())
    };
    // H-PO-01: without a name all that are allowed.
    assert_eq!(knock(&engine, "").await.0, 200);
    look(&engine).await;
    assert_eq!(done().await, None, "a poller looked that may not be told to");

    let open = settings.replace("poller = { allowed = [\"bells\"] }", "poller = {}");
    write_settings(&engine.folder, &format!("{open}{second}"));
    patiently("without `allowed` all may be told to look", async || {
        (knock(&engine, &format!("?poller={url}")).await.0 == 200).then_some(())
    })
    .await;
    patiently("it looks", done).await;
}

#[test]
fn h_po_09_names_in_allowed_that_no_poller_has_are_told() {
    let folder = tempfile::tempdir().unwrap();
    write_settings(
        folder.path(),
        "[change_hooks.dialects]\npoller = { allowed = [\"bells\", \"bels\"] }\n\n[[git_poller]]\nname = \"bells\"\n\
         repourl = \"https://git.example.org/bells.git\"\n",
    );
    let checked = run(folder.path(), &["check"]);
    let told = String::from_utf8_lossy(&checked.stderr);
    assert!(
        told.contains("campanile.toml:8: warning: `poller.allowed`: there is no poller `bels`"),
        "{told}"
    );
    assert_eq!(told.matches("there is no poller").count(), 1);
    // H-T-09: a list that can't be read is an error.
    write_settings(folder.path(), "[change_hooks.dialects]\npoller = { allowed = \"bells\" }\n");
    assert_eq!(run(folder.path(), &["check"]).status.code(), Some(2));
}

#[tokio::test]
async fn h_po_08_a_failing_look_says_so_and_is_tried_again() {
    let Some(repository) = GitRepository::new() else { return };
    repository.commit("old");
    repository.push();
    let bare = repository.folder.path().join("bare.git");
    let away = repository.folder.path().join("away.git");
    let engine = Engine::start(&git_settings(&repository, ""));
    look(&engine).await;
    std::fs::rename(&bare, &away).unwrap();
    assert_eq!(knock(&engine, "?poller=bells").await.0, 200, "the hook has already answered");
    let failed =
        "campanile_polls_total{tenant=\"default\",poller=\"bells\",outcome=\"failed\",code=\"program\"}";
    patiently("the failure is counted", async || counted(&engine, failed).await).await;
    let log = engine.log();
    assert!(log.contains("poll failed") && log.contains("does not appear to be a git repository"), "{log}");
    repository.git(&["remote", "set-url", "origin", "../away.git"]);
    repository.commit("new");
    repository.push();
    std::fs::rename(&away, &bare).unwrap();
    // Nobody tells it to look again.
    patiently("it is tried again", async || (told(&engine).await == ["main new"]).then_some(())).await;
}

#[tokio::test]
async fn h_po_06_h_po_07_by_itself_at_launch_and_never_twice_at_once() {
    let Some(repository) = GitRepository::new() else { return };
    repository.commit("old");
    repository.push();
    // A `git` that notes when it began and ended.
    let folder = tempfile::tempdir().unwrap();
    let (slow, log) = (folder.path().join("slow-git"), folder.path().join("log"));
    std::fs::write(
        &slow,
        format!("#!/bin/sh\ncase \"$*\" in *ls-remote*) echo begin >> {0}; sleep 0.5; git \"$@\"; echo end >> {0};; *) exec git \"$@\";; esac\n", log.display()),
    )
    .unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&slow, executable).unwrap();
    let lines = || std::fs::read_to_string(&log).unwrap_or_default();
    let more = format!("gitbin = \"{}\"\npoll_at_launch = true\n", slow.display());
    let engine = Engine::start(&git_settings(&repository, &more));
    patiently("it looks at launch", async || lines().contains("begin").then_some(())).await;
    for _ in 0..5 {
        knock(&engine, "?poller=bells").await;
    }
    let done = "campanile_polls_total{tenant=\"default\",poller=\"bells\",outcome=\"done\",code=\"\"}";
    patiently("the second look ends", async || (counted(&engine, done).await == Some(2)).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(lines(), "begin\nend\nbegin\nend\n", "five wishes during one look make one more");

    // By itself, with an interval.
    let regular = git_settings(&repository, "").replace("pollInterval = 0", "poll_interval = \"200ms\"");
    write_settings(&engine.folder, &regular);
    patiently("it looks again and again", async || (counted(&engine, done).await? >= 5).then_some(())).await;
}

#[test]
fn settings_of_pollers_that_cannot_be_used_are_told_with_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    write_settings(
        folder.path(),
        "[server]\nlisten = \"127.0.0.1:0\"\n[[git_poller]]\nrepourl = \"ext::sh -c id\"\n\
         [[git_poller]]\nrepourl = \"https://ada:hush@example.org/x\"\nbranch = \"--upload-pack=x\"\n\
         [[git_poller]]\nname = \"x\"\n[[git_poller]]\nname = \"y\"\nrepourl = \"/x\"\nbranches = false\n\
         [[git_poller]]\nname = \"y\"\nrepourl = \"/x\"\nbranch = \"a\"\nbranches = true\nintervall = 5\n",
    );
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(2));
    let told = String::from_utf8_lossy(&checked.stderr);
    for line in [
        "campanile.toml:4: error: `repourl`: `ext::sh -c id` is no address",
        "campanile.toml:6: error: `repourl` holds a password",
        "campanile.toml:7: error: `--upload-pack=x` can't be the name of a branch",
        "campanile.toml:8: error: `repourl` is missing",
        "campanile.toml:13: error: `branches` must be true",
        "campanile.toml:15: error: two pollers are named `y`",
        "campanile.toml:17: error: `branch` and `branches` exclude each other",
        "campanile.toml:19: error: unknown key `intervall`",
    ] {
        assert!(told.contains(line), "{line} is missing in:\n{told}");
    }
    assert!(!told.contains("hush"), "{told}");
}
