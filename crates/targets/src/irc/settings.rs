//! Reads an `[[irc]]` table (section 1 of the rules), with every problem at its line.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use campanile_irc::{
    AccountAuth, Channel, ClientSettings, Delays, Rate, ServerSettings, is_channel, is_word,
};
use regex::Regex;

use super::announce::Wording;
use super::authz::Authz;
use super::commands;
use super::decide::{Notify, NotifySet};
use crate::build_filter::BuildFilter;
use crate::{Parts, callback};
use campanile_callbacks::{Callback, Kind};
use campanile_config::{Item, Reader, Secret};
use campanile_outbound::{TlsConnector, TlsError};

/// An `[[irc]]` table, checked.
pub(super) struct IrcSettings {
    /// The target's name.
    pub(super) name: String,
    /// Server, identity, channels, rate: all that the client has to know.
    pub(super) client: Arc<ClientSettings>,
    /// The file that `client.server.tls` trusts, since a TLS configuration cannot be compared.
    tls_ca: Option<PathBuf>,
    /// People who are told as channels are.
    pub(super) pm_to_nicks: Vec<String>,
    /// The builds that are told of.
    pub(super) build_filter: BuildFilter,
    /// Events that channels and `pm_to_nicks` are told of until they ask for others.
    pub(super) notify_events: NotifySet,
    /// Wording of announcements.
    pub(super) wording: Wording,
    /// Callback that words announcements in the bot's place (I-ADD-07).
    pub(super) formatter: Option<Callback>,
    /// Least waits before the next connection (I-CFG-14, I-CFG-15).
    pub(super) delays: Delays,
    /// Rights of people.
    pub(super) rights: Rights,
    /// Patterns that `force` holds its arguments against.
    pub(super) patterns: Patterns,
    /// Prompts of a game are answered (I-FUN-05).
    pub(super) easter_eggs: bool,
    /// The word that replies begin with, and the bot's real name at the server.
    pub(super) product: String,
    /// The answer to `source`.
    pub(super) source_url: String,
}

/// Rights of people to steer the CI and the bot.
pub(super) enum Rights {
    /// One switch for all people (I-CFG-06, I-CFG-17).
    Switches { allow_force: bool, allow_shutdown: bool },
    /// Rules by command and person (I-ADD-01).
    Authz(Authz),
}

/// Patterns of what `force` takes, as whole texts (I-CMD-35).
pub(super) struct Patterns {
    pub(super) branch: Regex,
    pub(super) revision: Regex,
    pub(super) property: Regex,
}

impl IrcSettings {
    /// The server's host, which stands for the network in logs.
    pub(super) fn network(&self) -> &str {
        &self.client.server.host
    }

    /// Compares all that a connection depends on. Settings that differ in it need a new one (I-CFG-21).
    pub(super) fn same_connection(&self, other: &Self) -> bool {
        let known = |secret: &Secret| secret.expose().to_owned();
        let of = |settings: &Self| {
            let server = &settings.client.server;
            let auth = match &server.auth {
                AccountAuth::None => None,
                AccountAuth::NickServ(password) => Some(("nickserv", known(password))),
                AccountAuth::SaslPlain(password) => Some(("sasl", known(password))),
            };
            let tls = (server.tls.is_some(), settings.tls_ca.clone());
            let identity = (server.nick.clone(), server.server_password.as_ref().map(known), auth);
            (server.host.clone(), server.port, tls, identity, server.account_tag)
        };
        of(self) == of(other)
    }
}

/// Home of the bot that scripts know; like the product word, it is kept for those who have such scripts.
const SOURCE_URL: &str = "https://github.com/buildbot/buildbot";

/// Reads the n-th `[[irc]]` table. Each problem is noted; nothing comes back if the bot can't be made at all.
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
    let delays = Delays { lost: reader.duration("lost_delay"), failed: reader.duration("failed_delay") };
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
    let account_tag = matches!(&rights, Rights::Authz(authz) if authz.names_people());
    let tls_ca = reader.file("tls_ca");
    let server = server(reader, &product, account_tag, tls_ca.as_deref(), parts)?;
    let version = concat!("campanile ", env!("CARGO_PKG_VERSION")).to_owned();
    Some(IrcSettings {
        client: Arc::new(ClientSettings { server, channels: channels?, rate, notice_on_channel, version }),
        tls_ca,
        pm_to_nicks,
        build_filter: BuildFilter::read(reader),
        notify_events,
        wording,
        formatter,
        delays,
        rights,
        patterns: patterns?,
        easter_eggs,
        product,
        source_url,
        name,
    })
}

fn server(
    reader: &Reader<'_>,
    product: &str,
    account_tag: bool,
    tls_ca: Option<&Path>,
    parts: &Parts<'_>,
) -> Option<ServerSettings> {
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
    if tls_ca.is_some() && !use_ssl {
        reader.warning("tls_ca", "`tls_ca` counts only with `use_ssl = true`");
    }
    let tls = if use_ssl { Some(tls(reader, &host, tls_ca)?) } else { None };
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
    let auth = match password {
        None => AccountAuth::None,
        Some(password) if sasl => AccountAuth::SaslPlain(password),
        Some(password) => AccountAuth::NickServ(password),
    };
    Some(ServerSettings {
        host,
        port: port.unwrap_or(6667),
        tls,
        dialer: parts.outbound.dialer().clone(),
        nick,
        real_name: product.to_owned(),
        server_password,
        auth,
        account_tag,
    })
}

fn tls(reader: &Reader<'_>, host: &str, more: Option<&Path>) -> Option<TlsConnector> {
    let refused = |error: TlsError| {
        let key = match error {
            TlsError::Authorities { .. } => "tls_ca",
            _ => "host",
        };
        reader.error(key, format!("`{key}`: {error}"));
    };
    TlsConnector::new(host, more).map_err(refused).ok()
}

/// Reads a flag; what is none is told in the words that those who migrate know (I-CFG-18).
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

/// Reads a name, or a table of a name and a key (I-CFG-03).
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

/// Gives a channel's name, as people write it, the usual prefix if it has none (I-CON-06).
pub(super) fn with_prefix(name: &str) -> String {
    if is_channel(name) { name.to_owned() } else { format!("#{name}") }
}

/// Reads a list of names, or a table from names to flags, where a false one means off (I-CFG-19).
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
        reader.pattern(key, &format!(r"\A(?:{source})\z"))
    };
    let branch = pattern("branch_pattern", r"[\w.+/~-]*");
    let revision = pattern("revision_pattern", r"[ \w.\-/]*");
    let property = pattern("property_pattern", r"[\w.\-/~:]*");
    Some(Patterns { branch: branch?, revision: revision?, property: property? })
}
