//! `campanile new`: a project of every kind in every language, built by its own command, tested, and tried.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use campanile_testing::{program, run, skip};

const CALLBACKS: [&str; 9] = [
    "message-formatter",
    "previous-build-getter",
    "email-lookup",
    "review-callback",
    "start-callback",
    "summary-callback",
    "push-callback",
    "announce-formatter",
    "hook-dialect",
];
/// Each language with the files that hold the callback, its tests, and the contract.
const LANGUAGES: [(&str, [&str; 3]); 5] = [
    ("rust", ["src/lib.rs", "src/lib.rs", "campanile-guest/wit/notifier.wit"]),
    ("javascript", ["callback.js", "callback.test.js", "wit/notifier.wit"]),
    ("c", ["callback.c", "callback_test.c", "wit/notifier.wit"]),
    ("go", ["callback/callback.go", "callback/callback_test.go", "wit/notifier.wit"]),
    ("python", ["callback.py", "test_callback.py", "wit/notifier.wit"]),
];

/// A new project, in a folder that is named like nothing that a tool takes for its own.
struct Project {
    callback: &'static str,
    told: String,
    folder: tempfile::TempDir,
}

impl Project {
    fn new(callback: &'static str, language: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = run(folder.path(), &["new", callback, "--lang", language, "1 project of mine"]);
        assert!(made.status.success(), "{callback} in {language}: {}", text(&made.stderr));
        Self { callback, told: text(&made.stdout), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("1 project of mine")
    }

    /// Runs a command that has to work there.
    fn works(&self, command: &mut Command) {
        let output = command.current_dir(self.path()).output().unwrap();
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{}: {command:?}\n{told}", self.callback);
    }

    /// The component's answer to the project's own sample.
    fn answer(&self, component: &Path) -> Value {
        let mut preview = Command::new(program());
        preview.current_dir(self.path()).arg("preview").arg(component);
        preview.args(["--sample", "sample.json", "--json", "--deadline", "10000"]);
        if let Some(kept) = beside_guests("guest-projects/cache") {
            preview.env("XDG_CACHE_HOME", kept);
        }
        let output = preview.output().unwrap();
        assert!(
            output.status.success(),
            "{}: {}{}",
            self.callback,
            text(&output.stdout),
            text(&output.stderr)
        );
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(shown[0]["callback"], self.callback);
        shown[0]["answer"].clone()
    }

    /// That the sample's answer shows what the callback is for.
    fn answers_well(&self, component: &Path) {
        let answer = self.answer(component);
        let url = "https://ci.example.org/builders/linux%20gcc/builds/42";
        let fine = match self.callback {
            "message-formatter" => {
                let body = answer["body"].as_str().unwrap();
                answer["subject"] == "[failure] linux gcc #42"
                    && body.starts_with(&format!("linux gcc #42: failure\n{url}\n"))
                    && body.contains("stdio of step compile all ends with:\n\ncc -c bell_82.c\n")
            }
            "previous-build-getter" => answer["number"] == 41,
            "email-lookup" => answer == "ada@example.org",
            "review-callback" => {
                answer["message"] == format!("linux gcc: failure\n{url}")
                    && answer["labels"] == serde_json::json!([["Verified", -1]])
            }
            "start-callback" => answer == format!("linux gcc #42 has started: {url}"),
            "summary-callback" => answer["message"] == format!("[-] linux gcc: failure {url}"),
            "push-callback" => answer["consumed"] == 2 && answer["requests"][0]["method"] == "POST",
            "announce-formatter" => answer == serde_json::json!([format!("linux gcc #42: failure {url}")]),
            "hook-dialect" => {
                answer["changes"][0]["who"] == "Ada Lovelace <ada@example.org>"
                    && answer["changes"][0]["project"] == "bells"
            }
            other => panic!("{other} is no callback"),
        };
        assert!(fine, "{}: {answer:#}", self.callback);
    }
}

/// The answer of the tutorial's callback to the bundled sample, in every language.
const GLANCE: &str =
    "Ada Lovelace <ada@example.org>, Bob, bob\nhttps://ci.example.org/builders/linux%20gcc/builds/42\n";

impl Project {
    /// Puts the files of the tutorial in the place of the project's own.
    fn follow_tutorial(&self, heading: &str) {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/callbacks/tutorial.md");
        let page = std::fs::read_to_string(page).unwrap();
        let section =
            page.split("\n## ").find(|section| section.starts_with(&format!("{heading}\n"))).unwrap();
        let (_, places) =
            LANGUAGES.iter().find(|(language, _)| *language == heading.to_ascii_lowercase()).unwrap();
        let blocks: Vec<&str> = section
            .split("\n```")
            .skip(1)
            .step_by(2)
            .map(|block| block.split_once('\n').unwrap().1)
            .collect();
        assert_eq!(blocks.len(), if heading == "Rust" { 1 } else { 2 }, "{heading}");
        for (place, block) in places.iter().zip(blocks) {
            std::fs::write(self.path().join(place), format!("{block}\n")).unwrap();
        }
    }

