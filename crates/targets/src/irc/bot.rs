//! A bot: what lives on while connections come and go and settings are read anew (I-RC-03).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::contacts::Contacts;
use super::session;
use super::settings::IrcSettings;
use super::talk::Saying;
use crate::SessionContext;

/// Orders that may wait for the connection's task.
const ORDERS: usize = 256;
/// A goodbye that takes longer goes unheard.
const GOODBYE: Duration = Duration::from_secs(3);

/// What is said to whom.
pub(super) type Words = Vec<(String, Vec<Saying>)>;

/// What the connection's task is asked to do.
pub(super) enum Order {
    /// Say it if there is a connection.
    Say(String, Vec<Saying>),
    /// Say it, and tell of each when it has arrived.
    Deliver(Vec<News>),
    Join(String),
    Part(String),
    /// Say goodbye and end.
    Stop,
}

/// Something to be delivered.
pub(super) struct News {
    pub(super) words: Words,
    /// It came in before there was this connection: of many such, the newest are summed up (I-RC-05).
    pub(super) missed: bool,
    /// Told what became of it.
    pub(super) done: oneshot::Sender<Arrival>,
}

/// What became of what was to be delivered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The server has worked on all of it; those whom it does not pass it on to, and why.
    Arrived { server: String, refused: Vec<(String, String)> },
    /// Newer news has been told instead (I-RC-05).
    LeftOut,
    /// There is no connection, and why.
    Down(String),
}

pub(super) struct Bot {
    settings: watch::Sender<Arc<IrcSettings>>,
    desk: Mutex<SessionContext>,
    contacts: Mutex<Contacts>,
    /// As the server has it, while there is a connection.
    nick: Mutex<Option<String>>,
    /// When the present connection became one that announcements can be sent on.
    connected: Mutex<Option<Instant>>,
    orders: mpsc::Sender<Order>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Whoever has a share of this has the bot going on; when the last one is dropped without a goodbye, it ends at once.
pub(super) struct Going(Arc<Bot>);

impl std::ops::Deref for Going {
    type Target = Arc<Bot>;

    fn deref(&self) -> &Arc<Bot> {
        &self.0
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(task) = locked(&self.0.task).take() {
            task.abort();
        }
    }
}

impl Bot {
    /// A bot that begins to connect.
    pub(super) fn start(settings: Arc<IrcSettings>, desk: SessionContext) -> Going {
        let (orders, received) = mpsc::channel(ORDERS);
        let mut contacts = Contacts::default();
        contacts.reconfigure(&settings, None, Instant::now());
        let bot = Arc::new(Self {
            settings: watch::Sender::new(settings),
            desk: Mutex::new(desk),
            contacts: Mutex::new(contacts),
            nick: Mutex::new(None),
            connected: Mutex::new(None),
            orders,
            task: Mutex::new(None),
        });
        let task = tokio::spawn(session::run(Arc::clone(&bot), received, bot.settings.subscribe()));
        *locked(&bot.task) = Some(task);
        Going(bot)
    }

    /// Goes on with other settings; the connection stays if it can (I-CFG-21).
    pub(super) fn go_on_with(&self, settings: Arc<IrcSettings>, desk: SessionContext) {
        *locked(&self.desk) = desk;
        let before = self.settings();
        self.contacts().reconfigure(&settings, Some(&before), Instant::now());
        self.settings.send_replace(settings);
    }

    /// Says goodbye and ends (I-RC-04).
    pub(super) async fn stop(&self) {
        let task = locked(&self.task).take();
        // If the task has ended, nobody is left to say goodbye.
        let _ = self.orders.send(Order::Stop).await;
        if let Some(task) = task
            && tokio::time::timeout(GOODBYE, task).await.is_err()
        {
            tracing::debug!("a bot did not end in time");
        }
    }

    pub(super) fn settings(&self) -> Arc<IrcSettings> {
        Arc::clone(&self.settings.borrow())
    }

    pub(super) fn desk(&self) -> SessionContext {
        locked(&self.desk).clone()
    }

    /// Never held over anything that waits.
    pub(super) fn contacts(&self) -> MutexGuard<'_, Contacts> {
        locked(&self.contacts)
    }

    /// As the server has it; the one of the settings while there is none.
    pub(super) fn nick(&self) -> String {
        locked(&self.nick).clone().unwrap_or_else(|| self.settings().server.nick.clone())
    }

    /// For how long announcements have been possible, if they are.
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
    pub(super) async fn say(&self, contact: &str, sayings: Vec<Saying>) {
        if !self.contacts().is_muted(contact) {
            self.order(Order::Say(contact.to_owned(), sayings)).await;
        }
    }

    /// Says each of these, those marked as missed first, and waits until the server has them all.
    pub(super) async fn deliver_all(&self, all: Vec<(Words, bool)>) -> Vec<Arrival> {
        let mut arrivals = Vec::with_capacity(all.len());
        let mut news = Vec::with_capacity(all.len());
        for (words, missed) in all {
            let (done, arrival) = oneshot::channel();
            news.push(News { words, missed, done });
            arrivals.push(arrival);
        }
        self.order(Order::Deliver(news)).await;
        let lost = |_| Arrival::Down("the connection was lost".to_owned());
        futures_util::future::join_all(arrivals)
            .await
            .into_iter()
            .map(|arrival| arrival.unwrap_or_else(lost))
            .collect()
    }

    /// Waits until what was said before has arrived, or the connection is gone.
    pub(super) async fn flushed(&self) {
        let _ = tokio::time::timeout(GOODBYE, self.deliver_all(vec![(Vec::new(), false)])).await;
    }

    pub(super) async fn join(&self, channel: &str) {
        self.order(Order::Join(channel.to_owned())).await;
    }

    pub(super) async fn part(&self, channel: &str) {
        self.order(Order::Part(channel.to_owned())).await;
    }

    async fn order(&self, order: Order) {
        // The task ends only when the bot does.
        let _ = self.orders.send(order).await;
    }
}

/// A panic elsewhere leaves the data whole: each holder makes one small change.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
