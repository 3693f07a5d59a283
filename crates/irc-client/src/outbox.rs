//! Lines that wait to be sent, at the rate that servers put up with (I-OUT-06), and which messages have arrived.
//!
//! A message has arrived when the answer to a PING that was sent after its last line has come back: servers work on
//! lines in their order.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How many lines may go out at once, and how soon one more may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// The bucket's size.
    pub(super) burst: u32,
    /// Time for one more line.
    pub(super) interval: Duration,
}

/// Identity of a message within its connection.
pub(super) type Ticket = u64;

enum Waiting {
    Line(String),
    /// All lines of the message stand before this.
    End(Ticket),
}

/// What waits, what may go, and what is not yet known to have arrived.
pub(super) struct Outbox {
    rate: Rate,
    urgent: VecDeque<String>,
    waiting: VecDeque<Waiting>,
    /// The bucket: so much was in it at that time.
    tokens: f64,
    at: Instant,
    sent: Vec<Ticket>,
    sent_up_to: Ticket,
    asked: Option<(String, Vec<Ticket>)>,
    pings: u64,
}

impl Outbox {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            urgent: VecDeque::new(),
            waiting: VecDeque::new(),
            tokens: f64::from(rate.burst),
            at: now,
            sent: Vec::new(),
            sent_up_to: 0,
            asked: None,
            pings: 0,
        }
    }

    /// The rate may change while lines wait.
    pub(super) fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// A line that goes before all others and counts for nothing: logging in, PONG, QUIT.
    pub(super) fn push_urgent(&mut self, line: String) {
        self.urgent.push_back(line);
    }

    /// A line that waits its turn.
    pub(super) fn push(&mut self, line: String) {
        self.waiting.push_back(Waiting::Line(line));
    }

    /// Ends a message: its lines are those pushed since the end of the one before.
    pub(super) fn end(&mut self, ticket: Ticket) {
        self.waiting.push_back(Waiting::End(ticket));
    }

    /// The last message whose lines have all gone out.
    pub(super) fn sent_up_to(&self) -> Ticket {
        self.sent_up_to
    }

    /// How many lines wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.iter().filter(|waiting| matches!(waiting, Waiting::Line(_))).count()
    }

    /// The next line that may go out now.
    pub(super) fn next(&mut self, now: Instant) -> Option<String> {
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
                Some(Waiting::Line(_)) if self.tokens >= 1.0 => {
                    self.tokens -= 1.0;
                    let Some(Waiting::Line(line)) = self.waiting.pop_front() else { return None };
                    return Some(line);
                }
                _ => break,
            }
        }
        self.ask()
    }

    /// When the next line may go out, if one waits for its time.
    pub(super) fn due(&self) -> Option<Instant> {
        matches!(self.waiting.front(), Some(Waiting::Line(_))).then(|| {
            let missing = (1.0 - self.tokens).max(0.0);
            self.at + self.rate.interval.mul_f64(missing)
        })
    }

    /// Which messages have arrived, now that this answer has come.
    pub(super) fn answered(&mut self, token: &str) -> Vec<Ticket> {
        match self.asked.take() {
            Some((asked, arrived)) if asked == token => arrived,
            other => {
                self.asked = other;
                Vec::new()
            }
        }
    }

    /// Asks whether what was sent has arrived; one question at a time, and one for many while more is to be sent:
    /// servers count it as they count what is said.
    fn ask(&mut self) -> Option<String> {
        let enough = self.waiting.is_empty() || self.sent.len() >= self.rate.burst as usize;
        if self.asked.is_some() || self.sent.is_empty() || !enough {
            return None;
        }
        self.pings += 1;
        let token = format!("arrived-{}", self.pings);
        let line = format!("PING :{token}");
        self.asked = Some((token, std::mem::take(&mut self.sent)));
        Some(line)
    }

    fn refill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() / self.rate.interval.as_secs_f64();
        self.tokens = (self.tokens + gained).min(f64::from(self.rate.burst));
        self.at = now;
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
        assert_eq!(outbox.answered("something else"), [0; 0]);
        assert_eq!(outbox.answered("arrived-1"), [1]);
        assert_eq!(outbox.next(now).as_deref(), Some("PING :arrived-2"));
        assert_eq!(outbox.answered("arrived-2"), [2, 3]);
        assert_eq!(outbox.next(now), None);
    }
}
