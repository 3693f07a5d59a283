//! Builds the callbacks of `guest-examples/` into components, language by language.

pub(crate) mod c;
pub(crate) mod go;
mod make;
mod rust;

use crate::place;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How the components of one language are built into a folder.
type Build = fn(&Path) -> Result<Built>;

const LANGUAGES: &[(&str, Build)] = &[("Rust", rust::build), ("C", c::build), ("Go", go::build)];

/// What came of one language.
pub(crate) enum Built {
    /// Its components.
    Components(Vec<PathBuf>),
    /// The machine lacks the tools; with how to get them.
    Missing(String),
}

/// The built components.
#[derive(Debug)]
pub(crate) struct GuestSet {
    /// Folder with one `NAME.wasm` per callback.
    pub(crate) dir: PathBuf,
    components: Vec<PathBuf>,
}

impl GuestSet {
    /// Path of one component, if its language could be built.
    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        self.components
            .iter()
            .map(PathBuf::as_path)
            .find(|path| path.file_stem().is_some_and(|stem| stem == name))
    }
}

/// `cargo xtask guests`.
pub(crate) fn run() -> Result<ExitCode> {
    for path in build()?.components {
        let size = fs::metadata(&path).with_context(|| format!("`{}`", path.display()))?.len();
        println!("{size:>8} bytes  {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds every callback whose source changed. A language whose tools are missing is named; the others go on.
pub(crate) fn build() -> Result<GuestSet> {
    let mut set = GuestSet { dir: place::components(), components: Vec::new() };
    fs::create_dir_all(&set.dir).with_context(|| format!("cannot make `{}`", set.dir.display()))?;
    for (language, build) in LANGUAGES {
        match build(&set.dir).with_context(|| format!("building the callbacks in {language}"))? {
            Built::Components(paths) => set.components.extend(paths),
            Built::Missing(how) => eprintln!("going on without callbacks in {language}: {how}"),
        }
    }
    Ok(set)
}
