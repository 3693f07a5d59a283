//! `campanile report`: tells a running engine of builds, from any script or CI job.
//!
//! `facts` are the options that describe a build, `receipt` is the engine's answer in words; `command` runs a command as a
//! build, whose output `feed` sends while it runs.

mod command;
mod facts;
mod feed;
mod receipt;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::client::{Client, Refusal, ServerOptions};
use super::output::out;
use campanile_model::{BuildId, Event, LogRef, Results, Step, Timestamp, build_text, now};
use facts::Facts;
use receipt::Receipt;

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
        #[arg(long, value_name = "WHEN", value_parser = moment)]
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
    #[arg(long, value_name = "WHEN", value_parser = moment)]
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
            let mut build = facts.build();
            build.started = known(started.unwrap_or_else(now));
            tell(&client, &Event::BuildStarted { build: Box::new(build) }).await?
        }
        What::BuildFinished(finished) => finished.tell(&client).await?,
        What::Run { facts, step, command } => {
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
    async fn tell(self, client: &Client) -> anyhow::Result<Receipt> {
        let mut build = self.facts.build();
        build.started = self.started.and_then(known);
        build.results = Some(self.results);
        build.finished = Some(now());
        for (name, results) in self.step {
            build.steps.push(Step { name, results: Some(results), ..Step::default() });
        }
        for (name, _) in &self.log {
            if build.steps.iter().all(|step| step.name != *name) {
                let results = Some(self.results);
                build.steps.push(Step { name: name.clone(), results, ..Step::default() });
            }
        }
        build.text = if self.text.is_empty() { text(self.results, &build.steps) } else { self.text };
        // Logs go first, so that the message about the build can show them.
        for (step, file) in self.log {
            send_log(client, build.id(), step, &file).await?;
        }
        tell(client, &Event::BuildFinished { build: Box::new(build) }).await
    }
}

/// The words of a build: those of its result, and the steps by which it came to that.
fn text(results: Results, steps: &[Step]) -> Vec<String> {
    let bad = [Results::Failure, Results::Warnings, Results::Exception].contains(&results);
    let guilty = steps.iter().filter(|step| bad && step.results == Some(results));
    let names: Vec<[String; 1]> = guilty.map(|step| [step.name.clone()]).collect();
    build_text(results, names.iter().map(<[String; 1]>::as_slice))
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
    Some(started).filter(|at| *at != Timestamp::default())
}

/// Sends a log. One that can't be read is no reason to keep quiet about the build: that is what made it fail, perhaps.
async fn send_log(
    client: &Client,
    build: BuildId,
    step: String,
    file: &std::path::Path,
) -> anyhow::Result<()> {
    let name = file.display();
    let log = LogRef { build, step, log: LOG.to_owned() };
    let open = match tokio::fs::File::open(file).await {
        Ok(open) => open,
        Err(error) => {
            eprintln!("campanile: the log of step `{}` is left out: cannot read `{name}`: {error}", log.step);
            return Ok(());
        }
    };
    match client.put_log(&log, open).await {
        Err(error) if error.downcast_ref::<Refusal>().is_some_and(Refusal::is_known) => {
            eprintln!(
                "campanile: `{name}` is left out: step `{}` of {}/{} has a log already",
                log.step, log.build.builder, log.build.number
            );
            Ok(())
        }
        sent => sent.map(drop),
    }
}

/// Reads a time. Blank, as a job's variable may be, or zero: it is not known.
fn moment(text: &str) -> Result<Timestamp, String> {
    if text.is_empty() {
        return Ok(Timestamp::default());
    }
    let seconds = text.parse().ok().and_then(Timestamp::from_seconds_f64);
    seconds.map_or_else(|| Timestamp::parse_date(text).map_err(|error| error.to_string()), Ok)
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
