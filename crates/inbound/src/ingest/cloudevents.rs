//! CloudEvents over HTTP, one in either mode or a batch, with CDEvents or our own events in them (CloudEvents 1.0.2,
//! HTTP binding 3.1 to 3.3). `docs/connect/cdevents.md` says what becomes what.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use super::native::{self, EventsError, Form, bad};
use super::read::{header_text, json, media_type, typed};
use super::{ParsedBatch, Proof, Source, cdevents};
use crate::HeaderProof;
use campanile_config::{Hash, Secret, verify_hmac};
use campanile_model::Timestamp;

/// No more events are taken in one batch.
const MAX_EVENTS: usize = 1000;
/// Seconds that a signature's time may differ from ours: as many as Standard Webhooks' own libraries allow.
const TOLERANCE: u64 = 300;

/// The source `cloudevents`.
pub(super) struct CloudEvents;

impl Source for CloudEvents {
    fn name(&self) -> &'static str {
        "cloudevents"
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof { headers: judge_headers, whole: is_proven })
    }

    fn parse(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError> {
        match media_type(headers).as_str() {
            "application/cloudevents+json" => one(&json(body)?, "$"),
            "application/cloudevents-batch+json" => {
                let body = json(body)?;
                let events = body.as_array().ok_or_else(|| bad("$", "must be a list of events"))?;
                if events.len() > MAX_EVENTS {
                    return Err(bad(
                        "$",
                        format!("{} events in one batch: send at most {MAX_EVENTS}", events.len()),
                    ));
                }
                let told: Result<Vec<_>, _> =
                    events.iter().enumerate().map(|(at, event)| one(event, &format!("$[{at}]"))).collect();
                told.map(|told| told.into_iter().flatten().collect())
            }
            _ if headers.contains_key("ce-type") => binary(headers, body),
            _ => bare(&json(body)?),
        }
    }
}

/// Standard Webhooks: an HMAC over `webhook-id`, `webhook-timestamp` and the body.
fn is_proven(headers: &HeaderMap, body: &[u8], secrets: &[Secret], now: Timestamp) -> bool {
    let Some((begin, codes)) = signed(headers, now) else { return false };
    let mut text = begin.into_bytes();
    text.extend_from_slice(body);
    let matches = |secret: &&Secret| {
        let secret = secret.expose();
        let key = match secret.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).unwrap_or_default(),
            None => secret.as_bytes().to_vec(),
        };
        !key.is_empty() && codes.iter().any(|code| verify_hmac(Hash::Sha256, &key, &text, code))
    };
    // Every secret is tried, so that the time does not tell which one is in use.
    secrets.iter().filter(matches).count() > 0
}

fn judge_headers(headers: &HeaderMap, _: &[Secret], now: Timestamp) -> Option<HeaderProof> {
    signed(headers, now).map(|_| HeaderProof::WithBody)
}

/// The signed text as far as the body, and the signatures; none if one of them is missing, the time is not now, or no
/// signature can be right.
fn signed(headers: &HeaderMap, now: Timestamp) -> Option<(String, Vec<Vec<u8>>)> {
    let sent = |name| header_text(headers, name);
    let (id, time) = (sent("webhook-id")?, sent("webhook-timestamp")?);
    let is_fresh = time.parse::<i64>().is_ok_and(|time| now.as_seconds().abs_diff(time) <= TOLERANCE);
    let codes: Vec<Vec<u8>> = sent("webhook-signature")?
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .filter(|code| code.len() == 32)
        .collect();
    (is_fresh && !codes.is_empty()).then(|| (format!("{id}.{time}."), codes))
}

/// Attributes that all events have beside their data.
#[derive(Deserialize)]
struct Envelope {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Value>,
    #[serde(default)]
    data_base64: Option<String>,
}

/// Structured mode: envelope and data in one object.
fn one(event: &Value, path: &str) -> Result<Vec<ParsedBatch>, EventsError> {
    let envelope = typed::<Envelope>(event, path)?;
    let (version, key) = (&envelope.specversion, (envelope.source.as_str(), envelope.id.as_str()));
    let Some(kind) = Kind::of(version, &envelope.kind)? else { return Ok(tells_nothing(&envelope.kind)) };
    let data = match (envelope.data, envelope.data_base64) {
        // Data that are JSON but not declared so come as a text.
        (Some(Value::String(text)), _) => json(text.as_bytes()),
        (Some(data), _) => Ok(data),
        (None, Some(encoded)) => match STANDARD.decode(&encoded) {
            Ok(bytes) => json(&bytes),
            Err(error) => Err(bad("$", error.to_string())),
        },
        (None, None) => return Ok(has_no_data(&envelope.kind)),
    };
    let path = format!("{path}.data");
    let data = data.map_err(|error| below(&path, error))?;
    parse_event(key, kind, &data, &path)
}

