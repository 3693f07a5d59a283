//! Builds the callbacks of `guest-examples/javascript` with npm, in a copy: `npm ci` writes beside the sources.

use super::{Built, Missing, component};
use crate::tally::{Harness, Suite};
use crate::{place, run};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

const EXAMPLES: [&str; 2] = ["html-mail", "review"];
const LIBRARY: &str = "campanile-guest";
const PACKAGE: [&str; 2] = ["package.json", "package-lock.json"];
/// File that the unit tests read beside their own folders.
const CASES: &str = "html-mail-cases.json";
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// Builds what changed, each by the command of its own README.
pub(super) fn build(components: &Path) -> Result<Built> {
    let copy = workspace()?;
    let mut names = Built::new();
    for example in EXAMPLES {
        let name = format!("javascript-{example}");
        let component = component::path(components, &name);
        let mut inputs: Vec<PathBuf> =
            [LIBRARY, example].iter().chain(&PACKAGE).map(|part| source(part)).collect();
        inputs.push(place::contract());
        if !component::is_up_to_date(&component, &inputs)? {
            run::shown(Command::new(NPM).current_dir(&copy).args(["run", "build", "--workspace", example]))?;
            let built = copy.join(example).join(format!("{example}.wasm"));
            let bytes = fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
            component::publish(&component, &bytes)?;
        }
        names.push(name);
    }
    Ok(names)
}

/// The unit tests of all examples.
pub(super) fn unit_tests() -> Result<Vec<Suite>> {
    let mut node = Command::new("node");
    // Named, because what node writes unasked differs from version to version.
    node.current_dir(workspace()?).args(["--test", "--test-reporter=tap"]);
    Ok(vec![Suite { command: node, harness: Harness::Tap }])
}

/// A copy of the sources, with the tools that the lock file names.
fn workspace() -> Result<PathBuf> {
    if run::answer(NPM, &["--version"]).is_none() || run::answer("node", &["--version"]).is_none() {
        let how = "no `node` and `npm`; get Node.js 20 or later from https://nodejs.org or with your system's packages";
        return Err(Missing(how.to_owned()).into());
    }
    let copies = place::target().join("guest-javascript");
    let copy = copies.join("javascript");
    copy_sources(&copies, &copy)
        .with_context(|| format!("cannot copy the sources to `{}`", copy.display()))?;

    let lock = fs::read_to_string(source("package-lock.json")).context("cannot read `package-lock.json`")?;
    // Written last: an installation that was cut short is made again.
    let marker = copy.join("node_modules/.campanile-lock.json");
    if fs::read_to_string(&marker).is_ok_and(|have| have == lock) {
        return Ok(copy);
    }
    let mut npm = Command::new(NPM);
    npm.current_dir(&copy).args(["ci", "--no-audit", "--no-fund"]);
    run::shown(&mut npm).map_err(|error| Missing(format!("its tools cannot be installed: {error:#}")))?;
    fs::write(&marker, lock).with_context(|| format!("cannot write `{}`", marker.display()))?;
    Ok(copy)
}

fn source(part: &str) -> PathBuf {
    place::guest_examples().join("javascript").join(part)
}

fn copy_sources(copies: &Path, copy: &Path) -> io::Result<()> {
    for folder in [LIBRARY].iter().chain(&EXAMPLES) {
        let to = copy.join(folder);
        // What was deleted in the sources must not live on in the copy.
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        copy_folder(&source(folder), &to)?;
    }
    for file in PACKAGE {
        fs::copy(source(file), copy.join(file))?;
    }
    fs::copy(place::guest_examples().join(CASES), copies.join(CASES)).map(drop)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        // The contract is a link to a folder: it is followed.
        if !component::is_source(&path) {
            continue;
        } else if path.is_dir() {
            copy_folder(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}
