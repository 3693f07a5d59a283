//! Running any callback on one build, to see what it does: for previews, and before a new version is put to use.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::callback::{CallbackError, Report};
use super::{
    Announcement, BuildInfo, Callback, Caller, ChatEvent, HookRequest, Kind, Mode, Modes, Packet, Sample,
    Status,
};
use campanile_model::{Build, Dicts, Event, Results, PacketContext};

/// What a callback is tried on.
#[derive(Clone)]
pub struct Subject {
    /// The build.
    pub build: Build,
    /// Who answers the callback's questions, and takes the record.
    pub status: Arc<dyn Status>,
    /// What GerritStatusPush callbacks get as their argument.
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

/// What a call came to.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Trial {
    /// The interface.
    pub callback: &'static str,
    /// What it was tried on, such as `linux #4`.
    pub subject: String,
    /// What it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// Why there is no answer.
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
            told(callback.format_message(&caller, modes, &build.builder, build, results).await)
        }
        Kind::PreviousBuildGetter => told(callback.previous_build(&caller, build).await),
        Kind::EmailLookup => {
            about.clone_from(&subject.user);
            told(callback.look_up(&caller, &subject.user).await)
        }
        Kind::ReviewCallback => {
            told(callback.review_build(&caller, &build.builder, build, results, arg).await)
        }
        Kind::StartCallback => told(callback.announce_start(&caller, &build.builder, build, arg).await),
        Kind::SummaryCallback => {
            told(callback.summarize(&caller, &[info(build, results, &*subject.status)], results, arg).await)
        }
        Kind::PushCallback => told(callback.push_packets(&caller, &packets(build)).await),
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
            told(callback.announce(&caller, &announcement).await)
        }
        Kind::HookDialect => {
            let (request, options) = subject.request.as_ref()?;
            about = format!("a request of {} bytes", request.body.len());
            match callback.parse_request(&caller, request.clone(), options).await {
                Ok((Ok(parsed), report)) => told(Ok((parsed, report))),
                Ok((Err(rejection), report)) => told(Ok((json!({"rejected": rejection}), report))),
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
        Ok((answer, report)) => {
            trial.answer = Some(answer);
            trial.milliseconds = Some(milliseconds(report.duration));
            trial.peak_memory = Some(report.peak_memory);
        }
        Err(fault) => trial.fault = Some(fault.to_string()),
    }
    Some(trial)
}

fn told<T: Serialize>(outcome: Result<(T, Report), CallbackError>) -> Result<(Value, Report), CallbackError> {
    outcome.map(|(answer, report)| {
        (serde_json::to_value(answer).expect("answers hold only JSON-able data with text keys"), report)
    })
}

fn info(build: &Build, results: Results, status: &dyn Status) -> BuildInfo {
    BuildInfo {
        name: build.builder.clone(),
        results,
        results_text: results.to_string(),
        text: build.text.join(" "),
        url: build.url.clone().or_else(|| status.url_for(&build.id())),
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
    let times = [build.started, build.finished.unwrap_or(build.started)];
    (1..)
        .zip(events)
        .zip(times)
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
