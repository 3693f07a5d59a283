//! The trait that every target is, with the values that go in and out of it.
//!
//! The order of the calls: [`Target::wants`] while an event is taken in, [`Target::prepare`] once for its delivery,
//! then [`Target::bundle`] and [`Target::send`] (or [`Target::send_batch`]) until something final comes back.
//!
//! Invariant: no method sleeps or tries again. A delivery that is retried is handed over with the bytes that `prepare`
//! wrote: a template that changed in between, or a callback that says something else today, can't change what was
//! promised, and part of a message never goes out twice in two wordings.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Fault, Permanence, Silence};
use campanile_callbacks::{Caller, Status};
use campanile_ci::control::Control;
use campanile_model::{Builder, Event, Timestamp};

/// The order that an event's delivery must keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Deliveries of this target with the same key go out one at a time and in order.
    pub ordering_key: Option<String>,
    /// There when what waits for the target is a queue of its own, with one ordering key for all.
    pub queue: Option<Queue>,
}

impl Wanted {
    /// Keeps the order among all that has the same key.
    #[must_use]
    pub fn in_order(key: impl Into<String>) -> Self {
        Self { ordering_key: Some(key.into()), queue: None }
    }
}

/// A queue of a target's own: numbered over restarts, and bounded: of too many the oldest are dropped, and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Most that may wait, at least 1.
    pub max: u32,
    /// A new one waits so long for company.
    pub delay: Duration,
}

/// A delivery's position in its target's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePosition {
    /// From 1, and one more for each that was added.
    pub number: u64,
    /// The time at which number 1 was added.
    pub started: Timestamp,
}

/// A target's own pace of retries, where it is not everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first failure; each further one is twice the last, give or take a fifth.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
}

/// The surroundings of one call of [`Target::prepare`].
pub struct Context {
    /// The party that callbacks are called for; its `status` has the tenant's builds and logs.
    pub caller: Caller,
    /// The time of day.
    pub now: Timestamp,
    /// The delivery's position in the target's queue, if that has one.
    pub position: Option<QueuePosition>,
    /// The time at which the delivery's event came in.
    pub created: Timestamp,
}

/// The result of [`Target::prepare`].
#[derive(Debug)]
pub enum Prepared {
    /// Bytes to store and to send; their form is the target's own.
    Message {
        /// The bytes.
        message: Vec<u8>,
        /// Digest of the callback version that wrote them, if one did.
        version: Option<String>,
    },
    /// Nothing is to be sent, for this reason.
    Silent(Silence),
}

/// Messages of a batch that are put together.
#[derive(Debug)]
pub struct Bundle {
    /// Bytes to store in the place of the first one's message.
    pub message: Vec<u8>,
    /// Digest of the callback version that wrote them, if one did.
    pub version: Option<String>,
}

/// The result of an attempt to hand a message over.
#[derive(Debug)]
pub enum Outcome {
    /// The far side took it over; its reply, for people.
    Delivered(String),
    /// It took it over for some of the recipients and refused the others for good.
    Partial {
        /// Its reply, for people.
        receipt: String,
        /// Those who were refused and the reason, each in a sentence.
        refused: Vec<String>,
    },
    /// Part of it went out and must not go out again: try later with these bytes instead.
    Remainder {
        /// The message for the rest.
        message: Vec<u8>,
        /// The reason for there being a rest.
        fault: Fault,
        /// The far side asked to be left alone until then.
        not_before: Option<Timestamp>,
    },
    /// Not now: the same message is to be tried again.
    Deferred {
        /// The reason.
        fault: Fault,
        /// The far side asked to be left alone until then.
        not_before: Option<Timestamp>,
    },
    /// Never: trying again can't help.
    Refused(Fault),
    /// By now there is nothing to be said any more, for this reason.
    Silent(Silence),
}

impl From<Fault> for Outcome {
    /// Deferred if the fault may pass, else refused.
    fn from(fault: Fault) -> Self {
        match fault.permanence {
            Permanence::Permanent => Self::Refused(fault),
            Permanence::Transient => Self::Deferred { fault, not_before: None },
        }
    }
}

/// A message to hand over, in one attempt.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// As `prepare` wrote it.
    pub message: &'a [u8],
    /// The time since its event came in.
    pub age: Duration,
    /// The count of attempts that failed.
    pub failures: u32,
    /// The time of day.
    pub now: Timestamp,
}

