//! The settings of a mail target, read from a `[[mail]]` table (section 1 of the rules), with every problem at its
//! line.

use std::path::PathBuf;

use super::address::{Address, is_domain};
use super::headers::{self, ExtraTemplate, Text};
use super::logs::AddLogs;
use super::mode;
use super::order::OrderBy;
use super::previous_build::PreviousBuild;
use super::recipients::{Audience, DEFAULT_IGNORED};
use super::sendmail::Sendmail;
use super::smtp_transport::SmtpTransport;
use super::subject::{self, SubjectTemplate};
use super::template::MailTemplates;
use super::threads::ThreadBy;
use super::watched_workers::WatchedWorkers;
use crate::Parts;
use crate::build_filter::BuildFilter;
use crate::callback::{self, OnCallbackError};
use crate::name_filter::NameFilter;
use campanile_callbacks::{Callback, Kind, Modes};
use campanile_config::{Reader, Severity};
use campanile_outbound::{Dialer, TlsConnector, TlsError};
use campanile_smtp::{Credentials, Encryption, RelayConfig};

/// A `[[mail]]` table, checked.
pub(super) struct MailSettings {
    pub(super) name: String,
    pub(super) from: Address,
    pub(super) build_filter: BuildFilter,
    pub(super) modes: Modes,
    pub(super) subject: SubjectTemplate,
    pub(super) audience: Audience,
    pub(super) lookup: Option<Callback>,
    pub(super) formatter: Option<Callback>,
    pub(super) templates: Option<MailTemplates>,
    pub(super) previous_build: PreviousBuild,
    pub(super) previous_build_getter: Option<Callback>,
    pub(super) on_callback_error: OnCallbackError,
    pub(super) extra_headers: Vec<ExtraTemplate>,
    /// One mail for a whole buildset (section 3).
    pub(super) build_set_summary: bool,
    /// Tells of the begin of a build too (M-X-05).
    pub(super) report_new: bool,
    pub(super) watched_workers: WatchedWorkers,
    pub(super) add_patch: bool,
    pub(super) add_logs: AddLogs,
    /// The mails that stay in order (M-72).
    pub(super) order_by: OrderBy,
    /// Most bytes of a mail (M-X-15).
    pub(super) max_message_bytes: u64,
    pub(super) thread_by: Option<ThreadBy>,
    /// Writes each mail to the log too (M-X-02).
    pub(super) dump_mails_to_log: bool,
    pub(super) transport: Transport,
}

/// The way that mails leave by.
pub(super) enum Transport {
    /// To a relay.
    Smtp(Box<SmtpTransport>),
    /// To a program of this machine.
    Sendmail(Sendmail),
    /// Into a folder.
    Files(PathBuf),
}

impl Transport {
    /// The most mails at once: those beyond the relay's connections would wait for one.
    pub(super) fn max_in_flight(&self) -> Option<usize> {
        match self {
            Self::Smtp(_) => Some(campanile_smtp::MAX_CONNECTIONS),
            Self::Sendmail(_) | Self::Files(_) => None,
        }
    }
}

/// Most bytes of a mail by default: most relays take that much, and no person reads more.
const DEFAULT_MAX_MESSAGE: u64 = 10 << 20;
/// The same that a tenant may set: a mail is in memory several times while it is written.
const MAX_TENANTS_MESSAGE: u64 = 25 << 20;

