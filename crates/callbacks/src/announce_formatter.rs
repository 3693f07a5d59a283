//! The IRC bot's announce formatter (I-ADD-07): what is said of a build, in words of a channel's own.

use serde::Serialize;

use super::bindings::chat_announcing::exports::campanile::notifier::announce_formatter as wit;
use super::call::ITEM_COST;
use super::callback::{CallCost, Callback, sandboxed_call};
use super::caller::Caller;
use super::convert;
use super::error::CallbackError;
use super::kind::Kind;
use campanile_model::{Build, Results};

/// Something that a bot is about to say.
#[derive(Clone, Copy, Debug)]
pub struct Announcement<'a> {
    /// The event that it tells of.
    pub event: ChatEvent,
    /// The channel or person that is told.
    pub contact: &'a str,
    /// That one asked for this very build: by `watch` or `force`.
    pub asked_for: bool,
    /// The build.
    pub build: &'a Build,
    /// Outcome of the build before, if there was one.
    pub previous: Option<Results>,
    /// Lines that the bot would say by itself.
    pub usual: &'a [String],
}

/// An event of a build that bots tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatEvent {
    /// It has begun.
    Started,
    /// It has ended.
    Finished,
}

impl Callback {
    /// Asks what to say, line by line; nothing is an answer too. The lines are not trusted yet.
    ///
    /// # Errors
    /// When the component has no announce formatter, refuses, traps, or meets a limit.
    pub async fn announce(
        &self,
        caller: &Caller,
        announcement: &Announcement<'_>,
    ) -> Result<(Vec<String>, CallCost), CallbackError> {
        let Announcement { event, contact, asked_for, build, previous, usual } = *announcement;
        let announcement = wit::Announcement {
            event: match event {
                ChatEvent::Started => wit::Event::Started,
                ChatEvent::Finished => wit::Event::Finished,
            },
            contact: contact.to_owned(),
            asked_for,
            build: convert::build(build, &*caller.status),
            previous: previous.map(convert::results),
            usual: usual.to_vec(),
        };
        let (answer, cost) =
            sandboxed_call!(self, caller, announce_formatter, Kind::AnnounceFormatter, |store, instance| {
                instance.campanile_notifier_announce_formatter().call_announce(&mut store, &announcement)
            });
        let lines = answer.map_err(CallbackError::answered)?;
        self.within_output(lines.iter().map(|line| ITEM_COST + line.len()).sum())?;
        Ok((lines, cost))
    }
}
