//! `campanile deliveries retry` and `drop`: what waits or is dead, one by one or all that fits.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::moment;
use super::output::{out, printable};
use campanile_config::parse_duration;
use campanile_model::Timestamp;

/// The deliveries that are meant.
#[derive(clap::Args)]
pub(super) struct Selection {
    /// Their numbers
    #[arg(value_name = "ID", conflicts_with_all = ["state", "target", "since", "until"])]
    ids: Vec<i64>,
    /// All of this target
    #[arg(long)]
    target: Option<String>,
    /// All that came since then: a date, or a time ago such as 2h or 3d
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// All that came before then
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Count them, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
    /// All that are waiting, or dead; both, if nothing is said
    #[arg(long)]
    state: Option<String>,
}

/// The thing to do with them.
#[derive(Clone, Copy)]
pub(super) enum Action {
    /// Send them again, or sooner.
    Retry,
    /// End them.
    Drop,
}

impl Action {
    fn route(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Drop => "drop",
        }
    }

    /// The fate of so many, in words that stand behind their number.
    fn told(self, would: bool, count: u64) -> &'static str {
        match (self, would, count == 1) {
            (Self::Retry, true, _) => "would be sent",
            (Self::Retry, false, true) => "waits to be sent",
            (Self::Retry, false, false) => "wait to be sent, slowly at first",
            (Self::Drop, true, _) => "would be dropped",
            (Self::Drop, false, true) => "is dropped",
            (Self::Drop, false, false) => "are dropped",
        }
    }
}

/// Does it; prints what came of it.
pub(super) async fn run(
    client: &Client,
    action: Action,
    selection: &Selection,
    as_json: bool,
) -> anyhow::Result<()> {
    if let (Action::Retry, [id], false) = (action, selection.ids.as_slice(), selection.dry_run) {
        // Its own route says why not.
        let answer = client.call(Method::POST, &["deliveries", &id.to_string(), "retry"], &[], None).await?;
        if as_json {
            out!("{}", serde_json::to_string_pretty(&answer)?);
        } else {
            out!("delivery {id} waits to be sent again");
        }
        return Ok(());
    }
    if selection.dry_run || (selection.ids.is_empty() && !selection.yes) {
        let answer = ask(client, action, selection, true).await?;
        if selection.dry_run && as_json {
            out!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(());
        }
        let fitting = number(&answer, "matched").saturating_sub(staying(&answer));
        let sentence = format!("{} {}", count(fitting), action.told(true, fitting));
        if selection.dry_run || fitting == 0 {
            out!("{sentence}");
            return print_staying(&answer);
        }
        if !agrees(&sentence)? {
            out!("nothing was done");
            return Ok(());
        }
    }
    let answer = ask(client, action, selection, false).await?;
    if as_json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    let changed = number(&answer, "changed");
    out!("{} {}", count(changed), action.told(false, changed));
    print_staying(&answer)
}

fn number(answer: &Value, field: &str) -> u64 {
    answer.get(field).and_then(Value::as_u64).unwrap_or_default()
}

fn unchanged(answer: &Value) -> impl Iterator<Item = &Value> {
    answer.get("unchanged").and_then(Value::as_array).into_iter().flatten()
}

/// The number of those that stay as they are.
fn staying(answer: &Value) -> u64 {
    unchanged(answer).map(|row| number(row, "count")).sum()
}

/// Prints those that stay as they are, a line for each reason.
fn print_staying(answer: &Value) -> anyhow::Result<()> {
    for row in unchanged(answer) {
        let those = number(row, "count");
        let reason = match row.get("reason").and_then(Value::as_str).unwrap_or_default() {
            "missing" => "not there".to_owned(),
            "being-sent" => "being sent just now".to_owned(),
            "silent" => "silent: nothing was to be sent".to_owned(),
            "dropped" => "dropped already".to_owned(),
            "delivered" => "delivered already".to_owned(),
            "dead" => "dead: nothing is sent anyway".to_owned(),
            other => printable(other),
        };
        let ids = row.get("ids").and_then(Value::as_array).into_iter().flatten();
        let ids: Vec<String> = ids.map(Value::to_string).collect();
        let which = match ids.len() as u64 {
            0 => String::new(),
            listed if listed < those => format!(" ({}, ...)", ids.join(", ")),
            _ => format!(" ({})", ids.join(", ")),
        };
        let (stay, they_are) =
            if those == 1 { ("stays as it is", "it is") } else { ("stay as they are", "they are") };
        out!("{} {stay}: {they_are} {reason}{which}", count(those));
    }
    Ok(())
}

fn count(deliveries: u64) -> String {
    if deliveries == 1 { "1 delivery".to_owned() } else { format!("{deliveries} deliveries") }
}

async fn ask(client: &Client, action: Action, selection: &Selection, dry_run: bool) -> anyhow::Result<Value> {
    let mut body = json!({"dry_run": dry_run});
    let Selection { ids, target, since, until, state, .. } = selection;
    let fields = [
        ("ids", (!ids.is_empty()).then(|| json!(ids))),
        ("target", target.as_ref().map(|target| json!(target))),
        ("state", state.as_ref().map(|state| json!(state))),
        ("since", since.as_deref().map(when).transpose()?.map(|at| json!(at))),
        ("until", until.as_deref().map(when).transpose()?.map(|at| json!(at))),
    ];
    if let Some(body) = body.as_object_mut() {
        body.extend(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
    let body = Some(("application/json", body.to_string().into_bytes()));
    client.call(Method::POST, &["deliveries", action.route()], &[], body).await
}

/// A date, or so long ago.
pub(super) fn when(text: &str) -> anyhow::Result<Timestamp> {
    if let Some(ago) = parse_duration(text) {
        let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
        return Ok(Timestamp::from_micros(campanile_model::now().as_micros().saturating_sub(micros)));
    }
    moment::date(text).with_context(|| {
        format!("`{text}` is no time ago such as `2h`, and no date such as `2026-12-01T08:00:00Z`")
    })
}

/// Asks at the terminal.
fn agrees(what: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{what}: add `--yes` to do it");
    }
    let mut terminal = std::io::stderr();
    write!(terminal, "{what}. Go on? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
