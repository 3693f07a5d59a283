//! Hands announcements to the bot's connection, and turns its reports into outcomes.

use super::bot::{Bot, DeliveryReport, Messages};
use super::payload::Announcement;
use super::settings::IrcSettings;
use crate::{Fault, FaultCode, Outcome, Outgoing, Silence};

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
    let mut outcomes = Vec::with_capacity(all.len());
    for (place, report) in bot.deliver_all(all).await.into_iter().enumerate() {
        // Nothing may follow one that was put off, or order would be lost.
        let is_over = matches!(report, DeliveryReport::Down(_));
        outcomes.push(outcome(settings, report, recipients.get(place).copied().unwrap_or_default()));
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

fn outcome(settings: &IrcSettings, report: DeliveryReport, recipients: usize) -> Outcome {
    match report {
        DeliveryReport::Down(reason) => {
            Outcome::Deferred { fault: down(settings, &reason), not_before: None }
        }
        DeliveryReport::LeftOut => Outcome::Silent(Silence::Overtaken),
        DeliveryReport::Arrived { server, refused } if refused.is_empty() => {
            Outcome::Delivered(format!("{server} has it"))
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
