//! `campanile callbacks`: versions of a running engine's callbacks, and what they log.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::client::{Client, ServerOptions};
use super::output::{out, printable};

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
    /// All callbacks, or the kept versions of one
    List {
        /// Its name in the settings
        name: Option<String>,
    },
    /// Try a new version on recorded builds and put it to use; a bad one is refused and the old one goes on
    Push {
        /// The callback's name in the settings
        name: String,
        /// The component's file
        component: PathBuf,
        /// Only compile and try it
        #[arg(long)]
        dry_run: bool,
        /// Put it to use even if it fails on recorded builds
        #[arg(long)]
        force: bool,
    },
    /// Put a kept version back to use
    Rollback {
        /// The callback's name in the settings
        name: String,
        /// Beginning of the version's digest [default: the one that was in use before]
        digest: Option<String>,
    },
    /// What a callback logged, and how its calls failed
    Logs {
        /// The callback's name in the settings
        name: String,
        /// How many of the last calls
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Go on showing what comes
        #[arg(long)]
        follow: bool,
    },
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let client = options.server.client()?;
    match &options.what {
        What::Logs { name, limit, follow } => {
            return logs(&client, name, *limit, *follow, options.json).await;
        }
        What::List { name } => {
            let path: Vec<&str> = ["callbacks"].into_iter().chain(name.as_deref()).collect();
            let answer = client.call(Method::GET, &path, &[], None).await?;
            print(options.json, &answer, if name.is_some() { print_versions } else { print_callbacks })?;
        }
        What::Push { name, component, dry_run, force } => {
            let wasm = std::fs::read(component)
                .with_context(|| format!("cannot read the component `{}`", component.display()))?;
            let query = [("dry_run", dry_run.to_string()), ("force", force.to_string())];
            let body = Some(("application/wasm", wasm));
            let answer = client.call(Method::PUT, &["callbacks", name], &query, body).await?;
            print(options.json, &answer, print_activation)?;
        }
        What::Rollback { name, digest } => {
            let query: Vec<_> = digest.iter().map(|digest| ("version", digest.clone())).collect();
            let answer = client.call(Method::POST, &["callbacks", name, "rollback"], &query, None).await?;
            print(options.json, &answer, print_activation)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(json: bool, answer: &Value, show: fn(&Value) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if !json {
        return show(answer);
    }
    out!("{}", serde_json::to_string_pretty(answer)?);
    Ok(())
}

fn print_callbacks(answer: &Value) -> anyhow::Result<()> {
    for row in rows(answer, "callbacks") {
        let exports: Vec<_> = rows(row, "exports").filter_map(Value::as_str).collect();
        out!(
            "{:<20} {:<12} {:<8} {}",
            text(row, "name"),
            short(row, "version"),
            text(row, "lane"),
            exports.join(", ")
        );
    }
    Ok(())
}

fn print_versions(answer: &Value) -> anyhow::Result<()> {
    for row in rows(answer, "versions") {
        let mark = if row.get("digest") == answer.get("version") { "*" } else { " " };
        let size = row.get("size").and_then(Value::as_u64).unwrap_or_default();
        out!(
            "{mark} {} {} {:<6} {:>8} KiB",
            short(row, "digest"),
            text(row, "at"),
            text(row, "origin"),
            size >> 10
        );
    }
    Ok(())
}

fn print_activation(answer: &Value) -> anyhow::Result<()> {
    for trial in rows(answer, "trials") {
        let cost = trial.get("milliseconds").and_then(Value::as_f64);
        let outcome = match (trial.get("fault").and_then(Value::as_str), cost) {
            (Some(fault), _) => format!("failed: {}", printable(fault)),
            (None, Some(milliseconds)) => format!("fine, {milliseconds:.3} ms"),
            (None, None) => "fine".to_owned(),
        };
        out!("tried {} on {}: {outcome}", text(trial, "callback"), text(trial, "subject"));
    }
    let in_use = answer.get("in_use").and_then(Value::as_bool).unwrap_or_default();
    let state = if in_use { "is in use" } else { "would be used: nothing was changed" };
    out!("version {} {state}", short(answer, "version"));
    Ok(())
}

async fn logs(client: &Client, name: &str, limit: u32, follow: bool, json: bool) -> anyhow::Result<ExitCode> {
    let mut after = 0;
    loop {
        let query = [("after", after.to_string()), ("limit", limit.to_string())];
        let answer = client.call(Method::GET, &["callbacks", name, "log"], &query, None).await?;
        for row in rows(&answer, "calls") {
            after = after.max(row.get("id").and_then(Value::as_i64).unwrap_or_default());
            if json {
                out!("{row}");
            } else if let Some(call) = row.get("call") {
                print_call(call)?;
            }
        }
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn print_call(call: &Value) -> anyhow::Result<()> {
    let micros = call.get("micros").and_then(Value::as_u64).unwrap_or_default();
    let delivery = call.get("delivery").and_then(Value::as_i64);
    let delivery = delivery.map(|id| format!(", delivery {id}")).unwrap_or_default();
    let (at, outcome, version) = (text(call, "at"), text(call, "outcome"), short(call, "version"));
    out!("{at} {outcome}: version {version}{delivery}, {} us", micros);
    for line in rows(call, "lines") {
        out!("  {:5} {}", text(line, "level"), text(line, "text"));
    }
    Ok(())
}

fn rows<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// A field for a terminal: what came from outside can't steer it.
fn text(row: &Value, field: &str) -> String {
    match row.get(field) {
        Some(Value::String(text)) => printable(text),
        None | Some(Value::Null) => "-".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// The beginning of a digest.
fn short(row: &Value, field: &str) -> String {
    text(row, field).chars().take(12).collect()
}
