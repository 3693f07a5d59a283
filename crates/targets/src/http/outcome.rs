//! The outcome that an HTTP reply, or its absence, stands for: taken, not now, or never.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderName, LOCATION, RETRY_AFTER};

use campanile_model::Timestamp;
use campanile_outbound::{OutboundError, Response};

use crate::{Fault, FaultCode, Outcome};

const RATE_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RATE_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// No far side is obeyed for longer than this when it asks to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3_600);

/// Makes the fault of an attempt that got no reply: permanent where settings must change, transient where the network
/// may mend it.
pub(crate) fn transport_fault(error: &OutboundError) -> Fault {
    let text = error.to_string();
    match error {
        OutboundError::Forbidden { .. } | OutboundError::Address(_) => {
            Fault::permanent(FaultCode::Rejected, text)
        }
        OutboundError::Connection { .. } => Fault::transient(FaultCode::Connection, text),
        // A certificate that ran out is renewed some day.
        OutboundError::Tls { .. } => Fault::transient(FaultCode::Tls, text),
        OutboundError::Timeout { .. } => Fault::transient(FaultCode::Timeout, text),
    }
}

/// Makes the outcome of an attempt that got no reply, or whose request could not even be made.
///
/// Deferred in any case; of a permanent fault the engine makes an end all the same.
#[allow(clippy::needless_pass_by_value)] // stands in `map_err`
pub(crate) fn deferred(error: OutboundError) -> Outcome {
    Outcome::Deferred { fault: transport_fault(&error), not_before: None }
}

/// Makes the outcome of an attempt that got this reply.
///
/// 2xx is success (P-HTTP-12, P-MOD-05). 408, 425, 429, 5xx, and 403 with a word about rates are deferred (GS-API-07).
/// All else needs somebody to act. `now` is where the seconds of `Retry-After` count from.
pub(crate) fn outcome(response: &Response, now: Timestamp) -> Outcome {
    let status = response.status;
    if status.is_success() {
        return Outcome::Delivered(format!("{} answered {status}", response.origin));
    }
    let excerpt = response.excerpt();
    let said = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
    let text = format!("{} answered {status}{said}", response.origin);
    let not_before = pause(response, now);
    let later = |code| Outcome::Deferred { fault: Fault::transient(code, text.clone()), not_before };
    match status {
        StatusCode::REQUEST_TIMEOUT => later(FaultCode::Timeout),
        StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => later(FaultCode::Busy),
        StatusCode::FORBIDDEN if not_before.is_some() => later(FaultCode::Busy),
        _ if status.is_server_error() => later(FaultCode::Busy),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Outcome::Refused(Fault::permanent(FaultCode::Authentication, text))
        }
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            Outcome::Refused(Fault::permanent(FaultCode::Content, text))
        }
        _ if status.is_redirection() => {
            let text = format!("{text}{}; redirects are not followed", moved(response));
            Outcome::Refused(Fault::permanent(FaultCode::Rejected, text))
        }
        _ => Outcome::Refused(Fault::permanent(FaultCode::Rejected, text)),
    }
}

/// Lets a reply pass that is a success.
///
/// # Errors
/// With the outcome of any other. `problem` stands before the text of one that is refused.
pub(crate) fn require_success(response: &Response, now: Timestamp, problem: &str) -> Result<(), Outcome> {
    match outcome(response, now) {
        Outcome::Delivered(_) => Ok(()),
        Outcome::Refused(fault) => {
            let text = format!("{problem}: {}", fault.text);
            Err(Outcome::Refused(Fault { text, ..fault }))
        }
        other => Err(other),
    }
}

/// Takes the fault out of the outcome of a probe, which must not succeed.
pub(crate) fn fault_of(outcome: Outcome) -> Fault {
    match outcome {
        Outcome::Refused(fault) | Outcome::Deferred { fault, .. } => fault,
        other => Fault::transient(FaultCode::Rejected, format!("{other:?}")),
    }
}

/// Reads the time until which the far side asked to be left alone: `Retry-After` in seconds or as a date, else
/// `X-RateLimit-Reset` when nothing remains. Never more than a day, whatever it says.
fn pause(response: &Response, now: Timestamp) -> Option<Timestamp> {
    let asked = match response.header(&RETRY_AFTER).map(str::trim) {
        Some(text) => match text.parse() {
            Ok(seconds) => Some(now.after(Duration::from_secs(seconds))),
            Err(_) => Timestamp::parse_date(text).ok(),
        },
        None => None,
    };
    let spent = || response.header(&RATE_REMAINING).is_some_and(|left| left.trim() == "0");
    let reset = || response.header(&RATE_RESET)?.trim().parse().ok().map(Timestamp::from_seconds);
    let until = asked.or_else(|| spent().then(reset).flatten())?;
    Some(until.clamp(now, now.after(LONGEST_PAUSE)))
}

