//! One connection's side of the protocol: logging in, channels, signs of life. Pure: lines and the time go in, lines
//! and happenings come out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::login::{Login, Step};
use super::outbox::{Outbox, Ticket};
use super::settings::{Channel, IrcSettings};
use super::split::{room, split};
use super::wire::{Heard, Line, Source, is_channel, line, same_name};

/// Without a sign of life for this long, the server is asked for one (I-CON-08).
const QUIET: Duration = Duration::from_secs(60);
/// Without an answer for this long, the connection is lost (I-CON-08).
const LOST: Duration = Duration::from_secs(120);
/// NickServ may take so long to answer before channels are joined without it (I-CON-05).
const IDENTIFYING: Duration = Duration::from_secs(5);
/// After being thrown out: the first return, and all later ones (I-CON-11).
const RETURN: Duration = Duration::from_secs(30);
const RETURN_AGAIN: Duration = Duration::from_secs(300);

/// What others should know of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// The server has taken us under this nickname.
    SignedOn(String),
    /// We are in this channel.
    Joined(String),
    /// We are not in this channel any more, and why.
    Left(String, String),
    /// Somebody said something to us or in a channel.
    Said { from: Speaker, to: String, text: String },
    /// Somebody did something, as `/me` does.
    Acted { from: Speaker, to: String, text: String },
    /// The messages with these numbers have arrived.
    Arrived(Vec<Ticket>),
    /// The server does not pass on what is sent there, and why.
    Refused(String, String),
    /// It is over, and why.
    Over(String),
}

/// Who said something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Speaker {
    pub(super) nick: String,
    /// Where the server tells it.
    pub(super) account: Option<String>,
}

/// What to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    Text(String),
    /// As `/me` does (I-OUT-03).
    Action(String),
}

impl Saying {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Action(text) => text,
        }
    }
}

/// A channel that we want to be in.
#[derive(Default)]
struct Membership {
    key: Option<String>,
    joined: bool,
    /// When to try (again).
    due: Option<Instant>,
    /// We could not get in, or were thrown out.
    failed: bool,
    /// How often we tried to get back in since.
    tries: u32,
}

pub(super) struct Talk {
    settings: Arc<IrcSettings>,
    login: Login,
    /// As the server has it.
    pub(super) nick: String,
    user: String,
    host: String,
    nick_limit: usize,
    signed_on: bool,
    /// Until then NickServ is waited for.
    identifying: Option<Instant>,
    /// Channels by their lower-cased names, with those that people had us join.
    channels: BTreeMap<String, Membership>,
    outbox: Outbox,
    heard: Instant,
    asked: Option<Instant>,
}

impl Talk {
    /// A connection that has just been made; `extra` are channels that people had us join.
    pub(super) fn new(settings: Arc<IrcSettings>, extra: &[String], now: Instant) -> Self {
        let mut talk = Self {
            login: Login::new(&settings.server),
            nick: settings.server.nick.clone(),
            user: String::new(),
            host: String::new(),
            nick_limit: 9,
            signed_on: false,
            identifying: None,
            channels: BTreeMap::new(),
            outbox: Outbox::new(settings.rate, now),
            heard: now,
            asked: None,
            settings,
        };
        for first in talk.login.first_lines(&talk.settings.server, &talk.settings.product) {
            talk.outbox.push_urgent(first);
        }
        talk.take_channels();
        for name in extra {
            talk.channels.entry(name.to_lowercase()).or_default();
        }
        talk
    }

