//! Builds the callbacks of `guest-examples/` into components, language by language.
//!
//! A language whose tools are missing is named, with how to get them, and the others go on.

mod c;
mod component;
mod go;
mod javascript;
mod make;
mod python;
mod rust;
mod text;

use crate::tally::Suite;
use crate::{place, run};
use anyhow::{Context, Result};
use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Brings the components of a language in the given folder up to date.
type Build = fn(&Path) -> Result<Built>;

const LANGUAGES: &[(&str, Build)] = &[
    ("rust", rust::build),
    ("text", text::build),
    ("javascript", javascript::build),
    ("python", python::build),
    ("c", c::build),
    ("go", go::build),
];

/// The suites of a language's own tests, which need no engine.
type UnitTests = fn() -> Result<Vec<Suite>>;

/// Rust's own are run with the engine's.
pub(crate) const UNIT_TESTS: &[(&str, UnitTests)] = &[
    ("javascript", javascript::unit_tests),
    ("python", python::unit_tests),
    ("c", c::unit_tests),
    ("go", go::unit_tests),
];

/// Finds a tool, or installs it.
type FindTool = fn() -> Result<PathBuf>;

/// Tools that projects outside this repository are built with, by the variables that tell the tests of it.
pub(crate) const PROJECT_TOOLS: &[(&str, FindTool)] = &[
    ("CAMPANILE_COMPONENTIZE_PY", python::componentize_py),
    ("CAMPANILE_ZIG", c::zig),
    ("CAMPANILE_GO_ADAPTER", go::adapter),
];

/// Names of components, without `.wasm`. All but Rust's begin with their language.
type Built = Vec<String>;

/// This machine lacks what a language needs; the text says how to get it.
// By hand: the crates of the derive would be two thirds of what this program takes to build.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Error for Missing {}

/// The built components.
#[derive(Debug)]
pub(crate) struct GuestSet {
    /// Folder with one `NAME.wasm` per callback.
    pub(crate) dir: PathBuf,
    names: Built,
}

impl GuestSet {
    /// Path of one component, if it could be built.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.names.iter().any(|built| built == name).then(|| component::path(&self.dir, name))
    }
}

/// `cargo xtask guests`.
pub(crate) fn run() -> Result<ExitCode> {
    let set = build_all()?;
    for path in set.names.iter().filter_map(|name| set.path(name)) {
        let size = fs::metadata(&path).with_context(|| format!("`{}`", path.display()))?.len();
        println!("{size:>8} bytes  {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// `cargo xtask guest-cargo`: makes components of a Rust project outside this repository.
pub(crate) fn cargo(args: &[String]) -> Result<ExitCode> {
    run::shown(rust::project_cargo()?.args(args))?;
    Ok(ExitCode::SUCCESS)
}

/// Builds every callback whose source changed.
pub(crate) fn build_all() -> Result<GuestSet> {
    build(LANGUAGES)
}

/// Builds the html mail in Rust and nothing else; `None` if this machine cannot, which is then said.
pub(crate) fn build_html_mail() -> Result<Option<PathBuf>> {
    let set = build(&[("rust", rust::build_html_mail)])?;
    Ok(set.path(rust::HTML_MAIL))
}

fn build(languages: &[(&str, Build)]) -> Result<GuestSet> {
    let mut set = GuestSet { dir: place::components(), names: Built::new() };
    fs::create_dir_all(&set.dir).with_context(|| format!("cannot make `{}`", set.dir.display()))?;
    for (language, build) in languages {
        match build(&set.dir) {
            Ok(names) => set.names.extend(names),
            Err(error) if error.is::<Missing>() => {
                eprintln!("going on without {language} callbacks: {error}");
            }
            Err(error) => return Err(error.context(format!("building the {language} callbacks"))),
        }
    }
    Ok(set)
}
