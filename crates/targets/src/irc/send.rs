//! Hands announcements to the bot's connection, and turns its reports into outcomes.

use super::bot::{Bot, DeliveryReport, Messages};
use super::payload::{Announcement, Recipient};
use super::settings::IrcSettings;
use crate::{Fault, FaultCode, Outcome, Outgoing, Silence};
use campanile_irc::Refusal;

/// Deliveries that are handed over at once: as many as go out soon at the usual rate (I-OUT-06). More would only wait in
/// the outbox, where a lost connection makes them all fail together.
pub(super) const BATCH: u32 = 20;

/// Hands a batch over once, in its order, and waits for what becomes of it. Outcomes of the first so many: the rest has
/// not been touched.
///
/// Those that came in before there was this connection are what the channels have missed, and are summed up (I-RC-05);
/// of the others, a [`BATCH`] is taken.
pub(super) async fn send_batch(bot: &Bot, settings: &IrcSettings, batch: &[Outgoing<'_>]) -> Vec<Outcome> {
    let connected = bot.connected_for().unwrap_or_default();
    let missed = batch.iter().take_while(|outgoing| outgoing.age > connected).count();
    let (mut all, mut unreadable) = (Vec::new(), Vec::new());
    for (place, outgoing) in batch.iter().take(missed.saturating_add(BATCH as usize)).enumerate() {
        let read = Announcement::from_bytes(outgoing.message);
        let messages = read.map(Announcement::into_messages).map_err(|fault| unreadable.push((place, fault)));
        // One that can't be read goes along empty, so that places stay the same, and gets its own outcome below.
        all.push((messages.unwrap_or_default(), place < missed));
    }
    let recipients: Vec<usize> = all.iter().map(|(messages, _): &(Messages, bool)| messages.len()).collect();
    let stored = batch.iter().map(|outgoing| outgoing.message);
    let mut outcomes = Vec::with_capacity(all.len());
    for ((report, stored), recipients) in bot.deliver_all(all).await.into_iter().zip(stored).zip(recipients) {
        // Nothing may follow one that was put off, or order would be lost. Not so one of which a single channel is left:
        // all others have heard it.
        let is_over = matches!(report, DeliveryReport::Down(_));
        outcomes.push(outcome(settings, report, recipients, stored));
        if is_over {
            break;
        }
    }
    for (place, fault) in unreadable {
        if let Some(outcome) = outcomes.get_mut(place) {
            *outcome = Outcome::Refused(fault);
        }
    }
    outcomes
}

/// A fault of the connection, which passes.
pub(super) fn down(settings: &IrcSettings, reason: &str) -> Fault {
    Fault::transient(FaultCode::Connection, format!("{}: {reason}", settings.network()))
}

fn outcome(settings: &IrcSettings, report: DeliveryReport, recipients: usize, stored: &[u8]) -> Outcome {
    match report {
        DeliveryReport::Down(reason) => {
            Outcome::Deferred { fault: down(settings, &reason), not_before: None }
        }
        DeliveryReport::LeftOut => Outcome::Silent(Silence::Overtaken),
        DeliveryReport::Arrived { server, refused } if refused.is_empty() => {
            Outcome::Delivered(format!("{server} has it"))
        }
        DeliveryReport::Arrived { refused, .. } if refused.iter().any(|refusal| refusal.passes) => {
            wait_for(settings, &refused, stored)
        }
        DeliveryReport::Arrived { server, refused } => {
            let reasons: Vec<String> = refused.iter().map(|refusal| refusal.reason.clone()).collect();
            // Some have it already, and would hear it twice if it were sent again.
            if refused.len() < recipients {
                return Outcome::Partial { receipt: format!("{server} has it"), refused: reasons };
            }
            Outcome::Refused(Fault::permanent(FaultCode::Rejected, reasons.join("; ")))
        }
    }
}

/// Keeps an announcement for those who may hear it later, such as a channel that the bot was thrown out of: as long as
/// without a connection (I-RC-06).
fn wait_for(settings: &IrcSettings, refused: &[Refusal], stored: &[u8]) -> Outcome {
    let waits = |recipient: &Recipient| {
        refused.iter().any(|refusal| refusal.passes && refusal.recipient == recipient.contact)
    };
    let left = Announcement::from_bytes(stored).and_then(|mut announcement| {
        announcement.to.retain(waits);
        announcement.to_bytes()
    });
    let reasons: Vec<&str> = refused.iter().map(|refusal| refusal.reason.as_str()).collect();
    let text = format!("{}: {}", settings.network(), reasons.join("; "));
    match left {
        Ok(message) => {
            let fault = Fault::transient(FaultCode::Busy, text).of_message();
            Outcome::Remainder { message, fault, not_before: None }
        }
        Err(fault) => Outcome::Refused(fault),
    }
}
