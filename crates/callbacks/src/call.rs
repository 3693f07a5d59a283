//! The limits of a call, and the record that is kept of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// No more is kept of what one call logs, lines' costs counted.
const MAX_LOG_BYTES: usize = 64 << 10;
/// Cost of a line beside its text, in bytes: that of its record in memory and in the store. An empty line costs it too:
/// a guest that prints nothing but line ends would otherwise have us keep millions of them.
const LINE_COST: usize = 32;
/// The same of an item in the list of an answer.
pub(super) const ITEM_COST: usize = LINE_COST;
/// Bytes that are kept of a call's failure, beside its log.
const MAX_FAULT_BYTES: usize = 16 << 10;
/// Bytes that are kept of one of its lines.
const MAX_FAULT_LINE: usize = 2 << 10;

/// Limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallLimits {
    /// Wall time.
    pub deadline: Duration,
    /// Bytes, summed over all memories.
    pub memory: usize,
    /// The same, for interpreted guests.
    pub interpreter_memory: usize,
    /// Bytes that may be copied out of the guest by all of its host calls, and as many by its answer.
    pub transfer: usize,
    /// Bytes of the result.
    pub output: usize,
}

/// Record of a call: its cost, outcome and log.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The callback's name in the settings.
    pub callback: Arc<str>,
    /// Digest of the version that was called, sha256 in hex.
    pub version: String,
    /// The delivery that it was for.
    pub delivery: Option<i64>,
    /// Outcome: `ok`, `answered-error`, `trapped`, `timed-out`, `over-limit`.
    pub outcome: &'static str,
    /// Wall time, waiting for permits not counted.
    pub duration: Duration,
    /// Bytes of guest memory at its peak.
    pub peak_memory: usize,
    /// Lines that it logged and printed, and at the end its failure.
    pub lines: Vec<LogLine>,
    /// The key in `[limits]` of the limit of its tenant that kept it from being made.
    pub refused_by: Option<&'static str>,
}

/// A line of a callback's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Severity of the line.
    pub level: Level,
    /// The text, as the guest wrote it.
    pub text: String,
}

impl LogLine {
    /// Bytes that it takes where it is kept, about.
    #[must_use]
    pub fn size(&self) -> usize {
        LINE_COST + self.text.len()
    }
}

/// Severity of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For the one who writes the callback.
    Debug,
    /// Ordinary.
    Info,
    /// Odd.
    Warn,
    /// Wrong.
    Error,
}

impl Level {
    /// The lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Collects a call's log, memory and limits met, shared with its store so that they survive a call that is cut off.
#[derive(Debug)]
pub(super) struct CallRecorder {
    log: Mutex<CallLog>,
    memory: AtomicUsize,
    /// Bytes that host calls may still copy out of the guest.
    transfer: AtomicUsize,
    limit: OnceLock<String>,
}

#[derive(Debug, Default)]
struct CallLog {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: usize,
    /// Text on standard output or error that has no line end yet.
    partial: Vec<u8>,
}

/// The limit of a call that was met; its text is in the call's recorder.
#[derive(Debug, thiserror::Error)]
#[error("a limit of the call")]
pub(super) struct LimitMet;

impl CallRecorder {
    pub(super) fn new(limits: &CallLimits) -> Self {
        Self {
            log: Mutex::default(),
            memory: AtomicUsize::new(0),
            transfer: AtomicUsize::new(limits.transfer),
            limit: OnceLock::new(),
        }
    }

    /// Counts what a host call copied out of the guest. The engine below bounds one host call; the sum of a call's is ours
    /// to bound.
    pub(super) fn copied(&self, bytes: usize) -> Result<(), LimitMet> {
        let take = |left: usize| left.checked_sub(bytes);
        match self.transfer.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(_) => {
                Err(self.over_limit("it handed over more in one call than the 4 MiB that it may".to_owned()))
            }
        }
    }

    /// Notes the limit that ends the call; the first one counts.
    pub(super) fn over_limit(&self, text: String) -> LimitMet {
        let _ = self.limit.set(text);
        LimitMet
    }

    /// The limit that ended the call, if one did.
    pub(super) fn limit_met(&self) -> Option<&str> {
        self.limit.get().map(String::as_str)
    }

