//! Counts what test harnesses report of themselves.

use std::process::Command;

/// Sums over every summary.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) failed: usize,
    ok: usize,
    ignored: usize,
    /// Lines `SKIPPED: reason`; their tests are among the `ok` ones.
    skipped_themselves: usize,
}

/// Tests to run, and who reports on them.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) command: Command,
    pub(crate) harness: Harness,
}

/// A test harness, by the form of its summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harness {
    /// `test result: ok. 2 passed; 0 failed; ...`, once per binary.
    Cargo,
    /// Test Anything Protocol as Node.js writes it: the plan `1..N`, then `# pass N`, `# fail N`, ...
    Tap,
    /// Test Anything Protocol without a summary: each line that begins with `ok` or `not ok` is a test.
    TapLines,
    /// `--- PASS: TestName (0.00s)` as `go test -v` writes it; tests within tests are indented and not counted.
    Go,
    /// `Ran N tests in ...` and `OK (skipped=1)` or `FAILED (failures=1)`, on standard error.
    Unittest,
}

/// Reads the output of one suite, line by line.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    harness: Harness,
    tally: &'a mut Tally,
    /// The line after which a summary begins was seen.
    in_summary: bool,
}

impl Tally {
    pub(crate) fn reader(&mut self, harness: Harness) -> Reader<'_> {
        Reader { harness, tally: self, in_summary: false }
    }

    /// Counts a suite that can't run here as one skipped test.
    pub(crate) fn skip_suite(&mut self) {
        self.ignored += 1;
    }

    /// Counts a check of the chores' own.
    pub(crate) fn one(&mut self, passed: bool) {
        if passed {
            self.ok += 1;
        } else {
            self.failed += 1;
        }
    }

    /// `N passed, N failed, N skipped`.
    pub(crate) fn summary(&self) -> String {
        let passed = self.ok.saturating_sub(self.skipped_themselves);
        let skipped = self.ignored + self.skipped_themselves;
        format!("{passed} passed, {} failed, {skipped} skipped", self.failed)
    }
}

impl Reader<'_> {
    /// Counts one line.
    pub(crate) fn line(&mut self, line: &str) {
        match self.harness {
            Harness::Cargo => self.cargo(line.trim()),
            Harness::Tap => self.tap(line.trim_end()),
            Harness::TapLines => self.tap_line(line.trim_end()),
            Harness::Go => self.go(line.trim_end()),
            Harness::Unittest => self.unittest(line.trim_end()),
        }
    }

    fn cargo(&mut self, line: &str) {
        if line.starts_with("SKIPPED:") {
            self.tally.skipped_themselves += 1;
        }
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split("; ") {
            let Some((number, word)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            match word {
                "passed" => self.tally.ok += number,
                "failed" => self.tally.failed += number,
                "ignored" => self.tally.ignored += number,
                _ => {}
            }
        }
    }

    fn tap(&mut self, line: &str) {
        // Plans of nested tests are indented; what tests print begins with `# ` too, but comes before the plan.
        self.in_summary |= line.starts_with("1..");
        let Some((word, number)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) else {
            return;
        };
        let Ok(number) = number.parse::<usize>() else { return };
        match word {
            _ if !self.in_summary => {}
            "pass" => self.tally.ok += number,
            "fail" | "cancelled" => self.tally.failed += number,
            "skipped" | "todo" => self.tally.ignored += number,
            _ => {}
        }
    }

    fn tap_line(&mut self, line: &str) {
        if line.starts_with("not ok ") {
            self.tally.failed += 1;
        } else if line.starts_with("ok ") {
            self.tally.ok += 1;
        }
    }

    fn go(&mut self, line: &str) {
        let Some((result, _)) = line.strip_prefix("--- ").and_then(|rest| rest.split_once(": ")) else {
            return;
        };
        match result {
            "PASS" => self.tally.ok += 1,
            "FAIL" => self.tally.failed += 1,
            "SKIP" => self.tally.ignored += 1,
            _ => {}
        }
    }

    fn unittest(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("Ran ") {
            let number = rest.split(' ').next().and_then(|number| number.parse::<usize>().ok());
            self.in_summary = number.is_some();
            self.tally.ok += number.unwrap_or_default();
        }
        if !self.in_summary || !["OK", "FAILED", "NO TESTS RAN"].iter().any(|word| line.starts_with(word)) {
            return;
        }
        let counts = line.split_once('(').map_or("", |(_, counts)| counts.trim_end_matches(')'));
        for part in counts.split(", ") {
            let Some((word, number)) = part.split_once('=') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            match word {
                "failures" | "errors" | "unexpected successes" => self.tally.failed += number,
                "skipped" => self.tally.ignored += number,
                _ => continue,
            }
            // The number of tests that ran has them too. One test may fail several times, by its subtests.
            self.tally.ok = self.tally.ok.saturating_sub(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Harness, Tally};

    fn summary(harness: Harness, output: &str) -> String {
        let mut tally = Tally::default();
        let mut reader = tally.reader(harness);
        output.lines().for_each(|line| reader.line(line));
        tally.summary()
    }

    #[test]
    fn results_of_all_harnesses_are_summed() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 4 passed; 3 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s\n";
        assert_eq!(summary(Harness::Cargo, output), "6 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_skips_itself_has_not_passed() {
        let output = "---- mail::tls stdout ----\nSKIPPED: no python\n\
            test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(summary(Harness::Cargo, output), "1 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn node_is_believed_only_after_its_plan() {
        let output = "TAP version 13\n# pass 100\n    1..1\n# pass 100\nok 1 - a\n1..9\n# tests 9\n# suites 0\n\
            # pass 3\n# fail 2\n# cancelled 1\n# skipped 2\n# todo 1\n# duration_ms 12.5\n";
        assert_eq!(summary(Harness::Tap, output), "3 passed, 3 failed, 3 skipped");
    }

    #[test]
    fn each_line_of_plain_tap_and_of_go_is_a_test() {
        let tap = "1..3\nok 1 - a\nnot ok 2 - b\nokay\n# ok 9\nok 3\n";
        assert_eq!(summary(Harness::TapLines, tap), "2 passed, 1 failed, 0 skipped");
        let go = "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/one (0.00s)\n\
            --- FAIL: TestB (0.00s)\n--- SKIP: TestC (0.00s)\nok  \tx\t0.1s\n";
        assert_eq!(summary(Harness::Go, go), "1 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn python_names_only_what_went_otherwise() {
        let all_well = "OK\n.....\n-----\nRan 5 tests in 0.012s\n\nOK\n";
        assert_eq!(summary(Harness::Unittest, all_well), "5 passed, 0 failed, 0 skipped");
        let not_all =
            "Ran 9 tests in 0.1s\n\nFAILED (failures=1, errors=2, skipped=3, expected failures=1)\n";
        assert_eq!(summary(Harness::Unittest, not_all), "3 passed, 3 failed, 3 skipped");
        let skipped = "Ran 1 test in 0.1s\n\nOK (skipped=1)\n";
        assert_eq!(summary(Harness::Unittest, skipped), "0 passed, 0 failed, 1 skipped");
    }
}
