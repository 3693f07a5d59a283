//! Times of further attempts: a pure function of the attempt, its fault and a random number.

use std::time::Duration;

use campanile_model::Timestamp;
use campanile_store::Wait;
use campanile_targets::{Backoff, Fault, Permanence, Scope};

/// A retry policy: exponential backoff with an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// The first delay's upper bound; each further one's is twice the last.
    pub(super) first: Duration,
    /// No delay is longer.
    pub(super) longest: Duration,
    /// A delivery that still fails at this age is dead. Without one it is tried for ever.
    pub(super) max_age: Option<Duration>,
    /// The part of a delay that is left to chance.
    pub(super) jitter: Jitter,
}

/// The spread of attempts, so that those that failed together don't come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jitter {
    /// Over the whole delay.
    Full,
    /// Over a fifth before and behind its end (P-CYC-07).
    Fifth,
}

impl Policy {
    /// One second, doubling up to an hour, for as long as `max_age`.
    #[must_use]
    pub(super) fn new(max_age: Duration) -> Self {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(3_600));
        Self { first, longest, max_age: Some(max_age), jitter: Jitter::Full }
    }

    /// A target's own pace, for ever.
    #[must_use]
    pub(super) fn with_backoff(backoff: Backoff) -> Self {
        Self { first: backoff.first, longest: backoff.longest, max_age: None, jitter: Jitter::Fifth }
    }
}

/// The decision after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Try again, not before this.
    At(Timestamp),
    /// Give up; a person may start it again.
    Dead,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailedAttempt<'a> {
    /// Its number, from 1.
    pub(super) attempt: u32,
    /// Time of the delivery's creation.
    pub(super) created: Timestamp,
    /// The reason of the failure.
    pub(super) fault: &'a Fault,
    /// The end of the time for which the far side asked to be left alone.
    pub(super) not_before: Option<Timestamp>,
    /// Time of the failure.
    pub(super) now: Timestamp,
}

/// Decides after a failure. `random` lies in 0..1 and spreads the attempts.
///
/// Nothing that may pass is dead before its age: an attempt that would come later is made at the end of it, unless the
/// far side asked for more.
#[must_use]
pub(super) fn next(policy: &Policy, failed: FailedAttempt<'_>, random: f64) -> Next {
    if failed.fault.permanence == Permanence::Permanent {
        return Next::Dead;
    }
    let end = policy.max_age.map(|age| failed.created.after(age));
    if end.is_some_and(|end| failed.now >= end) {
        return Next::Dead;
    }
    let doubled = 2_u32.saturating_pow(failed.attempt.saturating_sub(1));
    let first = failed.fault.first_delay.unwrap_or_default().max(policy.first);
    let bound = first.saturating_mul(doubled).min(policy.longest);
    let random = random.clamp(0.0, 1.0);
    let delay = match policy.jitter {
        // The protocol's delay is the least one: only what comes on top of it is left to chance.
        _ if failed.fault.first_delay.is_some() => bound.mul_f64(1.0 + 0.2 * random),
        Jitter::Full => bound.mul_f64(random),
        Jitter::Fifth => bound.mul_f64(0.8 + 0.4 * random).min(policy.longest),
    };
    let at = failed.now.after(delay);
    let at = end.map_or(at, |end| at.min(end));
    Next::At(at.max(failed.not_before.unwrap_or(failed.now)))
}

