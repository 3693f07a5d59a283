//! The backlog of a running command: news and output that wait for the engine, in bounded memory.
//!
//! Who writes output waits while there is no room, so that a fast command is slowed rather than its log lost; but never for
//! longer than a patience that the engine's progress renews. When that is used up the oldest output goes, and a line in the
//! log says how much.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use super::words::digits;
use campanile_model::{Event, LogChannel, LogRef};

/// Time for which output is gathered to a batch.
pub(super) const GATHER: Duration = Duration::from_millis(500);
/// Output in a batch, in bytes.
const MAX_BATCH: usize = 256 << 10;
/// Output that waits for an engine, in bytes.
const MAX_BACKLOG: usize = 4 << 20;
/// Output of one event, in bytes: so many short lines need no event each.
const MAX_TEXT: usize = 32 << 10;
/// Longest time for which output is held up at once.
const MAX_PATIENCE: Duration = Duration::from_secs(10);
/// Patience that a batch gives back when the engine has taken it: with one that takes fewer in a second, output is lost
/// rather than the command slowed for ever.
const RENEWED: Duration = Duration::from_secs(1);

/// The things that wait to be sent.
pub(super) struct Backlog {
    log: LogRef,
    state: Mutex<State>,
    /// Told when something comes.
    changed: Notify,
    /// Told when something has gone.
    room: Notify,
}

struct State {
    items: VecDeque<Item>,
    /// Bytes of output in it.
    bytes: usize,
    /// Bytes of output that had to go before the oldest that is there.
    left_out: usize,
    /// Bytes of output that had to go at all.
    lost: usize,
    /// Bytes of output that were handed out.
    sent: usize,
    /// Time for which output may yet be held up.
    patience: Duration,
    /// True while the output that was handed out last has no end of line.
    is_open: bool,
    /// True when nothing will be added any more.
    closed: bool,
    /// True when nothing is to be sent any more.
    abandoned: bool,
}

enum Item {
    News(Value),
    Text(LogChannel, String),
}

/// The output of a command, as far as it has come.
pub(super) struct Totals {
    /// Bytes that were handed out to be sent.
    pub(super) sent: u64,
    /// Bytes that had to go.
    pub(super) lost: u64,
}

impl Backlog {
    pub(super) fn new(log: LogRef) -> Self {
        let state = State {
            items: VecDeque::new(),
            bytes: 0,
            left_out: 0,
            lost: 0,
            sent: 0,
            patience: MAX_PATIENCE,
            is_open: false,
            closed: false,
            abandoned: false,
        };
        Self { log, state: Mutex::new(state), changed: Notify::new(), room: Notify::new() }
    }

    /// The log that the output is for.
    pub(super) fn log(&self) -> &LogRef {
        &self.log
    }

    /// Adds an event.
    pub(super) fn news(&self, event: Value) {
        self.add(Item::News(event));
    }

    /// Adds output, once there is room for it or the patience is used up.
    pub(super) async fn write(&self, channel: LogChannel, text: String) {
        loop {
            let room = self.room.notified();
            let patience = {
                let state = self.state();
                let is_full = state.bytes + text.len() > MAX_BACKLOG && !state.abandoned;
                if is_full { state.patience } else { Duration::ZERO }
            };
            if patience.is_zero() {
                break;
            }
            let since = Instant::now();
            // In either case the next look tells.
            let _ = timeout(patience, room).await;
            let mut state = self.state();
            state.patience = state.patience.saturating_sub(since.elapsed());
        }
        self.add(Item::Text(channel, text));
    }

