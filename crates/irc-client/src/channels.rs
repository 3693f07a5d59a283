//! Channels that a session wants to be in, and how far it has come with each.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Wait after being thrown out before the first attempt to come back, and between all later ones (I-CON-11). The first
/// is for slips; later ones are rare, since whoever bans a bot does not want to see it try each minute.
const RETURN: Duration = Duration::from_secs(30);
const RETURN_AGAIN: Duration = Duration::from_secs(300);

/// All channels of a session, by their lower-cased names.
#[derive(Default)]
pub(crate) struct Channels(BTreeMap<String, Membership>);

#[derive(Default)]
struct Membership {
    key: Option<String>,
    joined: bool,
    /// Time of the next JOIN.
    due: Option<Instant>,
    /// We could not get in, or were thrown out.
    failed: bool,
    /// JOINs sent since we were in it last.
    tries: u32,
    /// It takes no colours.
    plain: bool,
}

impl Channels {
    /// Adds a channel, or gives one that is there another key.
    pub(crate) fn want(&mut self, name: &str, key: Option<String>) {
        self.0.entry(name.to_lowercase()).or_default().key = key;
    }

    /// Adds a channel whose key is unknown; one that is there stays as it is.
    pub(crate) fn want_also(&mut self, name: &str) {
        self.0.entry(name.to_lowercase()).or_default();
    }

    /// Adds a channel and makes it due at once.
    pub(crate) fn want_now(&mut self, name: &str, now: Instant) {
        self.0.entry(name.to_lowercase()).or_default().due = Some(now);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(&name.to_lowercase());
    }

    /// Lower-cased names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(&name.to_lowercase())
    }

    /// Takes a lower-cased name.
    pub(crate) fn is_joined(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|membership| membership.joined)
    }

    /// Says whether each has been joined, or tried in vain.
    pub(crate) fn are_settled(&self) -> bool {
        self.0.values().all(|membership| membership.joined || membership.failed)
    }

    /// Makes all due that we are not in and that have no time of their own.
    pub(crate) fn join_all(&mut self, now: Instant) {
        for membership in self.0.values_mut().filter(|membership| !membership.joined) {
            membership.due.get_or_insert(now);
        }
    }

    /// The server confirmed our JOIN.
    pub(crate) fn joined(&mut self, name: &str) {
        let membership = self.0.entry(name.to_lowercase()).or_default();
        let (key, plain) = (membership.key.take(), membership.plain);
        *membership = Membership { joined: true, key, plain, ..Membership::default() };
    }

    /// We are out, whoever did it; a channel that is not wanted is not tried again.
    pub(crate) fn left(&mut self, name: &str, now: Instant) {
        if let Some(membership) = self.0.get_mut(&name.to_lowercase()) {
            (membership.joined, membership.failed) = (false, true);
            membership.due = Some(now + RETURN);
        }
    }

    /// The server refused our JOIN.
    pub(crate) fn refused(&mut self, name: &str, now: Instant) {
        if let Some(membership) = self.0.get_mut(&name.to_lowercase()) {
            membership.due = Some(now + RETURN_AGAIN);
            membership.failed = true;
        }
    }

    /// False for a channel that takes no colours.
    pub(crate) fn has_colours(&self, name: &str) -> bool {
        !self.0.get(&name.to_lowercase()).is_some_and(|membership| membership.plain)
    }

    /// Sends a channel no more colours. Says whether it had any until now.
    pub(crate) fn take_colours(&mut self, name: &str) -> bool {
        let membership = self.0.get_mut(&name.to_lowercase());
        membership.is_some_and(|membership| !std::mem::replace(&mut membership.plain, true))
    }

    /// Time of the next JOIN of all.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.0.values().filter_map(|membership| membership.due).min()
    }

    /// The JOIN lines that are due, each with its key.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, membership) in &mut self.0 {
            if membership.due.is_none_or(|due| due > now) {
                continue;
            }
            let key = membership.key.as_ref().map(|key| format!(" {key}")).unwrap_or_default();
            lines.push(format!("JOIN {name}{key}"));
            // Some servers answer nothing at all to a JOIN that they don't like: it is tried again, and from the second
            // time on it counts as failed, so that one such channel does not keep announcements from all others.
            membership.failed |= membership.tries > 0;
            membership.due = Some(now + if membership.tries == 0 { RETURN } else { RETURN_AGAIN });
            membership.tries += 1;
        }
        lines
    }
}
