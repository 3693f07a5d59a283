//! Lines that wait to be sent, at the rate that servers put up with (I-OUT-06), and which messages have arrived.
//!
//! A message has arrived when the answer to a PING that was sent after its last line has come back. A server works on the
//! lines of a connection in their order, so the answer proves that it has worked on all before. Not so the kernel's
//! consent to a write: what lies in socket buffers when a connection breaks is lost without an error, and a message that
//! counted as written would be neither seen nor sent again. IRCv3's `echo-message` would prove the same, but only where a
//! server offers it; every server answers PING.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Rate of lines: a bucket of tokens, one a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The bucket's size: so many lines may go out at once. At least 1.
    pub burst: u32,
    /// Time for one more line. Not zero.
    pub interval: Duration,
}

/// Identity of a message within its connection: numbers from 1, in the order in which messages go out.
pub type Ticket = u64;

enum Waiting {
    /// A line, and the message that it is of, if its arrival matters.
    Line(String, Option<Ticket>),
    /// All lines of the message stand before this.
    End(Ticket),
}

/// Time in which everything that waits goes out: less than an attempt may take, which would be given up while it is said.
const LONGEST_RUN: Duration = Duration::from_secs(300);
/// However fast lines go out, no more of them wait.
const MOST_LINES: usize = 5_000;
const MOST_BYTES: usize = 1 << 20;

/// The reason why lines may not wait.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OutboxFull {
    /// There is room later.
    #[error("the outbox is full: {lines} lines wait, and no more than {max} may at this rate")]
    Now { lines: usize, max: usize },
    /// There is never room for so many.
    #[error("{lines} lines are too many: no more than {max}, of a mebibyte at most, may wait at this rate")]
    Always { lines: usize, max: usize },
}

/// Lines that wait, and messages that are not known yet to have arrived.
pub(crate) struct Outbox {
    rate: Rate,
    urgent: VecDeque<String>,
    waiting: VecDeque<Waiting>,
    /// Content of the bucket at the time `filled`. A fraction is a line that is not free yet.
    tokens: f64,
    filled: Instant,
    /// Messages that have gone out and that no PING has been sent for.
    sent: Vec<Ticket>,
    sent_up_to: Ticket,
    /// Token of the PING that is out, and the messages that its answer proves.
    ping: Option<(String, Vec<Ticket>)>,
    pings: u64,
}

