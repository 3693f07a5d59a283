//! Mails through a program of this machine, as sendmail takes them (M-X-03): recipients as arguments, the mail on its
//! standard input. No shell is asked, and the program gets nothing of our environment but `PATH`.

use std::path::PathBuf;
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::payload::StoredMail;
use super::send::attempt_failed;
use super::smtp_transport::NOT_NOW_DELAY;
use crate::{Fault, FaultCode, Outcome};
use campanile_config::Reader;

/// Time within which the program must take the mail.
const RUN_TIMEOUT: Duration = Duration::from_secs(300);
/// Most characters of the program's words that are told.
const MAX_SAID: usize = 300;

/// A program like `/usr/sbin/sendmail`.
pub(super) struct Sendmail {
    /// The beginning of every text for people: the target and the program.
    label: String,
    program: PathBuf,
    arguments: Vec<String>,
}

impl Sendmail {
    /// Reads what stands behind `sendmail:`, a program and its own arguments.
    pub(super) fn read(reader: &Reader<'_>, target: &str, command: &str) -> Option<Self> {
        let mut words = command.split_whitespace().map(str::to_owned);
        let program = words.next().map(PathBuf::from).filter(|program| program.is_absolute());
        let Some(program) = program else {
            let text =
                "`transport` must name the program with its whole path: \"sendmail:/usr/sbin/sendmail\"";
            reader.error("transport", text);
            return None;
        };
        let mut arguments: Vec<String> = words.collect();
        if let Some(argument) = arguments.iter().find(|argument| *argument == "--" || *argument == "-t") {
            let text = format!(
                "`{argument}` must not be in `transport`: recipients are added behind a `--` of ours"
            );
            reader.error("transport", text);
            return None;
        }
        // A line with a lone dot must not end the mail.
        if !arguments.iter().any(|argument| argument == "-i" || argument == "-oi") {
            arguments.push("-i".to_owned());
        }
        let label = format!("mail target `{target}`: `{}`", program.display());
        Some(Self { label, program, arguments })
    }

    /// Hands the mail to the program once. A program that takes too long is ended; so is one whose future is dropped.
    pub(super) async fn send(&self, mail: StoredMail) -> Outcome {
        let fault = match tokio::time::timeout(RUN_TIMEOUT, self.run(&mail)).await {
            Ok(Ok(output)) if output.status.success() => {
                let count = mail.envelope.recipients.len();
                return Outcome::Delivered(format!("{} took it for {count}", self.label));
            }
            Ok(Ok(output)) => self.fault_of(&output),
            Ok(Err(error)) => {
                let text = format!("{} cannot be run: {error}: check `transport`", self.label);
                Fault::transient(FaultCode::Local, text)
            }
            Err(_) => {
                let text =
                    format!("{} did not end within {} s, and was ended", self.label, RUN_TIMEOUT.as_secs());
                Fault::transient(FaultCode::Timeout, text)
            }
        };
        attempt_failed(fault, &mail)
    }

    async fn run(&self, mail: &StoredMail) -> std::io::Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg("-f").arg(&mail.envelope.sender);
        command.arg("--").args(&mail.envelope.recipients);
        // Secrets of ours may be in the environment.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let text = with_unix_line_ends(&mail.raw);
        let write = async move {
            let Some(mut input) = input else { return };
            // A program that ends before it has read everything says why by its exit code.
            if input.write_all(&text).await.is_ok() {
                let _ = input.shutdown().await;
            }
        };
        let ((), output) = tokio::join!(write, child.wait_with_output());
        output
    }

    /// The fault of a program that did not succeed, by the codes of `sysexits.h`.
    fn fault_of(&self, output: &Output) -> Fault {
        let said = sanitized(&String::from_utf8_lossy(&output.stderr));
        let how = ended(output.status);
        let text = format!("{} did not take the mail ({how}: {said})", self.label);
        match output.status.code() {
            // Usage, data, no such user, no such host: the same mail will never do.
            Some(64 | 65 | 67 | 68) => Fault::permanent(FaultCode::Rejected, text),
            Some(75) => Fault::transient(FaultCode::Busy, text).tried_again_from(NOT_NOW_DELAY),
            // Disks get full, queues are locked, settings get mended.
            _ => Fault::transient(FaultCode::Local, text),
        }
    }

    /// Proves that there is such a program; it is not run.
    pub(super) async fn probe(&self) -> Result<String, Fault> {
        let found = tokio::fs::metadata(&self.program).await;
        match found {
            Ok(found) if found.is_file() => {
                Ok(format!("mails go to `{}`, which is there", self.program.display()))
            }
            Ok(_) => Err(Fault::permanent(FaultCode::Local, format!("{} is no file", self.label))),
            Err(error) => Err(Fault::permanent(FaultCode::Local, format!("{}: {error}", self.label))),
        }
    }
}

/// A text of the program's on one line, and not too much of it.
fn sanitized(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SAID).collect();
    line.trim().to_owned()
}

fn ended(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

/// The mail with LF line ends, as programs of Unix read them.
fn with_unix_line_ends(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    for line in raw.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
            None => text.extend_from_slice(line),
        }
    }
    text
}
