//! The one harness: an engine in a folder of its own, and an SMTP server that does what a test asks of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_campanile");
const PATIENCE: Duration = Duration::from_secs(60);

/// Says that a test can't run here. With `CI` set that is a failure.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "a dependency of the tests is missing: {reason}");
    println!("SKIPPED: {reason}");
}

/// A guest component that `cargo xtask guests` has built.
pub(crate) fn guest(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CAMPANILE_GUESTS")?).join(format!("{name}.wasm"));
    path.is_file().then_some(path)
}

pub(crate) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A port that nobody has, and that no other test of this run is given: the system gives a port that was let go again.
pub(crate) fn free_port() -> u16 {
    static GIVEN: std::sync::Mutex<Vec<u16>> = std::sync::Mutex::new(Vec::new());
    loop {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut given = GIVEN.lock().unwrap();
        if !given.contains(&port) {
            given.push(port);
            return port;
        }
    }
}

/// Asks until there is an answer.
pub(crate) async fn patiently<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: did not happen within {} s", PATIENCE.as_secs());
}

/// A running engine. Killed when dropped.
pub(crate) struct Engine {
    pub(crate) folder: PathBuf,
    pub(crate) url: String,
    child: Child,
    variables: Vec<(String, String)>,
    _temporary: Option<tempfile::TempDir>,
}

impl Engine {
    /// Starts with these settings, on a free port of its own, in a new folder.
    pub(crate) fn start(settings: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        write_settings(&folder, settings);
        let (child, url) = spawn(&folder, &[]);
        Self { folder, url, child, variables: Vec::new(), _temporary: Some(temporary) }
    }

    /// As `start`, with these in its environment.
    pub(crate) fn start_with_variables(settings: &str, variables: &[(&str, &str)]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        write_settings(&folder, settings);
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let (child, url) = spawn(&folder, &variables);
        Self { folder, url, child, variables, _temporary: Some(temporary) }
    }

    /// As `start`, with a file in the folder beside the settings.
    pub(crate) fn start_with_file(settings: &str, name: &str, content: &[u8]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        std::fs::write(folder.join(name), content).unwrap();
        write_settings(&folder, settings);
        let (child, url) = spawn(&folder, &[]);
        Self { folder, url, child, variables: Vec::new(), _temporary: Some(temporary) }
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// kill -9, and a new start on the same folder.
    pub(crate) fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.url) = spawn(&self.folder, &self.variables);
    }

    /// Ends it as a service manager does; gives the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }

    /// Waits for its end, which something else brings about; gives the exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(done.success());
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let response = http().get(format!("{}{path}", self.url)).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<String>) -> (u16, String) {
        let request = http().post(format!("{}{path}", self.url)).header("Content-Type", "application/json");
        let response = request.body(body.into()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn event(&self, event: &Value) {
        let (status, text) = self.post("/api/v1/events", event.to_string()).await;
        assert_eq!(status, 202, "{text}");
    }

    /// A finished build of `linux` by ada.
    pub(crate) async fn build(&self, number: u64, results: &str) {
        self.event(&build_finished(number, results)).await;
    }

    pub(crate) async fn deliveries(&self) -> Vec<Value> {
        self.get("/api/v1/deliveries?limit=500").await["deliveries"].as_array().unwrap().clone()
    }

    /// Waits until the only delivery stands in this state.
    pub(crate) async fn delivery_in(&self, state: &str) -> Value {
        patiently(&format!("a delivery becomes {state}"), async || {
            self.deliveries().await.into_iter().find(|delivery| delivery["state"] == state)
        })
        .await
    }

    /// Waits until an attempt has failed with this code.
    pub(crate) async fn failed(&self, code: &str) -> Value {
        patiently(&format!("an attempt fails with `{code}`"), async || {
            self.deliveries().await.into_iter().find(|delivery| delivery["code"] == code)
        })
        .await
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("engine.log")).unwrap()
    }

    /// Waits until it has logged this, and gives the whole log.
    pub(crate) async fn logs(&self, text: &str) -> String {
        patiently(&format!("`{text}` is logged"), async || {
            let log = self.log();
            log.contains(text).then_some(log)
        })
        .await
    }

    /// Waits for so many mails of the `file:outbox` transport.
    pub(crate) async fn outbox(&self, count: usize) -> Vec<String> {
        patiently(&format!("{count} mails lie in the outbox"), async || {
            let mut paths: Vec<PathBuf> = std::fs::read_dir(self.folder.join("outbox"))
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
                .collect();
            paths.sort();
            (paths.len() >= count)
                .then(|| paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect())
        })
        .await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn build_finished(number: u64, results: &str) -> Value {
    json!({"event": "buildFinished", "build": {
        "builder": "linux", "number": number, "results": results, "text": [results, "compile"],
        "source_stamps": [{"branch": "main", "revision": "1f0c2d", "project": "bells",
                           "changes": [{"who": "ada", "comments": "ring", "files": ["tower.c"]}]}],
        "steps": [{"name": "compile", "results": results}]}})
}

pub(crate) fn write_settings(folder: &Path, settings: &str) {
    let all = if settings.contains("[server]") {
        settings.to_owned()
    } else {
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nurl = \"https://ci.example.org/\"\ntitle = \"Test CI\"\n\n{settings}"
        )
    };
    std::fs::write(folder.join("campanile.toml"), all).unwrap();
}

/// Runs the program to its end in a folder.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).current_dir(folder).output().unwrap()
}

