//! Why an event was told of, or not: one sentence for each target (M-21).

use serde::Serialize;

use super::Tenant;
use campanile_model::{BuildId, Event, Timestamp};
use campanile_store::{Delivery, DeliveryId, DeliveryQuery, EventId, Page, Store, StoreError};
use campanile_targets::Target;

/// Events about one subject that are explained at a time, the newest first.
const MOST_EVENTS: u32 = 20;
/// No tenant has that many targets.
const MOST_TARGETS: u32 = 10_000;

/// What an event came to at every target.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The event's id.
    pub event: EventId,
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub subject: String,
    /// Every target there is, in the order of the settings, then those that there were.
    pub targets: Vec<Word>,
}

/// What an event came to at one target.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Word {
    /// The target's name.
    pub target: String,
    /// A delivery's state, or `unwanted` when the event made none.
    pub state: &'static str,
    /// The code of the fault or of the silence, if there is one.
    pub code: Option<String>,
    /// Why, in words.
    pub text: String,
    /// The delivery, if there is one.
    pub delivery: Option<DeliveryId>,
    /// When it is tried (again), while it waits.
    pub not_before: Option<Timestamp>,
}

/// Explains what is meant by `about`: an event's id, `BUILDER/NUMBER`, or what an event is about as deliveries show it
/// (a change's revision, `buildset 3`, a worker's name). Newest event first; empty if there is none such.
///
/// # Errors
/// When the store fails.
pub async fn explain(
    tenant: &Tenant,
    store: &dyn Store,
    about: &str,
) -> Result<Vec<Explanation>, StoreError> {
    if let Ok(id) = about.parse()
        && let Some(event) = store.event(tenant.name(), id).await?
    {
        return Ok(vec![of_event(tenant, store, id, &event).await?]);
    }
    let subject = build_named(about).map_or_else(|| about.to_owned(), |build| build.to_string());
    let mut explanations = Vec::new();
    for id in store.events_about(tenant.name(), &subject, MOST_EVENTS).await? {
        if let Some(event) = store.event(tenant.name(), id).await? {
            explanations.push(of_event(tenant, store, id, &event).await?);
        }
    }
    Ok(explanations)
}

/// `linux/7`; the builder's name may hold slashes.
fn build_named(about: &str) -> Option<BuildId> {
    let (builder, number) = about.rsplit_once('/')?;
    Some(BuildId { builder: builder.to_owned(), number: number.parse().ok()? })
}

async fn of_event(
    tenant: &Tenant,
    store: &dyn Store,
    id: EventId,
    event: &Event,
) -> Result<Explanation, StoreError> {
    let page = Page { limit: MOST_TARGETS, before: None };
    let query = DeliveryQuery { state: None, target: None, event: Some(id), page };
    let mut deliveries = store.deliveries(tenant.name(), &query).await?;
    let mut targets: Vec<Word> = Vec::with_capacity(tenant.targets().len());
    for target in tenant.targets() {
        let made = deliveries.iter().position(|delivery| delivery.target == target.name());
        targets.push(match made {
            Some(place) => of_delivery(deliveries.remove(place)),
            None => without_delivery(&**target, event),
        });
    }
    targets.extend(deliveries.into_iter().map(of_delivery));
    Ok(Explanation { event: id, name: event.name(), subject: event.subject(), targets })
}

fn of_delivery(delivery: Delivery) -> Word {
    let waiting = delivery.state == campanile_store::DeliveryState::Waiting;
    Word {
        target: delivery.target,
        state: delivery.state.name(),
        code: delivery.code,
        text: delivery.text.unwrap_or_else(|| "it has not been tried yet".to_owned()),
        delivery: Some(delivery.id),
        not_before: waiting.then_some(delivery.not_before),
    }
}

fn without_delivery(target: &dyn Target, event: &Event) -> Word {
    let text = if target.wants(event).is_some() {
        "when the event came in the settings had no such target, or it did not ask for such events".to_owned()
    } else {
        target.unwanted(event)
    };
    Word {
        target: target.name().to_owned(),
        state: "unwanted",
        code: None,
        text,
        delivery: None,
        not_before: None,
    }
}
