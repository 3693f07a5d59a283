//! `campanile check`: every problem of a settings file at once; with `--connect`, what the far sides say.

use std::process::ExitCode;

use serde_json::json;

use super::output::out;
use super::{ConfigOption, serve};
use crate::config::{Problem, Severity};
use crate::engine;

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// Also connect to every target and try its credentials
    #[arg(long)]
    connect: bool,
    /// Print problems as a JSON array on standard output
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let runtime = serve::runtime(&options.config.config)?;
    let (checked, problems) = engine::check(&options.config.config, &runtime).await;
    if options.json {
        let list: Vec<_> = problems.iter().map(as_json).collect();
        out!("{}", serde_json::to_string_pretty(&list)?);
    } else {
        serve::tell(&problems);
    }
    let Some(checked) = checked else { return Ok(super::usage_error()) };
    if !options.json {
        let (targets, callbacks) = (checked.targets.len(), checked.callbacks.len());
        out!("{}: fine: {targets} targets, {callbacks} callbacks", options.config.config.display());
    }
    let mut code = ExitCode::SUCCESS;
    if options.connect {
        for target in &checked.targets {
            match target.probe().await {
                Ok(offer) => out!("{}: {offer}", target.name()),
                Err(fault) => {
                    eprintln!("{}: {}: {fault}", target.name(), fault.code.name());
                    code = ExitCode::FAILURE;
                }
            }
        }
    }
    Ok(code)
}

fn as_json(problem: &Problem) -> serde_json::Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "file": problem.place.file,
        "line": problem.place.line,
        "severity": severity,
        "text": problem.text,
    })
}
