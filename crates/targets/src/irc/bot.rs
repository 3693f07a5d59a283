//! A bot: lives on while connections come and go and settings are read anew (I-RC-03).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use campanile_irc::{OutgoingMessage, Refusal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::connection_loop;
use super::contacts::Contacts;
use super::settings::IrcSettings;
use crate::SessionContext;

/// Commands that may wait for the connection's task; whoever has one more waits until there is room.
const COMMANDS: usize = 256;
/// A goodbye that takes longer goes unheard.
const GOODBYE: Duration = Duration::from_secs(3);

/// Messages by recipient, lower-cased.
pub(super) type Messages = Vec<(String, Vec<OutgoingMessage>)>;

/// A command to the connection's task.
pub(super) enum BotCommand {
    /// Say it if there is a connection.
    Say(String, Vec<OutgoingMessage>),
    /// Say it, and tell of each when it has arrived.
    Deliver(Vec<Delivery>),
    /// Join a channel.
    Join(String),
    /// Leave a channel.
    Part(String),
    /// Say goodbye and end.
    Stop,
}

/// Messages to be delivered together.
pub(super) struct Delivery {
    pub(super) messages: Messages,
    /// It came in before there was this connection: of many such, the newest are summed up (I-RC-05).
    pub(super) missed: bool,
    /// Gets the report. Dropped without one when the connection is lost meanwhile.
    pub(super) done: oneshot::Sender<DeliveryReport>,
}

/// Report of a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DeliveryReport {
    /// The server has worked on all of it, and did not pass it on to some.
    Arrived {
        /// `host:port`.
        server: String,
        /// Recipients without it.
        refused: Vec<Refusal>,
    },
    /// Newer announcements were told instead (I-RC-05).
    LeftOut,
    /// There is no connection, for this reason.
    Down(String),
}

/// A bot, shared by its target and its connection's task.
pub(super) struct Bot {
    settings: watch::Sender<Arc<IrcSettings>>,
    context: Mutex<SessionContext>,
    contacts: Mutex<Contacts>,
    /// As the server has it, while there is a connection.
    nick: Mutex<Option<String>>,
    /// Time since when announcements can be sent on the present connection.
    connected: Mutex<Option<Instant>>,
    commands: mpsc::Sender<BotCommand>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Work on people's commands, which outlives the connection that they came by.
    works: Mutex<JoinSet<()>>,
}

/// Handle that keeps a bot going. It is handed from a target to the one that takes its place when settings are read anew;
/// when the last share of it is dropped without a goodbye, the bot ends at once.
///
/// Not the bot itself, which its own task and every command that is being worked on hold: it would never be dropped.
pub(super) struct BotHandle(Arc<Bot>);

impl std::ops::Deref for BotHandle {
    type Target = Arc<Bot>;

    fn deref(&self) -> &Arc<Bot> {
        &self.0
    }
}

impl Drop for BotHandle {
    fn drop(&mut self) {
        if let Some(task) = locked(&self.0.task).take() {
            task.abort();
        }
        // They hold the bot, and the bot holds them.
        locked(&self.0.works).abort_all();
    }
}

impl Bot {
    /// Starts a bot, which begins to connect.
    pub(super) fn start(settings: Arc<IrcSettings>, context: SessionContext) -> BotHandle {
        let (commands, received) = mpsc::channel(COMMANDS);
        let mut contacts = Contacts::default();
        contacts.reconfigure(&settings, None, Instant::now());
        let bot = Arc::new(Self {
            settings: watch::Sender::new(settings),
            context: Mutex::new(context),
            contacts: Mutex::new(contacts),
            nick: Mutex::new(None),
            connected: Mutex::new(None),
            commands,
            task: Mutex::new(None),
            works: Mutex::default(),
        });
        let task = tokio::spawn(connection_loop::run(Arc::clone(&bot), received, bot.settings.subscribe()));
        *locked(&bot.task) = Some(task);
        BotHandle(bot)
    }

