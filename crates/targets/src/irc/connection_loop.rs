//! Keeps a bot connected: one task that connects, talks, and connects again (I-RC-01 to I-RC-04).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::backoff::Backoff;
use super::bot::{Arrival, Bot, News, Order};
use super::commands;
use super::connection::Connection;
use super::missed::digest;
use super::outbox::Ticket;
use super::settings::IrcSettings;
use super::talk::{Happening, Saying, Talk};

/// What the last connection came to.
enum End {
    /// The bot is to end.
    Stopped,
    /// The settings name another server, or another name there.
    Moved,
    /// It never came to be, and why.
    Failed(String),
    /// The server had taken us; then it was over, and why.
    Lost(String),
}

/// Messages on their way, which arrive together.
#[derive(Default)]
struct UnderWay {
    /// For whom each of them is, and who waits to hear of it.
    messages: Vec<(Vec<String>, oneshot::Sender<Arrival>)>,
    /// Contacts that the server does not pass on to, and why.
    refused: Vec<(String, String)>,
}

impl UnderWay {
    fn arrived(self, server: &str) {
        for (contacts, done) in self.messages {
            let refused =
                self.refused.iter().filter(|(contact, _)| contacts.contains(contact)).cloned().collect();
            // Whoever asked may have given up waiting.
            let _ = done.send(Arrival::Arrived { server: server.to_owned(), refused });
        }
    }
}

/// Connects and talks until the bot is stopped.
pub(super) async fn run(
    bot: Arc<Bot>,
    mut orders: mpsc::Receiver<Order>,
    mut settings: watch::Receiver<Arc<IrcSettings>>,
) {
    let mut backoff = Backoff::drawn();
    loop {
        let current = Arc::clone(&settings.borrow_and_update());
        let name = &current.name;
        let began = Instant::now();
        let end = connect_and_talk(&bot, Arc::clone(&current), &mut orders, &mut settings).await;
        bot.set_nick(None);
        let (wait, why) = match end {
            End::Stopped => return,
            End::Moved => continue,
            End::Failed(why) => (backoff.after_failure(current.delays), why),
            End::Lost(why) => (backoff.after_session(began.elapsed(), current.delays), why),
        };
        let (host, port) = (&current.server.host, current.server.port);
        tracing::warn!(
            target = name,
            "not connected to {host}:{port}: {why}; trying again in {} s",
            wait.as_secs()
        );
        if !wait_out(&bot, wait, &why, &current, &mut orders, &mut settings).await {
            return;
        }
    }
}

/// Waits; meanwhile what is ordered comes to nothing. False if the bot is to end.
async fn wait_out(
    bot: &Bot,
    wait: Duration,
    why: &str,
    current: &IrcSettings,
    orders: &mut mpsc::Receiver<Order>,
    settings: &mut watch::Receiver<Arc<IrcSettings>>,
) -> bool {
    let until = Instant::now() + wait;
    loop {
        tokio::select! {
            () = sleep_until(until) => return true,
            order = orders.recv() => if refuse(bot, order, why) { return false },
            changed = settings.changed() => {
                if changed.is_err() { return false }
                if !settings.borrow().server.same_as(&current.server) { return true }
            }
        }
    }
}

/// Answers an order without a connection. True if the bot is to end.
fn refuse(bot: &Bot, order: Option<Order>, why: &str) -> bool {
    match order {
        None | Some(Order::Stop) => return true,
        Some(Order::Deliver(news)) => refuse_all(news, why),
        Some(Order::Part(channel)) => bot.contacts().forget(&channel.to_lowercase()),
        Some(Order::Say(..) | Order::Join(_)) => {}
    }
    false
}

fn refuse_all(news: Vec<News>, why: &str) {
    for one in news {
        // Whoever asked may have given up waiting.
        let _ = one.done.send(Arrival::Down(why.to_owned()));
    }
}