/// Reads the n-th `[[mail]]` table. Whatever is wrong is noted; nothing comes back if the target can't be made at all.
pub(super) fn read(reader: &Reader<'_>, index: usize, parts: &Parts<'_>) -> Option<MailSettings> {
    let name = reader.text("name").filter(|name| !name.trim().is_empty()).unwrap_or(format!("mail-{index}"));
    if reader.item("custom_mesg").is_some() {
        reader.error("custom_mesg", "customMesg is deprecated; use messageFormatter instead");
    }
    let from = sender(reader);
    if reader.item("builders").is_some()
        && ["tags", "categories"].iter().any(|key| reader.item(key).is_some())
    {
        reader.error("builders", "Please specify only builders or tags to include - not both.");
    }
    let build_filter = BuildFilter::read(reader);
    let modes = reader.item("mode").map_or(Some(mode::default_modes()), mode::read);
    let subject = subject(reader);
    let lookup = lookup_callback(reader, parts);
    let audience = audience(reader, parts, lookup.is_some());
    let formatter = callback::read(reader, parts, "message_formatter", Kind::MessageFormatter);
    let templates = MailTemplates::read(reader, parts);
    let previous_build = PreviousBuild::read(reader);
    let previous_build_getter =
        callback::read(reader, parts, "previous_build_getter", Kind::PreviousBuildGetter);
    let on_callback_error = OnCallbackError::read(reader, OnCallbackError::Default);
    let extra_headers = extra_headers(reader);
    let build_set_summary = reader.boolean("build_set_summary").unwrap_or(false);
    let report_new = reader.boolean("report_new").unwrap_or(false);
    let watched_workers = WatchedWorkers::read(reader);
    let add_patch = reader.boolean("add_patch").unwrap_or(true);
    let max_message_bytes =
        reader.size_up_to("max_message_bytes", MAX_TENANTS_MESSAGE).unwrap_or(DEFAULT_MAX_MESSAGE);
    let add_logs = AddLogs::read(reader, max_message_bytes);
    let (thread_by, order_by) = (ThreadBy::read(reader), OrderBy::read(reader));
    let dump_mails_to_log = dump_mails_to_log(reader);
    let transport = transport(reader, &name, parts);
    Some(MailSettings {
        from: from?,
        build_filter,
        modes: modes?,
        subject: subject?,
        audience,
        lookup,
        formatter,
        templates,
        previous_build,
        previous_build_getter,
        on_callback_error,
        extra_headers,
        build_set_summary,
        report_new,
        watched_workers,
        add_patch,
        add_logs,
        order_by,
        max_message_bytes,
        thread_by,
        dump_mails_to_log,
        transport: transport?,
        name,
    })
}

fn sender(reader: &Reader<'_>) -> Option<Address> {
    let text = reader.required_text("fromaddr")?;
    Address::parse_sender(&text)
        .map_err(|error| reader.error("fromaddr", format!("`{text}` is {error}")))
        .ok()
}

fn subject(reader: &Reader<'_>) -> Option<SubjectTemplate> {
    let source = reader.text("subject");
    SubjectTemplate::parse(source.as_deref().unwrap_or(subject::DEFAULT))
        .map_err(|error| reader.error("subject", error.to_string()))
        .ok()
}

fn audience(reader: &Reader<'_>, parts: &Parts<'_>, asks_callback: bool) -> Audience {
    let audience = Audience {
        interested: reader.boolean("send_to_interested_users").unwrap_or(true),
        extra: extra_recipients(reader),
        domain: lookup_domain(reader),
        author_addresses: reader.boolean("author_addresses").unwrap_or(false),
        users: parts.settings.users.clone(),
        ignored: ignored_addresses(reader),
    };
    check_users(parts);
    let finds =
        asks_callback || audience.domain.is_some() || audience.author_addresses || !audience.users.is_empty();
    if audience.extra.is_empty() && !(audience.interested && finds) {
        let hint = if audience.interested {
            "set `lookup`, `author_addresses`, `extra_recipients` or `[[users]]`"
        } else {
            "`send_to_interested_users` is false, so set `extra_recipients`"
        };
        reader.warning("fromaddr", format!("this target can reach nobody: {hint}"));
    }
    audience
}

