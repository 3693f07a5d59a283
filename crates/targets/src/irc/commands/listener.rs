//! Hears what is said, finds out whether it is for the bot, and has it done (I-ADR, I-DSP, I-OUT-07).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ask::{Answer, Asked, Trouble};
use super::{find, fun};
use crate::irc::authz::DANGEROUS;
use crate::irc::bot::Bot;
use crate::irc::settings::Rights;
use crate::irc::talk::{Saying, Speaker};
use crate::irc::wire::{harmless, is_channel, same_name};

/// What may wait to be heard; whoever says more at once is not heard.
const WAITING: usize = 64;
/// Longer answers are cut to one line less (I-OUT-07).
const MOST_LINES: usize = 15;
/// In a channel, unknown commands are told so no more often than this (I-DSP-05).
const CORRECTED: Duration = Duration::from_secs(30);

/// Hears for one connection.
pub(in crate::irc) struct Ear {
    bot: Arc<Bot>,
    heard: mpsc::Sender<Heard>,
}

struct Heard {
    speaker: Speaker,
    contact: String,
    what: What,
}

enum What {
    Command(String),
    Action(String),
}

impl Ear {
    /// Hears, and does one thing after the other, for as long as it lives.
    pub(in crate::irc) fn new(bot: &Arc<Bot>) -> Self {
        let (heard, mut waiting) = mpsc::channel(WAITING);
        let doing = Arc::clone(bot);
        tokio::spawn(async move {
            while let Some(heard) = waiting.recv().await {
                attend(&doing, heard).await;
            }
        });
        Self { bot: Arc::clone(bot), heard }
    }

    /// Somebody said something to us or in a channel (I-ADR-02, I-ADR-03).
    pub(in crate::irc) fn said(&self, speaker: Speaker, to: &str, text: String) {
        let nick = self.bot.nick();
        if !is_channel(to) {
            if same_name(to, &nick) {
                let contact = speaker.nick.to_lowercase();
                self.hear(Heard { speaker, contact, what: What::Command(text) });
            }
            return;
        }
        let called = text.get(..nick.len()).is_some_and(|start| same_name(start, &nick));
        let rest = text.get(nick.len()..).and_then(|rest| rest.strip_prefix([':', ',']));
        if let (true, Some(rest)) = (called, rest) {
            let what = What::Command(rest.to_owned());
            self.hear(Heard { speaker, contact: to.to_lowercase(), what });
        }
    }

    /// Somebody did something (I-FUN-04).
    pub(in crate::irc) fn acted(&self, speaker: Speaker, to: &str, text: String) {
        let contact = if is_channel(to) { to.to_lowercase() } else { speaker.nick.to_lowercase() };
        self.hear(Heard { speaker, contact, what: What::Action(text) });
    }

    fn hear(&self, heard: Heard) {
        // Servers talk by notices only; whatever has a dot in its name is one.
        if heard.contact.is_empty() || heard.speaker.nick.contains('.') {
            return;
        }
        if self.heard.try_send(heard).is_err() {
            tracing::warn!("people say more than the bot can attend to; some of it is not heard");
        }
    }
}

async fn attend(bot: &Arc<Bot>, heard: Heard) {
    let settings = bot.settings();
    let in_channel = is_channel(&heard.contact);
    bot.contacts().heard_of(&heard.contact, &settings, Instant::now());
    let asked = Asked {
        bot: Arc::clone(bot),
        desk: bot.desk(),
        settings,
        speaker: heard.speaker,
        contact: heard.contact,
        in_channel,
        rest: String::new(),
    };
    match heard.what {
        What::Action(text) => {
            if let Some(answer) = fun::returned(&asked, &text) {
                reply(&asked, "action", Ok(vec![answer])).await;
            }
        }
        What::Command(text) => command(asked, text.trim_start()).await,
    }
}

async fn command(mut asked: Asked, text: &str) {
    // Without anything said there is nothing to answer (I-DSP-01).
    if text.trim().is_empty() || fun::prompted(&asked, text) {
        return;
    }
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    rest.trim().clone_into(&mut asked.rest);
    let Some(command) = find(word.trim_end()) else { return unknown(&asked, word, text).await };
    if let Rights::Authz(authz) = &asked.settings.rights
        && !authz.allows(command.name, &asked.speaker.nick, asked.speaker.account.as_deref())
    {
        let text = format!("Thou shall not pass, {}!!!", harmless(&asked.speaker.nick));
        return reply(&asked, command.name, Err(Trouble::Told(text))).await;
    }
    let answer = (command.run)(asked.clone());
    if DANGEROUS.contains(&command.name) {
        // The CI may take its time; what others say meanwhile is heard.
        tokio::spawn(async move { reply(&asked, command.name, answer.await).await });
    } else {
        reply(&asked, command.name, answer.await).await;
    }
}

async fn unknown(asked: &Asked, word: &str, text: &str) {
    if text.trim_end().ends_with('!') {
        return reply(asked, word, Err(Trouble::Told("What you say!".to_owned()))).await;
    }
    let now = Instant::now();
    if asked.in_channel {
        let mut contacts = asked.bot.contacts();
        let Some(contact) = contacts.get_mut(&asked.contact) else { return };
        if contact.corrected.is_some_and(|at| now.saturating_duration_since(at) < CORRECTED) {
            return;
        }
        contact.corrected = Some(now);
    }
    let text = format!("no such command '{}'", harmless(word));
    reply(asked, word, Err(Trouble::Told(text))).await;
}

async fn reply(asked: &Asked, command: &str, answer: Answer) {
    let sayings = match answer {
        Ok(sayings) => sayings,
        Err(Trouble::Told(text)) => vec![Saying::Text(text)],
        Err(Trouble::Broken(why)) => {
            tracing::error!(target = asked.settings.name, command, "a command failed: {why}");
            vec![Saying::Text("Something bad happened (see logs)".to_owned())]
        }
    };
    let sayings = cut(sayings, asked.desk.status.url());
    if !sayings.is_empty() {
        asked.bot.say(&asked.contact, sayings).await;
    }
}

/// I-OUT-07.
fn cut(mut sayings: Vec<Saying>, url: Option<&str>) -> Vec<Saying> {
    if sayings.len() > MOST_LINES {
        let more = sayings.len() - (MOST_LINES - 1);
        sayings.truncate(MOST_LINES - 1);
        let see = url.map(|url| format!(", see {url}")).unwrap_or_default();
        sayings.push(Saying::Text(format!("... {more} more lines{see}")));
    }
    sayings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_out_07_long_answers_are_cut() {
        let lines = |count: usize| (0..count).map(|n| Saying::Text(n.to_string())).collect::<Vec<_>>();
        assert_eq!(cut(lines(15), None), lines(15));
        let short = cut(lines(16), Some("http://ci/"));
        assert_eq!(short.len(), 15);
        assert_eq!(short.last(), Some(&Saying::Text("... 2 more lines, see http://ci/".to_owned())));
        assert_eq!(cut(lines(40), None).last(), Some(&Saying::Text("... 26 more lines".to_owned())));
    }
}
