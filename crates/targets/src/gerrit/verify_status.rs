//! GerritVerifyStatusPush: each build as a verification of its own, for servers with the verify-status plugin (G-ADD-02
//! to G-ADD-05).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::patch_set::change_of;
use super::rest::RestTransport;
use crate::build_filter::BuildFilter;
use crate::http::JSON;
use crate::{Context, Fault, FaultCode, Outcome, Outgoing, Parts, Prepared, Silence, Target, Wanted};
use campanile_config::Reader;
use campanile_model::interpolate::{Scope, Template};
use campanile_model::{Build, Event, Properties, Results, Timestamp, line_text};
use campanile_outbound::Request;

/// Makes a target of the n-th `[[gerrit_verify_status]]` table.
pub(crate) fn from_settings(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<Arc<dyn Target>> {
    let template = |key: &str, default: &str| {
        let source = reader.text(key).unwrap_or_else(|| default.to_owned());
        match Template::parse(&source) {
            Ok(template) => Some(template),
            Err(errors) => {
                errors.iter().for_each(|error| reader.error(key, format!("`{key}`: {error}")));
                None
            }
        }
    };
    let name = reader.text("name").filter(|name| !name.trim().is_empty());
    let verification_name = template("verification_name", "%(prop:buildername)s");
    let reporter = template("reporter", "buildbot");
    let category = if reader.item("category").is_some() { Some(template("category", "")?) } else { None };
    let abstain = reader.boolean("abstain").unwrap_or(false);
    let start_text = template("start_text", "Build started.");
    let end_text = template("end_text", "Build done.");
    let rest = RestTransport::read(reader, parts, "base_url")?;
    Some(Arc::new(VerifyStatus {
        name: name.unwrap_or(format!("gerrit-verify-status-{index}")),
        rest,
        build_filter: BuildFilter::read(reader),
        verification_name: verification_name?,
        reporter: reporter?,
        category,
        abstain,
        start_text: start_text?,
        end_text: end_text?,
    }))
}

/// One `[[gerrit_verify_status]]` table at work.
struct VerifyStatus {
    name: String,
    rest: RestTransport,
    build_filter: BuildFilter,
    verification_name: Template,
    reporter: Template,
    category: Option<Template>,
    abstain: bool,
    start_text: Template,
    end_text: Template,
}

/// The stored form of a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredVerification {
    /// Changes, with their revisions, that have not been told yet.
    changes: Vec<(String, String)>,
    body: Value,
}

impl StoredVerification {
    /// Writes it as a delivery's message.
    fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        serde_json::to_vec(self).map_err(|error| Fault::permanent(FaultCode::Content, error.to_string()))
    }
}

/// Finds the changes that a build was about, with their revisions (G-ADD-03).
fn changes(properties: &Properties) -> Vec<(String, String)> {
    let word = |value: Option<&Value>| match value {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    if let Some(listed) = properties.value("gerrit_changes").and_then(Value::as_array) {
        let pair = |one: &Value| Some((word(one.get("change_id"))?, word(one.get("revision_id"))?));
        return listed.iter().filter_map(pair).collect();
    }
    let of = |name: &str| word(properties.value(name));
    of("event.change.number").zip(of("event.patchSet.number")).into_iter().collect()
}

/// Gives the vote for a result (G-ADD-05).
fn value(results: Option<Results>) -> i32 {
    match results {
        Some(Results::Success | Results::Warnings) => 1,
        Some(Results::Failure) => -1,
        None | Some(Results::Skipped | Results::Exception | Results::Retry | Results::Cancelled) => 0,
    }
}

/// Writes a duration: `2 days 1h 0m 7s`, `1h 0m 7s`, `0m 7s` (G-ADD-05).
fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let short = format!("{}m {}s", seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => short,
        (0, hours) => format!("{hours}h {short}"),
        (1, hours) => format!("1 day {hours}h {short}"),
        (days, hours) => format!("{days} days {hours}h {short}"),
    }
}

impl VerifyStatus {
    /// Writes the body of a request (G-ADD-04).
    fn body(&self, build: &Build, url: Option<String>) -> Result<Value, Fault> {
        let properties = build.all_properties();
        let scope = Scope::new(&properties, &build.source_stamps);
        let text = |template: &Template| {
            let rendered = template.render(&scope).map(|text| line_text(&text).into_owned());
            rendered.map_err(|error| {
                Fault::permanent(FaultCode::Content, format!("`{}`: {error}", template.source()))
            })
        };
        let mut body = Map::new();
        body.insert("name".to_owned(), text(&self.verification_name)?.into());
        body.insert("value".to_owned(), value(build.results).into());
        if self.abstain {
            body.insert("abstain".to_owned(), true.into());
        }
        let comment = if build.results.is_some() { &self.end_text } else { &self.start_text };
        body.insert("comment".to_owned(), text(comment)?.into());
        body.insert("reporter".to_owned(), text(&self.reporter)?.into());
        if let Some(category) = &self.category {
            body.insert("category".to_owned(), text(category)?.into());
        }
        if let Some(url) = url {
            body.insert("url".to_owned(), url.into());
        }
        let duration = match build.results {
            Some(_) if build.is_finished() => build.duration().map(duration_text),
            _ => Some("pending".to_owned()),
        };
        if let Some(duration) = duration {
            body.insert("duration".to_owned(), duration.into());
        }
        Ok(Value::Object(body))
    }

