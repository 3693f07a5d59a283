//! Errors of the API as `application/problem+json` (RFC 9457), with codes of a closed set.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use campanile_callbacks::StatusError;
use campanile_engine::{IngestError, LimitError};
use campanile_store::StoreError;

/// Seconds after which whoever was refused because of the store may come again.
const STORE_PAUSE: u64 = 30;

/// An error on its way to the client.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: ProblemCode,
    detail: String,
    /// The wait before another attempt, in seconds.
    retry_after: Option<u64>,
}

/// The kind of an error, for programs. `docs/api.md` lists them.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProblemCode {
    BadRequest,
    Busy,
    CallbackRefused,
    Exists,
    Forbidden,
    HookRefused,
    Internal,
    MediaType,
    Method,
    NotFound,
    OverLimit,
    ShuttingDown,
    Store,
    TooLarge,
    TooSlow,
    Unauthorized,
}

impl ProblemCode {
    fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Busy => "busy",
            Self::CallbackRefused => "callback-refused",
            Self::Exists => "exists",
            Self::Forbidden => "forbidden",
            Self::HookRefused => "hook-refused",
            Self::Internal => "internal",
            Self::MediaType => "media-type",
            Self::Method => "method",
            Self::NotFound => "not-found",
            Self::OverLimit => "over-limit",
            Self::ShuttingDown => "shutting-down",
            Self::Store => "store",
            Self::TooLarge => "too-large",
            Self::TooSlow => "too-slow",
            Self::Unauthorized => "unauthorized",
        }
    }
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: None }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ProblemCode::BadRequest, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, ProblemCode::NotFound, detail)
    }

    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            ProblemCode::Internal,
            "the request could not be read: the log says why",
        )
    }

    /// The 503 of a store that takes nothing now.
    pub(super) fn store_unavailable() -> Self {
        let detail = "the store does not take writes now; the log says why";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Store, detail);
        Self { retry_after: Some(STORE_PAUSE), ..problem }
    }

    pub(super) fn services_ended(names: &[&str]) -> Self {
        let detail = format!(
            "ended by itself: {}; the log says why, and the process is about to end",
            names.join(", ")
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Store, detail)
    }

    /// The 503 of a door whose connections are all at work.
    pub(super) fn no_room() -> Self {
        let detail = "all connections are in use: come again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Busy, detail)
    }

    /// The 503 of a memory for unproven bodies that others have.
    pub(super) fn no_room_for_bodies() -> Self {
        let detail =
            "there is no room now for bodies of senders who have not proven anything: come again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Busy, detail)
    }

    /// The 404 that tells nothing: no route here, no such tenant, or none that the sender may know of.
    pub(super) fn no_such_page() -> Self {
        Self::not_found("there is no such page")
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The wait before another attempt, in seconds; none if waiting alone does not help.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }
}

impl From<LimitError> for Problem {
    fn from(over: LimitError) -> Self {
        // What waiting alone does not mend is no matter of coming again.
        let status = if over.retry_after.is_some() {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            StatusCode::PAYLOAD_TOO_LARGE
        };
        let retry_after = over.retry_after.map(|wait| wait.as_secs().max(1));
        Self { retry_after, ..Self::new(status, ProblemCode::OverLimit, over.to_string()) }
    }
}

impl From<IngestError> for Problem {
    fn from(why: IngestError) -> Self {
        match why {
            IngestError::Limit(over) => over.into(),
            IngestError::Store(error) => error.into(),
        }
    }
}

impl From<StatusError> for Problem {
    fn from(error: StatusError) -> Self {
        tracing::error!(%error, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ProblemCode::Store, "the store failed; the log says why")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchBuild(_) => Self::not_found(error.to_string()),
            StoreError::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                ProblemCode::ShuttingDown,
                "the engine is shutting down",
            ),
            other if other.is_unavailable() => {
                tracing::error!(error = %other, "request refused");
                Self::store_unavailable()
            }
            other => {
                tracing::error!(error = %other, "request failed");
                // What exactly is wrong with the store is no business of the client's.
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    ProblemCode::Store,
                    "the store failed; the log says why",
                )
            }
        }
    }
}

/// The body of an error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct ProblemBody {
    /// `urn:campanile:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// From a closed set, for programs.
    code: ProblemCode,
    /// The fault, its place and a remedy, for people.
    detail: String,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: format!("urn:campanile:problem:{}", self.code.name()),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
        };
        let mut response = (self.status, json!(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Answers where no route is.
pub(super) async fn page_not_found() -> Problem {
    Problem::no_such_page()
}

/// Answers where a route has other methods; axum adds `Allow`.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, ProblemCode::Method, "this page is not asked by this method")
}
