//! Makes an announcement of an event, contact by contact.

use super::announce;
use super::bot::Bot;
use super::commands::begun;
use super::payload::{Announcement, Recipient};
use super::settings::IrcSettings;
use super::{decide, formatter};
use crate::{Context, Fault, FaultCode, Prepared, Silence};
use campanile_callbacks::{self as callbacks, ChatEvent, Status};
use campanile_model::{Build, Event, Results};

/// Writes what the contacts are told of a build that has begun or ended, or says why they are told nothing.
pub(super) async fn prepare(
    bot: &Bot,
    settings: &IrcSettings,
    event: &Event,
    context: &Context,
) -> Result<Prepared, Fault> {
    if let Event::BuildStarted { build } | Event::BuildFinished { build } = event
        && let Some(silence) = settings.build_filter.refuses(build)
    {
        return Ok(Prepared::Silent(silence));
    }
    let written = match event {
        Event::BuildStarted { build } => started(bot, settings, build, context).await?,
        Event::BuildFinished { build } => finished(bot, settings, build, context).await?,
        _ => Written::default(),
    };
    if written.to.is_empty() {
        return Ok(Prepared::Silent(Silence::Mode { seen: format!("`{}`", event.name()) }));
    }
    let message = Announcement { to: written.to }.to_bytes()?;
    Ok(Prepared::Message { message, version: written.version })
}

/// An announcement so far, and the version of the callback that worded some of it.
#[derive(Default)]
struct Written {
    to: Vec<Recipient>,
    version: Option<String>,
}

impl Written {
    /// Adds what a contact is told: as the bot words it, or as its formatter does.
    async fn add(&mut self, settings: &IrcSettings, context: &Context, due: Due, about: About<'_>) {
        let Due { contact, mut lines, usual, asked_for } = due;
        if !usual.is_empty() {
            let About { event, build, previous } = about;
            let announcement = callbacks::Announcement {
                event,
                contact: &contact,
                asked_for,
                build,
                previous,
                usual: &usual,
            };
            let worded = formatter::worded(settings, &announcement, context).await;
            lines.extend(worded.lines);
            self.version = worded.version.or(self.version.take());
        }
        if !lines.is_empty() {
            self.to.push(Recipient { contact, lines });
        }
    }
}

/// Texts that are due to a contact.
struct Due {
    contact: String,
    /// In the bot's own words always, since they answer a command.
    lines: Vec<String>,
    /// In the bot's words unless a formatter has better ones.
    usual: Vec<String>,
    asked_for: bool,
}

/// Facts about an event for formatters.
#[derive(Clone, Copy)]
struct About<'a> {
    event: ChatEvent,
    build: &'a Build,
    previous: Option<Results>,
}

/// Tells of a build that has begun: those who forced it, and those who asked to hear of `started`.
async fn started(
    bot: &Bot,
    settings: &IrcSettings,
    build: &Build,
    context: &Context,
) -> Result<Written, Fault> {
    let status = &*context.caller.status;
    let length = usual_length(build, status).await?;
    let previous = if settings.formatter.is_some() { previous(build, status).await? } else { None };
    let text = announce::started(build, settings.wording);
    let mut due = Vec::new();
    for (name, contact) in bot.contacts().iter_mut() {
        let mut lines = Vec::new();
        let asked_for = contact.announces_forced(build);
        if asked_for {
            let words = begun(build, length, settings.wording.use_revisions);
            lines.extend(words.iter().map(|message| message.text().to_owned()));
        }
        let usual = if decide::wants_start(&contact.notify) { vec![text.clone()] } else { Vec::new() };
        if !contact.muted {
            due.push(Due { contact: name.clone(), lines, usual, asked_for });
        }
    }
    let mut written = Written::default();
    for one in due {
        written.add(settings, context, one, About { event: ChatEvent::Started, build, previous }).await;
    }
    Ok(written)
}

/// Tells of a build that is over: those who asked to hear of such an end, and those who watch it.
async fn finished(
    bot: &Bot,
    settings: &IrcSettings,
    build: &Build,
    context: &Context,
) -> Result<Written, Fault> {
    let status = &*context.caller.status;
    let needs_previous = settings.formatter.is_some() || bot.contacts().any_needs_previous();
    let previous = if needs_previous { previous(build, status).await? } else { None };
    // Nothing is taken from a contact before the announcement is stored (`Contacts::announced`): until then it may have to
    // be written once more, and would find nobody who waits.
    let url = status.url_of(build);
    let mut due = Vec::new();
    for (name, contact) in bot.contacts().iter_mut() {
        let asked_for = contact.announces_end(build);
        // One message: that of `notify` if both apply (I-EVT-06).
        let usual = if decide::wants_finish(&contact.notify, build.results, previous) {
            vec![announce::finished(build, url.as_deref(), settings.wording)]
        } else if asked_for {
            announce::watched(build, url.as_deref(), settings.wording)
        } else {
            continue;
        };
        if !contact.muted {
            due.push(Due { contact: name.clone(), lines: Vec::new(), usual, asked_for });
        }
    }
    let mut written = Written::default();
    for one in due {
        written.add(settings, context, one, About { event: ChatEvent::Finished, build, previous }).await;
    }
    Ok(written)
}

/// Results of the nearest earlier build that ended and was not a retry (I-EVT-08).
async fn previous(build: &Build, status: &dyn Status) -> Result<Option<Results>, Fault> {
    let earlier = status.earlier_builds(&build.id(), 1).await.map_err(|error| store_fault(&error))?;
    Ok(earlier.into_iter().next().and_then(|build| build.results))
}

/// Time that the build is expected to take, if that is known.
async fn usual_length(build: &Build, status: &dyn Status) -> Result<Option<std::time::Duration>, Fault> {
    super::eta::expected(build, status).await.map_err(|error| store_fault(&error))
}

fn store_fault(error: &callbacks::StatusError) -> Fault {
    Fault::transient(FaultCode::Store, error.to_string())
}
