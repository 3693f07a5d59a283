//! The shape of the settings file: what is read here, and which tables are handed on to those they are for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::{Item, Limits, Location, Reader, Secret, TenantsSettings};
use campanile_model::{Links, UrlPattern, UrlStyle};

/// Size of a hook's body, in bytes: as it is unless settings say otherwise, and as much as a tenant may take.
const MAX_BODY: u64 = 25 << 20;

/// Top-level tables that are read here; all others belong to targets and pollers.
pub const TABLES: &[&str] =
    &["server", "store", "change_hooks", "callbacks", "users", "delivery", "outbound", "limits", "tenants"];

/// Of these, what is the engine's and no tenant's.
const ENGINE_TABLES: &[&str] = &["store", "outbound", "tenants", "telemetry"];

/// News that comes later is none.
const MAX_CHANGE_WAIT: Duration = Duration::from_secs(600);

/// Nobody can look at what is gone sooner.
const MIN_KEEP: Duration = Duration::from_secs(1);

/// Everything but the targets.
#[derive(Debug)]
pub struct Settings {
    /// `[server]`.
    pub server: ServerSettings,
    /// `store.url`, a path in it made absolute to the file's folder.
    pub store_url: String,
    /// `store.max_log_bytes`.
    pub max_log_bytes: u64,
    /// `store.keep`: what is older is removed; none: everything is kept for ever.
    pub keep: Option<Duration>,
    /// `store.orphans`: deliveries wait for so long for a target that is gone from the settings.
    pub orphans: Duration,
    /// `[change_hooks]`, without its dialects.
    pub hooks: HookSettings,
    /// `[callbacks.NAME]`.
    pub callbacks: BTreeMap<String, CallbackSettings>,
    /// `[[users]]`.
    pub users: Vec<User>,
    /// `delivery.max_age`: a delivery that fails for longer than this is dead.
    pub max_age: Duration,
    /// `delivery.change_wait`: news of a build waits so long for the push of its revision, if hooks or pollers tell of any.
    pub change_wait: Duration,
    /// `delivery.concurrency`: number of deliveries that are prepared and sent side by side.
    pub concurrency: usize,
    /// `[limits]`: the most that a tenant may use of everything.
    pub limits: Limits,
    /// `[tenants]`: those who share this engine.
    pub tenants: Option<TenantsSettings>,
}

/// `[server]`.
#[derive(Debug)]
pub struct ServerSettings {
    /// Address that the HTTP server listens at.
    pub listen: SocketAddr,
    /// Address of the CI's pages, for the styles of Buildbot.
    pub url: Option<String>,
    /// `default`, `chapter`, `modern` (M-URL-02), or a pattern (M-URL-05); none: no pages are known (M-URL-06).
    pub url_style: Option<UrlStyle>,
    /// Name of the installation.
    pub title: String,
    /// Bearer token for `/api`; without one it answers loopback peers only.
    pub api_token: Option<Secret>,
    /// Bearer token for those who tell of events and may do nothing else.
    pub events_token: Option<Secret>,
    /// Names of this machine beside `localhost`, in lower case: requests without a token may call it so.
    pub hosts: Vec<String>,
    /// Those who may read the metrics.
    pub metrics: MetricsAccess,
    /// Path prefix in front of every route, for a proxy that does not strip it (H-GEN-19).
    pub base_path: String,
    /// Time that a drain may take at a stop. By default a few seconds less than `docker stop` waits before it kills.
    pub shutdown_timeout: Duration,
}

/// Those who may read the metrics: their labels name tenants and targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Programs on this machine, and bearers of a token of the operator's.
    #[default]
    Operator,
    /// Everybody.
    Public,
}

/// `[change_hooks]`.
#[derive(Debug, Default)]
pub struct HookSettings {
    /// `SCHEME:ARGUMENT` entries; none: hooks are open. An empty list refuses everyone (H-AUTH-01).
    pub auth: Option<Vec<String>>,
    /// Largest body taken, in bytes (H-GEN-13).
    pub max_body: u64,
}

/// `[callbacks.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackSettings {
    /// The component's file; without one, components are pushed.
    pub component: Option<PathBuf>,
    /// A call takes no longer than this.
    pub deadline: Duration,
    /// Bytes of memory, summed over all of a component's memories; none: the default of its kind of language.
    pub memory: Option<u64>,
    /// Calls side by side.
    pub concurrency: usize,
}

/// `[[users]]`: who is behind names of version control (M-29).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Unique name of the record.
    pub identifier: String,
    /// Login name, as `owner` properties have it.
    pub login: Option<String>,
    /// Mail address, any text: mail targets judge it.
    pub email: Option<String>,
    /// Position of the address, for those who judge it later.
    pub email_location: Option<Location>,
    /// Names at version control systems, by kind (`git`, `svn`...).
    pub vcs: Vec<(String, String)>,
}

