//! Files of logs that go with a build's end.
//!
//! Invariant: no file, and nothing that becomes of it, is a reason to keep quiet about the build: it may have failed by that
//! very file.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use reqwest::Body;
use rustix::fs::OFlags;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use super::LOG;
use super::words::digits;
use crate::cli::client::{Client, Refusal};
use campanile_model::{BuildId, LogRef};

/// Largest file that is sent; the engine takes no larger one.
const MAX_BYTES: u64 = 4 << 30;
/// Bytes that are read of a file that is said to have fewer.
const UNSIZED: u64 = 1 << 20;
/// Time that all logs of a build may take together: the build's end waits for them.
const MAX_TIME: Duration = Duration::from_secs(300);

/// Sends logs, one of each step; says on standard error which are left out, wholly or in part, and why.
pub(super) async fn send_all(client: &Client, build: &BuildId, logs: &[(String, impl AsRef<Path>)]) {
    let until = Instant::now() + MAX_TIME;
    for (step, file) in logs {
        let log = LogRef { build: build.clone(), step: step.clone(), log: LOG.to_owned() };
        let file = file.as_ref();
        match send(client, &log, file, until.saturating_duration_since(Instant::now())).await {
            Ok(None) => {}
            Ok(Some(warning)) => eprintln!("campanile: `{}`: {warning}", file.display()),
            Err(error) => eprintln!(
                "campanile: the log of step `{step}` is left out: cannot send `{}`: {error:#}",
                file.display()
            ),
        }
    }
}

/// Sends a log; returns a warning if not all of it is kept.
async fn send(client: &Client, log: &LogRef, file: &Path, time: Duration) -> anyhow::Result<Option<String>> {
    if time.is_zero() {
        bail!("the logs before it took too long ({} s)", MAX_TIME.as_secs());
    }
    let (file, bytes) = open(file)?;
    // So much and no more: a file that somebody still writes to has no end. Those of /proc tell no size.
    let text = ReaderStream::new(tokio::fs::File::from_std(file).take(bytes.max(UNSIZED)));
    let answer = match client.put_log(log, Body::wrap_stream(text), time).await {
        Err(error) if error.downcast_ref::<Refusal>().is_some_and(Refusal::is_known) => {
            bail!("step `{}` of {}/{} has a log already", log.step, log.build.builder, log.build.number)
        }
        sent => sent?,
    };
    let kept = answer.get("bytes").and_then(Value::as_u64).unwrap_or(bytes);
    Ok((kept < bytes).then(|| kept_in_part(kept, bytes)))
}

/// The warning about a log of which the engine keeps only a part.
pub(super) fn kept_in_part(kept: u64, sent: u64) -> String {
    let (kept, sent) = (digits(kept), digits(sent));
    format!(
        "the engine keeps {kept} of {sent} bytes of the log, its beginning and its end (`store.max_log_bytes`)"
    )
}

/// Opens a regular file, also by a link; returns its size with it. Never waits, as for the other end of a FIFO.
fn open(path: &Path) -> anyhow::Result<(File, u64)> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = match File::options().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // A socket.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            bail!("it is no regular file")
        }
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?;
    if found.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
    }
    if !found.is_file() {
        bail!("it is no regular file");
    }
    if found.len() > MAX_BYTES {
        bail!("it has {} bytes, and {} is the most", digits(found.len()), digits(MAX_BYTES));
    }
    Ok((file, found.len()))
}
