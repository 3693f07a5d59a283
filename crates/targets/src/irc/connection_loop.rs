//! Keeps a bot connected: one task that connects, talks, and connects again (I-RC-01 to I-RC-04).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use campanile_irc::{
    Backoff, Client, Connection, ConnectionError, OutgoingMessage, Session, SessionEvent, Ticket,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::bot::{Bot, BotCommand, Delivery, DeliveryReport, Messages};
use super::commands::CommandListener;
use super::digest::digest;
use super::settings::IrcSettings;

const GOODBYE: &str = "buildmaster reconfigured: bot disconnecting";

/// End of a connection, or of the attempt.
enum End {
    /// The bot is to end.
    Stopped,
    /// The settings name another server, or another identity there.
    Moved,
    /// It never came to be, for this reason.
    Failed(String),
    /// The server had taken us; then it was over, for this reason.
    Lost(String),
}

/// Connects and talks until the bot is stopped.
pub(super) async fn run(
    bot: Arc<Bot>,
    mut commands: mpsc::Receiver<BotCommand>,
    mut settings: watch::Receiver<Arc<IrcSettings>>,
) {
    let mut backoff = Backoff::drawn();
    loop {
        let current = Arc::clone(&settings.borrow_and_update());
        let began = Instant::now();
        let end = connect_and_talk(&bot, Arc::clone(&current), &mut commands, &mut settings).await;
        bot.set_nick(None);
        let (wait, reason) = match end {
            End::Stopped => return,
            End::Moved => continue,
            End::Failed(reason) => (backoff.after_failure(current.delays), reason),
            End::Lost(reason) => (backoff.after_session(began.elapsed(), current.delays), reason),
        };
        tracing::warn!(
            target = current.name,
            network = current.network(),
            port = current.client.server.port,
            retry_in = ?wait,
            "IRC connection is down: {reason}"
        );
        if !wait_out(&bot, wait, &reason, &current, &mut commands, &mut settings).await {
            return;
        }
    }
}

/// Words of a connection's error, with the keys to look at.
pub(super) fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Tls(_) => {
            format!("{error}; check its certificate, `host`, `port` and `tls_ca`")
        }
        _ => error.to_string(),
    }
}

/// Waits; commands come to nothing meanwhile. Settings of another server cut it short. False if the bot is to end.
async fn wait_out(
    bot: &Bot,
    wait: Duration,
    reason: &str,
    current: &IrcSettings,
    commands: &mut mpsc::Receiver<BotCommand>,
    settings: &mut watch::Receiver<Arc<IrcSettings>>,
) -> bool {
    let until = Instant::now() + wait;
    loop {
        tokio::select! {
            () = sleep_until(until) => return true,
            command = commands.recv() => if refuse(bot, command, reason) { return false },
            changed = settings.changed() => {
                if changed.is_err() { return false }
                if !settings.borrow().same_connection(current) { return true }
            }
        }
    }
}

/// Answers a command without a connection. True if the bot is to end.
///
/// Deliveries fail at once rather than wait: they are stored, and the engine has them tried again when the bot is back.
fn refuse(bot: &Bot, command: Option<BotCommand>, reason: &str) -> bool {
    match command {
        None | Some(BotCommand::Stop) => return true,
        Some(BotCommand::Deliver(deliveries)) => refuse_all(deliveries, reason),
        Some(BotCommand::Part(channel)) => bot.contacts().forget(&channel.to_lowercase()),
        Some(BotCommand::Say(..) | BotCommand::Join(_)) => {}
    }
    false
}

fn refuse_all(deliveries: Vec<Delivery>, reason: &str) {
    for delivery in deliveries {
        report(delivery.done, DeliveryReport::Down(reason.to_owned()));
    }
}

fn report(done: oneshot::Sender<DeliveryReport>, report: DeliveryReport) {
    // Whoever asked may have given up waiting.
    let _ = done.send(report);
}

async fn connect_and_talk(
    bot: &Arc<Bot>,
    settings: Arc<IrcSettings>,
    commands: &mut mpsc::Receiver<BotCommand>,
    changes: &mut watch::Receiver<Arc<IrcSettings>>,
) -> End {
    let mut connecting = std::pin::pin!({
        let settings = Arc::clone(&settings);
        async move { Connection::open(&settings.client.server).await }
    });
    let connection = loop {
        tokio::select! {
            opened = &mut connecting => match opened {
                Ok(connection) => break connection,
                Err(error) => return End::Failed(describe(&error)),
            },
            // A stop cancels the attempt (I-RC-04).
            command = commands.recv() => {
                if refuse(bot, command, "it is being connected") { return End::Stopped }
            }
            changed = changes.changed() => {
                if changed.is_err() { return End::Stopped }
                return End::Moved;
            }
        }
    };
    // Asked only now: while it connected, people could have had us leave one.
    let more_channels = bot.contacts().joined_by_command();
    let mut connected = Connected {
        listener: CommandListener::new(bot),
        client: Client::new(connection, Arc::clone(&settings.client), &more_channels),
        bot: Arc::clone(bot),
        settings,
        in_flight: HashMap::new(),
        registered: false,
        was_settled: false,
    };
    let end = connected.talk(commands, changes).await;
    bot.set_connected(None);
    connected.client.close().await;
    end
}

