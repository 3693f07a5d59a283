//! `cargo xtask demo`: builds everything and runs `campanile demo`.

use crate::{guests, place, run};
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

/// Runs the demo with the html mail as its formatter where that can be built, and passes `args` on.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let guests = guests::build()?;
    let mut build = Command::new(place::cargo());
    build.current_dir(place::repo()).args(["build", "--bin", "campanile"]);
    run::shown(build.env("CARGO_TARGET_DIR", place::target())).context("building campanile")?;

    let program = place::target().join("debug").join(format!("campanile{}", std::env::consts::EXE_SUFFIX));
    let mut demo = Command::new(&program);
    demo.arg("demo");
    if let Some(formatter) = guests.path("html-mail") {
        demo.arg("--formatter").arg(formatter);
    }
    let status = demo.args(args).status().with_context(|| format!("cannot run `{}`", program.display()))?;
    // No code: a signal ended it.
    Ok(status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(u8::try_from(code).unwrap_or(1))))
}
