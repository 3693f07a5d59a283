//! Contacts: channels and people that the bot talks with, what each has asked for, and the builds that each waits for
//! (I-ADR-04 to I-ADR-06).

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::decide::{self, NotifySet};
use super::settings::IrcSettings;
use campanile_irc::is_channel;
use campanile_model::{Build, BuildId, Event};

/// People who said nothing for so long, and wait for nothing, are forgotten (I-ADR-06): anybody can become a contact by
/// saying something, and their number would only grow.
const IDLE: Duration = Duration::from_secs(3_600);
/// A build that was asked for and has not begun by then is not waited for any longer.
const GIVEN_UP: Duration = Duration::from_secs(24 * 3_600);

/// A channel or a person.
#[derive(Debug)]
pub(super) struct Contact {
    /// Events that it is told of.
    pub(super) notify: NotifySet,
    /// It is told nothing (I-OUT-08).
    pub(super) muted: bool,
    /// Builds whose end is waited for; each is told of once (I-CMD-13). Bound to no connection: what ends while there is
    /// none is told with the next (I-RC-03).
    watches: Vec<Watch>,
    /// Builds that were asked for and have not begun.
    forced: Vec<ForcedBuild>,
    /// Time at which it last said something.
    heard: Instant,
    /// Time at which it was last told that there is no such command (I-DSP-05).
    pub(super) corrected: Option<Instant>,
    /// It is in the settings, and never forgotten.
    listed: bool,
}

/// A build whose end is waited for.
#[derive(Debug)]
struct Watch {
    build: BuildId,
    /// An announcement tells it. Until that is stored it may be made anew, so it is not forgotten before.
    told: bool,
}

/// A build that was asked for by `force`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForcedBuild {
    pub(super) builder: String,
    /// Numbers by which the CI knows it, where it told any.
    pub(super) buildset: Option<u64>,
    pub(super) requests: Vec<u64>,
    /// Reason as the CI was told it.
    pub(super) reason: String,
    /// Time of the request.
    pub(super) at: Instant,
    /// The build that an announcement tells of as this one: nobody else needs to. As with watches it is not forgotten
    /// before that is stored.
    pub(super) told_as: Option<BuildId>,
}

impl ForcedBuild {
    /// Says whether this is the build: by its buildset or requests where the CI told them, else by builder and reason.
    pub(super) fn is(&self, build: &Build) -> bool {
        if self.builder != build.builder {
            return false;
        }
        if self.buildset.is_none() && self.requests.is_empty() {
            return build.reason.contains(&self.reason);
        }
        (self.buildset.is_some() && self.buildset == build.buildset)
            || self.requests.iter().any(|request| build.requests.contains(request))
    }
}

/// All contacts of a bot, by their lower-cased names (I-OUT-01).
#[derive(Debug, Default)]
pub(super) struct Contacts(BTreeMap<String, Contact>);

impl Contacts {
    /// Takes up new settings: those listed exist from now on, those listed no more are forgotten (I-CFG-21).
    pub(super) fn reconfigure(&mut self, settings: &IrcSettings, before: Option<&IrcSettings>, now: Instant) {
        let names = listed(settings);
        let changed = before.is_none_or(|before| before.notify_events != settings.notify_events);
        self.0.retain(|name, contact| !contact.listed || names.contains(name));
        for name in names {
            let contact = self.0.entry(name).or_insert_with(|| Contact::new(now));
            if changed || !contact.listed {
                contact.notify.clone_from(&settings.notify_events);
            }
            contact.listed = true;
        }
    }

    /// Finds the contact of this name, or makes it, and notes that it said something. Channels that people have us join
    /// start like those of the settings (I-ADR-05).
    pub(super) fn heard_of(&mut self, name: &str, settings: &IrcSettings, now: Instant) -> &mut Contact {
        self.0.retain(|_, contact| !contact.is_forgotten(now));
        let contact = self.0.entry(name.to_owned()).or_insert_with(|| {
            let notify = if is_channel(name) { settings.notify_events.clone() } else { NotifySet::new() };
            Contact { notify, ..Contact::new(now) }
        });
        contact.heard = now;
        contact
    }

    /// Finds the contact of this name.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Contact> {
        self.0.get_mut(name)
    }

    /// Says whether a contact is told nothing (I-OUT-08).
    pub(super) fn is_muted(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|contact| contact.muted)
    }

    /// Forgets a channel that was left on request (I-CMD-17).
    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Channels that people had us join: they are joined again on the next connection (I-CMD-17).
    pub(super) fn joined_by_command(&self) -> Vec<String> {
        let own = self.0.iter().filter(|(name, contact)| !contact.listed && is_channel(name));
        own.map(|(name, _)| name.clone()).collect()
    }

    /// Says whether anybody wants to hear that this build has begun.
    pub(super) fn any_wants_start(&self, build: &Build) -> bool {
        self.0.values().any(|contact| decide::wants_start(&contact.notify) || contact.has_forced(build))
    }

    /// Says whether anybody may want to hear that this build is over.
    pub(super) fn any_may_want_finish(&self, build: &Build) -> bool {
        self.0.values().any(|contact| decide::may_want_finish(&contact.notify) || contact.awaits_end(build))
    }

    /// Says whether a decision may hang on the build before.
    pub(super) fn any_needs_previous(&self) -> bool {
        self.0.values().any(|contact| decide::needs_previous(&contact.notify))
    }

    /// Forgets what the announcement of an event was for, now that it is stored and will be told.
    pub(super) fn announced(&mut self, event: &Event) {
        for contact in self.0.values_mut() {
            match event {
                Event::BuildStarted { build } => contact.begun(build),
                Event::BuildFinished { build } => contact.ended(build),
                _ => {}
            }
        }
    }

    /// All that may be told something, by name.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Contact)> {
        self.0.iter_mut()
    }
}

