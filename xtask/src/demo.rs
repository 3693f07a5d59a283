//! `cargo xtask demo`: builds the engine and one callback, and runs `campanile demo`.

use crate::{guests, place, run};
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

/// Runs the demo with the html mail as its formatter where that can be built, and passes `args` on.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let formatter = guests::build_html_mail()?;
    let mut build = Command::new(place::cargo());
    build.current_dir(place::repo()).args(["build", "--bin", "campanile"]);
    run::shown(build.env("CARGO_TARGET_DIR", place::target())).context("building campanile")?;

    let program = place::target().join("debug").join(format!("campanile{}", std::env::consts::EXE_SUFFIX));
    let mut demo = Command::new(&program);
    demo.arg("demo");
    if let Some(formatter) = formatter {
        demo.arg("--formatter").arg(formatter);
    }
    let status = demo.args(args).status().with_context(|| format!("cannot run `{}`", program.display()))?;
    Ok(run::exit_code(status))
}
