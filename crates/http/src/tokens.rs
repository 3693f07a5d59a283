//! Routes of tokens: list, creation, revocation.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{CurrentTenant, Principal};
use super::body::LimitedBody;
use super::extract::Path;
use super::problem::{Problem, ProblemCode};
use campanile_config::parse_duration;
use campanile_engine::{Engine, TokenError};
use campanile_store::{Role, Token};

/// Largest body of a token's request, in bytes.
const MAX_BODY: u64 = 16 << 10;

/// Tokens.
#[derive(Serialize, ToSchema)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
}

/// Lists tokens, oldest first
#[utoipa::path(get, path = "/tokens", tag = "tokens", responses(
    (status = 200, description = "oldest first", body = Tokens),
))]
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
) -> Result<Json<Tokens>, Problem> {
    let tokens = engine.tokens().list(tenant.name()).await?;
    Ok(Json(Tokens { tokens }))
}

/// The properties of a new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTokenRequest {
    /// Its purpose, on one line.
    name: String,
    /// The role of its bearer.
    #[schema(value_type = Role)]
    role: String,
    /// Its lifetime, such as `90d`; for ever if left away.
    lasts: Option<String>,
}

/// A new token with its text.
#[derive(Serialize, ToSchema)]
pub(super) struct CreateTokenResponse {
    #[serde(flatten)]
    known: Token,
    /// The token itself; it is shown this once only.
    token: String,
}

/// Makes a token
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = CreateTokenRequest, responses(
    (status = 201, description = "made", body = CreateTokenResponse),
))]
pub(super) async fn make(
    State(engine): State<Arc<Engine>>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Response, Problem> {
    let wanted: CreateTokenRequest = LimitedBody::new(request.into_body(), MAX_BODY).json().await?;
    let role = Role::from_name(&wanted.role).ok_or_else(|| {
        let known = Role::ALL.map(Role::name).join("`, `");
        Problem::bad_request(format!("$.role: must be one of `{known}`"))
    })?;
    if !principal.role.includes(role) {
        let text = format!(
            "a token of the role `{}` makes none of the role `{}`",
            principal.role.name(),
            role.name()
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, ProblemCode::Forbidden, text));
    }
    let lasts = match wanted.lasts.as_deref() {
        None => None,
        Some(text) => Some(
            parse_duration(text)
                .filter(|lasts| !lasts.is_zero())
                .ok_or_else(|| Problem::bad_request("$.lasts: must be a time such as `90d` or `12h`"))?,
        ),
    };
    let of = (principal.tenant.name(), principal.tenant.limits().tokens);
    let made = engine.tokens().make(of, &wanted.name, role, lasts).await;
    let (token, text) = made.map_err(|error| match error {
        TokenError::Store(error) => error.into(),
        TokenError::Name => Problem::bad_request(format!("$.name: {error}")),
        TokenError::TooMany(_) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, ProblemCode::OverLimit, error.to_string())
        }
        TokenError::Random => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Internal, error.to_string())
        }
    })?;
    let response = CreateTokenResponse { known: token, token: text.expose().to_owned() };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(response)).into_response())
}

/// Ends a token
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = String, Path)), responses(
    (status = 204, description = "it is over"),
))]
pub(super) async fn revoke(
    State(engine): State<Arc<Engine>>,
    CurrentTenant(tenant): CurrentTenant,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if engine.tokens().revoke(tenant.name(), &id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found(format!("there is no token `{}`", id.escape_debug())))
}
