//! force, stop (I-CMD-30 to I-CMD-43, I-ADD-08).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::invocation::{CommandError, Invocation, Reply, line, refused, reject};
use crate::irc::announce::revisions;
use crate::irc::contacts::ForcedBuild;
use campanile_ci::control::Force;
use campanile_irc::OutgoingMessage;
use campanile_model::line_text;

/// Grammar of `force` (I-CMD-31).
const USAGE: &str = "try 'force build [--branch=BRANCH] [--revision=REVISION] \
                     [--props=PROP1=VAL1,PROP2=VAL2...] <WHICH> <REASON>'";
/// A build that begins later than this is said to be queued (I-CMD-39).
const QUEUED: Duration = Duration::from_secs(5);

/// Arguments of `force build`.
#[derive(Debug, Default, PartialEq, Eq)]
struct ForceArguments {
    builder: Option<String>,
    branch: Option<String>,
    revision: Option<String>,
    props: Option<String>,
    reason: Option<String>,
}

impl ForceArguments {
    /// Reads the words behind `force` (I-CMD-30 to I-CMD-34).
    fn read(words: &[String]) -> Result<Self, CommandError> {
        let Some((first, mut rest)) = words.split_first() else { return reject(USAGE) };
        if first != "build" {
            return reject(USAGE);
        }
        let mut given = Self::default();
        while let Some((word, after)) = rest.split_first()
            && word.starts_with("--")
        {
            rest = after;
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => {
                    let Some((value, after)) = rest.split_first() else { return reject(USAGE) };
                    rest = after;
                    (word.as_str(), value.clone())
                }
            };
            *given.option(name)? = Some(value);
        }
        if let Some((builder, reason)) = rest.split_first() {
            if given.builder.replace(builder.clone()).is_some() {
                return reject("--builder provided in two ways");
            }
            if !reason.is_empty() && given.reason.replace(reason.join(" ")).is_some() {
                return reject("--reason provided in two ways");
            }
        }
        Ok(given)
    }

    /// Finds the option that a name, or the beginning of one, means.
    fn option(&mut self, name: &str) -> Result<&mut Option<String>, CommandError> {
        let options = [
            ("--builder", &mut self.builder),
            ("--branch", &mut self.branch),
            ("--revision", &mut self.revision),
            ("--reason", &mut self.reason),
            ("--props", &mut self.props),
        ];
        let mut meant =
            options.into_iter().filter(|(full, _)| full.starts_with(name) && name.len() > "--".len());
        match (meant.next(), meant.next()) {
            (Some((_, option)), None) => Ok(option),
            _ => reject(USAGE),
        }
    }
}

pub(super) async fn force(call: Invocation) -> Reply {
    let given = ForceArguments::read(&call.words()?)?;
    let Some(builder) = given.builder.clone() else {
        return reject(format!("you must provide a Builder, {USAGE}"));
    };
    let properties = match checked(&call, &given)? {
        Ok(properties) => properties,
        Err(sorry) => return line(sorry),
    };
    if !call.may_force() {
        return reject("builder control is not enabled");
    }
    call.builder(&builder).await?;
    let reason = match given.reason.as_deref().filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("forced: by {}: {}", call.user(), line_text(reason)),
        None => format!("forced: by {}", call.user()),
    };
    let force = Force {
        builder: builder.clone(),
        branch: given.branch.filter(|branch| !branch.is_empty()),
        revision: given.revision.filter(|revision| !revision.is_empty()),
        properties,
        reason: reason.clone(),
    };
    let began = Instant::now();
    let forced = call
        .context
        .control
        .force(&call.asker(), &force)
        .await
        .map_err(|error| refused(&error, "builder"))?;
    let (buildset, requests) = (forced.buildset, forced.requests);
    let forced = ForcedBuild { builder, buildset, requests, reason, at: began, told_as: None };
    await_start(&call, forced).await
}

/// Tells that a build has begun, or that it is queued (I-CMD-39, I-CMD-40). It may have begun before the CI had answered;
/// else it is told by its event.
async fn await_start(call: &Invocation, forced: ForcedBuild) -> Reply {
    let contact = call.contact.clone();
    // Before looking: its event may come at any time from now on, and must find somebody who waits.
    if let Some(contact) = call.bot.contacts().get_mut(&contact) {
        contact.await_start(forced.clone());
    }
    let running = call.context.status.running_builds(&forced.builder).await?;
    if let Some(build) = running.iter().find(|build| forced.is(build)) {
        let first = call.bot.contacts().get_mut(&contact).is_some_and(|contact| contact.take_forced(build));
        let eta = call.eta(build).await?;
        // If it was told meanwhile by its own event, once is enough.
        return Ok(if first { begun(build, eta, call.settings.wording.use_revisions) } else { Vec::new() });
    }
    sleep(QUEUED).await;
    if call.bot.contacts().get_mut(&contact).is_some_and(|contact| contact.awaits(&forced)) {
        return line("The build has been queued, I'll give a shout when it starts");
    }
    Ok(Vec::new())
}