    /// Tells one change of the verification.
    async fn post(
        &self,
        (change, revision): (&str, &str),
        body: &Value,
        now: Timestamp,
    ) -> Result<(), Outcome> {
        let path = ["a", "changes", change, "revisions", revision, "verify-status~verifications"];
        let request = Request::post(self.rest.below(&path)?, JSON, body.to_string());
        self.rest.send(request, now).await.map(drop)
    }
}

#[async_trait]
impl Target for VerifyStatus {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, event: &Event) -> Option<Wanted> {
        let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else { return None };
        let change = change_of(&build.properties, &build.source_stamps);
        let of_change = change.map(|change| format!("change {change}/{}", build.builder));
        Some(Wanted::in_order(of_change.unwrap_or(format!("{}/{}", build.builder, build.number))))
    }

    fn unwanted(&self, _: &Event) -> String {
        "the verify-status plugin is told of builds only".to_owned()
    }

    async fn prepare(&self, event: &Event, context: &Context) -> Result<Prepared, Fault> {
        let (Event::BuildStarted { build } | Event::BuildFinished { build }) = event else {
            return Ok(Prepared::Silent(Silence::Mode { seen: format!("the event `{}`", event.name()) }));
        };
        if let Some(silence) = self.build_filter.refuses(build) {
            return Ok(Prepared::Silent(silence));
        }
        let changes = changes(&build.properties);
        if changes.is_empty() {
            let why = "it is about no change in Gerrit: it has no property `gerrit_changes`, nor \
                       `event.change.number` and `event.patchSet.number`";
            return Ok(Prepared::Silent(Silence::Unaddressed { why: why.to_owned() }));
        }
        let url = context.caller.status.url_of(build);
        let message = StoredVerification { changes, body: self.body(build, url)? }.to_bytes()?;
        Ok(Prepared::Message { message, version: None })
    }

    async fn send(&self, outgoing: Outgoing<'_>) -> Outcome {
        let verification: StoredVerification = match serde_json::from_slice(outgoing.message) {
            Ok(verification) => verification,
            Err(error) => return Outcome::Refused(Fault::permanent(FaultCode::Content, error.to_string())),
        };
        let mut refused = Vec::new();
        for (done, (change, revision)) in verification.changes.iter().enumerate() {
            match self.post((change, revision), &verification.body, outgoing.now).await {
                Ok(()) => {}
                // One that cannot be told keeps nothing from the others.
                Err(Outcome::Refused(fault)) => refused.push(fault),
                Err(Outcome::Deferred { fault, not_before }) if done > 0 => {
                    let left = verification.changes.get(done..).unwrap_or_default().to_vec();
                    let rest = StoredVerification { changes: left, body: verification.body.clone() };
                    return match rest.to_bytes() {
                        Ok(message) => Outcome::Remainder { message, fault, not_before },
                        Err(_) => Outcome::Deferred { fault, not_before },
                    };
                }
                Err(other) => return other,
            }
        }
        let texts = || refused.iter().map(|fault| fault.text.clone()).collect::<Vec<_>>();
        let receipt = format!("{} has it", self.rest.url());
        match refused.first() {
            None => Outcome::Delivered(receipt),
            Some(_) if refused.len() < verification.changes.len() => {
                Outcome::Partial { receipt, refused: texts() }
            }
            Some(first) => Outcome::Refused(Fault::permanent(first.code, texts().join("; "))),
        }
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.rest.probe().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn g_add_03_which_changes() {
        let mut properties = Properties::new();
        assert!(changes(&properties).is_empty());
        properties.set("event.change.number", 12, "Change");
        properties.set("event.patchSet.number", "3", "Change");
        assert_eq!(changes(&properties), [("12".to_owned(), "3".to_owned())]);
        let listed = json!([{"change_id": "a~b~I1", "revision_id": 2}, {"change_id": ""}, 7]);
        properties.set("gerrit_changes", listed, "Build");
        assert_eq!(changes(&properties), [("a~b~I1".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn g_add_05_values_and_durations() {
        let values: Vec<i32> = Results::ALL.into_iter().map(|results| value(Some(results))).collect();
        assert_eq!(values, [1, 1, -1, 0, 0, 0, 0]);
        assert_eq!(value(None), 0);
        for (seconds, text) in [
            (0, "0m 0s"),
            (67, "1m 7s"),
            (3_607, "1h 0m 7s"),
            (86_400, "1 day 0h 0m 0s"),
            (2 * 86_400 + 3_600, "2 days 1h 0m 0s"),
        ] {
            assert_eq!(duration_text(Duration::from_secs(seconds)), text);
        }
    }
}
