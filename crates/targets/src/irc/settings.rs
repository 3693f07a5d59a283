//! Reads an `[[irc]]` table (section 1 of the rules), with every problem at its line.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::announce::Wording;
use super::authz::Authz;
use super::backoff::Delays;
use super::commands;
use super::events::{Notify, NotifySet};
use super::outbox::Rate;
use super::wire::is_channel;
use crate::tls::{Tls, TlsError};
use crate::{Parts, callback};
use campanile_callbacks::{Callback, Kind};
use campanile_config::{Item, Reader, Secret};
use campanile_outbound::{Dialer, TlsConnector, TlsError};
use crate::{Parts, callback};

/// What a bot was told, checked.
pub(super) struct IrcSettings {
    pub(super) name: String,
    pub(super) server: Server,
    pub(super) channels: Vec<Channel>,
    pub(super) pm_to_nicks: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) notify_events: NotifySet,
    pub(super) notice_on_channel: bool,
    pub(super) wording: Wording,
    /// Words announcements in the bot's place (I-ADD-07).
    pub(super) formatter: Option<Callback>,
    pub(super) delays: Delays,
    pub(super) rights: Rights,
    pub(super) patterns: Patterns,
    pub(super) rate: Rate,
    /// I-FUN-05.
    pub(super) easter_eggs: bool,
    /// The word that replies begin with.
    pub(super) product: String,
    pub(super) source_url: String,
}

/// Whom to talk with, as whom. A change of any of it takes a new connection (I-CFG-21).
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) nick: String,
    pub(super) server_password: Option<Secret>,
    /// For NickServ or SASL.
    pub(super) password: Option<Secret>,
    pub(super) sasl: bool,
    pub(super) tls: Option<TlsConnector>,
    tls_ca: Option<PathBuf>,
    pub(super) dialer: Dialer,
    /// Whether it matters which account people have.
    pub(super) wants_accounts: bool,
}

/// A channel to be in.
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) key: Option<Secret>,
}

/// What people may do.
pub(super) enum Rights {
    /// I-CFG-06, I-CFG-17.
    Switches { allow_force: bool, allow_shutdown: bool },
    /// I-ADD-01.
    Authz(Authz),
}

/// What `force` takes, as whole texts (I-CMD-35).
pub(super) struct Patterns {
    pub(super) branch: Regex,
    pub(super) revision: Regex,
    pub(super) property: Regex,
}

impl Server {
    /// Whether a connection to the other is as good.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let known = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        let of = |server: &Self| {
            let flags = (server.sasl, server.tls.is_some(), server.wants_accounts);
            (server.host.clone(), server.port, server.nick.clone(), server.tls_ca.clone(), flags)
        };
        of(self) == of(other)
            && known(&self.password) == known(&other.password)
            && known(&self.server_password) == known(&other.server_password)
    }
}

/// Where the bot that scripts know came from; as the product word, it is kept for those who have such scripts.
const SOURCE_URL: &str = "https://github.com/buildbot/buildbot";

