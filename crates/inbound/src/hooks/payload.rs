//! The payload of a request: a forge's JSON in a form field `payload`, or as the body itself (H-GH-01).

use serde_json::Value;

use super::HookError;
use super::arguments::Arguments;
use super::request::{MediaType, Method, RawHook, unknown_content_type};
use campanile_model::read_json;

/// Reads the payload by media type; a GET has it in the query.
///
/// For a POST only the body counts, although arguments may elsewhere come from the query too: a signature covers the
/// body and nothing else.
pub(super) fn read(dialect: &str, hook: &RawHook) -> Result<Value, HookError> {
    let none = || {
        let hint = "send application/json, or a form field \"payload\"";
        HookError::bad_request(format!("{dialect}: no payload ({hint})"))
    };
    let field = |arguments: &Arguments| arguments.first("payload").map(|text| text.as_bytes().to_vec());
    let bytes = match (hook.method, hook.media_type()) {
        (Method::Get, _) => field(&Arguments::query(&hook.query)),
        (Method::Post, MediaType::Form | MediaType::Multipart) => field(&Arguments::form(hook)?),
        (Method::Post, MediaType::Json) => Some(hook.body.to_vec()),
        (Method::Post, MediaType::Absent) => None,
        (Method::Post, MediaType::Other(sent)) => return Err(unknown_content_type(&sent)),
    };
    let bytes = bytes.filter(|bytes| !bytes.trim_ascii().is_empty()).ok_or_else(none)?;
    read_json(&bytes)
        .map_err(|error| HookError::bad_request(format!("{dialect}: payload: not JSON: {error}")))
}
