//! HttpStatusPush in its later form: one request for each build that begins or ends (P-MOD).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use super::build_body::{self, BodyOptions};
use super::decide;
use super::endpoint::Endpoint;
use super::form_push::default_name;
use super::payload::StoredBody;
use super::settings::{QueueSettings, number};
use crate::build_filter::BuildFilter;
use crate::http::{JSON, deferred, outcome};
use crate::{
    Backoff, Context, Fault, FaultCode, Outcome, Outgoing, Parts, Prepared, Silence, Target, Wanted,
    callback, payload,
};
use campanile_callbacks::{Callback, Kind, Mode, Modes};
use campanile_config::Reader;
use campanile_model::{Build, Builder, Event, Results};

const TEXT: &str = "text/plain; charset=utf-8";

/// Makes a target of the n-th `[[http_status_push]]` table whose `form` is `builds`.
pub(super) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let max = number(reader, "max_items", 1..=100_000_000, 110_000);
    let mut settings = QueueSettings::read(reader, parts, String::new(), max);
    let options = BodyOptions {
        properties: reader.boolean("want_properties").unwrap_or(true),
        steps: reader.boolean("want_steps").unwrap_or(false),
        previous_build: reader.boolean("want_previous_build").unwrap_or(false),
        logs: reader.boolean("want_logs").unwrap_or(false),
        log_size: reader.size("log_size").and_then(|size| usize::try_from(size).ok()).unwrap_or(64 << 10),
    };
    let formatter = callback::read(reader, parts, "formatter", Kind::MessageFormatter);
    let (debug, bare) = (reader.boolean("debug"), reader.boolean("skip_encoding"));
    let build_filter = BuildFilter::read(reader);
    let endpoint = Endpoint::read(reader, parts)?;
    if settings.name.is_empty() {
        settings.name = default_name(&endpoint, index);
    }
    Some(Arc::new(BuildPush {
        settings,
        endpoint,
        options,
        formatter,
        debug: debug.unwrap_or(false),
        bare: bare.unwrap_or(false),
        build_filter,
    }))
}

/// A target that sends one request for each build that begins or ends.
struct BuildPush {
    settings: QueueSettings,
    endpoint: Endpoint,
    options: BodyOptions,
    formatter: Option<Callback>,
    debug: bool,
    /// Texts of the formatter go out as they are.
    bare: bool,
    build_filter: BuildFilter,
}

impl BuildPush {
    /// Writes the body for a build, and tells if it is JSON; none where the formatter says nothing (P-MOD-04).
    async fn body(&self, build: &Build, context: &Context) -> Result<Option<(bool, String)>, Fault> {
        let Some(formatter) = &self.formatter else {
            let body = build_body::of_build(build, &self.options, &*context.caller.status)
                .await
                .map_err(|error| Fault::transient(FaultCode::Store, error.to_string()))?;
            return self.encoded(&body).map(|body| Some((true, body)));
        };
        let results = build.results.unwrap_or(Results::Success);
        let modes = [Mode::Failing, Mode::Passing, Mode::Warnings].into_iter().collect::<Modes>();
        let written = formatter.format_message(&context.caller, modes, &build.builder, build, results).await;
        let (message, _) =
            written.map_err(|fault| Fault::permanent(FaultCode::Callback, fault.to_string()))?;
        if message.body.trim().is_empty() {
            return Ok(None);
        }
        match serde_json::from_str::<Value>(&message.body) {
            Ok(value) => self.encoded(&value).map(|body| Some((true, body))),
            Err(_) if self.bare => Ok(Some((false, message.body))),
            Err(_) => self.encoded(&Value::String(message.body)).map(|body| Some((true, body))),
        }
    }

    fn encoded(&self, value: &Value) -> Result<String, Fault> {
        let encode = if self.debug { serde_json::to_string_pretty } else { serde_json::to_string };
        encode(value).map_err(|error| Fault::permanent(FaultCode::Content, error.to_string()))
    }
}

#[async_trait]
impl Target for BuildPush {
    fn name(&self) -> &str {
        &self.settings.name
    }

    /// Queues builds that begin and end (P-MOD-02), whatever their results (P-MOD-03).
    fn wants(&self, event: &Event) -> Option<Wanted> {
        matches!(event, Event::BuildStarted { .. } | Event::BuildFinished { .. })
            .then(|| decide::wants(&self.settings, event))
            .flatten()
    }

    fn unknown_names(&self, builders: &[Builder]) -> Vec<String> {
        self.build_filter.unknown_names(builders)
    }

    fn unwanted(&self, event: &Event) -> String {
        match event {
            Event::BuildStarted { .. } | Event::BuildFinished { .. } => {
                decide::unwanted(&self.settings, event)
            }
            _ => "with `form = \"builds\"` builds that begin and end are pushed only".to_owned(),
        }
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else {
            return Ok(Prepared::Silent(Silence::Mode { seen: format!("the event `{}`", event.name()) }));
        };
        if let Some(silence) = self.build_filter.refuses(build) {
            return Ok(Prepared::Silent(silence));
        }
        let Some((is_json, body)) = self.body(build, context).await? else {
            let why = "the formatter wrote nothing".to_owned();
            return Ok(Prepared::Silent(Silence::Unaddressed { why }));
        };
        let number = context.position.map_or(0, |position| position.number);
        let started = context.position.map_or(0, |position| position.started.as_micros());
        let stored = StoredBody { id: format!("{started}-{number}"), is_json, body };
        let message = payload::to_bytes("the body", &stored)?;
        Ok(Prepared::Message { message, version: None })
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        let stored: StoredBody = match payload::from_bytes(outgoing.message) {
            Ok(stored) => stored,
            Err(fault) => return Outcome::Refused(fault),
        };
        let media_type = if stored.is_json { JSON } else { TEXT };
        let body = Bytes::from(stored.body);
        let response = match self.endpoint.post(media_type, body, None, &stored.id, outgoing.now).await {
            Ok(response) => response,
            Err(error) => return deferred(error),
        };
        let worded = |fault: Fault| {
            let (status, said) = (response.status.as_u16(), response.excerpt());
            Fault { text: format!("{status}: unable to upload status: {said}"), ..fault }
        };
        match outcome(&response, outgoing.now) {
            Outcome::Deferred { fault, not_before } => Outcome::Deferred { fault: worded(fault), not_before },
            Outcome::Refused(fault) => Outcome::Refused(worded(fault)),
            other => other,
        }
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(self.settings.backoff())
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.endpoint.probe().await
    }
}
