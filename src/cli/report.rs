//! `campanile report`: build events from any script or CI job.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use reqwest::Method;

use super::client::ServerOptions;
use super::output::out;
use campanile_model::now;
use campanile_model::{Build, Change, Event, Properties, Results, SourceStamp, Step};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    server: ServerOptions,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// A build began
    BuildStarted(Facts),
    /// A build ended
    BuildFinished {
        #[command(flatten)]
        facts: Facts,
        /// success, warnings, failure, skipped, exception, retry or cancelled
        #[arg(long)]
        results: Results,
        /// Words that describe the outcome; repeatable
        #[arg(long, value_name = "WORD")]
        text: Vec<String>,
        /// A log to send with it, as the step's `stdio`; repeatable
        #[arg(long, value_name = "STEP=FILE")]
        log: Vec<String>,
    },
}

#[derive(clap::Args)]
struct Facts {
    /// Builder's name
    #[arg(long)]
    builder: String,
    /// Build number
    #[arg(long)]
    number: u64,
    /// Page that shows the build
    #[arg(long)]
    url: Option<String>,
    /// Worker's name
    #[arg(long, default_value = "")]
    worker: String,
    /// Why it was run
    #[arg(long, default_value = "")]
    reason: String,
    /// Tag of the builder; repeatable
    #[arg(long)]
    tag: Vec<String>,
    /// What was built
    #[arg(long, default_value = "")]
    repository: String,
    /// Its project
    #[arg(long, default_value = "")]
    project: String,
    /// Its branch
    #[arg(long)]
    branch: Option<String>,
    /// Its revision
    #[arg(long)]
    revision: Option<String>,
    /// Whose change it was; repeatable
    #[arg(long, value_name = "AUTHOR")]
    who: Vec<String>,
    /// A property, its value JSON or text; repeatable
    #[arg(short, long, value_name = "NAME=VALUE")]
    property: Vec<String>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let client = options.server.client()?;
    let (event, logs) = match options.what {
        What::BuildStarted(facts) => {
            let mut build = facts.into_build()?;
            build.started = Some(now());
            (Event::BuildStarted { build: Box::new(build) }, Vec::new())
        }
        What::BuildFinished { facts, results, text, log } => {
            let logs = log.iter().map(|log| parse_log(log)).collect::<anyhow::Result<Vec<_>>>()?;
            let mut build = facts.into_build()?;
            build.results = Some(results);
            build.finished = Some(now());
            build.text = text;
            build.steps =
                logs.iter().map(|(step, _)| Step { name: step.clone(), ..Step::default() }).collect();
            (Event::BuildFinished { build: Box::new(build) }, logs)
        }
    };
    if let (Some(id), false) = (event.build_id(), logs.is_empty()) {
        // Logs go first, so that the message about the build can show them; they need the build to be known.
        let mut known = Build::new(&id.builder, id.number);
        known.started = Some(now());
        let known = Event::BuildStarted { build: Box::new(known) }.to_json().to_string();
        client.call(Method::POST, &["events"], &[], Some(("application/json", known.into_bytes()))).await?;
        let number = id.number.to_string();
        for (step, file) in logs {
            let bytes =
                tokio::fs::read(&file).await.with_context(|| format!("cannot read `{}`", file.display()))?;
            let path = ["builds", &id.builder, &number, "steps", &step, "logs", "stdio"];
            client.call(Method::PUT, &path, &[], Some(("text/plain", bytes))).await?;
        }
    }
    let body = event.to_json().to_string().into_bytes();
    let answer = client.call(Method::POST, &["events"], &[], Some(("application/json", body))).await?;
    out!("{answer}");
    Ok(ExitCode::SUCCESS)
}

fn parse_log(text: &str) -> anyhow::Result<(String, PathBuf)> {
    match text.split_once('=') {
        Some((step, file)) if !step.is_empty() => Ok((step.to_owned(), PathBuf::from(file))),
        _ => bail!("`--log {text}`: write STEP=FILE"),
    }
}

impl Facts {
    fn into_build(self) -> anyhow::Result<Build> {
        let mut build = Build::new(self.builder, self.number);
        build.url = self.url;
        build.reason = self.reason;
        build.tags = self.tag;
        if !self.worker.is_empty() {
            build.worker = self.worker;
        }
        build.properties = parse_properties(&self.property)?;
        let change = |who: String| Change {
            who,
            branch: self.branch.clone(),
            revision: self.revision.clone(),
            repository: self.repository.clone(),
            project: self.project.clone(),
            when: now(),
            ..Change::default()
        };
        let changes: Vec<Change> = self.who.into_iter().map(change).collect();
        let named = self.branch.is_some() || self.revision.is_some() || !self.repository.is_empty();
        if named || !changes.is_empty() {
            build.source_stamps.push(SourceStamp {
                branch: self.branch,
                revision: self.revision,
                repository: self.repository,
                project: self.project,
                changes,
                ..SourceStamp::default()
            });
        }
        Ok(build)
    }
}

fn parse_properties(pairs: &[String]) -> anyhow::Result<Properties> {
    let mut properties = Properties::new();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=') else {
            bail!("`--property {pair}`: write NAME=VALUE");
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::from(value));
        properties.set(name, value, "report");
    }
    Ok(properties)
}
