//! The IRC bot: tells channels and people of builds, and does what they ask. `docs/spec/irc.md` gives the rules by number.
//!
//! From the wire up: `wire` (lines), `connection` (bytes), `login`, `outbox` (rate, and what has arrived), `split`,
//! `talk` (one connection's side of the protocol, pure), `session` (connects, and connects again), `backoff`. What lives
//! on is the `bot` with its `contacts`. `events`, `announce`, `colour` and `prepare` make announcements; `commands` do
//! what people say, as far as `authz` lets them.
//!
//! Invariant: an announcement is delivered when the server has answered a PING that was sent after its last line.

mod announce;
mod authz;
mod backoff;
mod bot;
mod colour;
mod commands;
mod connection;
mod contacts;
mod durations;
mod eta;
mod events;
mod login;
mod outbox;
mod prepare;
mod probe;
mod session;
mod settings;
mod split;
mod talk;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use super::{Context, Desk, Fault, FaultCode, Kept, Outcome, Parts, Prepared, Target, Wanted};
use crate::config::Reader;
use crate::model::Event;

use bot::{Arrival, Bot, Going};
use prepare::Announcement;
use settings::IrcSettings;

/// Announcements that are older are no news any more (I-RC-05).
const NEWS: Duration = Duration::from_secs(600);

/// Makes a bot from the n-th `[[irc]]` table. It connects when it is opened.
pub fn from_settings(reader: &Reader<'_>, index: usize, _: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let settings = Arc::new(settings::read(reader, index)?);
    Some(Arc::new(IrcTarget { settings, bot: OnceLock::new() }))
}

/// One `[[irc]]` table at work.
struct IrcTarget {
    settings: Arc<IrcSettings>,
    /// Since it was opened.
    bot: OnceLock<Arc<Going>>,
}

impl IrcTarget {
    fn bot(&self) -> Result<&Bot, Fault> {
        let closed = || Fault::passing(FaultCode::Local, "the bot has not been started");
        self.bot.get().map(|bot| &****bot).ok_or_else(closed)
    }
}

#[async_trait]
impl Target for IrcTarget {
    fn name(&self) -> &str {
        &self.settings.name
    }

    /// What any contact may want to hear, all in one order: contacts see what happened in the order of its happening.
    fn wants(&self, event: &Event) -> Option<Wanted> {
        let contacts = self.bot.get()?.contacts();
        let wanted = match event {
            Event::BuildStarted { build } => contacts.any_wants_start(build),
            Event::BuildFinished { build } => contacts.any_may_want_finish(build),
            _ => false,
        };
        wanted.then(|| Wanted { ordering_key: Some(String::new()) })
    }

    fn unwanted(&self, event: &Event) -> String {
        match event {
            Event::BuildStarted { .. } => "nobody there has asked to hear of `started`".to_owned(),
            Event::BuildFinished { .. } => "nobody there has asked to hear of builds that finish".to_owned(),
            _ => "IRC is told of builds that begin and end only".to_owned(),
        }
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        prepare::prepare(self.bot()?, &self.settings, event, context).await
    }

    async fn send(&self, message: &[u8]) -> Outcome {
        let (bot, announcement) = match (self.bot(), Announcement::from_bytes(message)) {
            (Ok(bot), Ok(announcement)) => (bot, announcement),
            (Err(fault), _) => return Outcome::Deferred { fault, not_before: None },
            (_, Err(fault)) => return Outcome::Refused(fault),
        };
        let words = announcement.into_words();
        let contacts = words.len();
        match bot.deliver(words).await {
            Arrival::Down(why) => {
                let fault =
                    Fault::passing(FaultCode::Connection, format!("{}: {why}", self.settings.server.host));
                Outcome::Deferred { fault, not_before: None }
            }
            Arrival::Arrived { server, refused } if refused.is_empty() => {
                Outcome::Delivered(format!("{server} has it"))
            }
            Arrival::Arrived { server, refused } => {
                let reasons: Vec<String> = refused.iter().map(|(_, why)| why.clone()).collect();
                if refused.len() < contacts {
                    return Outcome::Partly { receipt: format!("{server} has it"), refused: reasons };
                }
                Outcome::Refused(Fault::lasting(FaultCode::Rejected, reasons.join("; ")))
            }
        }
    }

    async fn probe(&self) -> Result<String, Fault> {
        probe::probe(&self.settings).await
    }

    fn max_age(&self) -> Option<Duration> {
        Some(NEWS)
    }

    fn open(&self, desk: Desk, kept: Option<Kept>) {
        let settings = Arc::clone(&self.settings);
        let bot = match kept.and_then(|kept| kept.downcast::<Going>().ok()) {
            Some(bot) => {
                bot.go_on_with(settings, desk);
                bot
            }
            None => Arc::new(Bot::start(settings, desk)),
        };
        // A target is opened once.
        let _ = self.bot.set(bot);
    }

    fn keep(&self) -> Option<Kept> {
        self.bot.get().cloned().map(|bot| bot as Kept)
    }

    async fn close(&self) {
        if let Some(bot) = self.bot.get() {
            bot.stop().await;
        }
    }
}
