//! notify, mute, unmute (I-CMD-18 to I-CMD-21, I-CMD-28).

use super::invocation::{CommandError, Invocation, Reply, line, reject};
use crate::irc::decide::{Notify, NotifySet};

pub(super) async fn notify(call: Invocation) -> Reply {
    const USAGE: &str = "try 'notify on|off <EVENT>'";
    let words = call.words()?;
    let Some((what, names)) = words.split_first() else { return reject("try 'notify on|off|list <EVENT>'") };
    if !matches!(what.as_str(), "on" | "off" | "list") {
        return reject(USAGE);
    }
    // All or nothing (I-CMD-20).
    let events: NotifySet = match names.iter().map(|name| Notify::parse(name)).collect() {
        Some(events) => events,
        None if what == "list" => NotifySet::new(),
        None => return reject(USAGE),
    };
    let mut contacts = call.bot.contacts();
    let Some(contact) = contacts.get_mut(&call.contact) else {
        return Err(CommandError::Internal(format!("the contact {} is gone", call.contact)));
    };
    match what.as_str() {
        "on" if events.is_empty() => {
            contact.notify.extend(["started", "finished"].into_iter().filter_map(Notify::parse));
        }
        "on" => contact.notify.extend(events),
        "off" if events.is_empty() => contact.notify.clear(),
        "off" => contact.notify.retain(|event| !events.contains(event)),
        _ => {}
    }
    let names: Vec<String> = contact.notify.iter().map(|event| format!("'{}'", event.name())).collect();
    line(format!("The following events are being notified: [{}]", names.join(", ")))
}

pub(super) async fn mute(call: Invocation) -> Reply {
    call.say("Shutting up for now.").await;
    set_muted(&call, true);
    Ok(Vec::new())
}

pub(super) async fn unmute(call: Invocation) -> Reply {
    if call.bot.contacts().is_muted(&call.contact) {
        set_muted(&call, false);
        line("I'm baaaaaaaaaaack!")
    } else {
        line("You hadn't told me to be quiet, but it's the thought that counts, right?")
    }
}

fn set_muted(call: &Invocation, muted: bool) {
    if let Some(contact) = call.bot.contacts().get_mut(&call.contact) {
        contact.muted = muted;
    }
}
