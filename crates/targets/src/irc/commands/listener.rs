//! Hears what is said, finds out whether it is for the bot, and has it done (I-ADR, I-DSP, I-OUT-07).

use std::sync::Arc;
use std::time::Duration;

use campanile_irc::{OutgoingMessage, Prefix, is_channel, same_name};
use campanile_model::line_text;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::invocation::{CommandError, Invocation, Reply};
use super::{easter_eggs, find};
use crate::irc::authz::DANGEROUS;
use crate::irc::bot::Bot;
use crate::irc::settings::Rights;

/// Commands that may wait; whoever gives more at once is not heard.
const WAITING: usize = 64;
/// Longer replies are cut to one line less (I-OUT-07).
const MOST_LINES: usize = 15;
/// In a channel, unknown commands are told so no more often than this (I-DSP-05).
const CORRECTED: Duration = Duration::from_secs(30);

/// Listens on one connection, and works on what it hears in a task of its own, one thing after the other: a command that
/// waits for the CI must not keep the connection from answering a PING.
pub(in crate::irc) struct CommandListener {
    bot: Arc<Bot>,
    heard: mpsc::Sender<Heard>,
}

/// Something said or done that is for the bot.
struct Heard {
    from: Prefix,
    /// Recipient of the reply.
    contact: String,
    what: What,
}

enum What {
    Command(String),
    Action(String),
}

impl CommandListener {
    /// Starts the task, which ends when the listener is dropped and what it has heard is done.
    pub(in crate::irc) fn new(bot: &Arc<Bot>) -> Self {
        let (heard, mut waiting) = mpsc::channel(WAITING);
        let task_bot = Arc::clone(bot);
        bot.spawn(async move {
            while let Some(heard) = waiting.recv().await {
                attend(&task_bot, heard).await;
            }
        });
        Self { bot: Arc::clone(bot), heard }
    }

    /// Takes what somebody said to us or in a channel (I-ADR-02, I-ADR-03). Never waits.
    pub(in crate::irc) fn message(&self, from: Prefix, to: &str, text: String) {
        let nick = self.bot.nick();
        if !is_channel(to) {
            if same_name(to, &nick) {
                let contact = from.nick.to_lowercase();
                self.hear(Heard { from, contact, what: What::Command(text) });
            }
            return;
        }
        let called = text.get(..nick.len()).is_some_and(|start| same_name(start, &nick));
        let rest = text.get(nick.len()..).and_then(|rest| rest.strip_prefix([':', ',']));
        if let (true, Some(rest)) = (called, rest) {
            let what = What::Command(rest.to_owned());
            self.hear(Heard { from, contact: to.to_lowercase(), what });
        }
    }

    /// Takes what somebody did (I-FUN-04). Never waits.
    pub(in crate::irc) fn action(&self, from: Prefix, to: &str, text: String) {
        let contact = if is_channel(to) { to.to_lowercase() } else { from.nick.to_lowercase() };
        self.hear(Heard { from, contact, what: What::Action(text) });
    }

    fn hear(&self, heard: Heard) {
        // Servers talk by notices only; whatever has a dot in its name is one.
        if heard.contact.is_empty() || heard.from.nick.contains('.') {
            return;
        }
        if self.heard.try_send(heard).is_err() {
            let settings = self.bot.settings();
            let (target, network) = (&settings.name, settings.network());
            tracing::warn!(
                target,
                network,
                "IRC commands dropped: people say more than the bot can attend to"
            );
        }
    }
}

async fn attend(bot: &Arc<Bot>, heard: Heard) {
    let settings = bot.settings();
    let in_channel = is_channel(&heard.contact);
    bot.contacts().heard_of(&heard.contact, &settings, Instant::now());
    let call = Invocation {
        bot: Arc::clone(bot),
        context: bot.context(),
        settings,
        from: heard.from,
        contact: heard.contact,
        in_channel,
        rest: String::new(),
    };
    match heard.what {
        What::Action(text) => {
            if let Some(action) = easter_eggs::returned(&call, &text) {
                reply(&call, "action", Ok(vec![action])).await;
            }
        }
        What::Command(text) => command(call, text.trim_start()).await,
    }
}

