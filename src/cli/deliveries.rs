//! `campanile deliveries`: what became of every event at every target.

use std::process::ExitCode;

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::client::ServerOptions;
use super::output::{out, printable};
use super::recovery::{self, Action, Selection, when};
use campanile_model::{Timestamp, now};

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
    /// The newest deliveries, one a line
    List {
        /// Only those that are waiting, delivered, silent or dead
        #[arg(long)]
        state: Option<String>,
        /// Only this target's
        #[arg(long)]
        target: Option<String>,
        /// Only those of this event
        #[arg(long)]
        event: Option<i64>,
        /// Only those that came since then: a date, or a time ago such as 2h or 3d
        #[arg(long, value_name = "WHEN")]
        since: Option<String>,
        /// Only those that came before then
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// One delivery with all its attempts
    Show {
        /// Its number
        id: i64,
    },
    /// Why an event was told of, or not, target by target
    Explain {
        /// An event's id, BUILDER/NUMBER, a change's revision or seven digits of it, `buildset ID`, or a worker's name
        #[arg(value_name = "EVENT")]
        about: String,
    },
    /// Send dead or delivered ones again, or waiting ones sooner: the same messages, byte for byte
    Retry(Selection),
    /// End waiting ones: nothing of them is sent
    Drop(Selection),
}

pub(super) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let client = options.server.client()?;
    let answer = match &options.what {
        What::List { state, target, event, since, until, limit } => {
            let mut query = vec![("limit", limit.to_string())];
            query.extend(state.iter().map(|state| ("state", state.clone())));
            query.extend(target.iter().map(|target| ("target", target.clone())));
            query.extend(event.iter().map(|event| ("event", event.to_string())));
            for (key, at) in [("since", since), ("until", until)] {
                if let Some(at) = at {
                    query.push((key, when(at)?.as_seconds_f64().to_string()));
                }
            }
            client.call(Method::GET, &["deliveries"], &query, None).await?
        }
        What::Show { id } => client.call(Method::GET, &["deliveries", &id.to_string()], &[], None).await?,
        What::Explain { about } => {
            client.call(Method::GET, &["explain"], &[("about", about.clone())], None).await?
        }
        What::Retry(selection) => {
            recovery::run(&client, Action::Retry, selection, options.json).await?;
            return Ok(ExitCode::SUCCESS);
        }
        What::Drop(selection) => {
            recovery::run(&client, Action::Drop, selection, options.json).await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    if options.json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    match options.what {
        What::List { .. } => {
            let deliveries = answer.get("deliveries").and_then(Value::as_array);
            deliveries.into_iter().flatten().try_for_each(print_row)?;
        }
        What::Show { .. } => {
            if let Some(delivery) = answer.get("delivery") {
                print_row(delivery)?;
            }
            let attempts = answer.get("attempts").and_then(Value::as_array);
            for (number, attempt) in attempts.into_iter().flatten().enumerate() {
                let (at, state) = (time(attempt, "at"), text(attempt, "state"));
                out!("  attempt {}: {at} {state} {}", number + 1, text(attempt, "text"));
            }
        }
        What::Explain { .. } => {
            let events = answer.get("events").and_then(Value::as_array);
            events.into_iter().flatten().try_for_each(print_explanation)?;
        }
        What::Retry(_) | What::Drop(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn print_row(row: &Value) -> anyhow::Result<()> {
    let id = row.get("id").and_then(Value::as_i64).unwrap_or_default();
    let code = row.get("code").and_then(Value::as_str).map(|code| format!(" ({code})")).unwrap_or_default();
    let (state, target, event, subject) =
        (text(row, "state"), text(row, "target"), text(row, "event_name"), text(row, "subject"));
    let next = next_try(row);
    out!("{id:>6} {state:<9} {target:<16} {event} {subject}{code}: {}{next}", text(row, "text"));
    Ok(())
}

fn print_explanation(event: &Value) -> anyhow::Result<()> {
    let id = event.get("event").and_then(Value::as_i64).unwrap_or_default();
    out!("event {id}: {} {}", text(event, "name"), text(event, "subject"));
    if event.get("changes").is_some_and(Value::is_string) {
        out!("  changes: {}", text(event, "changes"));
    }
    let words = event.get("targets").and_then(Value::as_array);
    for word in words.into_iter().flatten() {
        let delivery = word.get("delivery").and_then(Value::as_i64);
        let delivery = delivery.map(|id| format!(" (delivery {id})")).unwrap_or_default();
        let due = next_try(word);
        out!(
            "  {:<9} {:<16} {}{due}{delivery}",
            text(word, "state"),
            text(word, "target"),
            text(word, "text")
        );
    }
    if words.is_none_or(Vec::is_empty) {
        out!("  the settings have no targets");
    }
    Ok(())
}

/// The next attempt of what waits, behind what is said of it: its own time, or the delivery that goes before it.
fn next_try(row: &Value) -> String {
    if row.get("state").and_then(Value::as_str) != Some("waiting") {
        return String::new();
    }
    let due = |row: &Value| {
        let at: Option<Timestamp> =
            row.get("not_before").and_then(|at| serde_json::from_value(at.clone()).ok());
        at.filter(|at| *at > now()).map(Timestamp::to_rfc3339)
    };
    match row.get("behind").and_then(|before| Some((before.get("id")?.as_i64()?, due(before)))) {
        Some((id, Some(at))) => format!("; waits for delivery {id}, which is tried again {at}"),
        Some((id, None)) => format!("; waits for delivery {id}, which is due or being sent"),
        None => due(row).map_or_else(|| "; due or being sent".to_owned(), |at| format!("; next try {at}")),
    }
}

/// A field for a terminal: what came from outside can't steer it.
fn text(row: &Value, field: &str) -> String {
    let text = row.get(field).and_then(Value::as_str).unwrap_or("-");
    printable(text)
}

fn time(row: &Value, field: &str) -> String {
    let stamp = row.get(field).and_then(|value| serde_json::from_value(value.clone()).ok());
    stamp.map_or_else(|| "-".to_owned(), |stamp: Timestamp| stamp.to_rfc3339())
}
