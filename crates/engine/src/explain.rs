//! Explanations of an event's fate: for each target one sentence why it was told, or not (M-21).

use serde::Serialize;

use super::{Engine, Tenant, build_changes};
use campanile_model::{BuildId, Event, Timestamp};
use campanile_store::{Delivery, DeliveryId, DeliveryQuery, EventId, Page, Predecessor, Store, StoreError};
use campanile_targets::Target;

/// Limit of events about one subject that are explained at a time, the newest first.
const MAX_EVENTS: u32 = 20;
/// Most names in a list for people.
const MAX_LISTED: usize = 5;
/// More targets than any tenant has.
const MAX_TARGETS: u32 = 10_000;

/// An event and its fate at every target.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The event's id.
    pub event: EventId,
    /// Its name.
    pub name: &'static str,
    /// Its subject, as deliveries show it.
    pub subject: String,
    /// The rule by which a build has its changes, in words; none for other events.
    pub changes: Option<String>,
    /// Every target there is, in the order of the settings, then those that there were.
    pub targets: Vec<TargetExplanation>,
}

/// An event's fate at one target.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = Word)]
pub struct TargetExplanation {
    /// The target's name.
    pub target: String,
    /// A delivery's state, or `unwanted` when the event made none.
    pub state: &'static str,
    /// The code of the fault or of the silence, if there is one.
    pub code: Option<String>,
    /// The reason, in words.
    pub text: String,
    /// The delivery, if there is one.
    pub delivery: Option<DeliveryId>,
    /// Time of the next attempt, while it waits.
    pub not_before: Option<Timestamp>,
    /// The delivery that it waits behind, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<Predecessor>,
}

/// A question that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The beginning of several revisions.
    #[error("`{about}` is the beginning of {}: write more of it", listed("revisions", .revisions))]
    Ambiguous {
        /// The beginning that was asked for.
        about: String,
        /// The revisions that begin so.
        revisions: Vec<String>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Explains the events that `about` means: an event's id, `BUILDER/NUMBER`, or a subject as deliveries show it (a
/// change's revision or the first digits of its hash, seven or more; `buildset 3`, a worker's name). Newest event first;
/// empty if there is none such.
///
/// # Errors
/// When several revisions begin so, and when the store fails.
pub async fn explain(
    engine: &Engine,
    tenant: &Tenant,
    about: &str,
) -> Result<Vec<Explanation>, ExplainError> {
    let store = engine.store();
    if let Ok(id) = about.parse()
        && let Some(event) = store.event(tenant.name(), id).await?
    {
        return Ok(vec![of_event(engine, tenant, id, &event).await?]);
    }
    let subject = build_named(about).map_or_else(|| about.to_owned(), |build| build.to_string());
    let mut explanations = Vec::new();
    let mut ids = store.events_about(tenant.name(), &subject, MAX_EVENTS).await?;
    if ids.is_empty() {
        // Git takes both cases, and what is stored is what forges write.
        let revisions =
            build_changes::revisions_of(store, tenant.name(), &about.to_ascii_lowercase()).await?;
        match revisions.as_slice() {
            [] => {}
            [revision] => ids = store.events_about(tenant.name(), revision, MAX_EVENTS).await?,
            _ => return Err(ExplainError::Ambiguous { about: about.to_owned(), revisions }),
        }
    }
    for id in ids {
        if let Some(event) = store.event(tenant.name(), id).await? {
            explanations.push(of_event(engine, tenant, id, &event).await?);
        }
    }
    Ok(explanations)
}

/// Parses `linux/7`; the builder's name may hold slashes.
fn build_named(about: &str) -> Option<BuildId> {
    let (builder, number) = about.rsplit_once('/')?;
    Some(BuildId { builder: builder.to_owned(), number: number.parse().ok()? })
}

async fn of_event(
    engine: &Engine,
    tenant: &Tenant,
    id: EventId,
    event: &Event,
) -> Result<Explanation, StoreError> {
    let store = engine.store();
    let page = Page { limit: MAX_TARGETS, before: None };
    let query = DeliveryQuery { state: None, target: None, event: Some(id), since: None, until: None, page };
    let mut deliveries = store.deliveries(tenant.name(), &query).await?;
    deliveries.iter_mut().for_each(|delivery| engine.show_rest(delivery));
    let mut targets: Vec<TargetExplanation> = Vec::with_capacity(tenant.targets().len());
    for target in tenant.targets() {
        let made = deliveries.iter().position(|delivery| delivery.target == target.name());
        targets.push(match made {
            Some(place) => of_delivery(deliveries.remove(place)),
            None => without_delivery(&**target, event),
        });
    }
    targets.extend(deliveries.into_iter().map(of_delivery));
    let changes = changes_of(tenant, store, event).await?;
    Ok(Explanation { event: id, name: event.name(), subject: event.subject(), changes, targets })
}

/// The rule by which a build has its changes.
async fn changes_of(tenant: &Tenant, store: &dyn Store, event: &Event) -> Result<Option<String>, StoreError> {
    let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else { return Ok(None) };
    if let Some(rule) = store.changes_rule(tenant.name(), &build.id()).await? {
        return Ok(Some(rule));
    }
    let told: usize = build.source_stamps.iter().map(|stamp| stamp.changes.len()).sum();
    let unknown = build.source_stamps.iter().find(|stamp| stamp.revision.is_some());
    Ok(Some(match (told, unknown) {
        (1.., _) => format!("{told} told with the build"),
        (0, Some(stamp)) => {
            format!("none: {}", build_changes::why_unknown(store, tenant.name(), stamp).await?)
        }
        (0, None) => "none: the build was told of without a revision".to_owned(),
    }))
}

/// Names some of several things: "7 revisions (a, b, c, d, e, ...)"; one by itself.
pub(super) fn listed(what: &str, names: &[String]) -> String {
    if let [name] = names {
        return name.clone();
    }
    let more = if names.len() > MAX_LISTED { ", ..." } else { "" };
    let first: Vec<&str> = names.iter().take(MAX_LISTED).map(String::as_str).collect();
    format!("{} {what} ({}{more})", names.len(), first.join(", "))
}

fn of_delivery(delivery: Delivery) -> TargetExplanation {
    let waiting = delivery.state == campanile_store::DeliveryState::Waiting;
    TargetExplanation {
        target: delivery.target,
        state: delivery.state.name(),
        code: delivery.code,
        text: delivery.text.unwrap_or_else(|| "it has not been tried yet".to_owned()),
        delivery: Some(delivery.id),
        not_before: waiting.then_some(delivery.not_before),
        behind: delivery.behind,
    }
}

fn without_delivery(target: &dyn Target, event: &Event) -> TargetExplanation {
    let text = if target.wants(event).is_some() {
        "when the event came in the settings had no such target, or it did not ask for such events".to_owned()
    } else {
        target.unwanted(event)
    };
    TargetExplanation {
        target: target.name().to_owned(),
        state: "unwanted",
        code: None,
        text,
        delivery: None,
        not_before: None,
        behind: None,
    }
}
