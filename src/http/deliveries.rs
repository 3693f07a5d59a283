//! Deliveries: what became of every event at every target and why, and trying again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use super::lists::page;
use crate::engine::{self, Engine};
use crate::store::{DeliveryQuery, DeliveryState};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    state: Option<String>,
    target: Option<String>,
    event: Option<i64>,
    limit: Option<u32>,
    before: Option<i64>,
}

pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, Problem> {
    let state = match filter.state.as_deref() {
        None => None,
        Some(name) => Some(DeliveryState::from_name(name).ok_or_else(|| {
            let known = DeliveryState::ALL.map(DeliveryState::name).join(", ");
            Problem::bad_request(format!("state: `{name}` is none of {known}"))
        })?),
    };
    let page = page(filter.limit, filter.before);
    let query = DeliveryQuery { state, target: filter.target, event: filter.event, page };
    let deliveries = engine.store().deliveries(engine.tenant().name(), &query).await?;
    Ok(Json(json!({ "deliveries": deliveries })))
}

pub(super) async fn show(
    State(engine): State<Arc<Engine>>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, Problem> {
    let found = engine.store().delivery(engine.tenant().name(), id).await?;
    let (delivery, attempts) = found.ok_or_else(|| no_such(id))?;
    Ok(Json(json!({ "delivery": delivery, "attempts": attempts })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct About {
    about: String,
}

/// Why an event was told of, or not, target by target.
pub(super) async fn explain(
    State(engine): State<Arc<Engine>>,
    Query(About { about }): Query<About>,
) -> Result<Json<Value>, Problem> {
    let events = engine::explain(&engine.tenant(), engine.store(), &about).await?;
    if events.is_empty() {
        return Err(Problem::not_found(format!(
            "no event `{about}` is known: name an event's id, BUILDER/NUMBER, a change's revision, `buildset ID` or \
             a worker"
        )));
    }
    Ok(Json(json!({ "events": events })))
}

pub(super) async fn retry(
    State(engine): State<Arc<Engine>>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, Problem> {
    if engine.retry(id).await? { Ok(Json(json!({ "id": id, "state": "waiting" }))) } else { Err(no_such(id)) }
}

fn no_such(id: i64) -> Problem {
    Problem::not_found(format!(
        "there is no settled delivery {id}: `campanile deliveries list` shows those there are"
    ))
}