    fn add(&self, item: Item) {
        let mut state = self.state();
        if state.abandoned {
            return;
        }
        state.bytes += item.size();
        match (state.items.back_mut(), item) {
            (Some(Item::Text(last, text)), Item::Text(channel, more))
                if *last == channel && text.len() + more.len() <= MAX_TEXT =>
            {
                text.push_str(&more);
            }
            (_, item) => state.items.push_back(item),
        }
        while state.bytes > MAX_BACKLOG
            && let Some(oldest) = state.items.iter().position(|item| item.size() > 0)
            && let Some(gone) = state.items.remove(oldest)
        {
            state.bytes -= gone.size();
            state.left_out += gone.size();
            state.lost += gone.size();
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for a batch; none at the end. The first is one event alone.
    pub(super) async fn next(&self, is_first: bool) -> Option<Vec<Value>> {
        loop {
            {
                let state = self.state();
                if !state.items.is_empty() {
                    break;
                }
                if state.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
        let until = Instant::now() + GATHER;
        while !is_first
            && self.has_less_than_a_batch()
            && timeout_at(until, self.changed.notified()).await.is_ok()
        {}
        let batch = self.take(is_first);
        self.room.notify_waiters();
        Some(batch)
    }

    fn take(&self, is_first: bool) -> Vec<Value> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut state = self.state();
        while bytes < MAX_BATCH
            && (batch.is_empty() || !is_first)
            && let Some(item) = state.items.pop_front()
        {
            bytes += item.size();
            state.bytes -= item.size();
            state.sent += item.size();
            if let Item::Text(_, text) = &item {
                if state.left_out > 0 {
                    // No header line, which no reader of the log would see.
                    let begin = if state.is_open { "\n" } else { "" };
                    let left_out = digits(state.left_out as u64);
                    let mark = format!(
                        "{begin}[... {left_out} bytes were left out: the engine did not take them in time ...]\n"
                    );
                    batch.push(Item::Text(LogChannel::Stdout, mark).into_event(&self.log));
                    state.left_out = 0;
                }
                state.is_open = !text.ends_with('\n');
            }
            batch.push(item.into_event(&self.log));
        }
        batch
    }

    /// Notes that the engine has taken a batch.
    pub(super) fn taken(&self) {
        let mut state = self.state();
        state.patience = (state.patience + RENEWED).min(MAX_PATIENCE);
    }

    /// Waits before another try: not for long when the command has ended.
    pub(super) async fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.state().closed && timeout_at(until, self.changed.notified()).await.is_ok() {}
        if self.state().closed {
            tokio::time::sleep(GATHER).await;
        }
    }

    /// Forgets what waits and whatever comes.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        (state.abandoned, state.bytes) = (true, 0);
        state.items.clear();
        drop(state);
        self.room.notify_waiters();
    }

    /// Says that nothing more will come.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    pub(super) fn totals(&self) -> Totals {
        let state = self.state();
        Totals { sent: state.sent as u64, lost: state.lost as u64 }
    }

    fn has_less_than_a_batch(&self) -> bool {
        let state = self.state();
        !state.closed && state.bytes < MAX_BATCH
    }

    /// The lock; never taken twice in one statement, where the first guard still lives.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_model::BuildId;

    fn backlog() -> Backlog {
        let build = BuildId { builder: "linux".to_owned(), number: 7 };
        Backlog::new(LogRef { build, step: "tests".to_owned(), log: "stdio".to_owned() })
    }

    fn texts(batch: &[Value]) -> Vec<&str> {
        batch.iter().filter_map(|event| event.get("text")?.as_str()).collect()
    }

    #[tokio::test]
    async fn m_ev_13_a_line_stands_in_the_place_of_what_was_left_out() {
        let backlog = backlog();
        backlog.write(LogChannel::Stdout, "begin, ".to_owned()).await;
        assert_eq!(texts(&backlog.take(false)), ["begin, "]);
        backlog.state().patience = Duration::ZERO;
        for letter in ["a", "b", "c"] {
            backlog.write(LogChannel::Stderr, letter.repeat(MAX_BACKLOG / 2)).await;
        }
        let batch = backlog.take(false);
        let [mark, rest] = texts(&batch)[..] else { panic!("{} pieces", batch.len()) };
        assert_eq!(mark, "\n[... 2,097,152 bytes were left out: the engine did not take them in time ...]\n");
        assert!(rest.starts_with('b'));
        assert!(texts(&backlog.take(false))[0].starts_with('c'));
        let Totals { sent, lost } = backlog.totals();
        assert_eq!((sent, lost), (7 + (4 << 20), 2 << 20));
    }

    #[tokio::test]
    async fn m_ev_13_output_waits_for_room() {
        let backlog = backlog();
        backlog.write(LogChannel::Stdout, "a".repeat(MAX_BACKLOG)).await;
        let (_, batch) = tokio::join!(backlog.write(LogChannel::Stdout, "b".to_owned()), backlog.next(false));
        assert!(batch.is_some());
        assert_eq!(backlog.totals().lost, 0);
        assert_eq!(texts(&backlog.take(false)), ["b"]);
    }

    #[tokio::test]
    async fn short_lines_share_an_event() {
        let backlog = backlog();
        for (channel, text) in
            [(LogChannel::Stdout, "a\n"), (LogChannel::Stdout, "b\n"), (LogChannel::Stderr, "c\n")]
        {
            backlog.write(channel, text.to_owned()).await;
        }
        assert_eq!(texts(&backlog.take(false)), ["a\nb\n", "c\n"]);
    }
}
