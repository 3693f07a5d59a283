//! Tokens: which there are, new ones, and the end of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Principal;
use super::answer::Problem;
use super::body::Limited;
use crate::config::parse_duration;
use crate::engine::{Engine, NoToken};
use crate::store::Role;

/// Nobody needs more words than this.
const MAX_BODY: u64 = 16 << 10;

pub(super) async fn list(State(engine): State<Arc<Engine>>) -> Result<Json<Value>, Problem> {
    let tokens = engine.tokens().list(engine.tenant().name()).await?;
    Ok(Json(json!({ "tokens": tokens })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    name: String,
    role: String,
    /// `90d`.
    lasts: Option<String>,
}

pub(super) async fn make(
    State(engine): State<Arc<Engine>>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Response, Problem> {
    let body = Limited::new(request.into_body(), MAX_BODY).whole().await?;
    let wish: Wish =
        serde_json::from_slice(&body).map_err(|error| Problem::bad_request(format!("$: {error}")))?;
    let role = Role::from_name(&wish.role).ok_or_else(|| {
        let known = Role::ALL.map(Role::name).join("`, `");
        Problem::bad_request(format!("$.role: must be one of `{known}`"))
    })?;
    if !principal.role.includes(role) {
        let text = format!(
            "a token of the role `{}` makes none of the role `{}`",
            principal.role.name(),
            role.name()
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", text));
    }
    let lasts = match wish.lasts.as_deref() {
        None => None,
        Some(text) => Some(
            parse_duration(text)
                .filter(|lasts| !lasts.is_zero())
                .ok_or_else(|| Problem::bad_request("$.lasts: must be a time such as `90d` or `12h`"))?,
        ),
    };
    let made = engine.tokens().make(engine.tenant().name(), &wish.name, role, lasts).await;
    let (token, text) = made.map_err(|error| match error {
        NoToken::Store(error) => error.into(),
        NoToken::Name => Problem::bad_request(format!("$.name: {error}")),
        NoToken::Random => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", error.to_string()),
    })?;
    let mut answer = json!(token);
    answer["token"] = text.expose().into();
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

pub(super) async fn revoke(
    State(engine): State<Arc<Engine>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if engine.tokens().revoke(engine.tenant().name(), &id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found(format!("there is no token `{}`", id.escape_debug())))
}