/// Deliveries under way that are proven by one receipt: for each, its recipients and who waits for the report.
type InFlight = Vec<(Vec<String>, oneshot::Sender<DeliveryReport>)>;

/// A connection at work.
struct Connected {
    bot: Arc<Bot>,
    settings: Arc<IrcSettings>,
    client: Client,
    listener: CommandListener,
    /// Dropped with the connection, which tells all that wait that it was lost.
    in_flight: HashMap<Ticket, InFlight>,
    registered: bool,
    was_settled: bool,
}

impl Connected {
    async fn talk(
        &mut self,
        commands: &mut mpsc::Receiver<BotCommand>,
        changes: &mut watch::Receiver<Arc<IrcSettings>>,
    ) -> End {
        loop {
            self.withdraw_abandoned();
            if let Err(error) = self.client.send_due().await {
                return self.over(describe(&error));
            }
            if !self.was_settled && self.client.session().is_settled() {
                self.was_settled = true;
                self.bot.set_connected(Some(Instant::now()));
                // What failed while there was no connection would otherwise wait out its backoff.
                (self.bot.context().retry_now)();
            }
            tokio::select! {
                events = self.client.next_events() => match events {
                    Ok(events) => {
                        for event in events {
                            if let Some(reason) = self.handle(event) {
                                return self.over(reason);
                            }
                        }
                    }
                    Err(error) => return self.over(describe(&error)),
                },
                command = commands.recv() => match command {
                    None | Some(BotCommand::Stop) => {
                        self.client.quit(GOODBYE).await;
                        return End::Stopped;
                    }
                    Some(command) => self.obey(command),
                },
                changed = changes.changed() => {
                    if changed.is_err() { return End::Stopped }
                    let settings = Arc::clone(&changes.borrow_and_update());
                    if !settings.same_connection(&self.settings) {
                        self.client.quit(GOODBYE).await;
                        return End::Moved;
                    }
                    self.settings = Arc::clone(&settings);
                    self.session().reconfigure(Arc::clone(&settings.client), Instant::now());
                }
            }
        }
    }

    fn session(&mut self) -> &mut Session {
        self.client.session_mut()
    }

    /// An attempt that ended before the server took us has failed, however well the connection was: its wait is longer.
    fn over(&self, reason: String) -> End {
        if self.registered { End::Lost(reason) } else { End::Failed(reason) }
    }

    /// Handles an event; gives a reason if the session is over.
    fn handle(&mut self, event: SessionEvent) -> Option<String> {
        let (target, network) = (&self.settings.name, self.settings.network());
        match event {
            SessionEvent::Registered { nick } => {
                self.registered = true;
                tracing::info!(target, network, nick, "IRC session registered");
            }
            SessionEvent::NickServReplied { text } => {
                tracing::info!(target, network, "IRC account: NickServ replied: {text}");
            }
            SessionEvent::Joined { channel } => {
                tracing::info!(target, network, channel, "IRC channel joined");
                let settings = Arc::clone(&self.settings);
                self.bot.contacts().heard_of(&channel.to_lowercase(), &settings, Instant::now());
            }
            SessionEvent::Left { channel, reason } => {
                tracing::warn!(target, network, channel, "IRC channel left: {reason}");
            }
            SessionEvent::Message { from, to, text } => self.listener.message(from, &to, text),
            SessionEvent::Action { from, to, text } => self.listener.action(from, &to, text),
            SessionEvent::Delivered { ticket, refused } => {
                let server = format!("{}:{}", network, self.settings.client.server.port);
                for (recipients, done) in self.in_flight.remove(&ticket).unwrap_or_default() {
                    let refused =
                        refused.iter().filter(|refusal| recipients.contains(&refusal.recipient)).cloned();
                    let refused = refused.collect();
                    report(done, DeliveryReport::Arrived { server: server.clone(), refused });
                }
            }
            SessionEvent::Refused(refusal) => {
                let recipient = refusal.recipient;
                tracing::warn!(target, network, recipient, "IRC message not passed on: {}", refusal.reason);
            }
            SessionEvent::Closed { reason } => return Some(reason),
        }
        // After every event: any of them may have come with another nickname.
        self.bot.set_nick(self.registered.then(|| self.client.session().nick().to_owned()));
        None
    }

