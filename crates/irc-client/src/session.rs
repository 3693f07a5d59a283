//! One connection's side of the protocol: registration, channels, signs of life, messages and what becomes of them. Pure:
//! lines and the time go in, lines and events come out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use campanile_config::Secret;
use campanile_outbound::limits::IRC_WELCOME;
use tokio::time::Instant;

use crate::channels::Channels;
use crate::event::{OutgoingMessage, Refusal, SessionEvent};
use crate::formatting::without_formatting;
use crate::message::{Prefix, ServerCommand, ServerMessage, encode, is_channel, same_name};
use crate::outbox::{Outbox, OutboxFull, Ticket};
use crate::registration::{Registration, Step};
use crate::settings::{AccountAuth, Channel, ClientSettings};
use crate::split::{room, split};

/// Without a line of the server's for this long, it is asked for a sign of life (I-CON-08).
const QUIET: Duration = Duration::from_secs(60);
/// Without an answer for this long, the connection is lost (I-CON-08). TCP alone would notice after a quarter of an hour,
/// or, with nothing to send, never.
const LOST: Duration = Duration::from_secs(120);
/// Limit for NickServ's answer, before channels are joined without it (I-CON-05).
const NICKSERV_TIMEOUT: Duration = Duration::from_secs(5);
/// CTCP requests are not answered while so many lines wait.
const CTCP_BACKLOG: usize = 20;

/// A session, from the first line of the registration until the connection is over.
pub struct Session {
    settings: Arc<ClientSettings>,
    /// Texts that the server is told and may repeat.
    told: Vec<Secret>,
    registration: Registration,
    /// We, as others see us; user and host are empty until the server has told them.
    own: Prefix,
    nick_limit: usize,
    registered: bool,
    /// NickServ is waited for until then.
    awaiting_nickserv: Option<Instant>,
    channels: Channels,
    outbox: Outbox,
    last_ticket: Ticket,
    /// Deliveries that have not arrived, with those recipients that are known by now not to get them.
    in_flight: BTreeMap<Ticket, Vec<Refusal>>,
    began: Instant,
    last_received: Instant,
    /// Time of the PING that asks for a sign of life.
    keepalive_sent: Option<Instant>,
}

impl Session {
    /// A session on a connection that has just been made. `more_channels` are wanted besides those of the settings.
    pub(crate) fn new(settings: Arc<ClientSettings>, more_channels: &[String], now: Instant) -> Self {
        let mut session = Self {
            registration: Registration::new(&settings.server),
            own: Prefix { nick: settings.server.nick.clone(), ..Prefix::default() },
            nick_limit: 9,
            registered: false,
            awaiting_nickserv: None,
            channels: Channels::default(),
            outbox: Outbox::new(settings.rate, now),
            last_ticket: 0,
            in_flight: BTreeMap::new(),
            began: now,
            last_received: now,
            keepalive_sent: None,
            told: settings.told(),
            settings,
        };
        for line in session.registration.first_lines(&session.settings.server) {
            session.outbox.push_urgent(line);
        }
        session.want_channels();
        more_channels.iter().for_each(|name| session.channels.want_also(name));
        session
    }

    /// Our nickname: the one that was asked for until the server gives one.
    #[must_use]
    pub fn nick(&self) -> &str {
        &self.own.nick
    }

