//! The IRC bot: tells channels and people of builds, and does what they ask. `docs/spec/irc.md` gives the rules by number.
//!
//! From the wire up: `wire` (lines), `connection` (bytes), `login`, `outbox` (rate, and what has arrived), `split`,
//! `missed`, `talk` (one connection's side of the protocol, pure), `session` (connects, and connects again), `backoff`. What lives
//! on is the `bot` with its `contacts`. `events`, `announce`, `formatter`, `colour` and `prepare` make announcements; `commands` do
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
mod formatter;
mod login;
mod missed;
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

use super::{
    Context, Fault, FaultCode, Outcome, Outgoing, Parts, Prepared, ReloadState, SessionContext, Silence,
    Target, Wanted,
};
use campanile_config::Reader;
use campanile_model::Event;

use bot::{Arrival, Bot, Going, Words};
use prepare::Announcement;
use settings::IrcSettings;

/// Announcements that are older are no news any more (I-RC-05).
const NEWS: Duration = Duration::from_secs(600);

/// How long after a connection has come to be what waited for it is taken all at once, at most so much of it.
const CATCHING_UP: Duration = Duration::from_secs(60);
const MOST_MISSED: u32 = 1_000;
/// What is handed over at once otherwise: as much as goes out soon at the usual rate (I-OUT-06).
const AT_ONCE: u32 = 20;

/// Makes a bot from the n-th `[[irc]]` table. It connects when it is opened.
pub fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let settings = Arc::new(settings::read(reader, index, parts)?);
    Some(Arc::new(IrcTarget { settings, bot: OnceLock::new() }))
}

/// One `[[irc]]` table at work.
struct IrcTarget {
    settings: Arc<IrcSettings>,
    /// Since it was opened.
    bot: OnceLock<Arc<Going>>,
}

impl IrcTarget {
    fn down(&self, why: &str) -> Fault {
        Fault::transient(FaultCode::Connection, format!("{}: {why}", self.settings.server.host))
    }

    fn outcome(&self, arrival: Arrival, contacts: usize) -> Outcome {
        match arrival {
            Arrival::Down(why) => Outcome::Deferred { fault: self.down(&why), not_before: None },
            Arrival::LeftOut => Outcome::Silent(Silence::Overtaken),
            Arrival::Arrived { server, refused } if refused.is_empty() => {
                Outcome::Delivered(format!("{server} has it"))
            }
            Arrival::Arrived { server, refused } => {
                let reasons: Vec<String> = refused.iter().map(|(_, why)| why.clone()).collect();
                if refused.len() < contacts {
                    return Outcome::Partial { receipt: format!("{server} has it"), refused: reasons };
                }
                Outcome::Refused(Fault::permanent(FaultCode::Rejected, reasons.join("; ")))
            }
        }
    }

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

    /// What any contact may want to hear, all in one order: contacts see what happened in the order of its happening.
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

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        let unsent = || Outcome::Deferred { fault: self.down("the bot took nothing"), not_before: None };
        self.send_batch(&[outgoing]).await.pop().unwrap_or_else(unsent)
    }

    /// All that waits when the connection is back, to be summed up; then as much as goes out within a minute.
    fn max_batch(&self) -> u32 {
        let connected = self.bot.get().and_then(|bot| bot.connected_for());
        if connected.is_some_and(|time| time < CATCHING_UP) { MOST_MISSED } else { AT_ONCE }
    }

    async fn send_batch(&self, run: &[Outgoing<'_>]) -> Vec<Outcome> {
        let bot = match self.bot() {
            Ok(bot) => bot,
            Err(fault) => return vec![Outcome::Deferred { fault, not_before: None }],
        };
        let connected = bot.connected_for().unwrap_or_default();
        let missed = run.iter().take_while(|outgoing| outgoing.age > connected).count();
        let (mut news, mut unreadable) = (Vec::new(), Vec::new());
        for (place, outgoing) in run.iter().take(missed.saturating_add(AT_ONCE as usize)).enumerate() {
            let read = Announcement::from_bytes(outgoing.message);
            let words = read.map(Announcement::into_words).map_err(|fault| unreadable.push((place, fault)));
            news.push((words.unwrap_or_default(), place < missed));
        }
        let contacts: Vec<usize> = news.iter().map(|(words, _): &(Words, bool)| words.len()).collect();
        let mut outcomes = Vec::with_capacity(news.len());
        for (place, arrival) in bot.deliver_all(news).await.into_iter().enumerate() {
            let is_over = matches!(arrival, Arrival::Down(_));
            outcomes.push(self.outcome(arrival, contacts.get(place).copied().unwrap_or_default()));
            if is_over {
                break;
            }
        }
        for (place, fault) in unreadable {
            if let Some(outcome) = outcomes.get_mut(place) {
                *outcome = Outcome::Refused(fault);
            }
        }
        outcomes
    }

    async fn probe(&self) -> Result<String, Fault> {
        probe::probe(&self.settings).await
    }

    fn max_age(&self) -> Option<Duration> {
        Some(NEWS)
    }

    fn open(&self, desk: SessionContext, kept: Option<ReloadState>) {
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

    fn keep(&self) -> Option<ReloadState> {
        self.bot.get().cloned().map(|bot| bot as ReloadState)
    }

    async fn close(&self) {
        if let Some(bot) = self.bot.get() {
            bot.stop().await;
        }
    }
}
