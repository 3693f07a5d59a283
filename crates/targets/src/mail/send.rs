//! A stored mail on its way by the target's transport: a relay, a program of this machine, or a folder.

use super::eml_folder;
use super::payload::StoredMail;
use super::settings::Transport;
use crate::{Fault, Outcome, Permanence};

/// Hands the mail over once to those who are still to get it.
pub(super) async fn send(transport: &Transport, mail: StoredMail) -> Outcome {
    match transport {
        Transport::Smtp(relay) => relay.send(mail).await,
        Transport::Sendmail(program) => program.send(mail).await,
        Transport::Files(folder) => match eml_folder::write(folder, mail).await {
            Ok(file) => Outcome::Delivered(format!("written to `{}`", file.display())),
            Err(fault) => Outcome::Deferred { fault, not_before: None },
        },
    }
}

/// Proves that the transport works, as far as that goes without a mail.
pub(super) async fn probe(transport: &Transport) -> Result<String, Fault> {
    match transport {
        Transport::Smtp(relay) => relay.probe().await,
        Transport::Sendmail(program) => program.probe().await,
        Transport::Files(folder) => eml_folder::probe(folder)
            .await
            .map(|()| format!("mails can be written to `{}`", folder.display())),
    }
}

/// The outcome of an attempt that served nobody.
pub(super) fn attempt_failed(fault: Fault, mail: &StoredMail) -> Outcome {
    match fault.permanence {
        Permanence::Transient => Outcome::Deferred { fault, not_before: None },
        // Those served at an earlier attempt have it: that is not a failure of the whole.
        Permanence::Permanent if mail.envelope.served > 0 => {
            let mut refused = mail.envelope.refused.clone();
            refused.push(format!("{}: not sent to {}", fault.text, mail.envelope.recipients.join(", ")));
            Outcome::Partial { receipt: served_earlier(mail), refused }
        }
        Permanence::Permanent => Outcome::Refused(fault),
    }
}

/// The receipt of a mail that some recipients got at an earlier attempt, and none at this one.
pub(super) fn served_earlier(mail: &StoredMail) -> String {
    format!("{} got it at an earlier attempt", mail.envelope.served)
}
