//! The wait before the next connection (I-RC-01, I-RC-02).

use std::time::Duration;

/// No wait is longer, however often it failed; unless the settings ask for a longer one.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A session shorter than this counts as a failure: a server that takes us and throws us out at once would otherwise be
/// asked every few seconds for ever, which is what gets addresses banned.
const SHORT: Duration = Duration::from_secs(60);
/// A session longer than this makes up for all failures.
const LONG: Duration = Duration::from_secs(5 * 60);

/// Waits of one client, which double with each failure in a row.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// After a lost session, and after a failed attempt. Drawn once, so that many bots of one host, whose server
    /// restarts, do not come back in step (I-CFG-20).
    drawn: (Duration, Duration),
    failures: u32,
}

/// Least waits as the settings give them; those left open are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// After a session was lost.
    pub lost: Option<Duration>,
    /// After an attempt that came to nothing.
    pub failed: Option<Duration>,
}

impl Backoff {
    /// Draws what the settings may leave open: 1 to 5 s, and 45 to 60 s (I-CFG-14, I-CFG-15).
    #[must_use]
    pub fn drawn() -> Self {
        let seconds = |range| Duration::from_secs(fastrand::u64(range));
        Self { drawn: (seconds(1..=5), seconds(45..=60)), failures: 0 }
    }

    /// The wait after an attempt that came to nothing. Counts the failure.
    pub fn after_failure(&mut self, delays: Delays) -> Duration {
        let wait = self.grown(delays.failed.unwrap_or(self.drawn.1));
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// The wait after a session of this length was lost. Counts a short one as a failure; a long one clears the count.
    pub fn after_session(&mut self, lasted: Duration, delays: Delays) -> Duration {
        if lasted > LONG {
            self.failures = 0;
        }
        let wait = self.grown(delays.lost.unwrap_or(self.drawn.0));
        if lasted < SHORT {
            self.failures = self.failures.saturating_add(1);
        }
        wait
    }

    fn grown(self, least: Duration) -> Duration {
        least.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST.max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const SET: Delays = Delays { lost: Some(s(2)), failed: Some(s(50)) };

    #[test]
    fn i_cfg_14_i_cfg_15_i_cfg_20_drawn_once_and_within_their_bounds() {
        for _ in 0..200 {
            let mut backoff = Backoff::drawn();
            let lost = backoff.after_session(s(400), Delays::default());
            assert!((1..=5).contains(&lost.as_secs()), "{lost:?}");
            assert_eq!(backoff.after_session(s(400), Delays::default()), lost);
            let failed = backoff.after_failure(Delays::default());
            assert!((45..=60).contains(&failed.as_secs()), "{failed:?}");
        }
    }

    #[test]
    fn i_rc_02_failures_double_the_wait_up_to_a_quarter_of_an_hour() {
        let mut backoff = Backoff::drawn();
        let waits: Vec<u64> = (0..7).map(|_| backoff.after_failure(SET).as_secs()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 900, 900]);
        // A session of some length neither counts as a failure nor makes up for them.
        assert_eq!(backoff.after_session(s(100), SET), s(256));
        assert_eq!(backoff.after_session(s(301), SET), s(2));
        assert_eq!(backoff.after_session(s(59), SET), s(2));
        assert_eq!(backoff.after_session(s(59), SET), s(4));
        assert_eq!(backoff.after_failure(Delays { failed: Some(s(3_600)), ..SET }), s(3_600));
    }
}
