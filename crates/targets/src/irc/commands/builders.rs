//! list, status, last (I-CMD-05 to I-CMD-09, I-CMD-14, I-CMD-15).

use super::invocation::{CommandError, Invocation, Reply, line, reject};
use crate::irc::announce;
use crate::irc::durations::spoken;
use campanile_irc::OutgoingMessage;
use campanile_model::{Build, Builder, BuilderState, line_text, now};

pub(super) async fn list(call: Invocation) -> Reply {
    if call.words()?.first().map(String::as_str) != Some("builders") {
        return reject("try 'list builders'");
    }
    let builders = call.builders().await?;
    let name = |builder: &Builder| {
        let offline = if builder.state == BuilderState::Offline { "[offline]" } else { "" };
        format!("{}{offline}", line_text(&builder.name))
    };
    let names: Vec<String> = builders.iter().map(name).collect();
    line(format!("Configured builders: {}", names.join(" ")).trim_end())
}

pub(super) async fn status(call: Invocation) -> Reply {
    let builders = meant(&call, "try 'status <builder>'").await?;
    let mut lines = Vec::new();
    for builder in builders {
        lines.push(OutgoingMessage::Text(format!(
            "{}: {}",
            line_text(&builder.name),
            doing(&call, &builder).await?
        )));
    }
    Ok(lines)
}

pub(super) async fn last(call: Invocation) -> Reply {
    let builders = meant(&call, "try 'last <builder>'").await?;
    let mut lines = Vec::new();
    for builder in builders {
        let last = match call.context.status.last_build(&builder.name).await? {
            Some(build) => ended(&build),
            None => "(no builds run since last restart)".to_owned(),
        };
        lines.push(OutgoingMessage::Text(format!("last build [{}]: {last}", line_text(&builder.name))));
    }
    Ok(lines)
}

/// The builders that a command means: all of the filter, or the one that is named.
async fn meant(call: &Invocation, usage: &str) -> Result<Vec<Builder>, CommandError> {
    match call.words()?.as_slice() {
        [] => call.builders().await,
        [all] if all == "all" => call.builders().await,
        [name] => Ok(vec![call.builder(name).await?]),
        _ => reject(usage),
    }
}

/// Says what a builder is doing (I-CMD-09).
async fn doing(call: &Invocation, builder: &Builder) -> Result<String, CommandError> {
    let running = call.context.status.running_builds(&builder.name).await?;
    if !running.is_empty() {
        let mut items = Vec::new();
        for build in &running {
            items.push(running_item(call, build).await?);
        }
        return Ok(format!("building{}", items.join(", ")));
    }
    if builder.state == BuilderState::Offline {
        return Ok("offline".to_owned());
    }
    Ok(match call.context.status.last_build(&builder.name).await? {
        Some(build) => format!("idle, last build {}", ended(&build)),
        None => "idle".to_owned(),
    })
}

async fn running_item(call: &Invocation, build: &Build) -> Result<String, CommandError> {
    let step = build.current_step().map(|step| {
        let text = if step.text.is_empty() { step.name.clone() } else { step.text.join(" ") };
        line_text(&text).into_owned()
    });
    let eta = call.eta(build).await?.map(|eta| format!(" [ETA {}]", spoken(eta)));
    Ok(format!("({}){}", step.as_deref().unwrap_or("no current step"), eta.unwrap_or_default()))
}

/// `2m05s ago: build successful`; the result alone if no time of the build is known.
fn ended(build: &Build) -> String {
    let result = announce::result_text(build);
    match build.finished.or(build.started) {
        Some(at) => format!("{} ago: {result}", spoken(now().since(at))),
        None => result,
    }
}

#[cfg(test)]
mod tests {
    use campanile_model::{Results, Timestamp};

    use super::*;

    #[test]
    fn i_cmd_15_a_build_without_times_is_told_without_them() {
        let mut build = Build { results: Some(Results::Success), ..Build::new("linux", 1) };
        assert_eq!(ended(&build), announce::result_text(&build));
        build.finished = Some(Timestamp::from_seconds(now().as_seconds() - 60));
        assert!(ended(&build).contains(" ago: "), "{}", ended(&build));
    }
}
