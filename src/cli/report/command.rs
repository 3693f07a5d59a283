//! `campanile report run`: a command as a build of one step, whose output is its log.
//!
//! Invariant: nothing that the engine does or leaves undone changes what the command does, prints or ends with.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::watch;
use tokio::time::timeout;

use super::LOG;
use super::backlog::Backlog;
use super::facts::Facts;
use super::feed::Feed;
use super::words::text;
use crate::cli::client::Client;
use campanile_model::{Event, LogChannel, LogRef, Results, Step, now};

/// Time for which output is awaited once the command has ended and something it left behind keeps its pipe open.
const LINGER: Duration = Duration::from_secs(2);
/// Longest line that is sent as a whole, in bytes.
const MAX_LINE: usize = 64 << 10;

/// The end of a command.
struct End {
    code: u8,
    results: Results,
}

pub(super) async fn run(
    client: Client,
    facts: &Facts,
    step: Option<String>,
    command: &[OsString],
    json: bool,
) -> anyhow::Result<ExitCode> {
    let (mut build, id) = (facts.build(), facts.id());
    let Some((program, arguments)) = command.split_first() else { return Ok(crate::cli::usage_error()) };
    let name = step.unwrap_or_else(|| {
        let file = Path::new(program).file_name().unwrap_or(program);
        file.to_string_lossy().into_owned()
    });
    build.started = Some(now());
    let mut step = Step { name, started: build.started, ..Step::default() };
    let log = LogRef { build: id.clone(), step: step.name.clone(), log: LOG.to_owned() };

    let feed = Feed::start(client, log.clone());
    let start = Event::BuildStarted { build: Box::new(build.clone()) };
    feed.news(start.to_json());
    feed.news(Event::StepStarted { build: id.clone(), step: step.clone() }.to_json());
    feed.news(Event::LogStarted { log: log.clone() }.to_json());

    let end = execute(program, arguments, feed.backlog()).await?;

    (step.finished, step.results) = (Some(now()), Some(end.results));
    (build.finished, build.results) = (step.finished, step.results);
    build.text = text(end.results, std::slice::from_ref(&step));
    feed.news(Event::LogFinished { log }.to_json());
    feed.news(Event::StepFinished { build: id, step }.to_json());
    let finish = Event::BuildFinished { build: Box::new(build) };
    feed.news(finish.to_json());
    // Standard output is the command's.
    if let Some(receipt) = feed.finish(&finish).await {
        match receipt.sentence() {
            _ if json => eprintln!("{}", receipt.json()),
            Some(sentence) => eprintln!("campanile: {sentence}"),
            None => {}
        }
        if let Some(warning) = receipt.warning() {
            eprintln!("campanile: {warning}");
        }
    }
    Ok(ExitCode::from(end.code))
}

/// Runs a command to its end.
async fn execute(program: &OsStr, arguments: &[OsString], log: Arc<Backlog>) -> anyhow::Result<End> {
    // Before the command is there, so that no signal ends us alone.
    let mut signals = Signals::listen()?;
    let child = Command::new(program).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let text = format!("cannot run `{}`: {error}", program.to_string_lossy());
            eprintln!("campanile: {text}");
            log.write(LogChannel::Stderr, format!("{text}\n")).await;
            // As shells have it.
            let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
            return Ok(End { code, results: Results::Exception });
        }
    };
    let (ended, exited) = watch::channel(false);
    let output = child.stdout.take().map(|from| {
        let (log, exited) = (Arc::clone(&log), exited.clone());
        tokio::spawn(copy(from, tokio::io::stdout(), LogChannel::Stdout, log, exited))
    });
    let errors = child
        .stderr
        .take()
        .map(|from| tokio::spawn(copy(from, tokio::io::stderr(), LogChannel::Stderr, log, exited)));
    let mut was_stopped = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            signal = signals.next() => {
                was_stopped = true;
                pass_on(signal, &child);
            }
        }
    };
    ended.send_replace(true);
    for task in [output, errors].into_iter().flatten() {
        // A task ends badly by a panic only, which has been told of.
        let _ = task.await;
    }
    Ok(End::of(status, was_stopped))
}

