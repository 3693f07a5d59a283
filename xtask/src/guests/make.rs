//! Callbacks whose language builds with `make`: runs it with the tools of this repository, and keeps what it made.

use super::{Built, Missing, component};
use crate::{guest_tools, place, run};
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
    /// Builds `LANGUAGE-NAME.wasm` unless it is up to date; `prepare` tells `make` of the language's own tools.
    pub(super) fn build(
        &self,
        components: &Path,
        prepare: impl FnOnce(&mut Command) -> Result<()>,
    ) -> Result<Built> {
        let name = self.folder.replace('/', "-");
        let component = component::path(components, &name);
        let mut inputs: Vec<PathBuf> = self.shared.iter().map(|shared| place::repo().join(shared)).collect();
        inputs.extend([self.source(), place::contract()]);
        if !component::is_up_to_date(&component, &inputs)? {
            let mut make = self.make()?;
            prepare(&mut make)?;
            run::shown(&mut make)?;
            let file = Path::new(self.folder).file_name().context("a callback has a folder of its own")?;
            let made = self.build_folder().join(file).with_extension("wasm");
            let bytes = fs::read(&made).with_context(|| format!("cannot read `{}`", made.display()))?;
            component::publish(&component, &bytes)?;
        }
        Ok(vec![name])
    }

    /// `make` in its folder, with the build folder and the program that stands in for its tools.
    pub(super) fn make(&self) -> Result<Command> {
        if run::answer("make", &["--version"]).is_none() {
            return Err(Missing("no `make`; install it".to_owned()).into());
        }
        let program = guest_tools::program()?;
        let build = self.build_folder();
        fs::create_dir_all(&build).with_context(|| format!("cannot make `{}`", build.display()))?;
        let mut make = Command::new("make");
        make.arg("--directory").arg(self.source());
        make.arg(format!("BUILD={}", build.display()));
        make.arg(format!("WIT_BINDGEN='{}' wit-bindgen", program.display()));
        make.arg(format!("WASM_TOOLS='{}' wasm-tools", program.display()));
        // Set by an outer `make`, they would speak of that one.
        make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        Ok(make)
    }

    fn source(&self) -> PathBuf {
        place::guest_examples().join(self.folder)
    }

    fn build_folder(&self) -> PathBuf {
        place::target().join("guest-build").join(self.folder)
    }
}
