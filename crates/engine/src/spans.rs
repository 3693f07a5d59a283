//! What the engine does, as spans of a trace: events taken in, messages prepared, callbacks called, attempts.

use super::now;
use crate::telemetry::{Kind, Span, Telemetry};
use campanile_callbacks::CallRecord;
use campanile_model::{Timestamp, TraceContext};
use campanile_outbound::trace;
use campanile_store::Delivery;
use campanile_targets::Outcome;

/// Events that were taken in. They came from outside if they brought a trace along.
pub(super) fn accepted(
    telemetry: &Telemetry,
    context: Option<TraceContext>,
    parent: Option<TraceContext>,
    began: Timestamp,
    about: impl FnOnce() -> Vec<(&'static str, String)>,
) {
    let Some(context) = context else { return };
    let kind = if parent.is_some() { Kind::Server } else { Kind::Internal };
    telemetry.note(|| Span {
        context,
        parent: parent.map_or(0, |parent| parent.span),
        name: "accept".to_owned(),
        kind,
        began,
        ended: now(),
        attributes: about(),
        error: None,
    });
}

/// A message that was prepared, or why not.
pub(super) fn prepared(
    telemetry: &Telemetry,
    context: Option<TraceContext>,
    delivery: &Delivery,
    began: Timestamp,
    error: Option<String>,
) {
    let Some(context) = context else { return };
    telemetry.note(|| of_delivery(context, delivery, "prepare", Kind::Internal, began, error));
}

/// An attempt.
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
    telemetry.note(|| of_delivery(context, delivery, "send", Kind::Client, began, error));
}

/// A call of a callback, as part of what is under way.
pub(super) fn called(telemetry: &Telemetry, call: &CallRecord) {
    let Some(parent) = trace::current() else { return };
    let Some(context) = telemetry.begin(Some(parent)) else { return };
    telemetry.note(|| {
        let ended = now();
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

fn of_delivery(
    context: TraceContext,
    delivery: &Delivery,
    what: &str,
    kind: Kind,
    began: Timestamp,
    error: Option<String>,
) -> Span {
    Span {
        context,
        parent: delivery.trace.map_or(0, |parent| parent.span),
        name: format!("{what} {}", delivery.target),
        kind,
        began,
        ended: now(),
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
