//! One mail on one connection: the sender, the recipients with a result for each, the mail itself (M-65 to M-67).

use std::borrow::Cow;
use std::time::Duration;

use super::ascii;
use super::message::{Envelope, StoredMail};
use super::trouble::{ANSWER, Trouble};
use super::wire::Wire;
use crate::{Fault, FaultCode, Outcome, Permanence};

/// How many commands go out before their answers are heard, where the relay can have several (RFC 2920).
const GROUP: usize = 50;

/// What became of the recipients.
#[derive(Debug, Default)]
pub(super) struct Tally {
    accepted: usize,
    refused: Vec<String>,
    deferred: Vec<(String, Trouble)>,
    /// The relay's answer to the mail itself; none if it was not handed over for want of recipients.
    pub(super) receipt: Option<String>,
}

/// Where it ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// When the sender was named.
    Sender(Trouble),
    /// When recipients were named; who was refused or put off is no trouble.
    Recipients(Trouble),
    /// When the mail itself was handed over.
    Mail(Trouble),
    /// Before anything was said: the relay takes no mail of more bytes than this.
    TooLarge(u64),
}

impl Stop {
    /// Whether the connection can't be used any more.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Sender(trouble) | Self::Recipients(trouble) | Self::Mail(trouble) => {
                trouble.ends_connection()
            }
            Self::TooLarge(_) => false,
        }
    }
}

/// Says all of it. `limit` is for the first answer: a kept connection shows there whether it lives.
pub(super) async fn hand_over(
    wire: &mut Wire,
    label: &str,
    mail: &StoredMail,
    limit: Duration,
) -> Result<Tally, Stop> {
    let cut;
    let mail = match wire.offers.max_bytes {
        Some(max) if mail.raw.len() as u64 > max => {
            cut = mail.cut_to(max).ok_or(Stop::TooLarge(max))?;
            &cut
        }
        _ => mail,
    };
    let knows_scripts = wire.offers.utf8 && wire.offers.eight_bit;
    let raw =
        if knows_scripts { Cow::Borrowed(mail.raw.as_slice()) } else { Cow::Owned(ascii::only(&mail.raw)) };
    let mut tally = Tally::default();
    name(wire, label, mail, &raw, &mut tally, limit).await?;
    if tally.accepted > 0 {
        let reply = wire.hand_over(&raw).await.map_err(|trouble| match trouble {
            Trouble::Lost(reason) => Stop::Mail(Trouble::Lost(format!(
                "the connection broke before it confirmed the mail, which may arrive twice: {reason}"
            ))),
            trouble => Stop::Mail(trouble),
        })?;
        tally.receipt = Some(reply.shown());
    }
    Ok(tally)
}

/// Names the sender and all recipients, several at once where the relay can.
async fn name(
    wire: &mut Wire,
    label: &str,
    mail: &StoredMail,
    raw: &[u8],
    tally: &mut Tally,
    limit: Duration,
) -> Result<(), Stop> {
    let sender = sender(wire, mail, raw).map_err(Stop::Sender)?;
    // Only those whose address the relay can write at all; for each of the others that is its own result.
    let writable = |recipient: &&String| recipient.is_ascii() || wire.offers.utf8;
    let (recipients, foreign): (Vec<&String>, Vec<&String>) =
        mail.envelope.recipients.iter().partition(writable);
    for recipient in foreign {
        tally.note(label, recipient, Err(no_letters()))?;
    }
    let group = if wire.offers.pipelining { GROUP } else { 1 };
    let (with_sender, others) = recipients.split_at(recipients.len().min(group - 1));
    let mut lines = vec![sender];
    lines.extend(with_sender.iter().map(named));
    wire.say(&lines).await.map_err(Stop::Sender)?;
    if let Err(trouble) = wire.answer(limit).await {
        if !trouble.ends_connection() {
            // The recipients that went out with it have their answers all the same.
            for _ in with_sender {
                if let Err(trouble) = wire.answer(ANSWER).await
                    && trouble.ends_connection()
                {
                    return Err(Stop::Recipients(trouble));
                }
            }
        }
        return Err(Stop::Sender(trouble));
    }
    for recipient in with_sender {
        tally.note(label, recipient, wire.answer(ANSWER).await.map(drop))?;
    }
    for group in others.chunks(group) {
        let lines: Vec<String> = group.iter().map(named).collect();
        wire.say(&lines).await.map_err(Stop::Recipients)?;
        for recipient in group {
            tally.note(label, recipient, wire.answer(ANSWER).await.map(drop))?;
        }
    }
    Ok(())
}

/// Our addresses are checked where they enter.
fn named(recipient: &&String) -> String {
    format!("RCPT TO:<{recipient}>")
}

fn sender(wire: &Wire, mail: &StoredMail, raw: &[u8]) -> Result<String, Trouble> {
    let Envelope { sender, recipients, .. } = &mail.envelope;
    let mut line = format!("MAIL FROM:<{sender}>");
    if wire.offers.sizes {
        line.push_str(&format!(" SIZE={}", raw.len()));
    }
    if !sender.is_ascii() && !wire.offers.utf8 {
        return Err(no_letters());
    }
    if !raw.is_ascii() {
        line.push_str(" BODY=8BITMIME");
    }
    let has_letters = !raw.is_ascii() || !sender.is_ascii() || !recipients.iter().all(|one| one.is_ascii());
    if wire.offers.utf8 && has_letters {
        line.push_str(" SMTPUTF8");
    }
    Ok(line)
}

