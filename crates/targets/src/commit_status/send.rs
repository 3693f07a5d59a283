//! Hands statuses over, commit by commit, and tells the outcome (GS-API).

use http::StatusCode;

use super::StatusTarget;
use super::forge::Forge;
use super::payload::{self, StoredStatus};
use crate::http::{deferred, fault_of, outcome, transport_fault};
use crate::{Fault, Outcome, Outgoing, Silence};
use campanile_model::Timestamp;
use campanile_outbound::Response;

impl<F: Forge> StatusTarget<F> {
    /// Hands one delivery over.
    pub(super) async fn send_one(&self, outgoing: Outgoing<'_>) -> Outcome {
        match payload::from_bytes(outgoing.message) {
            Ok(statuses) => self.post_all(statuses, outgoing.now).await,
            Err(fault) => Outcome::Refused(fault),
        }
    }

    /// Hands a batch over in its order, without the transient statuses that a later one replaces (GS-API-08).
    ///
    /// It ends at the first delivery that is deferred: what follows would reach the forge before it.
    pub(super) async fn send_in_order(&self, batch: &[Outgoing<'_>]) -> Vec<Outcome> {
        let read: Vec<Result<Vec<StoredStatus>, Fault>> =
            batch.iter().map(|outgoing| payload::from_bytes(outgoing.message)).collect();
        let mut outcomes = Vec::with_capacity(batch.len());
        for (index, (statuses, outgoing)) in read.iter().zip(batch).enumerate() {
            let outcome = match statuses {
                Err(fault) => Outcome::Refused(fault.clone()),
                Ok(statuses) => {
                    let later = read.get(index + 1..).unwrap_or_default().iter().flatten().flatten();
                    let is_due = |status: &&StoredStatus| {
                        !later.clone().any(|later| status.is_replaced_by(later, &F::STATE_NAMES))
                    };
                    let due: Vec<_> = statuses.iter().filter(is_due).cloned().collect();
                    if due.is_empty() {
                        Outcome::Silent(Silence::Overtaken)
                    } else {
                        self.post_all(due, outgoing.now).await
                    }
                }
            };
            let is_over = matches!(outcome, Outcome::Deferred { .. } | Outcome::Remainder { .. });
            outcomes.push(outcome);
            if is_over {
                break;
            }
        }
        outcomes
    }

    /// Posts every status that is left. One that was taken is not sent again; one that is refused hinders no other.
    async fn post_all(&self, statuses: Vec<StoredStatus>, now: Timestamp) -> Outcome {
        let (mut receipts, mut refused) = (Vec::new(), Vec::<Fault>::new());
        for (done, status) in statuses.iter().enumerate() {
            match self.post(status, now).await {
                Outcome::Delivered(receipt) => receipts.push(receipt),
                Outcome::Refused(fault) => refused.push(fault),
                Outcome::Deferred { fault, not_before } if done > 0 => {
                    for lost in &refused {
                        tracing::error!(target = self.shared.name, "status given up: {}", lost.text);
                    }
                    return match payload::to_bytes(statuses.get(done..).unwrap_or_default()) {
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

    /// Posts one status (GS-API-01 to GS-API-07). A token that is not taken any more is replaced by a new one, once.
    async fn post(&self, status: &StoredStatus, now: Timestamp) -> Outcome {
        let shared = &self.shared;
        let _slot = self.slots.acquire().await;
        let mut invalidated = false;
        let response = loop {
            let request = match self.forge.request(status, shared, now).await {
                Ok(request) => request,
                Err(outcome) => return worded::<F>(status, outcome, None),
            };
            match shared.client.send(request).await {
                Ok(response) if response.status == StatusCode::UNAUTHORIZED && !invalidated => {
                    invalidated = true;
                    if !self.forge.invalidate_token().await {
                        break response;
                    }
                }
                Ok(response) => break response,
                Err(error) => return deferred(error),
            }
        };
        self.rate_limit.observe(&response, &shared.name, now);
        let outcome = self.forge.outcome(status, &response, outcome(&response, now));
        worded::<F>(status, outcome, Some(&response))
    }

    /// Proves address and credentials.
    pub(super) async fn probe_forge(&self) -> Result<String, Fault> {
        let now = campanile_model::now();
        let request = self.forge.probe_request(&self.shared, now).await.map_err(fault_of)?;
        let response = self.shared.client.send(request).await.map_err(|error| transport_fault(&error))?;
        match outcome(&response, now) {
            Outcome::Delivered(_) => Ok(format!("{} takes the credentials", response.origin)),
            other => Err(fault_of(other)),
        }
    }
}

/// Puts an outcome into the words of the forge.
const RENAMED: &str = "; the repository has another name or owner now: correct it in the settings, or in what the CI tells as the \
    build's project and repository";

fn worded<F: Forge>(status: &StoredStatus, outcome: Outcome, response: Option<&Response>) -> Outcome {
    match outcome {
        Outcome::Delivered(_) => Outcome::Delivered(F::success_text(status)),
        Outcome::Refused(fault) => {
            let hint = response.map_or("", |response| match response.status.as_u16() {
                301 | 307 | 308 => RENAMED,
                code => F::hint(code),
            });
            Outcome::Refused(Fault {
                text: format!("{} {}{hint}", F::failure_text(status), fault.text),
                ..fault
            })
        }
        other => other,
    }
}
