//! Throws bytes at one change hook dialect, which `CAMPANILE_FUZZ_DIALECT` names: nothing makes it panic, and what it
//! lets through is fit to be stored.
//!
//! An input is a request: header lines, a blank line, the body. A line `?…` is the query; without a body it is a GET.
#![no_main]
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use campanile_config::{Document, Limits, Problems, Reader, Settings};
use campanile_inbound::hooks::{HookOutcome, Hooks, Method, RawHook};
use campanile_model::{Event, Timestamp};
use campanile_outbound::{Allowed, Outbound, SystemResolver};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// As in 2027.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

static DIALECT: LazyLock<String> = LazyLock::new(|| {
    std::env::var("CAMPANILE_FUZZ_DIALECT").expect("CAMPANILE_FUZZ_DIALECT names the dialect")
});

static HOOKS: LazyLock<Hooks> = LazyLock::new(|| {
    let settings = format!("[change_hooks.dialects]\n{} = true\n", *DIALECT);
    let problems = Problems::new();
    let document = Document::parse(Path::new("campanile.toml"), &settings, &problems);
    let root = Reader::root(&document, &problems);
    let settings = Settings::read(&root, &Limits::default());
    let outbound = Outbound::new(Allowed::default(), Arc::new(SystemResolver));
    Hooks::from_settings(&root, &settings, &BTreeMap::new(), &outbound)
});

fuzz_target!(|data: &[u8]| {
    let dialect = HOOKS.dialect(&DIALECT).expect("there is such a dialect");
    let outcome = dialect.verify(request(data)).and_then(|verified| dialect.parse(&verified, NOW));
    match outcome {
        Ok(parsed) => {
            let changes = match parsed.outcome {
                HookOutcome::Changes(changes) => changes,
                HookOutcome::PullRequest { change, .. } => vec![*change],
                HookOutcome::Ignored(_) | HookOutcome::Component(_) | HookOutcome::Poll(_) => Vec::new(),
            };
            for change in changes {
                assert!(!change.who.contains(['\n', '\r']), "an author in several lines: {:?}", change.who);
                assert!(change.when <= NOW, "a change of the future");
                let event = Event::ChangeAdded { change: Box::new(change) };
                let stored = event.to_json().to_string();
                let read: Event = serde_json::from_str(&stored).expect("what is stored can be read");
                assert_eq!(read, event);
            }
        }
        Err(rejection) => {
            assert!(matches!(rejection.status, 400 | 403), "{rejection}");
            assert!(!rejection.message.contains(char::is_control), "more than one line: {rejection:?}");
        }
    }
});

fn request(data: &[u8]) -> RawHook {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&data[..end], data[end + 2..].to_vec()),
        None => (data, Vec::new()),
    };
    let method = if end.is_some() { Method::Post } else { Method::Get };
    let (mut headers, mut query) = (HeaderMap::new(), String::new());
    for line in head.split(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        if let Some(rest) = text.strip_prefix('?') {
            query = rest.to_owned();
        } else if let Some((name, value)) = text.split_once(": ")
            && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            headers.insert(name, value);
        }
    }
    RawHook { method, query, headers, body: body.into() }
}