fn no_letters() -> Trouble {
    Trouble::Reply(553, "it does not offer SMTPUTF8, which addresses of other scripts need".to_owned())
}

impl Tally {
    fn note(&mut self, label: &str, recipient: &str, answer: Result<(), Trouble>) -> Result<(), Stop> {
        match answer {
            Ok(()) => self.accepted += 1,
            Err(trouble) if trouble.ends_connection() => return Err(Stop::Recipients(trouble)),
            // RFC 5321, 4.5.3.1.10: old relays say 552 when they mean 452, too many at once.
            Err(trouble @ Trouble::Reply(552, _)) if self.accepted > 0 => {
                self.deferred.push((recipient.to_owned(), trouble));
            }
            Err(trouble) if trouble.is_refusal() => {
                let text = format!(
                    "{label} refused `{recipient}` ({}): fix the address or remove it",
                    trouble.answer()
                );
                tracing::warn!("{text}");
                self.refused.push(text);
            }
            Err(trouble) => self.deferred.push((recipient.to_owned(), trouble)),
        }
        Ok(())
    }
}

/// What it means for the delivery.
pub(super) fn outcome(label: &str, done: Result<Tally, Stop>, mail: StoredMail) -> Outcome {
    match done {
        Ok(tally) => match tally.receipt.clone() {
            Some(receipt) => handed_over(label, tally, mail, &receipt),
            None => nobody(label, tally, &mail),
        },
        Err(stop) => stopped(label, &stop, &mail),
    }
}

/// At least one recipient got it.
fn handed_over(label: &str, tally: Tally, mut mail: StoredMail, receipt: &str) -> Outcome {
    let receipt = format!("{label} took it for {}: {receipt}", tally.accepted);
    mail.envelope.served += tally.accepted;
    mail.envelope.refused.extend(tally.refused);
    if let Some((_, trouble)) = tally.deferred.first() {
        let text = format!(
            "{label} took the mail for {}, but not yet for {} ({})",
            tally.accepted,
            tally.deferred.len(),
            trouble.answer()
        );
        mail.envelope.recipients = tally.deferred.into_iter().map(|(recipient, _)| recipient).collect();
        let fault = Fault::transient(FaultCode::Busy, text);
        return Outcome::Remainder { message: mail.to_bytes(), fault, not_before: None };
    }
    match mail.envelope.refused {
        refused if refused.is_empty() => Outcome::Delivered(receipt),
        refused => Outcome::Partial { receipt, refused },
    }
}

/// All recipients were refused or put off.
fn nobody(label: &str, tally: Tally, mail: &StoredMail) -> Outcome {
    if let Some((recipient, trouble)) = tally.deferred.first() {
        let text = format!("{label} does not take mail for `{recipient}` now ({})", trouble.answer());
        return Outcome::Deferred { fault: Fault::transient(FaultCode::Busy, text), not_before: None };
    }
    let refused: Vec<String> = mail.envelope.refused.iter().cloned().chain(tally.refused).collect();
    if mail.envelope.served > 0 {
        return Outcome::Partial { receipt: earlier(mail), refused };
    }
    Outcome::Refused(Fault::permanent(FaultCode::Rejected, refused.join("; ")))
}

fn stopped(label: &str, stop: &Stop, mail: &StoredMail) -> Outcome {
    let (trouble, what, hint) = match stop {
        Stop::Sender(trouble) if !trouble.is_about_content() => {
            (trouble, format!("did not take the sender `{}`", mail.envelope.sender), ": check `fromaddr`")
        }
        Stop::Recipients(trouble) => (trouble, "broke off while recipients were named".to_owned(), ""),
        Stop::Sender(trouble) | Stop::Mail(trouble) => {
            let hint = if trouble.is_about_content() { ": lower `max_message_bytes`" } else { "" };
            (trouble, "did not take the mail".to_owned(), hint)
        }
        Stop::TooLarge(max) => {
            let text = format!("{label} takes no mail of more than {max} bytes, and the text alone has more");
            return failed(Fault::permanent(FaultCode::Content, text), mail);
        }
    };
    let fault = trouble.fault(&format!("{label} {what}"), FaultCode::Rejected, hint);
    // Better a mail without its attachments than none.
    match trouble.is_about_content().then(|| mail.without_attachments()).flatten() {
        Some(bare) => {
            let text = format!("{}; it goes without its attachments next", fault.text);
            let fault = Fault::transient(FaultCode::Content, text);
            Outcome::Remainder { message: bare.to_bytes(), fault, not_before: None }
        }
        None => failed(fault, mail),
    }
}

/// What a fault of the whole attempt means.
pub(super) fn failed(fault: Fault, mail: &StoredMail) -> Outcome {
    match fault.permanence {
        Permanence::Transient => Outcome::Deferred { fault, not_before: None },
        // Those served at an earlier attempt have it: that is not a failure of the whole.
        Permanence::Permanent if mail.envelope.served > 0 => {
            let mut refused = mail.envelope.refused.clone();
            refused.push(format!("{}: not sent to {}", fault.text, mail.envelope.recipients.join(", ")));
            Outcome::Partial { receipt: earlier(mail), refused }
        }
        Permanence::Permanent => Outcome::Refused(fault),
    }
}

fn earlier(mail: &StoredMail) -> String {
    format!("{} got it at an earlier attempt", mail.envelope.served)
}
