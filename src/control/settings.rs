//! Reads `[control]`.

use std::sync::Arc;

use url::Url;

use super::buildbot::Buildbot;
use super::http::Http;
use super::{Control, NotConfigured};
use crate::config::Reader;
use crate::outbound::{Outbound, Tls};

/// What `[control]` says.
pub struct Steering {
    /// The way to the CI; one that refuses everything if none is named.
    pub control: Arc<dyn Control>,
    /// Whether `shutdown` ends the engine rather than the CI.
    pub shuts_engine: bool,
}

/// Reads `[control]`.
#[must_use]
pub fn from_settings(root: &Reader<'_>, outbound: &Outbound) -> Steering {
    let nothing = || Arc::new(NotConfigured) as Arc<dyn Control>;
    let Some(table) = root.table("control") else {
        return Steering { control: nothing(), shuts_engine: false };
    };
    let shuts_engine = match table.text("shutdown").as_deref() {
        None | Some("ci") => false,
        Some("engine") => true,
        Some(other) => {
            table.error("shutdown", format!("`shutdown` must be `ci` or `engine`, not `{other}`"));
            false
        }
    };
    let control = if shuts_engine && table.item("kind").is_none() { None } else { read(&table, outbound) };
    table.finish();
    Steering { control: control.unwrap_or_else(nothing), shuts_engine }
}

fn read(table: &Reader<'_>, outbound: &Outbound) -> Option<Arc<dyn Control>> {
    let kind = table.required_text("kind");
    let url = address(table);
    let token = table.secret("token");
    let client = outbound.client(&Tls::read(table));
    if let Err(error) = &client {
        table.error("tls_cert", error.to_string());
    }
    let (client, url) = (client.ok(), url);
    match kind?.as_str() {
        "http" => Some(Arc::new(Http { client: client?, url: url?, token })),
        "buildbot" => {
            let scheduler = table.text("scheduler");
            let login = match (table.text("user"), table.secret("password")) {
                (Some(user), Some(password)) => Some((user, password)),
                (None, None) => None,
                (Some(_), None) => return missing(table, "user", "password"),
                (None, Some(_)) => return missing(table, "password", "user"),
            };
            Some(Arc::new(Buildbot { client: client?, url: url?, token, login, scheduler }))
        }
        other => {
            table.error("kind", format!("`kind` must be `http` or `buildbot`, not `{other}`"));
            None
        }
    }
}

fn missing(table: &Reader<'_>, key: &str, other: &str) -> Option<Arc<dyn Control>> {
    table.error(key, format!("`{key}` needs `{other}` beside it"));
    None
}

fn address(table: &Reader<'_>) -> Option<Url> {
    let text = table.required_text("url")?;
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if url.as_ref().is_none_or(|url| url.password().is_some()) {
        let what = "`url` must be an address such as https://ci.example.org/, without a password";
        table.error("url", what);
        return None;
    }
    url
}
