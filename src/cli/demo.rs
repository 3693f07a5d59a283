//! `campanile demo`: a push and four builds through the engine's own door, on a temporary store, to mails in a folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::output::out;
use super::serve::Running;
use campanile_model::now;
use campanile_model::{Build, Change, Event, LogSummary, Results, SourceStamp, Step, Timestamp};

/// A push as GitHub sends it.
const PUSH: &str = include_str!("demo/push.json");
/// The end of a compiler's output.
const LOG: &str = include_str!("demo/compile.log");
/// Longest time that a step may take to show its effect.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(super) struct Options {
    /// A message formatter; without one the built-in text is used
    #[arg(long, value_name = "COMPONENT")]
    formatter: Option<PathBuf>,
    /// Go on serving afterwards, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new().prefix("campanile-demo-").tempdir()?.keep();
    let config = folder.join("campanile.toml");
    tokio::fs::write(&config, settings(options.formatter.as_deref())?).await?;
    let Some(running) = Running::start(&config).await? else { bail!("the demo's settings have errors") };
    out!(
        "An engine serves at http://{}/ with settings, store and mails in {}",
        running.address,
        folder.display()
    );
    out!("");

    let demo = Demo {
        http: super::client::http()?,
        door: format!("http://{}", running.address),
        outbox: folder.join("outbox"),
    };
    demo.play().await?;

    if options.keep {
        out!("Still serving; stop it with Ctrl-C.");
        tokio::signal::ctrl_c().await?;
    }
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}

fn settings(formatter: Option<&Path>) -> anyhow::Result<String> {
    let mut settings = include_str!("demo/campanile.toml").to_owned();
    let Some(formatter) = formatter else {
        settings.push_str("template_type = \"html\"\n");
        return Ok(settings);
    };
    let path = std::path::absolute(formatter)?;
    if !path.is_file() {
        bail!("there is no component `{}`", path.display());
    }
    let path = toml::Value::from(path.to_string_lossy().into_owned());
    settings.push_str(&format!(
        "message_formatter = \"formatter\"\n\n[callbacks.formatter]\ncomponent = {path}\n"
    ));
    Ok(settings)
}

/// Plays events and watches the folder that mails arrive in.
struct Demo {
    http: reqwest::Client,
    door: String,
    outbox: PathBuf,
}

impl Demo {
    async fn play(&self) -> anyhow::Result<()> {
        let stored = self.push().await?;
        out!("1. GitHub pushed {} commits: {stored}; no mail, since nothing was built yet.", pushed()?.len());

        self.build(1, Results::Success).await?;
        let mail = self.mail(1).await?;
        out!("2. Build 1, of the first commit, worked: its author hears of it.");
        out!("{mail}");

        self.build(2, Results::Failure).await?;
        let mail = self.mail(2).await?;
        out!(
            "3. Build 2, of the second commit, failed: its author gets the end of the compiler's log, read from the store."
        );
        out!("{mail}");

        self.build(3, Results::Success).await?;
        let mail = self.mail(3).await?;
        out!("4. Build 3, of the third commit, worked again.");
        out!("{mail}");

        self.build(4, Results::Cancelled).await?;
        let silence = self.silence().await?;
        out!("5. Build 4 was cancelled: no mail, and the engine says why: {silence}.");
        Ok(())
    }

    async fn push(&self) -> anyhow::Result<String> {
        let request = self
            .http
            .post(format!("{}/change_hook/github", self.door))
            .header("X-GitHub-Event", "push")
            .header("Content-Type", "application/json")
            .body(PUSH);
        let response = request.send().await?.error_for_status()?;
        Ok(response.text().await?)
    }

