//! `cargo xtask test --fuzz`: each change hook dialect, and each source of builds, against inputs that are made to reach
//! every branch of it.
//!
//! libFuzzer guides them by coverage, which stable compilers can measure too. Inputs that were found are kept beside the
//! build, so that the next run goes on where this one ended; what makes one fail is told with its file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::place;

/// For each of them.
const SECONDS: u32 = 60;
/// No request of a forge's is larger by much; libFuzzer slows down with the size.
const MOST_BYTES: u32 = 16 << 10;
/// The flags that `cargo fuzz --sanitizer none` sets.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// A kind of what is fuzzed.
struct Kind {
    /// The fuzz target.
    program: &'static str,
    /// Tells it which one is meant.
    variable: &'static str,
    /// Has a folder with recorded requests for each.
    recorded: &'static str,
    /// The field that has the body there.
    body: &'static str,
    /// Those that need no recorded requests.
    others: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        program: "hooks",
        variable: "CAMPANILE_FUZZ_DIALECT",
        recorded: "tests/data/hooks",
        body: "payload",
        others: &["base", "poller"],
    },
    Kind {
        program: "events",
        variable: "CAMPANILE_FUZZ_SOURCE",
        recorded: "tests/data/ingest",
        body: "body",
        others: &["buildbot"],
    },
];

pub(crate) fn run() -> Result<ExitCode> {
    let programs = build()?;
    let mut failed = Vec::new();
    for kind in KINDS {
        for name in names(kind)? {
            let label = format!("{}-{name}", kind.program);
            let folder = place::target().join("fuzz-corpus").join(&label);
            seed(kind, &name, &folder)?;
            println!("fuzzing `{label}` for {SECONDS} s");
            let crashes = place::target().join(format!("fuzz-crash-{label}-"));
            let program = programs.join(kind.program);
            let status = Command::new(&program)
                .arg(&folder)
                .arg(format!("-max_total_time={SECONDS}"))
                .arg(format!("-max_len={MOST_BYTES}"))
                .arg(format!("-artifact_prefix={}", crashes.display()))
                .args([
                    "-verbosity=0",
                    "-print_funcs=0",
                    "-print_final_stats=1",
                    "-timeout=5",
                    "-rss_limit_mb=1024",
                ])
                .env(kind.variable, &name)
                .status()
                .with_context(|| format!("cannot run {}", program.display()))?;
            if !status.success() {
                failed.push(label);
            }
        }
    }
    ensure!(failed.is_empty(), "these failed, see above: {}", failed.join(", "));
    println!("no input made one fail");
    Ok(ExitCode::SUCCESS)
}

/// Gives the folder with the fuzz targets.
fn build() -> Result<PathBuf> {
    let target = place::target().join("fuzz");
    let host = host()?;
    let status = Command::new(place::cargo())
        .current_dir(place::repo())
        // With a target named, build scripts and macros are spared the flags.
        .args(["build", "--package", "campanile-fuzz", "--profile", "fuzz", "--locked", "--target", &host])
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the fuzz targets do not build");
    Ok(target.join(host).join("fuzz"))
}

fn host() -> Result<String> {
    let told = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let told = String::from_utf8(told.stdout)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say for what it builds")
}

/// Those that have recorded requests, and those that need none.
fn names(kind: &Kind) -> Result<Vec<String>> {
    let mut names: Vec<String> = kind.others.iter().map(|name| (*name).to_owned()).collect();
    for entry in fs::read_dir(place::repo().join(kind.recorded))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Puts the recorded requests where inputs are taken from.
fn seed(kind: &Kind, name: &str, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("seed-query"), "?author=ada&files=[\"a\"]&when=5&payload={}&poller=x")?;
    let Ok(recorded) = fs::read_dir(place::repo().join(kind.recorded).join(name)) else {
        return Ok(());
    };
    for entry in recorded {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".expected.json") || !name.ends_with(".json") {
            continue;
        }
        let recorded: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let (headers, payload) =
            match (recorded.get("headers").and_then(Value::as_object), recorded.get(kind.body)) {
                (Some(headers), Some(payload)) => {
                    let lines = headers
                        .iter()
                        .map(|(name, value)| format!("{name}: {}\n", value.as_str().unwrap_or_default()));
                    (lines.collect::<String>(), payload)
                }
                // Those of GitHub are bare.
                _ => ("Content-Type: application/json\n".to_owned(), &recorded),
            };
        fs::write(folder.join(format!("seed-{name}")), format!("{headers}\n{payload}"))?;
    }
    Ok(())
}
