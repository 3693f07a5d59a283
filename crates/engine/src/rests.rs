//! Rests: a far side that asks to be left alone gets nothing for a time, and is then asked with one message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::slots::Slots;
use campanile_model::Timestamp;
use campanile_targets::{Fault, Permanence, Scope};

/// Targets that rest, by tenant and name (M-DLV-14).
#[derive(Default)]
pub(super) struct Rests(Mutex<HashMap<(String, String), Rest>>);

/// A target's rest, which lasts until something gets through.
struct Rest {
    /// Until then nothing begins; afterwards one at a time.
    until: Instant,
    /// Rests without anything getting through between them.
    count: u32,
}

impl Rests {
    /// Notes that a far side asked to be left alone: until `not_before` where it named a time, else for what the
    /// protocol has, each further time twice as long, up to the `longest` delay of the target. Returns the length of a rest that begins by it.
    pub(super) fn asked(
        &self,
        (tenant, target): (&str, &str),
        fault: &Fault,
        not_before: Option<Timestamp>,
        longest: Duration,
        now: Timestamp,
    ) -> Option<Duration> {
        if fault.scope != Scope::Pause || fault.permanence == Permanence::Permanent {
            return None;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = Instant::now();
        let rest = all.entry((tenant.to_owned(), target.to_owned()));
        let rest = rest.or_insert(Rest { until: begin, count: 0 });
        // What was under way when the rest began only says the same once more.
        let is_new = rest.until <= begin;
        let count = if is_new { rest.count.saturating_add(1) } else { rest.count };
        let length = match not_before {
            Some(at) => at.since(now),
            None => {
                let first = fault.first_delay.unwrap_or_default();
                first.saturating_mul(2_u32.saturating_pow(count.saturating_sub(1))).min(longest)
            }
        };
        *rest = Rest { until: rest.until.max(begin + length), count };
        is_new.then_some(length)
    }

    /// Notes that something got through. What began before the rest says nothing about it; true if one is over.
    pub(super) fn got_through(&self, tenant: &str, target: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (tenant.to_owned(), target.to_owned());
        let is_over = all.get(&key).is_some_and(|rest| rest.until <= Instant::now());
        is_over && all.remove(&key).is_some()
    }

    /// Ends the rests of a tenant's targets: somebody knows better.
    pub(super) fn end(&self, tenant: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(of, _), _| of != tenant);
    }

    /// Takes the slots of targets that rest, and all but one of those that have rested. Returns the end of the first rest
    /// under way.
    pub(super) fn take_slots(&self, slots: &mut Slots) -> Option<Instant> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(tenant, _), _| slots.tenants.contains_key(tenant));
        let now = Instant::now();
        for ((tenant, target), rest) in &*all {
            slots.limit(tenant, target, usize::from(rest.until <= now));
        }
        all.values().map(|rest| rest.until).filter(|until| *until > now).min()
    }

    /// Time that a target's rest still lasts; none if it does not rest.
    pub(super) fn left(&self, tenant: &str, target: &str) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = all.get(&(tenant.to_owned(), target.to_owned()))?;
        rest.until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}
