//! The limits of a call, and the record that is kept of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

/// No more is kept of what one call logs.
const MAX_LOG_BYTES: usize = 64 << 10;

/// Limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallLimits {
    /// Wall time.
    pub deadline: Duration,
    /// Bytes, summed over all memories.
    pub memory: usize,
    /// The same, for interpreted guests.
    pub interpreter_memory: usize,
    /// Bytes that may be copied out of the guest, host calls and result together.
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
}

/// A line of a callback's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Severity of the line.
    pub level: Level,
    /// The text, as the guest wrote it.
    pub text: String,
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

/// Collects a call's log and memory, shared with its store so that they survive a call that is cut off.
#[derive(Debug, Default)]
pub(super) struct CallRecorder {
    log: Mutex<CallLog>,
    memory: AtomicUsize,
}

#[derive(Debug, Default)]
struct CallLog {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: usize,
    /// Text on standard output or error that has no line end yet.
    partial: Vec<u8>,
}

impl CallRecorder {
    pub(super) fn log(&self, level: Level, text: String) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(level, text);
    }

    /// Takes what a guest prints; each whole line is one of the log.
    pub(super) fn print(&self, level: Level, bytes: &[u8]) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_LOG_BYTES.saturating_sub(log.bytes + log.partial.len());
            log.dropped += piece.len().saturating_sub(room);
            log.partial.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                log.end_line(level);
            }
        }
    }

    pub(super) fn grown_to(&self, memory: usize) {
        self.memory.store(memory, Ordering::Relaxed);
    }

    /// Bytes of memory that the call came to; memories never shrink, so this is the peak.
    pub(super) fn peak_memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// All lines; what did not fit is told in one more.
    pub(super) fn take_lines(&self) -> Vec<LogLine> {
        let mut log = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        if !log.partial.is_empty() {
            log.end_line(Level::Info);
        }
        if log.dropped > 0 {
            let text = format!("({} more bytes were logged and are not kept)", log.dropped);
            log.lines.push(LogLine { level: Level::Warn, text });
        }
        log.lines
    }
}

impl CallLog {
    fn push(&mut self, level: Level, text: String) {
        if self.bytes + text.len() > MAX_LOG_BYTES {
            self.dropped += text.len();
            return;
        }
        self.bytes += text.len();
        self.lines.push(LogLine { level, text });
    }

    fn end_line(&mut self, level: Level) {
        let bytes = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
        self.push(level, text);
    }
}

#[cfg(test)]
mod tests {
    use super::{CallRecorder, Level, MAX_LOG_BYTES};

    #[test]
    fn printed_text_becomes_lines() {
        let recorder = CallRecorder::default();
        recorder.print(Level::Info, b"one\r\ntw");
        recorder.print(Level::Error, b"o\nrest");
        let lines: Vec<_> =
            recorder.take_lines().into_iter().map(|line| (line.level.name(), line.text)).collect();
        let owned = |level, text: &str| (level, text.to_owned());
        assert_eq!(lines, [owned("info", "one"), owned("error", "two"), owned("info", "rest")]);
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let recorder = CallRecorder::default();
        for _ in 0..3 {
            recorder.log(Level::Info, "x".repeat(MAX_LOG_BYTES / 2));
        }
        recorder.print(Level::Info, &[b'y'; 1000]);
        let lines = recorder.take_lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        let told = format!("({} more bytes were logged and are not kept)", MAX_LOG_BYTES / 2 + 1000);
        assert_eq!(lines[2].text, told);
    }
}
