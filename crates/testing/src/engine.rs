//! A running engine, and what tests ask of it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::{http, patiently, program};

/// A running engine. Killed when dropped.
pub struct Engine {
    pub folder: PathBuf,
    pub url: String,
    child: Child,
    variables: Vec<(String, String)>,
    temporary: Option<tempfile::TempDir>,
}

impl Engine {
    /// Starts with these settings, on a free port of its own, in a new folder.
    pub fn start(settings: &str) -> Self {
        Self::start_with_variables(settings, &[])
    }

    /// As `start`, with these in its environment.
    pub fn start_with_variables(settings: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = Self::start_in(folder.path(), settings, variables);
        engine.temporary = Some(folder);
        engine
    }

    /// As `start`, with a file in the folder beside the settings.
    pub fn start_with_file(settings: &str, name: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), content).unwrap();
        let mut engine = Self::start_in(folder.path(), settings, &[]);
        engine.temporary = Some(folder);
        engine
    }

    /// As `start`, in a folder that stays, with these in its environment.
    pub fn start_in(folder: &Path, settings: &str, variables: &[(&str, &str)]) -> Self {
        write_settings(folder, settings);
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let (child, url) = spawn(folder, &variables);
        Self { folder: folder.to_owned(), url, child, variables, temporary: None }
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The part of it that belongs to no file, so that the kernel can't take it back, in KiB.
    pub fn anonymous_kib(&self) -> u64 {
        self.memory_kib("RssAnon:")
    }

    fn memory_kib(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// kill -9, and a new start on the same folder.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.url) = spawn(&self.folder, &self.variables);
    }

    /// Ends it as a service manager does; gives the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }

    /// Waits for its end, which something else brings about; gives the exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(done.success());
    }

    pub async fn get(&self, path: &str) -> Value {
        let response = http().get(format!("{}{path}", self.url)).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    pub async fn post(&self, path: &str, body: impl Into<String>) -> (u16, String) {
        let request = http().post(format!("{}{path}", self.url)).header("Content-Type", "application/json");
        let response = request.body(body.into()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub async fn event(&self, event: &Value) {
        let (status, text) = self.post("/api/v1/events", event.to_string()).await;
        assert_eq!(status, 202, "{text}");
    }

    /// A finished build of `linux` by ada.
    pub async fn build(&self, number: u64, results: &str) {
        self.event(&build_finished(number, results)).await;
    }

    pub async fn deliveries(&self) -> Vec<Value> {
        self.get("/api/v1/deliveries?limit=500").await["deliveries"].as_array().unwrap().clone()
    }

    /// Waits until the only delivery stands in this state.
    pub async fn delivery_in(&self, state: &str) -> Value {
        patiently(&format!("a delivery becomes {state}"), async || {
            self.deliveries().await.into_iter().find(|delivery| delivery["state"] == state)
        })
        .await
    }

    /// Waits until an attempt has failed with this code.
    pub async fn failed(&self, code: &str) -> Value {
        patiently(&format!("an attempt fails with `{code}`"), async || {
            self.deliveries().await.into_iter().find(|delivery| delivery["code"] == code)
        })
        .await
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("engine.log")).unwrap()
    }

    /// Waits until it has logged this, and gives the whole log.
    pub async fn logs(&self, text: &str) -> String {
        patiently(&format!("`{text}` is logged"), async || {
            let log = self.log();
            log.contains(text).then_some(log)
        })
        .await
    }

    /// Waits for so many mails of the `file:outbox` transport.
    pub async fn outbox(&self, count: usize) -> Vec<String> {
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
        // The folder goes when its process is gone.
        self.temporary.take();
    }
}

pub fn build_finished(number: u64, results: &str) -> Value {
    json!({"event": "buildFinished", "build": {
        "builder": "linux", "number": number, "results": results, "text": [results, "compile"],
        "source_stamps": [{"branch": "main", "revision": "1f0c2d", "project": "bells",
                           "changes": [{"who": "ada", "comments": "ring", "files": ["tower.c"]}]}],
        "steps": [{"name": "compile", "results": results}]}})
}

pub fn write_settings(folder: &Path, settings: &str) {
    let all = if settings.contains("[server]") {
        settings.to_owned()
    } else {
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nurl = \"https://ci.example.org/\"\nurl_style = \"default\"\ntitle = \"Test CI\"\n\n{settings}"
        )
    };
    std::fs::write(folder.join("campanile.toml"), all).unwrap();
}

/// Runs the program to its end in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).current_dir(folder).output().unwrap()
}

fn spawn(folder: &Path, variables: &[(String, String)]) -> (Child, String) {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("engine.log")).unwrap();
    let mut child = Command::new(program())
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
