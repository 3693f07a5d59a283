//! What an event comes to, contact by contact, and the form in which that is kept until it has arrived.

use serde::{Deserialize, Serialize};

use super::announce;
use super::bot::{Bot, Words};
use super::commands::begun;
use super::settings::IrcSettings;
use super::talk::Saying;
use super::{events, formatter};
use crate::{Context, Fault, FaultCode, Prepared, Silence, payload};
use campanile_callbacks::{self as callbacks, ChatEvent, Status};
use campanile_model::{Build, Event, Results, tags_match};

/// What is said to whom, as it is kept. Cutting it into lines is left to the connection, which knows how long they may be.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    to: Vec<Told>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    contact: String,
    lines: Vec<String>,
}

impl Announcement {
    /// Reads what was kept.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        payload::from_bytes(bytes)
    }

    /// For a connection to say.
    pub(super) fn into_words(self) -> Words {
        let sayings = |lines: Vec<String>| lines.into_iter().map(Saying::Text).collect();
        self.to.into_iter().map(|told| (told.contact, sayings(told.lines))).collect()
    }
}

/// Writes what the contacts are told of a build that has begun or ended.
pub(super) async fn prepare(
    bot: &Bot,
    settings: &IrcSettings,
    event: &Event,
    context: &Context,
) -> Result<Prepared, Fault> {
    let told = match event {
        Event::BuildStarted { build } | Event::BuildFinished { build }
            if !tags_match(&build.tags, &settings.tags) =>
        {
            return Ok(Prepared::Silent(Silence::Tags));
        }
        Event::BuildStarted { build } => started(bot, settings, build, context).await?,
        Event::BuildFinished { build } => finished(bot, settings, build, context).await?,
        _ => Written::default(),
    };
    if told.to.is_empty() {
        return Ok(Prepared::Silent(Silence::Mode { seen: format!("`{}`", event.name()) }));
    }
    let message = payload::to_bytes("what is to be said", &Announcement { to: told.to })?;
    Ok(Prepared::Message { message, version: told.version })
}

/// What is said, and the version of the callback that worded some of it.
#[derive(Default)]
struct Written {
    to: Vec<Told>,
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
            self.to.push(Told { contact, lines });
        }
    }
}

/// What a contact is to be told.
struct Due {
    contact: String,
    /// In the bot's own words always: they answer a command.
    lines: Vec<String>,
    /// In the bot's words unless a formatter has better ones.
    usual: Vec<String>,
    asked_for: bool,
}

/// What formatters get to know of what has happened.
#[derive(Clone, Copy)]
struct About<'a> {
    event: ChatEvent,
    build: &'a Build,
    previous: Option<Results>,
}

async fn started(
    bot: &Bot,
    settings: &IrcSettings,
    build: &Build,
    context: &Context,
) -> Result<Written, Fault> {
    let status = &*context.caller.status;
    let length = usual_length(build, status).await?;
    let text = announce::started(build, settings.wording);
    let mut due = Vec::new();
    for (name, contact) in bot.contacts().iter_mut() {
        let mut lines = Vec::new();
        let asked_for = contact.take_forced(build);
        if asked_for {
            let words = begun(build, length, settings.wording.use_revisions);
            lines.extend(words.iter().map(|saying| saying.text().to_owned()));
        }
        let usual = if events::wants_start(&contact.notify) { vec![text.clone()] } else { Vec::new() };
        if !contact.muted {
            due.push(Due { contact: name.clone(), lines, usual, asked_for });
        }
    }
    let previous = if settings.formatter.is_some() { previous(build, status).await? } else { None };
    let mut written = Written::default();
    for one in due {
        written.add(settings, context, one, About { event: ChatEvent::Started, build, previous }).await;
    }
    Ok(written)
}

async fn finished(
    bot: &Bot,
    settings: &IrcSettings,
    build: &Build,
    context: &Context,
) -> Result<Written, Fault> {
    let status = &*context.caller.status;
    let needs_previous = settings.formatter.is_some() || bot.contacts().any_needs_previous();
    let previous = if needs_previous { previous(build, status).await? } else { None };
    let url = build.url.clone().or_else(|| status.url_for(&build.id()));
    let mut due = Vec::new();
    for (name, contact) in bot.contacts().iter_mut() {
        let asked_for = contact.take_watch(build);
        // One message: that of `notify` if both apply (I-EVT-06).
        let usual = if events::wants_finish(&contact.notify, build.results, previous) {
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

/// I-EVT-08: the nearest earlier build that ended and was not a retry.
async fn previous(build: &Build, status: &dyn Status) -> Result<Option<Results>, Fault> {
    let earlier = status.earlier_builds(&build.id(), 1).await.map_err(|error| store_fault(&error))?;
    Ok(earlier.into_iter().next().and_then(|build| build.results))
}

async fn usual_length(build: &Build, status: &dyn Status) -> Result<Option<std::time::Duration>, Fault> {
    super::eta::expected(build, status).await.map_err(|error| store_fault(&error))
}

fn store_fault(error: &callbacks::StatusError) -> Fault {
    Fault::transient(FaultCode::Store, error.to_string())
}
