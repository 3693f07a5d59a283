//! `cargo xtask test`: installs, builds callbacks, runs every test and counts them.

use crate::guests::{self, Missing};
use crate::tally::{Harness, Suite, Tally};
use crate::{guest_tools, install, place, spec};
use anyhow::{Context, Result};
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Tests that run side by side on each core.
const TESTS_PER_CORE: usize = 2;

/// Runs everything; the last line is `N passed, N failed, N skipped`.
pub(crate) fn run() -> Result<ExitCode> {
    let python = install::for_tests();
    let guests = guests::build_all()?;

    let mut main = cargo_test(&place::repo(), &ENGINE);
    main.command.env("CAMPANILE_GUESTS", &guests.dir);
    if let Some(python) = &python {
        main.command.env("CAMPANILE_PYTHON", python);
    }
    match install::buildbot() {
        Ok(programs) => drop(main.command.env("CAMPANILE_BUILDBOT", programs)),
        Err(error) => eprintln!("CAMPANILE_BUILDBOT is left unset: {error:#}"),
    }
    match install::gerrit() {
        Ok(jars) => drop(main.command.env("CAMPANILE_GERRIT", jars)),
        Err(error) => eprintln!("CAMPANILE_GERRIT is left unset: {error:#}"),
    }
    match install::openapi() {
        Ok(folder) => drop(main.command.env("CAMPANILE_OPENAPI", folder)),
        Err(error) => eprintln!("CAMPANILE_OPENAPI is left unset: {error:#}"),
    }
    // What projects of `campanile new` are built with.
    main.command
        .env("CAMPANILE_XTASK", std::env::current_exe().context("cannot tell where this program is")?)
        .env("CAMPANILE_GUEST_TOOLS", guest_tools::program()?);
    for (variable, tool) in guests::PROJECT_TOOLS {
        match tool() {
            Ok(path) => drop(main.command.env(variable, path)),
            Err(error) => eprintln!("{variable} is left unset: {error:#}"),
        }
    }
    let mut suites = vec![
        main,
        cargo_test(&place::repo(), &["--package", guest_tools::PACKAGE]),
        cargo_test(&place::guest_workspace(), &["--workspace"]),
    ];
    let mut tally = Tally::default();
    for (language, unit_tests) in guests::UNIT_TESTS {
        match unit_tests() {
            Ok(own) => suites.extend(own),
            Err(error) if error.is::<Missing>() => {
                eprintln!("SKIPPED: the {language} callbacks' own tests: {error}");
                tally.skip_suite();
            }
            Err(error) => return Err(error),
        }
    }

    let mut all_well = true;
    for suite in suites {
        // Every suite runs, whatever the ones before it came to.
        all_well &= count(suite, &mut tally)?;
    }
    let unproven = spec::missing()?;
    spec::print(&unproven);
    tally.one(unproven.is_empty());
    println!("{}", tally.summary());
    all_well &= tally.failed == 0;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All packages of the workspace but two: the tools of guests were built by themselves, with fewer features of what they
/// share with others, and would be built a second time; the fuzz targets have no tests.
const ENGINE: [&str; 5] = ["--workspace", "--exclude", guest_tools::PACKAGE, "--exclude", "campanile-fuzz"];

fn cargo_test(workspace: &Path, packages: &[&str]) -> Suite {
    let mut cargo = Command::new(place::cargo());
    cargo.current_dir(workspace).env("CARGO_TARGET_DIR", place::target());
    // Shown output is the only way to see that a passed test skipped itself.
    cargo.arg("test").args(packages).args(["--no-fail-fast", "--", "--show-output"]);
    // Most tests wait for servers, timers and restarts and not for a processor: several wait side by side.
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        cargo.env("RUST_TEST_THREADS", (cores * TESTS_PER_CORE).to_string());
    }
    Suite { command: cargo, harness: Harness::Cargo }
}

/// Runs a suite, passing its output on line by line. False: it failed.
fn count(mut suite: Suite, tally: &mut Tally) -> Result<bool> {
    let name = suite.command.get_program().to_string_lossy().into_owned();
    let command = &mut suite.command;
    let spawned = match suite.harness {
        Harness::Unittest => command.stderr(Stdio::piped()).spawn(),
        Harness::Cargo | Harness::Tap | Harness::TapLines | Harness::Go => {
            command.stdout(Stdio::piped()).spawn()
        }
    };
    let mut child = spawned.with_context(|| format!("cannot run `{name}`"))?;
    let errors = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read>);
    let output = errors.or_else(|| child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read>));
    let output = output.with_context(|| format!("`{name}` has no output"))?;
    let mut shown = std::io::stdout();
    let mut reader = tally.reader(suite.harness);
    for line in BufReader::new(output).split(b'\n') {
        let line = line.with_context(|| format!("reading the output of `{name}`"))?;
        shown.write_all(&line).and_then(|()| shown.write_all(b"\n")).context("passing output on")?;
        reader.line(&String::from_utf8_lossy(&line));
    }
    let status = child.wait().with_context(|| format!("waiting for `{name}`"))?;
    if !status.success() {
        let arguments: Vec<_> = suite.command.get_args().map(|argument| argument.to_string_lossy()).collect();
        println!("FAILED: `{name} {}` ended with {status}", arguments.join(" "));
    }
    Ok(status.success())
}
