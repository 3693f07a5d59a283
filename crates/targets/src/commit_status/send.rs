//! Hands kept statuses over, commit by commit, and tells what became of them (GS-API).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use http::header::HeaderName;

use super::StatusTarget;
use super::forge::Forge;
use super::status::StoredStatus;
use crate::http_outcome::{deferred, outcome, transport_fault};
use crate::{Fault, FaultCode, Outcome, Silence, payload};
use campanile_model::Timestamp;
use campanile_outbound::Response;

const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// With fewer requests left than this, somebody should know (GS-API-09).
const FEW: u64 = 100;
const BETWEEN_WARNINGS: Duration = Duration::from_secs(3_600);

impl<F: Forge> StatusTarget<F> {
    /// Every status that is left. What was taken is not sent again; what is refused hinders no other.
    pub(super) async fn post_all(&self, statuses: Vec<StoredStatus>, now: Timestamp) -> Outcome {
        let (mut receipts, mut refused) = (Vec::new(), Vec::<Fault>::new());
        for (done, status) in statuses.iter().enumerate() {
            match self.post(status, now).await {
                Outcome::Delivered(receipt) => receipts.push(receipt),
                Outcome::Refused(fault) => refused.push(fault),
                Outcome::Deferred { fault, not_before } if done > 0 => {
                    for lost in &refused {
                        tracing::error!(target = self.shared.name, "given up: {}", lost.text);
                    }
                    return match payload::to_bytes("the status", statuses.get(done..).unwrap_or_default()) {
                        Ok(message) => Outcome::Remainder { message, fault, not_before },
                        Err(_) => Outcome::Deferred { fault, not_before },
                    };
                }
                other => return other,
            }
        }
        let texts: Vec<String> = refused.iter().map(|fault| fault.text.clone()).collect();
        match (receipts.is_empty(), refused.into_iter().next()) {
            (false, None) => Outcome::Delivered(receipts.join(" ")),
            (false, Some(_)) => Outcome::Partial { receipt: receipts.join(" "), refused: texts },
            (true, Some(fault)) => Outcome::Refused(Fault { text: texts.join("; "), ..fault }),
            (true, None) => Outcome::Silent(Silence::Overtaken),
        }
    }

    /// GS-API-01 to GS-API-07. A token that is not taken any more is replaced by a new one, once.
    async fn post(&self, status: &StoredStatus, now: Timestamp) -> Outcome {
        let shared = &self.shared;
        let _turn = self.turns.acquire().await;
        let mut renewed = false;
        let response = loop {
            let request = match self.forge.request(status, shared, now).await {
                Ok(request) => request,
                Err(outcome) => return worded::<F>(status, outcome, None),
            };
            match shared.client.send(request).await {
                Ok(response) if response.status == StatusCode::UNAUTHORIZED && !renewed => {
                    renewed = true;
                    if !self.forge.renew().await {
                        break response;
                    }
                }
                Ok(response) => break response,
                Err(error) => return deferred(error),
            }
        };
        self.allowance.look(&response, &shared.name, now);
        let judged = self.forge.judge(status, &response, outcome(&response, now));
        worded::<F>(status, judged, Some(&response))
    }

    /// Proves address and credentials.
    pub(super) async fn prove(&self) -> Result<String, Fault> {
        let now = campanile_model::now();
        let refused = |outcome| match outcome {
            Outcome::Refused(fault) | Outcome::Deferred { fault, .. } => fault,
            other => Fault::transient(FaultCode::Rejected, format!("{other:?}")),
        };
        let request = self.forge.proof(&self.shared, now).await.map_err(refused)?;
        let response = self.shared.client.send(request).await.map_err(|error| transport_fault(&error))?;
        match outcome(&response, now) {
            Outcome::Delivered(_) => Ok(format!("{} takes the credentials", response.origin)),
            other => Err(refused(other)),
        }
    }
}

/// An outcome in the words of the forge.
fn worded<F: Forge>(status: &StoredStatus, outcome: Outcome, response: Option<&Response>) -> Outcome {
    match outcome {
        Outcome::Delivered(_) => Outcome::Delivered(F::told(status)),
        Outcome::Refused(fault) => {
            let hint = response.map_or("", |response| F::hint(response.status.as_u16()));
            Outcome::Refused(Fault { text: format!("{} {}{hint}", F::not_told(status), fault.text), ..fault })
        }
        other => other,
    }
}

/// How many requests a forge still takes, as it says with every answer (GS-API-09).
#[derive(Default)]
pub(super) struct Allowance {
    warned: Mutex<Option<Timestamp>>,
}

impl Allowance {
    /// Warns when little is left, and not again for an hour.
    fn look(&self, response: &Response, target: &str, now: Timestamp) -> bool {
        let left = response.header(&REMAINING).and_then(|left| left.trim().parse::<u64>().ok());
        let Some(left) = left.filter(|left| *left < FEW) else { return false };
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_some_and(|last| now.since(last) < BETWEEN_WARNINGS) {
            return false;
        }
        *warned = Some(now);
        tracing::warn!(target, "{} takes only {left} more requests for now", response.origin);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gs_api_09_little_allowance_is_told_once_an_hour() {
        let response = |left: &str| {
            let mut response = Response::made_up(201, "{}");
            response.headers.insert(REMAINING, left.parse().unwrap());
            response
        };
        let at = |seconds: i64| Timestamp::from_seconds(1_700_000_000 + seconds);
        let allowance = Allowance::default();
        assert!(!allowance.look(&response("100"), "github-1", at(0)));
        assert!(!allowance.look(&Response::made_up(201, "{}"), "github-1", at(0)));
        assert!(allowance.look(&response("99"), "github-1", at(0)));
        assert!(!allowance.look(&response("98"), "github-1", at(3_599)));
        assert!(allowance.look(&response("0"), "github-1", at(3_600)));
    }
}