impl End {
    fn of(status: ExitStatus, was_stopped: bool) -> Self {
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        let results = match status.code() {
            Some(0) => Results::Success,
            _ if was_stopped => Results::Cancelled,
            Some(_) => Results::Failure,
            // It crashed, or the machine has ended it.
            None => Results::Exception,
        };
        Self { code: u8::try_from(code).unwrap_or(1), results }
    }
}

/// Sends a signal on to the command. A terminal has sent its own to both of us already.
fn pass_on(signal: Signal, child: &Child) {
    let of_terminal = signal != Signal::TERM && std::io::stdin().is_terminal();
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let (Some(pid), false) = (pid, of_terminal) {
        // It fails if the command has just ended, and then that is what was wanted.
        let _ = kill_process(pid, signal);
    }
}

/// The signals by which people and runners end a job.
struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hangup: unix::Signal,
    quit: unix::Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: unix::signal(SignalKind::interrupt())?,
            terminate: unix::signal(SignalKind::terminate())?,
            hangup: unix::signal(SignalKind::hangup())?,
            quit: unix::signal(SignalKind::quit())?,
        })
    }

    /// Waits for the next one. Cancel safe.
    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hangup.recv() => Signal::HUP,
            _ = self.quit.recv() => Signal::QUIT,
        }
    }
}

/// Copies output to where it would have gone, byte for byte, and to the log, line by line, until it ends.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    channel: LogChannel,
    log: Arc<Backlog>,
    mut exited: watch::Receiver<bool>,
) {
    let (mut buffer, mut lines) = (vec![0; 16 << 10], Lines::default());
    loop {
        let was_over = *exited.borrow_and_update();
        let count = if was_over {
            // What a background process holds open has no end of its own.
            timeout(LINGER, from.read(&mut buffer)).await.ok()
        } else {
            tokio::select! {
                count = from.read(&mut buffer) => Some(count),
                _ = exited.changed() => continue,
            }
        };
        let Some(Ok(count @ 1..)) = count else { break };
        let bytes = buffer.get(..count).unwrap_or_default();
        // Nobody may be reading it any more (`| head`): the log goes on.
        let _ = to.write_all(bytes).await;
        let _ = to.flush().await;
        if let Some(text) = lines.push(bytes) {
            log.write(channel, text).await;
        }
    }
    if let Some(text) = lines.rest() {
        log.write(channel, text).await;
    }
}

/// Bytes that are gathered to whole lines, so that those of two channels don't mix.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// Adds bytes; returns the lines that are whole now, or what there is of a very long one.
    fn push(&mut self, bytes: &[u8]) -> Option<String> {
        self.0.extend_from_slice(bytes);
        let end = match self.0.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            None if self.0.len() < MAX_LINE => return None,
            None => match std::str::from_utf8(&self.0) {
                // The rest of a character is yet to come.
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => self.0.len(),
            },
        };
        let rest = self.0.split_off(end);
        let text = String::from_utf8_lossy(&self.0).into_owned();
        self.0 = rest;
        Some(text)
    }

    /// Hands out the last line, if it has no end.
    fn rest(self) -> Option<String> {
        (!self.0.is_empty()).then(|| String::from_utf8_lossy(&self.0).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_long_ones_are_cut_between_characters() {
        let mut lines = Lines::default();
        assert_eq!(lines.push("ding".as_bytes()), None);
        assert_eq!(lines.push("dong\r\nba".as_bytes()).as_deref(), Some("dingdong\r\n"));
        assert_eq!(lines.push(b"ng\xff\n").as_deref(), Some("bang\u{fffd}\n"));
        let long = "ü".repeat(MAX_LINE / 2);
        let bytes = [long.as_bytes(), &"ü".as_bytes()[..1]].concat();
        assert_eq!(lines.push(&bytes), Some(long));
        assert_eq!(lines.push(&"ü".as_bytes()[1..]), None);
        assert_eq!(lines.rest().as_deref(), Some("ü"));
    }
}