async fn command(mut call: Invocation, text: &str) {
    // Without anything said there is nothing to answer (I-DSP-01).
    if text.trim().is_empty() || easter_eggs::prompted(&call, text) {
        return;
    }
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    rest.trim().clone_into(&mut call.rest);
    let Some(command) = find(word.trim_end()) else { return unknown(&call, word, text).await };
    if let Rights::Authz(authz) = &call.settings.rights
        && !authz.allows(command.name, &call.from.nick, call.from.account.as_deref())
    {
        let text = format!("Thou shall not pass, {}!!!", line_text(&call.from.nick));
        return reply(&call, command.name, Err(CommandError::Rejected(text))).await;
    }
    let running = (command.run)(call.clone());
    if DANGEROUS.contains(&command.name) {
        // The CI may take its time; what others say meanwhile is heard.
        let bot = Arc::clone(&call.bot);
        bot.spawn(async move { reply(&call, command.name, running.await).await });
    } else {
        reply(&call, command.name, running.await).await;
    }
}

async fn unknown(call: &Invocation, word: &str, text: &str) {
    if text.trim_end().ends_with('!') {
        return reply(call, word, Err(CommandError::Rejected("What you say!".to_owned()))).await;
    }
    let now = Instant::now();
    // Sentences that begin with a name are not all commands: a channel is not corrected each time.
    if call.in_channel {
        let mut contacts = call.bot.contacts();
        let Some(contact) = contacts.get_mut(&call.contact) else { return };
        if contact.corrected.is_some_and(|at| now.saturating_duration_since(at) < CORRECTED) {
            return;
        }
        contact.corrected = Some(now);
    }
    let text = format!("no such command '{}'", line_text(word));
    reply(call, word, Err(CommandError::Rejected(text))).await;
}

async fn reply(call: &Invocation, command: &str, reply: Reply) {
    let messages = match reply {
        Ok(messages) => messages,
        Err(CommandError::Rejected(text)) => vec![OutgoingMessage::Text(text)],
        Err(CommandError::Internal(error)) => {
            let (target, network) = (&call.settings.name, call.settings.network());
            tracing::error!(target, network, contact = call.contact, command, "IRC command failed: {error}");
            vec![OutgoingMessage::Text("Something bad happened (see logs)".to_owned())]
        }
    };
    let messages = cut(messages, call.context.status.url());
    if !messages.is_empty() {
        call.bot.say(&call.contact, messages).await;
    }
}

/// Cuts a long reply; `url` is where the rest can be seen (I-OUT-07).
fn cut(mut messages: Vec<OutgoingMessage>, url: Option<&str>) -> Vec<OutgoingMessage> {
    if messages.len() > MOST_LINES {
        let more = messages.len() - (MOST_LINES - 1);
        messages.truncate(MOST_LINES - 1);
        let see = url.map(|url| format!(", see {url}")).unwrap_or_default();
        messages.push(OutgoingMessage::Text(format!("... {more} more lines{see}")));
    }
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_out_07_long_answers_are_cut() {
        let lines =
            |count: usize| (0..count).map(|n| OutgoingMessage::Text(n.to_string())).collect::<Vec<_>>();
        assert_eq!(cut(lines(15), None), lines(15));
        let short = cut(lines(16), Some("http://ci/"));
        assert_eq!(short.len(), 15);
        assert_eq!(short.last(), Some(&OutgoingMessage::Text("... 2 more lines, see http://ci/".to_owned())));
        assert_eq!(cut(lines(40), None).last(), Some(&OutgoingMessage::Text("... 26 more lines".to_owned())));
    }
}