fn spawn(folder: &Path, variables: &[(String, String)]) -> (Child, String) {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("engine.log")).unwrap();
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--config", "campanile.toml"])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let Some(url) = line.trim().strip_prefix("campanile: listening on ") else {
        let log = std::fs::read_to_string(folder.join("engine.log")).unwrap();
        panic!("the engine did not start: {line}\n{log}");
    };
    (child, url.trim_end_matches('/').to_owned())
}

/// Mails as Python's `email` package reads them; none if there is no Python, which is then said.
pub(crate) fn read_by_python(folder: &Path, mails: &[String]) -> Option<Vec<Value>> {
    let Some(python) = std::env::var_os("CAMPANILE_PYTHON") else {
        skip("CAMPANILE_PYTHON is not set: run the tests by `cargo xtask test`");
        return None;
    };
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/read_mail.py"));
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

/// A real SMTP server (aiosmtpd) that keeps what it gets, and answers as `behave` says.
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    child: Child,
}

impl SmtpServer {
    /// Starts one; none if Python with aiosmtpd is not at hand, which is then said.
    pub(crate) fn start(options: &[&str]) -> Option<Self> {
        let Some(python) = std::env::var_os("CAMPANILE_PYTHON") else {
            skip("CAMPANILE_PYTHON is not set: run the tests by `cargo xtask test`");
            return None;
        };
        Some(Self::start_on(&python, 0, tempfile::tempdir().unwrap(), options))
    }

    /// As `start`, on a port that the test has chosen.
    pub(crate) fn start_later(port: u16) -> Option<Self> {
        let python = std::env::var_os("CAMPANILE_PYTHON")?;
        Some(Self::start_on(&python, port, tempfile::tempdir().unwrap(), &[]))
    }

    fn start_on(python: &std::ffi::OsStr, port: u16, folder: tempfile::TempDir, options: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/smtp_server.py");
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
    pub(crate) fn behave(&self, behaviour: &Value) {
        let path = self.folder.path().join("behaviour.json");
        std::fs::write(path.with_extension("new"), behaviour.to_string()).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }

    /// The certificate of the server's own authority.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Every mail taken so far, in order: envelope, and headers and text as Python's `email` package reads them.
    pub(crate) fn mails(&self) -> Vec<Value> {
        self.told("mails")
    }

    /// What else it was told: `hellos`, `logins`, or recipients (`named`).
    pub(crate) fn told(&self, what: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.folder.path().join(format!("{what}.jsonl")));
        // A line may be just being written.
        let whole = |line: &&str| line.ends_with('\n');
        let log = log.unwrap_or_default();
        log.split_inclusive('\n').filter(whole).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Value> {
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
