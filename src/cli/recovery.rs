//! `campanile deliveries retry` and `drop`: what waits or is dead, one by one or all that fits.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Client;
use super::output::out;
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

    /// Their fate, in words that stand behind their number.
    fn told(self, would: bool) -> &'static str {
        match (self, would) {
            (Self::Retry, true) => "would be sent",
            (Self::Retry, false) => "wait to be sent, slowly at first",
            (Self::Drop, true) => "would be dropped",
            (Self::Drop, false) => "are dropped",
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
        let matched = answer.get("matched").and_then(Value::as_u64).unwrap_or_default();
        if selection.dry_run && as_json {
            out!("{}", serde_json::to_string_pretty(&answer)?);
            return Ok(());
        }
        if selection.dry_run || matched == 0 {
            out!("{} {}", count(matched), action.told(true));
            return Ok(());
        }
        if !agrees(&format!("{} {}", count(matched), action.told(true)))? {
            out!("nothing was done");
            return Ok(());
        }
    }
    let answer = ask(client, action, selection, false).await?;
    if as_json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    let number = |field: &str| answer.get(field).and_then(Value::as_u64).unwrap_or_default();
    let (matched, changed) = (number("matched"), number("changed"));
    if matched == changed {
        out!("{} {}", count(changed), action.told(false));
    } else {
        out!(
            "{changed} of {} {}; the others are not there, silent, or being sent",
            count(matched),
            action.told(false)
        );
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
    Timestamp::parse_date(text).with_context(|| {
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