/// Reads `ignored_addresses`: addresses and patterns of them, compared without case.
fn ignored_addresses(reader: &Reader<'_>) -> NameFilter {
    let listed = reader.texts("ignored_addresses");
    let listed = listed.unwrap_or_else(|| DEFAULT_IGNORED.map(str::to_owned).to_vec());
    let lower: Vec<String> = listed.iter().map(|address| address.to_lowercase()).collect();
    NameFilter::new(&lower).unwrap_or_else(|errors| {
        for error in errors {
            reader.error("ignored_addresses", format!("`ignored_addresses`: {error}"));
        }
        NameFilter::default()
    })
}

/// Checks the addresses of user records. They belong to no target, but only here it is known what an address is. Told
/// once, however many targets there are.
fn check_users(parts: &Parts<'_>) {
    for user in &parts.settings.users {
        if let (Some(email), Some(place)) = (&user.email, &user.email_location)
            && let Err(error) = Address::parse(email)
        {
            parts.problems.add(Severity::Error, place.clone(), format!("`email`: `{email}` is {error}"));
        }
    }
}

fn extra_recipients(reader: &Reader<'_>) -> Vec<Address> {
    let Some(item) = reader.item("extra_recipients") else { return Vec::new() };
    let Some(items) = item.list() else {
        item.error("extraRecipients must be a list or tuple");
        return Vec::new();
    };
    let address = |item: campanile_config::Item<'_>| {
        let text = item.text("extra_recipients")?;
        let address = Address::parse(&text).ok();
        if address.is_none() {
            item.error(format!("extra recipient '{text}' is not a valid email"));
        }
        address
    };
    items.into_iter().filter_map(address).collect()
}

/// Reads `lookup = { callback = "NAME" }`; as a domain it is read elsewhere.
fn lookup_callback(reader: &Reader<'_>, parts: &Parts<'_>) -> Option<Callback> {
    let item = reader.item("lookup")?;
    if item.as_text().is_some() {
        return None;
    }
    let Some(table) = item.table("lookup") else {
        return item.wrong_type("lookup", "a domain, or `{ callback = \"NAME\" }`");
    };
    table.required_text("callback");
    let found = callback::read(&table, parts, "callback", Kind::EmailLookup);
    table.finish();
    found
}

fn lookup_domain(reader: &Reader<'_>) -> Option<String> {
    let item = reader.item("lookup")?;
    let domain = item.as_text()?;
    if !is_domain(domain, 1) {
        item.error(format!("`lookup` must be a domain like `example.org`, not `{domain}`"));
        return None;
    }
    if !is_domain(domain, 2) {
        item.warning(format!("addresses at `{domain}` have no full domain and get no mail"));
    }
    Some(domain.to_owned())
}

fn dump_mails_to_log(reader: &Reader<'_>) -> bool {
    let dumps = reader.boolean("dump_mails_to_log").unwrap_or(false);
    if dumps {
        let text = "every mail goes to the log as a whole, with what is secret in its logs and properties";
        reader.warning("dump_mails_to_log", text);
    }
    dumps
}

fn extra_headers(reader: &Reader<'_>) -> Vec<ExtraTemplate> {
    let Some(item) = reader.item("extra_headers") else { return Vec::new() };
    let Some(table) = item.table("extra_headers") else {
        item.error("extraHeaders must be a dictionary");
        return Vec::new();
    };
    let mut extra = Vec::new();
    for (name, item) in table.entries() {
        let Some(value) = item.text(name) else { continue };
        match (Text::read(name), Text::read(&value)) {
            (Ok(name), Ok(value)) => {
                if let Text::Literal(name) = &name {
                    if !headers::is_name(name) {
                        item.error(format!("`{name}` is no name for a header"));
                    } else if headers::is_ours(name) {
                        item.warning(format!("`{name}` is left out: every mail has it already"));
                    }
                }
                extra.push(ExtraTemplate { name, value });
            }
            (name, value) => {
                let errors = name.err().into_iter().chain(value.err()).flatten();
                errors.for_each(|error| item.error(format!("extra header: {error}")));
            }
        }
    }
    extra
}

