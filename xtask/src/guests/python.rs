//! Builds the callbacks of `guest-examples/python` and `tests/guests/python` with componentize-py, from an environment below `target`.

use super::{Built, Missing, component};
use crate::tally::{Harness, Suite};
use crate::{install, place, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders and the worlds that their components are for.
const EXAMPLES: [(&str, &str); 2] = [("html-mail", "message-formatting"), ("push-packets", "status-pushing")];
/// A hostile one for the engine's own tests, of `tests/guests/python`.
const TEST_GUEST: (&str, &str) = ("ask_wasi", "ask-wasi");
const PYTHON: &str = "python3";

/// Builds what changed, each by the command of its own README.
pub(super) fn build(components: &Path) -> Result<Built> {
    let requirements = source("requirements.txt");
    let mut names = Built::new();
    for (example, world) in EXAMPLES {
        let name = format!("python-{example}");
        let component = component::path(components, &name);
        let inputs = [source("campanile"), source(example), requirements.clone(), place::contract()];
        if !component::is_up_to_date(&component, &inputs)? {
            let paths = [".".as_ref(), example.as_ref()];
            componentize(&tools(&requirements)?, world, &paths, &component)?;
        }
        names.push(name);
    }
    let (folder, name) = TEST_GUEST;
    let (folder, component) =
        (place::test_guests().join("python").join(folder), component::path(components, name));
    if !component::is_up_to_date(&component, &[folder.clone(), requirements.clone(), place::contract()])? {
        componentize(&tools(&requirements)?, EXAMPLES[0].1, &[&folder], &component)?;
    }
    names.push(name.to_owned());
    Ok(names)
}

/// The unit tests, a suite per example.
pub(super) fn unit_tests() -> Result<Vec<Suite>> {
    find_python()?;
    Ok(EXAMPLES
        .iter()
        .map(|(example, _)| {
            let mut python = Command::new(PYTHON);
            python.current_dir(source("")).args(["-m", "unittest", "discover", example]);
            python.env("PYTHONDONTWRITEBYTECODE", "1");
            Suite { command: python, harness: Harness::Unittest }
        })
        .collect())
}

/// The compiler, if it is there or can be installed.
pub(super) fn componentize_py() -> Result<PathBuf> {
    Ok(tools(&source("requirements.txt"))?.with_file_name("componentize-py"))
}

/// Makes a component of the module `app` in one of these folders.
fn componentize(python: &Path, world: &str, paths: &[&Path], component: &Path) -> Result<()> {
    let bin = python.parent().unwrap_or(Path::new(""));
    let built = component.with_extension("wasm.python");
    let mut command = Command::new(bin.join("componentize-py"));
    command.current_dir(source("")).arg("--quiet").arg("-d").arg(place::contract());
    command.args(["-w", world, "componentize"]);
    for path in paths {
        command.arg("-p").arg(path);
    }
    // Else the packages of the machine's own Python would be looked at.
    command.env("VIRTUAL_ENV", bin.parent().unwrap_or(bin)).env("PYTHONDONTWRITEBYTECODE", "1");
    run::shown(command.arg("app").arg("-o").arg(&built))?;
    fs::rename(&built, component).with_context(|| format!("cannot write `{}`", component.display()))
}

/// The Python of the environment that has the tools.
fn tools(requirements: &Path) -> Result<PathBuf> {
    find_python()?;
    let text = fs::read_to_string(requirements)
        .with_context(|| format!("cannot read `{}`", requirements.display()))?;
    let wanted: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    install::venv("guest-python", &wanted)
        .map_err(|error| Missing(format!("its tools cannot be installed: {error:#}")).into())
}

fn find_python() -> Result<(), Missing> {
    let probe = "import sys, venv; sys.exit(sys.version_info < (3, 10))";
    match run::answer(PYTHON, &["-c", probe]) {
        Some(_) => Ok(()),
        None => Err(Missing(
            "no `python3` of version 3.10 or later with its module `venv`; get it from https://www.python.org \
             or with your system's packages, on Debian `apt-get install python3-venv`"
                .to_owned(),
        )),
    }
}

fn source(part: &str) -> PathBuf {
    place::guest_examples().join("python").join(part)
}
