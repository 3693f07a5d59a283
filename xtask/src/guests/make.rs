//! Callbacks whose language builds with `make`: runs it with the tools of this program, and keeps what it made.

use super::{Missing, component};
use crate::{place, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A callback with a `Makefile`, by its folder below `guest-examples/`: `LANGUAGE/NAME`.
pub(super) struct Callback {
    pub(super) folder: &'static str,
    /// Further folders of the repository that it is made of.
    pub(super) shared: &'static [&'static str],
}

impl Callback {
    /// Its component's name, `LANGUAGE-NAME`.
    pub(super) fn name(&self) -> String {
        self.folder.replace('/', "-")
    }

    /// All that it is made of.
    pub(super) fn inputs(&self) -> Vec<PathBuf> {
        let shared = self.shared.iter().map(|folder| place::repo().join(folder));
        shared.chain([place::guest_examples().join(self.folder), place::contract()]).collect()
    }

    /// `make` in its folder, with the build folder and the tools that this program stands in for.
    pub(super) fn make(&self) -> Result<Command> {
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let build = self.build_folder();
        fs::create_dir_all(&build).with_context(|| format!("cannot make `{}`", build.display()))?;
        let mut make = Command::new("make");
        make.arg("--directory").arg(place::repo().join("guest-examples").join(self.folder));
        make.arg(format!("BUILD={}", build.display()));
        make.arg(format!("WIT_BINDGEN='{}' wit-bindgen", program.display()));
        make.arg(format!("WASM_TOOLS='{}' wasm-tools", program.display()));
        // Set by an outer `make`, they would speak of that one.
        make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        Ok(make)
    }

    /// Runs `make`, and puts the component in its place.
    pub(super) fn build(&self, make: &mut Command, component: &Path) -> Result<()> {
        run::shown(make)?;
        let name = Path::new(self.folder).file_name().context("a callback has a folder of its own")?;
        let made = self.build_folder().join(name).with_extension("wasm");
        let bytes = fs::read(&made).with_context(|| format!("cannot read `{}`", made.display()))?;
        component::publish(component, &bytes)
    }

    fn build_folder(&self) -> PathBuf {
        place::target().join("guest-build").join(self.folder)
    }
}

/// `make` must be installed.
pub(super) fn is_there() -> Result<(), Missing> {
    match run::answer("make", &["--version"]) {
        Some(_) => Ok(()),
        None => Err(Missing("no `make`".to_owned())),
    }
}
