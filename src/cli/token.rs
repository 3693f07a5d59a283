//! `campanile token`: who else may use a running engine's API, and for what.

use std::process::ExitCode;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::ServerOptions;
use super::output::{out, printable};
use campanile_store::Role;

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
    /// Make a token, and print it: it is shown this once only
    Make {
        /// What it is for; the audit log shows it
        #[arg(long)]
        name: String,
        /// What it lets its bearer do
        #[arg(long, value_parser = Role::ALL.map(Role::name))]
        role: String,
        /// How long it lasts, such as 90d; for ever if left away
        #[arg(long, value_name = "TIME")]
        lasts: Option<String>,
    },
    /// The tokens there are, one a line
    List,
    /// End a token, at once
    Revoke {
        /// Its id, as `list` shows it
        // One in 64 begins with a dash.
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let client = options.server.client()?;
    let answer = match &options.what {
        What::Make { name, role, lasts } => {
            let wish = json!({ "name": name, "role": role, "lasts": lasts }).to_string().into_bytes();
            client.call(Method::POST, &["tokens"], &[], Some(("application/json", wish))).await?
        }
        What::List => client.call(Method::GET, &["tokens"], &[], None).await?,
        What::Revoke { id } => client.call(Method::DELETE, &["tokens", id], &[], None).await?,
    };
    if options.json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    let text = |token: &Value, key: &str| printable(token.get(key).and_then(Value::as_str).unwrap_or("-"));
    match &options.what {
        What::Make { .. } => out!("{}", text(&answer, "token")),
        What::List => {
            for token in answer.get("tokens").and_then(Value::as_array).into_iter().flatten() {
                let end = token.get("expires").and_then(|end| serde_json::from_value(end.clone()).ok());
                let end = end.map_or_else(|| "never".to_owned(), campanile_model::Timestamp::to_rfc3339);
                out!(
                    "{}  {:<6}  ends {end}  {}",
                    text(token, "id"),
                    text(token, "role"),
                    text(token, "name")
                );
            }
        }
        What::Revoke { id } => eprintln!("token {} ended", printable(id)),
    }
    Ok(ExitCode::SUCCESS)
}
