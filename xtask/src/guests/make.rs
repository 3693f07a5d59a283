//! Callbacks whose language builds with `make`: runs it with the tools of this program, and keeps what it made.

use crate::{place, run};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// A callback with a `Makefile`, by its folder below `guest-examples/`: `LANGUAGE/NAME`.
pub(crate) struct Callback {
    pub(crate) folder: &'static str,
    /// Further folders of the repository that it is made of.
    pub(crate) shared: &'static [&'static str],
}

impl Callback {
    /// Where its component goes: `LANGUAGE-NAME.wasm`.
    pub(crate) fn component(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.wasm", self.folder.replace('/', "-")))
    }

    /// Whether its component is newer than all that it is made of.
    pub(crate) fn is_fresh(&self, component: &Path) -> bool {
        let Ok(built) = fs::metadata(component).and_then(|meta| meta.modified()) else { return false };
        let folder = Path::new("guest-examples").join(self.folder);
        let shared = self.shared.iter().chain(&["wit/0.1.0"]).map(PathBuf::from);
        let sources = shared.chain([folder]).map(|source| newest(&place::repo().join(source)));
        sources.max().flatten().is_some_and(|changed| changed < built)
    }

    /// `make` in its folder, with the build folder and the tools that this program stands in for.
    pub(crate) fn make(&self) -> Result<Command> {
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
    pub(crate) fn build(&self, make: &mut Command, component: &Path) -> Result<()> {
        run::shown(make)?;
        let name = Path::new(self.folder).file_name().context("a callback has a folder of its own")?;
        let made = self.build_folder().join(name).with_extension("wasm");
        // Renamed into place: an engine that watches the file never sees half of it.
        let part = component.with_extension("wasm.part");
        fs::copy(&made, &part).with_context(|| format!("cannot copy `{}`", made.display()))?;
        fs::rename(&part, component).with_context(|| format!("cannot write `{}`", component.display()))
    }

    fn build_folder(&self) -> PathBuf {
        place::target().join("guest-build").join(self.folder)
    }
}

/// When the last of the files in a folder changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let times = entries.filter_map(|entry| {
        let meta = entry.metadata().ok()?;
        if meta.is_dir() { newest(&entry.path()) } else { meta.modified().ok() }
    });
    times.max()
}