impl Settings {
    /// Reads what is not a target's, a dialect's or a poller's. Wrong values are noted and take their default; `limits`
    /// hold where the settings have none of their own.
    #[must_use]
    pub fn read(root: &Reader<'_>, limits: &Limits) -> Self {
        for table in ENGINE_TABLES.iter().filter(|table| root.is_tenants() && root.item(table).is_some()) {
            root.deny_to_tenants(table, "it is about the whole engine");
        }
        let mut settings = Self {
            server: ServerSettings::read(root.table("server")),
            store_url: format!("sqlite:{}", root.folder().join("campanile.db").display()),
            max_log_bytes: 64 << 20,
            keep: Some(Duration::from_secs(365 * 86_400)),
            orphans: Duration::from_secs(7 * 86_400),
            hooks: HookSettings { auth: None, max_body: MAX_BODY },
            callbacks: BTreeMap::new(),
            users: root.tables("users").into_iter().map(User::read).collect(),
            max_age: Duration::from_secs(5 * 86_400),
            change_wait: Duration::from_secs(5),
            concurrency: 32,
            limits: limits.clone(),
            tenants: None,
        };
        if let Some(table) = root.table("limits") {
            settings.limits = Limits::read(&table, limits);
            table.finish();
        }
        settings.callbacks = read_callbacks(root, settings.limits.callback_deadline);
        if root.is_tenants() {
            settings.read_delivery(root);
            settings.read_hooks(root);
            return settings;
        }
        settings.tenants = root.table("tenants").and_then(TenantsSettings::read);
        if let Some(store) = root.table("store") {
            if let Some(url) = store.text("url") {
                match url.strip_prefix("sqlite:") {
                    Some(path) => {
                        settings.store_url = format!("sqlite:{}", root.folder().join(path).display());
                    }
                    None => store.error("url", "`url` must be `sqlite:PATH`"),
                }
            }
            if let Some(bytes) = store.size("max_log_bytes") {
                settings.max_log_bytes = bytes;
            }
            if let Some(orphans) = store.duration("orphans") {
                settings.orphans = orphans;
            }
            match store.item("keep").and_then(Item::as_text) {
                Some("forever") => settings.keep = None,
                _ => match store.duration("keep") {
                    Some(keep) if keep < MIN_KEEP => store.error("keep", "`keep` is at least \"1s\""),
                    Some(keep) => settings.keep = Some(keep),
                    None => {}
                },
            }
            store.finish();
        }
        settings.read_delivery(root);
        settings.read_hooks(root);
        settings
    }

    fn read_hooks(&mut self, root: &Reader<'_>) {
        let Some(hooks) = root.table("change_hooks") else { return };
        self.hooks = HookSettings::read(&hooks);
        hooks.item("dialects");
        hooks.finish();
    }

    fn read_delivery(&mut self, root: &Reader<'_>) {
        let Some(delivery) = root.table("delivery") else { return };
        if let Some(max_age) = delivery.duration("max_age") {
            self.max_age = max_age;
        }
        match delivery.duration("change_wait") {
            Some(wait) if wait > MAX_CHANGE_WAIT => {
                delivery.error("change_wait", "`change_wait` is at most \"10m\"");
            }
            Some(wait) => self.change_wait = wait,
            None => {}
        }
        if let Some(concurrency) = delivery.integer("concurrency", 1..=1024)
            && !delivery.deny_to_tenants("concurrency", "`in_flight` of `[limits]` is a tenant's share")
        {
            self.concurrency = usize::try_from(concurrency).unwrap_or(self.concurrency);
        }
        delivery.finish();
    }
}

/// Reads a style by its name, or a pattern.
fn url_style(text: &str) -> Result<UrlStyle, String> {
    match text {
        "default" => Ok(UrlStyle::Default),
        "chapter" => Ok(UrlStyle::Chapter),
        "modern" => Ok(UrlStyle::Modern),
        pattern if pattern.contains("://") => {
            UrlPattern::parse(pattern).map(UrlStyle::Pattern).map_err(|error| format!("`url_style`: {error}"))
        }
        _ => Err("`url_style` must be `default`, `chapter`, `modern`, or a pattern such as \
                  \"https://ci.example.org/{builder}/{number}\""
            .to_owned()),
    }
}

impl ServerSettings {
    /// The pages that messages link to where a build names none of its own; none if nobody said how they are addressed.
    #[must_use]
    pub fn links(&self) -> Links {
        let style = self.url_style.clone();
        style.map(|style| Links::new(self.url.as_deref(), style)).unwrap_or_default()
    }

