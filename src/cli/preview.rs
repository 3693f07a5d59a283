//! `campanile preview`: one component on one build, with the answer, what it cost and what it logged.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::output::{out, printable};
use campanile_callbacks::{
    CallRecord, Callback, CpuBudget, FormattedMessage, Kind, Runtime, Sample, Subject, Trial, Version,
    smoke_test,
};
use campanile_config::CallbackSettings;

#[derive(clap::Args)]
pub(super) struct Options {
    /// The component's file
    component: PathBuf,
    /// Call it only as this, such as `message-formatter` [default: everything that it exports]
    #[arg(long, value_name = "KIND")]
    callback: Option<String>,
    /// The sample to try it on [default: a bundled failing build]
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
    /// A stored build of a running engine instead, as BUILDER/NUMBER
    #[arg(long, value_name = "BUILD", conflicts_with = "sample")]
    build: Option<String>,
    #[command(flatten)]
    server: super::client::ServerOptions,
    /// Write a message's page to this file, to be opened in a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Run it again whenever the component or the sample changes
    #[arg(long)]
    watch: bool,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Wall time that a call may take
    #[arg(long, value_name = "MS", default_value_t = 250)]
    deadline: u64,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let kind = match &options.callback {
        Some(name) => Some(Kind::from_name(name).with_context(|| {
            let all: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            format!("there is no callback `{name}`: it is one of {}", all.join(", "))
        })?),
        None => None,
    };
    let runtime = runtime()?;
    loop {
        let seen = stamps(&options);
        let outcome = look(&options, kind, &runtime).await;
        if !options.watch {
            return outcome.map(|fine| if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        if let Err(error) = outcome {
            eprintln!("campanile: {error:#}");
        }
        while stamps(&options) == seen {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// A runtime whose compiled code is kept for the user, so that the next look is quick.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    Ok(Runtime::new(program, &cache_folder()?)?)
}

/// Code of components that are tried, in the user's own cache.
fn cache_folder() -> anyhow::Result<PathBuf> {
    let home = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = home("XDG_CACHE_HOME").or_else(|| home("HOME").map(|home| home.join(".cache")));
    let folder =
        base.context("neither XDG_CACHE_HOME nor HOME is set: there is no place for compiled code")?;
    let folder = folder.join("campanile").join("preview");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    Ok(folder)
}

fn stamps(options: &Options) -> Vec<Option<SystemTime>> {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    [Some(&options.component), options.sample.as_ref()]
        .into_iter()
        .flatten()
        .map(|path| changed(path))
        .collect()
}

/// One look; whether every call gave an answer.
async fn look(options: &Options, only: Option<Kind>, runtime: &Runtime) -> anyhow::Result<bool> {
    let version = Version::from_file(runtime, &CpuBudget::default(), &options.component)
        .await
        .with_context(|| format!("`{}` cannot be used", options.component.display()))?;
    let kinds: Vec<Kind> =
        version.kinds().into_iter().filter(|kind| only.is_none_or(|only| only == *kind)).collect();
    if let (Some(kind), true) = (only, kinds.is_empty()) {
        bail!("`{}` exports no {}", options.component.display(), kind.name());
    }
    let settings = CallbackSettings {
        component: None,
        deadline: Duration::from_millis(options.deadline),
        memory: None,
        concurrency: 1,
    };
    let name =
        options.component.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let callback = Callback::new(runtime, &name, &settings);
    callback.swap(Arc::new(version));
    let sample = Arc::new(sample(options).await?);
    let subject = Subject::of_sample(&sample);

    // The first call of fresh code pays for its pages; people want to know what the others cost.
    let mut shown = Vec::new();
    for kind in kinds {
        let first = smoke_test(&callback, kind, &subject).await;
        let cold = sample.take_records();
        let trial = match first {
            Some(trial) if trial.fault.is_none() => smoke_test(&callback, kind, &subject).await,
            failed => failed,
        };
        let warm = sample.take_records();
        if let Some(trial) = trial {
            shown.push((trial, if warm.is_empty() { cold } else { warm }));
        }
    }
    if let Some(html) = &options.html {
        write_page(html, &shown)?;
    }
    if options.json {
        let all: Vec<Value> = shown.iter().map(|(trial, records)| told(trial, records)).collect();
        out!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        for (trial, records) in &shown {
            show(trial, records)?;
        }
    }
    Ok(shown.iter().all(|(trial, _)| trial.fault.is_none()))
}

async fn sample(options: &Options) -> anyhow::Result<Sample> {
    match (&options.sample, &options.build) {
        (Some(file), _) => Ok(Sample::read(file)?),
        (None, None) => Ok(Sample::bundled()),
        (None, Some(build)) => {
            let (builder, number) = build.rsplit_once('/').context("write `--build` as BUILDER/NUMBER")?;
            let client = options.server.client()?;
            let path = ["builds", builder, number, "sample"];
            let answer = client.call(reqwest::Method::GET, &path, &[], None).await?;
            Ok(serde_json::from_value(answer)?)
        }
    }
}

fn told(trial: &Trial, records: &[CallRecord]) -> Value {
    let lines: Vec<_> = records.iter().flat_map(|record| &record.lines).collect();
    let mut told = serde_json::to_value(trial).unwrap_or_default();
    if let Value::Object(fields) = &mut told {
        fields.insert("log".to_owned(), json!(lines));
    }
    told
}

fn show(trial: &Trial, records: &[CallRecord]) -> anyhow::Result<()> {
    let cost = match (trial.milliseconds, trial.peak_memory) {
        (Some(time), Some(memory)) => format!(": {time:.3} ms, {} KiB at its peak", memory >> 10),
        _ => String::new(),
    };
    out!("== {} on {}{cost}", trial.callback, trial.subject);
    for line in records.iter().flat_map(|record| &record.lines) {
        // Escaped: what a guest says can't steer a terminal.
        out!("log {:5} {}", line.level.name(), printable(&line.text));
    }
    match (&trial.answer, &trial.fault) {
        (_, Some(fault)) => out!("failed: {}", printable(fault)),
        (Some(answer), None) => match serde_json::from_value::<FormattedMessage>(answer.clone()) {
            Ok(message) => show_message(&message)?,
            Err(_) => out!("{}", serde_json::to_string_pretty(answer)?),
        },
        (None, None) => {}
    }
    Ok(())
}

fn show_message(message: &FormattedMessage) -> anyhow::Result<()> {
    if let Some(subject) = &message.subject {
        out!("subject: {}", printable(subject));
    }
    for (name, value) in &message.headers {
        out!("header: {}: {}", printable(name), printable(value));
    }
    out!("");
    for line in message.body.lines() {
        out!("{}", printable(line));
    }
    if let Some(alternative) = &message.alternative {
        out!("\n-- plain alternative");
        for line in alternative.lines() {
            out!("{}", printable(line));
        }
    }
    Ok(())
}

fn write_page(path: &Path, shown: &[(Trial, Vec<CallRecord>)]) -> anyhow::Result<()> {
    let answers = shown.iter().filter_map(|(trial, _)| trial.answer.as_ref());
    let mut messages =
        answers.filter_map(|answer| serde_json::from_value::<FormattedMessage>(answer.clone()).ok());
    let Some(message) = messages.next() else {
        bail!("there is no message to write to `{}`", path.display())
    };
    std::fs::write(path, &message.body).with_context(|| format!("cannot write `{}`", path.display()))
}