/// Reads the n-th `[[irc]]` table. Whatever is wrong is noted; nothing comes back if the bot can't be made at all.
pub(super) fn read(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<IrcSettings> {
    let name = reader.text("name").filter(|name| !name.trim().is_empty()).unwrap_or(format!("irc-{index}"));
    let rights = rights(reader);
    let channels = channels(reader);
    let pm_to_nicks = reader.texts("pm_to_nicks").unwrap_or_default();
    for nick in &pm_to_nicks {
        if !is_word(nick) {
            reader.error("pm_to_nicks", format!("`{nick}` is no nickname"));
        }
    }
    let tags = [reader.texts("tags"), reader.texts("categories")].into_iter().flatten().next();
    let notify_events = notify_events(reader);
    if channels.as_ref().is_some_and(Vec::is_empty) && pm_to_nicks.is_empty() {
        reader.warning("channels", "the bot is in no channel and tells nobody: people can only talk to it");
    }
    let wording = Wording {
        use_revisions: reader.boolean("use_revisions").unwrap_or(false),
        use_colors: reader.boolean("use_colors").unwrap_or(true),
        show_blame_list: reader.boolean("show_blame_list").unwrap_or(true),
    };
    let formatter = callback::read(reader, parts, "announce_formatter", Kind::AnnounceFormatter);
    let notice_on_channel = switch(reader, "notice_on_channel", "noticeOnChannel");
    let delays = (reader.duration("lost_delay"), reader.duration("failed_delay"));
    let patterns = patterns(reader);
    let rate = Rate {
        burst: reader.integer("flood_burst", 1..=1_000).and_then(|n| u32::try_from(n).ok()).unwrap_or(5),
        interval: reader
            .duration("flood_interval")
            .unwrap_or(Duration::from_secs(2))
            .max(Duration::from_millis(1)),
    };
    let easter_eggs = reader.boolean("easter_eggs").unwrap_or(true);
    let product = reader.text("product").unwrap_or_else(|| "buildbot".to_owned());
    let source_url = reader.text("source_url").unwrap_or_else(|| SOURCE_URL.to_owned());
    let wants_accounts = matches!(&rights, Rights::Authz(authz) if authz.names_people());
    let server = server(reader, wants_accounts, parts);
    Some(IrcSettings {
        server: server?,
        channels: channels?,
        pm_to_nicks,
        tags: tags.unwrap_or_default(),
        notify_events,
        notice_on_channel,
        wording,
        formatter,
        delays,
        rights,
        patterns: patterns?,
        rate,
        easter_eggs,
        product,
        source_url,
        name,
    })
}

fn server(reader: &Reader<'_>, wants_accounts: bool, parts: &Parts<'_>) -> Option<Server> {
    let host = reader.required_text("host");
    let nick = reader.required_text("nick");
    for (key, value) in [("host", &host), ("nick", &nick)] {
        if value.as_ref().is_some_and(|value| !is_word(value)) {
            reader.error(key, format!("`{key}` must be one word"));
            return None;
        }
    }
    let (host, nick) = (host?, nick?);
    let use_ssl = reader.boolean("use_ssl").unwrap_or(false);
    let port = reader.integer("port", 1..=65_535).and_then(|port| u16::try_from(port).ok());
    let tls_ca = reader.file("tls_ca");
    if tls_ca.is_some() && !use_ssl {
        reader.warning("tls_ca", "`tls_ca` counts only with `use_ssl = true`");
    }
    let tls = if use_ssl { Some(tls(reader, &host, tls_ca.as_deref())?) } else { None };
    let sasl = reader.boolean("sasl").unwrap_or(false);
    let password = reader.secret("password");
    let server_password = reader.secret("server_password");
    if sasl && reader.item("password").is_none() {
        reader.error("sasl", "`sasl` needs `password`");
    }
    for (key, secret) in [("password", &password), ("server_password", &server_password)] {
        if secret.as_ref().is_some_and(|secret| secret.expose().contains(['\r', '\n', '\0'])) {
            reader.error(key, format!("`{key}` must be one line"));
            return None;
        }
    }
    Some(Server {
        host,
        port: port.unwrap_or(6667),
        nick,
        server_password,
        password,
        sasl,
        tls,
        tls_ca,
        dialer: parts.outbound.dialer().clone(),
        wants_accounts,
    })
}

fn tls(reader: &Reader<'_>, host: &str, more: Option<&std::path::Path>) -> Option<TlsConnector> {
    let refused = |error: TlsError| {
        let key = match error {
            TlsError::Authorities { .. } => "tls_ca",
            _ => "host",
        };
        reader.error(key, format!("`{key}`: {error}"));
    };
    TlsConnector::new(host, more).map_err(refused).ok()
}

/// I-CFG-18: said in the words that those who migrate know.
fn switch(reader: &Reader<'_>, key: &str, argument: &str) -> bool {
    let Some(item) = reader.item(key) else { return false };
    item.as_boolean().unwrap_or_else(|| {
        item.error(format!("{argument} must be boolean, not {}", item.to_json()));
        false
    })
}

fn rights(reader: &Reader<'_>) -> Rights {
    let allow_force = switch(reader, "allow_force", "allowForce");
    let allow_shutdown = switch(reader, "allow_shutdown", "allowShutdown");
    let Some(authz) = Authz::read(reader, &commands::names()) else {
        return Rights::Switches { allow_force, allow_shutdown };
    };
    for key in ["allow_force", "allow_shutdown"] {
        if reader.item(key).is_some() {
            reader.error(key, format!("`{key}` and `authz` rule over the same: keep one of them"));
        }
    }
    Rights::Authz(authz)
}

fn channels(reader: &Reader<'_>) -> Option<Vec<Channel>> {
    if reader.item("channels").is_none() {
        reader.error("channels", "`channels` is missing in `irc`: write [] for none");
        return None;
    }
    let items = reader.list("channels")?;
    Some(items.into_iter().filter_map(channel).collect())
}

/// A name, or a table of a name and a key (I-CFG-03).
fn channel(item: Item<'_>) -> Option<Channel> {
    let (name, key) = match item.as_text() {
        Some(name) => (name.to_owned(), None),
        None => {
            let Some(table) = item.table("channels") else {
                return item
                    .wrong_type("channels", "a list of names or of { channel = \"#NAME\", password = .. }");
            };
            let (name, key) = (table.required_text("channel"), table.secret("password"));
            table.finish();
            (name?, key)
        }
    };
    let one_word = |text: &str| is_word(text) && !text.contains(',');
    if !one_word(&name) || key.as_ref().is_some_and(|key| !one_word(key.expose())) {
        item.error(format!("`{name}`: a channel and its password are one word each, without commas"));
        return None;
    }
    Some(Channel { name: with_prefix(&name), key })
}

/// I-CON-06.
pub(super) fn with_prefix(name: &str) -> String {
    if is_channel(name) { name.to_owned() } else { format!("#{name}") }
}

/// One word that a line of the protocol can hold where a word is due.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(':')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// A list of names, or a table from names to flags, where a false one means off (I-CFG-19).
fn notify_events(reader: &Reader<'_>) -> NotifySet {
    let Some(item) = reader.item("notify_events") else { return NotifySet::new() };
    let mut set = NotifySet::new();
    let mut add = |item: Item<'_>, name: &str| {
        match Notify::parse(name) {
        Some(event) => drop(set.insert(event)),
        None => item.error(format!("`notify_events`: there is no event `{name}`: write `started`, `finished`, a result such as `failure`, or a change such as `successToFailure`")),
    }
    };
    if let Some(items) = item.list() {
        for item in items {
            item.text("notify_events").inspect(|name| add(item, name));
        }
    } else if let Some(table) = item.table("notify_events") {
        for (name, item) in table.entries() {
            match item.as_boolean() {
                Some(true) => add(item, name),
                // A flag that is off must name an event too.
                Some(false) if Notify::parse(name).is_some() => {}
                Some(false) => add(item, name),
                None => drop(item.wrong_type::<()>(name, "true or false")),
            }
        }
        table.finish();
    } else {
        item.wrong_type::<()>("notify_events", "a list of events, or a table of events and flags");
    }
    set
}

fn patterns(reader: &Reader<'_>) -> Option<Patterns> {
    let pattern = |key: &str, default: &str| {
        let own = reader.text(key);
        let source = own.as_deref().unwrap_or(default);
        Regex::new(&format!(r"\A(?:{source})\z"))
            .map_err(|error| reader.error(key, format!("`{key}` is no regular expression: {error}")))
            .ok()
    };
    let branch = pattern("branch_pattern", r"[\w.+/~-]*");
    let revision = pattern("revision_pattern", r"[ \w.\-/]*");
    let property = pattern("property_pattern", r"[\w.\-/~:]*");
    Some(Patterns { branch: branch?, revision: revision?, property: property? })
}
