//! `campanile health`: whether an engine answers and its store takes writes.

use std::process::ExitCode;

use super::client::ServerOptions;
use super::output::out;

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    server: ServerOptions,
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    options.server.client()?.ready().await?;
    out!("ready");
    Ok(ExitCode::SUCCESS)
}