    fn read(table: Option<Reader<'_>>) -> Self {
        let mut settings = Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8010)),
            url: None,
            url_style: None,
            title: "Campanile".to_owned(),
            api_token: None,
            events_token: None,
            hosts: Vec::new(),
            metrics: MetricsAccess::default(),
            base_path: String::new(),
            shutdown_timeout: Duration::from_secs(6),
        };
        let Some(table) = table else { return settings };
        for key in ["listen", "base_path", "shutdown_timeout", "hosts", "metrics"] {
            if table.item(key).is_some() {
                table.deny_to_tenants(key, "it is about the whole engine");
            }
        }
        if let Some(listen) = table.text("listen") {
            match listen.parse() {
                Ok(address) => settings.listen = address,
                Err(_) => table.error("listen", format!("`{listen}` is not an address like 127.0.0.1:8010")),
            }
        }
        if let Some(text) = table.text("url") {
            match url::Url::parse(&text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => settings.url = Some(text),
                _ => table.error("url", format!("`{text}` is not an http or https URL")),
            }
        }
        if let Some(style) = table.text("url_style") {
            match url_style(&style) {
                Ok(style) => settings.url_style = Some(style),
                Err(error) => table.error("url_style", error),
            }
        }
        match (&settings.url, &settings.url_style) {
            (Some(_), None) if table.item("url_style").is_none() => table.warning(
                "url",
                "nothing links to it: say in `url_style` how the CI's pages are addressed, by a pattern such as \
                 \"https://ci.example.org/{builder}/{number}\", or `default`, `chapter` or `modern` for a Buildbot at \
                 this address",
            ),
            (None, Some(UrlStyle::Default | UrlStyle::Chapter | UrlStyle::Modern)) => {
                table.warning("url_style", "there is no `url` for it: write the address of the Buildbot's pages");
            }
            _ => {}
        }
        settings.title = table.text("title").unwrap_or(settings.title);
        settings.api_token = table.secret("api_token");
        settings.events_token = table.secret("events_token");
        settings.hosts = read_hosts(&table);
        settings.metrics = match table.text("metrics").as_deref() {
            None | Some("operator") => MetricsAccess::Operator,
            Some("public") => MetricsAccess::Public,
            Some(other) => {
                table.error("metrics", format!("`metrics` must be `operator` or `public`, not `{other}`"));
                MetricsAccess::Operator
            }
        };
        if let Some(prefix) = table.text("base_path") {
            settings.base_path = match prefix.trim_matches('/') {
                "" => String::new(),
                inner => format!("/{inner}"),
            };
        }
        settings.shutdown_timeout = table.duration("shutdown_timeout").unwrap_or(settings.shutdown_timeout);
        table.finish();
        settings
    }
}

/// Reads `hosts`: names without scheme and port.
fn read_hosts(table: &Reader<'_>) -> Vec<String> {
    let hosts = table.texts("hosts").unwrap_or_default();
    for host in &hosts {
        if host.is_empty() || host.contains(['/', ':', '@', '*']) || host.contains(char::is_whitespace) {
            let text =
                format!("`hosts`: `{host}` must be a name as in `ci.example.org`, without scheme and port");
            table.error("hosts", text);
        }
    }
    hosts.iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase()).collect()
}

impl HookSettings {
    fn read(table: &Reader<'_>) -> Self {
        let auth = table.item("auth").and_then(|item| match item.as_text() {
            Some(text) => Some(vec![text.to_owned()]),
            None => item.texts("auth"),
        });
        Self { auth, max_body: table.size_up_to("max_body", MAX_BODY).unwrap_or(MAX_BODY) }
    }
}

fn read_callbacks(root: &Reader<'_>, longest: Option<Duration>) -> BTreeMap<String, CallbackSettings> {
    let Some(table) = root.table("callbacks") else { return BTreeMap::new() };
    let mut callbacks = BTreeMap::new();
    for (name, item) in table.entries() {
        let Some(table) = item.table(&format!("callbacks.{name}")) else {
            item.error(format!("`callbacks.{name}` must be a table with a `component`"));
            continue;
        };
        let deadline = table.duration("deadline").unwrap_or(Duration::from_millis(250));
        if let Some(longest) = longest.filter(|longest| deadline > *longest) {
            let text = format!(
                "`deadline` can be {} ms at most (`callback_deadline` of the limits)",
                longest.as_millis()
            );
            table.error("deadline", text);
        }
        let memory = table.size("memory");
        let concurrency =
            table.integer("concurrency", 1..=64).and_then(|n| usize::try_from(n).ok()).unwrap_or(16);
        let component = table.file("component");
        callbacks.insert(name.to_owned(), CallbackSettings { component, deadline, memory, concurrency });
        table.finish();
    }
    callbacks
}

impl User {
    #[allow(clippy::needless_pass_by_value)] // a reader is used up by its `finish`
    fn read(table: Reader<'_>) -> Self {
        let mut user = Self {
            identifier: table.required_text("identifier").unwrap_or_default(),
            login: table.text("login"),
            email: table.text("email"),
            email_location: table.item("email").map(Item::location),
            vcs: Vec::new(),
        };
        for kind in ["git", "svn", "hg", "cvs", "darcs", "bzr"] {
            let Some(item) = table.item(kind) else { continue };
            let names = match item.as_text() {
                Some(name) => vec![name.to_owned()],
                None => item.texts(kind).unwrap_or_default(),
            };
            user.vcs.extend(names.into_iter().map(|name| (kind.to_owned(), name)));
        }
        table.finish();
        user
    }
}