/// Lines for whoever forced a build, when it begins (I-CMD-40).
pub(in crate::irc) fn begun(
    build: &campanile_model::Build,
    eta: Option<Duration>,
    use_revisions: bool,
) -> Vec<OutgoingMessage> {
    let first = match eta {
        Some(eta) => format!("build forced [ETA {}]", crate::irc::durations::spoken(eta)),
        None if use_revisions => format!("build containing revision(s) [{}] forced", revisions(build)),
        None => format!("build #{} forced", build.number),
    };
    [first, "I'll give a shout when the build finishes".to_owned()].map(OutgoingMessage::Text).into()
}

/// Checks values, and reads the properties, each once; or gives the reply about a value that is wrong, which is no error
/// of usage (I-CMD-35, I-CMD-36).
fn checked(
    call: &Invocation,
    given: &ForceArguments,
) -> Result<Result<Vec<(String, String)>, String>, CommandError> {
    let patterns = &call.settings.patterns;
    if let Some(branch) = given.branch.as_deref().filter(|branch| !patterns.branch.is_match(branch)) {
        return Ok(Err(format!("sorry, bad branch '{}'", line_text(branch))));
    }
    if let Some(revision) = given.revision.as_deref().filter(|revision| !patterns.revision.is_match(revision))
    {
        return Ok(Err(format!("sorry, bad revision '{}'", line_text(revision))));
    }
    let mut properties = BTreeMap::new();
    for item in given.props.iter().flat_map(|props| props.split(',')) {
        let Some((name, value)) = item.split_once('=') else { return reject(USAGE) };
        if !patterns.property.is_match(name) || !patterns.property.is_match(value) {
            let (name, value) = (line_text(name), line_text(value));
            return Ok(Err(format!("sorry, bad property name='{name}', value='{value}'")));
        }
        properties.insert(name.to_owned(), value.to_owned());
    }
    Ok(Ok(properties.into_iter().collect()))
}

pub(super) async fn stop(call: Invocation) -> Reply {
    const USAGE: &str = "try 'stop build WHICH <REASON>'";
    let words = call.words()?;
    let [build, which, reason @ ..] = words.as_slice() else { return reject(USAGE) };
    if build != "build" || reason.is_empty() {
        return reject(USAGE);
    }
    if !call.may_force() {
        return reject("builder control is not enabled");
    }
    let builder = call.builder(which).await?;
    let running = call.context.status.running_builds(&builder.name).await?;
    let waiting =
        call.bot.contacts().get_mut(&call.contact).map(|contact| contact.take_waiting(&builder.name));
    let waiting = waiting.unwrap_or_default();
    if running.is_empty() && waiting.is_empty() {
        return line("sorry, no build is currently running");
    }
    let reason = format!("stopped: by {}: {}", call.user(), line_text(&reason.join(" ")));
    let mut lines = Vec::new();
    // First: the end of a build may be what a request waits for.
    for request in waiting {
        let cancelled = call.context.control.cancel(&call.asker(), &builder.name, request, &reason).await;
        cancelled.map_err(|error| refused(&error, "builder"))?;
        lines.push(OutgoingMessage::Text(format!("request {request} cancelled")));
    }
    for build in &running {
        let stopped = call.context.control.stop(&call.asker(), &build.id(), &reason).await;
        stopped.map_err(|error| refused(&error, "builder"))?;
        lines.push(OutgoingMessage::Text(if call.settings.wording.use_revisions {
            format!("build containing revision(s) [{}] interrupted", revisions(build))
        } else {
            format!("build {} interrupted", build.number)
        }));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::shell_words::shell_words;

    fn read(text: &str) -> Result<ForceArguments, String> {
        ForceArguments::read(&shell_words(text).unwrap()).map_err(|error| match error {
            CommandError::Rejected(text) | CommandError::Internal(text) => text,
        })
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn i_cmd_30_options_before_the_builder_and_all_behind_it_is_the_reason() {
        let given = read("build --branch=main --rev 12 --props=a=1,b=2 linux for  the --sake of it").unwrap();
        let wanted = ForceArguments {
            builder: some("linux"),
            branch: some("main"),
            revision: some("12"),
            props: some("a=1,b=2"),
            reason: some("for the --sake of it"),
        };
        assert_eq!(given, wanted);
        assert_eq!(read("build --branch=a --branch b linux").unwrap().branch, some("b"));
        let given = read("build --builder=linux --reason 'why not'").unwrap();
        assert_eq!((given.builder, given.reason), (some("linux"), some("why not")));
        assert_eq!(read("build").unwrap(), ForceArguments::default());
    }

    #[test]
    fn i_cmd_31_i_cmd_32_i_cmd_33_i_cmd_34_what_is_refused() {
        for text in [
            "",
            "builds linux",
            "build --nope=1 linux",
            "build --branch",
            "build --help",
            "build --version",
            "build --re=x linux",
            "build --=x linux",
        ] {
            assert_eq!(read(text), Err(USAGE.to_owned()), "{text}");
        }
        assert_eq!(read("build --builder=a b").unwrap_err(), "--builder provided in two ways");
        assert_eq!(read("build --reason=a b c").unwrap_err(), "--reason provided in two ways");
    }
}
