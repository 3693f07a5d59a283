//! Rules of the house that a machine can check: which way imports point, how files begin.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};

/// Modules and their floors, from the ground up: a module imports only what stands on a lower floor than its own.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("interpolate", 1),
    ("config", 2),
    ("store", 2),
    ("templates", 3),
    ("outbound", 3),
    ("telemetry", 4),
    ("callbacks", 3),
    ("buildbot", 4),
    ("control", 5),
    ("targets", 6),
    ("hooks", 6),
    ("pollers", 6),
    ("ingest", 6),
    ("engine", 7),
    ("http", 8),
    ("cli", 9),
];

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
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

#[test]
fn imports_point_toward_the_model() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for path in sources() {
        let module = path.strip_prefix(&root).unwrap().iter().next().unwrap().to_str().unwrap();
        let Some(own) = floor(module) else { continue };
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            for (at, _) in line.match_indices("crate::") {
                let rest = line.get(at + "crate::".len()..).unwrap_or_default();
                let named = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                let Some(other) = floor(named) else { continue };
                checked += 1;
                if named != module && other >= own {
                    wrong.push(format!("{}:{}: {module} imports {named}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(checked > 100, "only {checked} imports were looked at");
    assert!(wrong.is_empty(), "imports must point toward the model:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_about() {
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} must begin with a `//!` line", path.display());
    }
}

#[test]
fn targets_do_not_know_the_store_and_hooks_not_the_engine() {
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let inside = |module: &str| path.components().any(|part| part.as_os_str() == module);
        if inside("targets") {
            assert!(!text.contains("crate::store"), "{} knows the store", path.display());
        }
        if inside("hooks") {
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
    use std::fmt::Write as _;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, digest) in CONTRACTS {
        let bytes = sha2::Sha256::digest(std::fs::read(root.join(file)).unwrap());
        let found = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        assert_eq!(&found, digest, "{file} was changed after its release: write a new version beside it");
    }
    let versions = std::fs::read_dir(root.join("wit")).unwrap().count();
    assert_eq!(versions, CONTRACTS.len(), "each version of the contract has its line here");
}
