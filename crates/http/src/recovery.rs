//! Routes by which people have deliveries sent again or sooner, or end them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{CurrentTenant, Requester};
use super::body::LimitedBody;
use super::deliveries::{require_target, state_named};
use super::extract::Path;
use super::problem::Problem;
use campanile_engine::{Engine, Tenant};
use campanile_model::Timestamp;
use campanile_store::{DeliveryId, DeliveryQuery, DeliveryState, Page, Standing, StoreError};

/// Most deliveries that one request is about.
const MOST: u32 = 10_000;
/// Most deliveries that are named for one reason.
const MAX_NAMED: usize = 20;
/// Greatest size of a selection in bytes: so many ids, and some room.
const MAX_BODY: u64 = 256 << 10;

/// The deliveries that are meant: those of `ids`, or all that fit what is said of them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Selection {
    /// Just these; nothing else is said then.
    #[serde(default)]
    ids: Vec<DeliveryId>,
    /// Those that are `waiting` or `dead`; both, if nothing is said.
    state: Option<String>,
    /// Those of this target.
    target: Option<String>,
    /// Those that came at this time or later, in seconds since the epoch.
    since: Option<f64>,
    /// Those that came before this time.
    until: Option<f64>,
    /// Count them only.
    #[serde(default)]
    dry_run: bool,
}

/// The number of deliveries that a request was about.
#[derive(Serialize, ToSchema)]
pub(super) struct Count {
    /// Deliveries that fit; the oldest 10,000 if there are more.
    matched: u64,
    /// Deliveries of these that were changed: none of a dry run.
    changed: u64,
    /// Those that are not changed, or would not be, by their reasons.
    unchanged: Vec<Unchanged>,
}

/// Deliveries that stay as they are for one reason.
#[derive(Serialize, ToSchema)]
struct Unchanged {
    reason: UnchangedReason,
    count: u64,
    /// The first twenty of them.
    ids: Vec<DeliveryId>,
}

/// A reason why a delivery stays as it is.
#[derive(Clone, Copy, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum UnchangedReason {
    /// There is none of this number.
    Missing,
    /// It is under way.
    BeingSent,
    /// Nothing was to be sent.
    Silent,
    /// It was dropped before, by a person or a full queue.
    Dropped,
    /// It has been sent, and can't be dropped any more.
    Delivered,
    /// It was given up: nothing of it is sent anyway.
    Dead,
}

/// A delivery that is queued again.
#[derive(Serialize, ToSchema)]
pub(super) struct QueuedDelivery {
    id: i64,
    state: DeliveryState,
}

/// Sends a dead or delivered one again, or a waiting one sooner
#[utoipa::path(post, path = "/deliveries/{id}/retry", tag = "deliveries", params(("id" = i64, Path)), responses(
    (status = 200, description = "it waits to be sent", body = QueuedDelivery),
))]
pub(super) async fn retry(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path(id): Path<i64>,
) -> Result<Json<QueuedDelivery>, Problem> {
    if engine.retry(&tenant, &[id]).await? == 1 {
        return Ok(Json(QueuedDelivery { id, state: DeliveryState::Waiting }));
    }
    Err(match engine.store().delivery(tenant.name(), id).await? {
        None => Problem::not_found(format!(
            "there is no delivery {id}: `campanile deliveries list` shows those there are"
        )),
        Some((delivery, _)) if is_dropped(delivery.state, delivery.code.as_deref()) => {
            let text = delivery.text.unwrap_or_default();
            Problem::bad_request(format!("delivery {id} is not to be sent any more: {text}"))
        }
        Some((delivery, _)) if delivery.state == DeliveryState::Silent => Problem::bad_request(format!(
            "delivery {id} is silent: nothing was to be sent, `campanile deliveries explain {}` says why",
            delivery.event
        )),
        Some(_) => Problem::bad_request(format!("delivery {id} is being sent just now")),
    })
}

/// Sends dead ones again, and waiting ones sooner, one after the other
#[utoipa::path(post, path = "/deliveries/retry", tag = "deliveries", request_body = Selection, responses(
    (status = 200, description = "so many are due, ten in the first second and then faster", body = Count),
))]
pub(super) async fn retry_all(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    request: Request,
) -> Result<Json<Count>, Problem> {
    let (selection, states) = (read(request).await?, [DeliveryState::Waiting, DeliveryState::Dead]);
    let ids = selected(&engine, &tenant, &selection, &states).await?;
    let unchanged = unchanged(&engine, &tenant, &ids, |state| state != DeliveryState::Silent).await?;
    let changed = if selection.dry_run { None } else { Some(engine.retry(&tenant, &ids).await?) };
    Ok(Json(Count::new(&ids, changed, unchanged)))
}