    pub(super) fn log(&self, level: Level, text: String) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(level, text);
    }

    /// Takes what a guest prints; each whole line is one of the log. Once the log is full, the rest costs a count.
    pub(super) fn print(&self, level: Level, bytes: &[u8]) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = log.room();
            if room == 0 {
                log.dropped += rest.len();
                return;
            }
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            let (piece, after) = rest.split_at(end);
            log.dropped += piece.len().saturating_sub(room);
            log.partial.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                log.end_line(level);
            }
            rest = after;
        }
    }

    pub(super) fn grown_to(&self, memory: usize) {
        self.memory.store(memory, Ordering::Relaxed);
    }

    /// Bytes of memory that the call came to; memories never shrink, so this is the peak.
    pub(super) fn peak_memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// All lines; what did not fit is told in one more. The failure's come after: they fit always, as far as
    /// `MAX_FAULT_BYTES`.
    pub(super) fn take_lines(&self, fault: Vec<LogLine>) -> Vec<LogLine> {
        let mut log = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        if !log.partial.is_empty() {
            log.end_line(Level::Info);
        }
        if log.dropped > 0 {
            let text = format!("({} more bytes were logged and are not kept)", log.dropped);
            log.lines.push(LogLine { level: Level::Warn, text });
        }
        // A trap's frames carry names that the guest chose, each as long as it liked.
        let mut left = MAX_FAULT_BYTES;
        for line in fault {
            let text = shortened(line.text, MAX_FAULT_LINE);
            let line = LogLine { text, ..line };
            let Some(after) = left.checked_sub(line.size()) else { break };
            left = after;
            log.lines.push(line);
        }
        log.lines
    }
}

impl CallLog {
    /// Bytes of text that a further line may have.
    fn room(&self) -> usize {
        MAX_LOG_BYTES.saturating_sub(self.bytes + self.partial.len() + LINE_COST)
    }

    fn push(&mut self, level: Level, text: String) {
        let line = LogLine { level, text };
        if self.bytes + line.size() > MAX_LOG_BYTES {
            // A dropped line costs something too, or a flood of empty ones would go untold.
            self.dropped += line.text.len().max(1);
            return;
        }
        self.bytes += line.size();
        self.lines.push(line);
    }

    fn end_line(&mut self, level: Level) {
        let bytes = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
        self.push(level, text);
    }
}

/// The text, cut to so many bytes, with a mark where something is missing.
pub(super) fn shortened(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CallLimits, CallRecorder, LINE_COST, Level, LogLine, MAX_FAULT_BYTES, MAX_LOG_BYTES};

    fn recorder() -> CallRecorder {
        let limits = CallLimits {
            deadline: Duration::from_secs(1),
            memory: 0,
            interpreter_memory: 0,
            transfer: 1_000,
            output: 0,
        };
        CallRecorder::new(&limits)
    }

    #[test]
    fn printed_text_becomes_lines() {
        let recorder = recorder();
        recorder.print(Level::Info, b"one\r\ntw");
        recorder.print(Level::Error, b"o\nrest");
        let lines: Vec<_> =
            recorder.take_lines(Vec::new()).into_iter().map(|line| (line.level.name(), line.text)).collect();
        let owned = |level, text: &str| (level, text.to_owned());
        assert_eq!(lines, [owned("info", "one"), owned("error", "two"), owned("info", "rest")]);
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let recorder = recorder();
        for _ in 0..3 {
            recorder.log(Level::Info, "x".repeat(MAX_LOG_BYTES / 2 - LINE_COST));
        }
        recorder.print(Level::Info, &[b'y'; 1000]);
        let lines = recorder.take_lines(Vec::new());
        assert_eq!(lines.len(), 3, "{lines:?}");
        let told =
            format!("({} more bytes were logged and are not kept)", MAX_LOG_BYTES / 2 - LINE_COST + 1000);
        assert_eq!(lines[2].text, told);
    }

    #[test]
    fn empty_lines_cost_too() {
        let (printed, logged) = (recorder(), recorder());
        printed.print(Level::Info, &[b'\n'; 1 << 20]);
        for _ in 0..10_000 {
            logged.log(Level::Info, String::new());
        }
        for (recorder, dropped) in [(printed, "more bytes"), (logged, "more bytes")] {
            let lines = recorder.take_lines(Vec::new());
            assert!(lines.len() <= MAX_LOG_BYTES / LINE_COST + 1, "{}", lines.len());
            assert!(lines.last().is_some_and(|line| line.text.contains(dropped)), "{:?}", lines.last());
        }
    }

    #[test]
    fn a_failure_is_told_after_a_flood_and_has_its_own_end() {
        let recorder = recorder();
        recorder.print(Level::Info, &[b'y'; 2 * MAX_LOG_BYTES]);
        let line = |text: String| LogLine { level: Level::Error, text };
        let frames = std::iter::repeat_with(|| line("f".repeat(100_000))).take(20);
        let told = std::iter::once(line("it stopped".to_owned())).chain(frames).collect();
        let lines = recorder.take_lines(told);
        let failure = lines.iter().position(|line| line.text == "it stopped").unwrap();
        let kept: usize = lines[failure..].iter().map(|line| line.text.len()).sum();
        assert!(kept <= MAX_FAULT_BYTES, "{kept}");
    }

    #[test]
    fn what_all_host_calls_copy_is_counted_together() {
        let recorder = recorder();
        assert!(recorder.copied(600).is_ok() && recorder.copied(400).is_ok());
        assert!(recorder.copied(1).is_err());
        assert!(recorder.limit_met().is_some_and(|text| text.contains("4 MiB")));
    }
}
