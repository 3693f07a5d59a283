//! Spans of the engine's own work: events taken in, messages prepared, callbacks called, attempts.

use crate::telemetry::{Kind, Span, Telemetry};
use campanile_callbacks::CallRecord;
use campanile_model::{Timestamp, TraceContext};
use campanile_outbound::trace;
use campanile_store::Delivery;
use campanile_targets::Outcome;

/// Records that events were taken in. They came from outside if they brought a trace along.
pub(super) fn accepted(
    telemetry: &Telemetry,
    context: Option<TraceContext>,
    parent: Option<TraceContext>,
    began: Timestamp,
    about: impl FnOnce() -> Vec<(&'static str, String)>,
) {
    let Some(context) = context else { return };
    let kind = if parent.is_some() { Kind::Server } else { Kind::Internal };
    telemetry.record(|| Span {
        context,
        parent: parent.map_or(0, |parent| parent.span),
        name: "accept".to_owned(),
        kind,
        began,
        ended: telemetry.now(),
        attributes: about(),
        error: None,
    });
}

/// Records that a message was prepared, or that this failed with `error`.
pub(super) fn prepared(
    telemetry: &Telemetry,
    context: Option<TraceContext>,
    delivery: &Delivery,
    began: Timestamp,
    error: Option<String>,
) {
    let Some(context) = context else { return };
    let ended = telemetry.now();
    telemetry.record(|| of_delivery(context, delivery, ("prepare", Kind::Internal), (began, ended), error));
}

/// Records an attempt.
pub(super) fn sent(
    telemetry: &Telemetry,
    context: Option<TraceContext>,
    delivery: &Delivery,
    began: Timestamp,
    outcome: &Outcome,
) {
    let Some(context) = context else { return };
    let error = match outcome {
        Outcome::Delivered(_) | Outcome::Silent(_) => None,
        Outcome::Partial { refused, .. } => Some(refused.join("; ")),
        Outcome::Remainder { fault, .. } | Outcome::Deferred { fault, .. } | Outcome::Refused(fault) => {
            Some(fault.text.clone())
        }
    };
    let ended = telemetry.now();
    telemetry.record(|| of_delivery(context, delivery, ("send", Kind::Client), (began, ended), error));
}

/// Records the call of a callback, as part of the span that is open here.
pub(super) fn called(telemetry: &Telemetry, call: &CallRecord) {
    let Some(parent) = trace::current() else { return };
    let Some(context) = telemetry.child_of(Some(parent)) else { return };
    telemetry.record(|| {
        let ended = telemetry.now();
        let micros = i64::try_from(call.duration.as_micros()).unwrap_or(i64::MAX);
        Span {
            context,
            parent: parent.span,
            name: format!("call {}", call.callback),
            kind: Kind::Internal,
            began: Timestamp::from_micros(ended.as_micros().saturating_sub(micros)),
            ended,
            attributes: vec![
                ("campanile.callback", call.callback.to_string()),
                ("campanile.callback.version", call.version.clone()),
            ],
            error: (call.outcome != "ok").then(|| call.outcome.to_owned()),
        }
    });
}

/// A span about a delivery.
fn of_delivery(
    context: TraceContext,
    delivery: &Delivery,
    (step, kind): (&str, Kind),
    (began, ended): (Timestamp, Timestamp),
    error: Option<String>,
) -> Span {
    Span {
        context,
        parent: delivery.trace.map_or(0, |parent| parent.span),
        name: format!("{step} {}", delivery.target),
        kind,
        began,
        ended,
        attributes: vec![
            ("campanile.tenant", delivery.tenant.clone()),
            ("campanile.target", delivery.target.clone()),
            ("campanile.delivery", delivery.id.to_string()),
            ("campanile.attempt", delivery.attempts.saturating_add(1).to_string()),
            ("campanile.subject", delivery.subject.clone()),
        ],
        error,
    }
}
