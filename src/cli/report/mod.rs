//! `campanile report`: tells a running engine of builds, from any script or CI job.
//!
//! `facts` are the options that describe a build, `log_file` sends the logs that go with it, `receipt` is the engine's answer
//! in words; `command` runs a command as a build, whose output `feed` sends while it runs, out of a bounded `backlog`.

mod backlog;
mod command;
mod facts;
mod feed;
mod log_file;
mod receipt;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use super::client::{Client, ServerOptions};
use super::moment;
use super::output::out;
use campanile_model::{Event, Results, Step, Timestamp, now};
use facts::Facts;
use receipt::Receipt;
use words::text;

/// Name of the log that a step has from here.
const LOG: &str = "stdio";

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    server: ServerOptions,
    #[command(subcommand)]
    what: What,
    /// Print the engine's JSON as it is
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// A build began
    BuildStarted {
        #[command(flatten)]
        facts: Facts,
        /// When it began: seconds since the epoch, or a date [default: now]
        #[arg(long, value_name = "WHEN", value_parser = moment::beginning)]
        started: Option<Timestamp>,
    },
    /// A build ended
    BuildFinished(Box<Finished>),
    /// Run a command as a build: its start, its output while it runs, its end
    #[command(after_help = "Example: campanile report run --builder linux --number 7 -- make check\n\n\
                      It ends with the command's exit code, whether or not an engine answers")]
    Run {
        #[command(flatten)]
        facts: Facts,
        /// Name of the step that has the output [default: the program's name]
        #[arg(long, value_name = "NAME")]
        step: Option<String>,
        /// The command
        #[arg(last = true, required = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
}

#[derive(clap::Args)]
struct Finished {
    #[command(flatten)]
    facts: Facts,
    /// success, warnings, failure, skipped, exception, retry or cancelled
    #[arg(long)]
    results: Results,
    /// When it began: seconds since the epoch, or a date; not needed if `build-started` told it
    #[arg(long, value_name = "WHEN", value_parser = moment::beginning)]
    started: Option<Timestamp>,
    /// Words that describe the outcome; repeatable [default: such as "failed tests"]
    #[arg(long, value_name = "WORD")]
    text: Vec<String>,
    /// A step and its result; repeatable, in their order
    #[arg(long, value_name = "NAME=RESULT", value_parser = step)]
    step: Vec<(String, Results)>,
    /// A log to send with it, as the step's `stdio`; the step has the build's result unless `--step` names another; repeatable
    #[arg(long, value_name = "STEP=FILE", value_parser = log)]
    log: Vec<(String, PathBuf)>,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let client = options.server.client()?;
    let receipt = match options.what {
        What::BuildStarted { facts, started } => {
            facts.warn_of_oddities();
            let mut build = facts.build();
            build.started = known(started.unwrap_or_else(now));
            tell(&client, &Event::BuildStarted { build: Box::new(build) }).await?
        }
        What::BuildFinished(finished) => match finished.steps() {
            Ok(steps) => finished.tell(&client, steps).await?,
            Err(error) => {
                eprintln!("campanile: {error:#}");
                return Ok(super::usage_error());
            }
        },
        What::Run { facts, step, command } => {
            facts.warn_of_oddities();
            return command::run(client, &facts, step, &command, options.json).await;
        }
    };
    if options.json {
        out!("{}", receipt.json());
    } else if let Some(sentence) = receipt.sentence() {
        out!("{sentence}");
    }
    Ok(receipt.exit_code())
}

impl Finished {
    /// The steps that are named, each once; fails if one has two results.
    fn steps(&self) -> anyhow::Result<Vec<Step>> {
        let mut steps: Vec<Step> = Vec::new();
        for (name, results) in &self.step {
            match steps.iter().find(|step| step.name == *name) {
                None => steps.push(Step { name: name.clone(), results: Some(*results), ..Step::default() }),
                Some(step) if step.results == Some(*results) => {}
                Some(_) => bail!("`--step {name}=...` stands there with two results: give each step one"),
            }
        }
        for (name, _) in &self.log {
            if steps.iter().all(|step| step.name != *name) {
                steps.push(Step { name: name.clone(), results: Some(self.results), ..Step::default() });
            }
        }
        Ok(steps)
    }

    async fn tell(self, client: &Client, steps: Vec<Step>) -> anyhow::Result<Receipt> {
        self.facts.warn_of_oddities();
        let mut build = self.facts.build();
        build.started = self.started.and_then(known);
        build.results = Some(self.results);
        build.finished = Some(now());
        build.steps = steps;
        build.text = if self.text.is_empty() { text(self.results, &build.steps) } else { self.text };
        // Logs go first, so that the message about the build can show them.
        log_file::send_all(client, &build.id(), &self.log).await;
        tell(client, &Event::BuildFinished { build: Box::new(build) }).await
    }
}

/// Sends an event about a build.
async fn tell(client: &Client, event: &Event) -> anyhow::Result<Receipt> {
    let answer = client.post_events(&event.to_json(), None).await?;
    let receipt = Receipt::new(event, answer);
    if let Some(warning) = receipt.warning() {
        eprintln!("campanile: {warning}");
    }
    Ok(receipt)
}

/// A start that was told: 0 is none.
fn known(started: Timestamp) -> Option<Timestamp> {
    Some(started).filter(Timestamp::is_known)
}

fn step(text: &str) -> Result<(String, Results), String> {
    match text.split_once('=') {
        Some((name, results)) if !name.is_empty() => Ok((
            name.to_owned(),
            results.parse().map_err(|error: campanile_model::ParseResultsError| error.to_string())?,
        )),
        _ => Err("write NAME=RESULT, such as tests=failure".to_owned()),
    }
}

fn log(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((step, file)) if !step.is_empty() && !file.is_empty() => {
            Ok((step.to_owned(), PathBuf::from(file)))
        }
        _ => Err("write STEP=FILE, such as tests=tests.log".to_owned()),
    }
}
