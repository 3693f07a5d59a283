//! Throws bytes at one source of builds, which `CAMPANILE_FUZZ_SOURCE` names: nothing makes it panic, and what it lets
//! through is fit to be stored.
//!
//! An input is a request: header lines, a blank line, the body.
#![no_main]
#![allow(clippy::disallowed_methods)]

use std::sync::LazyLock;

use campanile_inbound::ingest::{self, Source};
use campanile_model::Event;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

static SOURCE: LazyLock<&'static dyn Source> = LazyLock::new(|| {
    let name = std::env::var("CAMPANILE_FUZZ_SOURCE").expect("CAMPANILE_FUZZ_SOURCE names the source");
    ingest::source(&name).expect("there is such a source")
});

fuzz_target!(|data: &[u8]| {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((&b""[..], data), |end| (&data[..end], &data[end + 2..]));
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        if let Some((name, value)) = text.split_once(": ")
            && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            headers.insert(name, value);
        }
    }
    match SOURCE.parse(&headers, body) {
        Ok(told) => {
            for event in told.into_iter().flat_map(|told| told.events) {
                let stored = event.to_json().to_string();
                let read: Event = serde_json::from_str(&stored).expect("what is stored can be read");
                assert_eq!(read, event);
            }
        }
        Err(error) => assert!(error.path.starts_with('$'), "{error}"),
    }
});
