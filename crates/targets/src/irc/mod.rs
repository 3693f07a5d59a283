//! The IRC bot: tells channels and people of builds, and does what they ask. `docs/spec/irc.md` gives the rules by number.
//!
//! The protocol is `campanile_irc`'s. Reading order: `settings` (the table), `decide` (which events a contact wants),
//! `contacts` (channels and people, and what they wait for), `announce` with `colour` (wording), `formatter` (wording by a
//! callback), `prepare` (an event becomes an announcement), `payload` (its stored form), `send` (a batch of them), `digest`
//! (many in few lines), `bot` (lives on while connections come and go), `connection_loop` (connects, and connects again),
//! `commands` (said by people, as far as `authz` lets them).
//!
//! Invariant: an announcement is delivered when the server has answered a PING that was sent after its last line.

mod announce;
mod authz;
mod bot;
mod colour;
mod commands;
mod connection_loop;
mod contacts;
mod decide;
mod digest;
mod durations;
mod eta;
mod formatter;
mod payload;
mod prepare;
mod probe;
mod send;
mod settings;
mod shell_words;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Backoff, Context, Fault, FaultCode, Outcome, Outgoing, Parts, Prepared, ReloadState, SessionContext,
    Target, Wanted,
};
use campanile_config::Reader;
use campanile_model::Event;

use bot::{Bot, BotHandle};
use settings::IrcSettings;

/// Age from which on announcements are no news any more (I-RC-05).
const NEWS: Duration = Duration::from_secs(600);

/// Time after a connection has come to be in which all that waited for it is taken at once, at most so much of it. It
/// can be summed up only if it is seen together.
const CATCHING_UP: Duration = Duration::from_secs(60);
const MOST_MISSED: u32 = 1_000;

/// Makes a bot from the n-th `[[irc]]` table. It connects when it is opened.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let settings = Arc::new(settings::read(reader, index, parts)?);
    Some(Arc::new(IrcTarget { settings, bot: OnceLock::new() }))
}

/// One `[[irc]]` table at work.
struct IrcTarget {
    settings: Arc<IrcSettings>,
    /// Since it was opened; perhaps older than this target, which only has its settings anew.
    bot: OnceLock<Arc<BotHandle>>,
}

impl IrcTarget {
    fn bot(&self) -> Result<&Bot, Fault> {
        let closed = || Fault::transient(FaultCode::Local, "the bot has not been started");
        self.bot.get().map(|bot| &****bot).ok_or_else(closed)
    }
}

#[async_trait]
impl Target for IrcTarget {
    fn name(&self) -> &str {
        &self.settings.name
    }

    /// Wants what any contact may want to hear, all in one order: contacts see what happened in the order of its
    /// happening.
    fn wants(&self, event: &Event) -> Option<Wanted> {
        let contacts = self.bot.get()?.contacts();
        let wanted = match event {
            Event::BuildStarted { build } => contacts.any_wants_start(build),
            Event::BuildFinished { build } => contacts.any_may_want_finish(build),
            _ => false,
        };
        wanted.then(|| Wanted::in_order(""))
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

    fn prepared(&self, event: &Event) {
        if let Some(bot) = self.bot.get() {
            bot.contacts().announced(event);
        }
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        let unsent = || Outcome::Deferred {
            fault: send::down(&self.settings, "the bot took nothing"),
            not_before: None,
        };
        self.send_batch(&[outgoing]).await.pop().unwrap_or_else(unsent)
    }

    /// All that waits when the connection is back, to be summed up; then as much as goes out within a minute.
    fn max_batch(&self) -> u32 {
        let connected = self.bot.get().and_then(|bot| bot.connected_for());
        if connected.is_some_and(|time| time < CATCHING_UP) { MOST_MISSED } else { send::BATCH }
    }

    async fn send_batch(&self, batch: &[Outgoing<'_>]) -> Vec<Outcome> {
        match self.bot() {
            Ok(bot) => send::send_batch(bot, &self.settings, batch).await,
            Err(fault) => vec![Outcome::Deferred { fault, not_before: None }],
        }
    }

    async fn probe(&self) -> Result<String, Fault> {
        probe::probe(&self.settings).await
    }

    fn max_age(&self) -> Option<Duration> {
        Some(NEWS)
    }

    /// Within `max_age` it is tried often: a channel that the bot comes back to does not wait long for what it missed.
    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) })
    }

    /// Nobody is held up by a channel that has not heard something: the others are told of what comes behind it.
    fn order_patience(&self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn open(&self, context: SessionContext, kept: Option<ReloadState>) {
        let settings = Arc::clone(&self.settings);
        let bot = match kept.and_then(|kept| kept.downcast::<BotHandle>().ok()) {
            Some(bot) => {
                bot.reconfigure(settings, context);
                bot
            }
            None => Arc::new(Bot::start(settings, context)),
        };
        // A target is opened once.
        let _ = self.bot.set(bot);
    }

    fn keep(&self) -> Option<ReloadState> {
        self.bot.get().cloned().map(|bot| bot as ReloadState)
    }

    async fn close(&self) {
        if let Some(bot) = self.bot.get() {
            bot.stop().await;
        }
    }
}
