//! `campanile check`: every problem of a settings file at once; with `--connect`, what the far sides say. Of a
//! component: what it exports, imports and needs, and why it would be refused.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::output::{out, printable};
use super::{ConfigOption, serve};
use campanile_callbacks::{CpuBudget, Inspection, Version, inspect};
use campanile_config::{Problem, Severity};
use campanile_engine as engine;

#[derive(clap::Args)]
pub(super) struct Options {
    /// Look at this component instead of the settings
    component: Option<PathBuf>,
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
    if let Some(component) = &options.component {
        return check_component(component, options.json).await;
    }
    let runtime = serve::runtime(&options.config.config)?;
    let (checked, mut problems) = engine::check(&options.config.config, &runtime).await;
    let unloaded: Vec<Problem> =
        checked.iter().flat_map(|checked| checked.unloaded.values().cloned()).collect();
    let checked = checked.filter(|_| unloaded.is_empty());
    problems.extend(unloaded);
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
        if let Some(connected) = &checked.connected {
            match connected.master.probe().await {
                Ok(offer) => out!("buildbot: {offer}"),
                Err(error) => {
                    eprintln!("buildbot: {}: {error}", connected.master.origin());
                    code = ExitCode::FAILURE;
                }
            }
        }
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

async fn check_component(path: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let wasm = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut validation_errors = Vec::new();
    let found = match inspect(&wasm) {
        Ok(found) => {
            validation_errors.extend(found.validation_errors());
            Some(found)
        }
        Err(error) => {
            validation_errors.push(error.to_string());
            None
        }
    };
    // Types are known only after linking.
    if validation_errors.is_empty() {
        let runtime = super::preview::runtime()?;
        if let Err(error) = Version::from_wasm(&runtime, &CpuBudget::default(), wasm).await {
            validation_errors.push(error.to_string());
        }
    }
    if as_json {
        let (imports, exports) = found.map(|found| (found.imports, found.exports)).unwrap_or_default();
        let told = json!({ "imports": imports, "exports": exports, "refused": validation_errors });
        out!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        if let Some(found) = &found {
            describe(path, found)?;
        }
        for objection in &validation_errors {
            eprintln!("{}: refused: {}", path.display(), printable(objection));
        }
        if validation_errors.is_empty() {
            out!("It fits the contract.");
        }
    }
    Ok(if validation_errors.is_empty() { ExitCode::SUCCESS } else { super::usage_error() })
}

fn describe(path: &Path, found: &Inspection) -> anyhow::Result<()> {
    let list = |names: &[String]| match names {
        [] => "nothing".to_owned(),
        names => printable(&names.join(", ")),
    };
    out!("{}: a component of {} KiB", path.display(), found.size >> 10);
    for kind in found.kinds() {
        out!("It can be used as {}.", kind.name());
    }
    out!("It exports {}.", list(&found.exports));
    out!("It imports {}.", list(&found.imports));
    if found.wants_wasi() {
        out!(
            "Its language needs WASI: it gets clocks, random numbers, and prints that go to the callback log."
        );
    }
    let lane = if found.is_interpreted() {
        "the lane for script languages"
    } else {
        "the lane for compiled callbacks"
    };
    out!("It runs in {lane}.");
    Ok(())
}

fn as_json(problem: &Problem) -> serde_json::Value {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "file": problem.location.file,
        "line": problem.location.line,
        "severity": severity,
        "text": problem.text,
    })
}