/// Ends waiting ones: nothing of them is sent
#[utoipa::path(post, path = "/deliveries/drop", tag = "deliveries", request_body = Selection, responses(
    (status = 200, description = "so many are silent now, with the code `dropped`", body = Count),
))]
pub(super) async fn drop_all(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Requester(who): Requester,
    request: Request,
) -> Result<Json<Count>, Problem> {
    let selection = read(request).await?;
    let ids = selected(&engine, &tenant, &selection, &[DeliveryState::Waiting]).await?;
    let unchanged = unchanged(&engine, &tenant, &ids, |state| state == DeliveryState::Waiting).await?;
    let changed =
        if selection.dry_run { None } else { Some(engine.drop_waiting(&tenant, &ids, &who).await?) };
    Ok(Json(Count::new(&ids, changed, unchanged)))
}

impl Count {
    /// `changed` is none for a dry run. What has no reason has been claimed since it was looked at.
    fn new(ids: &[DeliveryId], changed: Option<u64>, mut unchanged: Vec<Unchanged>) -> Self {
        let matched = ids.len() as u64;
        let explained: u64 = unchanged.iter().map(|of| of.count).sum();
        let others = changed.map_or(0, |changed| matched.saturating_sub(changed + explained));
        if others > 0 {
            row_of(&mut unchanged, UnchangedReason::BeingSent).count += others;
        }
        Self { matched, changed: changed.unwrap_or_default(), unchanged }
    }
}

/// Finds those of these that stay as they are; `may` says in which states they would not.
async fn unchanged(
    engine: &Engine,
    tenant: &Tenant,
    ids: &[DeliveryId],
    may: fn(DeliveryState) -> bool,
) -> Result<Vec<Unchanged>, Problem> {
    let standings = engine.store().standings(tenant.name(), ids).await?;
    let standings: HashMap<DeliveryId, Standing> = standings.into_iter().map(|of| (of.id, of)).collect();
    let mut all: Vec<Unchanged> = Vec::new();
    for id in ids {
        let reason = match standings.get(id) {
            None => UnchangedReason::Missing,
            Some(of) if of.state == DeliveryState::Waiting && of.is_leased => UnchangedReason::BeingSent,
            Some(of) if may(of.state) => continue,
            Some(of) if is_dropped(of.state, of.code.as_deref()) => UnchangedReason::Dropped,
            Some(of) if of.state == DeliveryState::Delivered => UnchangedReason::Delivered,
            Some(of) if of.state == DeliveryState::Dead => UnchangedReason::Dead,
            Some(_) => UnchangedReason::Silent,
        };
        let row = row_of(&mut all, reason);
        row.count += 1;
        if row.ids.len() < MAX_NAMED {
            row.ids.push(*id);
        }
    }
    Ok(all)
}

/// Finds the row of a reason, or adds it.
fn row_of(rows: &mut Vec<Unchanged>, reason: UnchangedReason) -> &mut Unchanged {
    let at = rows.iter().position(|row| row.reason == reason).unwrap_or_else(|| {
        rows.push(Unchanged { reason, count: 0, ids: Vec::new() });
        rows.len() - 1
    });
    &mut rows[at]
}

fn is_dropped(state: DeliveryState, code: Option<&str>) -> bool {
    state == DeliveryState::Silent && code == Some("dropped")
}

async fn read(request: Request) -> Result<Selection, Problem> {
    LimitedBody::new(request.into_body(), MAX_BODY).json().await
}

/// Finds the deliveries that are meant, oldest first; `states` are those that may be.
async fn selected(
    engine: &Engine,
    tenant: &Tenant,
    selection: &Selection,
    states: &[DeliveryState],
) -> Result<Vec<DeliveryId>, Problem> {
    let Selection { ids, state, target, since, until, dry_run: _ } = selection;
    let says_which = state.is_some() || target.is_some() || since.is_some() || until.is_some();
    match (ids.is_empty(), says_which) {
        (true, false) => {
            let text = "name the deliveries: `ids`, or some of `state`, `target`, `since` and `until`";
            return Err(Problem::bad_request(text));
        }
        (false, true) => return Err(Problem::bad_request("give `ids` or what fits, not both")),
        (false, false) if ids.len() > MOST as usize => {
            return Err(Problem::bad_request(format!("ids: {MOST} at most in one request")));
        }
        (false, false) => {
            let mut ids = ids.clone();
            ids.sort_unstable();
            ids.dedup();
            return Ok(ids);
        }
        (true, true) => {}
    }
    let named = state.as_deref().map(|name| state_named(name, states)).transpose()?;
    if let Some(target) = target {
        require_target(engine, tenant, target).await?;
    }
    let [since, until] = [*since, *until].map(|at| at.and_then(Timestamp::from_seconds_f64));
    let mut found = Vec::new();
    for state in states.iter().filter(|state| named.is_none_or(|named| named == **state)) {
        let page = Page { limit: MOST, before: None };
        let (state, target) = (Some(*state), target.clone());
        let query = DeliveryQuery { state, target, event: None, since, until, page };
        let ids: Result<Vec<DeliveryId>, StoreError> =
            engine.store().delivery_ids(tenant.name(), &query).await;
        found.extend(ids?);
    }
    found.sort_unstable();
    found.truncate(MOST as usize);
    Ok(found)
}