    fn obey(&mut self, command: BotCommand) {
        match command {
            BotCommand::Say(contact, messages) => {
                if self.client.session().reaches(&contact) {
                    self.say(&contact, &messages);
                }
            }
            BotCommand::Deliver(deliveries) => self.deliver(deliveries),
            BotCommand::Join(channel) => self.session().join(&channel, Instant::now()),
            BotCommand::Part(channel) => {
                self.session().part(&channel);
                self.bot.contacts().forget(&channel.to_lowercase());
            }
            // Handled by whoever takes commands.
            BotCommand::Stop => {}
        }
    }

    fn say(&mut self, contact: &str, messages: &[OutgoingMessage]) {
        for message in messages {
            if let Err(full) = self.session().send(contact, message) {
                let (target, network) = (&self.settings.name, self.settings.network());
                return tracing::warn!(target, network, recipient = contact, "IRC reply left out: {full}");
            }
        }
    }

    /// Takes back what has not been said of deliveries whose attempts are over: they will be tried again, and by then it
    /// would be said twice.
    fn withdraw_abandoned(&mut self) {
        let is_abandoned = |of: &InFlight| !of.is_empty() && of.iter().all(|(_, done)| done.is_closed());
        let abandoned = self.in_flight.iter().filter(|(_, of)| is_abandoned(of));
        let abandoned: Vec<_> = abandoned.map(|(ticket, _)| *ticket).collect();
        for ticket in abandoned {
            self.in_flight.remove(&ticket);
            self.session().withdraw(ticket);
        }
    }

    fn deliver(&mut self, mut missed: Vec<Delivery>) {
        // Before that, a channel that is about to be joined would count as one that cannot be reached, for good.
        if !self.client.session().is_settled() {
            return refuse_all(missed, "its channels are being joined");
        }
        let of_now = missed.iter().take_while(|delivery| delivery.missed).count();
        let of_now = missed.split_off(of_now);
        if !missed.is_empty() {
            self.deliver_missed(missed);
        }
        let mut of_now = of_now.into_iter();
        while let Some(delivery) = of_now.next() {
            if let Some(full) = self.client.session().lacks_room(by_recipient(&delivery.messages)) {
                let (target, network) = (&self.settings.name, self.settings.network());
                tracing::info!(target, network, "IRC announcements wait in the store: {full}");
                // Nothing of what is behind it goes out before it.
                return refuse_all(std::iter::once(delivery).chain(of_now).collect(), &full);
            }
            self.deliver_one(delivery);
        }
    }

    fn deliver_one(&mut self, delivery: Delivery) {
        let ticket = self.session().deliver(by_recipient(&delivery.messages));
        self.in_flight.insert(ticket, vec![(recipients(delivery.messages), delivery.done)]);
    }

    /// Sums up for each recipient what it has missed (I-RC-05). A delivery of which some recipient is told something
    /// arrives with the sum; one that is left out everywhere is over.
    fn deliver_missed(&mut self, missed: Vec<Delivery>) {
        let mut by_recipient: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
        for (place, delivery) in missed.iter().enumerate() {
            for (recipient, messages) in &delivery.messages {
                let texts = messages.iter().map(|message| (place, message.text()));
                by_recipient.entry(recipient).or_default().extend(texts);
            }
        }
        let mut sums: Vec<(&str, Vec<OutgoingMessage>)> = Vec::new();
        let mut told = vec![false; missed.len()];
        for (recipient, texts) in by_recipient {
            let all: Vec<&str> = texts.iter().map(|(_, text)| *text).collect();
            let digest = digest(&all, self.client.session().room_for(recipient));
            // Who cannot be reached is told nothing, which is to be reported of all of it, not of the newest only.
            let reached = self.client.session().reaches(recipient);
            let left_out = if reached { digest.left_out } else { 0 };
            for (place, _) in texts.into_iter().skip(left_out) {
                told.get_mut(place).into_iter().for_each(|told| *told = true);
            }
            sums.push((recipient, digest.lines.into_iter().map(OutgoingMessage::Text).collect()));
        }
        let ticket = self.client.session_mut().deliver(sums.iter().map(|(to, sum)| (*to, sum.as_slice())));
        let mut in_flight = InFlight::new();
        for (delivery, told) in missed.into_iter().zip(told) {
            if told || delivery.messages.is_empty() {
                in_flight.push((recipients(delivery.messages), delivery.done));
            } else {
                report(delivery.done, DeliveryReport::LeftOut);
            }
        }
        self.in_flight.insert(ticket, in_flight);
    }
}

fn by_recipient(messages: &Messages) -> impl Iterator<Item = (&str, &[OutgoingMessage])> {
    messages.iter().map(|(recipient, messages)| (recipient.as_str(), messages.as_slice()))
}

fn recipients(messages: Vec<(String, Vec<OutgoingMessage>)>) -> Vec<String> {
    messages.into_iter().map(|(recipient, _)| recipient).collect()
}
