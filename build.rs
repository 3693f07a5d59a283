//! Lists the files that `campanile new` writes, so that the program carries them; `cli::new` reads the list.

use std::io;
use std::path::{Path, PathBuf};

/// Folders and files of the repository that projects are made of.
const SOURCES: [&str; 13] = [
    "scaffolds",
    "wit/0.1.1",
    "crates/callbacks/src/sample.json",
    "guest-examples/rust/campanile-guest",
    "guest-examples/rust/Cargo.lock",
    "guest-examples/rust/rustfmt.toml",
    "guest-examples/javascript/campanile-guest",
    "guest-examples/python/campanile",
    "guest-examples/python/requirements.txt",
    "guest-examples/c/campanile",
    "guest-examples/go/campanile",
    "guest-examples/go/go.mod",
    "guest-examples/go/go.sum",
];
/// Folders that tools leave behind beside sources.
const LEFT_BEHIND: [&str; 2] = ["__pycache__", "node_modules"];
/// Links to the contract, which is listed once.
const LINKS: [&str; 2] =
    ["guest-examples/rust/campanile-guest/wit", "guest-examples/javascript/campanile-guest/wit"];

fn main() -> io::Result<()> {
    let repository = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(&repository, source, &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in &files {
        // `env!` and no path of today's: a target folder may be used again by a checkout elsewhere. `/` in
        // every path: Windows takes it too.
        let path = format!("/{file}");
        list.push_str(&format!(
            "    ({file:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),\n"
        ));
    }
    list.push_str("]\n");
    std::fs::write(Path::new(&variable("OUT_DIR")?).join("project_files.rs"), list)
}

fn collect(repository: &Path, place: &str, files: &mut Vec<String>) -> io::Result<()> {
    let path = repository.join(place);
    if !path.is_dir() {
        files.push(place.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let below = format!("{place}/{name}");
        if !LEFT_BEHIND.contains(&&*name) && !LINKS.contains(&&*below) {
            collect(repository, &below, files)?;
        }
    }
    Ok(())
}

fn variable(name: &str) -> io::Result<String> {
    // Cargo's own way to talk to build scripts.
    #[allow(clippy::disallowed_methods)]
    std::env::var(name).map_err(io::Error::other)
}