    fn answers_as_the_tutorial_says(&self, component: &Path) {
        let answer = self.answer(component);
        assert_eq!(answer["subject"], "failure: linux gcc #42, compile all");
        assert_eq!(answer["body"], GLANCE);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A place in the build folder that `cargo xtask test` keeps from run to run.
fn beside_guests(place: &str) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("CAMPANILE_GUESTS")?).parent()?.join(place))
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn every_callback_in_every_language_becomes_a_project() {
    for (language, places) in LANGUAGES {
        for callback in CALLBACKS {
            let project = Project::new(callback, language);
            for place in places.iter().chain(&["README.md", ".gitignore", "sample.json"]) {
                let path = project.path().join(place);
                let held = std::fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert!(
                    !held.is_empty() && !held.contains("{{callback}}"),
                    "{callback} in {language}: {place}"
                );
            }
            assert!(project.told.contains(" --sample sample.json\n"), "{}", project.told);
        }
    }
}

#[test]
fn the_short_names_of_languages_are_known() {
    for (short, place) in [("js", "callback.js"), ("py", "callback.py")] {
        assert!(Project::new("email-lookup", short).path().join(place).is_file(), "{short}");
    }
}

#[test]
fn nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let made =
        |dir: &str| -> Output { run(folder.path(), &["new", "email-lookup", "--lang", "python", dir]) };
    std::fs::write(folder.path().join("file"), "mine").unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();

    let refused = made("file");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("`file` is a file"), "{}", text(&refused.stderr));
    assert!(made("empty").status.success());
    let refused = made("empty");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("`empty` is not empty"), "{}", text(&refused.stderr));
    assert!(made("deep/below").status.success());
}

#[test]
fn what_is_unknown_is_told_with_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, known) in [
        (["new", "mail", "--lang", "python", "x"], "message-formatter, previous-build-getter"),
        (["new", "email-lookup", "--lang", "cobol", "x"], "rust, c, javascript, python, go"),
    ] {
        let refused = run(folder.path(), &arguments);
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains(known), "{}", text(&refused.stderr));
    }
}