    /// Says whether every channel has been joined, or tried in vain: only then it is known who can be reached, and
    /// nothing is refused just because it came a second too early.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_ready() && self.channels.are_settled()
    }

    /// Says whether what is sent there would arrive: at any nickname, as far as we know, and in channels that we are
    /// in. Takes a lower-cased name.
    #[must_use]
    pub fn reaches(&self, recipient: &str) -> bool {
        self.is_ready() && (!is_channel(recipient) || self.channels.is_joined(recipient))
    }

    /// Bytes of text that fit into one line to this recipient.
    #[must_use]
    pub fn room_for(&self, recipient: &str) -> usize {
        room(self.prefix_length(), self.verb(recipient), recipient)
    }

    /// Queues a message whose arrival does not matter, in lines that fit (I-OUT-02 to I-OUT-05).
    ///
    /// # Errors
    /// With the reason, for people, if there is no room for it.
    pub fn send(&mut self, to: &str, message: &OutgoingMessage) -> Result<(), String> {
        let lines = self.lines_of(to, message);
        self.outbox.check_room(&lines).map_err(|full| full.to_string())?;
        lines.into_iter().for_each(|line| self.outbox.push(line));
        Ok(())
    }

    /// Queues messages by recipient, lower-cased, as one delivery. A [`SessionEvent::Delivered`] with the ticket follows
    /// when the server has worked on them all, also if nobody can be reached; none if the connection is lost before.
    pub fn deliver<'m>(
        &mut self,
        messages: impl IntoIterator<Item = (&'m str, &'m [OutgoingMessage])>,
    ) -> Ticket {
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        let mut refused = Vec::new();
        for (recipient, messages) in messages {
            let lines: Vec<_> =
                messages.iter().flat_map(|message| self.lines_of(recipient, message)).collect();
            let (reason, passes) = if !self.reaches(recipient) {
                (format!("the bot is not in {recipient}"), self.channels.contains(recipient))
            } else if let Err(full) = self.outbox.check_room(&lines) {
                (format!("{recipient}: {full}"), matches!(full, OutboxFull::Now { .. }))
            } else {
                lines.into_iter().for_each(|line| self.outbox.push_of(ticket, line));
                continue;
            };
            refused.push(Refusal { recipient: recipient.to_owned(), reason, passes });
        }
        self.outbox.end(ticket);
        self.in_flight.insert(ticket, refused);
        ticket
    }

    /// Says why these messages have to wait until others have gone out, if they have to.
    pub fn lacks_room<'m>(
        &self,
        messages: impl IntoIterator<Item = (&'m str, &'m [OutgoingMessage])>,
    ) -> Option<String> {
        let messages = messages.into_iter().filter(|(recipient, _)| self.reaches(recipient));
        let lines = messages
            .flat_map(|(recipient, messages)| messages.iter().flat_map(|one| self.lines_of(recipient, one)));
        let full = self.outbox.check_room(&lines.collect::<Vec<_>>()).err()?;
        // What never has room as a whole goes out in parts, but behind all that waits.
        (self.outbox.len() > 0).then(|| full.to_string())
    }

    /// Takes back what has not gone out of a delivery that nobody waits for any more.
    pub fn withdraw(&mut self, ticket: Ticket) {
        self.outbox.withdraw(ticket);
    }

    /// Joins a channel that is not in the settings, and keeps to it until [`part`](Self::part).
    pub fn join(&mut self, channel: &str, now: Instant) {
        self.channels.want_now(channel, now);
    }

    /// Leaves a channel.
    pub fn part(&mut self, channel: &str) {
        self.channels.remove(channel);
        self.outbox.push(format!("PART {channel}"));
    }

    /// Takes up settings that leave the connection as it is (I-CFG-21): leaves channels that are listed no more, joins
    /// those that are new. What they say of the server counts from the next connection on.
    pub fn reconfigure(&mut self, settings: Arc<ClientSettings>, now: Instant) {
        self.outbox.set_rate(settings.rate);
        let listed = |settings: &ClientSettings, name: &str| {
            settings.channels.iter().any(|channel| channel.name.to_lowercase() == name)
        };
        // Channels that people had us join were never listed, and stay.
        let dropped =
            self.channels.names().filter(|name| listed(&self.settings, name) && !listed(&settings, name));
        let dropped: Vec<String> = dropped.cloned().collect();
        for name in dropped {
            self.part(&name);
        }
        self.told = settings.told();
        self.settings = settings;
        self.want_channels();
        if self.is_ready() {
            self.channels.join_all(now);
        }
    }

    /// Takes a line of the server's.
    pub(crate) fn receive(&mut self, message: ServerMessage, now: Instant) -> Vec<SessionEvent> {
        let events = self.take(message, now);
        events.into_iter().map(|event| event.masked(&self.told)).collect()
    }

    fn take(&mut self, message: ServerMessage, now: Instant) -> Vec<SessionEvent> {
        // Any line is a sign of life, not only the PONG that was asked for.
        (self.last_received, self.keepalive_sent) = (now, None);
        let ServerMessage { prefix: from, command } = message;
        let ours = same_name(&from.nick, &self.own.nick);
        if ours {
            self.learn_own_prefix(&from);
        }
        match command {
            ServerCommand::Ping(token) => {
                self.outbox.push_urgent(format!("PONG :{token}"));
                Vec::new()
            }
            ServerCommand::Pong(token) => self.delivered(&token),
            // Forwarded, or put there by an operator: names and authors of builds are not for strangers.
            ServerCommand::Join(channel) if ours && !self.channels.contains(&channel) => {
                self.outbox.push_urgent(format!("PART {channel}"));
                let reason = "nobody asked for it: the server put the bot there".to_owned();
                vec![SessionEvent::Left { channel, reason }]
            }
            ServerCommand::Join(channel) if ours => {
                self.channels.joined(&channel);
                vec![SessionEvent::Joined { channel }]
            }
            ServerCommand::Part(channel) if ours => self.left(channel, "it was left".to_owned(), now),
            ServerCommand::Kick(channel, nick, reason) if same_name(&nick, &self.own.nick) => {
                self.left(channel, format!("{} threw the bot out: {reason}", from.nick), now)
            }
            ServerCommand::Nick(nick) if ours => {
                self.own.nick = nick;
                Vec::new()
            }
            ServerCommand::ChgHost(user, host) if ours => {
                (self.own.user, self.own.host) = (user, host);
                Vec::new()
            }
            ServerCommand::Privmsg(to, text) => self.message(from, to, text),
            ServerCommand::Notice(text) => self.notice(&from.nick, &text, now),
            ServerCommand::Error(reason) => closed(format!("the server said: {reason}")),
            ServerCommand::CapAck(_) | ServerCommand::CapNak(_) | ServerCommand::Authenticate(_) => {
                self.authenticate(&command)
            }
            ServerCommand::Numeric(902..=908, _) => self.authenticate(&command),
            ServerCommand::Numeric(numeric, parameters) => self.numeric(numeric, parameters, now),
            _ => Vec::new(),
        }
    }

    /// The next line to send, if one may go now, its end included. Sees to signs of life and channels that are due.
    pub(crate) fn next_line(&mut self, now: Instant) -> Option<String> {
        self.queue_due(now);
        self.outbox.next(now).map(|text| encode(&text))
    }

    /// Time at which `next_line` may have something that it has not now.
    pub(crate) fn due(&self) -> Instant {
        let quiet = self.keepalive_sent.map_or(self.last_received + QUIET, |sent| sent + LOST);
        // Channels wait for the registration, however long they have been due.
        let joins = if self.is_ready() { self.channels.due() } else { None };
        joins
            .into_iter()
            .chain(self.welcome_due())
            .chain(self.awaiting_nickserv)
            .chain(self.outbox.due())
            .fold(quiet, Instant::min)
    }

    /// Says whether the connection counts as lost by now, though nothing has told so.
    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        self.keepalive_sent.is_some_and(|sent| now >= sent + LOST)
            || self.welcome_due().is_some_and(|due| now >= due)
    }

    /// Time without a sign of life after which it is lost.
    pub(crate) fn silence(&self) -> Duration {
        if self.registered { QUIET.saturating_add(LOST) } else { IRC_WELCOME }
    }

    /// Time by which the server must have welcomed us, until it has.
    fn welcome_due(&self) -> Option<Instant> {
        (!self.registered).then(|| self.began + IRC_WELCOME)
    }

    /// Says whether the server has taken us, and channels may be joined.
    fn is_ready(&self) -> bool {
        self.registered && self.awaiting_nickserv.is_none()
    }

    fn want_channels(&mut self) {
        for Channel { name, key } in &self.settings.channels {
            self.channels.want(name, key.as_ref().map(|key| key.expose().to_owned()));
        }
    }

    /// The command for texts to this recipient (I-OUT-02).
    fn verb(&self, to: &str) -> &'static str {
        if self.settings.notice_on_channel && is_channel(to) { "NOTICE" } else { "PRIVMSG" }
    }

    /// The lines of a message, each with its recipient.
    fn lines_of(&self, to: &str, message: &OutgoingMessage) -> Vec<String> {
        let plain = |text: &str| {
            if self.channels.has_colours(to) { text.to_owned() } else { without_formatting(text) }
        };
        match message {
            OutgoingMessage::Action(text) => self.lines(to, "PRIVMSG", &plain(text), "\x01ACTION ", "\x01"),
            OutgoingMessage::Text(text) => {
                let (verb, text) = (self.verb(to), plain(text));
                text.lines().flat_map(|text| self.lines(to, verb, text, "", "")).collect()
            }
        }
    }

    fn lines(&self, to: &str, verb: &str, text: &str, before: &str, after: &str) -> Vec<String> {
        let room = room(self.prefix_length(), verb, to).saturating_sub(before.len() + after.len());
        let pieces = split(text, room).into_iter();
        pieces.map(|piece| format!("{verb} {to} :{before}{piece}{after}")).collect()
    }

    /// Bytes that others see before a line of ours (I-OUT-05): the server puts our prefix in front when it passes a line
    /// on, and cuts what is too long then, which we would never see.
    fn prefix_length(&self) -> usize {
        if self.own.host.is_empty() {
            // The nickname's limit, user 10, host 63, and ten bytes in reserve.
            return self.nick_limit.max(self.own.nick.len()) + 10 + 63 + ":!@ ".len() + 10;
        }
        self.own.length()
    }

    /// Takes over what others see of us, which the server tells with whatever it passes on of ours, such as a JOIN.
    fn learn_own_prefix(&mut self, prefix: &Prefix) {
        if !prefix.host.is_empty() {
            (self.own.user, self.own.host) = (prefix.user.clone(), prefix.host.clone());
        }
    }

    fn delivered(&mut self, token: &str) -> Vec<SessionEvent> {
        let arrived = self.outbox.take_arrived(token).into_iter();
        arrived
            .map(|ticket| {
                let mut refused = self.in_flight.remove(&ticket).unwrap_or_default();
                // Thrown out meanwhile: what the server did not pass on for that waits for our return.
                for Refusal { recipient, passes, .. } in &mut refused {
                    *passes |= self.channels.contains(recipient) && !self.reaches(recipient);
                }
                SessionEvent::Delivered { ticket, refused }
            })
            .collect()
    }

    /// Notes a refusal with all deliveries that it can be of. A numeric names the recipient, not the line, so those that
    /// are under way to the same recipient share it; what has not been sent yet cannot have been refused.
    fn refused(&mut self, refusal: Refusal) -> Vec<SessionEvent> {
        // Of the message after the last that was sent wholly, some lines may be out.
        let sent = self.outbox.sent_up_to() + 1;
        for refused in self.in_flight.range_mut(..=sent).map(|(_, refused)| refused) {
            refused.push(refusal.clone());
        }
        vec![SessionEvent::Refused(refusal)]
    }

    fn left(&mut self, channel: String, reason: String, now: Instant) -> Vec<SessionEvent> {
        self.channels.left(&channel, now);
        vec![SessionEvent::Left { channel, reason }]
    }

    fn message(&mut self, from: Prefix, to: String, text: String) -> Vec<SessionEvent> {
        let Some(inner) = text.strip_prefix('\x01') else {
            return vec![SessionEvent::Message { from, to, text }];
        };
        let inner = inner.strip_suffix('\x01').unwrap_or(inner);
        let (verb, rest) = inner.split_once(' ').unwrap_or((inner, ""));
        match verb {
            "ACTION" => return vec![SessionEvent::Action { from, to, text: rest.to_owned() }],
            // I-CON-09. They wait their turn like anything else, and not many of them: sent by the hundred, they would
            // keep announcements from going out, or have the server throw us out for flooding.
            "PING" | "VERSION" if self.outbox.len() < CTCP_BACKLOG => {
                let answer = if verb == "PING" { rest.to_owned() } else { self.settings.version.clone() };
                let lines = self.lines(&from.nick, "NOTICE", &answer, &format!("\x01{verb} "), "\x01");
                lines.into_iter().for_each(|line| self.outbox.push(line));
            }
            _ => {}
        }
        Vec::new()
    }

    /// Hears whether NickServ has answered. There is no protocol for that, so the words that services use must do; what
    /// none of them is in, such as a greeting, is not the answer, and after five seconds it does not matter any more.
    fn notice(&mut self, from: &str, text: &str, now: Instant) -> Vec<SessionEvent> {
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
        let answers = from.eq_ignore_ascii_case("nickserv")
            && self.awaiting_nickserv.is_some()
            && ANSWERS.iter().any(|word| text.contains(word));
        if !answers {
            return Vec::new();
        }
        self.awaiting_nickserv = Some(now);
        vec![SessionEvent::NickServReplied { text }]
    }

    fn authenticate(&mut self, command: &ServerCommand) -> Vec<SessionEvent> {
        match self.registration.receive(command, &self.settings.server) {
            Step::Send(lines) => lines.into_iter().for_each(|line| self.outbox.push_urgent(line)),
            Step::Failed(reason) => return closed(reason),
        }
        Vec::new()
    }

    fn numeric(&mut self, numeric: u16, parameters: Vec<String>, now: Instant) -> Vec<SessionEvent> {
        let text = parameters.last().map_or("", String::as_str);
        let about = parameters.get(1).map_or("", String::as_str);
        match numeric {
            1 => return self.register(parameters.into_iter().next(), now),
            5 => {
                let limit =
                    parameters.iter().find_map(|feature| feature.strip_prefix("NICKLEN=")?.parse().ok());
                self.nick_limit = limit.unwrap_or(self.nick_limit).clamp(9, 64);
            }
            396 => about.clone_into(&mut self.own.host),
            // The nickname can't be had. 437 is also said of channels.
            432 | 433 | 436 | 437 if !self.registered && !is_channel(about) => {
                let Some(nick) = self.registration.another_nick(numeric, &self.own.nick) else {
                    return closed(format!("no nickname like `{}` can be had: {text}", self.own.nick));
                };
                self.outbox.push_urgent(format!("NICK {nick}"));
                self.own.nick = nick;
            }
            464 | 465 => {
                return closed(format!("the server refused us ({numeric}): {text}; check `server_password`"));
            }
            900 if self.awaiting_nickserv.is_some() => self.awaiting_nickserv = Some(now),
            470 if self.channels.contains(about) => {
                self.channels.refused(about, now);
                let to = parameters.get(2).map_or("another channel", String::as_str);
                let reason = format!(
                    "it forwards to {to}: {text} (470); name the channel that is meant in `channels`"
                );
                return vec![SessionEvent::Left { channel: about.to_owned(), reason }];
            }
            // The same numbers are said of a JOIN and of a message, so it counts whether we are in.
            403 | 405 | 437 | 471..=477 | 489
                if self.channels.contains(about) && !self.reaches(&about.to_lowercase()) =>
            {
                self.channels.refused(about, now);
                let reason = format!("it cannot be joined ({numeric}): {text}");
                return vec![SessionEvent::Left { channel: about.to_owned(), reason }];
            }
            404 | 408 if is_about_colours(numeric, text) && self.channels.take_colours(about) => {
                let reason = format!(
                    "{about}: {text} ({numeric}): said again without colours; `use_colors = false` never sends any"
                );
                return self.refused(Refusal { recipient: about.to_lowercase(), reason, passes: true });
            }
            401 | 403 | 404 | 408 | 411 | 412 | 442 | 477 | 531 => {
                let reason = format!("{about}: {text} ({numeric})");
                return self.refused(Refusal { recipient: about.to_lowercase(), reason, passes: false });
            }
            _ => {}
        }
        Vec::new()
    }

    /// The server has taken us. The name that it greets us by counts, whatever was asked for: some cut long ones.
    fn register(&mut self, nick: Option<String>, now: Instant) -> Vec<SessionEvent> {
        if self.registered {
            return Vec::new();
        }
        self.registered = true;
        if let Some(nick) = nick {
            self.own.nick = nick;
        }
        match &self.settings.server.auth {
            // Also where SASL was asked for and the server, which knows of no capabilities, did not answer. Channels for
            // registered people let us in only after that, so joining waits for NickServ (I-CON-05).
            AccountAuth::NickServ(password) | AccountAuth::SaslPlain(password)
                if !self.registration.is_authenticated() =>
            {
                self.outbox.push_urgent(format!("PRIVMSG Nickserv :IDENTIFY {}", password.expose()));
                self.awaiting_nickserv = Some(now + NICKSERV_TIMEOUT);
            }
            _ => self.channels.join_all(now),
        }
        vec![SessionEvent::Registered { nick: self.own.nick.clone() }]
    }

    fn queue_due(&mut self, now: Instant) {
        if self.awaiting_nickserv.is_some_and(|until| now >= until) {
            self.awaiting_nickserv = None;
            self.channels.join_all(now);
        }
        if self.is_ready() {
            self.channels.take_due(now).into_iter().for_each(|line| self.outbox.push(line));
        }
        if self.keepalive_sent.is_none() && now >= self.last_received + QUIET {
            self.outbox.push_urgent("PING :alive".to_owned());
            self.keepalive_sent = Some(now);
        }
    }
}

/// Servers have no number of their own for a channel that takes no colours (mode +c); some say 404, some 408.
fn is_about_colours(numeric: u16, text: &str) -> bool {
    let text = text.to_lowercase();
    numeric == 408 || ["+c", "colo", "control code"].iter().any(|words| text.contains(words))
}

fn closed(reason: String) -> Vec<SessionEvent> {
    vec![SessionEvent::Closed { reason }]
}