/// Tells the kind of waiting after a failure. `patience`: the age at which one that is put off by itself holds up nobody
/// any more.
#[must_use]
pub(super) fn wait(failed: FailedAttempt<'_>, patience: Option<Duration>) -> Wait {
    match (failed.fault.scope, failed.not_before) {
        (Scope::FarSide | Scope::Pause, None) => Wait::ForFarSide,
        (Scope::FarSide | Scope::Pause, Some(_)) => Wait::OfItsOwn,
        (Scope::Message, _) => {
            let is_over = patience.is_some_and(|patience| failed.now >= failed.created.after(patience));
            if is_over { Wait::OutOfOrder } else { Wait::OfItsOwn }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_targets::FaultCode;

    fn after(attempt: u32, age: i64, not_before: Option<i64>, random: f64) -> Next {
        let now = Timestamp::from_seconds(1_000_000);
        let failed = FailedAttempt {
            attempt,
            created: Timestamp::from_seconds(1_000_000 - age),
            fault: &Fault::transient(FaultCode::Busy, "421"),
            not_before: not_before.map(Timestamp::from_seconds),
            now,
        };
        next(&Policy::new(Duration::from_secs(86_400)), failed, random)
    }

    fn at(seconds: i64) -> Next {
        Next::At(Timestamp::from_seconds(seconds))
    }

    #[test]
    fn delays_double_up_to_an_hour() {
        assert_eq!(after(1, 0, None, 1.0), at(1_000_001));
        assert_eq!(after(4, 0, None, 1.0), at(1_000_008));
        assert_eq!(after(4, 0, None, 0.5), at(1_000_004));
        assert_eq!(after(40, 0, None, 1.0), at(1_003_600));
        assert_eq!(after(u32::MAX, 0, None, 1.0), at(1_003_600));
    }

    #[test]
    fn the_far_side_may_ask_for_more_but_not_for_less() {
        assert_eq!(after(1, 0, Some(1_000_060), 1.0), at(1_000_060));
        assert_eq!(after(4, 0, Some(5), 1.0), at(1_000_008));
    }

    #[test]
    fn p_cyc_07_at_a_targets_own_pace_and_for_ever() {
        let backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(300) };
        let fault = Fault::transient(FaultCode::Busy, "503");
        let after = |attempt, random| {
            let (created, now) = (Timestamp::from_seconds(0), Timestamp::from_seconds(1_000_000));
            let failed = FailedAttempt { attempt, created, fault: &fault, not_before: None, now };
            next(&Policy::with_backoff(backoff), failed, random)
        };
        assert_eq!(
            (after(1, 0.0), after(1, 0.5), after(1, 1.0)),
            (at(1_000_004), at(1_000_005), at(1_000_006))
        );
        assert_eq!((after(2, 0.5), after(5, 0.5)), (at(1_000_010), at(1_000_080)));
        assert_eq!((after(7, 1.0), after(u32::MAX, 1.0)), (at(1_000_300), at(1_000_300)));
        assert_eq!(after(7, 0.0), at(1_000_240));
    }

    #[test]
    fn m_dlv_02_the_protocols_delay_is_the_least_one() {
        let now = Timestamp::from_seconds(1_000_000);
        let fault = Fault::transient(FaultCode::Busy, "450").tried_again_from(Duration::from_secs(30));
        let after = |attempt, random| {
            let failed = FailedAttempt { attempt, created: now, fault: &fault, not_before: None, now };
            next(&Policy::new(Duration::from_secs(86_400)), failed, random)
        };
        assert_eq!((after(1, 0.0), after(1, 1.0)), (at(1_000_030), at(1_000_036)));
        assert_eq!((after(2, 0.0), after(3, 0.0)), (at(1_000_060), at(1_000_120)));
        assert_eq!((after(9, 0.0), after(u32::MAX, 0.0)), (at(1_003_600), at(1_003_600)));
    }

    #[test]
    fn m_dlv_02_an_old_delivery_dies_and_a_lasting_fault_kills_at_once() {
        assert_eq!(after(1, 86_400, None, 1.0), Next::Dead);
        // One that may pass has its last attempt at its age, and not before its time.
        assert_eq!(after(40, 86_400 - 60, None, 1.0), at(1_000_060));
        assert_eq!(after(1, 10, Some(9_000_000), 1.0), at(9_000_000));
        let now = Timestamp::from_seconds(5);
        let fault = Fault::permanent(FaultCode::Rejected, "550");
        let failed = FailedAttempt { attempt: 1, created: now, fault: &fault, not_before: None, now };
        assert_eq!(next(&Policy::new(Duration::from_secs(60)), failed, 0.0), Next::Dead);
    }
}