#[test]
fn projects_use_the_tools_that_the_examples_use() {
    let examples =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("guest-examples/javascript/html-mail/package.json");
    let examples: Value = serde_json::from_str(&std::fs::read_to_string(examples).unwrap()).unwrap();
    let project = Project::new("message-formatter", "javascript");
    let read = |name| -> Value {
        serde_json::from_str(&std::fs::read_to_string(project.path().join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("package.json")["devDependencies"], examples["devDependencies"]);
    let locked = &read("package-lock.json")["packages"]["node_modules/componentize-qjs"]["version"];
    assert_eq!(*locked, examples["devDependencies"]["componentize-qjs"]);
}

/// The program that a variable names; none if `cargo xtask test` did not start the tests, which is then said.
fn program_of(variable: &str) -> Option<PathBuf> {
    let program = std::env::var_os(variable);
    if program.is_none() {
        skip(&format!("{variable} is not set: run the tests by `cargo xtask test`"));
    }
    program.map(PathBuf::from)
}

/// The program that stands in for tools of the languages.
fn guest_tools() -> Option<PathBuf> {
    program_of("CAMPANILE_GUEST_TOOLS")
}

#[test]
fn a_rust_project_builds_and_answers() {
    let Some(xtask) = program_of("CAMPANILE_XTASK") else { return };
    let project = Project::new("message-formatter", "rust");
    // Shared, or the project would compile its dependencies, and on some machines the standard library, again.
    let target = beside_guests("guest-build").unwrap();
    let build_and_test = || {
        let mut build = Command::new(&xtask);
        build.args(["guest-cargo", "build", "--release", "--target", "wasm32-unknown-unknown"]);
        project.works(build.arg("--target-dir").arg(&target));
        let mut test = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        project.works(test.arg("test").arg("--target-dir").arg(&target));
    };
    let component = target.join("wasm32-unknown-unknown/release/message_formatter.wasm");
    build_and_test();
    project.answers_well(&component);
    project.follow_tutorial("Rust");
    build_and_test();
    project.answers_as_the_tutorial_says(&component);
}

/// `make` in a project, with the tools that are at hand.
fn make(tools: &Path) -> Command {
    let mut make = Command::new("make");
    make.arg(format!("WIT_BINDGEN='{}' wit-bindgen", tools.display()));
    make.arg(format!("WASM_TOOLS='{}' wasm-tools", tools.display()));
    make
}

/// In the language that is built most quickly, all of them.
#[test]
fn every_c_project_builds_and_answers() {
    let Some(tools) = guest_tools() else { return };
    let Some(zig) = std::env::var_os("CAMPANILE_ZIG") else { return skip("there is no Zig") };
    let cache = beside_guests("guest-zig/cache").unwrap();
    for callback in CALLBACKS {
        let project = Project::new(callback, "c");
        let build_and_test = || {
            let mut build = make(&tools);
            build.arg(format!("ZIG='{}' -m ziglang", Path::new(&zig).display()));
            build.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache);
            project.works(&mut build);
            project.works(make(&tools).arg("check"));
        };
        let component = project.path().join(format!("{callback}.wasm"));
        build_and_test();
        project.answers_well(&component);
        if callback == "message-formatter" {
            project.follow_tutorial("C");
            build_and_test();
            project.answers_as_the_tutorial_says(&component);
        }
    }
}

#[test]
fn a_go_project_builds_and_answers() {
    let Some(tools) = guest_tools() else { return };
    let Some(adapter) = std::env::var_os("CAMPANILE_GO_ADAPTER") else { return skip("there is no Go") };
    let project = Project::new("message-formatter", "go");
    let build_and_test = || {
        project.works(make(&tools).arg(format!("ADAPTER={}", Path::new(&adapter).display())));
        project.works(make(&tools).arg("check"));
    };
    let component = project.path().join("message-formatter.wasm");
    build_and_test();
    project.answers_well(&component);
    project.follow_tutorial("Go");
    build_and_test();
    project.answers_as_the_tutorial_says(&component);
}

#[test]
fn a_javascript_project_builds_and_answers() {
    if !has("npm") || !has("node") {
        return skip("there is no `npm`");
    }
    let project = Project::new("message-formatter", "javascript");
    project.works(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]));
    let build_and_test = || {
        project.works(Command::new("npm").args(["run", "build"]));
        project.works(Command::new("npm").arg("test"));
    };
    let component = project.path().join("message-formatter.wasm");
    build_and_test();
    project.answers_well(&component);
    project.follow_tutorial("JavaScript");
    build_and_test();
    project.answers_as_the_tutorial_says(&component);
}

#[test]
fn a_python_project_builds_and_answers() {
    let Some(compiler) = std::env::var_os("CAMPANILE_COMPONENTIZE_PY") else {
        return skip("CAMPANILE_COMPONENTIZE_PY is not set: run the tests by `cargo xtask test`");
    };
    if !has("make") {
        return skip("there is no `make`");
    }
    let project = Project::new("message-formatter", "python");
    let build_and_test = || {
        project
            .works(Command::new("make").arg(format!("COMPONENTIZE_PY={}", Path::new(&compiler).display())));
        project.works(Command::new("python3").args(["-m", "unittest"]));
    };
    let component = project.path().join("message-formatter.wasm");
    build_and_test();
    project.answers_well(&component);
    project.follow_tutorial("Python");
    build_and_test();
    project.answers_as_the_tutorial_says(&component);
}