    /// A build's start, its log, its end.
    async fn build(&self, number: u64, results: Results) -> anyhow::Result<()> {
        let mut build = Build::new("bells-linux", number);
        build.reason = "a push to main".to_owned();
        build.worker = "tower-1".to_owned();
        let end = now();
        let began = |seconds: i64| Timestamp::from_micros(end.as_micros() - seconds * 1_000_000);
        build.started = Some(began(84));
        build.source_stamps = vec![source_stamp(number)?];
        self.event(&Event::BuildStarted { build: Box::new(build.clone()) }).await?;

        let failed = results == Results::Failure;
        let name = "compile".to_owned();
        if failed {
            let log = format!("{}/api/v1/builds/bells-linux/{number}/steps/compile/logs/stdio", self.door);
            self.http.put(log).body(LOG).send().await?.error_for_status()?;
        }
        build.results = Some(results);
        build.finished = Some(end);
        build.text = match results {
            Results::Success => vec!["build".to_owned(), "successful".to_owned()],
            Results::Failure => vec!["failed".to_owned(), "compile".to_owned()],
            other => vec![other.name().to_owned()],
        };
        let logs = if failed {
            vec![LogSummary { name: "stdio".to_owned(), ..LogSummary::default() }]
        } else {
            Vec::new()
        };
        let checkout = Step {
            name: "git".to_owned(),
            results: Some(Results::Success),
            started: Some(began(84)),
            finished: Some(began(80)),
            ..Step::default()
        };
        let (started, finished) = (Some(began(80)), Some(end));
        let compile = Step { name, results: Some(results), started, finished, logs, ..Step::default() };
        build.steps = vec![checkout, compile];
        self.event(&Event::BuildFinished { build: Box::new(build) }).await
    }

    async fn event(&self, event: &Event) -> anyhow::Result<()> {
        let request =
            self.http.post(format!("{}/api/v1/events", self.door)).body(event.to_json().to_string());
        request.header("Content-Type", "application/json").send().await?.error_for_status()?;
        Ok(())
    }

    /// Waits for the n-th mail; gives its subject and path.
    async fn mail(&self, count: usize) -> anyhow::Result<String> {
        let path = patiently(async || {
            let mut mails: Vec<PathBuf> = std::fs::read_dir(&self.outbox)
                .into_iter()
                .flatten()
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
                .collect();
            mails.sort();
            Ok((mails.len() >= count).then(|| mails.pop()).flatten())
        })
        .await
        .context("no mail came")?;
        let text = tokio::fs::read_to_string(&path).await?;
        let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or("(none)");
        Ok(format!("   Subject: {subject}\n   {}", path.display()))
    }

    /// Waits for a delivery that ended in silence; gives the reason.
    async fn silence(&self) -> anyhow::Result<String> {
        patiently(async || {
            let url = format!("{}/api/v1/deliveries?state=silent", self.door);
            let answer: Value = serde_json::from_str(&self.http.get(url).send().await?.text().await?)?;
            let newest = answer.pointer("/deliveries/0/text").and_then(Value::as_str);
            Ok(newest.map(str::to_owned))
        })
        .await
        .context("no silence was noted")
    }
}

/// Asks until there is an answer, but not forever.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let until = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < until {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("nothing happened for {} s; the log above says more", PATIENCE.as_secs())
}

fn pushed() -> anyhow::Result<Vec<Value>> {
    let push: Value = serde_json::from_str(PUSH)?;
    Ok(push.get("commits").and_then(Value::as_array).cloned().unwrap_or_default())
}

/// The source stamp of the n-th build: the n-th of the pushed commits, or the last one.
fn source_stamp(number: u64) -> anyhow::Result<SourceStamp> {
    let text = |commit: &Value, pointer: &str| {
        commit.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let repository = "https://github.com/example/bells".to_owned();
    let change = |commit: &Value| Change {
        who: format!("{} <{}>", text(commit, "/author/name"), text(commit, "/author/email")),
        comments: text(commit, "/message"),
        revision: Some(text(commit, "/id")),
        branch: Some("main".to_owned()),
        revlink: text(commit, "/url"),
        when: now(),
        repository: repository.clone(),
        files: json_texts(commit, "modified"),
        ..Change::default()
    };
    let commits = pushed()?;
    let commit = commits.get(usize::try_from(number)?.saturating_sub(1)).or(commits.last());
    let changes: Vec<Change> = commit.map(change).into_iter().collect();
    let revision = changes.last().and_then(|change| change.revision.clone());
    let project = "bells".to_owned();
    Ok(SourceStamp {
        branch: Some("main".to_owned()),
        revision,
        project,
        changes,
        repository,
        ..SourceStamp::default()
    })
}

fn json_texts(object: &Value, key: &str) -> Vec<String> {
    let list = object.get(key).cloned().unwrap_or_else(|| json!([]));
    serde_json::from_value(list).unwrap_or_default()
}
