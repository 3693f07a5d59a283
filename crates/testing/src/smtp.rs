//! A real SMTP server, and mails as others read them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{patiently, skip};

/// A real SMTP server (aiosmtpd) that keeps what it gets, and answers as `behave` says.
pub struct SmtpServer {
    pub port: u16,
    folder: tempfile::TempDir,
    child: Child,
}

impl SmtpServer {
    /// Starts one; none if Python with aiosmtpd is not at hand, which is then said.
    pub fn start(options: &[&str]) -> Option<Self> {
        let Some(python) = std::env::var_os("CAMPANILE_PYTHON") else {
            skip("CAMPANILE_PYTHON is not set: run the tests by `cargo xtask test`");
            return None;
        };
        Some(Self::start_on(&python, 0, tempfile::tempdir().unwrap(), options))
    }

    /// As `start`, on a port that the test has chosen.
    pub fn start_later(port: u16) -> Option<Self> {
        let python = std::env::var_os("CAMPANILE_PYTHON")?;
        Some(Self::start_on(&python, port, tempfile::tempdir().unwrap(), &[]))
    }

    fn start_on(python: &std::ffi::OsStr, port: u16, folder: tempfile::TempDir, options: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/smtp_server.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder.path())
            .arg(port.to_string())
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the SMTP server did not start: {line}"));
        Self { port, folder, child }
    }

    /// Answers from now on: `{"mail": "421 ...", "rcpt": {"a@b": "550 ..."}, "data": "drop"}`.
    pub fn behave(&self, behaviour: &Value) {
        let path = self.folder.path().join("behaviour.json");
        std::fs::write(path.with_extension("new"), behaviour.to_string()).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }

    /// The certificate of the server's own authority.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Every mail taken so far, in order: envelope, and headers and text as Python's `email` package reads them.
    pub fn mails(&self) -> Vec<Value> {
        self.told("mails")
    }

    /// A log of its own by name: `hellos`, `logins`, or recipients (`named`).
    pub fn told(&self, what: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.path().join(format!("{what}.jsonl")));
        // A line may be just being written.
        let whole = |line: &&str| line.ends_with('\n');
        let log = log.unwrap_or_default();
        log.split_inclusive('\n').filter(whole).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub async fn wait_for(&self, count: usize) -> Vec<Value> {
        patiently(&format!("{count} mails reach the SMTP server"), async || {
            let mails = self.mails();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Mails as Python's `email` package reads them; none if there is no Python, which is then said.
pub fn read_by_python(folder: &Path, mails: &[String]) -> Option<Vec<Value>> {
    let Some(python) = std::env::var_os("CAMPANILE_PYTHON") else {
        skip("CAMPANILE_PYTHON is not set: run the tests by `cargo xtask test`");
        return None;
    };
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/read_mail.py"));
    for (number, mail) in mails.iter().enumerate() {
        let file = folder.join(format!("mail-{number}"));
        std::fs::write(&file, mail).unwrap();
        command.arg(file);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}
