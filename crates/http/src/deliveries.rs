//! Routes of deliveries: the outcome of each event at each target with its reason. `recovery` has those that change it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::CurrentTenant;
use super::extract::{Path, Query};
use super::lists::page;
use super::problem::Problem;
use campanile_engine::{self as engine, Engine, ExplainError, Explanation, Tenant};
use campanile_model::{Timestamp, nearest};
use campanile_store::{Attempt, Delivery, DeliveryQuery, DeliveryState, Page};

/// Most targets that an error names.
const MAX_NAMED: usize = 20;

/// `?state=&target=&event=&since=&until=&limit=&before=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveriesQuery {
    /// Only those in this state.
    #[param(value_type = Option<DeliveryState>)]
    state: Option<String>,
    /// Only this target's.
    target: Option<String>,
    /// Only those of this event.
    event: Option<i64>,
    /// Only those that came at this time or later, in seconds since the epoch.
    since: Option<f64>,
    /// Only those that came before this time.
    until: Option<f64>,
    /// Most deliveries in the answer: 50 if not said, 500 at most.
    limit: Option<u32>,
    /// Only those before this one.
    before: Option<i64>,
}

/// Deliveries.
#[derive(Serialize, ToSchema)]
pub(super) struct Deliveries {
    deliveries: Vec<Delivery>,
}

/// Lists deliveries, newest first
#[utoipa::path(get, path = "/deliveries", tag = "deliveries", params(DeliveriesQuery), responses(
    (status = 200, description = "newest first", body = Deliveries),
))]
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<Deliveries>, Problem> {
    let state = query.state.as_deref().map(|name| state_named(name, &DeliveryState::ALL)).transpose()?;
    let page = page(query.limit, query.before);
    if let Some(target) = &query.target {
        require_target(&engine, &tenant, target).await?;
    }
    let [since, until] = [query.since, query.until].map(|at| at.and_then(Timestamp::from_seconds_f64));
    let query = DeliveryQuery { state, target: query.target, event: query.event, since, until, page };
    let mut deliveries = engine.store().deliveries(tenant.name(), &query).await?;
    deliveries.iter_mut().for_each(|delivery| engine.show_rest(delivery));
    Ok(Json(Deliveries { deliveries }))
}

/// Finds the state of this name among those that may be named here.
pub(super) fn state_named(name: &str, known: &[DeliveryState]) -> Result<DeliveryState, Problem> {
    let found = known.iter().copied().find(|state| state.name() == name);
    found.ok_or_else(|| {
        let known: Vec<_> = known.iter().map(|state| state.name()).collect();
        Problem::bad_request(format!("state: `{name}` is none of {}", known.join(", ")))
    })
}

/// Fails if no target has this name, and none had it of which a delivery is left: it is mistyped.
pub(super) async fn require_target(engine: &Engine, tenant: &Tenant, name: &str) -> Result<(), Problem> {
    let known = || tenant.targets().iter().map(|target| target.name());
    if known().any(|target| target == name) {
        return Ok(());
    }
    let (target, page) = (Some(name.to_owned()), Page { limit: 1, before: None });
    let query = DeliveryQuery { state: None, target, event: None, since: None, until: None, page };
    if !engine.store().deliveries(tenant.name(), &query).await?.is_empty() {
        return Ok(());
    }
    let some: Vec<String> = known().take(MAX_NAMED).map(|target| format!("`{target}`")).collect();
    let hint = nearest(name, known()).map(|target| format!("did you mean `{target}`? ")).unwrap_or_default();
    let all = match known().count() {
        0 => "the settings have no targets".to_owned(),
        count if count > MAX_NAMED => {
            format!("there are {}, and {} more", some.join(", "), count - MAX_NAMED)
        }
        _ => format!("there are {}", some.join(", ")),
    };
    Err(Problem::bad_request(format!("target: there is no `{name}`: {hint}{all}")))
}

/// A delivery with all its attempts, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryDetails {
    delivery: Delivery,
    attempts: Vec<Attempt>,
}

/// Shows a delivery with all its attempts
#[utoipa::path(get, path = "/deliveries/{id}", tag = "deliveries", params(("id" = i64, Path)), responses(
    (status = 200, description = "the delivery", body = DeliveryDetails),
))]
pub(super) async fn show(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path(id): Path<i64>,
) -> Result<Json<DeliveryDetails>, Problem> {
    let found = engine.store().delivery(tenant.name(), id).await?;
    let (mut delivery, attempts) = found.ok_or_else(|| {
        Problem::not_found(format!(
            "there is no delivery {id}: `campanile deliveries list` shows those there are"
        ))
    })?;
    engine.show_rest(&mut delivery);
    Ok(Json(DeliveryDetails { delivery, attempts }))
}

/// `?about=`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// An event's id, `BUILDER/NUMBER`, a change's revision or seven digits of its hash, `buildset ID`, or a worker's name.
    about: String,
}

/// Events with their outcome at each target.
#[derive(Serialize, ToSchema)]
pub(super) struct Explanations {
    events: Vec<Explanation>,
}

/// Explains, target by target, why an event was told of or not
#[utoipa::path(get, path = "/explain", tag = "deliveries", params(ExplainQuery), responses(
    (status = 200, description = "newest event first", body = Explanations),
))]
pub(super) async fn explain(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Query(ExplainQuery { about }): Query<ExplainQuery>,
) -> Result<Json<Explanations>, Problem> {
    let events = match engine::explain(&engine, &tenant, &about).await {
        Ok(events) => events,
        Err(ExplainError::Store(error)) => return Err(error.into()),
        Err(error @ ExplainError::Ambiguous { .. }) => return Err(Problem::bad_request(error.to_string())),
    };
    if events.is_empty() {
        return Err(Problem::not_found(format!(
            "no event `{about}` is known: name an event's id, BUILDER/NUMBER, a change's revision (all of it, or seven \
             digits of a hash), `buildset ID` or a worker"
        )));
    }
    Ok(Json(Explanations { events }))
}