/// Tells the origin that a redirect leads to, for the settings to be corrected. Its path is not told: it may hold a
/// token.
fn moved(response: &Response) -> String {
    let location = response.header(&LOCATION).and_then(|to| url::Url::parse(to).ok());
    location.map_or_else(String::new, |to| format!(", it moved to {}", to.origin().ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Permanence;

    const NOW: i64 = 1_526_395_800;

    fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Outcome {
        let mut response = Response::made_up(status, body);
        for (name, value) in headers {
            response.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        outcome(&response, Timestamp::from_seconds(NOW))
    }

    fn told(outcome: &Outcome) -> (FaultCode, Permanence, Option<i64>) {
        match outcome {
            Outcome::Deferred { fault, not_before } => {
                (fault.code, fault.permanence, not_before.map(|at| at.as_seconds() - NOW))
            }
            Outcome::Refused(fault) => (fault.code, fault.permanence, None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn p_http_12_any_2xx_is_success() {
        for status in [200, 201, 202, 204, 299] {
            assert!(matches!(answered(status, &[], ""), Outcome::Delivered(_)), "{status}");
        }
    }

    #[test]
    fn gs_api_07_what_passes_and_what_does_not() {
        for (status, code) in [
            (408, FaultCode::Timeout),
            (425, FaultCode::Busy),
            (429, FaultCode::Busy),
            (500, FaultCode::Busy),
            (503, FaultCode::Busy),
        ] {
            assert_eq!(told(&answered(status, &[], "x")), (code, Permanence::Transient, None), "{status}");
        }
        for (status, code) in [
            (301, FaultCode::Rejected),
            (400, FaultCode::Content),
            (401, FaultCode::Authentication),
            (403, FaultCode::Authentication),
            (404, FaultCode::Rejected),
            (410, FaultCode::Rejected),
            (413, FaultCode::Content),
            (422, FaultCode::Content),
        ] {
            assert_eq!(told(&answered(status, &[], "x")), (code, Permanence::Permanent, None), "{status}");
        }
    }

    #[test]
    fn gs_api_07_retry_after_and_rate_limits() {
        let busy = |after| (FaultCode::Busy, Permanence::Transient, Some(after));
        assert_eq!(told(&answered(429, &[("retry-after", "120")], "")), busy(120));
        assert_eq!(told(&answered(503, &[("retry-after", "Tue, 15 May 2018 14:51:27 GMT")], "")), busy(87));
        assert_eq!(told(&answered(403, &[("retry-after", "60")], "")), busy(60));
        let reset = (NOW + 30).to_string();
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
        assert_eq!(told(&answered(403, &spent, "")), busy(30));
        let left = [("x-ratelimit-remaining", "9"), ("x-ratelimit-reset", reset.as_str())];
        assert_eq!(told(&answered(403, &left, "")).1, Permanence::Permanent);
        // Neither the past nor the year 2554 is obeyed.
        assert_eq!(told(&answered(429, &[("retry-after", "Tue, 15 May 2001 14:51:27 GMT")], "")), busy(0));
        assert_eq!(told(&answered(429, &[("retry-after", "18446744073709551615")], "")), busy(86_400));
        assert_eq!(
            told(&answered(429, &[("retry-after", "soon")], "")),
            (FaultCode::Busy, Permanence::Transient, None)
        );
    }

    #[test]
    fn p_mod_05_the_text_says_what_the_far_side_said_and_a_redirect_where_it_leads() {
        let Outcome::Refused(fault) = answered(400, &[], "{\"message\":\n \"bad sha\"}") else { panic!() };
        assert_eq!(
            fault.text,
            "https://push.example.org answered 400 Bad Request: {\"message\": \"bad sha\"}"
        );
        let location = [("location", "https://new.example.org/hooks/T0K3N")];
        let Outcome::Refused(fault) = answered(308, &location, "") else { panic!() };
        assert!(fault.text.contains("moved to https://new.example.org;"), "{}", fault.text);
        assert!(!fault.text.contains("T0K3N"));
    }

    #[test]
    fn no_answer_at_all() {
        let error = OutboundError::Connection { origin: "https://x".into(), reason: "refused".into() };
        let fault = transport_fault(&error);
        assert_eq!((fault.code, fault.permanence), (FaultCode::Connection, Permanence::Transient));
        let fault = transport_fault(&OutboundError::Address("no http".into()));
        assert_eq!((fault.code, fault.permanence), (FaultCode::Rejected, Permanence::Permanent));
    }
}