    /// Takes a line of the server's.
    pub(super) fn take(&mut self, line: Line, now: Instant) -> Vec<Happening> {
        (self.heard, self.asked) = (now, None);
        let ours = same_name(&line.source.nick, &self.nick);
        if ours {
            self.learn(&line.source);
        }
        let speaker = Speaker { nick: line.source.nick, account: line.account };
        match line.heard {
            Heard::Ping(token) => {
                self.outbox.push_urgent(format!("PONG :{token}"));
                Vec::new()
            }
            Heard::Pong(token) => match self.outbox.answered(&token) {
                arrived if arrived.is_empty() => Vec::new(),
                arrived => vec![Happening::Arrived(arrived)],
            },
            Heard::Join(channel) if ours => vec![self.joined(channel)],
            Heard::Part(channel) if ours => self.left(&channel, "it was left", now),
            Heard::Kick(channel, whom, why) if same_name(&whom, &self.nick) => {
                let why = format!("{} threw the bot out: {why}", speaker.nick);
                self.left(&channel, &why, now)
            }
            Heard::Nick(nick) if ours => {
                self.nick = nick;
                Vec::new()
            }
            Heard::ChangedHost(user, host) if ours => {
                (self.user, self.host) = (user, host);
                Vec::new()
            }
            Heard::Privmsg(to, text) => self.said(speaker, to, text),
            Heard::Notice(_, text) => {
                self.notice(&speaker.nick, &text);
                Vec::new()
            }
            Heard::Error(why) => vec![Happening::Over(format!("the server said: {why}"))],
            Heard::Granted(_) | Heard::Denied(_) | Heard::Authenticate(_) => self.log_in(&line.heard),
            Heard::Number(number, ref parameters) => self.number(number, parameters, &line.heard, now),
            _ => Vec::new(),
        }
    }

    /// The next line to send, if one may go now; signs of life and channels that are due are seen to.
    pub(super) fn next_line(&mut self, now: Instant) -> Option<String> {
        self.be_on_time(now);
        self.outbox.next(now).map(|text| line(&text))
    }

    /// When `next_line` may have something to say that it has not now.
    pub(super) fn due(&self) -> Instant {
        let quiet = self.asked.map_or(self.heard + QUIET, |asked| asked + LOST);
        let joins = self.channels.values().filter_map(|channel| channel.due);
        joins.chain(self.identifying).chain(self.outbox.due()).fold(quiet, Instant::min)
    }

    /// Why the connection counts as lost by now, if it does.
    pub(super) fn is_lost(&self, now: Instant) -> Option<String> {
        let asked = self.asked?;
        (now >= asked + LOST)
            .then(|| format!("the server has been silent for {} s", (LOST + QUIET).as_secs()))
    }

    /// Whether the server has taken us, and channels may be joined.
    pub(super) fn is_ready(&self) -> bool {
        self.signed_on && self.identifying.is_none()
    }

    /// Whether every channel has been joined, or has been tried in vain: only then it is known who can be reached.
    pub(super) fn is_settled(&self) -> bool {
        self.is_ready() && self.channels.values().all(|channel| channel.joined || channel.failed)
    }

    /// Whether what is sent there would arrive: any nickname, and channels that we are in.
    pub(super) fn reaches(&self, contact: &str) -> bool {
        self.is_ready() && (!is_channel(contact) || self.channels.get(contact).is_some_and(|c| c.joined))
    }

    /// Puts something to say into the queue, in lines that fit (I-OUT-02 to I-OUT-05).
    pub(super) fn say(&mut self, to: &str, saying: &Saying) {
        match saying {
            Saying::Action(text) => self.push(to, "PRIVMSG", text, "\x01ACTION ", "\x01"),
            Saying::Text(text) => {
                let verb = self.verb(to);
                for text in text.lines() {
                    self.push(to, verb, text, "", "");
                }
            }
        }
    }

    /// Bytes of text that fit into one line to this contact.
    pub(super) fn room_for(&self, to: &str) -> usize {
        room(self.prefix(), self.verb(to), to)
    }

    /// Ends a message whose arrival matters.
    pub(super) fn end(&mut self, ticket: Ticket) {
        self.outbox.end(ticket);
    }

    /// The last message that has been sent wholly.
    pub(super) fn sent_up_to(&self) -> Ticket {
        self.outbox.sent_up_to()
    }

    /// Joins a channel because somebody asked for it.
    pub(super) fn join(&mut self, channel: &str, now: Instant) {
        let membership = self.channels.entry(channel.to_lowercase()).or_default();
        membership.due = Some(now);
    }

    /// Leaves a channel because somebody asked for it.
    pub(super) fn part(&mut self, channel: &str) {
        self.channels.remove(&channel.to_lowercase());
        self.outbox.push(format!("PART {channel}"));
    }

    /// Says goodbye (I-RC-04).
    pub(super) fn quit(&mut self, why: &str) {
        self.outbox.push_urgent(format!("QUIT :{why}"));
    }