impl Outbox {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            urgent: VecDeque::new(),
            waiting: VecDeque::new(),
            tokens: f64::from(rate.burst),
            filled: now,
            sent: Vec::new(),
            sent_up_to: 0,
            ping: None,
            pings: 0,
        }
    }

    /// Changes the rate, also of lines that wait.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// Adds a line that goes before all others and costs nothing: registration, PONG. A PONG that stood in the
    /// queue behind a hundred lines would come too late, and the server would close the connection.
    pub(crate) fn push_urgent(&mut self, line: String) {
        self.urgent.push_back(line);
    }

    /// Adds a line that waits its turn, whatever waits before it.
    pub(crate) fn push(&mut self, line: String) {
        self.waiting.push_back(Waiting::Line(line, None));
    }

    /// Adds a line of a message. See [`check_room`](Self::check_room) before.
    pub(crate) fn push_of(&mut self, ticket: Ticket, line: String) {
        self.waiting.push_back(Waiting::Line(line, Some(ticket)));
    }

    /// Checks if there is room for these lines.
    pub(crate) fn check_room(&self, new: &[String]) -> Result<(), OutboxFull> {
        let in_a_run = LONGEST_RUN.as_nanos() / self.rate.interval.as_nanos().max(1);
        let max = usize::try_from(in_a_run).unwrap_or(MOST_LINES).saturating_add(self.rate.burst as usize);
        let max = max.min(MOST_LINES);
        let (mut lines, mut bytes) = (0, 0);
        for waiting in &self.waiting {
            if let Waiting::Line(line, _) = waiting {
                lines += 1;
                bytes += line.len();
            }
        }
        let new_bytes = new.iter().map(String::len).sum::<usize>();
        if lines + new.len() <= max && bytes + new_bytes <= MOST_BYTES {
            return Ok(());
        }
        if new.len() > max || new_bytes > MOST_BYTES {
            return Err(OutboxFull::Always { lines: new.len(), max });
        }
        Err(OutboxFull::Now { lines, max })
    }

    /// Takes back the lines of a message that have not gone out.
    pub(crate) fn withdraw(&mut self, ticket: Ticket) {
        self.waiting.retain(|waiting| !matches!(waiting, Waiting::Line(_, Some(of)) if *of == ticket));
    }

    /// Ends a message: its lines are those pushed since the end of the one before.
    pub(crate) fn end(&mut self, ticket: Ticket) {
        self.waiting.push_back(Waiting::End(ticket));
    }

    /// The last message whose lines have all gone out.
    pub(crate) fn sent_up_to(&self) -> Ticket {
        self.sent_up_to
    }

    /// Number of lines that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.iter().filter(|waiting| matches!(waiting, Waiting::Line(..))).count()
    }

    /// The next line that may go out now, which counts as sent; a PING where one is due.
    pub(crate) fn next(&mut self, now: Instant) -> Option<String> {
        if let Some(line) = self.urgent.pop_front() {
            return Some(line);
        }
        self.refill(now);
        loop {
            match self.waiting.front() {
                Some(Waiting::End(ticket)) => {
                    self.sent.push(*ticket);
                    self.sent_up_to = *ticket;
                    self.waiting.pop_front();
                }
                Some(Waiting::Line(..)) if self.tokens >= 1.0 => {
                    self.tokens -= 1.0;
                    let Some(Waiting::Line(line, _)) = self.waiting.pop_front() else { return None };
                    return Some(line);
                }
                _ => break,
            }
        }
        self.request_receipt()
    }

    /// Time of the next line, if one waits for it.
    pub(crate) fn due(&self) -> Option<Instant> {
        matches!(self.waiting.front(), Some(Waiting::Line(..))).then(|| {
            let missing = (1.0 - self.tokens).max(0.0);
            self.filled + self.rate.interval.mul_f64(missing)
        })
    }

    /// The messages that have arrived, now that this answer to a PING has come. Answers to other PINGs prove nothing.
    pub(crate) fn take_arrived(&mut self, token: &str) -> Vec<Ticket> {
        match self.ping.take() {
            Some((pinged, arrived)) if pinged == token => arrived,
            other => {
                self.ping = other;
                Vec::new()
            }
        }
    }

    /// A PING behind what was sent. One at a time, and one for many while more is to be sent: servers count each PING
    /// against us as they count messages, and one behind every line would halve the rate.
    fn request_receipt(&mut self) -> Option<String> {
        let enough = self.waiting.is_empty() || self.sent.len() >= self.rate.burst as usize;
        if self.ping.is_some() || self.sent.is_empty() || !enough {
            return None;
        }
        self.pings += 1;
        let token = format!("arrived-{}", self.pings);
        let line = format!("PING :{token}");
        self.ping = Some((token, std::mem::take(&mut self.sent)));
        Some(line)
    }

    fn refill(&mut self, now: Instant) {
        let gained =
            now.saturating_duration_since(self.filled).as_secs_f64() / self.rate.interval.as_secs_f64();
        self.tokens = (self.tokens + gained).min(f64::from(self.rate.burst));
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 5, interval: Duration::from_secs(2) };

    #[test]
    fn i_out_06_five_at_once_then_one_each_two_seconds() {
        let start = Instant::now();
        let mut outbox = Outbox::new(RATE, start);
        for number in 0..8 {
            outbox.push(number.to_string());
        }
        let at = |millis| start + Duration::from_millis(millis);
        let go =
            |outbox: &mut Outbox, millis| std::iter::from_fn(|| outbox.next(at(millis))).collect::<Vec<_>>();
        assert_eq!(go(&mut outbox, 0), ["0", "1", "2", "3", "4"]);
        assert_eq!(outbox.due(), Some(at(2_000)));
        assert_eq!(go(&mut outbox, 1_900), [""; 0]);
        assert_eq!(go(&mut outbox, 2_000), ["5"]);
        // What the server asks for does not wait.
        outbox.push_urgent("PONG :x".to_owned());
        assert_eq!(go(&mut outbox, 2_001), ["PONG :x"]);
        assert_eq!(go(&mut outbox, 6_000), ["6", "7"]);
        assert_eq!((outbox.due(), outbox.len()), (None, 0));
        // An hour of silence fills the bucket, and no more.
        for number in 0..9 {
            outbox.push(number.to_string());
        }
        assert_eq!(go(&mut outbox, 3_600_000).len(), 5);
    }

    #[test]
    fn a_message_has_arrived_when_the_ping_after_it_is_answered() {
        let now = Instant::now();
        let mut outbox = Outbox::new(RATE, now);
        outbox.push("a".to_owned());
        outbox.end(1);
        let lines: Vec<_> = std::iter::from_fn(|| outbox.next(now)).collect();
        assert_eq!(lines, ["a", "PING :arrived-1"]);
        outbox.push("b".to_owned());
        outbox.end(2);
        outbox.push("c".to_owned());
        outbox.end(3);
        let lines: Vec<_> = std::iter::from_fn(|| outbox.next(now)).collect();
        assert_eq!(lines, ["b", "c"]);
        assert_eq!(outbox.take_arrived("something else"), [0; 0]);
        assert_eq!(outbox.take_arrived("arrived-1"), [1]);
        assert_eq!(outbox.next(now).as_deref(), Some("PING :arrived-2"));
        assert_eq!(outbox.take_arrived("arrived-2"), [2, 3]);
        assert_eq!(outbox.next(now), None);
    }

    #[test]
    fn i_out_09_the_outbox_is_bounded_and_what_nobody_waits_for_is_taken_back() {
        let now = Instant::now();
        let mut outbox = Outbox::new(RATE, now);
        let lines = |count: usize| vec!["x".to_owned(); count];
        assert_eq!(outbox.check_room(&lines(155)), Ok(()), "five minutes at this rate");
        assert_eq!(outbox.check_room(&lines(156)), Err(OutboxFull::Always { lines: 156, max: 155 }));
        for line in lines(100) {
            outbox.push_of(1, line);
        }
        outbox.end(1);
        outbox.push("y".to_owned());
        assert_eq!(outbox.check_room(&lines(54)), Ok(()));
        assert_eq!(outbox.check_room(&lines(55)), Err(OutboxFull::Now { lines: 101, max: 155 }));
        assert!(matches!(outbox.check_room(&["x".repeat(MOST_BYTES + 1)]), Err(OutboxFull::Always { .. })));
        outbox.withdraw(1);
        assert_eq!(outbox.next(now).as_deref(), Some("y"));
    }
}
