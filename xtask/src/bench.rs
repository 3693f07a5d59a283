//! `cargo xtask bench`: prints what the engine comes to, beside a peer or limit measured in the same run.

use crate::{guests, install, place, run};
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

/// Builds everything as it is released, and runs the figures: those of the given parts, or all.
/// `--peers` among them installs a Buildbot to set hooks beside.
pub(crate) fn run(parts: &[String]) -> Result<ExitCode> {
    install::debian(&["postfix"]);
    let (options, parts): (Vec<&String>, Vec<&String>) =
        parts.iter().partition(|part| part.starts_with("--"));
    let peers = options.iter().any(|option| *option == "--peers");
    let mut bench = Command::new(place::cargo());
    bench.current_dir(place::repo()).args(["bench", "--bench", "figures", "--"]).args(&parts);
    if peers {
        bench.env("CAMPANILE_BUILDBOT", install::buildbot()?);
    }
    match install::gerrit() {
        Ok(jars) => drop(bench.env("CAMPANILE_GERRIT", jars)),
        Err(error) => eprintln!("CAMPANILE_GERRIT is left unset: {error:#}"),
    }
    let guests = guests::build_all()?;
    if guests.path("html-mail").is_some() {
        bench.env("CAMPANILE_GUESTS", &guests.dir);
    }
    run::shown(bench.env("CARGO_TARGET_DIR", place::target())).context("running the figures")?;
    Ok(ExitCode::SUCCESS)
}
