//! list, status, last (I-CMD-05 to I-CMD-09, I-CMD-14, I-CMD-15).

use super::ask::{Answer, Asked, Trouble, said, told};
use crate::irc::announce;
use crate::irc::durations::spoken;
use crate::irc::eta::now;
use crate::irc::talk::Saying;
use crate::irc::wire::harmless;
use campanile_model::{Build, Builder, BuilderState};

pub(super) async fn list(asked: Asked) -> Answer {
    if asked.words()?.first().map(String::as_str) != Some("builders") {
        return told("try 'list builders'");
    }
    let builders = asked.builders().await?;
    let name = |builder: &Builder| {
        let offline = if builder.state == BuilderState::Offline { "[offline]" } else { "" };
        format!("{}{offline}", harmless(&builder.name))
    };
    let names: Vec<String> = builders.iter().map(name).collect();
    said(format!("Configured builders: {}", names.join(" ")).trim_end())
}

pub(super) async fn status(asked: Asked) -> Answer {
    let builders = meant(&asked, "try 'status <builder>'").await?;
    let mut lines = Vec::new();
    for builder in builders {
        lines.push(Saying::Text(format!("{}: {}", harmless(&builder.name), doing(&asked, &builder).await?)));
    }
    Ok(lines)
}

pub(super) async fn last(asked: Asked) -> Answer {
    let builders = meant(&asked, "try 'last <builder>'").await?;
    let mut lines = Vec::new();
    for builder in builders {
        let last = match asked.desk.status.last_build(&builder.name).await? {
            Some(build) => ended(&build),
            None => "(no builds run since last restart)".to_owned(),
        };
        lines.push(Saying::Text(format!("last build [{}]: {last}", harmless(&builder.name))));
    }
    Ok(lines)
}

/// All of the filter, or the one that is named.
async fn meant(asked: &Asked, usage: &str) -> Result<Vec<Builder>, Trouble> {
    match asked.words()?.as_slice() {
        [] => asked.builders().await,
        [all] if all == "all" => asked.builders().await,
        [name] => Ok(vec![asked.builder(name).await?]),
        _ => told(usage),
    }
}

/// I-CMD-09.
async fn doing(asked: &Asked, builder: &Builder) -> Result<String, Trouble> {
    let running = asked.desk.status.running_builds(&builder.name).await?;
    if !running.is_empty() {
        let mut items = Vec::new();
        for build in &running {
            items.push(running_item(asked, build).await?);
        }
        return Ok(format!("building{}", items.join(", ")));
    }
    if builder.state == BuilderState::Offline {
        return Ok("offline".to_owned());
    }
    Ok(match asked.desk.status.last_build(&builder.name).await? {
        Some(build) => format!("idle, last build {}", ended(&build)),
        None => "idle".to_owned(),
    })
}

async fn running_item(asked: &Asked, build: &Build) -> Result<String, Trouble> {
    let step = build.current_step().map(|step| {
        let text = if step.text.is_empty() { step.name.clone() } else { step.text.join(" ") };
        harmless(&text)
    });
    let eta = asked.eta(build).await?.map(|eta| format!(" [ETA {}]", spoken(eta)));
    Ok(format!("({}){}", step.as_deref().unwrap_or("no current step"), eta.unwrap_or_default()))
}

/// `2m05s ago: build successful`.
fn ended(build: &Build) -> String {
    let ago = now().since(build.finished.unwrap_or(build.started));
    format!("{} ago: {}", spoken(ago), announce::words(build))
}
