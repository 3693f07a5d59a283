//! `cargo xtask bench`: prints what the engine comes to, beside a peer or limit measured in the same run.

use crate::{guests, install, place, run};
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

/// Builds everything as it is released, and runs the figures: those of the given parts, or all.
pub(crate) fn run(parts: &[String]) -> Result<ExitCode> {
    install::debian(&["postfix"]);
    let mut bench = Command::new(place::cargo());
    bench.current_dir(place::repo()).args(["bench", "--bench", "figures", "--"]).args(parts);
    let guests = guests::build_all()?;
    if guests.path("html-mail").is_some() {
        bench.env("CAMPANILE_GUESTS", &guests.dir);
    }
    run::shown(bench.env("CARGO_TARGET_DIR", place::target())).context("running the figures")?;
    Ok(ExitCode::SUCCESS)
}
