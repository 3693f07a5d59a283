//! `cargo xtask test`: installs, builds callbacks, runs every test and counts them.

use crate::guests::{self, NoWay};
use crate::{install, place};
use anyhow::{Context, Result};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Sums over every `test result:` line.
#[derive(Debug, Default)]
struct Tally {
    ok: usize,
    failed: usize,
    ignored: usize,
    /// Lines `SKIPPED: reason`; their tests are among the `ok` ones.
    skipped_themselves: usize,
}

/// Runs everything; the last line is `N passed, N failed, N skipped`.
pub(crate) fn run() -> Result<ExitCode> {
    let python = install::for_tests();
    let guests = match guests::build() {
        Ok(set) => Some(set),
        Err(error) if error.is::<NoWay>() => {
            eprintln!("going on without callbacks: {error}");
            None
        }
        Err(error) => return Err(error),
    };

    let mut tally = Tally::default();
    let mut main = cargo_test(&place::repo());
    if let Some(set) = &guests {
        main.env("CAMPANILE_GUESTS", &set.dir);
    }
    if let Some(python) = &python {
        main.env("CAMPANILE_PYTHON", python);
    }
    let main_ok = count(&mut main, &mut tally)?;
    let guests_ok = count(&mut cargo_test(&place::guest_workspace()), &mut tally)?;

    println!("{}", tally.summary());
    let all_well = main_ok && guests_ok && tally.failed == 0;
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo_test(workspace: &Path) -> Command {
    let mut cargo = Command::new(place::cargo());
    cargo.current_dir(workspace).env("CARGO_TARGET_DIR", place::target());
    // Shown output is the only way to see that a passed test skipped itself.
    cargo.args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    cargo
}

/// Runs a test command, passing its output on line by line. False: it failed.
fn count(command: &mut Command, tally: &mut Tally) -> Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut shown = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("reading cargo's output")?;
        shown.write_all(&line).and_then(|()| shown.write_all(b"\n")).context("writing cargo's output")?;
        tally.add(&String::from_utf8_lossy(&line));
    }
    Ok(child.wait().context("waiting for cargo")?.success())
}

impl Tally {
    /// Counts one line of a harness's output.
    fn add(&mut self, line: &str) {
        let line = line.trim();
        if line.starts_with("SKIPPED:") {
            self.skipped_themselves += 1;
        }
        let Some(counts) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.1.split("; ") {
            let Some((number, word)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            match word {
                "passed" => self.ok += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    fn summary(&self) -> String {
        let passed = self.ok.saturating_sub(self.skipped_themselves);
        let skipped = self.ignored + self.skipped_themselves;
        format!("{passed} passed, {} failed, {skipped} skipped", self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn summary(output: &str) -> String {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.add(line));
        tally.summary()
    }

    #[test]
    fn results_of_all_harnesses_are_summed() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s\n";
        assert_eq!(summary(output), "6 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_skips_itself_has_not_passed() {
        let output = "---- mail::tls stdout ----\nSKIPPED: no python\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(summary(output), "1 passed, 0 failed, 1 skipped");
    }
}
