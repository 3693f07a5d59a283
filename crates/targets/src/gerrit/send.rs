//! Hands a review over, patch set by patch set.

use super::patch_set::PatchSet;
use super::payload::StoredReview;
use super::rest::RestTransport;
use super::settings::{GerritSettings, TransportSettings};
use super::ssh::SshTransport;
use crate::{Fault, FaultCode, Outcome, Silence};
use campanile_model::Timestamp;

/// The result of handing over the review of one patch set.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReviewResult {
    /// The server has it; a receipt for people.
    Posted(String),
    /// There is a newer patch set: a vote for this one would mean nothing, or the wrong thing.
    Superseded,
}

/// The way to a server.
pub(super) enum Transport {
    Ssh(SshTransport),
    Rest(RestTransport),
}

impl Transport {
    /// Makes the transport that the settings name; it connects when it is needed.
    pub(super) fn new(settings: &TransportSettings) -> Self {
        match settings {
            TransportSettings::Ssh { config, version } => {
                Self::Ssh(SshTransport::new(config.clone(), version.clone()))
            }
            TransportSettings::Rest(rest) => Self::Rest(rest.clone()),
        }
    }

    async fn post(
        &self,
        patch_set: &PatchSet,
        review: &StoredReview,
        settings: &GerritSettings,
        now: Timestamp,
    ) -> Result<ReviewResult, Outcome> {
        let (options, skip) = (&settings.options, settings.skip_superseded);
        match self {
            Self::Ssh(ssh) => ssh.post(patch_set, review, options, skip).await.map_err(Outcome::from),
            Self::Rest(rest) => rest.post(patch_set, review, options, skip, now).await,
        }
    }
}

/// Reviews every patch set that is left. One that was taken is not sent again; one that is refused hinders no other.
pub(super) async fn post_all(
    transport: &Transport,
    settings: &GerritSettings,
    review: StoredReview,
    now: Timestamp,
) -> Outcome {
    let (mut receipt, mut refused) = (None, Vec::<Fault>::new());
    for (done, patch_set) in review.patch_sets.iter().enumerate() {
        match transport.post(patch_set, &review, settings, now).await {
            Ok(ReviewResult::Posted(text)) => receipt = Some(text),
            Ok(ReviewResult::Superseded) => {}
            Err(Outcome::Refused(fault)) => refused.push(fault),
            Err(Outcome::Deferred { fault, not_before }) => {
                let patch_sets = review.patch_sets.get(done..).unwrap_or_default().to_vec();
                let rest = StoredReview { patch_sets, ..review.clone() };
                return match (done, rest.to_bytes()) {
                    (1.., Ok(message)) => Outcome::Remainder { message, fault, not_before },
                    _ => Outcome::Deferred { fault, not_before },
                };
            }
            Err(other) => return other,
        }
    }
    match (receipt, refused.is_empty()) {
        (Some(receipt), true) => Outcome::Delivered(receipt),
        (Some(receipt), false) => {
            Outcome::Partial { receipt, refused: refused.into_iter().map(|fault| fault.text).collect() }
        }
        (None, true) => Outcome::Silent(Silence::Overtaken),
        (None, false) => {
            let texts: Vec<String> = refused.iter().map(|fault| fault.text.clone()).collect();
            let code = refused.first().map_or(FaultCode::Rejected, |fault| fault.code);
            Outcome::Refused(Fault::permanent(code, texts.join("; ")))
        }
    }
}