/// Binary mode: the envelope is in headers, percent-encoded where need be, and the body is the data.
fn binary(headers: &HeaderMap, body: &[u8]) -> Result<Vec<ParsedBatch>, EventsError> {
    let attribute = |name: &str| {
        let sent =
            header_text(headers, name).ok_or_else(|| bad("$", format!("the header `{name}` is missing")))?;
        Ok(percent_decode_str(sent.trim_matches('"')).decode_utf8_lossy().into_owned())
    };
    let (version, id) = (attribute("ce-specversion")?, attribute("ce-id")?);
    let (source, kind) = (attribute("ce-source")?, attribute("ce-type")?);
    match Kind::of(&version, &kind)? {
        None => Ok(tells_nothing(&kind)),
        Some(_) if body.trim_ascii().is_empty() => Ok(has_no_data(&kind)),
        Some(of) => parse_event((&source, &id), of, &json(body)?, "$"),
    }
}

/// A CDEvent without a CloudEvent around it.
fn bare(body: &Value) -> Result<Vec<ParsedBatch>, EventsError> {
    if body.get("context").is_none() {
        let why = "neither a CloudEvent (headers `ce-...`, or `application/cloudevents+json`) nor a CDEvent (`context`)";
        return Err(bad("$", why));
    }
    cdevents::parse(body, "$", None)
}

/// Types that are read.
#[derive(Clone, Copy)]
enum Kind {
    Cdevent,
    Own,
}

impl Kind {
    /// By the type's name; none for one that tells nothing of builds, whatever its data are.
    fn of(version: &str, name: &str) -> Result<Option<Self>, EventsError> {
        if version != "1.0" {
            return Err(bad("$", format!("CloudEvents `{version}` are not understood: send 1.0")));
        }
        Ok(match name {
            _ if name.starts_with("dev.cdevents.") => Some(Self::Cdevent),
            _ if name == "campanile" || name.starts_with("campanile.") => Some(Self::Own),
            _ => None,
        })
    }
}

fn tells_nothing(kind: &str) -> Vec<ParsedBatch> {
    ParsedBatch::ignored(format!("events of the type `{kind}` tell nothing of builds"))
}

/// Data are optional in CloudEvents.
fn has_no_data(kind: &str) -> Vec<ParsedBatch> {
    ParsedBatch::ignored(format!("the event of the type `{kind}` has no data"))
}

fn parse_event(
    (source, id): (&str, &str),
    kind: Kind,
    data: &Value,
    path: &str,
) -> Result<Vec<ParsedBatch>, EventsError> {
    // Source and id together are unique; neither is bound to be without any separator.
    let key = format!("{}/{source}/{id}", source.len());
    match kind {
        Kind::Cdevent => cdevents::parse(data, path, Some(key)),
        Kind::Own => {
            let events =
                native::parse(data.to_string().as_bytes(), Form::Json).map_err(|error| below(path, error))?;
            Ok(ParsedBatch::events(events, Some(key)))
        }
    }
}

/// Puts a path before that of an error.
fn below(path: &str, error: EventsError) -> EventsError {
    bad(error.path.replacen('$', path, 1), error.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Standard Webhooks' reference libraries.
    #[test]
    fn the_published_signature_matches_while_it_is_fresh() {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap());
        headers.insert("webhook-timestamp", "1614265330".parse().unwrap());
        let signature = "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x";
        headers.insert("webhook-signature", signature.parse().unwrap());
        let right = [Secret::new("other"), Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
        let body = br#"{"test": 2432232314}"#;
        let at = Timestamp::from_seconds;
        assert!(is_proven(&headers, body, &right, at(1_614_265_330)));
        assert!(is_proven(&headers, body, &right, at(1_614_265_030)));
        assert!(!is_proven(&headers, body, &right, at(1_614_265_631)));
        assert!(!is_proven(&headers, b"{}", &right, at(1_614_265_330)));
        assert!(!is_proven(&headers, body, &right[..1], at(1_614_265_330)));
        headers.remove("webhook-timestamp");
        assert!(!is_proven(&headers, body, &right, at(1_614_265_330)));
    }
}