    /// Goes on with other settings; the connection stays if it can (I-CFG-21).
    pub(super) fn reconfigure(&self, settings: Arc<IrcSettings>, context: SessionContext) {
        *locked(&self.context) = context;
        let before = self.settings();
        self.contacts().reconfigure(&settings, Some(&before), Instant::now());
        self.settings.send_replace(settings);
    }

    /// Works on somebody's command, until that is done or the bot ends.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut works = locked(&self.works);
        while works.try_join_next().is_some() {}
        works.spawn(work);
    }

    /// Says goodbye and ends (I-RC-04).
    pub(super) async fn stop(&self) {
        let task = locked(&self.task).take();
        // If the task has ended, nobody is left to say goodbye.
        let _ = self.commands.send(BotCommand::Stop).await;
        if let Some(task) = task
            && tokio::time::timeout(GOODBYE, task).await.is_err()
        {
            let settings = self.settings();
            tracing::debug!(
                target = settings.name,
                network = settings.network(),
                "IRC bot did not end in time"
            );
        }
    }

    pub(super) fn settings(&self) -> Arc<IrcSettings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Builds, and the way to steer the CI.
    pub(super) fn context(&self) -> SessionContext {
        locked(&self.context).clone()
    }

    /// The contacts, locked: never to be held over anything that waits.
    pub(super) fn contacts(&self) -> MutexGuard<'_, Contacts> {
        locked(&self.contacts)
    }

    /// The nickname as the server has it; the one of the settings while there is no connection.
    pub(super) fn nick(&self) -> String {
        locked(&self.nick).clone().unwrap_or_else(|| self.settings().client.server.nick.clone())
    }

    /// Time since announcements have been possible, if they are.
    pub(super) fn connected_for(&self) -> Option<Duration> {
        locked(&self.connected).map(|since| since.elapsed())
    }

    pub(super) fn set_connected(&self, since: Option<Instant>) {
        *locked(&self.connected) = since;
    }

    pub(super) fn set_nick(&self, nick: Option<String>) {
        *locked(&self.nick) = nick;
    }

    /// Says something, if there is a connection and the contact listens (I-OUT-08).
    pub(super) async fn say(&self, contact: &str, messages: Vec<OutgoingMessage>) {
        if !self.contacts().is_muted(contact) {
            self.command(BotCommand::Say(contact.to_owned(), messages)).await;
        }
    }

    /// Says each of these, those marked as missed first, and waits until the server has them all. One report each.
    pub(super) async fn deliver_all(&self, all: Vec<(Messages, bool)>) -> Vec<DeliveryReport> {
        let mut reports = Vec::with_capacity(all.len());
        let mut deliveries = Vec::with_capacity(all.len());
        for (messages, missed) in all {
            let (done, report) = oneshot::channel();
            deliveries.push(Delivery { messages, missed, done });
            reports.push(report);
        }
        self.command(BotCommand::Deliver(deliveries)).await;
        let lost = |_| DeliveryReport::Down("the connection was lost".to_owned());
        futures_util::future::join_all(reports)
            .await
            .into_iter()
            .map(|report| report.unwrap_or_else(lost))
            .collect()
    }

    /// Waits until what was said before has arrived, or the connection is gone: an empty delivery arrives after it.
    pub(super) async fn flushed(&self) {
        let _ = tokio::time::timeout(GOODBYE, self.deliver_all(vec![(Vec::new(), false)])).await;
    }

    pub(super) async fn join(&self, channel: &str) {
        self.command(BotCommand::Join(channel.to_owned())).await;
    }

    pub(super) async fn part(&self, channel: &str) {
        self.command(BotCommand::Part(channel.to_owned())).await;
    }

    async fn command(&self, command: BotCommand) {
        // The task ends only when the bot does.
        let _ = self.commands.send(command).await;
    }
}

/// Locks. A panic elsewhere leaves the data whole: each holder makes one small change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