/// A place that notifications go to.
#[async_trait]
pub trait Target: Send + Sync {
    /// Gives its name, which is unique within the tenant.
    fn name(&self) -> &str;
    /// Tells the order that an event's delivery must keep; none if the event doesn't concern the target.
    ///
    /// Runs for every target while an event is taken in: it must be cheap, and waits for nothing. What is known only
    /// from the builds is for `prepare` to decide.
    fn wants(&self, event: &Event) -> Option<Wanted>;
    /// Lists the names in its settings that none of these builders has, each in a sentence (M-04b). None by default.
    fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        let _ = builders;
        Vec::new()
    }
    /// Explains to people why `wants` says no to an event: by the setting that would change it, or what the target is
    /// for.
    fn unwanted(&self, event: &Event) -> String;
    /// Writes the bytes to send, or says why nothing is sent. Runs callbacks; touches no network.
    ///
    /// # Errors
    /// A fault that may pass has the delivery prepared again later, any other ends it.
    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault>;
    /// Hands the message over once. Never retries, never sleeps, never renders.
    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome;
    /// Tells the most messages of one ordering key that it takes at once. One by default.
    fn max_batch(&self) -> u32 {
        1
    }
    /// Tells the most attempts at once that are of use: the connections that it may have, say. What is beyond them waits
    /// in the store and not in [`send`](Self::send). None by default: as many as the engine gives each.
    fn max_in_flight(&self) -> Option<usize> {
        None
    }
    /// Puts the first messages of a batch together, where they go out as one: the bundle is stored before it is sent, so
    /// that every later attempt sends just these bytes. None by default, and where that has been done before. Runs
    /// callbacks; touches no network.
    ///
    /// # Errors
    /// With the fault of the first message.
    async fn bundle(&self, batch: &[Outgoing<'_>]) -> Result<Option<Bundle>, Fault> {
        let _ = batch;
        Ok(None)
    }
    /// Tells that what [`prepare`](Self::prepare) made of an event is stored, or that nothing is to be sent: it is not
    /// asked again, and what was kept for it can be forgotten. Must be cheap, and waits for nothing.
    fn prepared(&self, event: &Event) {
        let _ = event;
    }
    /// Hands a batch of messages over once, in their order, and tells what became of the first so many.
    ///
    /// The others have not been touched. Nothing follows one that was deferred: it would overtake it. By default only
    /// the first message goes out, by itself.
    async fn send_batch(&self, batch: &[Outgoing<'_>]) -> Vec<Outcome> {
        match batch.first() {
            Some(first) => vec![self.send(*first).await],
            None => Vec::new(),
        }
    }
    /// Proves that address and credentials work; says what the far side offers. Changes nothing there.
    async fn probe(&self) -> Result<String, Fault>;
    /// Tells the time for which it is left alone after it took something over. None by default.
    fn cooldown(&self) -> Option<Duration> {
        None
    }
    /// Tells the pace at which failed deliveries are tried again, then without end: the length of the queue is the
    /// limit. None by default: as the settings say for all.
    fn backoff(&self) -> Option<Backoff> {
        None
    }
    /// Tells if its messages about builds are of their changes: then those of a build that was told of by its revision are
    /// looked for, and waited for if need be. True by default.
    fn tells_changes(&self) -> bool {
        true
    }
    /// Tells the age at which its news is of no use to anybody any more, and is given up. None by default.
    fn max_age(&self) -> Option<Duration> {
        None
    }
    /// Tells how old a delivery that is put off by itself may become before those behind it in its order go first. None
    /// by default: they wait for it as long as it waits.
    fn order_patience(&self) -> Option<Duration> {
        None
    }
    /// Begins, or goes on with, what lives between deliveries: a connection on which people answer, say. `state` is
    /// what [`keep`](Self::keep) gave for the target of this name before the settings were read anew. Nothing by
    /// default.
    fn open(&self, context: SessionContext, state: Option<ReloadState>) {
        let _ = (context, state);
    }
    /// Hands out what is to outlive this target when the settings are read anew.
    fn keep(&self) -> Option<ReloadState> {
        None
    }
    /// Ends what `open` began. What `keep` gave away is ended by whoever has it.
    async fn close(&self) {}
}

/// A target's state that outlives it while the settings are read anew; its type is the target's own.
pub type ReloadState = Arc<dyn Any + Send + Sync>;

/// The tenant as a target sees it that people talk with, at any time.
#[derive(Clone)]
pub struct SessionContext {
    /// The tenant's builders, builds and logs.
    pub status: Arc<dyn Status>,
    /// The way to steer the CI.
    pub control: Arc<dyn Control>,
    /// Has what waits for this target tried at once: its far side is back.
    pub retry_now: Arc<dyn Fn() + Send + Sync>,
}