impl Contact {
    fn new(now: Instant) -> Self {
        Self {
            notify: NotifySet::new(),
            muted: false,
            watches: Vec::new(),
            forced: Vec::new(),
            heard: now,
            corrected: None,
            listed: false,
        }
    }

    /// Waits for the end of a build; twice is once (I-CMD-13).
    pub(super) fn watch(&mut self, build: BuildId) {
        if !self.watches.iter().any(|watch| watch.build == build && !watch.told) {
            self.watches.push(Watch { build, told: false });
        }
    }

    /// Waits for a build to begin.
    pub(super) fn await_start(&mut self, forced: ForcedBuild) {
        self.forced.push(forced);
    }

    /// Says whether it still waits for that build to begin.
    pub(super) fn awaits(&self, forced: &ForcedBuild) -> bool {
        self.forced.contains(forced)
    }

    /// Says whether a build that has begun was waited for, for its announcement: from now on that tells it.
    pub(super) fn announces_forced(&mut self, build: &Build) -> bool {
        let Some(forced) = self.forced.iter_mut().find(|forced| forced.is(build)) else { return false };
        forced.told_as = Some(build.id());
        true
    }

    /// Says whether a build that has begun was waited for and no announcement tells it, for the command that forced it.
    /// If so, its end is waited for from now on.
    pub(super) fn take_forced(&mut self, build: &Build) -> bool {
        let untold = |forced: &ForcedBuild| forced.told_as.is_none() && forced.is(build);
        let Some(at) = self.forced.iter().position(untold) else { return false };
        self.forced.remove(at);
        self.watch(build.id());
        true
    }

    /// Forgets what the stored announcement of a build that has begun was told for; its end is waited for from now on.
    fn begun(&mut self, build: &Build) {
        let id = build.id();
        let told = |forced: &ForcedBuild| forced.told_as.as_ref() == Some(&id);
        let Some(at) = self.forced.iter().position(told) else { return };
        self.forced.remove(at);
        self.watch(id);
    }

    /// Stops waiting for the builds of a builder that were asked for and have not begun, and gives the requests by which
    /// the CI knows them.
    pub(super) fn take_waiting(&mut self, builder: &str) -> Vec<u64> {
        let of_builder = |forced: &ForcedBuild| forced.builder == builder && !forced.requests.is_empty();
        let requests = self.forced.iter().filter(|forced| of_builder(forced));
        let requests = requests.flat_map(|forced| forced.requests.iter().copied()).collect();
        self.forced.retain(|forced| !of_builder(forced));
        requests
    }

    /// Says whether the end of a build is waited for. Also by a request whose begin nobody told of.
    fn awaits_end(&self, build: &Build) -> bool {
        let id = build.id();
        self.watches.iter().any(|watch| watch.build == id) || self.has_forced(build)
    }

    /// Says whether the end of a build is waited for, for its announcement: from now on that tells it.
    pub(super) fn announces_end(&mut self, build: &Build) -> bool {
        let id = build.id();
        self.watches.iter_mut().filter(|watch| watch.build == id).for_each(|watch| watch.told = true);
        let forced = self.forced.iter_mut().filter(|forced| forced.is(build));
        forced.for_each(|forced| forced.told_as = Some(id.clone()));
        self.awaits_end(build)
    }

    /// Forgets what the stored announcement of a build that is over was told for; not what came since it was written.
    fn ended(&mut self, build: &Build) {
        let id = build.id();
        self.watches.retain(|watch| !(watch.told && watch.build == id));
        self.forced.retain(|forced| forced.told_as.as_ref() != Some(&id));
    }

    fn has_forced(&self, build: &Build) -> bool {
        self.forced.iter().any(|forced| forced.is(build))
    }

    fn is_forgotten(&self, now: Instant) -> bool {
        let waits = !self.watches.is_empty()
            || self.forced.iter().any(|forced| now.saturating_duration_since(forced.at) < GIVEN_UP);
        let asks = !self.notify.is_empty() || self.muted || waits;
        !self.listed && !asks && now.saturating_duration_since(self.heard) >= IDLE
    }
}

/// Names of those that the settings list, lower-cased.
fn listed(settings: &IrcSettings) -> Vec<String> {
    let channels = settings.client.channels.iter().map(|channel| channel.name.to_lowercase());
    channels.chain(settings.pm_to_nicks.iter().map(|nick| nick.to_lowercase())).collect()
}
