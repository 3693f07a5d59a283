//! `cargo xtask neighbours`: prints what a bad neighbour costs the others, beside the same run without it.

use crate::{place, run};
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

/// Builds everything as it is released, or by `--debug` as tests have it, and runs the given parts, or all.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (options, parts): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    // `cargo test` runs a bench in the debug profile.
    let verb = if options.iter().any(|option| *option == "--debug") { "test" } else { "bench" };
    let mut bench = Command::new(place::cargo());
    bench.current_dir(place::repo()).args([verb, "--bench", "neighbours", "--"]).args(&parts);
    run::shown(bench.env("CARGO_TARGET_DIR", place::target())).context("running beside neighbours")?;
    Ok(ExitCode::SUCCESS)
}
