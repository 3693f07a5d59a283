//! `campanile audit`: who asked the CI for what, and what came of it.

use std::process::ExitCode;

use reqwest::Method;
use serde_json::Value;

use super::client::ServerOptions;
use super::output::{out, printable};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    server: ServerOptions,
    /// How many, the newest first
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Print the engine's JSON as it is
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let client = options.server.client()?;
    let answer = client.call(Method::GET, &["audit"], &[("limit", options.limit.to_string())], None).await?;
    if options.json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    for entry in answer.get("audit").and_then(Value::as_array).into_iter().flatten() {
        let text = |key| printable(entry.get(key).and_then(Value::as_str).unwrap_or_default());
        let at = entry.get("at").and_then(|at| serde_json::from_value(at.clone()).ok());
        let at = at.map_or_else(|| "-".to_owned(), campanile_model::Timestamp::to_rfc3339);
        out!("{at} {} at {}: {}: {}", text("who"), text("place"), text("what"), text("answer"));
    }
    Ok(ExitCode::SUCCESS)
}
