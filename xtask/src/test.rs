//! `cargo xtask test`: installs, builds callbacks, runs every test and counts them.

use crate::{guests, install, place};
use anyhow::{Context, Result};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// Sums over every harness.
#[derive(Debug, Default)]
struct Tally {
    ok: usize,
    failed: usize,
    skipped: usize,
    /// Lines `SKIPPED: reason`; their tests are among the `ok` ones.
    skipped_themselves: usize,
}

/// The tests of the callbacks that are not in Rust: their language, their command, what reads its output.
type Suite = (&'static str, fn() -> Result<Option<Command>>, fn(&mut Tally, &str));

const SUITES: [Suite; 2] =
    [("C", guests::c::tests, Tally::add_tap), ("Go", guests::go::tests, Tally::add_go)];

/// Runs everything; the last line is `N passed, N failed, N skipped`.
pub(crate) fn run() -> Result<ExitCode> {
    let python = install::for_tests();
    let guests = guests::build()?;

    let mut tally = Tally::default();
    let mut main = cargo_test(&place::repo());
    main.env("CAMPANILE_GUESTS", &guests.dir);
    if let Some(python) = &python {
        main.env("CAMPANILE_PYTHON", python);
    }
    let mut all_well = count(&mut main, Tally::add_cargo, &mut tally)?;
    all_well &= count(&mut cargo_test(&place::guest_workspace()), Tally::add_cargo, &mut tally)?;
    for (language, tests, read) in SUITES {
        if let Some(mut command) = tests()? {
            all_well &= count(&mut command, read, &mut tally)?;
        } else {
            println!("SKIPPED: the tests of the callbacks in {language}: its tools are missing");
            tally.skipped += 1;
        }
    }

    println!("{}", tally.summary());
    all_well &= tally.failed == 0;
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
fn count(command: &mut Command, read: fn(&mut Tally, &str), tally: &mut Tally) -> Result<bool> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run `{name}`"))?;
    let output = child.stdout.take().with_context(|| format!("`{name}` has no output"))?;
    let mut shown = std::io::stdout().lock();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.with_context(|| format!("reading the output of `{name}`"))?;
        shown.write_all(&line).and_then(|()| shown.write_all(b"\n")).context("writing the tests' output")?;
        read(tally, &String::from_utf8_lossy(&line));
    }
    Ok(child.wait().with_context(|| format!("waiting for `{name}`"))?.success())
}

impl Tally {
    /// Counts one line of cargo's harness.
    fn add_cargo(&mut self, line: &str) {
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
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Counts one line of TAP, the Test Anything Protocol.
    fn add_tap(&mut self, line: &str) {
        let (result, rest) = match line.strip_prefix("not ok") {
            Some(rest) => (&mut self.failed, rest),
            None => match line.strip_prefix("ok") {
                Some(rest) => (&mut self.ok, rest),
                None => return,
            },
        };
        if rest.starts_with(' ') {
            *result += 1;
        }
    }

    /// Counts one line of `go test -v`; tests within tests are indented and not counted.
    fn add_go(&mut self, line: &str) {
        let Some((result, _)) = line.strip_prefix("--- ").and_then(|rest| rest.split_once(": ")) else {
            return;
        };
        match result {
            "PASS" => self.ok += 1,
            "FAIL" => self.failed += 1,
            "SKIP" => self.skipped += 1,
            _ => {}
        }
    }

    fn summary(&self) -> String {
        let passed = self.ok.saturating_sub(self.skipped_themselves);
        let skipped = self.skipped + self.skipped_themselves;
        format!("{passed} passed, {} failed, {skipped} skipped", self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn summary(read: fn(&mut Tally, &str), output: &str) -> String {
        let mut tally = Tally::default();
        output.lines().for_each(|line| read(&mut tally, line));
        tally.summary()
    }

    #[test]
    fn results_of_all_harnesses_are_summed() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s\n";
        assert_eq!(summary(Tally::add_cargo, output), "6 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_skips_itself_has_not_passed() {
        let output = "---- mail::tls stdout ----\nSKIPPED: no python\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(summary(Tally::add_cargo, output), "1 passed, 0 failed, 1 skipped");
    }
    #[test]
    fn c_tests_report_in_tap() {
        let output = "TAP version 14\nok 1 - a\nnot ok 2 - b\n# want: ok 1\nok 3\nokay\n1..3\n";
        assert_eq!(summary(Tally::add_tap, output), "2 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn go_tests_are_counted_without_those_within() {
        let output = "=== RUN   TestA\n    --- PASS: TestA/one (0.00s)\n--- PASS: TestA (0.00s)\n\
            --- FAIL: TestB (0.00s)\n--- SKIP: TestC (0.00s)\nPASS\nok  \tpackage\t0.002s\n";
        assert_eq!(summary(Tally::add_go, output), "1 passed, 1 failed, 1 skipped");
    }
}