fn transport(reader: &Reader<'_>, name: &str, parts: &Parts<'_>) -> Option<Transport> {
    // The relay's arguments are read even for files, so that trying a target out needs no other change.
    let relay = relay(reader, parts.outbound.dialer().clone());
    let transport = reader.text("transport");
    match transport.as_deref().map(|transport| transport.split_once(':').unwrap_or((transport, ""))) {
        None | Some(("smtp", "")) => {
            relay.map(|config| Transport::Smtp(Box::new(SmtpTransport::new(name, config))))
        }
        Some(("sendmail", _)) if reader.deny_to_tenants("transport", "it runs a program") => None,
        Some(("sendmail", command)) => Sendmail::read(reader, name, command).map(Transport::Sendmail),
        Some(("file", folder)) if !folder.is_empty() => {
            reader.path_at("transport", folder).map(Transport::Files)
        }
        Some(_) => {
            let text = format!(
                "`transport` must be \"smtp\", \"sendmail:/PROGRAM\" or \"file:FOLDER\", not {:?}",
                transport.unwrap_or_default()
            );
            reader.error("transport", text);
            None
        }
    }
}

fn relay(reader: &Reader<'_>, dialer: Dialer) -> Option<RelayConfig> {
    let host = reader.text("relayhost").unwrap_or_else(|| "localhost".to_owned());
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        reader.error("relayhost", "`relayhost` must be the name or address of a mail relay");
        return None;
    }
    let credentials = match (reader.text("smtp_user"), reader.secret("smtp_password")) {
        (Some(user), Some(password)) => Some(Credentials { user, password }),
        (None, None) => None,
        (Some(_), None) => return missing(reader, "smtp_user", "smtp_password"),
        (None, Some(_)) => return missing(reader, "smtp_password", "smtp_user"),
    };
    let use_tls = reader.boolean("use_tls").unwrap_or(false);
    let use_smtps = reader.boolean("use_smtps").unwrap_or(false);
    if use_tls && use_smtps {
        reader.error(
            "use_smtps",
            "`use_tls` and `use_smtps` exclude each other: keep the one that the relay's port wants",
        );
        return None;
    }
    if use_tls && credentials.is_none() {
        reader.warning("use_tls", "`use_tls` without `smtp_user`: fine for relays that only want TLS");
    }
    let default_port = if use_smtps { 465 } else { 25 };
    let port = reader.integer("smtp_port", 1..=65535).and_then(|port| u16::try_from(port).ok());
    let allow_plain_auth = reader.boolean("allow_plain_auth").unwrap_or(false);
    let authorities = reader.file("tls_ca");
    let tls = || tls(reader, &host, authorities.as_deref());
    let encryption = match (use_smtps, use_tls, credentials.is_some()) {
        (true, ..) => Encryption::FromStart(tls()?),
        (_, true, _) => Encryption::Required(tls()?),
        // A password is reason enough to hide the line where that can be done.
        (false, false, true) => Encryption::IfOffered(tls()?),
        (false, false, false) => Encryption::None,
    };
    let port = port.unwrap_or(default_port);
    Some(RelayConfig { host, port, encryption, credentials, allow_plain_auth, dialer })
}

fn missing<T>(reader: &Reader<'_>, there: &str, wanted: &str) -> Option<T> {
    // A secret that could not be read has its own error; this one still says what it is for.
    reader.error(there, format!("`{there}` needs `{wanted}` too"));
    None
}

fn tls(reader: &Reader<'_>, host: &str, authorities: Option<&std::path::Path>) -> Option<TlsConnector> {
    TlsConnector::new(host, authorities)
        .map_err(|error| {
            let key = if matches!(error, TlsError::Authorities { .. }) { "tls_ca" } else { "relayhost" };
            reader.error(key, error.to_string());
        })
        .ok()
}
