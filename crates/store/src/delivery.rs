//! Deliveries: the life of one event at one target, as it is stored.

use std::time::Duration;

use serde::Serialize;

use super::{EventId, StoreError, parse};
use campanile_model::{Event, Timestamp, TraceContext};

/// Identity of a delivery.
pub type DeliveryId = i64;

/// The right to work on a claimed delivery: what is written under it counts for as long as nobody else has claimed the
/// delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Tenant whose delivery it is.
    pub tenant: String,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Token of the claim; each claim has another.
    pub token: i64,
}

/// A delivery that an event leads to, before it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Name of the target.
    pub target: String,
    /// Deliveries of one target with the same key go out one at a time and in order.
    pub ordering_key: Option<String>,
    /// Bounds of the target's queue, if its deliveries are one.
    pub queue: Option<Queue>,
}

/// A target's queue: what is added gets a number, and when it is too long the oldest are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Greatest number that may wait, at least 1.
    pub max: u32,
    /// Time that a new delivery waits for company.
    pub delay: Duration,
}

/// Position of a delivery in its target's queue (P-PKT-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct QueuePosition {
    /// Number from 1, and one more for each that is added, over restarts.
    pub number: u64,
    /// Time at which number 1 was added.
    pub started: Timestamp,
}

/// Deliveries of a target that were dropped to make room for newer ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Name of the target.
    pub target: String,
    /// Number of dropped deliveries.
    pub count: u64,
}

/// A stored delivery.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// Identity.
    pub id: DeliveryId,
    /// Tenant whose delivery it is.
    pub tenant: String,
    /// Event that it tells of.
    pub event: EventId,
    /// Name of that event.
    pub event_name: String,
    /// Subject of the event, for people: `linux #4`, or a change's revision.
    pub subject: String,
    /// Name of the target.
    pub target: String,
    /// Key within which deliveries of the target go out one at a time and in order.
    pub ordering_key: Option<String>,
    /// Position in the target's queue, if that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<QueuePosition>,
    /// State.
    pub state: DeliveryState,
    /// Number of attempts made.
    pub attempts: u32,
    /// Time of its creation, or of its last retry by a person: its age counts from here.
    pub created: Timestamp,
    /// Earliest time of the next attempt.
    pub not_before: Timestamp,
    /// The one that goes before it in its ordering key, while both wait; not read by claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<Predecessor>,
    /// Closed code of the last fault, or of the silence.
    pub code: Option<String>,
    /// Receipt, fault or silence in words.
    pub text: Option<String>,
    /// Digest of the callback version that wrote the message, if one did.
    pub callback_version: Option<String>,
    /// Trace that it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    #[schema(value_type = Option<String>)]
    pub trace: Option<TraceContext>,
    /// Prepared bytes, once there are any; every attempt sends just these.
    #[serde(skip)]
    pub message: Option<Vec<u8>>,
    /// Token of its claim, while it is claimed.
    #[serde(skip)]
    pub lease_token: Option<i64>,
    /// True if it was under way when the engine died: its attempt is to be begun alone.
    #[serde(skip)]
    pub is_suspect: bool,
    /// Event as JSON, of a delivery that was just claimed and has yet to be prepared, so that it need not be asked for
    /// once more. None for a finished build, which is read when it is prepared: logs may have come since.
    #[serde(skip)]
    pub payload: Option<String>,
}

/// A waiting delivery that others wait behind: the oldest of its ordering key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Predecessor {
    /// Identity.
    pub id: DeliveryId,
    /// Earliest time of its next attempt.
    pub not_before: Timestamp,
}

/// A delivery as far as it decides about what a person may do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Identity.
    pub id: DeliveryId,
    /// State.
    pub state: DeliveryState,
    /// Closed code of the last fault, or of the silence.
    pub code: Option<String>,
    /// True while somebody has it under a lease: it is being sent.
    pub is_leased: bool,
}

fn as_text<S: serde::Serializer>(trace: &Option<TraceContext>, serializer: S) -> Result<S::Ok, S::Error> {
    match trace {
        Some(trace) => serializer.collect_str(trace),
        None => serializer.serialize_none(),
    }
}

impl Delivery {
    /// Returns the lease that it was claimed under. Of one that was not claimed, it is one that nobody holds.
    #[must_use]
    pub fn lease(&self) -> Lease {
        // No claim gives 0.
        Lease { tenant: self.tenant.clone(), delivery: self.id, token: self.lease_token.unwrap_or(0) }
    }

    /// Parses the event that came with it, if one did.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when what is stored can't be read.
    pub fn event(&self) -> Result<Option<Event>, StoreError> {
        let payload = self.payload.as_deref();
        payload.map(|payload| parse(&format!("event {}", self.event), payload)).transpose()
    }
}

/// State of a delivery. All begin as waiting; only a person makes one wait again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// To be prepared or sent.
    Waiting,
    /// The far side took it over, wholly or in part.
    Delivered,
    /// Nothing was to be sent; the code says why.
    Silent,
    /// Given up; a person can make it wait again.
    Dead,
}

impl DeliveryState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Delivered, Self::Silent, Self::Dead];

    /// The lower-case name, as stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Silent => "silent",
            Self::Dead => "dead",
        }
    }

    /// Finds the state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Result of an attempt, or of the decision not to make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// New state of the delivery.
    pub state: DeliveryState,
    /// True if an attempt to send was made: those are counted and listed.
    pub attempted: bool,
    /// Closed code of the fault or the silence; none when all went well.
    pub code: Option<String>,
    /// Receipt, fault or silence in words.
    pub text: String,
    /// Earliest time of the next attempt, for one that waits.
    pub not_before: Timestamp,
    /// Kind of waiting, for one that waits.
    pub wait: Wait,
}

/// Kind of waiting: it decides who may shorten it, and who waits behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// For the far side to come back: due as soon as that is known.
    #[default]
    ForFarSide,
    /// For a time of its own, which only a person shortens.
    OfItsOwn,
    /// As `OfItsOwn`; and it has held up those behind it long enough: it leaves the order of its key.
    OutOfOrder,
}

/// One attempt to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Attempt {
    /// Time of its end.
    pub at: Timestamp,
    /// State in which it left the delivery.
    pub state: DeliveryState,
    /// Closed code of the fault, if it failed.
    pub code: Option<String>,
    /// Receipt or fault in words.
    pub text: String,
}
