//! The outcome that an HTTP reply, or its absence, stands for: taken, not now, or never.

use http::StatusCode;
use http::header::LOCATION;

use campanile_model::Timestamp;
use campanile_outbound::{OutboundError, Response};

use super::rate_limit::{self, LIMIT_DELAY};
use crate::{Fault, FaultCode, Outcome};

/// Makes the fault of an attempt that got no reply: permanent where settings must change, transient where the network
/// may mend it.
pub(crate) fn transport_fault(error: &OutboundError) -> Fault {
    let text = error.to_string();
    match error {
        OutboundError::Forbidden { .. } | OutboundError::Inside { .. } | OutboundError::Address(_) => {
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

/// The meaning of a reply: one table for everything that goes out by HTTP (M-DLV-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Taken.
    Taken,
    /// Not now; the same request may do later.
    NotNow(FaultCode),
    /// Not now: there were too many requests.
    Limited,
    /// Never; somebody must act.
    Never(FaultCode),
}

impl Class {
    /// Classifies a reply. `asks_for_pause`: it names a time from which on it may be asked again.
    fn of(response: &Response, asks_for_pause: bool) -> Self {
        let status = response.status;
        match status {
            _ if status.is_success() => Self::Taken,
            StatusCode::TOO_MANY_REQUESTS => Self::Limited,
            StatusCode::FORBIDDEN if asks_for_pause || rate_limit::is_told_in_words(response) => {
                Self::Limited
            }
            _ if status.is_server_error() => Self::NotNow(FaultCode::Busy),
            StatusCode::REQUEST_TIMEOUT => Self::NotNow(FaultCode::Timeout),
            StatusCode::MISDIRECTED_REQUEST | StatusCode::LOCKED | StatusCode::TOO_EARLY => {
                Self::NotNow(FaultCode::Busy)
            }
            // Pages of a proxy while its server is being mended. Not so 307: GitHub says that of a repository with another
            // name, and it stays so.
            StatusCode::FOUND | StatusCode::SEE_OTHER => Self::NotNow(FaultCode::Rejected),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Self::Never(FaultCode::Authentication)
            }
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Self::Never(FaultCode::Content)
            }
            _ => Self::Never(FaultCode::Rejected),
        }
    }
}

/// Makes the outcome of an attempt that got this reply: 2xx is success (P-HTTP-12, P-MOD-05), and of the others
/// [`Class`] says which are deferred (GS-API-07). `now` is where the seconds of `Retry-After` count from.
pub(crate) fn outcome(response: &Response, now: Timestamp) -> Outcome {
    let status = response.status;
    let excerpt = response.excerpt();
    let said = if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") };
    let mut text = format!("{} answered {status}{said}", response.origin);
    if status.is_redirection() {
        text = format!("{text}{}; redirects are not followed", moved(response));
    }
    let not_before = rate_limit::pause(response, now);
    match Class::of(response, not_before.is_some()) {
        Class::Taken => Outcome::Delivered(format!("{} answered {status}", response.origin)),
        Class::NotNow(code) => {
            let fault = Fault::transient(code, text);
            let fault = if not_before.is_some() { fault.asks_for_pause() } else { fault };
            Outcome::Deferred { fault, not_before }
        }
        Class::Limited => {
            let fault = Fault::transient(FaultCode::Busy, text).asks_for_pause();
            // Where a time is named, that counts.
            let fault = if not_before.is_some() { fault } else { fault.tried_again_from(LIMIT_DELAY) };
            Outcome::Deferred { fault, not_before }
        }
        Class::Never(code) => Outcome::Refused(Fault::permanent(code, text)),
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

/// Tells the origin that a redirect leads to, for the settings to be corrected. Its path is not told: it may hold a
/// token.
fn moved(response: &Response) -> String {
    let location = response.header(&LOCATION).and_then(|to| url::Url::parse(to).ok());
    location.map_or_else(String::new, |to| format!(", it moved to {}", to.origin().ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

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
    fn m_dlv_03_gs_api_07_what_passes_and_what_does_not() {
        for (status, body, code, first_delay) in [
            (302, "", FaultCode::Rejected, None),
            (303, "", FaultCode::Rejected, None),
            (403, "You have exceeded a secondary rate limit.", FaultCode::Busy, Some(LIMIT_DELAY)),
            (403, "You have triggered an abuse detection mechanism", FaultCode::Busy, Some(LIMIT_DELAY)),
            (408, "", FaultCode::Timeout, None),
            (421, "", FaultCode::Busy, None),
            (423, "", FaultCode::Busy, None),
            (425, "", FaultCode::Busy, None),
            (429, "", FaultCode::Busy, Some(LIMIT_DELAY)),
            (500, "", FaultCode::Busy, None),
            (501, "", FaultCode::Busy, None),
            (502, "", FaultCode::Busy, None),
            (503, "", FaultCode::Busy, None),
            (504, "", FaultCode::Busy, None),
            (599, "", FaultCode::Busy, None),
        ] {
            let outcome = answered(status, &[], body);
            assert_eq!(told(&outcome), (code, Permanence::Transient, None), "{status}");
            let Outcome::Deferred { fault, .. } = outcome else { panic!("{status}") };
            assert_eq!(fault.first_delay, first_delay, "{status}");
        }
        for (status, code) in [
            (300, FaultCode::Rejected),
            (301, FaultCode::Rejected),
            (304, FaultCode::Rejected),
            (307, FaultCode::Rejected),
            (308, FaultCode::Rejected),
            (400, FaultCode::Content),
            (401, FaultCode::Authentication),
            (403, FaultCode::Authentication),
            (404, FaultCode::Rejected),
            (405, FaultCode::Rejected),
            (407, FaultCode::Authentication),
            (409, FaultCode::Rejected),
            (410, FaultCode::Rejected),
            (413, FaultCode::Content),
            (415, FaultCode::Rejected),
            (422, FaultCode::Content),
            (451, FaultCode::Rejected),
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
