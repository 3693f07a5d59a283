//! The feed of a running command: its news and its output go to the engine in order, in batches, in the background.
//!
//! While no engine answers, the same batch is tried again under the same name; what comes meanwhile waits in bounded
//! memory, of which the oldest output goes first. Whoever writes to it never waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::receipt::Receipt;
use crate::cli::client::{Client, Refusal};
use campanile_model::{Event, LogChannel, LogRef, now};

/// Time for which output is gathered to a batch.
const GATHER: Duration = Duration::from_millis(500);
/// Output in a batch, in bytes.
const MAX_BATCH: usize = 256 << 10;
/// Output that waits for an engine, in bytes.
const MAX_BACKLOG: usize = 4 << 20;
/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Time for which the last news is tried when the command has ended.
const GRACE: Duration = Duration::from_secs(5);

/// The feed of one build.
pub(super) struct Feed {
    log: Arc<Log>,
    sender: JoinHandle<Option<Value>>,
}

impl Feed {
    /// Starts a feed; its output is this log.
    pub(super) fn start(client: Client, log: LogRef) -> Self {
        let name = format!("{}/{}", log.build.builder, log.build.number);
        let key = format!("report-{}-{}", std::process::id(), now().as_micros());
        let log = Arc::new(Log { log, backlog: Mutex::default(), changed: Notify::new() });
        let sender = Sender { client, log: Arc::clone(&log), name, key, warned: false };
        Self { log, sender: tokio::spawn(sender.run()) }
    }

    /// The build's log, for its output.
    pub(super) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// Adds an event.
    pub(super) fn news(&self, event: Value) {
        self.log.add(Item::News(event));
    }

    /// Ends the feed: its last news was `last`. Waits for a bounded time until the engine has all of it; returns its answer
    /// to that. None if it has not, and people have been told.
    pub(super) async fn finish(self, last: &Event) -> Option<Receipt> {
        self.log.backlog().closed = true;
        self.log.changed.notify_one();
        match timeout(GRACE, self.sender).await {
            Ok(answer) => Some(Receipt::new(last, answer.ok()??)),
            Err(_) => {
                let build = &self.log.log.build;
                eprintln!(
                    "campanile: no engine knows how {}/{} ended: tell it by `campanile report build-finished`",
                    build.builder, build.number
                );
                None
            }
        }
    }
}

/// The things that wait to be sent.
pub(super) struct Log {
    log: LogRef,
    backlog: Mutex<Backlog>,
    changed: Notify,
}

#[derive(Default)]
struct Backlog {
    items: VecDeque<Item>,
    /// Bytes of output in it.
    bytes: usize,
    /// Bytes of output that had to go.
    left_out: usize,
    /// True when nothing will be added any more.
    closed: bool,
    /// True when nothing is to be sent any more.
    abandoned: bool,
}

enum Item {
    News(Value),
    Text(LogChannel, String),
}

impl Log {
    /// Adds output.
    pub(super) fn write(&self, channel: LogChannel, text: String) {
        self.add(Item::Text(channel, text));
    }

    fn add(&self, item: Item) {
        let mut backlog = self.backlog();
        if backlog.abandoned {
            return;
        }
        backlog.bytes += item.size();
        backlog.items.push_back(item);
        while backlog.bytes > MAX_BACKLOG
            && let Some(oldest) = backlog.items.iter().position(|item| item.size() > 0)
            && let Some(gone) = backlog.items.remove(oldest)
        {
            backlog.bytes -= gone.size();
            backlog.left_out += gone.size();
        }
        drop(backlog);
        self.changed.notify_one();
    }

    /// Waits for a batch; none at the end. The first is one event alone.
    async fn next(&self, is_first: bool) -> Option<Vec<Value>> {
        loop {
            {
                let backlog = self.backlog();
                if !backlog.items.is_empty() {
                    break;
                }
                if backlog.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
        let (until, mut batch, mut bytes) = (Instant::now() + GATHER, Vec::new(), 0);
        while !is_first && !self.is_closed() && timeout_at(until, self.changed.notified()).await.is_ok() {}
        let mut backlog = self.backlog();
        while bytes < MAX_BATCH
            && (batch.is_empty() || !is_first)
            && let Some(item) = backlog.items.pop_front()
        {
            bytes += item.size();
            backlog.bytes -= item.size();
            if item.size() > 0 && backlog.left_out > 0 {
                let text = format!("{} bytes are left out here: no engine answered\n", backlog.left_out);
                batch.push(Item::Text(LogChannel::Header, text).into_event(&self.log));
                backlog.left_out = 0;
            }
            batch.push(item.into_event(&self.log));
        }
        Some(batch)
    }

    /// Waits before another try: not for long when the command has ended.
    async fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.is_closed() && timeout_at(until, self.changed.notified()).await.is_ok() {}
        if self.is_closed() {
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Forgets what waits and whatever comes.
    fn abandon(&self) {
        let mut backlog = self.backlog();
        (backlog.abandoned, backlog.bytes) = (true, 0);
        backlog.items.clear();
    }

    fn is_closed(&self) -> bool {
        self.backlog().closed
    }

    /// The lock; never taken twice in one statement, where the first guard still lives.
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Item {
    /// Bytes that it counts for; none for news, which is little and never left out.
    fn size(&self) -> usize {
        match self {
            Self::News(_) => 0,
            Self::Text(_, text) => text.len(),
        }
    }

    fn into_event(self, log: &LogRef) -> Value {
        match self {
            Self::News(event) => event,
            Self::Text(channel, text) => Event::LogChunk { log: log.clone(), channel, text }.to_json(),
        }
    }
}

/// The task that sends what waits.
struct Sender {
    client: Client,
    log: Arc<Log>,
    /// The build, for people.
    name: String,
    /// The beginning of the batches' names.
    key: String,
    warned: bool,
}

impl Sender {
    /// Sends all; returns the last answer, or none if it was no use to go on.
    async fn run(mut self) -> Option<Value> {
        let mut answer = None;
        for number in 0_u64.. {
            let Some(batch) = self.log.next(number == 0).await else { break };
            let new = self.send(&Value::Array(batch), number).await?;
            if number == 0
                && let Some(warning) = Receipt::of_start(&self.name, new.clone()).warning()
            {
                // Its output would go to the log of the other one.
                eprintln!("campanile: {warning}");
                self.log.abandon();
                return None;
            }
            answer = Some(new);
        }
        answer
    }

    /// Sends a batch until the engine has it; none if it will never take it.
    async fn send(&mut self, batch: &Value, number: u64) -> Option<Value> {
        let key = format!("{}-{number}", self.key);
        let mut pause = Duration::from_secs(1);
        loop {
            let error = match self.client.post_events(batch, Some(&key)).await {
                Ok(answer) => return Some(answer),
                Err(error) => error,
            };
            if error.downcast_ref::<Refusal>().is_some_and(|refusal| !refusal.may_pass()) {
                eprintln!("campanile: nothing more is told of {}: {error:#}", self.name);
                self.log.abandon();
                return None;
            }
            if !self.warned {
                eprintln!("campanile: {error:#}; the command runs all the same, and its news is tried again");
                self.warned = true;
            }
            self.log.pause(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }
}
