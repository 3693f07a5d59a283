//! What the tests of dialects share.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Dialect, Method, Parsed, RawHook, Rejection};
use campanile_model::Timestamp;

/// When the tests take place: in January 2027.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(super) fn get(query: &str) -> RawHook {
    RawHook {
        method: Method::Get,
        query: query.to_owned(),
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
    }
}

pub(super) fn post(content_type: &str, body: &str) -> RawHook {
    let hook = RawHook { method: Method::Post, body: body.to_owned().into(), ..get("") };
    with_header(hook, "content-type", content_type)
}

pub(super) fn with_header(mut hook: RawHook, name: &str, value: &str) -> RawHook {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        hook.headers.insert(name, value);
    }
    hook
}

/// Verifies and parses.
pub(super) fn run(dialect: &dyn Dialect, hook: RawHook) -> Result<Parsed, Rejection> {
    dialect.parse(&dialect.verify(hook)?, NOW)
}
