//! What an event comes to, contact by contact, and the form in which that is kept until it has arrived.

use serde::{Deserialize, Serialize};

use super::announce;
use super::bot::{Bot, Words};
use super::commands::begun;
use super::events;
use super::settings::IrcSettings;
use super::talk::Saying;
use crate::callbacks::Status;
use crate::model::{Build, Event, Results, tags_match};
use crate::targets::{Context, Fault, FaultCode, Prepared, Silence};

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
        serde_json::from_slice(bytes).map_err(|error| {
            Fault::lasting(FaultCode::Content, format!("what was kept cannot be read: {error}"))
        })
    }

    /// For a connection to say.
    pub(super) fn into_words(self) -> Words {
        let sayings = |lines: Vec<String>| lines.into_iter().map(Saying::Text).collect();
        self.to.into_iter().map(|told| (told.contact, sayings(told.lines))).collect()
    }

    fn add(&mut self, contact: &str, lines: Vec<String>) {
        self.to.push(Told { contact: contact.to_owned(), lines });
    }
}

/// Writes what the contacts are told of a build that has begun or ended.
pub(super) async fn prepare(
    bot: &Bot,
    settings: &IrcSettings,
    event: &Event,
    context: &Context,
) -> Result<Prepared, Fault> {
    let announcement = match event {
        Event::BuildStarted { build } | Event::BuildFinished { build }
            if !tags_match(&build.tags, &settings.tags) =>
        {
            return Ok(Prepared::Silent(Silence::Tags));
        }
        Event::BuildStarted { build } => started(bot, settings, build, &*context.caller.status).await?,
        Event::BuildFinished { build } => finished(bot, settings, build, &*context.caller.status).await?,
        _ => Announcement::default(),
    };
    if announcement.to.is_empty() {
        return Ok(Prepared::Silent(Silence::Mode { seen: format!("`{}`", event.name()) }));
    }
    let message = serde_json::to_vec(&announcement).map_err(|error| {
        Fault::lasting(FaultCode::Content, format!("what is to be said cannot be kept: {error}"))
    })?;
    Ok(Prepared::Message { message, version: None })
}

async fn started(
    bot: &Bot,
    settings: &IrcSettings,
    build: &Build,
    status: &dyn Status,
) -> Result<Announcement, Fault> {
    let usual = usual_length(build, status).await?;
    let text = announce::started(build, settings.wording);
    let mut announcement = Announcement::default();
    for (name, contact) in bot.contacts().iter_mut() {
        let mut lines = Vec::new();
        if contact.take_forced(build) {
            let words = begun(build, usual, settings.wording.use_revisions).into_iter();
            lines.extend(words.map(|saying| match saying {
                Saying::Text(text) | Saying::Action(text) => text,
            }));
        }
        if events::wants_start(&contact.notify) {
            lines.push(text.clone());
        }
        if !contact.muted && !lines.is_empty() {
            announcement.add(name, lines);
        }
    }
    Ok(announcement)
}

async fn finished(
    bot: &Bot,
    settings: &IrcSettings,
    build: &Build,
    status: &dyn Status,
) -> Result<Announcement, Fault> {
    let needs_previous = bot.contacts().any_needs_previous();
    let previous = if needs_previous { previous(build, status).await? } else { None };
    let url = build.url.clone().or_else(|| status.url_for(&build.id()));
    let mut announcement = Announcement::default();
    for (name, contact) in bot.contacts().iter_mut() {
        let watched = contact.take_watch(build);
        // One message: that of `notify` if both apply (I-EVT-06).
        let lines = if events::wants_finish(&contact.notify, build.results, previous) {
            vec![announce::finished(build, url.as_deref(), settings.wording)]
        } else if watched {
            announce::watched(build, url.as_deref(), settings.wording)
        } else {
            continue;
        };
        if !contact.muted {
            announcement.add(name, lines);
        }
    }
    Ok(announcement)
}

/// I-EVT-08: the nearest earlier build that ended and was not a retry.
async fn previous(build: &Build, status: &dyn Status) -> Result<Option<Results>, Fault> {
    let earlier = status.earlier_builds(&build.id(), 1).await.map_err(|error| store_fault(&error))?;
    Ok(earlier.into_iter().next().and_then(|build| build.results))
}

async fn usual_length(build: &Build, status: &dyn Status) -> Result<Option<std::time::Duration>, Fault> {
    super::eta::expected(build, status).await.map_err(|error| store_fault(&error))
}

fn store_fault(error: &crate::callbacks::StatusError) -> Fault {
    Fault::passing(FaultCode::Store, error.to_string())
}
