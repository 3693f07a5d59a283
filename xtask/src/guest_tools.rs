//! The program `campanile-guest-tools`, which is built when the first callback needs it.

use crate::{place, run};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

pub(crate) const PACKAGE: &str = "campanile-guest-tools";

/// Path of the program; built, or found to be up to date, once per run.
pub(crate) fn program() -> Result<PathBuf> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    if let Some(program) = BUILT.get() {
        return Ok(program.clone());
    }
    let program = place::target().join("debug").join(format!("{PACKAGE}{}", std::env::consts::EXE_SUFFIX));
    let mut build = Command::new(place::cargo());
    build.current_dir(place::repo()).args(["build", "--package", PACKAGE]);
    if program.exists() {
        // Seldom more than a look at it; but the first build is worth being seen.
        build.arg("--quiet");
    }
    run::shown(build.arg("--target-dir").arg(place::target()))
        .with_context(|| format!("building {PACKAGE}"))?;
    Ok(BUILT.get_or_init(|| program).clone())
}

/// The program's answer to these arguments, which are passed on as they are.
pub(crate) fn forward(tool: &str, args: &[String]) -> Result<ExitCode> {
    let program = program()?;
    let status = Command::new(&program)
        .arg(tool)
        .args(args)
        .status()
        .with_context(|| format!("cannot run `{}`", program.display()))?;
    Ok(run::exit_code(status))
}

/// Wraps a core module into a component.
pub(crate) fn componentize(core: &Path, output: &Path) -> Result<()> {
    let mut tool = Command::new(program()?);
    tool.args(["wasm-tools", "component", "new"]).arg(core).arg("-o").arg(output);
    run::shown(&mut tool)
}

/// Encodes a component that is written as text.
pub(crate) fn encode(text: &Path, output: &Path) -> Result<()> {
    run::shown(Command::new(program()?).args(["wasm-tools", "parse"]).arg(text).arg("-o").arg(output))
}

/// Writes the module that turns WASI preview 1, which Go speaks, into that of components.
pub(crate) fn write_go_adapter(output: &Path) -> Result<()> {
    run::shown(Command::new(program()?).arg("go-adapter").arg(output))
}