async fn connect_and_talk(
    bot: &Arc<Bot>,
    settings: Arc<IrcSettings>,
    orders: &mut mpsc::Receiver<Order>,
    changes: &mut watch::Receiver<Arc<IrcSettings>>,
) -> End {
    let mut connecting = std::pin::pin!({
        let settings = Arc::clone(&settings);
        async move { Connection::open(&settings.server).await }
    });
    let connection = loop {
        tokio::select! {
            opened = &mut connecting => match opened {
                Ok(connection) => break connection,
                Err(why) => return End::Failed(why),
            },
            // A stop cancels the attempt (I-RC-04).
            order = orders.recv() => if refuse(bot, order, "it is being connected") { return End::Stopped },
            changed = changes.changed() => {
                if changed.is_err() { return End::Stopped }
                return End::Moved;
            }
        }
    };
    let extra = bot.contacts().joined_by_command();
    let talk = Talk::new(Arc::clone(&settings), &extra, Instant::now());
    let mut session = Session {
        heard: commands::Ear::new(bot),
        bot: Arc::clone(bot),
        settings,
        talk,
        connection,
        under_way: HashMap::new(),
        tickets: 0,
        signed_on: false,
        was_settled: false,
    };
    let end = session.talk(orders, changes).await;
    bot.set_connected(None);
    session.connection.close().await;
    end
}

struct Session {
    bot: Arc<Bot>,
    settings: Arc<IrcSettings>,
    talk: Talk,
    connection: Connection,
    heard: commands::Ear,
    under_way: HashMap<Ticket, UnderWay>,
    tickets: Ticket,
    signed_on: bool,
    was_settled: bool,
}

impl Session {
    async fn talk(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        changes: &mut watch::Receiver<Arc<IrcSettings>>,
    ) -> End {
        loop {
            let now = Instant::now();
            while let Some(line) = self.talk.next_line(now) {
                if let Err(why) = self.connection.write(&line).await {
                    return self.over(why);
                }
            }
            if let Some(why) = self.talk.is_lost(now) {
                return self.over(why);
            }
            if !self.was_settled && self.talk.is_settled() {
                self.was_settled = true;
                self.bot.set_connected(Some(now));
                (self.bot.desk().retry_now)();
            }
            tokio::select! {
                line = self.connection.read() => match line {
                    Ok(line) => {
                        let happenings = self.talk.take(line, Instant::now());
                        for happening in happenings {
                            if let Some(why) = self.see_to(happening) {
                                return self.over(why);
                            }
                        }
                    }
                    Err(why) => return self.over(why),
                },
                order = orders.recv() => match order {
                    None | Some(Order::Stop) => {
                        self.talk.quit("buildmaster reconfigured: bot disconnecting");
                        self.flush().await;
                        return End::Stopped;
                    }
                    Some(order) => self.obey(order),
                },
                () = sleep_until(self.talk.due()) => {}
                changed = changes.changed() => {
                    if changed.is_err() { return End::Stopped }
                    let settings = Arc::clone(&changes.borrow_and_update());
                    if !settings.server.same_as(&self.settings.server) {
                        self.talk.quit("buildmaster reconfigured: bot disconnecting");
                        self.flush().await;
                        return End::Moved;
                    }
                    self.settings = Arc::clone(&settings);
                    self.talk.reconfigure(settings, Instant::now());
                }
            }
        }
    }

    fn over(&self, why: String) -> End {
        if self.signed_on { End::Lost(why) } else { End::Failed(why) }
    }

    /// Sends what goes before everything else, and gives the server a moment to take it.
    async fn flush(&mut self) {
        while let Some(line) = self.talk.next_line(Instant::now()) {
            let last = line.starts_with("QUIT");
            if self.connection.write(&line).await.is_err() || last {
                break;
            }
        }
        // The server's goodbye, so that ours is not cut off by what it still sends.
        let goodbye = async { while self.connection.read().await.is_ok() {} };
        tokio::select! { () = goodbye => {}, () = sleep(Duration::from_secs(1)) => {} }
    }

