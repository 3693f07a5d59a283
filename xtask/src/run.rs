//! Running other programs.

use anyhow::{Context, Result, bail};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Fetching a target or a few modules takes seconds where it works at all.
pub(crate) const FETCH_LIMIT: Duration = Duration::from_secs(30);

/// Runs a command with its output shown; its failure is an error.
pub(crate) fn shown(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run `{name}`"))?;
    if !status.success() {
        bail!("`{name}` failed: {status}");
    }
    Ok(())
}

/// Runs a command and gives its output, trimmed; `None` if it cannot run or fails.
pub(crate) fn answer(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A program's exit status as that of this one.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    // No code: a signal ended it.
    status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// True when a command succeeds without a word within `limit`; it is stopped when it does not.
pub(crate) fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = silent.spawn() else { return false };
    let end = Instant::now() + limit;
    while Instant::now() < end {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(_) => break,
        }
    }
    // It may have ended by itself meanwhile: either way it is gone.
    let _ = child.kill();
    let _ = child.wait();
    false
}
