//! The pace at which what waits for a far side that is back becomes due: slow at first, faster for as long as all goes well
//! (M-DLV-04), and that of what a person hurries (M-DLV-05).

use std::time::Duration;

/// Deliveries of the first second: a far side that has just come back may have much to do.
const FIRST: u32 = 10;
/// Most deliveries of a second, a bound for what the store changes at once.
const MOST: u32 = 5_120;
/// Most a second of what a person hurries: nobody looks on whether it goes well.
const MOST_BY_HAND: u32 = 320;
/// Interval at which it is looked how it goes.
pub(super) const STEP: Duration = Duration::from_secs(1);

/// Attempts at a target since the engine began, by their ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) delivered: u64,
    /// Those that are to be tried again.
    pub(super) failed: u64,
}

/// The pace of one recovery.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u32,
    /// Deliveries that became due and have not been attempted, as far as that is known.
    outstanding: u64,
    last: Progress,
}

/// A far side that is away again: nothing got through for a second, and something failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AwayAgain;

impl Pace {
    /// The pace at the beginning, where attempts ended in these ways before.
    pub(super) fn new(before: Progress) -> Self {
        Self { per_second: FIRST, outstanding: 0, last: before }
    }

    /// The number of deliveries that may become due now, and the time between two of them: a second's, without those that
    /// the target's connections have not got to.
    pub(super) fn wave(&self) -> (u32, Duration) {
        let outstanding = u32::try_from(self.outstanding).unwrap_or(u32::MAX);
        (self.per_second.saturating_sub(outstanding), STEP / self.per_second)
    }

    /// Notes that so many became due.
    pub(super) fn released(&mut self, count: u64) {
        self.outstanding += count;
    }

    /// Adapts the pace to a second: half of it where something failed, twice of it where the target's connections carry
    /// more.
    ///
    /// # Errors
    /// When the far side is away again.
    pub(super) fn adapt(&mut self, now: Progress) -> Result<(), AwayAgain> {
        let delivered = now.delivered.saturating_sub(self.last.delivered);
        let failed = now.failed.saturating_sub(self.last.failed);
        self.last = now;
        self.outstanding = self.outstanding.saturating_sub(delivered + failed);
        match (delivered, failed) {
            (0, 1..) => return Err(AwayAgain),
            (_, 1..) => self.per_second = (self.per_second / 2).max(FIRST),
            // What nobody gets to is held up by something else, such as the order of its builder; it must not hold up
            // the others.
            (0, 0) => self.outstanding = 0,
            _ if self.outstanding <= u64::from(self.per_second / 2) => {
                self.per_second = (self.per_second * 2).min(MOST);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The times from now on at which deliveries that a person hurries are due: ten in the first second, twice as many in each
/// that follows, up to a bound.
pub(super) fn by_hand() -> impl Iterator<Item = Duration> {
    let rates = std::iter::successors(Some(FIRST), |rate| Some((rate * 2).min(MOST_BY_HAND)));
    let second = |(second, rate): (u32, u32)| (0..rate).map(move |n| STEP * second + STEP * n / rate);
    (0..).zip(rates).flat_map(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paces of so many seconds, in each of which as many get through as connections carry.
    fn paces(carried: u64, seconds: usize) -> Vec<u32> {
        let mut pace = Pace::new(Progress::default());
        let mut done = Progress::default();
        (0..seconds)
            .map(|_| {
                let (wave, _) = pace.wave();
                pace.released(wave.into());
                done.delivered += pace.outstanding.min(carried);
                pace.adapt(done).unwrap();
                wave
            })
            .collect()
    }

    #[test]
    fn m_dlv_04_the_pace_doubles_up_to_what_is_carried() {
        assert_eq!(paces(u64::MAX, 11), [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 5_120]);
        for carried in [50, 500, u64::MAX] {
            let all = paces(carried, 300).into_iter();
            let sums = all.scan(0, |sum, wave| {
                *sum += u64::from(wave);
                Some(*sum)
            });
            let seconds = sums.take_while(|sum| *sum < 10_000).count() + 1;
            println!("10,000 that waited are due after {seconds} s where {carried} a second are carried");
            assert!(u64::try_from(seconds).unwrap() <= 10_000 / carried + 10, "{carried}: {seconds}");
        }
        let slow = paces(100, 30);
        assert_eq!(slow[..4], [10, 20, 40, 80]);
        assert!(slow[10..].iter().all(|wave| *wave == 100), "{slow:?}");
    }

    #[test]
    fn m_dlv_04_the_pace_halves_where_something_fails() {
        let mut pace = Pace::new(Progress { delivered: 7, failed: 7 });
        pace.per_second = 160;
        pace.adapt(Progress { delivered: 107, failed: 8 }).unwrap();
        assert_eq!(pace.wave(), (80, Duration::from_micros(12_500)));
        for delivered in 108..112 {
            pace.adapt(Progress { delivered, failed: delivered }).unwrap();
        }
        assert_eq!(pace.wave().0, FIRST);
        assert_eq!(pace.adapt(Progress { delivered: 111, failed: 112 }), Err(AwayAgain));
        // What is held up by something else holds up nobody.
        pace.released(FIRST.into());
        assert_eq!(pace.wave().0, 0);
        pace.adapt(Progress { delivered: 111, failed: 112 }).unwrap();
        assert_eq!(pace.wave().0, FIRST);
    }

    #[test]
    fn m_dlv_05_what_a_person_hurries_is_due_ever_faster() {
        let due: Vec<Duration> = by_hand().take(10_000).collect();
        assert_eq!(due[..2], [Duration::ZERO, Duration::from_millis(100)]);
        assert_eq!((due[10], due[30]), (STEP, STEP * 2));
        assert!(due.is_sorted() && due.last().is_some_and(|last| *last < STEP * 37), "{:?}", due.last());
    }
}
