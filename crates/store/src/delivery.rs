//! Deliveries: the life of one event at one target, as it is stored.

use std::time::Duration;

use serde::Serialize;

use super::{EventId, StoreError, parse};
use campanile_model::{Event, Timestamp, TraceContext};

/// Identity of a delivery.
pub type DeliveryId = i64;

/// A delivery that an event leads to, before it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The target's name.
    pub target: String,
    /// Deliveries of one target with the same key go out one at a time and in order.
    pub ordering_key: Option<String>,
    /// When those of this target are a queue of their own.
    pub queue: Option<Queue>,
}

/// A target's queue: what is added gets a number, and when it is too long the oldest are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many may wait, at least 1.
    pub max: u32,
    /// So long what is added waits for company.
    pub delay: Duration,
}

/// Where in its queue a delivery stands (P-PKT-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Place {
    /// From 1, and one more for each that is added, over restarts.
    pub number: u64,
    /// When number 1 was added.
    pub started: Timestamp,
}

/// Deliveries of a target that had to make room for newer ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The target's name.
    pub target: String,
    /// How many.
    pub count: u64,
}

/// A stored delivery.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Delivery {
    /// Its identity.
    pub id: DeliveryId,
    /// Whose it is.
    pub tenant: String,
    /// The event that it tells of.
    pub event: EventId,
    /// That event's name.
    pub event_name: String,
    /// What the event is about, for people: `linux #4`, or a change's revision.
    pub subject: String,
    /// The target's name.
    pub target: String,
    /// See `NewDelivery`.
    pub ordering_key: Option<String>,
    /// Its place in the target's queue, if that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many attempts were made.
    pub attempts: u32,
    /// When it was made.
    pub created: Timestamp,
    /// No attempt before this.
    pub not_before: Timestamp,
    /// A closed code: a fault's, or a silence's.
    pub code: Option<String>,
    /// What it came to, in words.
    pub text: Option<String>,
    /// Digest of the callback version that wrote the message, if one did.
    pub callback_version: Option<String>,
    /// The trace that it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    #[schema(value_type = Option<String>)]
    pub trace: Option<TraceContext>,
    /// The prepared bytes, once there are any.
    #[serde(skip)]
    pub message: Option<Vec<u8>>,
    /// Its event, where that is all in one piece, of one that was claimed and has yet to be prepared: who claims it is
    /// about to ask.
    #[serde(skip)]
    pub payload: Option<String>,
}

fn as_text<S: serde::Serializer>(trace: &Option<TraceContext>, serializer: S) -> Result<S::Ok, S::Error> {
    match trace {
        Some(trace) => serializer.collect_str(trace),
        None => serializer.serialize_none(),
    }
}

impl Delivery {
    /// Its event, if that came with it.
    ///
    /// # Errors
    /// When what is stored can't be read.
    pub fn event(&self) -> Result<Option<Event>, StoreError> {
        let payload = self.payload.as_deref();
        payload.map(|payload| parse(&format!("event {}", self.event), payload)).transpose()
    }
}

/// Where a delivery stands.
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
    /// All four.
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

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Where the delivery stands now.
    pub state: DeliveryState,
    /// Whether an attempt to send was made, which counts and is listed.
    pub attempted: bool,
    /// A closed code: a fault's, or a silence's; none when all went well.
    pub code: Option<String>,
    /// In words: the receipt, the fault or the silence.
    pub text: String,
    /// When waiting: not before this.
    pub not_before: Timestamp,
}

/// One try to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// The state that it left.
    pub state: DeliveryState,
    /// The fault's code, if it failed.
    pub code: Option<String>,
    /// In words.
    pub text: String,
}
