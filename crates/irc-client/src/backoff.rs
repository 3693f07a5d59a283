//! How long to wait before the next connection (I-RC-01, I-RC-02).

use std::time::Duration;

/// No wait is longer, however often it failed.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// A session shorter than this counts as a failure.
const SHORT: Duration = Duration::from_secs(60);
/// A session longer than this makes up for all failures.
const LONG: Duration = Duration::from_secs(5 * 60);

/// Waits of one bot. Drawn once per bot where the settings don't say (I-CFG-20).
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    drawn: (Duration, Duration),
    failures: u32,
}

/// What the settings say: `lost_delay` and `failed_delay`.
pub(super) type Delays = (Option<Duration>, Option<Duration>);

impl Backoff {
    /// Draws what the settings may leave open: 1 to 5 s, and 45 to 60 s (I-CFG-14, I-CFG-15).
    pub(super) fn drawn() -> Self {
        let seconds = |range| Duration::from_secs(fastrand::u64(range));
        Self { drawn: (seconds(1..=5), seconds(45..=60)), failures: 0 }
    }

    /// The wait after an attempt that came to nothing.
    pub(super) fn after_failure(&mut self, delays: Delays) -> Duration {
        let wait = self.grown(delays.1.unwrap_or(self.drawn.1));
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// The wait after a session of this length was lost.
    pub(super) fn after_session(&mut self, lasted: Duration, delays: Delays) -> Duration {
        if lasted > LONG {
            self.failures = 0;
        }
        let wait = self.grown(delays.0.unwrap_or(self.drawn.0));
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

    const SET: Delays = (Some(s(2)), Some(s(50)));

    #[test]
    fn i_cfg_14_i_cfg_15_i_cfg_20_drawn_once_and_within_their_bounds() {
        for _ in 0..200 {
            let mut backoff = Backoff::drawn();
            let lost = backoff.after_session(s(400), (None, None));
            assert!((1..=5).contains(&lost.as_secs()), "{lost:?}");
            assert_eq!(backoff.after_session(s(400), (None, None)), lost);
            let failed = backoff.after_failure((None, None));
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
        assert_eq!(backoff.after_failure((None, Some(s(3_600)))), s(3_600));
    }
}
