//! Runs a program for a poller: arguments as they are (no shell), an environment of its own, nothing to ask a person,
//! an end to waiting and to reading, and no process left behind.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::PollError;
use campanile_config::{Secret, mask};
use campanile_outbound::limits::CONNECT;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// So much of what a program complains about is read.
const MAX_COMPLAINT: u64 = 64 << 10;
/// So much of it is shown.
const MAX_SHOWN: usize = 400;

/// The command by which `git` and `svn` reach servers by SSH: asks nobody anything, and reads no settings of the user's.
pub(super) fn batch_ssh() -> String {
    format!("ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout={}", CONNECT.as_secs())
}

/// A program to be run once.
pub(super) struct Program {
    program: String,
    /// Its task, for people.
    task: &'static str,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    input: Vec<u8>,
    secrets: Vec<Secret>,
    limit: Duration,
    max_output: u64,
}

impl Program {
    pub(super) fn new(program: &str, task: &'static str) -> Self {
        Self {
            program: program.to_owned(),
            task,
            arguments: Vec::new(),
            environment: Vec::new(),
            input: Vec::new(),
            secrets: Vec::new(),
            limit: Duration::from_secs(3_600),
            max_output: 256 << 20,
        }
    }

    pub(super) fn arguments<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(super) fn environment(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(super) fn input(self, input: impl Into<Vec<u8>>) -> Self {
        Self { input: input.into(), ..self }
    }

    /// Is not shown, should the program quote it.
    pub(super) fn hide(mut self, secret: &Secret) -> Self {
        self.secrets.push(secret.clone());
        self
    }

    #[cfg(test)]
    fn limits(self, limit: Duration, max_output: u64) -> Self {
        Self { limit, max_output, ..self }
    }

    /// Runs it to its end; gives what it wrote.
    pub(super) async fn run(self) -> Result<Vec<u8>, PollError> {
        let name = format!("{} {}", self.program, self.task);
        let failed = |reason: std::io::Error| PollError::NoProgram {
            program: self.program.clone(),
            reason: reason.to_string(),
        };
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C.UTF-8")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that its end takes its transports along.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let group = Group(child.id());
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // One that does not read its input says why by its exit code.
                let _ = stdin.write_all(&self.input).await;
            }
        };
        let whole = async {
            let ((), output, complaint) =
                tokio::join!(write, read(stdout, self.max_output), read(stderr, MAX_COMPLAINT));
            let (output, complaint) = (output.map_err(failed)?, complaint.map_err(failed)?);
            if output.len() as u64 > self.max_output {
                let said = format!("it wrote more than {} MiB", self.max_output >> 20);
                return Err(PollError::Program { program: name.clone(), said });
            }
            let status = child.wait().await.map_err(failed)?;
            Ok((status, output, complaint))
        };
        let ended = tokio::time::timeout(self.limit, whole).await;
        let (status, output, complaint) =
            ended.map_err(|_| PollError::Timeout { program: name.clone(), limit: self.limit })??;
        group.ended();
        if status.success() {
            return Ok(output);
        }
        let said = match self.shown(&complaint) {
            shown if shown.is_empty() => status.to_string(),
            shown => shown,
        };
        Err(PollError::Program { program: name, said })
    }

    /// The end of a complaint on one line, without secrets and control characters.
    fn shown(&self, complaint: &[u8]) -> String {
        let text = mask(&String::from_utf8_lossy(complaint), &self.secrets);
        let between = |character: char| character.is_whitespace() || character.is_control();
        let words = text.split(between).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let skip = words.chars().count().saturating_sub(MAX_SHOWN);
        words.chars().skip(skip).collect()
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        // One byte more tells that there was too much; the program is then ended by its pipe or its group.
        pipe.take(limit + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// A process group that is killed unless its leader ended by itself.
struct Group(Option<u32>);

impl Group {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // Fails only if nobody is left in it.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Program {
        Program::new("sh", "test").arguments(["-c", script])
    }

    #[tokio::test]
    async fn input_goes_in_output_comes_out_and_the_environment_is_its_own() {
        let cat = sh("cat; echo $HOME-$GIT_X").environment("GIT_X", "7").input("hello ");
        assert_eq!(cat.run().await.unwrap(), b"hello -7\n");
    }

    #[tokio::test]
    async fn a_failure_shows_what_was_said_without_secrets_and_control_characters() {
        let failing = sh("echo 'fatal: bell-tower\x1b[31m is wrong' >&2; exit 3");
        let fault = failing.hide(&Secret::new("bell-tower")).run().await.unwrap_err();
        assert_eq!(fault.to_string(), "`sh test` failed: fatal: *** [31m is wrong");
        let silent = sh("exit 3").run().await.unwrap_err();
        assert_eq!(silent.to_string(), "`sh test` failed: exit status: 3");
        let missing = Program::new("campanile-no-such-program", "x").run().await.unwrap_err();
        assert_eq!(missing.code(), "no-program");
    }

    #[tokio::test]
    async fn time_and_output_have_an_end_and_nobody_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let slow = sh(&format!("(sleep 1; touch {}) & wait", mark.display()));
        let fault = slow.limits(Duration::from_millis(200), 100).run().await.unwrap_err();
        assert_eq!(fault.code(), "timeout");
        let loud = sh("yes").limits(Duration::from_secs(20), 1_000).run().await.unwrap_err();
        assert!(matches!(loud, PollError::Program { .. }), "{loud:?}");
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert!(!mark.exists(), "the program's child went on");
    }
}
