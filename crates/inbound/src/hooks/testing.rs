//! Helpers for the tests of dialects.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    ComponentCall, Dialect, HookError, HookOutcome, LookUp, Method, ParsedHook, PollRequest, RawHook,
};
use campanile_model::{Change, Timestamp};

/// Time at which the tests take place: in January 2027.
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

/// A parsed request laid flat, for assertions.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parsed {
    pub(super) changes: Vec<Change>,
    pub(super) event: Option<String>,
    pub(super) note: Option<String>,
    pub(super) delivery_id: Option<String>,
    pub(super) poll: Option<PollRequest>,
    pub(super) look_up: Option<LookUp>,
    pub(super) call: Option<ComponentCall>,
}

/// Verifies and parses.
pub(super) fn run(dialect: &dyn Dialect, hook: RawHook) -> Result<Parsed, HookError> {
    let ParsedHook { event, delivery_id, outcome } = dialect.parse(&dialect.verify(hook)?, NOW)?;
    let parsed = Parsed { event, delivery_id, ..Parsed::default() };
    Ok(match outcome {
        HookOutcome::Changes(changes) => Parsed { changes, ..parsed },
        HookOutcome::PullRequest { change, look_up } => {
            Parsed { changes: vec![*change], look_up: Some(look_up), ..parsed }
        }
        HookOutcome::Component(call) => Parsed { call: Some(call), ..parsed },
        HookOutcome::Poll(poll) => Parsed { poll: Some(poll), ..parsed },
        HookOutcome::Ignored(note) => Parsed { note: Some(note), ..parsed },
    })
}
