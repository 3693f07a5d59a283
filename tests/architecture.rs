//! Architecture: rules that a machine can check, such as which way crates depend, and how files begin.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["src", "crates", "xtask", "tests", "benches"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    assert!(found.len() > 300, "only {} files were found", found.len());
    found
}

#[test]
fn every_file_says_what_it_is_about() {
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} must begin with a `//!` line", path.display());
    }
}

/// Doc comments say what a thing is, or what a function does. The help of commands is for others, and may ask.
#[test]
fn no_doc_comment_begins_with_a_question() {
    let questions = ["What", "Whether", "How", "Why", "Where"];
    let mut wrong = Vec::new();
    for path in sources().into_iter().filter(|path| !path.to_string_lossy().contains("/src/cli/")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        for (number, line) in lines.iter().enumerate() {
            // The first line of a comment only: a sentence may go on with such a word.
            let begins = number == 0 || !lines.get(number - 1).unwrap_or(&"").starts_with("///");
            let said =
                line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! ").filter(|_| number == 0));
            let first = said.and_then(|said| said.split(' ').next()).unwrap_or_default();
            if begins && questions.contains(&first) {
                wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "say what it is, or what it does:\n{}", wrong.join("\n"));
}

/// Who may depend on whom, from the model up: a crate's line names all of ours that it is made of. Whoever adds an
/// arrow says so here, and in docs/architecture.md.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("outbound", &["config", "model"]),
    ("smtp-client", &["config", "outbound"]),
    ("irc-client", &["config", "outbound"]),
    ("store", &["model"]),
    ("callbacks", &["config", "model"]),
    ("ci", &["config", "model", "outbound"]),
    ("inbound", &["callbacks", "ci", "config", "model", "outbound", "store"]),
    ("targets", &["callbacks", "ci", "config", "irc", "model", "outbound", "smtp"]),
    ("engine", &["callbacks", "ci", "config", "inbound", "model", "outbound", "store", "targets"]),
    ("http", &["callbacks", "config", "engine", "inbound", "model", "outbound", "store"]),
    ("testing", &[]),
];

/// The compiler holds the arrows that the manifests draw; this holds the manifests.
#[test]
fn crates_depend_toward_the_model() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut folders: Vec<_> = std::fs::read_dir(&crates)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let mut known: Vec<_> = DEPENDENCIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.sort();
    assert_eq!(folders, known, "each crate has its line in DEPENDENCIES");
    for (name, allowed) in DEPENDENCIES {
        let manifest = std::fs::read_to_string(crates.join(name).join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let dependencies = dependencies.split("[dev-dependencies]").next().unwrap();
        let ours: Vec<&str> = dependencies
            .lines()
            .filter_map(|line| line.strip_prefix("campanile-")?.split(['.', ' ']).next())
            .collect();
        assert_eq!(&ours, allowed, "crates/{name}/Cargo.toml");
    }
}

/// Change hooks are pure: what would let them wait for somebody is not named there.
#[test]
fn hooks_and_ingest_do_no_input_or_output() {
    for path in sources() {
        let inside = |folder: &str| path.to_string_lossy().contains(&format!("inbound/src/{folder}/"));
        if inside("hooks") || inside("ingest") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("tokio::"), "{} does I/O", path.display());
        }
    }
}

/// Released contracts and their digests. A line is added with a release and never changed: components that people
/// have built must go on working.
const CONTRACTS: &[(&str, &str)] = &[
    ("wit/0.1.0/notifier.wit", "4fe1e4bd9db22b81e973210333bd07a96046ec5e5b18556b1e6202fdd850a662"),
    ("wit/0.1.1/notifier.wit", "6eb1dd8977d7ca3a86eb3a9a416d093fb783419f2a47710a69d55f3f597c122b"),
];

#[test]
fn released_contracts_stay_as_they_are() {
    use sha2::Digest as _;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, digest) in CONTRACTS {
        let found = hex::encode(sha2::Sha256::digest(std::fs::read(root.join(file)).unwrap()));
        assert_eq!(&found, digest, "{file} was changed after its release: write a new version beside it");
    }
    let versions = std::fs::read_dir(root.join("wit")).unwrap().count();
    assert_eq!(versions, CONTRACTS.len(), "each version of the contract has its line here");
}