    /// Sees to what has happened; a reason if it is over.
    fn see_to(&mut self, happening: Happening) -> Option<String> {
        let name = &self.settings.name;
        match happening {
            Happening::SignedOn(nick) => {
                self.signed_on = true;
                tracing::info!(target = name, "signed on at {} as {nick}", self.settings.server.host);
            }
            Happening::Joined(channel) => {
                tracing::info!(target = name, "joined {channel}");
                let settings = Arc::clone(&self.settings);
                self.bot.contacts().heard_of(&channel.to_lowercase(), &settings, Instant::now());
            }
            Happening::Left(channel, why) => tracing::warn!(target = name, "not in {channel}: {why}"),
            Happening::Said { from, to, text } => self.heard.said(from, &to, text),
            Happening::Acted { from, to, text } => self.heard.acted(from, &to, text),
            Happening::Arrived(tickets) => {
                for way in tickets.into_iter().filter_map(|ticket| self.under_way.remove(&ticket)) {
                    way.arrived(&format!("{}:{}", self.settings.server.host, self.settings.server.port));
                }
            }
            Happening::Refused(contact, why) => {
                tracing::warn!(target = name, "not passed on: {why}");
                // What has not been sent yet cannot have been refused.
                let sent = self.talk.sent_up_to();
                for (_, way) in self.under_way.iter_mut().filter(|(ticket, _)| **ticket <= sent + 1) {
                    way.refused.push((contact.clone(), why.clone()));
                }
            }
            Happening::Over(why) => return Some(why),
        }
        self.bot.set_nick(self.signed_on.then(|| self.talk.nick.clone()));
        None
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Say(contact, sayings) => {
                if self.talk.reaches(&contact) {
                    sayings.iter().for_each(|saying| self.talk.say(&contact, saying));
                }
            }
            Order::Deliver(news) => self.deliver(news),
            Order::Join(channel) => self.talk.join(&channel, Instant::now()),
            Order::Part(channel) => {
                self.talk.part(&channel);
                self.bot.contacts().forget(&channel.to_lowercase());
            }
            // Seen to by whoever takes orders.
            Order::Stop => {}
        }
    }

    fn deliver(&mut self, mut news: Vec<News>) {
        if !self.talk.is_settled() {
            return refuse_all(news, "its channels are being joined");
        }
        let missed = news.iter().take_while(|one| one.missed).count();
        let rest = news.split_off(missed);
        if !news.is_empty() {
            self.tell_missed(news);
        }
        rest.into_iter().for_each(|one| self.tell(one));
    }

    fn tell(&mut self, one: News) {
        let mut way = UnderWay::default();
        for (contact, sayings) in &one.words {
            if self.talk.reaches(contact) {
                sayings.iter().for_each(|saying| self.talk.say(contact, saying));
            } else {
                way.refused.push(not_in(contact));
            }
        }
        let contacts = one.words.into_iter().map(|(contact, _)| contact).collect();
        way.messages.push((contacts, one.done));
        self.send_off(way);
    }

    /// Sums up for each contact what it has missed (I-RC-05).
    fn tell_missed(&mut self, news: Vec<News>) {
        let mut by_contact: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
        for (place, one) in news.iter().enumerate() {
            for (contact, sayings) in &one.words {
                let texts = sayings.iter().map(|saying| (place, saying.text()));
                by_contact.entry(contact).or_default().extend(texts);
            }
        }
        let mut way = UnderWay::default();
        let mut told = vec![false; news.len()];
        for (contact, texts) in by_contact {
            let mut left_out = 0;
            if self.talk.reaches(contact) {
                let all: Vec<&str> = texts.iter().map(|(_, text)| *text).collect();
                let digest = digest(&all, self.talk.room_for(contact));
                left_out = digest.left_out;
                digest.lines.into_iter().for_each(|line| self.talk.say(contact, &Saying::Text(line)));
            } else {
                way.refused.push(not_in(contact));
            }
            for (place, _) in texts.into_iter().skip(left_out) {
                told.get_mut(place).into_iter().for_each(|told| *told = true);
            }
        }
        for (one, told) in news.into_iter().zip(told) {
            if told || one.words.is_empty() {
                way.messages.push((one.words.into_iter().map(|(contact, _)| contact).collect(), one.done));
            } else {
                // Whoever asked may have given up waiting.
                let _ = one.done.send(Arrival::LeftOut);
            }
        }
        self.send_off(way);
    }

    fn send_off(&mut self, way: UnderWay) {
        self.tickets += 1;
        self.talk.end(self.tickets);
        self.under_way.insert(self.tickets, way);
    }
}

fn not_in(contact: &str) -> (String, String) {
    (contact.to_owned(), format!("the bot is not in {contact}"))
}
