//! Hands a kept review over, patch set by patch set.

use super::by_rest::ByRest;
use super::by_ssh::BySsh;
use super::review::StoredReview;
use super::settings::{Door, GerritSettings};
use crate::{Fault, Outcome, Permanence, Silence};
use campanile_model::Timestamp;

/// What became of one review.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// The server's answer, for people.
    Taken(String),
    /// There is a newer patch set: a vote for this one would mean nothing, or the wrong thing.
    Superseded,
}

/// The way to a server.
pub(super) enum Way {
    Ssh(BySsh),
    Rest(ByRest),
}

impl Way {
    pub(super) fn new(door: &Door) -> Self {
        match door {
            Door::Ssh { login, version } => Self::Ssh(BySsh::new(login.clone(), version.clone())),
            Door::Rest(rest) => Self::Rest(rest.clone()),
        }
    }

    async fn post(
        &self,
        (project, revision): (&str, &str),
        review: &StoredReview,
        settings: &GerritSettings,
        now: Timestamp,
    ) -> Result<Posted, Outcome> {
        let (options, skip) = (&settings.options, settings.skip_superseded);
        match self {
            Self::Ssh(ssh) => ssh.post(project, revision, review, options, skip).await.map_err(|fault| {
                match fault.lasting {
                    Permanence::Permanent => Outcome::Refused(fault),
                    Permanence::Transient => Outcome::Deferred { fault, not_before: None },
                }
            }),
            Self::Rest(rest) => rest.post((project, revision), review, options, skip, now).await,
        }
    }
}

/// Reviews every patch set that is left. What was taken is not sent again.
pub(super) async fn post_all(
    way: &Way,
    settings: &GerritSettings,
    review: StoredReview,
    now: Timestamp,
) -> Outcome {
    let (mut receipt, mut refused) = (None, Vec::<Fault>::new());
    for (done, (project, revision)) in review.patch_sets.iter().enumerate() {
        match way.post((project, revision), &review, settings, now).await {
            Ok(Posted::Taken(said)) => receipt = Some(said),
            Ok(Posted::Superseded) => {}
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
            let code = refused.first().map_or(crate::FaultCode::Rejected, |fault| fault.code);
            Outcome::Refused(Fault::permanent(code, texts.join("; ")))
        }
    }
}
