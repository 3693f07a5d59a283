//! `cargo xtask deny`: licences, sources, versions and advisories of the dependencies, as `deny.toml` wants them.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::{install, place};

/// Runs cargo-deny: the one that is installed, else one that is fetched for this.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let fetched = install::cargo_deny();
    let program = fetched.as_deref().map_or(Path::new("cargo-deny"), |path| path);
    let mut well = deny(program, &["check", "--hide-inclusion-graph", "licenses", "bans", "sources"])?;
    // The list of advisories lies elsewhere than the crates do: who can't reach it still checks the rest.
    if deny(program, &["fetch", "db"])? {
        well &= deny(program, &["check", "--disable-fetch", "advisories"])?;
    } else {
        println!("SKIPPED: advisories: their database cannot be fetched");
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one of its commands; true if that found nothing wrong.
fn deny(program: &Path, arguments: &[&str]) -> anyhow::Result<bool> {
    let mut command = Command::new(program);
    command.current_dir(place::repo()).args(["--workspace", "--locked"]).args(arguments);
    let status = command.status().with_context(|| {
        format!("cannot run `{}`: `cargo install --locked cargo-deny` brings it", program.display())
    })?;
    Ok(status.success())
}