    /// Takes up settings that leave the connection as it is (I-CFG-21).
    pub(super) fn reconfigure(&mut self, settings: Arc<IrcSettings>, now: Instant) {
        self.outbox.set_rate(settings.rate);
        let listed = |settings: &IrcSettings, name: &str| {
            settings.channels.iter().any(|channel| channel.name.to_lowercase() == name)
        };
        let names =
            self.channels.keys().filter(|name| listed(&self.settings, name) && !listed(&settings, name));
        let dropped: Vec<String> = names.cloned().collect();
        for name in dropped {
            self.part(&name);
        }
        self.settings = settings;
        self.take_channels();
        if self.is_ready() {
            self.join_all(now);
        }
    }

    fn take_channels(&mut self) {
        for Channel { name, key } in &self.settings.channels {
            let membership = self.channels.entry(name.to_lowercase()).or_default();
            membership.key = key.as_ref().map(|key| key.expose().to_owned());
        }
    }

    fn join_all(&mut self, now: Instant) {
        for membership in self.channels.values_mut().filter(|membership| !membership.joined) {
            membership.due.get_or_insert(now);
        }
    }

    /// I-OUT-02.
    fn verb(&self, to: &str) -> &'static str {
        if self.settings.notice_on_channel && is_channel(to) { "NOTICE" } else { "PRIVMSG" }
    }

    fn push(&mut self, to: &str, verb: &str, text: &str, before: &str, after: &str) {
        let room = room(self.prefix(), verb, to).saturating_sub(before.len() + after.len());
        for piece in split(text, room) {
            self.outbox.push(format!("{verb} {to} :{before}{piece}{after}"));
        }
    }

    /// Bytes that others see before a line of ours (I-OUT-05).
    fn prefix(&self) -> usize {
        if self.host.is_empty() {
            // The nickname's limit, user 10, host 63, and ten bytes in reserve.
            return self.nick_limit.max(self.nick.len()) + 10 + 63 + ":!@ ".len() + 10;
        }
        Source { nick: self.nick.clone(), user: self.user.clone(), host: self.host.clone() }.prefix_length()
    }

    /// As others see us: the server tells it with whatever it passes on of ours.
    fn learn(&mut self, source: &Source) {
        if !source.host.is_empty() {
            (self.user, self.host) = (source.user.clone(), source.host.clone());
        }
    }

    fn joined(&mut self, channel: String) -> Happening {
        let membership = self.channels.entry(channel.to_lowercase()).or_default();
        *membership = Membership { joined: true, key: membership.key.take(), ..Membership::default() };
        Happening::Joined(channel)
    }

    fn left(&mut self, channel: &str, why: &str, now: Instant) -> Vec<Happening> {
        if let Some(membership) = self.channels.get_mut(&channel.to_lowercase()) {
            (membership.joined, membership.failed) = (false, true);
            membership.due = Some(now + RETURN);
        }
        vec![Happening::Left(channel.to_owned(), why.to_owned())]
    }

    fn said(&mut self, from: Speaker, to: String, text: String) -> Vec<Happening> {
        let Some(inner) = text.strip_prefix('\x01') else { return vec![Happening::Said { from, to, text }] };
        let inner = inner.strip_suffix('\x01').unwrap_or(inner);
        let (verb, rest) = inner.split_once(' ').unwrap_or((inner, ""));
        match verb {
            "ACTION" => return vec![Happening::Acted { from, to, text: rest.to_owned() }],
            // I-CON-09. They wait their turn like anything else: these, too, can be sent by the hundred.
            "PING" | "VERSION" if self.outbox.len() < 20 => {
                let answer =
                    if verb == "PING" { rest } else { concat!("campanile ", env!("CARGO_PKG_VERSION")) };
                self.push(&from.nick, "NOTICE", answer, &format!("\x01{verb} "), "\x01");
            }
            _ => {}
        }
        Vec::new()
    }

    fn notice(&mut self, from: &str, text: &str) {
        const ANSWERS: [&str; 8] = [
            "identified",
            "recognized",
            "accepted",
            "logged in",
            "incorrect",
            "invalid",
            "not registered",
            "isn't registered",
        ];
        let text = text.to_lowercase();
        if from.eq_ignore_ascii_case("nickserv")
            && self.identifying.is_some()
            && ANSWERS.iter().any(|word| text.contains(word))
        {
            tracing::info!(target = self.settings.name, "NickServ answered: {text}");
            self.identifying = Some(self.heard);
        }
    }

    fn log_in(&mut self, heard: &Heard) -> Vec<Happening> {
        match self.login.take(heard, &self.settings.server) {
            Step::Say(lines) => lines.into_iter().for_each(|line| self.outbox.push_urgent(line)),
            Step::Failed(why) => return vec![Happening::Over(why)],
        }
        Vec::new()
    }

    fn number(&mut self, number: u16, parameters: &[String], heard: &Heard, now: Instant) -> Vec<Happening> {
        let text = parameters.last().map_or("", String::as_str);
        let about = parameters.get(1).map_or("", String::as_str);
        match number {
            1 => return self.sign_on(parameters.first().cloned(), now),
            5 => {
                let limit =
                    parameters.iter().find_map(|feature| feature.strip_prefix("NICKLEN=")?.parse().ok());
                self.nick_limit = limit.unwrap_or(self.nick_limit).clamp(9, 64);
            }
            396 => about.clone_into(&mut self.host),
            // 432 to 437: the nickname can't be had.
            432 | 433 | 436 | 437 if !self.signed_on && !is_channel(about) => {
                match self.login.another_nick(number, &self.nick) {
                    Some(nick) => {
                        self.outbox.push_urgent(format!("NICK {nick}"));
                        self.nick = nick;
                    }
                    None => {
                        return vec![Happening::Over(format!(
                            "no nickname like `{}` can be had: {text}",
                            self.nick
                        ))];
                    }
                }
            }
            464 | 465 => {
                return vec![Happening::Over(format!(
                    "the server refused us ({number}): {text}; check `server_password`"
                ))];
            }
            900 if self.identifying.is_some() => self.identifying = Some(now),
            902..=908 => return self.log_in(heard),
            403 | 405 | 437 | 471..=477 | 489
                if self.channels.contains_key(&about.to_lowercase())
                    && !self.reaches(&about.to_lowercase()) =>
            {
                if let Some(membership) = self.channels.get_mut(&about.to_lowercase()) {
                    membership.due = Some(now + RETURN_AGAIN);
                    membership.failed = true;
                }
                return vec![Happening::Left(
                    about.to_owned(),
                    format!("it cannot be joined ({number}): {text}"),
                )];
            }
            401 | 403 | 404 | 411 | 412 | 442 | 477 | 531 => {
                return vec![Happening::Refused(about.to_lowercase(), format!("{about}: {text} ({number})"))];
            }
            _ => {}
        }
        Vec::new()
    }

    fn sign_on(&mut self, nick: Option<String>, now: Instant) -> Vec<Happening> {
        if self.signed_on {
            return Vec::new();
        }
        self.signed_on = true;
        if let Some(nick) = nick {
            self.nick = nick;
        }
        match &self.settings.server.password {
            Some(password) if !self.login.has_proven() => {
                self.outbox.push_urgent(format!("PRIVMSG Nickserv :IDENTIFY {}", password.expose()));
                self.identifying = Some(now + IDENTIFYING);
            }
            _ => self.join_all(now),
        }
        vec![Happening::SignedOn(self.nick.clone())]
    }

    fn be_on_time(&mut self, now: Instant) {
        if self.identifying.is_some_and(|until| now >= until) {
            self.identifying = None;
            self.join_all(now);
        }
        for (name, membership) in &mut self.channels {
            if !self.signed_on || self.identifying.is_some() || membership.due.is_none_or(|due| due > now) {
                continue;
            }
            let key = membership.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            self.outbox.push(format!("JOIN {name}{key}"));
            // Should no answer come, it is tried again.
            membership.failed |= membership.tries > 0;
            membership.due = Some(now + if membership.tries == 0 { RETURN } else { RETURN_AGAIN });
            membership.tries += 1;
        }
        if self.asked.is_none() && now >= self.heard + QUIET {
            self.outbox.push_urgent("PING :alive".to_owned());
            self.asked = Some(now);
        }
    }
}
