//! Smoke tests: any callback called on one build, for previews and before a new version is put to use.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::callback::CallCost;
use super::error::CallbackError;
use super::{
    Announcement, BuildInfo, Callback, Caller, ChatEvent, HookRequest, Kind, Mode, Modes, Packet, Sample,
    Status,
};
use campanile_model::{Build, Dicts, Event, PacketContext, Results};

/// Arguments for a smoke test of any kind of callback.
#[derive(Clone)]
pub struct Subject {
    /// The build.
    pub build: Build,
    /// Answers the callback's questions, and takes the record.
    pub status: Arc<dyn Status>,
    /// Argument of GerritStatusPush callbacks.
    pub arg: Option<Value>,
    /// The user that a lookup is asked for.
    pub user: String,
    /// The request that a dialect is given; without one, dialects are not tried.
    pub request: Option<(HookRequest, Value)>,
}

impl Subject {
    /// A stored build.
    #[must_use]
    pub fn of_build(build: Build, status: Arc<dyn Status>) -> Self {
        let user = build.responsible_users().into_iter().next().unwrap_or_else(|| "nobody".to_owned());
        Self { build, status, arg: None, user, request: None }
    }

    /// Everything that a sample holds.
    #[must_use]
    pub fn of_sample(sample: &Arc<Sample>) -> Self {
        Self {
            build: sample.build.clone(),
            status: Arc::clone(sample) as Arc<dyn Status>,
            arg: sample.arg.clone(),
            user: sample.user.clone(),
            request: Some((sample.request(), sample.options.clone())),
        }
    }
}

/// Outcome of a smoke test.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Trial {
    /// The interface.
    pub callback: &'static str,
    /// Subject of the call, such as `linux #4`.
    pub subject: String,
    /// Its answer; absent after a fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// Reason for which there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Wall time in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<f64>,
    /// Bytes of guest memory at its peak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory: Option<usize>,
}

/// Calls a callback as one kind; none when the subject has nothing for that kind.
pub async fn smoke_test(callback: &Callback, kind: Kind, subject: &Subject) -> Option<Trial> {
    let caller = Caller { status: Arc::clone(&subject.status), delivery: None };
    let Subject { build, arg, .. } = subject;
    let results = build.results.unwrap_or(Results::Success);
    let arg = arg.as_ref();
    let mut about = build.id().to_string();
    let outcome = match kind {
        Kind::MessageFormatter => {
            let modes = [Mode::Failing, Mode::Passing, Mode::Warnings].into_iter().collect::<Modes>();
            to_json(callback.format_message(&caller, modes, &build.builder, build, results).await)
        }
        Kind::PreviousBuildGetter => to_json(callback.previous_build(&caller, build).await),
        Kind::EmailLookup => {
            about.clone_from(&subject.user);
            to_json(callback.look_up(&caller, &subject.user).await)
        }
        Kind::ReviewCallback => {
            to_json(callback.review_build(&caller, &build.builder, build, results, arg).await)
        }
        Kind::StartCallback => to_json(callback.announce_start(&caller, &build.builder, build, arg).await),
        Kind::SummaryCallback => to_json(
            callback.summarize(&caller, &[info(build, results, &*subject.status)], results, arg).await,
        ),
        Kind::PushCallback => to_json(callback.push_packets(&caller, &packets(build)).await),
        Kind::AnnounceFormatter => {
            let usual = [format!("build #{} of {} is complete: {results}", build.number, build.builder)];
            let announcement = Announcement {
                event: ChatEvent::Finished,
                contact: "#ci",
                asked_for: false,
                build,
                previous: None,
                usual: &usual,
            };
            to_json(callback.announce(&caller, &announcement).await)
        }
        Kind::HookDialect => {
            let (request, options) = subject.request.as_ref()?;
            about = format!("a request of {} bytes", request.body.len());
            match callback.parse_request(&caller, request.clone(), options).await {
                Ok((Ok(parsed), cost)) => to_json(Ok((parsed, cost))),
                Ok((Err(rejection), cost)) => to_json(Ok((json!({"rejected": rejection}), cost))),
                Err(fault) => Err(fault),
            }
        }
    };
    let mut trial = Trial {
        callback: kind.name(),
        subject: about,
        answer: None,
        fault: None,
        milliseconds: None,
        peak_memory: None,
    };
    match outcome {
        Ok((answer, cost)) => {
            trial.answer = Some(answer);
            trial.milliseconds = Some(milliseconds(cost.duration));
            trial.peak_memory = Some(cost.peak_memory);
        }
        Err(fault) => trial.fault = Some(fault.to_string()),
    }
    Some(trial)
}

fn to_json<T: Serialize>(
    outcome: Result<(T, CallCost), CallbackError>,
) -> Result<(Value, CallCost), CallbackError> {
    outcome.map(|(answer, cost)| {
        (serde_json::to_value(answer).expect("answers hold only JSON-able data with text keys"), cost)
    })
}

fn info(build: &Build, results: Results, status: &dyn Status) -> BuildInfo {
    BuildInfo {
        name: build.builder.clone(),
        results,
        results_text: results.to_string(),
        text: build.text.join(" "),
        url: status.url_of(build),
        build: build.clone(),
    }
}

/// A build's beginning and end, as a queue would hold them.
fn packets(build: &Build) -> Vec<Packet> {
    let started = Build { results: None, finished: None, ..build.clone() };
    let events = [
        Event::BuildStarted { build: Box::new(started) },
        Event::BuildFinished { build: Box::new(build.clone()) },
    ];
    let [start, end] = [build.started, build.finished].map(Option::unwrap_or_default);
    (1..)
        .zip(events)
        .zip([start, end])
        .map(|((id, event), time)| Packet {
            id,
            event: event.name().to_owned(),
            timestamp: time.to_packet_text(),
            payload: Dicts::plain().payload(&event, &PacketContext::default()).into(),
        })
        .collect()
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
