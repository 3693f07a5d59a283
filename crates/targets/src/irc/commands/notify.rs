//! notify, mute, unmute (I-CMD-18 to I-CMD-21, I-CMD-28).

use super::ask::{Answer, Asked, Trouble, said, told};
use crate::irc::events::{Notify, NotifySet};

pub(super) async fn notify(asked: Asked) -> Answer {
    const USAGE: &str = "try 'notify on|off <EVENT>'";
    let words = asked.words()?;
    let Some((what, names)) = words.split_first() else { return told("try 'notify on|off|list <EVENT>'") };
    if !matches!(what.as_str(), "on" | "off" | "list") {
        return told(USAGE);
    }
    // All or nothing (I-CMD-20).
    let events: NotifySet = match names.iter().map(|name| Notify::parse(name)).collect() {
        Some(events) => events,
        None if what == "list" => NotifySet::new(),
        None => return told(USAGE),
    };
    let mut contacts = asked.bot.contacts();
    let Some(contact) = contacts.get_mut(&asked.contact) else {
        return Err(Trouble::Broken(format!("the contact {} is gone", asked.contact)));
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
    said(format!("The following events are being notified: [{}]", names.join(", ")))
}

pub(super) async fn mute(asked: Asked) -> Answer {
    asked.say("Shutting up for now.").await;
    set_muted(&asked, true);
    Ok(Vec::new())
}

pub(super) async fn unmute(asked: Asked) -> Answer {
    if asked.bot.contacts().is_muted(&asked.contact) {
        set_muted(&asked, false);
        said("I'm baaaaaaaaaaack!")
    } else {
        said("You hadn't told me to be quiet, but it's the thought that counts, right?")
    }
}

fn set_muted(asked: &Asked, muted: bool) {
    if let Some(contact) = asked.bot.contacts().get_mut(&asked.contact) {
        contact.muted = muted;
    }
}
